"""Reference cases in JSON: numbers from an independent calculation, for any model.

A file holds a list of objects: `name`; `model`; `method` (null: the default); `parameters`; `expect`, a list of
{output, index, value, atol, rtol} whose index selects from the output (null is a full slice); `how` the numbers came
about. {"re": ..., "im": ...} stands for complex numbers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from solvers.testing.accounts import worst_error


def read_cases(path: str | Path) -> list[dict[str, Any]]:
    """The cases of a file, complex numbers put together."""
    cases: list[dict[str, Any]] = json.loads(Path(path).read_text())
    for case in cases:
        case["parameters"] = {name: _decode(value) for name, value in case["parameters"].items()}
        for want in case["expect"]:
            want["value"] = _decode(want["value"])
    return cases


def _decode(value: Any) -> Any:
    if isinstance(value, dict) and set(value) == {"re", "im"}:
        return np.asarray(value["re"], dtype=float) + 1j * np.asarray(value["im"], dtype=float)
    return value


def hold(case: Mapping[str, Any], outputs: Mapping[str, Any]) -> float:
    """The largest error of a case's outputs over its tolerance; AssertionError where that is above one."""
    worst = 0.0
    for want in case["expect"]:
        name = want["output"]
        assert name in outputs, f"{case['name']}: there is no output {name}; there are {', '.join(outputs)}"
        index = tuple(slice(None) if i is None else i for i in want.get("index") or ())
        got, value = outputs[name][index], np.asarray(want["value"])
        number = complex if np.iscomplexobj(got) or np.iscomplexobj(value) else float
        got, value = got.astype(number), value.astype(number)  # null stands for NaN
        assert got.shape == value.shape, f"{case['name']}: {name} has shape {got.shape}, expected is {value.shape}"
        what = f"{case['name']}, {name}: {case['how']}"
        worst = max(worst, worst_error(got, value, want.get("rtol", 0.0), want.get("atol", 0.0), what))
    return worst
