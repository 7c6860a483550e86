"""Integration that finds out by itself whether a point is stiff: explicit until it is, Rosenbrock while it is.

Starts with `runge_kutta`; when its steps are limited by stability (Hairer's test) goes on with `rosenbrock`; when an
explicit method could have made the last steps at the same size, goes back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from solvers.numerics.compile import kernel
from solvers.numerics.dense_output import no_event, start_rows
from solvers.numerics.outcome import DONE, NOT_STIFF, STIFF
from solvers.numerics.rosenbrock import LinearAlgebra, autonomous, dense_algebra, implicit_segment
from solvers.numerics.runge_kutta import explicit_segment


def automatic(
    rhs: Callable[..., Any],
    jacobian: Callable[..., Any],
    event: Callable[..., Any] | None = None,
    d_dt: Callable[..., Any] | None = None,
) -> Any:
    """Make `integrate(p, y, times, out, rtol, atol, max_steps) -> (code, t_reached, steps)`, stiff or not.

    Parameters are those of `rosenbrock`; the kernel made is called like that of `runge_kutta`.
    """
    return structured_automatic(rhs, dense_algebra(jacobian), event, d_dt)


def structured_automatic(
    rhs: Callable[..., Any],
    algebra: LinearAlgebra,
    event: Callable[..., Any] | None = None,
    d_dt: Callable[..., Any] | None = None,
) -> Any:
    """Like `automatic`, for a Jacobian with a structure that its own `algebra` knows how to solve."""
    stop = no_event if event is None else event
    explicit = explicit_segment(rhs, stop)
    implicit = implicit_segment(rhs, algebra, stop, autonomous if d_dt is None else d_dt)

    @kernel(inline="always")
    def integrate(p, y, times, out, rtol, atol, max_steps):
        row = start_rows(y, times, out)
        if row == times.size:
            return DONE, 0.0, 0
        t = 0.0
        h = 0.0
        total = 0
        while True:
            code, t, h, row, steps = explicit(p, y, times, out, rtol, atol, max_steps - total, t, h, row, True)
            total += steps
            if code != STIFF:
                return code, t, total
            code, t, h, row, steps = implicit(p, y, times, out, rtol, atol, max_steps - total, t, h, row, True)
            total += steps
            if code != NOT_STIFF:
                return code, t, total

    return integrate
