"""Costs of tiles, predicted from the timings of a pilot."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from sweep.plan.tiling import Plan
from sweep.plan.timings import UNKNOWN_SECONDS, Timings

_DAMPING = 0.1
"""Ridge of the fit: a dozen timings of a noisy machine must not make steep slopes."""


def tile_costs(plan: Plan, timings: Timings) -> NDArray[np.float64]:
    """Predicted seconds of every tile, (tiles,), from a fit of log(seconds) linear in the place along each axis."""
    places = np.stack(np.unravel_index(np.arange(plan.tiles), plan.grid), axis=1).astype(float)
    shape, tile = np.asarray(plan.spec.shape), np.asarray(plan.tile)
    centre = np.minimum((places + 0.5) * tile, shape) / shape
    of_methods = [bool(d.labels) for d in plan.spec.dimensions]
    free = [k for k, labelled in enumerate(of_methods) if not labelled]
    costs = np.empty(plan.tiles)
    for number, method in enumerate(plan.spec.methods):
        mine = places[:, 0] == number if any(of_methods) else np.ones(plan.tiles, dtype=bool)
        mean = timings.seconds.get(method, UNKNOWN_SECONDS)
        costs[mine] = mean * plan.sizes[mine] * _relative(timings, method, centre[mine][:, free])
    return costs


def _relative(timings: Timings, method: str, centre: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cost relative to the samples' mean at places of 0 to 1 per dimension."""
    samples = timings.samples.get(method, ())
    if len(samples) < 4 or not centre.shape[1]:
        return np.ones(len(centre))
    where = np.asarray([place for place, _ in samples])
    logs = np.log(np.maximum([seconds for _, seconds in samples], 1e-7))
    away = where - where.mean(axis=0)
    slopes = np.linalg.solve(away.T @ away + _DAMPING * np.eye(away.shape[1]), away.T @ (logs - logs.mean()))
    steepest = math.log(1e6)
    relative: NDArray[np.float64] = np.exp(np.clip((centre - where.mean(axis=0)) @ slopes, -steepest, steepest))
    return relative
