"""The error norm of a step and the first step's size (Hairer, Norsett and Wanner, section II.4)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from solvers.numerics.compile import FASTMATH, kernel

ROUNDING = 1e-16


@kernel(fastmath=FASTMATH)
def attainable(atol, y):
    """`atol`, or the rounding of the largest variable where that is more: below it errors are noise that no step lessens."""
    largest = 0.0
    for i in range(y.size):
        largest = max(largest, abs(y[i]))
    return max(atol, ROUNDING * min(1.0, largest))


@kernel(fastmath=FASTMATH)
def error_norm(error, y, y_new, rtol, atol):
    """Root mean square of the error in units of atol + rtol max(|y|, |y_new|)."""
    total = 0.0
    for i in range(y.size):
        scaled = error[i] / (atol + rtol * max(abs(y[i]), abs(y_new[i])))
        total += scaled * scaled
    return math.sqrt(total / y.size)


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
