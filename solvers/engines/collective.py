"""Collective moments of an ensemble of spins 1/2: total spin, its covariance and spin squeezing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

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
    pairs = np.zeros_like(pairs) if n == 1 else pairs
    length = np.linalg.norm(magnetisation, axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        direction = magnetisation / length[..., None]
    m_m = magnetisation[..., :, None] * magnetisation[..., None, :]
    covariance = (n * np.eye(3) + n * (n - 1) * pairs - n * n * m_m) / 4
    # any vector that is not parallel to m gives a basis of the perpendicular plane
    helper = np.zeros_like(magnetisation)
    np.put_along_axis(helper, np.argmin(np.abs(magnetisation), axis=-1)[..., None], 1.0, axis=-1)
    first = np.cross(direction, helper)
    first /= np.linalg.norm(first, axis=-1, keepdims=True)
    second = np.cross(direction, first)
    plane = np.stack([first, second], axis=-2)
    block = np.einsum("...pa,...ab,...qb->...pq", plane, covariance, plane)
    mean = (block[..., 0, 0] + block[..., 1, 1]) / 2
    smallest = mean - np.hypot((block[..., 0, 0] - block[..., 1, 1]) / 2, block[..., 0, 1])
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(length > VANISHES, 4 * smallest / (n * length**2), np.nan)
