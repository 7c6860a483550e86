"""Wootters' concurrence of two spins 1/2 from their Bloch vectors and correlations.

max(0, l1 - l2 - l3 - l4) with the decreasing square roots l of the eigenvalues of rho Y rho^* Y, Y = s^y x s^y. With
rho = A A^+ these are the singular values of the symmetric matrix A^T Y A, which stays accurate where rho is nearly pure
(the product itself is then nearly defective): errors are below about 1e-7.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from solvers.engines.pair_states import fill_upper, pair_eigenvalue, smallest_eigenvalue_4
from solvers.engines.spin_system import SIGMA
from solvers.numerics.compile import entry, kernel

NEGATIVE = -1e-8
"""Below this smallest eigenvalue rho is no state, and has no square root A."""


def concurrence(
    first: NDArray[np.float64], second: NDArray[np.float64], correlations: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Concurrence (T,) of pairs with Bloch vectors (T, 3), (T, 3) and raw correlations (T, 3, 3).

    For a rho with a negative eigenvalue (not completely positive dynamics, where it means nothing) the eigenvalues of
    rho Y rho^* Y are taken as they are, negative and imaginary parts left out.
    """
    found = concurrences(np.ascontiguousarray(first), np.ascontiguousarray(second), np.ascontiguousarray(correlations))
    flip = np.kron(SIGMA[1], SIGMA[1])
    for t in np.flatnonzero(found == -1.0):
        rho = _pair_matrix(first[t], second[t], correlations[t])
        values = np.linalg.eigvals(rho @ flip @ rho.conj() @ flip).real
        roots = np.sqrt(np.maximum(values, 0.0))
        found[t] = max(0.0, float(2 * roots.max() - roots.sum()))
    return found


def concurrences_of_pairs(spins: NDArray[np.float64], raw: NDArray[np.float64]) -> NDArray[np.float64]:
    """Concurrence (..., N, N) of every pair, symmetric, zero for i = j, of spins (..., N, 3) and correlations (..., N, N, 3, 3)."""
    n = spins.shape[-2]
    found = np.zeros((*spins.shape[:-1], n))
    for i in range(n):
        for j in range(i + 1, n):
            first, second = spins[..., i, :].reshape(-1, 3), spins[..., j, :].reshape(-1, 3)
            values = concurrence(first, second, raw[..., i, j, :, :].reshape(-1, 3, 3))
            found[..., i, j] = found[..., j, i] = values.reshape(spins.shape[:-2])
    return found


def _pair_matrix(first, second, correlations) -> NDArray[np.complex128]:
    one = np.eye(2)
    rho = np.eye(4, dtype=np.complex128)
    for a in range(3):
        rho += first[a] * np.kron(SIGMA[a], one) + second[a] * np.kron(one, SIGMA[a])
        for b in range(3):
            rho += correlations[a, b] * np.kron(SIGMA[a], SIGMA[b])
    return rho / 4


@entry
def concurrences(first, second, correlations):
    """Concurrence (T,); -1 where the pair state has a negative eigenvalue, NaN where the moments are not finite."""
    count = first.shape[0]
    found = np.empty(count)
    rho = np.empty((4, 4), np.complex128)
    scratch = np.empty((4, 4), np.complex128)
    root = np.empty((4, 4), np.complex128)
    for t in range(count):
        smallest = pair_eigenvalue(first[t], second[t], correlations[t], scratch)
        if np.isnan(smallest):
            found[t] = np.nan
        elif smallest < NEGATIVE:
            found[t] = -1.0
        else:
            fill_pair(first[t], second[t], correlations[t], rho)
            square_root(rho, root)
            found[t] = of_root(root, scratch)
    return found


@kernel
def fill_pair(s, p, c, rho):
    """rho (4, 4) of the pair, all elements."""
    fill_upper(s, p, c, rho)
    for i in range(4):
        rho[i, i] = 0.25 * rho[i, i].real
        for j in range(i + 1, 4):
            rho[i, j] = 0.25 * rho[i, j]
            rho[j, i] = np.conj(rho[i, j])


@kernel
def square_root(rho, a):
    """A (4, 4) with A A^+ = rho by Cholesky's method with pivoting; rho is overwritten. Columns beyond the rank are 0."""
    a[:, :] = 0.0
    for k in range(4):
        pivot = 0
        for i in range(1, 4):
            if rho[i, i].real > rho[pivot, pivot].real:
                pivot = i
        size = rho[pivot, pivot].real
        if size <= 1e-16:
            return
        size = np.sqrt(size)
        for i in range(4):
            a[i, k] = rho[i, pivot] / size
        for i in range(4):
            for j in range(4):
                rho[i, j] -= a[i, k] * np.conj(a[j, k])
            rho[i, i] = rho[i, i].real
        for i in range(4):
            rho[i, pivot] = 0.0
            rho[pivot, i] = 0.0


@kernel
def of_root(a, h):
    """Concurrence from A (4, 4); `h` is scratch."""
    # Y has -1, 1, 1, -1 on its antidiagonal
    t = np.empty((4, 4), np.complex128)
    for i in range(4):
        for j in range(4):
            t[i, j] = a[1, i] * a[2, j] + a[2, i] * a[1, j] - a[0, i] * a[3, j] - a[3, i] * a[0, j]
    for i in range(4):
        for j in range(4):
            total = 0.0 + 0.0j
            for k in range(4):
                total += np.conj(t[k, i]) * t[k, j]
            h[i, j] = total
    smallest_eigenvalue_4(h)  # leaves the eigenvalues on the diagonal
    largest, total = 0.0, 0.0
    for i in range(4):
        root = np.sqrt(max(h[i, i].real, 0.0))
        total += root
        largest = max(largest, root)
    return max(0.0, 2 * largest - total)
