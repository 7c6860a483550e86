"""Collective moments of an ensemble of spins 1/2: total spin, its covariance and spin squeezing."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from solvers.numerics.compile import entry, kernel

VANISHES = 1e-8
"""|m| below which <S> has no direction that could be known."""


def pair_means(correlations: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over pairs of <s_i^a s_j^b>, symmetrised, (..., 3, 3), from (..., N, N, 3, 3) with zeros on site; NaN for N = 1."""
    n = correlations.shape[-3]
    if n == 1:
        return np.full((*correlations.shape[:-4], 3, 3), np.nan)
    return correlations.sum(axis=(-4, -3)) / (n * (n - 1))


def product_pair_means(spins: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same for product states with Bloch vectors (..., N, 3), without forming the pairs."""
    n = spins.shape[-2]
    if n == 1:
        return np.full((*spins.shape[:-2], 3, 3), np.nan)
    total = spins.sum(axis=-2)
    same = np.einsum("...ia,...ib->...ab", spins, spins)
    return (np.einsum("...a,...b->...ab", total, total) - same) / (n * (n - 1))


def squeezing(n: int, magnetisation: NDArray[np.float64], pairs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Wineland's xi^2 = N min Var(S_perp) / |<S>|^2 (...,) from m (..., 3) and pair means (..., 3, 3).

    <S> = N m / 2 and Cov(S_a, S_b) = (N delta_ab + N (N-1) p_ab - N^2 m_a m_b) / 4; the minimum is over directions
    perpendicular to m. NaN where |m| is below VANISHES: what is left of m there is the error of its calculation.
    """
    m = np.ascontiguousarray(magnetisation).reshape(-1, 3)
    found = np.empty(len(m))
    squeezings(n, m, np.ascontiguousarray(pairs).reshape(-1, 3, 3), found)
    return found.reshape(magnetisation.shape[:-1])


@entry
def squeezings(n, magnetisation, pairs, found):
    """`squeezing` of rows (R,)."""
    for row in range(found.size):
        found[row] = squeezing_of(n, magnetisation[row], pairs[row])


@kernel
def squeezing_of(n, m, p):
    """`squeezing` of one m (3,) and p (3, 3)."""
    length = math.sqrt(m[0] * m[0] + m[1] * m[1] + m[2] * m[2])
    if not length > VANISHES:
        return math.nan
    x, y, z = m[0] / length, m[1] / length, m[2] / length
    # the axis that is least along m gives a basis (a, b) of the perpendicular plane
    if abs(x) <= abs(y) and abs(x) <= abs(z):
        a0, a1, a2 = 0.0, z, -y
    elif abs(y) <= abs(z):
        a0, a1, a2 = -z, 0.0, x
    else:
        a0, a1, a2 = y, -x, 0.0
    size = math.sqrt(a0 * a0 + a1 * a1 + a2 * a2)
    a0, a1, a2 = a0 / size, a1 / size, a2 / size
    b0, b1, b2 = y * a2 - z * a1, z * a0 - x * a2, x * a1 - y * a0
    weight = n - 1.0
    aa, ab, bb = 1.0, 0.0, 1.0  # 4 Cov / N: in the plane m has no component
    if n > 1:
        pa0 = p[0, 0] * a0 + p[0, 1] * a1 + p[0, 2] * a2
        pa1 = p[1, 0] * a0 + p[1, 1] * a1 + p[1, 2] * a2
        pa2 = p[2, 0] * a0 + p[2, 1] * a1 + p[2, 2] * a2
        aa += weight * (a0 * pa0 + a1 * pa1 + a2 * pa2)
        ab += weight * (b0 * pa0 + b1 * pa1 + b2 * pa2)
        pb0 = p[0, 0] * b0 + p[0, 1] * b1 + p[0, 2] * b2
        pb1 = p[1, 0] * b0 + p[1, 1] * b1 + p[1, 2] * b2
        pb2 = p[2, 0] * b0 + p[2, 1] * b1 + p[2, 2] * b2
        bb += weight * (b0 * pb0 + b1 * pb1 + b2 * pb2)
    smallest = 0.5 * (aa + bb) - math.hypot(0.5 * (aa - bb), ab)
    return smallest / (length * length)


@entry
def collective_moments(n, moments, magnetisation, pairs, squeezed):
    """m (R, 3), pair means (R, 3, 3) and xi^2 (R,) of rows (R, K): <s_i^a>, then <s_i^a s_j^b> for i < j."""
    count = n * (n - 1) // 2
    for row in range(moments.shape[0]):
        for a in range(3):
            total = 0.0
            for i in range(n):
                total += moments[row, 3 * i + a]
            magnetisation[row, a] = total / n
        for a in range(3):
            for b in range(3):
                if n == 1:
                    pairs[row, a, b] = math.nan
                    continue
                total = 0.0
                for k in range(count):
                    place = 3 * n + 9 * k
                    total += moments[row, place + 3 * a + b] + moments[row, place + 3 * b + a]
                pairs[row, a, b] = total / (2 * count)
        squeezed[row] = squeezing_of(n, magnetisation[row], pairs[row])
