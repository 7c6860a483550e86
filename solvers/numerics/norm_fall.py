"""Where in a step the norm of a decaying wave function has fallen to a given value, from the Taylor series of the step."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from solvers.numerics.compile import kernel


def norm_fall(sum_series: Callable[..., Any], norm_squared: Callable[..., Any]) -> Any:
    """Make `find(terms, count, threshold, psi) -> fraction` of a step at which |psi|^2 falls to `threshold`.

    `sum_series(terms, count, x, psi)` writes psi at the fraction x; `psi` holds that at 1 and receives that found. The norm
    falls nearly exponentially: false position (Illinois) on its logarithm.
    """

    @kernel
    def find(terms, count, threshold, psi):
        target = math.log(threshold)
        left, right = 0.0, 1.0
        f_left = math.log(norm_squared(terms[0])) - target
        f_right = math.log(norm_squared(psi)) - target
        fraction = 1.0
        for _ in range(60):
            fraction = (left * f_right - right * f_left) / (f_right - f_left)
            sum_series(terms, count, fraction, psi)
            f = math.log(norm_squared(psi)) - target
            if abs(f) < 1e-12 or right - left < 1e-13:
                break
            if f > 0.0:
                left, f_left = fraction, f
                f_right *= 0.5
            else:
                right, f_right = fraction, f
                f_left *= 0.5
        return fraction

    return find
