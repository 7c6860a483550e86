"""What sampling costs, told before it begins: trajectories that would take hours are refused with their price."""

from __future__ import annotations

import math
from collections.abc import Callable

from solvers.outcome import Kind, PointFailed

LONGEST = 1e4
"""Seconds, about three hours, that the default of `max_steps` (or a method without it) pays for."""
LEAST = 60.0
"""Seconds that are paid for however small `max_steps` is, which then bounds single trajectories alone."""


def trajectories_to_draw(
    asked: int,
    seconds: float,
    *,
    paid: float = 1.0,
    target_error: float = 0.0,
    first_look: int = 1,
    error_of: Callable[[int], float] = lambda count: math.inf,
    budget: str = "max_steps",
) -> int:
    """How many of the `asked` trajectories, which take about `seconds` each, may be drawn: all, or what is paid for.

    `paid` is max_steps over its default, in units of LONGEST (LEAST at least); `budget` the parameter to raise ("" for none). Where they
    are too many, `target_error` may still end the sampling sooner: `error_of(first_look)`, the standard error of the first
    few, tells how many it needs. PointFailed where these are too many too, and at once where there is no `target_error`.
    """
    budgeted = max(LEAST, LONGEST * paid)
    payable = budgeted / seconds if seconds > 0.0 else math.inf
    if asked <= payable:
        return asked
    cure = f"or raise {budget}, which pays for about {_hours(budgeted)}" if budget else "the most is three hours"
    if target_error == 0.0 or first_look > payable:
        raise PointFailed(
            Kind.TOO_MUCH_WORK,
            f"{asked:.3g} trajectories of about {seconds:.2g} s each take {_hours(asked * seconds)}; nothing was computed; "
            f"take fewer or shorter ones, {cure}",
        )
    error = error_of(first_look)
    needed = first_look * (error / target_error) ** 2
    if needed > payable:
        raise PointFailed(
            Kind.TOO_MUCH_WORK,
            f"after {first_look} trajectories the standard error is {error:.2g}: a target_error of {target_error:g} needs "
            f"about {needed:.2g} of them, {_hours(needed * seconds)}; take a larger target_error, {cure}",
        )
    return int(payable) if math.isfinite(needed) else first_look  # what is not finite is said by what it gives


def _hours(seconds: float) -> str:
    return f"{seconds / 3600.0:.2g} hours"
