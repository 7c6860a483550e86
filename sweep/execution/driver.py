"""The driver: feeds a Dask client from the scheduling state machine and commits what comes back."""

from __future__ import annotations

import contextlib
import queue
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from solvers.outcome import Remark
from sweep.clusters.cluster import Cluster, Task
from sweep.execution.interrupts import Interrupts, Stage
from sweep.execution.messages import CodeMismatch, Job, Receipt
from sweep.execution.parts import Part, lost_part, write_parts
from sweep.execution.progress import Progress
from sweep.execution.scheduling import (
    Assemble,
    Commit,
    End,
    EndAsked,
    Erred,
    Event,
    Finished,
    Instruction,
    MarkLost,
    Outcome,
    Scheduler,
    StopAsked,
    Submit,
    WindowChanged,
    Withdrawn,
    Work,
    WorkerLost,
)
from sweep.execution.worker import solve_part, solve_tile
from sweep.folder import files, journal, provenance
from sweep.folder.journal import JournalEntry
from sweep.folder.lease import Lease
from sweep.folder.point_errors import FAILED, WARNED, PointError
from sweep.folder.run_folder import RunFolder
from sweep.folder.store import POINT_FAILED, POINT_WARNED, Store
from sweep.plan.tiling import Plan, Tile
from sweep.quantities import duration

_TICK_SECONDS = 0.2
_LOOK_SECONDS = 2.0
NO_WORKER_SECONDS = 60.0
"""A local cluster without any worker for so long will not come back by itself."""
KEPT_WARNINGS = 3
"""Warnings of one kind that are recorded per tile; failed points are all recorded."""


@dataclass(frozen=True)
class TileToDo:
    """A tile with points to compute: `done` of its `points` are done already; `cost` in seconds."""

    index: int
    points: int
    done: int
    cost: float


@dataclass(frozen=True)
class _News:
    """A future that is done: its result, or why there is none."""

    future: Task
    result: Receipt | Part | None = None
    error: BaseException | None = None


def window_of(threads: int) -> int:
    """Tiles to have outstanding: enough that no worker waits, few enough that the client stays small."""
    return 2 * threads + 2


class Driver:
    """Runs the tiles of a plan that are not committed yet."""

    def __init__(
        self,
        folder: RunFolder,
        plan: Plan,
        job: Job,
        cluster: Cluster,
        lease: Lease,
        progress: Progress,
        tiles: Sequence[TileToDo],
        failed_before: int,
    ) -> None:
        self.folder = folder
        self.plan = plan
        self.job = job
        self.cluster = cluster
        self.lease = lease
        self.progress = progress
        self.store = Store(folder.data, plan, writable=True)
        spec = plan.spec
        threads = max(cluster.threads(), 1)
        self.scheduler = Scheduler(
            [(tile.index, tile.points, tile.cost) for tile in tiles],
            window_of(threads),
            spec.retries,
            failures_allowed=spec.failures_allowed(),
            failed_before=failed_before,
        )
        self.interrupts = Interrupts(folder)
        self._done_before = {tile.index: tile.done for tile in tiles if tile.done}
        self._frozen: set[int] = set()
        self._threads = threads
        self._futures: dict[Task, Work] = {}
        self._arrived: queue.SimpleQueue[_News] = queue.SimpleQueue()
        self._receipts: dict[Work, Receipt] = {}
        self._parts: dict[Work, Part] = {}
        self._no_workers_since: float | None = None
        self._name = f"{spec.model.partition('.')[2] or spec.model}-{job.run_id[:6]}"

    def run(self) -> End:
        """Run to the end and return how it ended."""
        with self.interrupts.signals():
            try:
                self._loop()
            except OSError as error:  # a full disk, a folder that is gone: what is committed stays
                name = f": {error.filename}" if error.filename else ""
                self.scheduler.handle(EndAsked(f"{error.strerror or error}{name}", Outcome.ABORTED))
        self.progress.clear()
        for future in self._futures:
            with contextlib.suppress(Exception):
                future.cancel()
        assert self.scheduler.ended is not None
        return self.scheduler.ended

    def _loop(self) -> None:
        self._do(self.scheduler.start())
        looked = time.monotonic()
        while self.scheduler.ended is None:
            for event in self._events():
                self._do(self.scheduler.handle(event))
            now = time.monotonic()
            if now - looked > _LOOK_SECONDS:
                looked = now
                for event in self._look_around(now):
                    self._do(self.scheduler.handle(event))
            self.progress.tick(now)

    # What happened

    def _events(self) -> Iterator[Event]:
        """Wait a moment for news; yield an event for each."""
        stage = self.interrupts.look()
        if stage is Stage.STOP_ASKED:
            yield StopAsked("stopped on request")
            yield from self._withdraw()
            self.progress.say(
                f"stopping: {len(self._futures)} tiles that run are finished and committed; press Ctrl-C again to drop them"
            )
        elif stage is Stage.END_ASKED:
            yield EndAsked("stopped at once on request; the tiles that were running are dropped")
            return
        with contextlib.suppress(queue.Empty):
            yield from self._event_of(self._arrived.get(timeout=_TICK_SECONDS))
            while True:
                yield from self._event_of(self._arrived.get_nowait())

    def _withdraw(self) -> Iterator[Event]:
        """Take back what no worker has started."""
        started = self.cluster.started()
        for future, work in list(self._futures.items()):
            if future.key not in started and not future.done():
                del self._futures[future]
                future.cancel()
                yield Withdrawn(work)

    def _event_of(self, news: _News) -> Iterator[Event]:
        work = self._futures.pop(news.future, None)
        if work is None:
            return
        if news.result is not None:
            yield Finished(work, self._keep(work, news.result))
        elif self.cluster.lost_worker(news.error):
            yield WorkerLost(work)
        elif isinstance(news.error, CodeMismatch):
            yield EndAsked(str(news.error), Outcome.ABORTED)
        else:  # not a point's own; or cancelled, by the scheduler's end or by somebody at the dashboard
            yield Erred(work, f"tile {work.tile}: {type(news.error).__name__}: {news.error}")
        news.future.release()

    def _fetch(self, future: Task) -> None:
        """Bring a result home. In Dask's callback thread, because a worker that stands still now would hold up the loop."""
        try:
            self._arrived.put(_News(future, result=future.result()))
        except BaseException as error:  # whatever it is, the loop decides
            self._arrived.put(_News(future, error=error))

    def _keep(self, work: Work, result: Receipt | Part) -> int:
        """Hold a result until its commit; returns how many of its points failed."""
        if isinstance(result, Receipt):
            self._receipts[work] = result
            return int(np.count_nonzero(result.statuses((work.size,)) == POINT_FAILED))
        self._parts[work] = result
        return int(np.count_nonzero(result.statuses == POINT_FAILED))

    def _look_around(self, now: float) -> Iterator[Event]:
        """Workers come and go; the scheduler or the lease may be lost."""
        if self.lease.lost.is_set():
            yield EndAsked("another driver has taken over this run", Outcome.ABORTED)
            return
        if not self.cluster.connected:
            yield EndAsked("the connection to the scheduler is lost", Outcome.ABORTED)
            return
        for pid in self.cluster.replace(self._frozen):
            self.progress.say(f"worker process {pid} stood still and is replaced")
        for text in self.cluster.tend():
            self.progress.say(text)
        threads = self.cluster.threads()
        if threads:
            self._no_workers_since = None
            if threads != self._threads:
                self._threads = threads
                yield WindowChanged(window_of(threads))
            return
        if self._no_workers_since is None:
            self._no_workers_since = now
            self.progress.say("no worker is left; waiting for one")
        elif self.cluster.ours and now - self._no_workers_since > NO_WORKER_SECONDS:
            yield EndAsked(f"no worker has come back for {duration(NO_WORKER_SECONDS)}", Outcome.ABORTED)

    # What is to be done

    def _do(self, instructions: Sequence[Instruction]) -> None:
        for instruction in instructions:
            match instruction:
                case Submit(work):
                    self._submit(work)
                case Commit(work):
                    self._commit(self._receipts.pop(work))
                case Assemble(tile, parts):
                    found = [self._parts.pop(part) for part in parts]
                    self._commit(write_parts(self.store, self.plan.at(tile), found))
                case MarkLost(work):
                    remark = Remark(kind="WorkerLost", message="the worker process died while it solved this point")
                    self._parts[work] = lost_part(work.lo, work.hi, remark)
                case End():
                    pass

    def _submit(self, work: Work) -> None:
        # A key that has erred does not run again, so the attempt is part of it.
        key = (self._name, work.tile, work.lo, work.hi, work.attempt)
        call: Callable[..., Any]
        if work.whole:
            call, arguments = solve_tile, (self.job, work.tile)
        else:
            call, arguments = solve_part, (self.job, work.tile, work.lo, work.hi)  # type: ignore[assignment]
        future = self.cluster.submit(call, *arguments, key=key)
        self._futures[future] = work
        future.add_done_callback(self._fetch)

    def _commit(self, receipt: Receipt) -> None:
        """Record a tile and then commit it; whatever happens in between, its points are just computed again."""
        tile = self.plan.at(receipt.tile)
        statuses = receipt.statuses(tile.shape)
        files.append_records(self.folder.errors, self._point_errors(receipt, tile))
        entry = JournalEntry(
            tile=receipt.tile,
            digest=receipt.digest,
            sizes=receipt.sizes,
            seconds=receipt.seconds,
            host=receipt.host,
            pid=receipt.pid,
            cpu=receipt.cpu,
            time=provenance.now(),
        )
        journal.append(self.folder.journal, entry)
        self.store.commit(receipt.tile, statuses)
        self.progress.add(
            tile.size - self._done_before.get(tile.index, 0), int(np.count_nonzero(statuses == POINT_FAILED))
        )

    def _point_errors(self, receipt: Receipt, tile: Tile) -> Iterator[PointError]:
        warned: Counter[str] = Counter()
        for remark in receipt.remarks:
            if remark.status == POINT_WARNED:
                warned[remark.kind] += 1
                if warned[remark.kind] > KEPT_WARNINGS:
                    continue
            yield PointError(
                tile=receipt.tile,
                place=remark.place,
                status=FAILED if remark.status == POINT_FAILED else WARNED,
                method=tile.method,
                parameters={name: v[remark.place].item() for name, v in tile.points.items() if v.ndim == 1},
                type=remark.kind,
                message=remark.message,
                traceback=remark.traceback,
            )
