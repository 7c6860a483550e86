"""Mean field and second-order cumulants of equal spins: one Bloch vector s and one connected correlation X of all pairs.

The equations of `solvers.engines.moments` with every sum over third sites done: X_kl = X = X^T for all pairs, and

    ds = (Omega + F) x s + q - R s + g,   F = (N-1) K s,   q^c = (N-1) eps_cae (K X)^ae
    dX = G + G^T + Z,   G = ([Omega + F]_x - R) X - [s]_x P - [K s]_x X - v s^T,   v^c = eps_cae (K X)^ae
    P = K (1 - s s^T) + (N-2) K X,   Z^cd = 4 eps_cae eps_dbf S^ab (X + s s^T)^ef

State: s (3,), then xx, xy, xz, yy, yz, zz of X; s alone in mean field.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from solvers.engines.moments.first_order import too_long
from solvers.engines.moments.second_order import pair_is_negative
from solvers.engines.spin_system import EPSILON
from solvers.engines.symmetric.system import SymmetricSystem
from solvers.numerics.compile import FASTMATH, entry, kernel


class Coefficients(NamedTuple):
    """What the right-hand sides read; of a single spin K and S are zero."""

    N: float
    Omega: NDArray[np.float64]  # (3,)
    R: NDArray[np.float64]  # (3, 3)
    g: NDArray[np.float64]  # (3,)
    K: NDArray[np.float64]  # (3, 3)
    S: NDArray[np.float64]  # (3, 3)
    X: NDArray[np.float64]  # scratch (3, 3)
    G: NDArray[np.float64]  # scratch (3, 3)
    product: NDArray[np.float64]  # scratch (3, 3)
    pair: NDArray[np.complex128]  # scratch (4, 4)
    first_bad: NDArray[np.float64]  # (1,) first time at which a step's end was unphysical; NaN if none
    matrix: NDArray[np.float64]  # of the third order, see `hierarchy`; empty elsewhere
    words: NDArray[np.float64]  # scratch of the third order


def build_coefficients(system: SymmetricSystem) -> Coefficients:
    """The coefficients of `solvers.engines.moments.equations` for one site and one pair."""
    joined = 1.0 if system.N > 1 else 0.0
    return Coefficients(
        float(system.N),
        2 * np.asarray(system.field, dtype=np.float64),
        2 * (np.trace(system.own.real) * np.eye(3) - system.own.real),
        -2 * np.einsum("cab,ab->c", EPSILON, system.own.imag),
        joined * 2 * (system.coupling - system.shared.imag),
        joined * np.ascontiguousarray(system.shared.real),
        np.zeros((3, 3)),
        np.zeros((3, 3)),
        np.zeros((3, 3)),
        np.zeros((4, 4), np.complex128),
        np.full(1, np.nan),
        np.zeros((0, 0)),
        np.zeros(0),
    )


@kernel(fastmath=FASTMATH)
def mean_field_rhs(t, y, p, dy):
    """ds at s."""
    K, R = p.K, p.R
    x, y_, z = y[0], y[1], y[2]
    others = p.N - 1.0
    bx = p.Omega[0] + others * (K[0, 0] * x + K[0, 1] * y_ + K[0, 2] * z)
    by = p.Omega[1] + others * (K[1, 0] * x + K[1, 1] * y_ + K[1, 2] * z)
    bz = p.Omega[2] + others * (K[2, 0] * x + K[2, 1] * y_ + K[2, 2] * z)
    dy[0] = by * z - bz * y_ + p.g[0] - (R[0, 0] * x + R[0, 1] * y_ + R[0, 2] * z)
    dy[1] = bz * x - bx * z + p.g[1] - (R[1, 0] * x + R[1, 1] * y_ + R[1, 2] * z)
    dy[2] = bx * y_ - by * x + p.g[2] - (R[2, 0] * x + R[2, 1] * y_ + R[2, 2] * z)


@kernel(fastmath=FASTMATH)
def unpack(y, X):
    """X (3, 3) from the state."""
    k = 3
    for a in range(3):
        for b in range(a, 3):
            X[a, b] = y[k]
            X[b, a] = y[k]
            k += 1


@kernel(fastmath=FASTMATH)
def cumulant_rhs(t, y, p, dy):
    """dy = the second-order equations at y (9,)."""
    K, R, S, X, G, KX = p.K, p.R, p.S, p.X, p.G, p.product
    unpack(y, X)
    mean_field_rhs(t, y, p, dy)
    for a in range(3):
        for e in range(3):
            KX[a, e] = K[a, 0] * X[0, e] + K[a, 1] * X[1, e] + K[a, 2] * X[2, e]
    v = (KX[1, 2] - KX[2, 1], KX[2, 0] - KX[0, 2], KX[0, 1] - KX[1, 0])
    s = (y[0], y[1], y[2])
    f = (
        K[0, 0] * s[0] + K[0, 1] * s[1] + K[0, 2] * s[2],
        K[1, 0] * s[0] + K[1, 1] * s[1] + K[1, 2] * s[2],
        K[2, 0] * s[0] + K[2, 1] * s[1] + K[2, 2] * s[2],
    )
    # the field of all other spins but the partner
    b = (p.Omega[0] + (p.N - 2.0) * f[0], p.Omega[1] + (p.N - 2.0) * f[1], p.Omega[2] + (p.N - 2.0) * f[2])
    for c in range(3):
        dy[c] += (p.N - 1.0) * v[c]
        i, j = (c + 1) % 3, (c + 2) % 3
        for d in range(3):
            P_i = K[i, d] - f[i] * s[d] + (p.N - 2.0) * KX[i, d]
            P_j = K[j, d] - f[j] * s[d] + (p.N - 2.0) * KX[j, d]
            value = b[i] * X[j, d] - b[j] * X[i, d] - (s[i] * P_j - s[j] * P_i) - v[c] * s[d]
            G[c, d] = value - (R[c, 0] * X[0, d] + R[c, 1] * X[1, d] + R[c, 2] * X[2, d])
    k = 3
    for c in range(3):
        i, j = (c + 1) % 3, (c + 2) % 3
        for d in range(c, 3):
            m, n = (d + 1) % 3, (d + 2) % 3
            Z = S[i, m] * (X[j, n] + s[j] * s[n]) - S[i, n] * (X[j, m] + s[j] * s[m])
            Z += S[j, n] * (X[i, m] + s[i] * s[m]) - S[j, m] * (X[i, n] + s[i] * s[n])
            dy[k] = G[c, d] + G[d, c] + 4.0 * Z
            k += 1


@kernel
def watch_length(t, y, p):
    """Never stops; notes the first step's end at which the spins are longer than 1."""
    if np.isnan(p.first_bad[0]) and too_long(y[:3].reshape(3, 1)):
        p.first_bad[0] = t
    return 1.0


@kernel
def watch_pair(t, y, p):
    """The same, or at which the state of a pair is not positive."""
    if not np.isnan(p.first_bad[0]):
        return 1.0
    s = y[:3]
    unpack(y, p.X)
    for a in range(3):
        for b in range(3):
            p.X[a, b] += s[a] * s[b]
    if too_long(s.reshape(3, 1)) or (p.N > 1.0 and pair_is_negative(s, s, p.X, p.pair)):
        p.first_bad[0] = t
    return 1.0


@entry
def cumulant_derivative(p, y, dy):
    """dy at y (9,)."""
    cumulant_rhs(0.0, y, p, dy)
