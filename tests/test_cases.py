"""The public reference cases: numbers from independent exact calculations."""

import warnings
from pathlib import Path

import pytest

from solvers import SolverWarning, models, solve
from solvers.testing.cases import hold, read_cases

FILES = sorted((Path(__file__).parent / "cases").glob("*.json"))
CASES = [case for path in FILES for case in read_cases(path)]
MODELS = models()

WAITING: set[tuple[str, str]] = set()
"""(model, method) that cases exist for and that are not implemented yet; the test below makes this list true both ways."""


WRONG: set[str] = set()
"""Cases that do not hold yet, strictly: one that comes to hold must leave this list."""


def solvable(case):
    model = MODELS.get(case["model"])
    return model is not None and case.get("method") in (None, *(m.name for m in model.methods))


def test_what_waits_is_stated():
    """Every case is solved below or is of a method that is said to wait; what is said to wait has cases and no method."""
    assert {(case["model"], case.get("method")) for case in CASES if not solvable(case)} == WAITING


def test_no_two_cases_have_one_name():
    names = [case["name"] for case in CASES]
    assert len(set(names)) == len(names)


def marked(case):
    """Steady states of seven and eight spins take long."""
    large = case["model"].endswith(".steady_state") and case["parameters"].get("N", 0) in (7, 8)
    return pytest.param(case, id=case["name"], marks=[pytest.mark.slow] if large else [])


@pytest.mark.parametrize("case", [marked(case) for case in CASES if solvable(case)])
def test_case(case, request):
    if case["name"] in WRONG:
        request.applymarker(pytest.mark.xfail(strict=True, raises=AssertionError))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SolverWarning)
        outputs = solve(case["model"], method=case.get("method"), **case["parameters"])
    hold(case, outputs)
