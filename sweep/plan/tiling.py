"""Plan: how a sweep is cut into tiles.

One tile is one task and one chunk of every variable, so that no two workers ever share a chunk.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers import find
from solvers.model import Model
from sweep.errors import SpecError
from sweep.plan.timings import Timings
from sweep.plan.variables import Variable, point_bytes, variables_of
from sweep.spec.sweep_spec import SweepSpec

TILE_BYTES = 4 << 20
"""Largest chunk of one variable; one point may exceed it."""
OVERHEAD_SECONDS = 0.02
"""What a tile costs by itself."""
TILE_SECONDS = (0.05, 15.0)
"""Shortest and longest work of a tile: it should outweigh what a tile costs by itself, and is what a crash can lose."""
LONGEST_TILE_SECONDS = 60.0
"""Longest work of the tile with the costliest points."""
TILES_PER_WORKER = 8
"""Tiles per worker that leave a live picture and an even finish, when the work allows it."""
MOST_TILES = 2_000_000


@dataclass(frozen=True)
class Tile:
    """One tile: its method, its place in the grid, and its points in C order over the grid (name -> (P,) or (P, ...)).

    Where only the method varies there are no names, and one point.
    """

    index: int
    method: str
    region: tuple[slice, ...]
    shape: tuple[int, ...]
    points: Mapping[str, NDArray[Any]]

    @property
    def size(self) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True)
class Plan:
    """A spec and its tile shape; everything else follows from these two."""

    spec: SweepSpec
    tile: tuple[int, ...]

    @cached_property
    def model(self) -> Model:
        return find(self.spec.model)

    @cached_property
    def grid(self) -> tuple[int, ...]:
        """Number of tiles along each dimension."""
        return tuple(math.ceil(n / t) for n, t in zip(self.spec.shape, self.tile, strict=True))

    @property
    def tiles(self) -> int:
        return math.prod(self.grid)

    def region(self, index: int) -> tuple[slice, ...]:
        """The part of the grid that a tile covers."""
        place = np.unravel_index(index, self.grid)
        return tuple(
            slice(int(k) * t, min((int(k) + 1) * t, n))
            for k, t, n in zip(place, self.tile, self.spec.shape, strict=True)
        )

    def at(self, index: int) -> Tile:
        """A tile with the parameters of its points."""
        region = self.region(index)
        shape = tuple(s.stop - s.start for s in region)
        method = self.spec.methods[0]
        places = []
        for k, (dimension, part) in enumerate(zip(self.spec.dimensions, region, strict=True)):
            if dimension.labels:
                method = dimension.labels[part.start]
            places.append(np.arange(part.start, part.stop).reshape([-1 if j == k else 1 for j in range(len(shape))]))
        points = {}
        for name, values in self.spec.at(places).items():
            own = values.shape[len(shape) :]
            points[name] = np.broadcast_to(values, shape + own).reshape((-1, *own))
        return Tile(index, method, region, shape, points)

    @cached_property
    def variables(self) -> tuple[Variable, ...]:
        """The arrays of the store: the outputs, `elapsed_seconds`, `status`."""
        return variables_of(self.spec, self.tile)

    @property
    def bytes(self) -> int:
        """Bytes of all results, uncompressed."""
        return sum(math.prod(v.shape) * v.dtype.itemsize for v in self.variables)


def tile_shape(spec: SweepSpec, timings: Timings, workers: int) -> tuple[int, ...]:
    """The tile shape: the spec's own, or one that makes tiles of a good duration and size."""
    if spec.tile is not None:
        shape = tuple(min(spec.tile.get(d.name, d.size), d.size) for d in spec.dimensions)
        shape = tuple(1 if d.labels else n for d, n in zip(spec.dimensions, shape, strict=True))
    else:
        each = max(timings.costliest(), 1e-9)
        shortest, longest = TILE_SECONDS
        seconds = min(max(each * spec.points / (workers * TILES_PER_WORKER), shortest), longest)
        seconds = min(seconds, LONGEST_TILE_SECONDS / timings.spread())
        most = TILE_BYTES / point_bytes(spec)[0]
        shape = _fill(spec, max(1, int(min(seconds / each, most))))
    tiles = math.prod(math.ceil(d.size / t) for d, t in zip(spec.dimensions, shape, strict=True))
    if tiles > MOST_TILES:
        raise SpecError(
            f"the sweep would have {tiles:,} tiles, more than {MOST_TILES:,}; use larger tiles ([run] tile)"
        )
    return shape


def _fill(spec: SweepSpec, points: int) -> tuple[int, ...]:
    """About `points` points per tile, the last dimensions filled first, each dimension cut evenly."""
    shape = []
    for dimension in reversed(spec.dimensions):
        size = dimension.size
        length = 1 if dimension.labels else max(1, min(size, points))
        length = math.ceil(size / math.ceil(size / length))
        shape.append(length)
        points //= length
    return tuple(reversed(shape))
