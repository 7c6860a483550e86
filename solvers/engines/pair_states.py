"""Whether one- and two-spin moments belong to a state: the smallest eigenvalue of all pair density matrices.

rho_ij = (1 + s_i.sigma x 1 + 1 x s_j.sigma + sum_ab C_ij^ab sigma^a x sigma^b) / 4
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from solvers.numerics.compile import entry, kernel

TOLERANCE = 1e-6
"""By how much a Bloch vector may exceed 1, or a pair eigenvalue fall below 0, before the moments are called unphysical."""


def smallest_pair_eigenvalue(spins: NDArray[np.float64], correlations: NDArray[np.float64]) -> NDArray[np.float64]:
    """Smallest eigenvalue over all pairs i < j, (T,), of spins (T, N, 3) and raw correlations (T, N, N, 3, 3).

    For a single spin, the smaller eigenvalue of its density matrix, (1 - |s|)/2.
    """
    if spins.shape[1] == 1:
        return (1 - np.linalg.norm(spins[:, 0], axis=-1)) / 2
    return smallest_of_pairs(np.ascontiguousarray(spins), np.ascontiguousarray(correlations))


def first_unphysical(
    times: NDArray[np.float64], spins: NDArray[np.float64], pair_eigenvalue: NDArray[np.float64]
) -> tuple[float, str]:
    """First time at which |s_i| > 1 or a pair eigenvalue < 0 (by more than `TOLERANCE`), and the reason; NaN and "" if none."""
    longest = np.linalg.norm(spins, axis=-1).max(axis=-1)
    bad = (longest > 1 + TOLERANCE) | (pair_eigenvalue < -TOLERANCE)
    if not bad.any():
        return float("nan"), ""
    k = int(bad.argmax())
    reasons = []
    if longest[k] > 1 + TOLERANCE:
        reasons.append(f"a spin has length {longest[k]:.6g} > 1")
    if pair_eigenvalue[k] < -TOLERANCE:
        reasons.append(f"a pair state has the eigenvalue {pair_eigenvalue[k]:.3g} < 0")
    return float(times[k]), " and ".join(reasons)


def smallest_of_products(spins: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same (...,) of product states with Bloch vectors (..., N, 3).

    The eigenvalues of a pair are (1 +- |s|)(1 +- |r|)/4.
    """
    length = np.linalg.norm(spins, axis=-1)
    if spins.shape[-2] == 1:
        return np.asarray((1 - length[..., 0]) / 2)
    longest = np.sort(length, axis=-1)[..., -2:]
    shorter, longer = longest[..., 0], longest[..., 1]
    # a vector longer than 1 leaves the lowest eigenvalue to what is the longest beside it
    return np.asarray((1 - longer) * np.where(longer > 1, 1 + shorter, 1 - shorter) / 4)


def physical(spins: NDArray[np.float64], smallest: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether all spins (P, T, N, 3) and smallest pair eigenvalues (P, T) of a point belong to a state, as `first_unphysical` says it."""
    longest = np.linalg.norm(spins, axis=-1).max(axis=-1)
    return np.asarray(~((longest > 1 + TOLERANCE) | (smallest < -TOLERANCE)).any(axis=1))


@entry
def smallest_of_pairs(spins, correlations):
    """Smallest eigenvalue over all pairs (T,) of spins (T, N, 3) and correlations (T, N, N, 3, 3); NaN for moments that are not finite."""
    count, n = spins.shape[0], spins.shape[1]
    found = np.empty(count)
    matrix = np.empty((4, 4), np.complex128)
    for t in range(count):
        smallest = np.inf
        for i in range(n):
            for j in range(i + 1, n):
                value = pair_eigenvalue(spins[t, i], spins[t, j], correlations[t, i, j], matrix)
                if not value >= smallest:
                    smallest = value
                if np.isnan(value):
                    break
            if np.isnan(smallest):
                break
        found[t] = smallest
    return found


@kernel
def fill_upper(s, p, c, matrix):
    """Four times the pair state with Bloch vectors s, p and correlations c (3, 3): `matrix` (4, 4) on and above the diagonal."""
    x, y, z = 0, 1, 2
    matrix[0, 0] = 1 + s[z] + p[z] + c[z, z]
    matrix[1, 1] = 1 + s[z] - p[z] - c[z, z]
    matrix[2, 2] = 1 - s[z] + p[z] - c[z, z]
    matrix[3, 3] = 1 - s[z] - p[z] + c[z, z]
    matrix[0, 1] = complex(p[x] + c[z, x], -(p[y] + c[z, y]))
    matrix[2, 3] = complex(p[x] - c[z, x], -(p[y] - c[z, y]))
    matrix[0, 2] = complex(s[x] + c[x, z], -(s[y] + c[y, z]))
    matrix[1, 3] = complex(s[x] - c[x, z], -(s[y] - c[y, z]))
    matrix[0, 3] = complex(c[x, x] - c[y, y], -(c[x, y] + c[y, x]))
    matrix[1, 2] = complex(c[x, x] + c[y, y], c[x, y] - c[y, x])


@kernel
def pair_eigenvalue(s, p, c, matrix):
    """Smallest eigenvalue of the pair state with Bloch vectors s, p and correlations c (3, 3); `matrix` is scratch (4, 4)."""
    fill_upper(s, p, c, matrix)
    return 0.25 * smallest_eigenvalue_4(matrix)


@kernel
def smallest_eigenvalue_4(h):
    """Smallest eigenvalue of a Hermitian 4 x 4 matrix, upper triangle given, by cyclic Jacobi rotations (h is overwritten)."""
    scale = 0.0
    for i in range(4):
        for j in range(i + 1, 4):
            h[j, i] = np.conj(h[i, j])
        for j in range(4):
            scale += h[i, j].real ** 2 + h[i, j].imag ** 2
    if not np.isfinite(scale):
        return np.nan
    for _ in range(30):
        off = 0.0
        for i in range(4):
            for j in range(i + 1, 4):
                off += h[i, j].real ** 2 + h[i, j].imag ** 2
        if off <= 1e-28 * scale:
            break
        for p in range(3):
            for q in range(p + 1, 4):
                size = np.sqrt(h[p, q].real ** 2 + h[p, q].imag ** 2)
                if size <= 1e-300:
                    continue
                phase = h[p, q] / size
                theta = (h[q, q].real - h[p, p].real) / (2 * size)
                t = 1 / (abs(theta) + np.sqrt(theta * theta + 1))
                if theta < 0:
                    t = -t
                c = 1 / np.sqrt(t * t + 1)
                s = t * c
                h[p, p] = h[p, p].real - t * size
                h[q, q] = h[q, q].real + t * size
                h[p, q] = 0.0
                h[q, p] = 0.0
                for k in range(4):
                    if k not in (p, q):
                        hkp, hkq = h[k, p], h[k, q]
                        h[k, p] = c * hkp - s * np.conj(phase) * hkq
                        h[k, q] = s * phase * hkp + c * hkq
                        h[p, k] = np.conj(h[k, p])
                        h[q, k] = np.conj(h[k, q])
    return min(min(h[0, 0].real, h[1, 1].real), min(h[2, 2].real, h[3, 3].real))
