"""The driver: feeds a Dask client from the scheduling state machine and commits what comes back."""

from __future__ import annotations

import contextlib
import queue
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from solvers.outcome import Remark
from sweep.clusters.cluster import SCHEDULER_LOST, Cluster, Task
from sweep.errors import AbortedError
from sweep.execution.bar import Bar
from sweep.execution.commits import LARGEST_GROUP, Commits
from sweep.execution.crew import Crew
from sweep.execution.interrupts import Interrupts, Stage
from sweep.execution.messages import CannotServe, Job, Receipt
from sweep.execution.open_run import OpenRun, TileToDo
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
from sweep.execution.turns import Turns
from sweep.execution.worker import solve_part, solve_tiles
from sweep.folder.codes import POINT_FAILED
from sweep.folder.lease import Lease
from sweep.quantities import duration

_TICK_SECONDS = 0.2
_LOOK_SECONDS = 2.0
_MUSTER_SECONDS = 0.02
NO_WORKER_SECONDS = 60.0
"""A local cluster without any worker for so long will not come back by itself."""
WAIT_WORDS_SECONDS = 60.0
"""While somebody else's cluster has no worker, it is said so often."""
THREADS_TO_COME = 4
"""Of a cluster that has no worker yet, and may start some when there is work."""
BUNDLE_SECONDS = 0.1
LARGEST_BUNDLE = 16
"""Tiles of less work than what a task costs the scheduler are given to workers in bundles of so many, and so long."""


@dataclass(frozen=True)
class _News:
    """A future that is done: its result, or why there is none."""

    future: Task
    result: tuple[Receipt, ...] | Part | None = None
    error: BaseException | None = None


def window_of(threads: int, bundle: int = 1) -> int:
    """Tiles to have outstanding: enough that no worker waits, few enough that the client stays small."""
    return bundle * (2 * threads + 2)


def bundle_of(tiles: Sequence[TileToDo], threads: int) -> int:
    """How many tiles a worker is given at once: one, unless they are over long before the next could be sent."""
    quick = BUNDLE_SECONDS / max((tile.cost for tile in tiles), default=1.0)
    return max(1, int(min(quick, LARGEST_BUNDLE, len(tiles) / (8 * threads))))


def key_name(sweep: str, method: str, run_id: str) -> str:
    """What the tiles of a method are called in Dask's dashboard, which cuts a key at what is not letters behind a dash."""
    return f"{re.sub(r'[^0-9A-Za-z]+', '_', f'{sweep} {method}').strip('_')}-{run_id[:8]}"


class Driver:
    """Runs the tiles of a plan that are not committed yet; `wave` tells apart drivers that compute in the same tiles one after
    another."""

    def __init__(
        self,
        run: OpenRun,
        job: Job,
        cluster: Cluster,
        lease: Lease,
        progress: Progress,
        tiles: Sequence[TileToDo],
        failed_before: int,
        wave: int = 0,
    ) -> None:
        self.open = run
        self.plan = run.plan
        self.job = job
        self.cluster = cluster
        self.lease = lease
        self.progress = progress
        self.commits = Commits(run, lease, progress, syncs=bool(job.synced))
        spec = run.plan.spec
        threads = cluster.threads() or (1 if cluster.ours else THREADS_TO_COME)
        self._bundle = bundle_of(tiles, threads)
        self.scheduler = Scheduler(
            [(tile.index, tile.points, tile.cost) for tile in tiles],
            window_of(threads, self._bundle),
            spec.retries,
            failures_allowed=spec.failures_allowed(),
            failed_before=failed_before,
        )
        self.interrupts = Interrupts(run.folder, lease.token)
        self._clock = run.folder.host.clock
        self._costs = {tile.index: tile.cost for tile in tiles}
        self._done_before = {tile.index: tile.done for tile in tiles if tile.done}
        self._befores = {tile.index: tile.before for tile in tiles if tile.before}
        self._frozen: set[int] = set()
        self._threads = threads
        self._wave = wave
        self._together: list[Work] = []
        self._alone: set[Work] = set()
        self._futures: dict[Task, tuple[Work, ...]] = {}
        self._arrived: queue.SimpleQueue[_News] = queue.SimpleQueue()
        self._receipts: dict[Work, Receipt] = {}
        self._parts: dict[Work, Part] = {}
        self._no_workers_since: float | None = None
        self._said_waiting = 0.0
        self._crew = None if cluster.ours else Crew(cluster, job, progress.say)
        costs = self._costs.values()
        self._turns = None if cluster.ours else Turns(sum(costs), max(costs, default=0.0), self._clock.monotonic())
        self._crew_changes = 0
        self._doubtful: list[tuple[Work, ...]] = []
        """Works that ended in an error while it is not known yet who of the workers can serve."""
        self._round = 0
        """How often works were taken back, which then need other keys."""
        self._names = {method: key_name(spec.name or spec.model, method, job.run_id) for method in spec.methods}
        self._bar = Bar(run.plan, self._names, [tile.index for tile in tiles])

    def run(self) -> End:
        """Run to the end and return how it ended."""
        with self.interrupts.signals():
            try:
                end = self._loop()
                if not self.commits.finish():
                    end = End(Outcome.ABORTED, self.lease.why)
            except OSError as error:  # a full disk, a folder that is gone: what is committed stays
                name = f": {error.filename}" if error.filename else ""
                self.commits.give_up()
                end = End(Outcome.ABORTED, self.lease.why or f"{error.strerror or error}{name}")
            finally:
                self.commits.close()
                self.progress.clear()
                self._bar.end(self.cluster)
                for future in self._futures:
                    with contextlib.suppress(Exception):
                        future.cancel()
        return end

    def _loop(self) -> End:
        looked = self._clock.monotonic()
        for event in self._muster():
            self._do(self.scheduler.handle(event))
        if self.scheduler.ended is None:
            self._do(self.scheduler.start())
            self._submit_together()
        while self.scheduler.ended is None:
            for event in self._events():
                self._do(self.scheduler.handle(event))
            self._submit_together()
            self.commits.tick()
            now = self._clock.monotonic()
            if now - looked > (_TICK_SECONDS if self._doubtful else _LOOK_SECONDS):
                looked = now
                for event in self._look_around(now):
                    self._do(self.scheduler.handle(event))
                self._submit_together()
                self._bar.show(self.cluster)
            self.progress.tick(now)
        return self.scheduler.ended

    def _muster(self) -> Iterator[Event]:
        """Hear, before anything is given to workers of somebody else, who of those that are there can serve."""
        if self._crew is None:
            return
        self._crew.look(self._clock.monotonic())
        while self._crew.unknown and self.cluster.connected and self.interrupts.stage is Stage.RUNNING:
            self._clock.sleep(_MUSTER_SECONDS)
            self._crew.look(self._clock.monotonic())
        yield from self._look_around(self._clock.monotonic())

    # What happened

    def _events(self) -> Iterator[Event]:
        """Wait a moment for news; yield an event for each."""
        stage = self.interrupts.look()
        if stage is Stage.STOP_ASKED:
            yield StopAsked("stopped on request")
            yield from self._withdraw()
            self.progress.say(
                f"stopping: {sum(map(len, self._futures.values()))} tiles that run are finished and committed; press Ctrl-C again to drop them"
            )
        elif stage is Stage.END_ASKED:
            yield EndAsked("stopped at once on request; the tiles that were running are dropped")
            return
        left = self.commits.seconds_left
        news = self._clock.take(self._arrived, _TICK_SECONDS if left is None else min(left, _TICK_SECONDS))
        for _ in range(LARGEST_GROUP):
            if news is None:
                return
            yield from self._event_of(news)
            news = self._clock.take(self._arrived, 0.0)
        if news is not None:
            yield from self._event_of(news)

    def _withdraw(self) -> Iterator[Event]:
        """Take back what no worker has started."""
        started = self.cluster.started()
        for future, works in list(self._futures.items()):
            if future.key not in started and not future.done():
                del self._futures[future]
                future.cancel()
                self._round += 1
                yield from map(Withdrawn, works)

    def _event_of(self, news: _News) -> Iterator[Event]:
        works = self._futures.pop(news.future, None)
        if works is None:
            return
        if isinstance(news.result, Part):
            (work,) = works
            self._parts[work] = news.result
            yield Finished(work, int(np.count_nonzero(news.result.statuses == POINT_FAILED)))
        elif news.result is not None:
            for work, receipt in zip(works, news.result, strict=True):
                self._receipts[work] = receipt
                if self._turns is not None:
                    self._turns.heard(self._clock.monotonic(), self._costs.get(work.tile, 0.0), receipt.seconds)
                yield Finished(work, receipt.failed(work.size))
        elif not self.cluster.lost_worker(news.error) and self._has_lost_lease():
            yield EndAsked(self.lease.why, Outcome.ABORTED)  # its folder was moved away, say
        elif self._crew is not None and isinstance(news.error, CannotServe) and news.error.worker:
            self._crew.leave_out(news.error.worker, news.error.why)
            self._doubtful.append(works)
        elif self._crew is not None and self._crew.unknown and not self.cluster.lost_worker(news.error):
            self._doubtful.append(works)  # it may lack the package, say: who it was is known when all have answered
        elif len(works) > 1:  # whichever of them it was, the others are not to blame
            self._alone.update(works)
            yield from map(Withdrawn, works)
        elif self.cluster.lost_worker(news.error):
            yield WorkerLost(works[0])
        else:  # not a point's own; or cancelled, by the scheduler's end or by somebody at the dashboard
            kind = "" if isinstance(news.error, CannotServe) else f"{type(news.error).__name__}: "
            yield Erred(works[0], f"tile {works[0].tile}: {kind}{news.error}")
        news.future.release()

    def _has_lost_lease(self) -> bool:
        self.lease.held()
        return self.lease.lost.is_set()

    def _fetch(self, future: Task) -> None:
        """Bring a result home. In Dask's callback thread, because a worker that stands still now would hold up the loop."""
        try:
            self._arrived.put(_News(future, result=future.result()))
        except BaseException as error:  # whatever it is, the loop decides
            self._arrived.put(_News(future, error=error))

    def _look_around(self, now: float) -> Iterator[Event]:
        """Workers come and go; the scheduler or the lease may be lost."""
        if self.lease.lost.is_set():
            yield EndAsked(self.lease.why, Outcome.ABORTED)
            return
        if not self.cluster.connected:
            yield EndAsked(SCHEDULER_LOST, Outcome.ABORTED)
            return
        for pid in self.cluster.replace(self._frozen):
            self.progress.say(f"worker process {pid} stood still and is replaced")
        try:
            for text in self.cluster.tend():
                self.progress.say(text)
        except AbortedError as error:
            yield EndAsked(error.text, Outcome.ABORTED)
            return
        if self._crew is not None:
            yield from self._look_at(self._crew, now)
        threads = self.cluster.threads() if self._crew is None else self._crew.threads
        if threads:
            self._no_workers_since = None
            if threads != self._threads:
                self._threads = threads
                yield WindowChanged(window_of(threads, self._bundle))
            if self._turns is not None and self._turns.over(now):
                yield from self._withdraw()
            return
        if self._no_workers_since is None or (self._crew and now - self._said_waiting > WAIT_WORDS_SECONDS):
            self._say_waiting(now)
        elif self.cluster.ours and now - self._no_workers_since > NO_WORKER_SECONDS:
            yield EndAsked(f"no worker has come back for {duration(NO_WORKER_SECONDS)}", Outcome.ABORTED)

    def _say_waiting(self, now: float) -> None:
        """That there is nobody who computes."""
        if self._crew is not None and self._crew.unknown:
            return
        if self._no_workers_since is None:
            self._no_workers_since = now
        self._said_waiting = now
        if self._crew is None:
            self.progress.say("no worker is left; waiting for one")
        elif not self._crew.ever:
            self.progress.say(
                f"waiting for workers of {self.cluster.place}; the cluster has none yet (Ctrl-C gives up)"
            )
        else:
            self.progress.say(
                f"waiting for workers of {self.cluster.place}; none is left that can serve this run (Ctrl-C gives up)"
            )

    def _look_at(self, crew: Crew, now: float) -> Iterator[Event]:
        """Of somebody else's workers, new ones are asked; those that cannot serve get no work, and it goes elsewhere."""
        crew.look(now)
        if crew.hopeless:
            yield EndAsked(crew.hopeless, Outcome.ABORTED)
            return
        if self._doubtful and not crew.unknown:
            doubtful, self._doubtful = self._doubtful, []
            self._round += 1
            for works in doubtful:
                yield from map(Withdrawn, works)
        if crew.changes != self._crew_changes:
            self._crew_changes = crew.changes
            if crew.choice is not None:
                yield from self._withdraw()

    # What is to be done

    def _do(self, instructions: Sequence[Instruction]) -> None:
        for instruction in instructions:
            match instruction:
                case Submit(work) if work.whole and work.attempt == 0 and work not in self._alone:
                    self._together.append(work)
                case Submit(work):
                    self._submit(work)
                case Commit(work):
                    self._commit(self._receipts.pop(work))
                case Assemble(tile, parts):
                    found = [self._parts.pop(part) for part in parts]
                    self._commit(self._assemble(tile, found))
                case MarkLost(work):
                    remark = Remark(kind="WorkerLost", message="the worker process died while it solved this point")
                    self._parts[work] = lost_part(work.lo, work.hi, remark)
                case End():
                    pass

    def _submit_together(self) -> None:
        for start in range(0, len(self._together), self._bundle):
            self._submit(*self._together[start : start + self._bundle])
        self._together.clear()

    def _submit(self, *works: Work) -> None:
        """Give tiles, or a part of one, to a worker. A tile that is tried again is alone, so that its fate is its own."""
        work = works[0]
        # A key that has erred does not run again, so the attempt is part of it, how many tiles travel together, and how
        # often tiles were taken back; and a refined tile is computed in several waves.
        method = next(iter(self._names)) if len(self._names) == 1 else self.plan.at(work.tile).method
        key = (self._names[method], work.tile, work.lo, work.hi, work.attempt, len(works), self._round, self._wave)
        who = None if self._crew is None else self._crew.choice
        rank = 0 if self._turns is None else self._turns.priority()
        if work.whole:
            tiles = tuple((work.tile, self._before(work.tile)) for work in works)
            future = self.cluster.submit(solve_tiles, self.job, tiles, key=key, workers=who, priority=rank)
        else:
            before = self._before(work.tile)
            place = (work.tile, work.lo, work.hi)
            future = self.cluster.submit(solve_part, self.job, *place, before, key=key, workers=who, priority=rank)
        self._futures[future] = works
        future.add_done_callback(self._fetch)

    def _before(self, tile: int) -> str:
        """The codes of a tile of which some points alone are solved."""
        return self._befores.get(tile, "")

    def _assemble(self, tile: int, parts: Sequence[Part]) -> Receipt:
        """Write a tile from its parts."""
        store = self.open.store
        receipt = write_parts(store, self.plan.at(tile), parts, self.open.folder.host)
        if not self.job.synced:
            store.sync_tile(tile)
        return receipt

    def _commit(self, receipt: Receipt) -> None:
        self._bar.done(receipt.tile)
        self.commits.add(receipt, self._done_before.get(receipt.tile, 0), self._costs.get(receipt.tile, 0.0))
