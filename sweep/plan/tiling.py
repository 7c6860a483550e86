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
from sweep.plan.shapes import block_of, cube_of
from sweep.plan.timings import Timings
from sweep.plan.variables import Variable, point_bytes, variables_of
from sweep.spec.sweep_spec import SweepSpec

TILE_BYTES = 4 << 20
"""Largest chunk of one variable; one point may exceed it."""
OVERHEAD_SECONDS = 0.005
"""What a tile costs by itself."""
SHORTEST_SECONDS = 0.05
"""Least work of a tile: it should outweigh what a tile costs by itself."""
TILE_SECONDS = 15.0
"""Work of a tile where there is enough for all workers: what a crash can lose, and seldom enough for any file system."""
SECONDS_PER_WORKER = 0.004
"""So much longer tiles for every worker: a scheduler and a driver bear 250 tiles per second with ease."""
LONGEST_TILE_SECONDS = 60.0
"""Longest work of the tile with the costliest points."""
TILES_PER_WORKER = 8
"""Tiles per worker that leave a live picture and an even finish, when the work allows it."""
REFINED_POINTS = 16384
"""Points of a tile of a refined grid: a boundary touches few of them, and every round writes those anew that it touches."""
MOST_TILES = 2_000_000
"""Tiles of a run; where there is more work than that, they are longer."""


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

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """Points of every tile, (tiles,)."""
        found = np.ones(1, dtype=np.int64)
        for size, length, count in zip(self.spec.shape, self.tile, self.grid, strict=True):
            lengths = np.minimum(length, size - length * np.arange(count))
            found = np.multiply.outer(found, lengths).ravel()
        return found

    def place(self, index: int) -> tuple[int, ...]:
        """Where in the grid of tiles a tile is."""
        place = []
        for count in reversed(self.grid):
            index, k = divmod(index, count)
            place.append(k)
        return tuple(reversed(place))

    def region(self, index: int) -> tuple[slice, ...]:
        """The part of the grid that a tile covers."""
        places = zip(self.place(index), self.tile, self.spec.shape, strict=True)
        return tuple(slice(k * t, min((k + 1) * t, n)) for k, t, n in places)

    def shape_of(self, index: int) -> tuple[int, ...]:
        """The shape of a tile."""
        return tuple(part.stop - part.start for part in self.region(index))

    def at(self, index: int) -> Tile:
        """A tile with the parameters of its points."""
        region = self.region(index)
        shape = self.shape_of(index)
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

    @cached_property
    def outputs(self) -> tuple[Variable, ...]:
        """The arrays that hold results."""
        return tuple(v for v in self.variables if v.output is not None)

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
        longest = max(TILE_SECONDS, SECONDS_PER_WORKER * workers)
        seconds = min(max(each * spec.points / (workers * TILES_PER_WORKER), SHORTEST_SECONDS), longest)
        seconds = min(seconds, max(LONGEST_TILE_SECONDS, longest) / timings.spread())
        points = max(1, int(min(seconds / each, TILE_BYTES / point_bytes(spec)[0])))
        if spec.refine is not None:
            points = min(points, REFINED_POINTS)
        points = max(points, math.ceil(spec.points / MOST_TILES))
        block = block_of if spec.refine is None else cube_of
        while _tiles(spec, shape := block(spec, points)) > MOST_TILES:
            points = math.ceil(1.1 * points)
    if (tiles := _tiles(spec, shape)) > MOST_TILES:
        raise SpecError(
            f"the sweep would have {tiles:,} tiles, more than {MOST_TILES:,}; use larger tiles ([run] tile)"
        )
    return shape


def _tiles(spec: SweepSpec, shape: tuple[int, ...]) -> int:
    return math.prod(math.ceil(d.size / t) for d, t in zip(spec.dimensions, shape, strict=True))
