"""Whose tiles go first where sweeps share a scheduler."""

import contextlib
import io
import threading

import pytest
from distributed import Client, LocalCluster
from support.no_pilot import NoPilot
from support.toy_specs import faulty
from support.watching import Portions, lines_of, wait_for

from sweep.clusters.given import given
from sweep.execution import driver, launch, turns
from sweep.execution.driver import window_of
from sweep.execution.turns import EQUAL_SECONDS, PATIENCE_SECONDS, Turns
from sweep.spec.parsing import parse


def test_priority_falls_with_every_doubling_of_what_is_left():
    levels = [Turns(seconds * EQUAL_SECONDS, 1.0, 0.0).priority() for seconds in (0.01, 1.0, 1.01, 2.0, 2.01, 1000.0)]
    assert levels == [0, 0, -1, -1, -2, -10]


def test_priority_rises_as_work_is_done_and_what_waits_is_given_anew_once():
    ours = Turns(4 * EQUAL_SECONDS, 1.0, 0.0)
    assert ours.priority() == -2 and not ours.over(0.0)
    ours.heard(1.0, 2 * EQUAL_SECONDS, 1.0)
    assert ours.priority() == -2, "those that wait would be overtaken"
    assert ours.over(1.0) and ours.priority() == -1 and not ours.over(1.0)
    ours.heard(2.0, EQUAL_SECONDS, 1.0)
    assert ours.over(2.0) and ours.priority() == 0


def test_sweep_that_is_kept_waiting_has_one_tile_ahead():
    ours = Turns(4 * EQUAL_SECONDS, 1.0, 0.0)
    assert not ours.over(PATIENCE_SECONDS)
    assert ours.over(PATIENCE_SECONDS + 0.1)
    assert [ours.priority() for _ in range(3)] == [0, -2, -2]
    ours.heard(10.0, 1.0, 100.0)
    assert not ours.over(300.0) and ours.over(310.1), "of long tiles it takes as long as three of them"
    small = Turns(EQUAL_SECONDS, 1.0, 0.0)
    assert not small.over(1e6), "it has the highest priority anyway"


THREADS = 2
TILES = {"huge": 100, "small": 30}


@contextlib.contextmanager
def scheduler():
    with (
        LocalCluster(
            n_workers=THREADS,
            threads_per_worker=1,
            processes=False,
            protocol="tcp://",
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            silence_logs=50,
        ) as made,
        Client(made, set_as_default=False) as one,
        Client(made, set_as_default=False) as other,
    ):
        yield {"huge": one, "small": other}


class Steps:
    """Sweeps whose tiles, of one point each, are computed one by one: the next when everybody has done what there is to do
    after the last. The clock of their turns counts the tiles that are computed."""

    def __init__(self, folder, clients, monkeypatch):
        self._folder, self._clients = folder, clients
        environment = {"TOY_COUNTER": str(folder / "order")}
        self._portions = Portions(environment, folder / "huge")
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        self._looks = {}
        steps = self

        class Stepped(Turns):
            def __init__(self, seconds, longest, now):
                super().__init__(seconds, longest, len(steps.order()))

            def heard(self, now, cost, seconds):
                super().heard(len(steps.order()), cost, 0.0)

            def over(self, now):
                step = len(steps.order())
                steps._looks[id(self)] = [*steps._looks.get(id(self), [])[-1:], step]
                return super().over(step)

        monkeypatch.setattr(driver, "Turns", Stepped)
        self._going = []

    def start(self, name, first):
        """A sweep in a thread of its own. All its tiles are said to take equally long."""
        raw = faulty("none", b=1, tile={"a": 1, "b": 1})
        raw["axes"]["a"] = {"linspace": [float(first), float(first + TILES[name] - 1), TILES[name]]}

        def go():
            where = contextlib.nullcontext(given(self._clients[name]))
            launch.run(parse(raw), self._folder / name, None, io.StringIO(), where, NoPilot(0.15))

        thread = threading.Thread(target=go)
        thread.start()
        self._going.append((name, thread))

    def order(self):
        """Of which sweep each tile is that was computed."""
        path = self._folder / "order"
        lines = path.read_text().splitlines() if path.exists() else []
        return ["small" if float(line.split()[0]) >= 1000 else "huge" for line in lines]

    def _settled(self):
        """Whether each sweep has given the scheduler what it may, and has twice looked around since the last tile."""
        order = self.order()
        for name, thread in self._going:
            left = TILES[name] - order.count(name)
            there = self._clients[name].run_on_scheduler(_to_do, client=self._clients[name].id)
            if there != min(left, window_of(THREADS)):
                assert thread.is_alive() or not left
                return False
        looks = [seen == [len(order)] * 2 for seen in list(self._looks.values())]
        return len(looks) == len(self._going) and all(looks)

    def step(self):
        before = len(self.order())
        wait_for(self._settled, "drivers that have nothing to do")
        self._portions.let(before + 1)
        wait_for(lambda: len(self.order()) > before, "a tile more")

    def finish(self):
        self._portions.give_all()
        for _, thread in self._going:
            thread.join()


def _to_do(dask_scheduler, client):
    """How many tiles of a client the scheduler has that are not computed."""
    wanted = dask_scheduler.clients[client].wants_what
    return sum(isinstance(task.key, tuple) and task.state in ("queued", "processing", "waiting") for task in wanted)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("equal", "patience", "least", "most"),
    [
        pytest.param(1e9, 1e9, 0.7, 1.5, id="first come, first served"),
        pytest.param(1e-3, 1e9, 0.0, 0.2, id="the least left first"),
        pytest.param(1e-3, 4.0, 0.15, 0.6, id="the other one is not forgotten"),
    ],
)
def test_small_sweep_beside_a_huge_one(tmp_path, monkeypatch, equal, patience, least, most):
    """A sweep of 100 tiles, and in its midst one of 30: tiles of the huge one for each of the small one's, while both are there."""
    monkeypatch.setattr(turns, "EQUAL_SECONDS", equal)
    monkeypatch.setattr(turns, "PATIENCE_SECONDS", patience)
    monkeypatch.setattr(turns, "_TILES", 0.0)
    monkeypatch.setattr(driver, "_LOOK_SECONDS", 0.01)
    monkeypatch.setattr(driver, "_TICK_SECONDS", 0.01)
    monkeypatch.setattr(driver, "BUNDLE_SECONDS", 0.0)
    with scheduler() as clients:
        steps = Steps(tmp_path, clients, monkeypatch)
        try:
            steps.start("huge", 0)
            while len(steps.order()) < 12:
                steps.step()
            steps.start("small", 1000)
            while steps.order().count("small") < TILES["small"]:
                steps.step()
            found = steps.order()
        finally:
            steps.finish()
    begun = [k for k, name in enumerate(found) if name == "small"][4]  # after what the huge one had there at the start
    meanwhile = found[begun:]
    small = meanwhile.count("small")
    share = (len(meanwhile) - small) / small
    assert least <= share <= most
    huge = [line["tile"] for line in lines_of(tmp_path / "huge" / "meta" / "journal.jsonl")]
    assert sorted(huge) == list(range(TILES["huge"]))
    late = [k for k in range(1, 100) if max(huge[:k]) - huge[k] > window_of(THREADS)]
    assert not late, "its own order, but for what a window holds"
