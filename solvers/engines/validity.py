"""The status of a point from its monitors: outcome of the integration, moments that are no state, an indefinite Gamma."""

from __future__ import annotations

import math

from solvers.engines.spin_system import SpinSystem
from solvers.numerics.outcome import DONE, OUTCOME_TEXT
from solvers.outcome import FAILED, OK, WARNED, Remark


def judge(
    system: SpinSystem, *, first_bad: float = math.nan, reason: str = "", code: int = DONE, reached: float = math.nan
) -> tuple[int, Remark | None]:
    """Status and remark: 2 if the integration did not end, 1 if it left physics or Gamma is not positive, else 0."""
    left = ""
    if not math.isnan(first_bad):
        left = f"the moments belong to no state from t = {first_bad:.6g} on" + (f": {reason}" if reason else "")
    if code != DONE:
        text = f"stopped at t = {reached:.6g}: {OUTCOME_TEXT[code]}"
        return FAILED, Remark(
            kind="Diverged" if left else "NotIntegrated", message="; ".join(filter(None, [text, left]))
        )
    indefinite = ""
    if not system.positive:
        indefinite = (
            f"Gamma is not positive, its smallest eigenvalue is {system.smallest_rate():.6g}; "
            "the equations are solved all the same, but the evolution is not completely positive"
        )
    if left or indefinite:
        return WARNED, Remark(
            kind="ClosureOutOfPhysics" if left and not indefinite else "GammaIndefinite",
            message="; ".join(filter(None, [left, indefinite])),
        )
    return OK, None


def earliest(*times: float) -> float:
    """The smallest of some times that may be NaN (none)."""
    known = [t for t in times if not math.isnan(t)]
    return min(known) if known else math.nan
