"""The real scheduling at the scale of ten thousand workers: events of a cluster, with the times that were measured.

A tile takes a minute. Dask's scheduler takes a millisecond per task, one task after the other; the driver takes half of one
for each result, and stands still for every group commit. Workers die, and points that kill them are among the tiles.
"""

import heapq
import itertools
import random
from collections import deque

from sweep.execution.commits import GROUP_SECONDS
from sweep.execution.driver import window_of
from sweep.execution.scheduling import (
    Assemble,
    Commit,
    End,
    Finished,
    MarkLost,
    Outcome,
    Scheduler,
    Submit,
    WorkerLost,
)

WORKERS, WAVES = 10_000, 40
TILE_SECONDS, POINTS = 60.0, 30
DASK_SECONDS, DRIVER_SECONDS, COMMIT_SECONDS = 1e-3, 0.5e-3, 0.05
DEATHS, RESTART_SECONDS = 0.002, 15.0
"""Of all attempts; a nanny takes so long to start another process."""
KILLERS = 30


class Cluster:
    """Workers, a scheduler and a driver, each with its time; `useful` are seconds of work that came to a commit."""

    def __init__(self, tiles, seed):
        self.rng = random.Random(seed)
        self.seconds = [TILE_SECONDS * self.rng.uniform(0.7, 1.3) for _ in range(tiles)]
        self.killers = {self.rng.randrange(tiles): self.rng.randrange(POINTS) for _ in range(KILLERS)}
        told = [(k, POINTS, s * self.rng.uniform(0.9, 1.1)) for k, s in enumerate(self.seconds)]
        self.scheduler = Scheduler(told, window_of(WORKERS), retries=2)
        self.idle, self.ready = WORKERS, deque()
        self.now = self.dask_free = self.driver_free = self.next_commit = 0.0
        self.events, self.numbers = [], itertools.count()
        self.useful, self.committed, self.lost, self.end = 0.0, 0, set(), None
        self.most_waiting = 0.0

    def at(self, when, what, work=None, died=False):
        heapq.heappush(self.events, (when, next(self.numbers), what, work, died))

    def start_next(self):
        while self.idle and self.ready:
            work = self.ready.popleft()
            self.idle -= 1
            self.dask_free = max(self.dask_free, self.now) + DASK_SECONDS
            takes = self.seconds[work.tile] * work.points / work.size
            killer = self.killers.get(work.tile)
            died = (killer is not None and work.lo <= killer < work.hi) or self.rng.random() < DEATHS
            self.at(self.dask_free + takes * (self.rng.random() if died else 1.0), "done", work, died)

    def do(self, instructions):
        for instruction in instructions:
            match instruction:
                case Submit(work):
                    self.at(self.driver_free, "ready", work)
                case Commit(work):
                    self.committed += 1
                    self.useful += self.seconds[work.tile]
                case Assemble(tile, _):
                    self.committed += 1
                    self.useful += self.seconds[tile]
                case MarkLost(work):
                    self.lost.add((work.tile, work.lo))
                case End():
                    self.end = instruction

    def run(self):
        self.do(self.scheduler.start())
        while self.end is None:
            self.now, _, what, work, died = heapq.heappop(self.events)
            if what == "ready":
                self.ready.append(work)
            elif what == "back":
                self.idle += 1
            else:
                if died:
                    self.at(self.now + RESTART_SECONDS, "back")
                else:
                    self.idle += 1
                if self.now > self.next_commit:
                    self.driver_free = max(self.driver_free, self.now) + COMMIT_SECONDS
                    self.next_commit = self.driver_free + GROUP_SECONDS
                self.driver_free = max(self.driver_free, self.now) + DRIVER_SECONDS
                self.most_waiting = max(self.most_waiting, self.driver_free - self.now)
                self.do(self.scheduler.handle(WorkerLost(work) if died else Finished(work)))
            self.start_next()
        return self


def test_ten_thousand_workers_are_kept_busy():
    tiles = WORKERS * WAVES
    cluster = Cluster(tiles, seed=11).run()
    assert cluster.end == End(Outcome.COMPLETE)
    assert cluster.committed == tiles
    assert cluster.lost == set(cluster.killers.items())  # each was found, and nobody else was blamed
    use = cluster.useful / (WORKERS * cluster.now)
    print(f"\nuse of {WORKERS} workers in {cluster.now / TILE_SECONDS:.1f} waves: {100 * use:.2f} %")
    assert use >= 0.93
    assert cluster.most_waiting < TILE_SECONDS  # the driver keeps up
