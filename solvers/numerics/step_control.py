"""The size of steps: error norm, first step, what follows a refused and an accepted one.

E. Hairer, S. P. Norsett and G. Wanner, "Solving Ordinary Differential Equations I", 2nd ed. (1993), section II.4; the
predictive control of K. Gustafsson as in RODAS (Hairer and Wanner, volume II, section IV.8). All errors are in units of
what is allowed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from solvers.numerics.compile import FASTMATH, kernel

ROUNDING = 2.3e-16
SAFETY, SHRINK = 0.9, 0.2
"""A step is chosen somewhat smaller than the error allows, and shrinks by no more than this at once."""
GROW = 6.0
"""By how much an implicit step may grow at once."""


@kernel(fastmath=FASTMATH)
def attainable(atol, y):
    """`atol`, or the rounding of the largest variable where that is more: below it errors are noise that no step lessens."""
    largest = 0.0
    for i in range(y.size):
        largest = max(largest, abs(y[i]))
    return max(atol, 1e-16 * min(1.0, largest))


@kernel(fastmath=FASTMATH)
def allowed(before, after, rtol, atol):
    """The error that a variable may have after a step."""
    return atol + rtol * max(abs(before), abs(after))


@kernel(fastmath=FASTMATH)
def error_norm(error, y, y_new, rtol, atol):
    """Root mean square of the error in units of what is `allowed`."""
    total = 0.0
    for i in range(y.size):
        scaled = error[i] / allowed(y[i], y_new[i], rtol, atol)
        total += scaled * scaled
    return math.sqrt(total / y.size)


@kernel(fastmath=FASTMATH)
def refused_factor(err, gain):
    """By what a step changes that was refused for an error above 1 or not a number; `gain` is err^(-1/order)."""
    return max(SHRINK, SAFETY * gain) if err < math.inf else 0.1


@kernel(fastmath=FASTMATH)
def predicted_factor(gain, change, step, step_before):
    """By what an accepted implicit step changes: as the error and its change since the step before let expect.

    `gain` is err^(-1/order), `change` (error_before / err^2)^(1/order); without a step before, `step_before` is 0.
    """
    return min(GROW, max(SHRINK, min(SAFETY * gain, SAFETY * (step / step_before) * change)))


@kernel
def vanishes(h, t):
    """Whether a step is lost in the rounding of the time."""
    return h <= 4.0 * ROUNDING * abs(t) or h < 1e-300


@kernel
def following_step(h, step, factor, rejected, last):
    """The size after an accepted step that may change by `factor`: it does not grow right after a refusal.

    The last step was cut to fit; what is known about the next one's size is not less than before.
    """
    grown = step * (min(1.0, factor) if rejected else factor)
    return max(h, grown) if last else grown


def first_step(rhs: Callable[..., Any], order: int) -> Any:
    """Make `guess(t, y, p, dy, t_end, rtol, atol, work, d_work) -> h` from the derivative `dy` at the start."""
    exponent = 1.0 / order

    @kernel(fastmath=FASTMATH)
    def guess(t, y, p, dy, t_end, rtol, atol, work, d_work):
        size = 0.0
        slope = 0.0
        for i in range(y.size):
            scale = atol + rtol * abs(y[i])
            size += (y[i] / scale) ** 2
            slope += (dy[i] / scale) ** 2
        size = math.sqrt(size / y.size)
        slope = math.sqrt(slope / y.size)
        if not math.isfinite(slope):
            return math.nan
        h = 1e-6 if size < 1e-5 or slope < 1e-5 else 0.01 * size / slope
        h = min(h, t_end - t)
        for i in range(y.size):
            work[i] = y[i] + h * dy[i]
        rhs(t + h, work, p, d_work)
        curve = 0.0
        for i in range(y.size):
            curve += ((d_work[i] - dy[i]) / (atol + rtol * abs(y[i]))) ** 2
        curve = math.sqrt(curve / y.size) / h
        if not math.isfinite(curve):
            return 1e-3 * h
        steepest = max(slope, curve)
        second = max(1e-6, 1e-3 * h) if steepest <= 1e-15 else (0.01 / steepest) ** exponent
        return min(100.0 * h, second, t_end - t)

    return guess
