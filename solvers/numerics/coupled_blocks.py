"""Implicit steps of K small systems of three variables that see each other only through r totals: O(K r) per solve.

With y' = F(y_k, G), G = sum_j w_j g(y_j), the Jacobian is block diagonal plus rank r. The matrix of an implicit step,
W = blocks - U V with V weighted, is solved by the identity of Woodbury (M. A. Woodbury, Princeton Stat. Res. Group
Memo 42, 1950):

    x = M b + M U c,   (1 - V M U) c = V M b,   M = blocks^-1.

Arrays are stored with the K systems last, so that loops over them vectorise; y is (3 K,), variable by variable.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from solvers.numerics import small_lu
from solvers.numerics.compile import FASTMATH, kernel
from solvers.numerics.rosenbrock import LinearAlgebra
from solvers.numerics.three_by_three import resolvent

lu_factor, lu_solve = small_lu.factor, small_lu.solve


@kernel(fastmath=FASTMATH)
def factor(d, work):
    """Invert the blocks d - `local`, and factor the small matrix that couples the totals."""
    local, left, right, inverse, response, small, pivots = work
    size = local.shape[1]
    rank = small.shape[0]
    for k in range(size):
        entries = resolvent(
            d,
            (
                local[0, k],
                local[1, k],
                local[2, k],
                local[3, k],
                local[4, k],
                local[5, k],
                local[6, k],
                local[7, k],
                local[8, k],
            ),
        )
        inverse[0, k], inverse[1, k], inverse[2, k] = entries[0], entries[1], entries[2]
        inverse[3, k], inverse[4, k], inverse[5, k] = entries[3], entries[4], entries[5]
        inverse[6, k], inverse[7, k], inverse[8, k] = entries[6], entries[7], entries[8]
    for m in range(rank):
        u0, u1, u2 = left[3 * m], left[3 * m + 1], left[3 * m + 2]
        for row in range(3):
            out = response[3 * m + row]
            i0, i1, i2 = inverse[3 * row], inverse[3 * row + 1], inverse[3 * row + 2]
            for k in range(size):
                out[k] = i0[k] * u0[k] + i1[k] * u1[k] + i2[k] * u2[k]
    for n in range(rank):
        v0, v1, v2 = right[3 * n], right[3 * n + 1], right[3 * n + 2]
        for m in range(rank):
            r0, r1, r2 = response[3 * m], response[3 * m + 1], response[3 * m + 2]
            total = 0.0
            for k in range(size):
                total += v0[k] * r0[k] + v1[k] * r1[k] + v2[k] * r2[k]
            small[n, m] = (1.0 if n == m else 0.0) - total
    return lu_factor(small, pivots)


@kernel(fastmath=FASTMATH)
def solve(work, b):
    """Overwrite b (3 K,) with the solution."""
    _, _, right, inverse, response, small, pivots = work
    size = inverse.shape[1]
    rank = small.shape[0]
    x, y, z = b[:size], b[size : 2 * size], b[2 * size :]
    for k in range(size):
        b0, b1, b2 = x[k], y[k], z[k]
        x[k] = inverse[0, k] * b0 + inverse[1, k] * b1 + inverse[2, k] * b2
        y[k] = inverse[3, k] * b0 + inverse[4, k] * b1 + inverse[5, k] * b2
        z[k] = inverse[6, k] * b0 + inverse[7, k] * b1 + inverse[8, k] * b2
    totals = np.empty(rank)
    for n in range(rank):
        v0, v1, v2 = right[3 * n], right[3 * n + 1], right[3 * n + 2]
        total = 0.0
        for k in range(size):
            total += v0[k] * x[k] + v1[k] * y[k] + v2[k] * z[k]
        totals[n] = total
    lu_solve(small, pivots, totals)
    for m in range(rank):
        c = totals[m]
        r0, r1, r2 = response[3 * m], response[3 * m + 1], response[3 * m + 2]
        for k in range(size):
            x[k] += c * r0[k]
            y[k] += c * r1[k]
            z[k] += c * r2[k]


@kernel
def unknown_norm(work):
    """There is no switching to an explicit method here."""
    return np.inf


def coupled_blocks(rank: Callable[..., Any], differentiate: Callable[..., Any]) -> LinearAlgebra:
    """The algebra of such a system, for `structured_rosenbrock`.

    Parameters
    ----------
    rank : kernel `rank(p) -> int`, the number r of totals.
    differentiate : kernel `differentiate(t, y, p, local, left, right)`; `local` (9, K): the derivatives of F_k by its own
        y_k row by row, what y_k does through the totals *taken out*; `left` (3 r, K): the derivatives of F_k by the
        totals, [3 m + i] of component i by total m; `right` (3 r, K): the derivatives of the totals by y_k, [3 m + i]
        of total m by component i, weights included.
    """

    @kernel
    def workspace(y, p):
        size = y.size // 3
        r = rank(p)
        return (
            np.empty((9, size)),
            np.empty((3 * r, size)),
            np.empty((3 * r, size)),
            np.empty((9, size)),
            np.empty((3 * r, size)),
            np.empty((r, r)),
            np.empty(r, dtype=np.int64),
        )

    @kernel
    def put(t, y, p, work):
        differentiate(t, y, p, work[0], work[1], work[2])

    return LinearAlgebra(workspace, put, factor, solve, unknown_norm)
