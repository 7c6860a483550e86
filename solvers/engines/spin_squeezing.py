"""Spin squeezing of one collective spin from its first and second moments.

    xi^2 = 2S min Var(S_perp) / |<S>|^2

over directions perpendicular to the mean spin; for a mean along z, Eq. (33) of Huber, Kirton and Rabl.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def perpendicular(mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """Two unit vectors (..., 2, 3) perpendicular to vectors (..., 3) and to each other; any two perpendicular to z for a zero vector."""
    length = np.linalg.norm(mean, axis=-1, keepdims=True)
    up = np.zeros_like(mean)
    up[..., 2] = 1.0
    direction = np.where(length > 0, mean / np.where(length > 0, length, 1.0), up)
    helper = np.zeros_like(mean)
    np.put_along_axis(helper, np.argmin(np.abs(direction), axis=-1)[..., None], 1.0, axis=-1)
    first = np.cross(direction, helper)
    first /= np.linalg.norm(first, axis=-1, keepdims=True)
    return np.stack([first, np.cross(direction, first)], axis=-2)


def least_variance(
    mean: NDArray[np.float64], second: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The smallest variance perpendicular to the mean spin (...,), and its direction (..., 3).

    mean: (..., 3); second: symmetrised second moments (..., 3, 3).
    """
    plane = perpendicular(mean)
    block = np.einsum("...pa,...ab,...qb->...pq", plane, second, plane)
    values, vectors = np.linalg.eigh(np.nan_to_num(block))
    direction = np.einsum("...p,...pa->...a", vectors[..., 0], plane)
    return np.where(np.isfinite(block).all(axis=(-2, -1)), values[..., 0], np.nan), direction


def squeezing(S: float, mean: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """xi^2 (...,); NaN where the mean spin vanishes (below 1e-9 S)."""
    length2 = np.sum(mean**2, axis=-1)
    variance, _ = least_variance(mean, second)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(length2 > (1e-9 * S) ** 2, 2 * S * variance / length2, np.nan)
