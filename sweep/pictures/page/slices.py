"""One picture of a run that fills: an output over one or two dimensions, with no more cells than a screen shows.

Of an axis with more values than cells, evenly spaced ones are shown, exactly as they are in the store. What failed or has a
warning is marked in its cell even where the value shown there is another point's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.suggest import did_you_mean
from sweep.errors import SpecError
from sweep.folder.codes import PENDING, POINT_FAILED, POINT_WARNED
from sweep.folder.committed import MIXED
from sweep.pictures.page.followed import Followed
from sweep.plan.tiling import Plan
from sweep.plan.variables import STATUS, Variable

MOST_CELLS = 100_000
"""Of one picture."""
_AT_ONCE = 16
"""Tiles that are read between two looks at the clock; from a bucket all at once."""
PARTS: Mapping[str, Callable[[Any], Any]] = {"abs": np.abs, "real": np.real, "imag": np.imag, "phase": np.angle}


@dataclass(frozen=True)
class Cut:
    """What a picture shows: `output` over `x` and `y` (empty: over x alone), elsewhere at the places `at`; of complex values
    the `part`; at most `columns` by `rows` cells."""

    output: str
    x: str
    y: str = ""
    at: tuple[tuple[str, int], ...] = ()
    part: str = "abs"
    columns: int = 250
    rows: int = 250

    def variable(self, plan: Plan) -> Variable:
        """The array of the store; SpecError where the run has none that can be cut so."""
        known = {v.name: v for v in plan.variables}
        if self.output not in known:
            raise SpecError(f"the run has no output {self.output!r}{did_you_mean(self.output, list(known))}")
        found = known[self.output]
        named = [self.x, *([self.y] if self.y else []), *(name for name, _ in self.at)]
        for name in named:
            if name not in found.dims:
                raise SpecError(f"{self.output} has no dimension {name!r}; it has {', '.join(found.dims)}")
        if self.x == self.y:
            raise SpecError(f"x and y must be two dimensions; given was {self.x!r} twice")
        for name, place in self.at:
            if not 0 <= place < found.shape[found.dims.index(name)]:
                raise SpecError(f"{name} has {found.shape[found.dims.index(name)]} values; given was place {place}")
        if self.part not in PARTS:
            raise SpecError(f"part must be one of {', '.join(PARTS)}; given was {self.part!r}")
        if not (self.columns >= 1 and self.rows >= 1 and self.columns * self.rows <= MOST_CELLS):
            raise SpecError(f"at most {MOST_CELLS:,} cells; given were {self.columns} x {self.rows}")
        return found


def picked(size: int, cells: int) -> NDArray[np.int64]:
    """The places along an axis that are shown in so many cells at most."""
    if size <= cells:
        return np.arange(size)
    return ((np.arange(cells) + 0.5) * size / cells).astype(np.int64)


def _compact(places: NDArray[np.int64]) -> slice | NDArray[np.int64]:
    """Places in a row as a slice, which is quicker to take."""
    first, last = int(places[0]), int(places[-1])
    return slice(first, last + 1) if last - first + 1 == len(places) else places


class _Axis:
    """One dimension of the variable in the picture: the places that are shown, and the tiles that they are in.

    `columns` are the tiles along it, `shown` where among the places each of them has its own, and `inside` these places
    counted within the tile.
    """

    def __init__(self, size: int, tile: int, places: NDArray[np.int64]) -> None:
        self.size, self.tile, self.places = size, tile, places
        self.columns = np.unique(places // tile)
        bounds = [*np.searchsorted(places, self.columns * tile).tolist(), len(places)]
        self.counts = np.diff(bounds)
        self.shown = [slice(low, high) for low, high in pairwise(bounds)]
        self.inside = [_compact(places[part] % tile) for part in self.shown]

    def cells(self, low: int, high: int) -> NDArray[np.int64]:
        """The cells of the places from low to high."""
        count = len(self.places)
        return np.minimum(np.arange(low, high) * count // self.size, count - 1)


class Picture:
    """A picture that is filled as tiles are committed; each is read once.

    `values` (columns, rows), `codes` of the points shown, `marks`: 0, or the code of a failed or warned point in the cell.
    """

    def __init__(self, followed: Followed, cut: Cut) -> None:
        self.cut = cut
        self.followed = followed
        self.plan = followed.plan
        self.variable = cut.variable(self.plan)
        grid = len(self.plan.grid)
        at = dict(cut.at)
        tiles = (*self.plan.tile, *self.variable.shape[grid:])
        self._axes: list[_Axis] = []
        for name, size, tile in zip(self.variable.dims, self.variable.shape, tiles, strict=True):
            cells = cut.columns if name == cut.x else cut.rows if name == cut.y else 0
            places = picked(size, cells) if cells else np.asarray([at.get(name, 0)], dtype=np.int64)
            self._axes.append(_Axis(size, tile, places))
        self._ix = self.variable.dims.index(cut.x)
        self._iy = self.variable.dims.index(cut.y) if cut.y else -1
        self.x, self.y = self._axes[self._ix], self._axes[self._iy] if cut.y else None
        self.shape = (len(self.x.places), len(self.y.places) if self.y is not None else 1)
        self._grid = grid
        self._tiles = self._tiles_of([axis.columns for axis in self._axes[:grid]])
        self._every = self._tiles_of(
            [
                np.arange(-(-axis.size // axis.tile)) if k in (self._ix, self._iy) else axis.columns
                for k, axis in enumerate(self._axes[:grid])
            ]
        )
        self.drawn = 0
        """Grows with every tile that is read."""
        self._clear()

    def _tiles_of(self, columns: list[NDArray[np.int64]]) -> NDArray[np.int32]:
        """The indices of the tiles at all combinations of columns, (of x, of y)."""
        found = np.asarray(np.ravel_multi_index(np.ix_(*columns), self.plan.grid), dtype=np.int32)
        kept = [k for k in (self._ix, self._iy) if 0 <= k < self._grid]
        found = np.moveaxis(found, kept, range(len(kept)))
        return found.reshape(len(columns[self._ix]) if self._ix in kept else 1, -1)

    def _clear(self) -> None:
        self.values = np.full(self.shape, np.nan)
        self.codes: NDArray[np.uint8] = np.zeros(self.shape, dtype=np.uint8)
        self.marks: NDArray[np.uint8] = np.zeros(self.shape, dtype=np.uint8)
        self._coded = np.zeros(self._tiles.shape, dtype=np.uint16)
        self._drawn = np.zeros(self._tiles.shape, dtype=np.uint16)
        self._marked = np.zeros(self._every.shape, dtype=np.uint16)
        self.unreadable = 0

    def update(self, seconds: float) -> bool:
        """Draw what has been committed since, for about so long; returns whether that was everything."""
        until = time.monotonic() + seconds
        versions = self.followed.versions
        if bool(((self._coded > 0) & (self._coded != versions[self._tiles])).any()) or bool(
            ((self._marked > 0) & (self._marked != versions[self._every])).any()
        ):
            self._clear()  # points were computed again: what failed may not have now
        return self._code() and self._mark(until) and self._draw(until)

    def _code(self) -> bool:
        """Bring the codes up to date."""
        versions = self.followed.versions[self._tiles]
        new = versions != self._coded
        if not new.any():
            return True
        uniform = self.followed.committed.uniform[self._tiles]
        whole = self._spread(uniform)
        known = whole != MIXED
        self.codes[known] = whole[known]
        for a, b in np.argwhere(new & (uniform == MIXED)).tolist():
            tile = int(self._tiles[a, b])
            self.codes[self._cells(a, b)] = self._part_of(self.followed.committed.codes(tile), a, b)
        self._coded = versions
        return True

    def unread(self) -> NDArray[np.bool_]:
        """The cells whose values are committed and not read yet."""
        tiles = self._waiting() if self.variable.name != STATUS else np.zeros(self._tiles.shape, dtype=bool)
        found: NDArray[np.bool_] = self._spread(tiles)
        return found

    def _waiting(self) -> NDArray[np.bool_]:
        """The tiles that are to be read."""
        committed = self.followed.committed.uniform[self._tiles]
        new = self.followed.versions[self._tiles] != self._drawn
        found: NDArray[np.bool_] = new & (committed != PENDING) & (committed != POINT_FAILED)
        return found

    def _spread(self, of_tiles: NDArray[Any]) -> NDArray[Any]:
        """One number per tile, in the cells of each."""
        for number, axis in ((0, self.x), (1, self.y)):
            k = self._ix if number == 0 else self._iy
            if axis is not None and k < self._grid:
                of_tiles = np.repeat(of_tiles, axis.counts, axis=number)
            elif axis is not None:
                of_tiles = np.repeat(of_tiles, len(axis.places), axis=number)
        return of_tiles

    def _cells(self, a: int, b: int) -> tuple[slice, slice]:
        """The cells of the tile at this place among those shown."""
        across = self.x.shown[a] if self._ix < self._grid else slice(None)
        up = self.y.shown[b] if self.y is not None and self._iy < self._grid else slice(None)
        return across, up

    def _part_of(self, block: NDArray[Any], a: int, b: int) -> NDArray[Any]:
        """What is shown of a tile, (of x, of y); `block` has the tile's dimensions, its codes those of the grid alone."""
        picked_ones: list[tuple[int, NDArray[np.int64]]] = []
        cut: list[Any] = []
        kept = 0
        for k, axis in enumerate(self._axes[: block.ndim]):
            if k not in (self._ix, self._iy):
                cut.append(int(axis.places[0]) % axis.tile)
                continue
            inside = axis.inside[0 if k >= self._grid else a if k == self._ix else b]
            cut.append(inside if isinstance(inside, slice) else slice(None))
            if not isinstance(inside, slice):
                picked_ones.append((kept, inside))
            kept += 1
        found: NDArray[Any] = block[tuple(cut)]
        for position, places in picked_ones:
            found = found.take(places, axis=position)
        if kept == 2:
            return found.T if self._iy < self._ix else found
        return found.reshape(-1, 1) if self._ix < block.ndim else found.reshape(1, -1)

    def _mark(self, until: float) -> bool:
        """Mark the cells of points that failed or have a warning, shown or not."""
        versions = self.followed.versions[self._every]
        uniform = self.followed.committed.uniform[self._every]
        new = versions != self._marked
        plain = new & ~np.isin(uniform, (POINT_FAILED, POINT_WARNED, MIXED))
        self._marked[plain] = versions[plain]
        for count, (a, b) in enumerate(np.argwhere(new & ~plain).tolist()):
            if count % 64 == 63 and time.monotonic() > until:
                return False
            self._mark_tile(int(self._every[a, b]))
            self._marked[a, b] = versions[a, b]
        return True

    def _mark_tile(self, tile: int) -> None:
        codes = self.followed.committed.codes(tile)
        region = self.plan.region(tile)
        kept = tuple(
            slice(None) if k in (self._ix, self._iy) else int(self._axes[k].places[0]) - part.start
            for k, part in enumerate(region)
        )
        block = codes[kept]
        if 0 <= self._iy < self._ix < self._grid:
            block = block.T
        along_x = region[self._ix].stop - region[self._ix].start if self._ix < self._grid else 1
        block = block.reshape(along_x, -1)
        for code in (POINT_WARNED, POINT_FAILED):
            places = np.nonzero(block == code)
            if not places[0].size:
                continue
            across: Any = slice(None)
            up: Any = slice(None)
            if self._ix < self._grid:
                across = self.x.cells(region[self._ix].start, region[self._ix].stop)[places[0]]
            if self.y is not None and self._iy < self._grid:
                up = self.y.cells(region[self._iy].start, region[self._iy].stop)[places[1]]
            before = self.marks[across, up]
            self.marks[across, up] = np.where(before == POINT_FAILED, POINT_FAILED, code)

    def _draw(self, until: float) -> bool:
        """Read the tiles that are new."""
        if self.variable.name == STATUS:
            return True
        versions = self.followed.versions[self._tiles]
        places = np.argwhere(self._waiting())
        np.random.default_rng(0).shuffle(places)  # the whole picture first, its details later
        for start in range(0, len(places), _AT_ONCE):
            if start and time.monotonic() > until:
                return False
            group = places[start : start + _AT_ONCE].tolist()
            blocks = self.followed.folder.disk.map(self._read, [int(self._tiles[a, b]) for a, b in group])
            for (a, b), block in zip(group, blocks, strict=True):
                if block is None:
                    self.unreadable += 1
                else:
                    part = PARTS[self.cut.part](block) if block.dtype.kind == "c" else block
                    self.values[self._cells(a, b)] = self._part_of(part, a, b)
                self._drawn[a, b] = versions[a, b]
            self.drawn += len(group)
        return True

    def _read(self, tile: int) -> NDArray[Any] | None:
        """The tile's chunk; None where it is gone or damaged."""
        try:
            return self.followed.store.read_chunk(self.variable, tile)
        except Exception:  # a damaged chunk is whatever its decoder makes of it: OSError, ValueError, RuntimeError
            return None
