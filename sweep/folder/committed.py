"""Committed: the status of every point as the journal has it, small enough for a billion points."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sweep.errors import RunError
from sweep.folder import codes, journal, old_formats
from sweep.folder.codes import COMPUTED, FLAGS, INTERPOLATED, PENDING, POINT_FAILED, POINT_WARNED
from sweep.folder.journal import JournalEntry
from sweep.folder.store import Store
from sweep.plan.tiling import Plan

if TYPE_CHECKING:
    from sweep.folder.run_folder import RunFolder

MIXED = 255
"""In place of the code of a tile whose points have several."""


class Committed:
    """The codes of a plan's tiles.

    `uniform` (tiles,) has the code that all points of a tile have, or MIXED; only the codes of mixed tiles are kept one
    by one, compressed.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.uniform = np.full(plan.tiles, PENDING, dtype=np.uint8)
        self._mixed: dict[int, str] = {}
        self._counts = np.zeros(len(FLAGS), dtype=np.int64)
        self._counts[PENDING] = plan.spec.points

    @classmethod
    def read(cls, folder: RunFolder, plan: Plan, entries: Mapping[int, JournalEntry] | None = None) -> Committed:
        """What the journal of a run has; `entries` when they are read already."""
        found = cls(plan)
        if entries is None:
            entries = journal.latest(folder.journal, folder.disk)
        if any(old_formats.is_old(entry) for entry in entries.values()):
            entries = old_formats.completed(Store(folder.data, plan, disk=folder.disk), entries)
        for tile, entry in entries.items():
            if not 0 <= tile < plan.tiles:
                raise RunError(
                    f"{folder.journal}: there is no tile {tile}, the run has {plan.tiles}; {JournalEntry.FIX}"
                )
            if entry.chunks and len(entry.chunks) != len(plan.outputs):
                raise RunError(
                    f"{folder.journal}, tile {tile}: chunks must have an entry for each of {len(plan.outputs)} outputs; "
                    f"given were {len(entry.chunks)}; {JournalEntry.FIX}"
                )
            try:
                found.put(tile, entry.codes)
            except ValueError as error:
                raise RunError(f"{folder.journal}, tile {tile}: {error}; {JournalEntry.FIX}") from error
        return found

    def put(self, tile: int, text: str) -> None:
        """Set the codes of a tile, packed; ValueError when they are none."""
        size = int(self.plan.sizes[tile])
        self._counts += codes.counts(text, size) - codes.counts(self.text(tile), size)
        self._mixed.pop(tile, None)
        if len(text) == 1:
            self.uniform[tile] = codes.code(text)
        else:
            self.uniform[tile] = MIXED
            self._mixed[tile] = text

    def text(self, tile: int) -> str:
        """The codes of a tile, packed."""
        return self._mixed.get(tile) or str(int(self.uniform[tile]))

    def codes(self, tile: int) -> NDArray[np.uint8]:
        """The codes of a tile's points, of its shape."""
        return codes.unpacked(self.text(tile), self.plan.shape_of(tile))

    def at(self, place: tuple[int, ...]) -> int:
        """The code of the point at a place in the grid."""
        within = tuple(zip(place, self.plan.tile, strict=True))
        tile = int(np.ravel_multi_index(tuple(k // n for k, n in within), self.plan.grid))
        return int(self.codes(tile)[tuple(k % n for k, n in within)])

    def failed_of(self, tile: int) -> int:
        """How many points of a tile have failed."""
        return int(codes.counts(self.text(tile), int(self.plan.sizes[tile]))[POINT_FAILED])

    def warned_of(self, tile: int) -> int:
        """How many points of a tile have a warning."""
        return int(codes.counts(self.text(tile), int(self.plan.sizes[tile]))[POINT_WARNED])

    @property
    def mixed(self) -> frozenset[int]:
        """The tiles whose points have several codes."""
        return frozenset(self._mixed)

    @property
    def tiles(self) -> int:
        """How many tiles are committed."""
        return int(np.count_nonzero(self.uniform))

    def count(self, code: int) -> int:
        """How many points have a code."""
        return int(self._counts[code])

    @property
    def done(self) -> int:
        """Points that are committed, whatever became of them."""
        return self.plan.spec.points - self.count(PENDING)

    @property
    def computed(self) -> int:
        """Points that a solver has seen, failed ones counted in."""
        return sum(self.count(code) for code in COMPUTED)

    @property
    def interpolated(self) -> int:
        return self.count(INTERPOLATED)

    @property
    def failed(self) -> int:
        return self.count(POINT_FAILED)

    @property
    def warned(self) -> int:
        return self.count(POINT_WARNED)
