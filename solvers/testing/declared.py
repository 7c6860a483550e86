"""Whether outputs are as a model declares them: shape, type, bounds, and what NaN may mean."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.declarations import Output
from solvers.model import Model
from solvers.outcome import FAILED, WARNED


def assert_declared(output: Output, value: NDArray[Any], lengths: Mapping[str, int], warned: bool = False) -> None:
    """AssertionError unless `value` has the shape, type and bounds of `output`, and NaN only where that says so."""
    expected = tuple(lengths[d] for d in output.dims)
    assert value.shape == expected, f"{output.name} has shape {value.shape}, its dims {output.dims} are {expected} long"
    assert value.dtype == output.dtype, f"{output.name} is {value.dtype}, declared is {output.dtype}"
    assert not np.any(np.isinf(value)), f"{output.name} is infinite"
    may_be_nan = output.nan or (warned and output.nan_if_warned)
    assert may_be_nan or not np.any(np.isnan(value)), (
        f"{output.name} is NaN, and Output.nan does not say what that means"
    )
    if output.kind == "real":
        low, high = output.bounds
        slack = 1e-9 * max(1.0, *(abs(b) for b in output.bounds if math.isfinite(b)), 1.0)
        finite = value[np.isfinite(value)]
        outside = finite[(finite < low - slack) | (finite > high + slack)]
        assert not outside.size, f"{output.name} = {outside.flat[0]!r} leaves its bounds {output.bounds}"


def assert_as_declared(
    model: Model, method: str, outputs: Mapping[str, NDArray[Any]], lengths: Mapping[str, int], reason: str
) -> None:
    """AssertionError unless all outputs of one solved point are as declared; a failed one is NaN and says why."""
    declared = model.outputs_of(method)
    assert set(outputs) == {*(o.name for o in declared), "status"}, f"{method} returns {sorted(outputs)}"
    status = int(outputs["status"])
    assert status in model.status_text, f"status {status}"
    if status == FAILED:
        assert reason, "failed without a reason"
        for output in declared:
            assert np.all(np.isnan(outputs[output.name])), f"{output.name} of a failed point is not NaN"
        return
    for output in declared:
        assert_declared(output, outputs[output.name], lengths, status == WARNED)
