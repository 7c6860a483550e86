"""What every model of the battery does with the outcome of one point."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.numerics.outcome import DONE, OUTCOME_TEXT
from solvers.outcome import KIND_OF_CODE, WARNED, Kind, PointFailed, Remark


def rates(p: Mapping[str, Any], collective: float, printed: bool = False) -> NDArray[np.float64]:
    """The array that the right-hand sides of `cumulants` and `mean_field` take."""
    return np.array([p["N"], p["gamma"], collective, p["dephasing"], p["pump"], float(printed)])


def must_have_ended(code: int) -> None:
    """Raise PointFailed for an integration that did not reach its end."""
    if code != DONE:
        raise PointFailed(KIND_OF_CODE[code], OUTCOME_TEXT[code])


def left_physics(outputs: Mapping[str, Any]) -> dict[str, Any]:
    """Status and remark where a closure makes <S^2> negative, so that S does not exist; empty where it does not."""
    bad = sorted(
        name
        for name, value in outputs.items()
        if name[0] == "S" and not (math.isfinite(value) if isinstance(value, float) else np.isfinite(value).all())
    )
    if not bad:
        return {}
    message = f"<S^2> is negative in this closure: {', '.join(bad)} cannot be given (NaN)"
    return {"status": WARNED, "remark": Remark(kind=Kind.OUT_OF_PHYSICS, message=message)}


def ratio(top: Any, bottom: Any) -> Any:
    """top/bottom, NaN where nothing was charged."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(np.asarray(bottom) == 0.0, math.nan, np.asarray(top) / bottom)
