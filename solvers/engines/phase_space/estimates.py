"""From running sums over trajectories to means, standard errors, squeezing and the monitors of the spin length."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from solvers.engines.spin_squeezing import least_variance, squeezing

Array = NDArray[np.float64]


class Estimate(NamedTuple):
    """Means over trajectories at T times, with standard errors (NaN for a single trajectory)."""

    mean: Array  # (T, 3)
    mean_sem: Array
    second: Array  # (T, 3, 3)
    second_sem: Array
    xi2: Array  # (T,)
    xi2_sem: Array
    length_mean: Array  # (T,) of N = |alpha|^2 + |beta|^2
    length_variance: Array


def tensor(six: Array) -> Array:
    """(..., 3, 3) from xx, xy, xz, yy, yz, zz (..., 6)."""
    xx, xy, xz, yy, yz, zz = np.moveaxis(six, -1, 0)
    return np.stack([np.stack(row, axis=-1) for row in ((xx, xy, xz), (xy, yy, yz), (xz, yz, zz))], axis=-2)


def estimate(S: float, sums: Array, trajectories: int) -> Estimate:
    """From sums (T, QUANTITIES, GROUPS) over `trajectories`, of which number i is in group i mod GROUPS.

    The smallest variance of sampled data is biased low, by up to sqrt(2/trajectories) where it is nearly the same in all
    directions. So each group's variance is taken in the direction that is smallest in all the others: unbiased where
    directions are equal, and high by a part of order 1/trajectories at most. Sums that are not finite give NaN.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        return _estimate(S, np.where(np.isfinite(sums), sums, np.nan), trajectories)


def _estimate(S: float, sums: Array, trajectories: int) -> Estimate:
    counts = np.array([len(range(g, trajectories, sums.shape[-1])) for g in range(sums.shape[-1])], dtype=np.float64)
    groups = int(np.count_nonzero(counts))
    counts, sums = counts[:groups], sums[..., :groups]
    total = sums.sum(axis=-1)
    average = total / trajectories
    if trajectories > 1:
        spread = np.maximum(average[:, 11:20] - average[:, :9] ** 2, 0.0) * trajectories / (trajectories - 1)
    else:
        spread = np.full_like(average[:, :9], np.nan)
    sem = np.sqrt(spread / trajectories)
    mean, second = average[:, :3], tensor(average[:, 3:9])
    length_variance = np.maximum(average[:, 10] - average[:, 9] ** 2, 0.0)
    if trajectories > 1:
        length_variance = length_variance * trajectories / (trajectories - 1)
        rest = (total[..., None] - sums) / (trajectories - counts)
        _, direction = least_variance(
            np.moveaxis(rest[:, :3], 1, -1), tensor(np.moveaxis(rest[:, 3:9], 1, -1))
        )  # (T, groups, 3)
        own = tensor(np.moveaxis(sums[:, 3:9] / counts, 1, -1))
        variances = np.einsum("tga,tgab,tgb->tg", direction, own, direction)
        length2 = np.sum(mean**2, axis=-1)
        with np.errstate(divide="ignore", invalid="ignore"):
            scale = np.where(length2 > (1e-9 * S) ** 2, 2 * S / length2, np.nan)
        xi2 = scale * (variances @ counts) / trajectories
        xi2_sem = scale * np.std(variances, axis=-1, ddof=1) / np.sqrt(groups)
    else:
        xi2 = squeezing(S, mean, second)
        xi2_sem = np.full_like(xi2, np.nan)
    return Estimate(mean, sem[:, :3], second, tensor(sem[:, 3:9]), xi2, xi2_sem, average[:, 9] + 2 * S, length_variance)
