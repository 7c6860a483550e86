"""Output times inside a step and the location of a stop event, for any method with an interpolant.

A method's interpolant is a kernel `interpolate(x, dense, y)`: `dense` (rows, n) describes one accepted step,
0 <= x <= 1 is the fraction of it, `y` (n,) receives the state.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from solvers.numerics.compile import kernel


@kernel
def copy(source, target):
    """target[:] = source. Numba takes a second to compile that statement, for the text of its error message."""
    for i in range(source.size):
        target[i] = source[i]


@kernel
def no_event(t, y, p):
    """An event that never happens."""
    return 1.0


def locate_event(interpolate: Callable[..., Any], event: Callable[..., Any]) -> Any:
    """Make `locate(t, h, dense, p, y) -> x`: the fraction of the step at which `event` falls to zero, `y` the state there.

    The event is positive at x = 0 and not at x = 1. Bisection, because an event may be as flat or as kinked as it
    likes; the state returned is on the far side, where the event is <= 0.
    """

    @kernel
    def locate(t, h, dense, p, y):
        low, high = 0.0, 1.0
        while high - low > 4e-15:
            middle = 0.5 * (low + high)
            interpolate(middle, dense, y)
            if event(t + middle * h, y, p) > 0.0:
                low = middle
            else:
                high = middle
        interpolate(high, dense, y)
        return high

    return locate


def fill_rows(interpolate: Callable[..., Any]) -> Any:
    """Make `fill(t, t_new, h, dense, y_new, times, row, out) -> row`: the rows of `out` with times up to `t_new`."""

    @kernel
    def fill(t, t_new, h, dense, y_new, times, row, out):
        while row < times.size and times[row] <= t_new:
            if times[row] == t_new:
                copy(y_new, out[row])
            else:
                interpolate((times[row] - t) / h, dense, out[row])
            row += 1
        return row

    return fill


@kernel
def start_rows(y, times, out):
    """Write the start state to the rows with times <= 0, NaN to the others; the number of rows written."""
    row = 0
    while row < times.size and times[row] <= 0.0:
        copy(y, out[row])
        row += 1
    for later in range(row, times.size):
        for i in range(y.size):
            out[later, i] = np.nan
    return row
