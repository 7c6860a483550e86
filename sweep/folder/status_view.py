"""`status` in the Zarr store as a view of what is committed: written by the driver alone, in chunks of its own.

Nothing is ever read from it but by a user's eyes: whatever happens to its files, they are made again.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
from numpy.typing import NDArray

from sweep.folder.committed import MIXED, Committed
from sweep.folder.host import Clock
from sweep.folder.store import Store

SECONDS = 1.0
"""Least time between the writings of a chunk that fills."""
SHARE = 0.1
"""Greatest share of the driver's time for it: a step of writing takes this share of the time since the last."""
_Chunk = tuple[int, ...]


class StatusView:
    """Keeps `status` up with what is committed. `touch` a tile after its commit; `write` as time allows."""

    def __init__(self, store: Store, committed: Committed, clock: Clock) -> None:
        self._store = store
        self._committed = committed
        self._clock = clock
        self._shape = store.status_chunks
        self._dirty: dict[_Chunk, None] = {}
        self._written = clock.monotonic()

    def touch(self, tile: int) -> None:
        """The codes of a tile have changed."""
        region = self._committed.plan.region(tile)
        spans = (range(p.start // n, (p.stop - 1) // n + 1) for p, n in zip(region, self._shape, strict=True))
        self._dirty.update(dict.fromkeys(itertools.product(*spans)))

    def write(self) -> None:
        """Write what has changed, if it is time to, as much as its share of the time allows; the rest comes next time."""
        now = self._clock.monotonic()
        allowed = SHARE * (now - self._written)
        if not self._dirty or now - self._written < SECONDS:
            return
        while self._dirty and self._clock.monotonic() - now <= allowed:
            self._write_next()
        self._written = self._clock.monotonic()

    def write_all(self) -> None:
        """Write all that has changed."""
        while self._dirty:
            self._write_next()

    def rebuild(self) -> int:
        """Write every chunk that is not as it should be, damaged ones included; returns how many there were."""
        grid = [math.ceil(size / n) for size, n in zip(self._committed.plan.spec.shape, self._shape, strict=True)]
        wrong = 0
        for chunk in itertools.product(*map(range, grid)):
            region = self._region(chunk)
            codes = self._compose(region)
            if not self._is(region, codes):
                self._store.write_status(region, codes)
                wrong += 1
        return wrong

    def _write_next(self) -> None:
        chunk = next(iter(self._dirty))
        region = self._region(chunk)
        self._store.write_status(region, self._compose(region))
        del self._dirty[chunk]

    def _is(self, region: tuple[slice, ...], codes: NDArray[np.uint8]) -> bool:
        try:
            return bool(np.array_equal(self._store.read_status(region), codes))
        except Exception:  # a damaged chunk is whatever its decoder makes of it: OSError, ValueError, RuntimeError
            return False

    def _region(self, chunk: _Chunk) -> tuple[slice, ...]:
        places = zip(chunk, self._shape, self._committed.plan.spec.shape, strict=True)
        return tuple(slice(k * n, min((k + 1) * n, size)) for k, n, size in places)

    def _compose(self, region: tuple[slice, ...]) -> NDArray[np.uint8]:
        """The codes in a part of the grid: those of whole tiles spread out, then the mixed tiles one by one."""
        committed, plan = self._committed, self._committed.plan
        tiles = tuple(slice(p.start // t, (p.stop - 1) // t + 1) for p, t in zip(region, plan.tile, strict=True))
        found: NDArray[np.uint8] = committed.uniform.reshape(plan.grid)[tiles]
        mixed = np.argwhere(found == MIXED)
        for axis, (part, length) in enumerate(zip(region, plan.tile, strict=True)):
            edges = np.arange(tiles[axis].start, tiles[axis].stop + 1) * length
            found = np.repeat(found, np.diff(np.clip(edges, part.start, part.stop)), axis=axis)
        for place in mixed:
            at = tuple(int(k) + t.start for k, t in zip(place, tiles, strict=True))
            index = int(np.ravel_multi_index(at, plan.grid))
            inside, own = [], []
            for part, tile in zip(region, plan.region(index), strict=True):
                lo, hi = max(part.start, tile.start), min(part.stop, tile.stop)
                inside.append(slice(lo - part.start, hi - part.start))
                own.append(slice(lo - tile.start, hi - tile.start))
            found[tuple(inside)] = committed.codes(index)[tuple(own)]
        return found
