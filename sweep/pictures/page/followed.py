"""A run as the page follows it: from its files alone, reading only what is new, in memory that the journal's length does not touch."""

from __future__ import annotations

import datetime
import heapq
import json
import os
import sys
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sweep.folder import old_formats
from sweep.folder.codes import PENDING
from sweep.folder.committed import Committed
from sweep.folder.journal import JournalEntry
from sweep.folder.lease import WATCH_SECONDS, Holder, holder
from sweep.folder.run_folder import RunFolder
from sweep.folder.run_record import RunRecord
from sweep.folder.store import Store
from sweep.folder.tail import tail_of
from sweep.plan.costs import tile_costs
from sweep.plan.tiling import Plan

RATE_SECONDS = 60.0
"""The rate is that of about the last minute, by the driver's own clock,"""
RATE_MARKS = 20
"""or of so many groups of tiles, where they come more slowly."""
SLOWEST = 8
"""Tiles that are listed as the slowest."""


@dataclass(frozen=True)
class _Mark:
    """Points, and predicted seconds, that were committed in one second of the driver's clock."""

    time: float
    points: int
    cost: float


@dataclass
class Pace:
    """How fast points come: by the times in the journal, which one clock wrote."""

    marks: deque[_Mark] = field(default_factory=deque)
    newest: float = 0.0
    """When the last of them was seen, by our own clock."""

    def add(self, when: float, points: int, cost: float) -> None:
        if self.marks and self.marks[-1].time == when:
            last = self.marks.pop()
            points, cost = points + last.points, cost + last.cost
        self.marks.append(_Mark(when, points, cost))
        while len(self.marks) > RATE_MARKS and self.marks[1].time < when - RATE_SECONDS:
            self.marks.popleft()

    def rates(self, since: float) -> tuple[float, float]:
        """Points, and predicted seconds of work, per second since a driver's start; 0 while nobody can know."""
        marks = [mark for mark in self.marks if mark.time >= since]
        if len(marks) < 2:
            return 0.0, 0.0
        seconds = marks[-1].time - marks[0].time
        quiet = time.monotonic() - self.newest - seconds / (len(marks) - 1)
        seconds += max(quiet, 0.0)
        return sum(m.points for m in marks[1:]) / seconds, sum(m.cost for m in marks[1:]) / seconds


@dataclass(frozen=True)
class SlowTile:
    """A tile that took long."""

    seconds: float
    tile: int
    host: str


class Followed:
    """A run that is followed. `update` reads what is new; RunError where the run cannot be read.

    `versions` (tiles,) counts how often each tile was committed, `news` every change of anything.
    """

    plan: Plan
    record: RunRecord
    store: Store
    committed: Committed

    def __init__(self, path: Path) -> None:
        self.folder = RunFolder(path)
        self.news = 0
        self.journal = tail_of(self.folder.journal, self.folder.disk)
        self._plan_seen = ""
        self._beat: tuple[str, int, float] = ("", -1, 0.0)
        self._began = time.time_ns()

    @property
    def version(self) -> str:
        """Changes with everything that a picture of the run depends on."""
        return f"{self._began:x}-{self.news}"

    def update(self, seconds: float) -> bool:
        """Read what is new, for about so long; returns whether that was everything."""
        self._look_at_plan()
        until = time.monotonic() + seconds
        while True:
            lines = self.journal.next()
            if lines is None:
                self._begin()
            elif not lines:
                return True
            else:
                self._take(lines)
                if time.monotonic() > until:
                    return self.journal.share >= 1.0

    def _look_at_plan(self) -> None:
        """Begin anew where the run was extended, or another one has come in its place."""
        seen = self._plan_stamp()
        if not seen or seen != self._plan_seen:
            self.record = self.folder.record()
            self.plan = self.folder.plan(self.record)
            self.store = Store(self.folder.data, self.plan, disk=self.folder.disk)
            self.costs = tile_costs(self.plan, self.record.pilot)
            self.journal = tail_of(self.folder.journal, self.folder.disk)
            self._begin()
            self._plan_seen = seen

    def _plan_stamp(self) -> str:
        """Changes with plan.json; empty where there is none."""
        if self.folder.in_bucket:
            return self.folder.disk.version(self.folder.plan_file)
        try:
            found = os.stat(self.folder.plan_file)
        except OSError:
            return ""
        return f"{found.st_dev} {found.st_ino} {found.st_size} {found.st_mtime_ns}"

    def reopen(self) -> None:
        """Open the store again: its files are not where they were (a run that was finalized, say)."""
        self.store = Store(self.folder.data, self.plan, disk=self.folder.disk)

    def _begin(self) -> None:
        tiles = self.plan.tiles
        self.committed = Committed(self.plan)
        self.versions: NDArray[np.uint16] = np.zeros(tiles, dtype=np.uint16)
        self.seconds = 0.0
        self.cost_done = 0.0
        self.pace = Pace()
        self.slow: list[tuple[float, int, str]] = []
        self.news += 1

    def _take(self, lines: Iterable[bytes]) -> None:
        old = False
        for line in lines:
            try:
                value = json.loads(line)
            except (ValueError, RecursionError):
                continue  # a line that a crash cut off
            entry = JournalEntry.from_json(value, self.folder.journal)
            if not 0 <= entry.tile < self.plan.tiles:
                continue
            self.versions[entry.tile] += 1
            self.seconds += entry.seconds
            self._note(entry)
            if old_formats.is_old(entry):
                old = True
            else:
                self._put(entry)
        if old:
            self.committed = Committed.read(self.folder, self.plan)
        self.pace.newest = time.monotonic()
        self.news += 1

    def _put(self, entry: JournalEntry) -> None:
        pending = self.committed.count(PENDING)
        try:
            self.committed.put(entry.tile, entry.codes)
        except ValueError:
            return  # `verify` names such lines; a page shows the rest
        points = pending - self.committed.count(PENDING)
        cost = float(self.costs[entry.tile]) * points / int(self.plan.sizes[entry.tile])
        self.cost_done += cost
        if entry.time and points > 0:
            self.pace.add(_seconds_of(entry.time), points, cost)

    def _note(self, entry: JournalEntry) -> None:
        """Keep the slowest tiles."""
        if self.slow and len(self.slow) >= SLOWEST and entry.seconds <= self.slow[0][0]:
            return
        kept = [found for found in self.slow if found[1] != entry.tile]
        heapq.heapify(kept)
        heapq.heappush(kept, (entry.seconds, entry.tile, sys.intern(entry.host)))
        while len(kept) > SLOWEST:
            heapq.heappop(kept)
        self.slow = kept

    @property
    def slowest(self) -> list[SlowTile]:
        """The tiles that took longest, the slowest first."""
        return [SlowTile(*found) for found in sorted(self.slow, reverse=True) if found[0] > 0]

    def driver(self) -> tuple[Holder | None, bool]:
        """Who holds the run's lease, and whether it is at work: by its process where that can be seen, else by whether its
        heartbeat changes while we look."""
        found = holder(self.folder.lease, self.folder.disk)
        if found is None:
            return None, False
        now = time.monotonic()
        if (found.token, found.beats) != self._beat[:2]:
            self._beat = (found.token, found.beats, now)
        alive = found.alive(self.folder.host)
        return found, now - self._beat[2] < WATCH_SECONDS if alive is None else alive

    def rates(self, driver: Holder | None) -> tuple[float, float]:
        """Points per second, and the seconds that are left by the predicted costs; 0 while nobody can know."""
        since = driver.started if driver is not None and driver.started else 0.0
        points, cost = self.pace.rates(since)
        left = max(float(self.costs.sum()) - self.cost_done, 0.0)
        return points, left / cost if cost > 0 else 0.0


def _seconds_of(text: str) -> float:
    try:
        return datetime.datetime.fromisoformat(text).timestamp()
    except ValueError:
        return 0.0
