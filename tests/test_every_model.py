"""Runs the model suite over every registered model."""

import model_suite
import pytest

from solvers import models

MODELS = {name: model for name, model in models().items() if not name.startswith("toy.")}
CASES = [(name, case) for name, model in MODELS.items() for case in model_suite.cases_of(model)]


@pytest.mark.parametrize(("name", "case"), CASES, ids=[f"{name}-{case.__name__}" for name, case in CASES])
def test_model(name, case):
    case(MODELS[name])


def test_every_method_can_be_checked_against_something():
    """Its own reference, numbers of stated origin, or both."""
    for name, model in MODELS.items():
        for method in model.methods:
            checked = any((check.method or model.methods[0].name) == method.name for check in model.checks)
            assert method.reference or checked, (name, method.name)
