"""The scheduling of tiles as a pure state machine: events in, instructions out; no input or output, no clock.

A tile whose worker dies is tried again; after `retries` deaths it is halved until the point that kills is alone, which
is then marked failed, and all other points finish. An error that is not a point's own (a full disk, say) is retried
likewise and then ends the run. Stopping once lets what runs finish; cancelling ends at once.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum


@dataclass(frozen=True)
class Work:
    """Points `lo` to `hi` (in C order) of a tile of `size` points, tried for the `attempt`-th time (from 0); of those before,
    `deaths` ended with the worker's, and the others in errors."""

    tile: int
    lo: int
    hi: int
    size: int
    attempt: int = 0
    deaths: int = 0

    @property
    def whole(self) -> bool:
        return self.lo == 0 and self.hi == self.size

    @property
    def points(self) -> int:
        return self.hi - self.lo


class Outcome(Enum):
    COMPLETE = "complete"
    STOPPED = "stopped"
    ABORTED = "aborted"


# Events


@dataclass(frozen=True)
class Finished:
    """A worker has finished this work; `failed` of its points failed."""

    work: Work
    failed: int = 0


@dataclass(frozen=True)
class WorkerLost:
    """The worker died while it did this work."""

    work: Work


@dataclass(frozen=True)
class Erred:
    """The work ended in an error that is not a point's own."""

    work: Work
    reason: str


@dataclass(frozen=True)
class Withdrawn:
    """The work was taken back through no fault of its own: not started in a run that is stopping, or in bad company."""

    work: Work


@dataclass(frozen=True)
class WindowChanged:
    """So many pieces of work may be outstanding now."""

    window: int


@dataclass(frozen=True)
class StopAsked:
    """Submit nothing more; let what runs finish."""

    reason: str


@dataclass(frozen=True)
class EndAsked:
    """End now; what runs is dropped."""

    reason: str
    outcome: Outcome = Outcome.STOPPED


Event = Finished | WorkerLost | Erred | Withdrawn | WindowChanged | StopAsked | EndAsked


# Instructions


@dataclass(frozen=True)
class Submit:
    """Give this work to the cluster."""

    work: Work


@dataclass(frozen=True)
class Commit:
    """The tile's data are on disk: commit its status."""

    work: Work


@dataclass(frozen=True)
class Assemble:
    """All parts of a tile are there: write its data from them and commit."""

    tile: int
    parts: tuple[Work, ...]


@dataclass(frozen=True)
class MarkLost:
    """This single point kills its worker: it is a failed part of its tile."""

    work: Work


@dataclass(frozen=True)
class End:
    """The run ends."""

    outcome: Outcome
    reason: str = ""


Instruction = Submit | Commit | Assemble | MarkLost | End


class Scheduler:
    """Decides what runs next.

    Parameters: `tiles` as (index, points, cost) with a cost of any unit, expensive ones start first; `window`, how
    many may be outstanding; `retries` of a tile; `failures_allowed` points (None: any number).
    """

    def __init__(
        self,
        tiles: Iterable[tuple[int, int, float]],
        window: int,
        retries: int = 2,
        failures_allowed: int | None = None,
        failed_before: int = 0,
    ) -> None:
        self._waiting = [(-cost, index, size) for index, size, cost in tiles]
        heapq.heapify(self._waiting)
        self._again: deque[Work] = deque()
        self._running: set[Work] = set()
        self._parts: dict[int, list[Work]] = {}
        self._missing: dict[int, int] = {}
        self._window = window
        self._retries = retries
        self._failures_allowed = failures_allowed
        self.failed = failed_before
        self._ending: End | None = None
        self.ended: End | None = None

    @property
    def running(self) -> frozenset[Work]:
        return frozenset(self._running)

    @property
    def idle(self) -> bool:
        """Nothing is waiting and nothing runs."""
        return not (self._waiting or self._again or self._running)

    def start(self) -> list[Instruction]:
        """The first instructions."""
        return self._next()

    def handle(self, event: Event) -> list[Instruction]:
        """Take an event, return what is to be done about it, in order."""
        if self.ended is not None:
            return []
        found: list[Instruction] = []
        match event:
            case Finished(work, failed):
                found += self._finished(work, failed)
            case WorkerLost(work):
                found += self._lost(work)
            case Erred(work, reason):
                if self._drop(work):
                    if work.attempt - work.deaths < self._retries:
                        self._again.append(_next_try(work))
                    else:
                        self._end_soon(Outcome.ABORTED, reason)
            case Withdrawn(work):
                if self._drop(work):
                    self._again.append(work)
            case WindowChanged(window):
                self._window = max(1, window)
            case StopAsked(reason):
                self._end_soon(Outcome.STOPPED, reason)
            case EndAsked(reason, outcome):
                self.ended = End(outcome, reason)
                return [self.ended]
        return found + self._next()

    def _drop(self, work: Work) -> bool:
        """Take work off the running set; False for news about work that no longer counts."""
        if work not in self._running:
            return False
        self._running.remove(work)
        return True

    def _finished(self, work: Work, failed: int) -> list[Instruction]:
        if not self._drop(work):
            return []
        self.failed += failed
        if self._failures_allowed is not None and self.failed > self._failures_allowed:
            self._end_soon(
                Outcome.ABORTED,
                f"{self.failed} points have failed, more than max_failures allows ({self._failures_allowed})",
            )
        if work.whole:
            return [Commit(work)]
        return self._part_done(work)

    def _part_done(self, work: Work) -> list[Instruction]:
        self._parts[work.tile].append(work)
        self._missing[work.tile] -= work.points
        if self._missing[work.tile]:
            return []
        del self._missing[work.tile]
        return [Assemble(work.tile, tuple(sorted(self._parts.pop(work.tile), key=lambda part: part.lo)))]

    def _lost(self, work: Work) -> list[Instruction]:
        if not self._drop(work):
            return []
        if (work.whole or work.points == 1) and work.deaths < self._retries:
            self._again.append(_next_try(work, died=True))
            return []
        if work.points == 1:
            if work.whole:
                self._parts[work.tile], self._missing[work.tile] = [], 1
            self.failed += 1
            return [MarkLost(work), *self._part_done(work)]
        if work.whole:
            self._parts[work.tile], self._missing[work.tile] = [], work.size
        middle = (work.lo + work.hi) // 2
        self._again.append(Work(work.tile, work.lo, middle, work.size))
        self._again.append(Work(work.tile, middle, work.hi, work.size))
        return []

    def _end_soon(self, outcome: Outcome, reason: str) -> None:
        if self._ending is None or outcome is Outcome.ABORTED:
            self._ending = End(outcome, reason)

    def _next(self) -> list[Instruction]:
        if self._ending is not None:
            if not self._running:
                self.ended = self._ending
                return [self.ended]
            return []
        found: list[Instruction] = []
        while len(self._running) < self._window and (self._again or self._waiting):
            if self._again:
                work = self._again.popleft()
            else:
                _, index, size = heapq.heappop(self._waiting)
                work = Work(index, 0, size, size)
            self._running.add(work)
            found.append(Submit(work))
        if self.idle:
            self.ended = End(Outcome.COMPLETE)
            found.append(self.ended)
        return found


def _next_try(work: Work, died: bool = False) -> Work:
    return replace(work, attempt=work.attempt + 1, deaths=work.deaths + died)
