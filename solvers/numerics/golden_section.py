"""The maximum of a function of one variable by a scan and golden section (J. Kiefer, Proc. Am. Math. Soc. 4, 502, 1953)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from solvers.numerics.compile import kernel

RATIO = 0.6180339887498949
SCAN = 64


def golden_section(function: Callable[..., Any]) -> Any:
    """Make `maximise(p, low, high) -> (x, value)` for the kernel `function(x, p)`.

    64 equal intervals are scanned first; around the best point the function need only rise and then fall. x is right to
    about 1e-8 of the interval, the value to the rounding of the function.
    """

    @kernel
    def maximise(p, low, high):
        width = (high - low) / SCAN
        best = low + 0.5 * width
        top = function(best, p)
        for k in range(1, SCAN):
            x = low + (k + 0.5) * width
            value = function(x, p)
            if value > top:
                best, top = x, value
        a, b = max(low, best - width), min(high, best + width)
        c, d = b - RATIO * (b - a), a + RATIO * (b - a)
        f_c, f_d = function(c, p), function(d, p)
        for _ in range(36):
            if f_c > f_d:
                b, d, f_d = d, c, f_c
                c = b - RATIO * (b - a)
                f_c = function(c, p)
            else:
                a, c, f_c = c, d, f_d
                d = a + RATIO * (b - a)
                f_d = function(d, p)
        return (c, f_c) if f_c > f_d else (d, f_d)

    return maximise
