"""The steady state of one driven, collectively decaying spin: closed form for any S, and by elimination for any S up to 200.

    0 = -i Omega [S_x, rho] + (Gamma/2S) D[S^-] rho,    D[c] rho = 2 c rho c^+ - c^+c rho - rho c^+c

Closed form (R. R. Puri and S. V. Lawande, Phys. Lett. A 72, 200 (1979)): the generator is (Gamma/2S) D[S^- - g],
g = -i Omega S/Gamma, so that rho ~ (S^- - g)^-1 (S^+ - g*)^-1. With

    A_m = (1/2) ln[(S+m)!/(S-m)!] - m ln|g|,  T_m = sum_{n >= m} exp(2 A_n)

|rho_{m,m'}| = exp(-A_m - A_m') T_max(m,m') / D is positive throughout, so that nothing cancels and logarithms carry
it to any S. The elimination knows nothing of that: it solves the equations of motion of `solvers.engines.ladder` for the
diagonals, from the outermost inwards.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, logsumexp

from solvers.engines.ladder import raising


def _tensor(xx: float, yy: float, zz: float, yz: float) -> NDArray[np.float64]:
    """Second moments of a state whose moments are even in S_x."""
    return np.array([[xx, 0.0, 0.0], [0.0, yy, yz], [0.0, yz, zz]])


def closed_form(S: float, Omega: float, Gamma: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """<S_a> (3,) and the symmetrised <S_a S_b> (3, 3) of the steady state, O(S). Gamma > 0; Omega of either sign."""
    if Omega == 0.0:
        return np.array([0.0, 0.0, -S]), _tensor(S / 2, S / 2, S * S, 0.0)
    levels = round(2 * S) + 1
    m = np.arange(levels) - S
    log_g = math.log(abs(Omega)) + math.log(S) - math.log(Gamma)
    A = 0.5 * (gammaln(S + m + 1) - gammaln(S - m + 1)) - m * log_g
    A -= A.max()  # so that the sums are near 0 where they matter, and lose no digits to their size
    log_T = np.logaddexp.accumulate(2 * A[::-1])[::-1]
    log_populations = log_T - 2 * A
    log_D = logsumexp(log_populations)
    populations = np.exp(log_populations - log_D)
    log_a = np.log(raising(levels)[:-1])
    # element (m+1, m): exp(-A_{m+1} - A_m) T_{m+1}
    first = np.exp(log_a + log_T[1:] - A[1:] - A[:-1] - log_D)
    lower = float(first.sum())
    lower_z = float((first * (m[:-1] + 0.5)).sum())
    lower2 = float(np.exp(log_a[1:] + log_a[:-1] + log_T[2:] - A[2:] - A[:-2] - log_D).sum()) if levels > 2 else 0.0
    z, zz = float(m @ populations), float(m * m @ populations)
    plus_minus = S * (S + 1) - zz
    # <S^-> = (g/|g|) lower = -i sign(Omega) lower, <S^- S^-> = -lower2
    sign = math.copysign(1.0, Omega)
    return np.array([0.0, sign * lower, z]), _tensor(
        (plus_minus - lower2) / 2, (plus_minus + lower2) / 2, zz, sign * lower_z
    )


def eliminated(S: float, Omega: float, Gamma: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The same by block elimination of the diagonals Q_d, d = 2S ... 1, and the trace; O(S^4) operations.

    Between diagonal d and its neighbours the equations read  B_d Q_{d-1} + A_d Q_d - C_d Q_{d+1} = 0.
    """
    levels = round(2 * S) + 1
    a = np.concatenate([raising(levels), [0.0]])
    # one unit for both terms, so that neither overflows
    scale = max(abs(Omega), Gamma)
    half, decay = 0.5 * Omega / scale, Gamma / scale / S
    below = np.concatenate([[0.0], a])

    def own(d: int) -> NDArray[np.float64]:
        n = levels - d
        matrix = np.diag(decay * a[: n - 1] * a[d : d + n - 1], 1)
        matrix[np.arange(n), np.arange(n)] = -0.5 * decay * (below[:n] ** 2 + below[d : d + n] ** 2)
        return matrix

    def outward(d: int, Q: NDArray[np.float64]) -> NDArray[np.float64]:
        """C_d Q_{d+1}: (half) (a_{k+d} Q[k] - a_{k-1} Q[k-1]), Q of n - 1 rows."""
        n = levels - d
        result = np.zeros((n, *Q.shape[1:]))
        result[:-1] += half * a[d : d + n - 1, None] * Q
        result[1:] -= half * a[: n - 1, None] * Q
        return result

    def inward(d: int) -> NDArray[np.float64]:
        """B_d (n, n + 1): (half) (a_{k+d-1} Q[k] - a_k Q[k+1])."""
        n = levels - d
        matrix = np.zeros((n, n + 1))
        matrix[np.arange(n), np.arange(n)] = half * a[d - 1 : d - 1 + n]
        matrix[np.arange(n), np.arange(1, n + 1)] = -half * a[:n]
        return matrix

    # Q_d = G_d Q_{d-1}, G_d = -(A_d - C_d G_{d+1})^-1 B_d
    G: dict[int, NDArray[np.float64]] = {}
    for d in range(levels - 1, 0, -1):
        matrix = own(d)
        if d + 1 < levels:
            matrix -= outward(d, G.pop(d + 1) if d > 2 else G[d + 1])
        G[d] = np.asarray(-np.linalg.solve(matrix, inward(d)), dtype=np.float64)
    # diagonal 0: its inner neighbour is its outer one, Q_{-1}[k] = Q_1[k-1], so that the drive acts twice
    matrix = own(0) - 2 * outward(0, G[1]) if levels > 1 else own(0)
    # one equation follows from the others; the trace takes its place
    matrix[-1] = 1.0
    right = np.zeros(levels)
    right[-1] = 1.0
    populations = np.linalg.solve(matrix, right)
    m = np.arange(levels) - S
    first = G[1] @ populations
    lower = float(a[: levels - 1] @ first)
    lower_z = float((a[: levels - 1] * (m[:-1] + 0.5)) @ first)
    lower2 = float((a[: levels - 2] * a[1 : levels - 1]) @ (G[2] @ first)) if levels > 2 else 0.0
    z, zz = float(m @ populations), float(m * m @ populations)
    plus_minus = S * (S + 1) - zz
    return np.array([0.0, lower, z]), _tensor((plus_minus - lower2) / 2, (plus_minus + lower2) / 2, zz, lower_z)
