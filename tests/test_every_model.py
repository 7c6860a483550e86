"""Runs the shipped suite over every registered model, one test per model and check."""

import functools
from pathlib import Path

import pytest

from solvers import models
from solvers.testing import EVERY_CHECK, Subject
from solvers.testing.cases import read_cases

MODELS = {name: model for name, model in models().items() if not name.startswith("toy.")}
CASES = [case for path in sorted((Path(__file__).parent / "cases").glob("*.json")) for case in read_cases(path)]
CHECKS = [check for check in EVERY_CHECK if check.__name__ != "cases_hold"]  # test_cases.py, one test per case


@functools.cache
def subject(name):
    return Subject(MODELS[name])


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", MODELS)
def test_model(name, check):
    check(subject(name))


@pytest.mark.parametrize("name", MODELS)
def test_every_method_is_compared_with_numbers_of_another_origin(name):
    """Its own reference (which the check above makes sure is used), numbers of stated origin, or public cases."""
    model = MODELS[name]
    compared = {model.method(check.method).name for check in model.checks}
    compared |= {model.method(case.get("method")).name for case in CASES if case["model"] == name}
    compared |= {m.name for m in model.methods if m.reference is not None}
    assert compared == {m.name for m in model.methods}
