"""Coefficients of the moment equations of a spin system, and the cheapest way to multiply by the coupling matrix.

With Gamma = S + iT, per site i: Omega_i = 2 field_i, R_i = 2 (tr S_ii - S_ii), g_i^c = -2 eps_cab T_ia,ib; per pair
K_ij = 2 (coupling_ij - T_ij) and S_ij. K is not symmetric: couplings are reciprocal, T is anti-reciprocal.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from solvers.engines.spin_system import EPSILON, SpinSystem
from solvers.numerics.compile import FASTMATH, kernel

DENSE, SPARSE, LOW_RANK = 0, 1, 2
PATHS = {"dense": DENSE, "sparse": SPARSE, "low_rank": LOW_RANK}

# Nanoseconds per multiply-add of a BLAS product, of a loop over non-zero elements, and of a thin BLAS product.
_COST = (0.07, 0.3, 0.15)
_CALL = 600.0


class Coefficients(NamedTuple):
    """Everything the right-hand sides read; `planes` lists the (a, b) for which K^{ab} or S^{ab} is not all zero."""

    Omega: NDArray[np.float64]  # (3, N)
    R: NDArray[np.float64]  # (3, 3, N)
    g: NDArray[np.float64]  # (3, N)
    K: NDArray[np.float64]  # (3N, 3N), zero diagonal blocks
    K_planes: NDArray[np.int64]  # (n, 2)
    S: NDArray[np.float64]  # (3N, 3N), zero diagonal blocks
    S_planes: NDArray[np.int64]
    path: int
    starts: NDArray[np.int64]  # rows of K without zeros
    columns: NDArray[np.int64]
    values: NDArray[np.float64]
    left: NDArray[np.float64]  # K + blockdiag = left @ right, (3N, r) and (r, 3N)
    right: NDArray[np.float64]
    blocks: NDArray[np.float64]  # (3, 3, N) diagonal blocks of left @ right
    covariance: NDArray[np.float64]  # scratch (3N, 3N)
    product: NDArray[np.float64]  # scratch (3N, 3N)
    pair: NDArray[np.float64]  # scratch (3N, 3N)
    thin: NDArray[np.float64]  # scratch (r, 3N)
    weights: NDArray[np.float64]  # scratch (r,)
    first_bad: NDArray[np.float64]  # (1,) first time at which a step's end was unphysical; NaN if none


def build_coefficients(system: SpinSystem, order: int, path: str | None = None) -> Coefficients:
    """Coefficients for mean field (`order` 1) or cumulants (2); `path` None chooses the cheapest of dense, sparse, low_rank."""
    n = system.N
    blocks = system.Gamma.reshape(n, 3, n, 3).transpose(0, 2, 1, 3)
    local = blocks[np.arange(n), np.arange(n)]
    trace = np.trace(local.real, axis1=1, axis2=2)
    R = 2 * (trace[:, None, None] * np.eye(3) - local.real)
    g = -2 * np.einsum("cab,iab->ic", EPSILON, local.imag)
    off = ~np.eye(n, dtype=bool)[:, :, None, None]
    coupling = 2 * (system.coupling - blocks.imag) * off
    damping = blocks.real * off
    K, S = _by_axis(coupling), _by_axis(damping)
    left, right = np.zeros((3 * n, 0)), np.zeros((0, 3 * n))
    if path in (None, "low_rank") and n > 3:
        left, right = _low_rank(coupling, K)
    rank = left.shape[1]
    nonzero = int(np.count_nonzero(K))
    columns_of_state = 3 * n if order == 2 else 1
    price = {
        "dense": _CALL + 9.0 * n * n * columns_of_state * (_COST[0] if order == 2 else _COST[1]),
        "sparse": nonzero * columns_of_state * _COST[1] + 3 * n,
        "low_rank": 2 * _CALL + columns_of_state * (6 * n * rank * _COST[2] + 9 * n * _COST[1]) if rank else np.inf,
    }
    chosen = path or min(price, key=lambda name: price[name])
    if chosen == "low_rank" and not rank:
        raise ValueError("the coupling matrix has no low-rank form; take path dense or sparse")
    starts = np.concatenate([[0], np.cumsum(np.count_nonzero(K, axis=1))]).astype(np.int64)
    rows, columns = np.nonzero(K)
    inner = np.einsum("air,rbi->abi", left.reshape(3, n, rank), right.reshape(rank, 3, n))
    square = (3 * n, 3 * n) if order == 2 else (0, 0)
    return Coefficients(
        Omega=np.ascontiguousarray(2 * system.field.T),
        R=np.ascontiguousarray(R.transpose(1, 2, 0)),
        g=np.ascontiguousarray(g.T),
        K=K,
        K_planes=_planes(K, n),
        S=S,
        S_planes=_planes(S, n),
        path=PATHS[chosen],
        starts=starts,
        columns=columns.astype(np.int64),
        values=K[rows, columns],
        left=np.ascontiguousarray(left),
        right=np.ascontiguousarray(right),
        blocks=np.ascontiguousarray(inner),
        covariance=np.zeros(square),
        product=np.zeros(square),
        pair=np.zeros(square),
        thin=np.zeros((rank, 3 * n if order == 2 else 0)),
        weights=np.zeros(rank),
        first_bad=np.full(1, np.nan),
    )


def projected_bytes(n: int, order: int) -> int:
    """Memory of one integration without its output: system, coefficients, scratch, and the stages of the integrator."""
    square = 8 * (3 * n) ** 2
    return 12 * square if order == 1 else 26 * square


def _by_axis(blocks: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, N, 3, 3) to (3N, 3N) with index a N + i."""
    n = len(blocks)
    return np.ascontiguousarray(blocks.transpose(2, 0, 3, 1).reshape(3 * n, 3 * n))


def _planes(matrix: NDArray[np.float64], n: int) -> NDArray[np.int64]:
    used = np.abs(matrix.reshape(3, n, 3, n)).max(axis=(1, 3), initial=0.0) > 0
    return np.ascontiguousarray(np.argwhere(used), dtype=np.int64)


def _low_rank(coupling: NDArray[np.float64], K: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Factors of K + blockdiag(D), for a D that makes the rank small, if there is one: (3N, r), (r, 3N), else r = 0.

    The missing diagonal block of site i follows from blocks to other sites I, J: K_iJ (K_IJ)^+ K_Ii. A guess is only
    used when it reproduces K to rounding.
    """
    n = len(coupling)
    none = np.zeros((3 * n, 0)), np.zeros((0, 3 * n))
    scale = np.abs(K).max()
    if scale == 0 or n < 8:
        return none
    completed = coupling.copy()
    for i in range(n):
        others = [k for k in (0, n // 2, n - 1, 1, n // 2 + 1) if k != i]
        I, J = others[:2], others[2:4]  # noqa: E741

        def block(rows, columns):
            return coupling[np.ix_(rows, columns)].transpose(0, 2, 1, 3).reshape(3 * len(rows), 3 * len(columns))

        inverse = np.linalg.pinv(block(I, J), rcond=1e-10)
        completed[i, i] = block([i], J) @ inverse @ block(I, [i])
    matrix = _by_axis(completed)
    probe = np.cos(np.arange(1, 9)[None, :] * np.arange(1.0, 3 * n + 1)[:, None] ** 1.5)
    if np.linalg.matrix_rank(matrix @ probe, tol=1e-9 * scale * n) == 8:  # a rank of eight or more does not pay
        return none
    u, s, vt = np.linalg.svd(matrix)
    rank = int((s > 1e-12 * s[0]).sum())
    left, right = u[:, :rank] * s[:rank], vt[:rank]
    off = np.abs(_by_axis(coupling * 0 + ~np.eye(n, dtype=bool)[:, :, None, None])) > 0
    if rank > n // 2 or np.abs((left @ right - K)[off]).max() > 2e-14 * n * scale:
        return none
    return left, right


@kernel(fastmath=FASTMATH)
def multiply(p, matrix, out):
    """out = K matrix for a matrix (3N, m), by the chosen path."""
    if p.path == DENSE:
        np.dot(p.K, matrix, out)
    elif p.path == SPARSE:
        for r in range(out.shape[0]):
            row = out[r]
            row[:] = 0.0
            for e in range(p.starts[r], p.starts[r + 1]):
                value = p.values[e]
                source = matrix[p.columns[e]]
                for m in range(row.shape[0]):
                    row[m] += value * source[m]
    else:
        np.dot(p.right, matrix, p.thin)
        np.dot(p.left, p.thin, out)
        n = p.Omega.shape[1]
        for a in range(3):
            for i in range(n):
                row = out[a * n + i]
                for b in range(3):
                    value = p.blocks[a, b, i]
                    source = matrix[b * n + i]
                    for m in range(row.shape[0]):
                        row[m] -= value * source[m]


@kernel(fastmath=FASTMATH)
def multiply_vector(p, vector, out):
    """out = K vector for a vector (3N,), by the chosen path."""
    if p.path == DENSE:
        np.dot(p.K, vector, out)
    elif p.path == SPARSE:
        for r in range(out.shape[0]):
            total = 0.0
            for e in range(p.starts[r], p.starts[r + 1]):
                total += p.values[e] * vector[p.columns[e]]
            out[r] = total
    else:
        np.dot(p.right, vector, p.weights)
        np.dot(p.left, p.weights, out)
        n = p.Omega.shape[1]
        for a in range(3):
            for b in range(3):
                for i in range(n):
                    out[a * n + i] -= p.blocks[a, b, i] * vector[b * n + i]
