"""Plan: how a sweep is cut into tiles, what its store holds, and what it will cost, before anything runs.

One tile is one task and one chunk of every variable, so that no two workers ever share a chunk.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers import find
from solvers.declarations import Output
from solvers.model import Model
from sweep.cost import Pilot
from sweep.errors import SpecError
from sweep.spec import METHOD, SweepSpec

TILE_BYTES = 4 << 20
"""Largest chunk of one variable; one point may exceed it."""
TILE_SECONDS = (0.05, 15.0)
"""Shortest and longest work of a tile: a tile costs about 20 ms by itself, and is what a crash can lose."""
LONGEST_TILE_SECONDS = 60.0
"""Longest work of the tile with the costliest points."""
TILES_PER_WORKER = 8
"""Tiles per worker that leave a live picture and an even finish, when the work allows it."""
LARGEST_RUN = 1 << 40
"""Bytes of results beyond which a sweep is taken for a slip of the pen."""
MOST_TILES = 2_000_000


@dataclass(frozen=True)
class Variable:
    """One array of the store over the grid: `dims` are the grid's dimensions and then the output's own."""

    name: str
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    dtype: np.dtype[Any]
    output: Output | None = None


@dataclass(frozen=True)
class Tile:
    """One tile: its method, its place in the grid, and its points (name -> (P,) in C order over the grid)."""

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
        points: dict[str, NDArray[Any]] = {}
        for k, (dimension, part) in enumerate(zip(self.spec.dimensions, region, strict=True)):
            if dimension.name == METHOD:
                method = dimension.labels[part.start]
            for name, values in dimension.columns.items():
                along = values[part].reshape([-1 if j == k else 1 for j in range(len(shape))])
                points[name] = np.broadcast_to(along, shape).ravel()
        if not points:  # a sweep over methods alone: one point each
            first = next(p for p in self.model.parameters if not p.dims and not p.shape)
            points[first.name] = np.asarray([self.spec.parameters[first.name]])
        return Tile(index, method, region, shape, points)

    def fixed(self, points: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters that are the same at all points, without those that are given per point."""
        return {k: v for k, v in self.spec.parameters.items() if k not in points and v is not None}

    @cached_property
    def variables(self) -> tuple[Variable, ...]:
        """The arrays of the store: the outputs, `elapsed_seconds`, `status`."""
        return variables_of(self.spec, self.tile)

    @property
    def bytes(self) -> int:
        """Bytes of all results, uncompressed."""
        return sum(math.prod(v.shape) * v.dtype.itemsize for v in self.variables)


def variables_of(spec: SweepSpec, tile: Sequence[int]) -> tuple[Variable, ...]:
    """The arrays of a store."""
    model = find(spec.model)
    dims = tuple(d.name for d in spec.dimensions)
    tile = tuple(tile)
    lengths = model.lengths(spec.parameters)
    found = []
    for output in model.outputs:
        if output.name in spec.keep:
            own = tuple(lengths[d] for d in output.dims)
            found.append(
                Variable(output.name, dims + output.dims, spec.shape + own, tile + own, output.dtype, output),
            )
    found.append(Variable("elapsed_seconds", dims, spec.shape, tile, np.dtype(np.float64)))
    found.append(Variable("status", dims, spec.shape, tile, np.dtype(np.uint8)))
    return tuple(found)


def point_bytes(spec: SweepSpec) -> tuple[int, int]:
    """Bytes of one point: of its largest variable, and of all."""
    ones = (1,) * len(spec.dimensions)
    each = [math.prod(v.chunks) * v.dtype.itemsize for v in variables_of(spec, ones)]
    return max(each), sum(each)


def check_size(spec: SweepSpec) -> None:
    """Refuse a sweep that nobody can have meant, with its size."""
    total = spec.points * point_bytes(spec)[1]
    if total > LARGEST_RUN:
        sizes = " x ".join(f"{d.name} {d.size}" for d in spec.dimensions)
        raise SpecError(
            f"the sweep has {spec.points:,} points ({sizes}) and would fill {total / 2**40:,.1f} TiB; at most "
            f"{LARGEST_RUN / 2**40:.0f} TiB is allowed; use fewer points, or keep fewer outputs with [outputs] keep"
        )


def tile_shape(spec: SweepSpec, pilot: Pilot, workers: int) -> tuple[int, ...]:
    """The tile shape: the spec's own, or one that makes tiles of a good duration and size."""
    if spec.tile is not None:
        shape = tuple(min(spec.tile.get(d.name, d.size), d.size) for d in spec.dimensions)
        shape = tuple(1 if d.name == METHOD else n for d, n in zip(spec.dimensions, shape, strict=True))
    else:
        each = max(pilot.costliest(), 1e-9)
        shortest, longest = TILE_SECONDS
        seconds = min(max(each * spec.points / (workers * TILES_PER_WORKER), shortest), longest)
        seconds = min(seconds, LONGEST_TILE_SECONDS / pilot.spread())
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
        length = 1 if dimension.name == METHOD else max(1, min(size, points))
        length = math.ceil(size / math.ceil(size / length))
        shape.append(length)
        points //= length
    return tuple(reversed(shape))


def sample_points(spec: SweepSpec, numbers: NDArray[Any]) -> tuple[dict[str, NDArray[Any]], NDArray[np.float64]]:
    """Points spread evenly over the grid, by their numbers 0, 1, 2, ... (P,).

    Returns name -> (P,), and their places of 0 to 1 along each dimension but the methods' (P, dimensions).
    """
    grid = [d for d in spec.dimensions if d.name != METHOD]
    # The fractional parts of multiples of powers of one irrational number visit a box evenly, however many are taken
    # (the R-sequence: the root of x^(d+1) = x + 1 for d dimensions).
    root = 2.0
    for _ in range(60):
        root = (1.0 + root) ** (1.0 / (len(grid) + 1))
    steps = root ** -np.arange(1.0, len(grid) + 1)
    share = np.mod(0.5 + np.outer(numbers, steps), 1.0)
    sizes = np.asarray([d.size for d in grid], dtype=np.int64)
    place = np.minimum((share * sizes).astype(np.int64), sizes - 1)
    points = {name: values[place[:, k]] for k, d in enumerate(grid) for name, values in d.columns.items()}
    return points, (place + 0.5) / sizes
