"""Mean field: every pair factorised. y = s (3N,), index a N + i.

ds_k = (Omega_k + F_k) x s_k - R_k s_k + g_k,   F_k^a = sum_mb K_km^ab s_m^b
"""

from __future__ import annotations

from typing import Any

import numpy as np

from solvers.engines.moments.equations import multiply_vector
from solvers.engines.pair_states import TOLERANCE
from solvers.numerics.compile import FASTMATH, entry, kernel


def mean_field(multiply_vector) -> Any:
    """The equations with F = `multiply_vector(p, y, force)`."""

    @kernel(fastmath=FASTMATH)
    def mean_field_rhs(t, y, p, dy):
        """dy = the mean-field equations at y."""
        n = p.Omega.shape[1]
        force = np.empty(3 * n)
        multiply_vector(p, y, force)
        s = y.reshape(3, n)
        ds = dy.reshape(3, n)
        for i in range(n):
            bx = p.Omega[0, i] + force[i]
            by = p.Omega[1, i] + force[n + i]
            bz = p.Omega[2, i] + force[2 * n + i]
            x, y_, z = s[0, i], s[1, i], s[2, i]
            ds[0, i] = by * z - bz * y_ + p.g[0, i] - (p.R[0, 0, i] * x + p.R[0, 1, i] * y_ + p.R[0, 2, i] * z)
            ds[1, i] = bz * x - bx * z + p.g[1, i] - (p.R[1, 0, i] * x + p.R[1, 1, i] * y_ + p.R[1, 2, i] * z)
            ds[2, i] = bx * y_ - by * x + p.g[2, i] - (p.R[2, 0, i] * x + p.R[2, 1, i] * y_ + p.R[2, 2, i] * z)

    return mean_field_rhs


mean_field_rhs = mean_field(multiply_vector)


@kernel
def too_long(s):
    """Whether a Bloch vector of s (3, N) is longer than 1 by more than the tolerance."""
    longest = 0.0
    for i in range(s.shape[1]):
        longest = max(longest, s[0, i] ** 2 + s[1, i] ** 2 + s[2, i] ** 2)
    return longest > (1.0 + TOLERANCE) ** 2


@kernel
def watch_lengths(t, y, p):
    """Never stops; notes the first step's end at which a spin is longer than 1."""
    if np.isnan(p.first_bad[0]) and too_long(y.reshape(3, p.Omega.shape[1])):
        p.first_bad[0] = t
    return 1.0


@entry
def mean_field_derivative(p, y, dy):
    """dy (3N,) at y (3N,)."""
    mean_field_rhs(0.0, y, p, dy)
