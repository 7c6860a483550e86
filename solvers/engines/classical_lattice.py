"""The classical equations of collective spins with nearest-neighbour couplings and decay on a periodic lattice.

    ds_n/dt = B_n x s_n + (Gamma/S) (s_x s_z, s_y s_z, -s_x^2 - s_y^2),   B_n = (1/2S) (J_x X_n, J_y Y_n, J_z Z_n)

X_n is the sum of s_x over the neighbours of n: the drift of Eqs. (34)-(37), corrected, without the constants of the
ordering; doubled D.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from solvers.numerics.compile import FASTMATH, entry, kernel
from solvers.numerics.runge_kutta import runge_kutta

Array = NDArray[np.float64]


def neighbour_sum(s: Array, width: int, height: int) -> Array:
    """Sum of s (sites, ...) over the neighbours of each site, rows of `width` on a torus; height 1 is a ring, a ring of two has its bond twice."""
    grid = s.reshape(height, width, *s.shape[1:])
    total = np.roll(grid, 1, axis=1) + np.roll(grid, -1, axis=1)
    if height > 1:
        total = total + np.roll(grid, 1, axis=0) + np.roll(grid, -1, axis=0)
    return total.reshape(s.shape)


def derivative(s: Array, J: Array, Gamma: float, S: float, width: int, height: int = 1) -> Array:
    """ds/dt (sites, 3) at classical spins s (sites, 3) of length S; J (3,) physical couplings."""
    field = J * neighbour_sum(s, width, height) / (2 * S)
    damping = np.cross(s, np.cross(s, [0.0, 0.0, 1.0]))
    return np.cross(field, s) + Gamma / S * damping


@kernel(fastmath=FASTMATH)
def uniform_spin(t, y, p, dy):
    """One spin y = s/S among equals, p = (neighbours/2) (J_x, J_y, J_z) and Gamma."""
    bx, by, bz = p[0] * y[0], p[1] * y[1], p[2] * y[2]
    dy[0] = by * y[2] - bz * y[1] + p[3] * y[0] * y[2]
    dy[1] = bz * y[0] - bx * y[2] + p[3] * y[1] * y[2]
    dy[2] = bx * y[1] - by * y[0] - p[3] * (y[0] * y[0] + y[1] * y[1])


_integrate = runge_kutta(uniform_spin)


@entry
def follow_uniform(p, y, times, out, rtol, atol, max_steps):
    """s/S from y (3,), overwritten, at `times` into out (T, 3): (code, t reached, steps)."""
    return _integrate(p, y, times, out, rtol, atol, max_steps)
