"""The status of a point from its monitors: outcome of the integration, moments that are no state, an indefinite Gamma."""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from solvers.engines.master_equation.steady_state import SteadyState
from solvers.numerics.outcome import DONE, MAX_STEPS, OUTCOME_TEXT
from solvers.outcome import KIND_OF_CODE, OK, WARNED, Kind, PointFailed, Remark

_TEXT = {
    **OUTCOME_TEXT,
    MAX_STEPS: "the step budget was spent, or seen to end far before the next output time; raise max_steps or loosen rtol and atol",
}
"""As `moments.integration` says it, which looks ahead."""


class HasRates(Protocol):
    """A system whose Gamma may be indefinite."""

    @property
    def positive(self) -> bool:
        """Whether Gamma is positive up to rounding."""

    def smallest_rate(self) -> float:
        """The smallest eigenvalue of Gamma."""


def judge(
    system: HasRates,
    *,
    first_bad: float = math.nan,
    reason: str = "",
    code: int = DONE,
    reached: float = math.nan,
    first_left: float = math.nan,
    untrusted: str = "",
) -> tuple[int, Remark | None]:
    """Status and remark: 1 if it left physics or Gamma is not positive, else 0; PointFailed if it did not end.

    Where the output times before `first_left` were reached before the step budget was spent, and where `untrusted` says
    why a method is not to be trusted: 1 as well.
    """
    left = ""
    if not math.isnan(first_bad):
        left = f"the moments belong to no state from t = {first_bad:.6g} on" + (f": {reason}" if reason else "")
    if code != DONE:
        text = f"stopped at t = {reached:.6g}: {_TEXT[code]}"
        if not math.isnan(first_left):
            message = "; ".join(filter(None, [unfinished(text, first_left), left, untrusted]))
            return WARNED, Remark(kind=KIND_OF_CODE[code], message=message)
        raise PointFailed(Kind.DIVERGED if left else KIND_OF_CODE[code], "; ".join(filter(None, [text, left])))
    indefinite = ""
    if not system.positive:
        indefinite = (
            f"Gamma is not positive, its smallest eigenvalue is {system.smallest_rate():.6g}; "
            "the equations are solved all the same, but the evolution is not completely positive"
        )
    if not (left or indefinite or untrusted):
        return OK, None
    kind = Kind.NOT_COMPLETELY_POSITIVE if indefinite else Kind.OUT_OF_PHYSICS if left else Kind.INACCURATE
    return WARNED, Remark(kind=kind, message="; ".join(filter(None, [left, indefinite, untrusted])))


def first_not_reached(code: int, times: NDArray[np.float64], done: int) -> float:
    """The first output time after the `done` that were reached when the step budget was spent, NaN where none is worth keeping.

    The start itself, t = 0, is not worth it.
    """
    return float(times[done]) if code == MAX_STEPS and done > 0 and times[done - 1] > 0.0 else math.nan


AFTER_BUDGET = "the step budget was spent before"
"""What NaN means at later output times of a point of status 1."""


def unfinished(text: str, first_left: float) -> str:
    """What is said of a point that reached some of its output times."""
    return f"{text}; output times from t = {first_left:.6g} on are NaN"


def judge_steady(found: SteadyState) -> Remark | None:
    """The remark of status 1 where a steady state is not converged or not unique; PointFailed where rho diverges."""
    if found.growth is not None:
        how = (
            f"an eigenvalue with the real part {found.growth:.6g}"
            if found.growth
            else "a growing or defective eigenvalue 0"
        )
        raise PointFailed(Kind.DIVERGED, f"rho diverges: L has {how}; the rates are not completely positive")
    if not found.converged:
        return Remark(
            kind=Kind.NOT_CONVERGED,
            message=f"residual {found.residual:.3g}, relative error of the state about {found.error:.2g}, gap "
            f"{found.gap:.6g} +- {found.gap_error:.2g}: not converged to the usual accuracy",
        )
    if not found.unique:
        return Remark(
            kind=Kind.NOT_UNIQUE,
            message="the gap is closed: the steady state is not unique; given is the one reached from the start",
        )
    if found.gap == 0.0:
        return Remark(
            kind=Kind.NOT_AT_REST,
            message="a coherence does not decay: given is the only stationary state, but not every start comes to rest",
        )
    if math.isnan(found.gap):
        return Remark(
            kind=Kind.NOT_CONVERGED,
            message=f"the gap was not found, so that other steady states are not excluded; residual {found.residual:.3g}",
        )
    return None


def must_rest(code: int, at_rest: bool, time: float, derivative: float) -> None:
    """Raise PointFailed where moments were followed up to `time` and are not at rest."""
    if code != DONE or not at_rest:
        text = "it does not come to rest" if code == DONE else OUTCOME_TEXT[code]
        raise PointFailed(
            Kind.NOT_AT_REST, f"no state of rest by t = {time:.6g}: {text}; largest derivative {derivative:.3g}"
        )


def earliest(*times: float) -> float:
    """The smallest of some times that may be NaN (none)."""
    known = [t for t in times if not math.isnan(t)]
    return min(known) if known else math.nan
