"""Which points a refined grid needs, and what lies between them.

A grid is cut into nested cells: at level 0 between neighbours of the grid, at level l between every 2^l-th value of each
refined axis (and its last). A cell *varies* when a watched result differs between two computed points in it, its faces
counted in. The points that are needed are the smallest set that holds

* every corner of a cell of the start grid, and
* with every cell that varies, all corners of the cells that it is halved into.

More computed points make more cells vary and never fewer, so this set does not depend on the order in which it is found,
nor on interruptions; and a boundary that leaves a refined cell through a face is followed into the next one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sweep.errors import SpecError
from sweep.spec.sweep_spec import SweepSpec

LARGEST = 200_000_000
"""Points of a grid that is refined: the driver holds the watched results of all of them."""
EXPECTED_SHARE = 0.1
"""Of the points, computed in a refined sweep; a guess, for what must be decided before."""
Edges = tuple[NDArray[np.int64], ...]


@dataclass(frozen=True)
class Channel:
    """A watched result at every point of a grid, NaN where there is none, and the change of it that counts."""

    values: NDArray[np.float64]
    tolerance: float = 0.0


@dataclass(frozen=True)
class Lattice:
    """The nested cells of a grid; along an axis that is not refined every value is a cell by itself."""

    shape: tuple[int, ...]
    depth: int
    refined: tuple[bool, ...]

    @classmethod
    def of(cls, spec: SweepSpec) -> Lattice:
        """Of a spec with `[refine]`; SpecError where its grid is too large for it."""
        assert spec.refine is not None
        if spec.points > LARGEST:
            raise SpecError(
                f"a grid of {spec.points:,} points cannot be refined, at most {LARGEST:,} can; use a smaller grid, or slices "
                "of this one"
            )
        return cls(spec.shape, spec.refine.depth, tuple(d.name in spec.refine.axes for d in spec.dimensions))

    def edges(self, level: int) -> Edges:
        """The places of the corners of the cells of a level, along each axis."""
        found = []
        for size, refined in zip(self.shape, self.refined, strict=True):
            places = np.arange(0, size, 2**level if refined else 1)
            found.append(places if places[-1] == size - 1 else np.append(places, size - 1))
        return tuple(found)

    @property
    def start(self) -> NDArray[np.bool_]:
        """The points of the start grid, as a mask."""
        found = np.zeros(self.shape, dtype=bool)
        found[np.ix_(*self.edges(self.depth))] = True
        return found

    @property
    def start_points(self) -> int:
        return math.prod(len(e) for e in self.edges(self.depth))

    def needed(self, channels: Iterable[Channel]) -> NDArray[np.bool_]:
        """The points that the cells which vary need, and the start grid, as a mask; some may be computed already."""
        varying: list[NDArray[np.bool_]] = []
        for channel in channels:
            for level, found in enumerate(self._varying(channel)):
                if level < len(varying):
                    varying[level] |= found
                else:
                    varying.append(found)
        needed = self.start
        for level, cells in enumerate(varying, 1):
            parts = self.edges(level - 1)
            corners = cells
            for axis, (whole, part) in enumerate(zip(self.edges(level), parts, strict=True)):
                if self.refined[axis]:  # a corner is needed by the cells on both sides of it
                    last = len(whole) - 2
                    before = np.clip(np.searchsorted(whole, part, "left") - 1, 0, last)
                    after = np.clip(np.searchsorted(whole, part, "right") - 1, 0, last)
                    corners = corners.take(before, axis) | corners.take(after, axis)
            needed[np.ix_(*parts)] |= corners
        return needed

    def _varying(self, channel: Channel) -> Iterable[NDArray[np.bool_]]:
        """For every level from 1 on, the cells that vary."""
        nothing = np.isnan(channel.values)
        low = self._joined(np.where(nothing, np.inf, channel.values), np.minimum)
        high = self._joined(np.where(nothing, -np.inf, channel.values), np.maximum)
        for _ in range(self.depth):
            for axis, refined in enumerate(self.refined):
                if refined:
                    low, high = _in_pairs(low, axis, np.minimum), _in_pairs(high, axis, np.maximum)
            with np.errstate(invalid="ignore"):  # equal infinities do not differ
                yield high - low > channel.tolerance

    def _joined(self, values: NDArray[np.float64], of_two: np.ufunc) -> NDArray[np.float64]:
        """The extreme over the corners of every cell of level 0."""
        for axis, refined in enumerate(self.refined):
            if refined:
                before = (slice(None),) * axis
                values = of_two(values[(*before, slice(None, -1))], values[(*before, slice(1, None))])
        return values

    def around(self, region: Sequence[slice]) -> tuple[slice, ...]:
        """The part of the grid that holds all start cells which a region touches: what is between them follows from it."""
        found = []
        for part, edges in zip(region, self.edges(self.depth), strict=True):
            first = edges[np.searchsorted(edges, part.start, "right") - 1]
            last = edges[np.searchsorted(edges, part.stop - 1, "left")]
            found.append(slice(int(first), int(last) + 1))
        return tuple(found)

    def between(
        self,
        values: NDArray[Any],
        known: NDArray[np.bool_],
        block: Sequence[slice],
        coordinates: Sequence[NDArray[Any]],
        classes: bool,
    ) -> NDArray[Any]:
        """Values of a block of whole start cells, those that are not known interpolated: linearly along each axis in the
        smallest cell whose corners are known, or for `classes` as at the nearer corner.

        `values` has the block's shape and then an output's own, `known` the block's; `coordinates` are the whole axes'.
        """
        found = values.copy()
        own = (1,) * (values.ndim - known.ndim)
        levels = [
            tuple(
                e[(e >= part.start) & (e < part.stop)] - part.start
                for e, part in zip(self.edges(level), block, strict=True)
            )
            for level in range(self.depth, -1, -1)
        ]
        for coarse, fine in pairwise(levels):
            grid = found[np.ix_(*coarse)]
            for axis, (c, f) in enumerate(zip(coarse, fine, strict=True)):
                if len(c) < len(f):
                    grid = _halved(grid, axis, c, f, np.asarray(coordinates[axis])[block[axis]], classes)
            here = np.ix_(*fine)
            given = known[here]
            found[here] = np.where(given.reshape(given.shape + own), found[here], grid)
        return found


def _in_pairs(cells: NDArray[np.float64], axis: int, of_two: np.ufunc) -> NDArray[np.float64]:
    """The extreme over every two neighbours along an axis; the last one may be alone."""
    before = (slice(None),) * axis
    found = cells[(*before, slice(None, None, 2))].copy()
    second = cells[(*before, slice(1, None, 2))]
    first = found[(*before, slice(None, second.shape[axis]))]
    of_two(first, second, out=first)
    return found


def _halved(
    grid: NDArray[Any], axis: int, coarse: NDArray[np.int64], fine: NDArray[np.int64], x: NDArray[Any], classes: bool
) -> NDArray[Any]:
    """Values at the places `coarse` of an axis with coordinate `x`, brought to its places `fine`, which hold these."""
    right = np.searchsorted(coarse, fine, "left")
    new = coarse[right] != fine
    left = right - new
    found = grid.take(right, axis)
    one, other = grid.take(left[new], axis), grid.take(right[new], axis)
    start, end = x[coarse[left[new]]], x[coarse[right[new]]]
    weight = ((x[fine[new]] - start) / (end - start)).reshape((-1,) + (1,) * (grid.ndim - axis - 1))
    with np.errstate(invalid="ignore"):
        # so written equal corners give their very value
        found[(slice(None),) * axis + (new,)] = (
            np.where(weight < 0.5, one, other) if classes else one + weight * (other - one)
        )
    return found
