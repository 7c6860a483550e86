"""Adaptive explicit Runge-Kutta integration of one point: Dormand-Prince 5(4), PI step control, dense output, stop events.

`integrate = runge_kutta(rhs, event)` is called once at module level, and `integrate` named as a global in an `@entry`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from solvers.numerics.compile import FASTMATH, kernel
from solvers.numerics.dense_output import copy, fill_rows, locate_event, no_event, start_rows
from solvers.numerics.dormand_prince import (
    A21,
    A31,
    A32,
    A41,
    A42,
    A43,
    A51,
    A52,
    A53,
    A54,
    A61,
    A62,
    A63,
    A64,
    A65,
    B1,
    B3,
    B4,
    B5,
    B6,
    C2,
    C3,
    C4,
    C5,
    D1,
    D3,
    D4,
    D5,
    D6,
    D7,
    E1,
    E3,
    E4,
    E5,
    E6,
    E7,
    ORDER,
)
from solvers.numerics.outcome import DONE, EVENT, MAX_STEPS, NOT_FINITE, STEP_TOO_SMALL, STIFF
from solvers.numerics.step_size import attainable, error_norm, first_step

# PI control as in DOPRI5: h_new = h SAFETY err^-ALPHA err_old^BETA within [SHRINK, GROW] h
BETA = 0.04
ALPHA = 1.0 / ORDER - 0.75 * BETA
SAFETY, SHRINK, GROW = 0.9, 0.2, 10.0
ROUNDING = 2.3e-16
# h |lambda| from which a step counts as stiff. At the stability limit it is 3.3; but a slaved fast variable may hold the
# steps at 1 to 3 by its order reduction, while a smooth solution at useful tolerances has 0.1 to 0.5.
STIFF_RATIO = 1.0
STIFF_STEPS, NOT_STIFF_STEPS = 15, 6
# while no step has counted as stiff, only every so many are looked at
STIFF_TEST = 8


@kernel(fastmath=FASTMATH)
def interpolate(x, dense, y):
    """The dense output of order 4 of one Dormand-Prince step."""
    rest = 1.0 - x
    for i in range(y.size):
        y[i] = dense[0, i] + x * (dense[1, i] + rest * (dense[2, i] + x * (dense[3, i] + rest * dense[4, i])))


@kernel(fastmath=FASTMATH)
def stiffness_ratio(h, k7, k6, y_new, y6):
    """An estimate of h |lambda| from two derivatives at the end of a step (Hairer and Wanner, section IV.2).

    k6 and k7 are derivatives at the same time in two states that both approximate the solution.
    """
    top = 0.0
    bottom = 0.0
    for i in range(y_new.size):
        top += (k7[i] - k6[i]) ** 2
        bottom += (y_new[i] - y6[i]) ** 2
    return h * math.sqrt(top / bottom) if bottom > 0.0 else 0.0


def explicit_segment(rhs: Callable[..., Any], event: Callable[..., Any]) -> Any:
    """Make `segment(p, y, times, out, rtol, atol, max_steps, t, h, row, watch) -> (code, t, h, row, steps)`.

    It goes on from state `y` at `t` with step `h` (0: guess one) and output row `row`, and with `watch` it hands over
    (code STIFF) when the steps are limited by stability: 15 times in a row, with fewer than 6 exceptions in between.
    """
    locate = locate_event(interpolate, event)
    fill = fill_rows(interpolate)
    guess = first_step(rhs, ORDER)

    @kernel(fastmath=FASTMATH)
    def segment(p, y, times, out, rtol, atol, max_steps, t, h, row, watch):
        n = y.size
        t_end = times[-1]
        atol = attainable(atol, y)
        k = np.empty((7, n))
        y_new = np.empty(n)
        y6 = np.empty(n)
        error = np.empty(n)
        dense = np.empty((5, n))
        k1, k2, k3, k4, k5, k6, k7 = k[0], k[1], k[2], k[3], k[4], k[5], k[6]
        rhs(t, y, p, k1)
        if h == 0.0:
            h = guess(t, y, p, k1, t_end, rtol, atol, y_new, k2)
            if not math.isfinite(h):
                return NOT_FINITE, t, h, row, 0
        above = event(t, y, p)
        error_old = 1e-4
        rejected = False
        stiff = 0
        not_stiff = 0
        steps = 0
        while t < t_end:
            if steps >= max_steps:
                return MAX_STEPS, t, h, row, steps
            steps += 1
            last = t + 1.01 * h >= t_end
            step = t_end - t if last else h
            for i in range(n):
                y_new[i] = y[i] + step * (A21 * k1[i])
            rhs(t + C2 * step, y_new, p, k2)
            for i in range(n):
                y_new[i] = y[i] + step * (A31 * k1[i] + A32 * k2[i])
            rhs(t + C3 * step, y_new, p, k3)
            for i in range(n):
                y_new[i] = y[i] + step * (A41 * k1[i] + A42 * k2[i] + A43 * k3[i])
            rhs(t + C4 * step, y_new, p, k4)
            for i in range(n):
                y_new[i] = y[i] + step * (A51 * k1[i] + A52 * k2[i] + A53 * k3[i] + A54 * k4[i])
            rhs(t + C5 * step, y_new, p, k5)
            for i in range(n):
                y6[i] = y[i] + step * (A61 * k1[i] + A62 * k2[i] + A63 * k3[i] + A64 * k4[i] + A65 * k5[i])
            rhs(t + step, y6, p, k6)
            for i in range(n):
                y_new[i] = y[i] + step * (B1 * k1[i] + B3 * k3[i] + B4 * k4[i] + B5 * k5[i] + B6 * k6[i])
            rhs(t + step, y_new, p, k7)
            for i in range(n):
                error[i] = step * (E1 * k1[i] + E3 * k3[i] + E4 * k4[i] + E5 * k5[i] + E6 * k6[i] + E7 * k7[i])
            err = error_norm(error, y, y_new, rtol, atol)
            if not err <= 1.0:  # too large, or not a number
                if math.isfinite(err):
                    h = step * max(SHRINK, SAFETY * err**-ALPHA)
                else:
                    h = 0.1 * step
                rejected = True
                if h <= 4.0 * ROUNDING * abs(t) or h < 1e-300:
                    return (STEP_TOO_SMALL if math.isfinite(err) else NOT_FINITE), t, h, row, steps
                continue

            err = max(err, 1e-10)
            factor = min(GROW, max(SHRINK, SAFETY * err**-ALPHA * error_old**BETA))
            grown = step * (min(1.0, factor) if rejected else factor)
            # the last step was cut to fit; what is known about the next one's size is not less than before
            h = max(h, grown) if last else grown
            error_old = max(err, 1e-4)
            rejected = False

            t_new = t_end if last else t + step
            after = event(t_new, y_new, p)
            stopped = above > 0.0 and after <= 0.0
            if stopped or (row < times.size and times[row] <= t_new):
                for i in range(n):
                    change = y_new[i] - y[i]
                    bend = step * k1[i] - change
                    dense[0, i] = y[i]
                    dense[1, i] = change
                    dense[2, i] = bend
                    dense[3, i] = change - step * k7[i] - bend
                    dense[4, i] = step * (D1 * k1[i] + D3 * k3[i] + D4 * k4[i] + D5 * k5[i] + D6 * k6[i] + D7 * k7[i])
            if stopped:
                x = locate(t, step, dense, p, y_new)
                t_new = t + x * step
                row = fill(t, t_new, step, dense, y_new, times, row, out)
                copy(y_new, y)
                return EVENT, t_new, h, row, steps
            row = fill(t, t_new, step, dense, y_new, times, row, out)

            if watch and (stiff > 0 or steps % STIFF_TEST == 0):
                if stiffness_ratio(step, k7, k6, y_new, y6) > STIFF_RATIO:
                    stiff += 1
                    not_stiff = 0
                else:
                    not_stiff += 1
                    if not_stiff == NOT_STIFF_STEPS:
                        stiff = 0
            above = after
            t = t_new
            for i in range(n):
                y[i] = y_new[i]
                k1[i] = k7[i]
            if stiff >= STIFF_STEPS and t < t_end:
                return STIFF, t, h, row, steps
        return DONE, t, h, row, steps

    return segment


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
    segment = explicit_segment(rhs, no_event if event is None else event)

    @kernel(inline="always")
    def integrate(p, y, times, out, rtol, atol, max_steps):
        row = start_rows(y, times, out)
        if row == times.size:
            return DONE, 0.0, 0
        code, t, _, row, steps = segment(p, y, times, out, rtol, atol, max_steps, 0.0, 0.0, row, False)
        return code, t, steps

    return integrate
