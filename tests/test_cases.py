"""The public reference cases: numbers from independent exact calculations."""

import json
import warnings
from pathlib import Path

import numpy as np
import pytest

from solvers import SolverWarning, models, solve

FILES = sorted((Path(__file__).parent / "cases").glob("*.json"))
KNOWN = set(models())
CASES = [case for path in FILES for case in json.loads(path.read_text()) if case["model"] in KNOWN]


def decode(value):
    """JSON has no complex numbers: {"re": ..., "im": ...} stands for them."""
    if isinstance(value, dict) and set(value) == {"re", "im"}:
        return np.asarray(value["re"], dtype=float) + 1j * np.asarray(value["im"], dtype=float)
    return value


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_case(case):
    parameters = {name: decode(value) for name, value in case["parameters"].items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SolverWarning)
        outputs = solve(case["model"], method=case.get("method"), **parameters)
    for want in case["expect"]:
        index = tuple(slice(None) if i is None else i for i in want.get("index") or ())
        got, value = outputs[want["output"]][index], np.asarray(decode(want["value"]))
        assert got.shape == value.shape
        np.testing.assert_allclose(
            got,
            value,
            atol=want.get("atol", 0.0),
            rtol=want.get("rtol", 0.0),
            err_msg=f"{want['output']}: {case['how']}",
        )


def test_every_implemented_model_has_its_cases():
    assert CASES
    assert {case["model"] for case in CASES} <= KNOWN
