"""What points cost: pilot timings, and the prediction made from them for every tile."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from sweep.plan import Plan
    from sweep.spec import SweepSpec

UNKNOWN_SECONDS = 10.0
"""Cost of a point that the pilot did not see the end of."""
_DAMPING = 0.1
"""Ridge of the fit: a dozen timings of a noisy machine must not make steep slopes."""


@dataclass
class Pilot:
    """What a pilot has found, by method.

    `seconds` per point in a batch; `samples`, single points as (places in the grid of 0 to 1 per dimension, seconds);
    `compiling`, seconds to have the kernels compiled or loaded. `memory` of the process in bytes.
    """

    seconds: dict[str, float] = field(default_factory=dict)
    samples: dict[str, list[tuple[list[float], float]]] = field(default_factory=dict)
    compiling: dict[str, float] = field(default_factory=dict)
    memory: int = 0

    def record(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {"seconds": self.seconds, "samples": self.samples}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Pilot:
        """The reverse of `record`."""
        return cls(dict(record.get("seconds", {})), dict(record.get("samples", {})))

    def costliest(self) -> float:
        """Seconds per point of the slowest method."""
        return max(self.seconds.values(), default=UNKNOWN_SECONDS)

    def spread(self) -> float:
        """How many times the mean the costliest sampled point takes, at least 1."""
        ratios = [1.0]
        for samples in self.samples.values():
            seconds = [s for _, s in samples]
            ratios.append(max(seconds) / (sum(seconds) / len(seconds)) if len(seconds) > 2 else 1.0)
        return max(ratios)

    def total(self, spec: SweepSpec) -> float:
        """Seconds of one core for the whole sweep."""
        return sum(self.seconds.values()) * spec.points / len(spec.methods)

    def tile_costs(self, plan: Plan) -> NDArray[np.float64]:
        """Predicted seconds of every tile, (tiles,), from a fit of log(seconds) linear in the place along each axis."""
        places = np.stack(np.unravel_index(np.arange(plan.tiles), plan.grid), axis=1).astype(float)
        shape, tile = np.asarray(plan.spec.shape), np.asarray(plan.tile)
        centre = np.minimum((places + 0.5) * tile, shape) / shape
        points = np.minimum(tile, shape - places * tile).prod(axis=1)
        labels = [d.name == "method" for d in plan.spec.dimensions]
        free = [k for k, is_method in enumerate(labels) if not is_method]
        costs = np.empty(plan.tiles)
        for number, method in enumerate(plan.spec.methods):
            mine = places[:, 0] == number if any(labels) else np.ones(plan.tiles, dtype=bool)
            mean = self.seconds.get(method, UNKNOWN_SECONDS)
            costs[mine] = mean * points[mine] * self._relative(method, centre[mine][:, free])
        return costs

    def _relative(self, method: str, centre: NDArray[np.float64]) -> NDArray[np.float64]:
        """Cost relative to the samples' mean at places of 0 to 1 per dimension."""
        samples = self.samples.get(method, [])
        if len(samples) < 4 or not centre.shape[1]:
            return np.ones(len(centre))
        where = np.asarray([place for place, _ in samples])
        logs = np.log(np.maximum([seconds for _, seconds in samples], 1e-7))
        away = where - where.mean(axis=0)
        slopes = np.linalg.solve(away.T @ away + _DAMPING * np.eye(away.shape[1]), away.T @ (logs - logs.mean()))
        steepest = math.log(1e6)
        relative: NDArray[np.float64] = np.exp(np.clip((centre - where.mean(axis=0)) @ slopes, -steepest, steepest))
        return relative
