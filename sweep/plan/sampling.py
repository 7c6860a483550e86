"""Points spread evenly over a grid."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sweep.spec.sweep_spec import SweepSpec


def sample_points(spec: SweepSpec, numbers: NDArray[Any]) -> tuple[Mapping[str, NDArray[Any]], NDArray[np.float64]]:
    """Points spread evenly over the grid, by their numbers 0, 1, 2, ... (P,).

    Returns name -> (P,) or (P, ...), and their places of 0 to 1 along each dimension but the methods' (P, dimensions).
    """
    grid = [d for d in spec.dimensions if not d.labels]
    # The fractional parts of multiples of powers of one irrational number visit a box evenly, however many are taken
    # (the R-sequence: the root of x^(d+1) = x + 1 for d dimensions).
    root = 2.0
    for _ in range(60):
        root = (1.0 + root) ** (1.0 / (len(grid) + 1))
    steps = root ** -np.arange(1.0, len(grid) + 1)
    share = np.mod(0.5 + np.outer(numbers, steps), 1.0)
    sizes = np.asarray([d.size for d in grid], dtype=np.int64)
    place = np.minimum((share * sizes).astype(np.int64), sizes - 1)
    columns = iter(place.T)
    nowhere = np.zeros(len(place), dtype=np.int64)
    points = spec.at([nowhere if d.labels else next(columns) for d in spec.dimensions])
    return points, (place + 0.5) / sizes
