"""The workers of somebody else's cluster: each is asked, as it comes, whether it can serve the run; what cannot is left out."""

from __future__ import annotations

import queue
from collections.abc import Callable, Collection, Mapping
from typing import Any

from sweep.clusters.cluster import Cluster
from sweep.execution.messages import CannotServe, Job
from sweep.execution.worker import probe

AGAIN_SECONDS = 60.0
"""A worker that is left out is asked again after so long: a file system that was not mounted may be by then."""
_NAMED = 3
"""Workers with one reason that are named one by one."""


class Crew:
    """Who of a cluster's workers computes a run. `say` is told who does not, and why."""

    def __init__(self, cluster: Cluster, job: Job, say: Callable[[str], None]) -> None:
        self.present: Mapping[str, int] = {}
        self.changes = 0
        """How often it has changed who may be given work."""
        self._cluster = cluster
        self._job = job
        self._say = say
        self._fit: set[str] = set()
        self._unfit: dict[str, str] = {}
        self._asked: set[str] = set()
        self._told: dict[str, float] = {}
        self._news: dict[str, list[str]] = {}
        self._some_went = False
        self._answers: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()

    def look(self, now: float) -> None:
        """See who is there, hear what was answered, and ask who is new or was left out a while ago."""
        before, self.present = self.present, self._cluster.workers()
        self._note_losses(set(before), set(self.present))
        while not self._answers.empty():
            worker, answer = self._answers.get()
            self._asked.discard(worker)
            self._told[worker] = now
            if not isinstance(answer, Exception):
                self._take(worker)
            elif worker in self.present:
                words = str(answer) if isinstance(answer, CannotServe) else f"{type(answer).__name__}: {answer}"
                self.leave_out(worker, " ".join(words.split()) or "it does not answer")
        for worker in self.present:
            again = worker in self._unfit and now - self._told.setdefault(worker, now) > AGAIN_SECONDS
            if worker not in self._asked and (again or self._is_unknown(worker)):
                self._asked.add(worker)
                self._cluster.ask(worker, probe, self._job, heard=lambda *answer: self._answers.put(answer))
        for why, workers in self._news.items():
            more = f" and {len(workers) - _NAMED:,} more" if len(workers) > _NAMED else ""
            self._say(f"left out, because it cannot serve this run: {', '.join(workers[:_NAMED])}{more}: {why}")
        self._news.clear()

    def _note_losses(self, before: set[str], now: set[str]) -> None:
        """Say who has gone, perhaps because its host was cut off, and who has come after that."""
        gone = sorted((before - now) & self._fit)
        if gone:
            who, what = (
                (f"{gone[0]} is", "it") if len(gone) == 1 else (f"{len(gone)} workers ({gone[0]}, ...) are", "they")
            )
            self._say(f"{who} gone; what {what} had is computed by others")
        come = sorted(now - before)
        if come and self._some_went:
            self._say(f"{come[0]} has come" if len(come) == 1 else f"{len(come)} workers ({come[0]}, ...) have come")
        self._some_went = self._some_went or bool(gone)

    def _take(self, worker: str) -> None:
        if self._unfit.pop(worker, None) is not None:
            self._say(f"{worker} can serve this run now")
        if worker not in self._fit:
            self._fit.add(worker)
            self.changes += 1

    def leave_out(self, worker: str, why: str) -> None:
        """Give a worker nothing more."""
        if worker not in self._unfit:
            self._news.setdefault(why, []).append(worker)
            self.changes += 1
        self._unfit[worker] = why
        self._fit.discard(worker)

    def _is_unknown(self, worker: str) -> bool:
        return worker not in self._fit and worker not in self._unfit

    @property
    def ever(self) -> bool:
        """Whether anybody could serve so far."""
        return bool(self._fit)

    @property
    def unknown(self) -> bool:
        """Whether somebody is there who has not answered yet."""
        return any(map(self._is_unknown, self.present))

    @property
    def threads(self) -> int:
        """Threads of those that serve."""
        return sum(threads for worker, threads in self.present.items() if worker in self._fit)

    @property
    def choice(self) -> Collection[str] | None:
        """Whom work may be given to; None: to anybody, whoever comes included."""
        if not any(worker in self._unfit for worker in self.present):
            return None
        return sorted(worker for worker in {*self._fit, *self.present} if worker not in self._unfit) or None

    @property
    def hopeless(self) -> str:
        """Why the run cannot be computed here: all who are there have been asked, and nobody ever could; else empty."""
        if self._fit or not self.present or self.unknown:
            return ""
        reasons = list(dict.fromkeys(self._unfit[worker] for worker in self.present))
        more = f" (and {len(reasons) - 1} other reasons)" if len(reasons) > 1 else ""
        return (
            f"none of the {len(self.present):,} workers of {self._cluster.place} can serve this run: {reasons[0]}{more}; workers "
            f"need the run folder {self._job.folder} on a shared file system or in a bucket, and the same spinsweep"
        )
