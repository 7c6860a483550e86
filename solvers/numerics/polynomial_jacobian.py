"""The Jacobian of a right-hand side that is a polynomial of degree four at most in the state, exact but for rounding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from solvers.numerics.compile import kernel


def polynomial_jacobian(rhs: Callable[..., Any]) -> Any:
    """Make `jacobian(t, y, p, J)`, J[i, j] = d dy_i / d y_j, from `rhs(t, y, p, dy)` alone.

    By differences of fourth order, (8 (f(y + e) - f(y - e)) - (f(y + 2 e) - f(y - 2 e))) / 12 with unit vectors e, in which
    the powers up to the fourth cancel: no step size has to be chosen, and no derivative written down.
    """

    @kernel
    def jacobian(t, y, p, J):
        n = y.size
        shifted = y.copy()
        up, down, further_up, further_down = np.empty(n), np.empty(n), np.empty(n), np.empty(n)
        for j in range(n):
            shifted[j] = y[j] + 1.0
            rhs(t, shifted, p, up)
            shifted[j] = y[j] - 1.0
            rhs(t, shifted, p, down)
            shifted[j] = y[j] + 2.0
            rhs(t, shifted, p, further_up)
            shifted[j] = y[j] - 2.0
            rhs(t, shifted, p, further_down)
            shifted[j] = y[j]
            for i in range(n):
                J[i, j] = (8.0 * (up[i] - down[i]) - (further_up[i] - further_down[i])) / 12.0

    return jacobian
