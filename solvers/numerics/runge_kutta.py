"""Adaptive explicit Runge-Kutta integration of one point: Dormand-Prince 5(4), PI step control, dense output, stop events.

`integrate = runge_kutta(rhs, event)` is called once at module level, and `integrate` named as a global in an `@entry`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from solvers.numerics.compile import FASTMATH, kernel
from solvers.numerics.dense_output import no_event
from solvers.numerics.dormand_prince import ORDER, A, C, D, E
from solvers.numerics.outcome import STIFF
from solvers.numerics.step_control import SAFETY, SHRINK, allowed, first_step
from solvers.numerics.stepping import Method, make_segment, whole

# PI control as in DOPRI5: h_new = h SAFETY err^-ALPHA err_old^BETA within [SHRINK, GROW] h
BETA = 0.04
ALPHA = 1.0 / ORDER - 0.75 * BETA
GROW = 10.0
# h |lambda| from which a step counts as stiff. At the stability limit it is 3.3; but a slaved fast variable may hold the
# steps at 1 to 3 by its order reduction, while a smooth solution at useful tolerances has 0.1 to 0.5.
STIFF_RATIO = 1.0
STIFF_STEPS, EXCEPTIONS = 15, 5
# while no step has counted as stiff, only every so many are looked at
STIFF_TEST = 8
SIXTH_STATE = 7
"""The row of `k` after the seven stages, with the state of the sixth."""


@kernel(fastmath=FASTMATH)
def interpolate(x, dense, y):
    """The dense output of order 4 of one Dormand-Prince step."""
    rest = 1.0 - x
    for i in range(y.size):
        y[i] = dense[0, i] + x * (dense[1, i] + rest * (dense[2, i] + x * (dense[3, i] + rest * dense[4, i])))


@kernel
def workspace(y, p):
    """Nothing besides."""
    return ()


@kernel(fastmath=FASTMATH)
def describe(t, step, y, y_new, p, rtol, atol, dense, k, dy, own):
    """The rows for `interpolate`."""
    for i in range(y.size):
        change = y_new[i] - y[i]
        bend = step * k[0, i] - change
        dense[0, i] = y[i]
        dense[1, i] = change
        dense[2, i] = bend
        dense[3, i] = change - step * k[6, i] - bend
        dense[4, i] = step * (
            D[0] * k[0, i] + D[2] * k[2, i] + D[3] * k[3, i] + D[4] * k[4, i] + D[5] * k[5, i] + D[6] * k[6, i]
        )
    return 0.0


@kernel(fastmath=FASTMATH)
def resize(err, step, step_before, error_before):
    """PI control."""
    return min(GROW, max(SHRINK, SAFETY * err**-ALPHA * error_before**BETA))


@kernel(fastmath=FASTMATH)
def looks_stiff(step, y_new, k, own):
    """Whether stability, not accuracy, limits the steps (Hairer and Wanner, section IV.2).

    h |lambda| is estimated from two derivatives at the end of a step, in two states that both approximate the solution.
    """
    top = 0.0
    bottom = 0.0
    for i in range(y_new.size):
        top += (k[6, i] - k[5, i]) ** 2
        bottom += (y_new[i] - k[SIXTH_STATE, i]) ** 2
    return bottom > 0.0 and step * math.sqrt(top / bottom) > STIFF_RATIO


@kernel(fastmath=FASTMATH)
def advance(y, y_new, k, dy):
    """The last derivative of a step is the first of the next."""
    for i in range(y.size):
        y[i] = y_new[i]
        k[0, i] = k[6, i]


def explicit_segment(rhs: Callable[..., Any], event: Callable[..., Any]) -> Any:
    """A segment of explicit steps (see `stepping.make_segment`).

    It hands over (code STIFF) when the steps are limited by stability: 15 times, with fewer than 6 exceptions in a row.
    """
    guess = first_step(rhs, ORDER)

    @kernel
    def begin(t, h, y, p, t_end, rtol, atol, y_new, k, dy, own):
        rhs(t, y, p, dy)
        for i in range(y.size):
            k[0, i] = dy[i]
        return h if h != 0.0 else guess(t, y, p, k[0], t_end, rtol, atol, y_new, dy)

    @kernel(fastmath=FASTMATH)
    def attempt(t, step, y, p, repeated, watch, rtol, atol, y_new, k, dy, own):
        n = y.size
        for i in range(n):
            y_new[i] = y[i] + step * (A[1][0] * k[0, i])
        rhs(t + C[1] * step, y_new, p, dy)
        for i in range(n):
            k[1, i] = dy[i]
            y_new[i] = y[i] + step * (A[2][0] * k[0, i] + A[2][1] * dy[i])
        rhs(t + C[2] * step, y_new, p, dy)
        for i in range(n):
            k[2, i] = dy[i]
            y_new[i] = y[i] + step * (A[3][0] * k[0, i] + A[3][1] * k[1, i] + A[3][2] * dy[i])
        rhs(t + C[3] * step, y_new, p, dy)
        for i in range(n):
            k[3, i] = dy[i]
            y_new[i] = y[i] + step * (A[4][0] * k[0, i] + A[4][1] * k[1, i] + A[4][2] * k[2, i] + A[4][3] * dy[i])
        rhs(t + C[4] * step, y_new, p, dy)
        for i in range(n):
            k[4, i] = dy[i]
            y_new[i] = y[i] + step * (
                A[5][0] * k[0, i] + A[5][1] * k[1, i] + A[5][2] * k[2, i] + A[5][3] * k[3, i] + A[5][4] * dy[i]
            )
            k[SIXTH_STATE, i] = y_new[i]
        rhs(t + step, y_new, p, dy)
        for i in range(n):
            k[5, i] = dy[i]
            y_new[i] = y[i] + step * (
                A[6][0] * k[0, i] + A[6][2] * k[2, i] + A[6][3] * k[3, i] + A[6][4] * k[4, i] + A[6][5] * dy[i]
            )
        rhs(t + step, y_new, p, dy)
        total = 0.0
        for i in range(n):
            k[6, i] = dy[i]
            error = step * (
                E[0] * k[0, i] + E[2] * k[2, i] + E[3] * k[3, i] + E[4] * k[4, i] + E[5] * k[5, i] + E[6] * dy[i]
            )
            scaled = error / allowed(y[i], y_new[i], rtol, atol)
            total += scaled * scaled
        return math.sqrt(total / n)

    method = Method(
        rows=8,
        workspace=workspace,
        begin=begin,
        attempt=attempt,
        describe=describe,
        interpolate=interpolate,
        resize=resize,
        suggests=looks_stiff,
        advance=advance,
        exponent=ALPHA,
        least_error=1e-4,
        hand_over=STIFF,
        after=STIFF_STEPS,
        exceptions=EXCEPTIONS,
        every=STIFF_TEST,
    )
    return make_segment(method, event)


def runge_kutta(rhs: Callable[..., Any], event: Callable[..., Any] | None = None) -> Any:
    """Make `integrate(p, y, times, out, rtol, atol, max_steps) -> (code, t_reached, steps)` for dy/dt = rhs.

    Parameters
    ----------
    rhs : kernel `rhs(t, y, p, dy)`, writes dy (n,); `p` is anything Numba can type.
    event : kernel `event(t, y, p) -> float`; the integration stops where it first falls from positive to <= 0 from one
        step's end to the next. Two crossings inside one step are not seen.

    The kernel made takes `y` (n,), the start state at t = 0, overwritten with the final one; `times` (T,), never
    decreasing; `out` (T, n), which receives the state at `times`, NaN after a stop; the tolerances of a step and the
    step budget. It returns a code of `outcome` (DONE, EVENT, MAX_STEPS, NOT_FINITE, STEP_TOO_SMALL), the time reached
    and the steps tried.
    """
    return whole(explicit_segment(rhs, no_event if event is None else event))
