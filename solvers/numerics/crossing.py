"""Where a function falls through zero between 0 and 1: false position, kept from creeping by bisection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from solvers.numerics.compile import kernel


def crossing(value: Callable[..., Any]) -> Any:
    """Make `find(at_0, at_1, resolution, *context) -> x` for a kernel `value(x, *context)`.

    `at_0` > 0 and `at_1` <= 0 are its values at 0 and 1. What is found is the upper end of an interval no longer than
    `resolution`, at most 1, in which the value falls from above zero to zero or below; the last evaluation need not have been
    there. The method is that called Illinois (M. Dowell and P. Jarratt, BIT 11, 168 (1971)); every fourth trial halves the
    interval, because the value may be as flat or as kinked as it likes, and none comes closer to an end than half of
    `resolution`, so that both ends close in.
    """

    @kernel
    def find(at_0, at_1, resolution, *context):
        low, high, f_low, f_high = 0.0, 1.0, at_0, at_1
        trial = 0
        moved = 0
        while high - low > resolution:
            trial += 1
            width = high - low
            x = low + width * (f_low / (f_low - f_high))
            if trial % 4 == 0 or not low < x < high:
                x = low + 0.5 * width
            x = min(max(x, low + 0.5 * resolution), high - 0.5 * resolution)
            f = value(x, *context)
            if f > 0.0:
                low, f_low = x, f
                if moved > 0:
                    f_high *= 0.5
                moved = 1
            else:
                high, f_high = x, f
                if moved < 0:
                    f_low *= 0.5
                moved = -1
        return high

    return find
