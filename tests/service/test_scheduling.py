"""The scheduling state machine, alone: every point is done once, whatever dies, and nothing hangs."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from sweep.execution.scheduling import (
    Assemble,
    Commit,
    End,
    EndAsked,
    Erred,
    Finished,
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


class FakeCluster:
    """Runs instructions: a piece of work with a killer point in it kills its worker, others may die by chance."""

    def __init__(self, sizes, killers=(), death=0.0, seed=0, **options):
        self.sizes = sizes
        self.killers = set(killers)
        self.death = death
        self.random = random.Random(seed)
        self.scheduler = Scheduler([(i, n, float(n)) for i, n in enumerate(sizes)], **{"window": 6, **options})
        self.running = []
        self.committed = {}
        self.lost = set()
        self.parts = {}
        self.end = None
        self.submitted = {}  # in order, and every piece of work once

    def do(self, instructions):
        for instruction in instructions:
            match instruction:
                case Submit(work):
                    assert work not in self.submitted
                    self.running.append(work)
                    self.submitted[work] = None
                case Commit(work):
                    assert work.tile not in self.committed
                    assert work.whole
                    self.committed[work.tile] = [(0, work.size)]
                case Assemble(tile, parts):
                    assert tile not in self.committed
                    self.committed[tile] = [(p.lo, p.hi) for p in parts]
                case MarkLost(work):
                    assert work.points == 1
                    self.lost.add((work.tile, work.lo))
                case End():
                    self.end = instruction

    def kills(self, work):
        return any(work.tile == tile and work.lo <= place < work.hi for tile, place in self.killers)

    def step(self):
        work = self.running.pop(self.random.randrange(len(self.running)))
        died = self.kills(work) or self.random.random() < self.death
        self.do(self.scheduler.handle(WorkerLost(work) if died else Finished(work)))

    def run(self):
        self.do(self.scheduler.start())
        for _ in range(200_000):
            if self.end is not None:
                return self
            self.step()
        raise AssertionError("the run does not end")


def covers(parts, size):
    return [p[0] for p in parts] == [0, *[p[1] for p in parts[:-1]]] and parts[-1][1] == size


def test_every_tile_is_committed_once():
    cluster = FakeCluster([10, 20, 5, 7, 1]).run()
    assert cluster.end == End(Outcome.COMPLETE)
    assert set(cluster.committed) == {0, 1, 2, 3, 4}
    assert len(cluster.submitted) == 5


def test_expensive_tiles_first():
    cluster = FakeCluster([3, 9, 1, 5], window=1).run()
    assert [work.tile for work in cluster.submitted] == [1, 3, 0, 2]


def test_window_is_kept_and_can_change():
    cluster = FakeCluster([1] * 30, window=4)
    cluster.do(cluster.scheduler.start())
    assert len(cluster.running) == 4
    cluster.do(cluster.scheduler.handle(WindowChanged(9)))
    assert len(cluster.running) == 9


@given(
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=12),
    data=st.data(),
    retries=st.integers(0, 3),
    death=st.sampled_from([0.0, 0.05, 0.3]),
    seed=st.integers(0, 1000),
)
@settings(max_examples=150, deadline=None)
def test_killers_are_found_and_the_innocent_finish(sizes, data, retries, death, seed):
    places = [(tile, k) for tile, n in enumerate(sizes) for k in range(n)]
    killers = data.draw(st.lists(st.sampled_from(places), max_size=4, unique=True))
    cluster = FakeCluster(sizes, killers, death, seed, retries=retries).run()
    assert cluster.end.outcome is Outcome.COMPLETE
    assert set(cluster.committed) == set(range(len(sizes)))
    for tile, parts in cluster.committed.items():
        assert covers(parts, sizes[tile])
    assert set(killers) <= cluster.lost
    if death == 0.0:
        assert cluster.lost == set(killers)


def test_innocent_points_survive_the_loss_of_their_worker():
    """A worker that dies now and then for reasons of its own costs no point, given a retry."""
    cluster = FakeCluster([50] * 20, death=0.1, seed=3, retries=6).run()
    assert not cluster.lost
    assert len(cluster.committed) == 20


def test_errors_are_retried_and_then_end_the_run():
    cluster = FakeCluster([5], retries=2)
    cluster.do(cluster.scheduler.start())
    for attempt in range(3):
        work = cluster.running.pop()
        assert work.attempt == attempt
        cluster.do(cluster.scheduler.handle(Erred(work, "disk full")))
    assert cluster.end == End(Outcome.ABORTED, "disk full")


def test_errors_are_not_held_against_a_point_whose_worker_dies():
    """Two errors of the disk and then one death: the point is tried again, and not marked as one that kills."""
    cluster = FakeCluster([1], retries=2)
    cluster.do(cluster.scheduler.start())
    for event in (Erred, Erred, WorkerLost, WorkerLost):
        work = cluster.running.pop()
        cluster.do(cluster.scheduler.handle(event(work, "disk full") if event is Erred else event(work)))
    assert not cluster.lost
    cluster.do(cluster.scheduler.handle(Finished(cluster.running.pop())))
    assert cluster.end == End(Outcome.COMPLETE)
    assert cluster.committed == {0: [(0, 1)]}


def test_stopping_lets_what_runs_finish():
    cluster = FakeCluster([1] * 20, window=3)
    cluster.do(cluster.scheduler.start())
    cluster.do(cluster.scheduler.handle(StopAsked("ctrl-c")))
    assert cluster.end is None
    while cluster.end is None:
        cluster.step()
    assert cluster.end == End(Outcome.STOPPED, "ctrl-c")
    assert len(cluster.committed) == 3


def test_work_that_is_withdrawn_ends_a_stopping_run():
    cluster = FakeCluster([1] * 20, window=3)
    cluster.do(cluster.scheduler.start())
    cluster.do(cluster.scheduler.handle(StopAsked("ctrl-c")))
    for work in cluster.running[:2]:
        cluster.do(cluster.scheduler.handle(Withdrawn(work)))
    assert cluster.end is None
    cluster.do(cluster.scheduler.handle(Finished(cluster.running[2])))
    assert cluster.end == End(Outcome.STOPPED, "ctrl-c")


def test_ending_is_at_once():
    cluster = FakeCluster([1] * 20)
    cluster.do(cluster.scheduler.start())
    cluster.do(cluster.scheduler.handle(EndAsked("twice")))
    assert cluster.end == End(Outcome.STOPPED, "twice")
    assert cluster.scheduler.handle(Finished(cluster.running[0])) == []


def test_too_many_failures_end_the_run():
    cluster = FakeCluster([10] * 20, window=2, failures_allowed=7)
    cluster.do(cluster.scheduler.start())
    while cluster.end is None:
        work = cluster.running.pop()
        cluster.do(cluster.scheduler.handle(Finished(work, failed=4)))
    assert cluster.end.outcome is Outcome.ABORTED
    assert "max_failures" in cluster.end.reason
    assert len(cluster.committed) <= 4  # what had been submitted is still committed


def test_news_about_work_that_no_longer_counts_is_ignored():
    cluster = FakeCluster([4])
    cluster.do(cluster.scheduler.start())
    stale = Work(0, 0, 4, 4, attempt=7)
    assert cluster.scheduler.handle(WorkerLost(stale)) == []
    assert cluster.scheduler.handle(Finished(stale)) == []


def test_hundred_thousand_tiles_on_a_thousand_workers():
    """Seconds, not minutes: nothing in a step may grow with the number of tiles."""
    cluster = FakeCluster([3] * 100_000, killers=[(i * 997, 1) for i in range(50)], death=0.001, window=2002, seed=5)
    cluster.run()
    assert len(cluster.committed) == 100_000
    assert {(i * 997, 1) for i in range(50)} <= cluster.lost
