"""From monitors to the status of a point."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.batch import Point
from solvers.engines.ladder import Path
from solvers.engines.phase_space.sample import FIRST_LOOK, GROWN, Sampled, first_growth, start_variance, too_long
from solvers.engines.phase_space.single import Spin
from solvers.engines.sampling_price import trajectories_to_draw
from solvers.models.collective_spin.declarations import largest_error
from solvers.numerics.outcome import DONE, OUTCOME_TEXT
from solvers.outcome import FAILED, KIND_OF_CODE, OK, WARNED, Kind, PointFailed, Remark

SECONDS_PER_STEP = 2e-8
"""Of one of many trajectories side by side: measured 11 to 27 ns."""
MOST_STEPS = 2**31
"""Steps of a trajectory that the addresses of random numbers can tell apart."""


def of_ladder(path: Path, times: NDArray[np.float64]) -> dict[str, Any]:
    """`status`, `remark` and `first_bad_time` of an exact evolution."""
    if path.code != DONE:
        raise PointFailed(KIND_OF_CODE[path.code], f"stopped at t = {path.reached:.6g}: {OUTCOME_TEXT[path.code]}")
    bad = (np.abs(path.trace - 1) > 1e-6) | (path.smallest < -1e-6)
    if bad.any():
        when = float(times[np.argmax(bad)])
        message = (
            f"the trace is off by {np.abs(path.trace - 1).max():.2g} and the smallest population is "
            f"{path.smallest.min():.2g}, from t = {when:.6g} on; tighten rtol"
        )
        return {"first_bad_time": when, "status": WARNED, "remark": Remark(kind=Kind.INACCURATE, message=message)}
    return {"first_bad_time": math.nan, "status": OK}


def too_many_steps(duration: float, p: Mapping[str, Any]) -> dict[str, Any] | None:
    """A failure where `duration` takes more than max_steps steps, else None."""
    most = min(p["max_steps"], MOST_STEPS)
    if duration / p["step"] <= most:
        return None
    message = (
        f"t = {duration:.6g} takes {duration / p['step']:.3g} steps of {p['step']:g}, and max_steps is {most}; raise it or "
        "the step"
    )
    return {"status": FAILED, "remark": Remark(kind=Kind.STEP_BUDGET_SPENT, message=message)}


def sampled_with_check(
    point: Point,
    p: Spin,
    duration: float,
    names: tuple[str, ...],
    draw: Callable[[Spin, int, float, Callable[[Any], float]], Sampled],
    error_of: Callable[[Any], float] | None = None,
) -> tuple[Sampled, float]:
    """Sample as the point asks; and the change of mean/S with half the step, NaN unless check_step is yes.

    `draw(spin, trajectories, target_error, error_of)` samples over `duration`; `error_of` the estimates is by default the
    largest error of those of `names` that are wanted. PointFailed, with the price, for hours of trajectories.
    """
    wanted = tuple(name for name in names if point.wants(name, f"{name}_sem"))
    judge = error_of or (lambda e: largest_error(wanted, e))
    checked = point["check_step"] == "yes"
    most = trajectories_to_draw(
        point["trajectories"],
        SECONDS_PER_STEP * max(1.0, duration / p.step) * (3.0 if checked else 1.0),
        paid=point["max_steps"] / 1e6,
        target_error=point["target_error"],
        first_look=FIRST_LOOK,
        error_of=lambda count: judge(draw(p, count, 0.0, judge).values),
    )
    first = draw(p, most, point["target_error"], judge)
    if not checked or not np.isfinite(first.values.mean).all():
        return first, math.nan
    # the standard error of the nominal run decided how many; the repetition takes the same ones
    halved = draw(p._replace(refined=1), first.trajectories, 0.0, lambda e: 0.0)
    return first, float(np.abs(halved.values.mean - first.values.mean).max() / p.S)


def speeds(p: Spin) -> tuple[float, float]:
    """What decay and gain do per time, and the fastest turn about x or z that something else in the step does not commute with."""
    damping = 2 * p.S * (p.decay + p.gain)
    about_x = abs(p.Omega) + p.S * abs(p.twist)
    about_z = damping + p.dephasing + (abs(p.delta) if p.twist != 0.0 else 0.0)
    return damping, math.hypot(about_x, p.delta) if about_x > 0.0 and about_z > 0.0 else 0.0


def of_samples(sampled: Sampled, p: Spin, times: NDArray[np.float64] | None, step_error: float) -> dict[str, Any]:
    """`status`, `remark`, `first_bad_time`, `step_error` and `samples` of trajectories; times None: a stationary average."""
    e = sampled.values
    found: dict[str, Any] = {
        "first_bad_time": math.nan,
        "step_error": step_error,
        "samples": sampled.trajectories,
        "status": OK,
    }
    if not (np.isfinite(e.mean).all() and np.isfinite(e.second).all() and np.isfinite(e.length_variance).all()):
        message = f"the trajectories are not finite; a step of {p.step:g} is too long for these rates"
        return found | {"status": FAILED, "remark": Remark(kind=Kind.NOT_FINITE, message=message)}
    reasons = []
    # what keeps N on each trajectory has the scatter of its starts, which need not be that of all of them
    row = first_growth(e, start_variance(p)) if sampled.trajectories > 1 and not p.conserving else None
    if row is not None:
        when = "" if times is None else f" from t = {times[row]:.6g} on"
        if times is not None:
            found["first_bad_time"] = float(times[row])
        reasons.append(
            f"the variance of N = |alpha|^2 + |beta|^2 has grown by more than {GROWN:g} of N^2{when}: the positive "
            "diffusion no longer holds S; variant conserving keeps it"
        )
    if reason := too_long(p.step, *speeds(p), not p.conserving):
        reasons.append(reason)
    if not sampled.reached:
        reasons.append(f"target_error was not reached with trajectories = {sampled.trajectories}")
    sem = float(np.nanmax(np.append(e.mean_sem, 0.0))) / p.S
    if step_error > max(sem, 1e-3):
        reasons.append(f"half the step changes <S>/S by {step_error:.2g}; take a smaller step")
    if reasons:
        kind = Kind.LENGTH_SPREAD if row is not None else Kind.INACCURATE
        found |= {"status": WARNED, "remark": Remark(kind=kind, message="; ".join(reasons))}
    return found
