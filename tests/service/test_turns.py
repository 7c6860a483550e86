"""Whose tiles go first where sweeps share a scheduler."""

import contextlib
import io
import threading
import time

import pytest
from distributed import Client, LocalCluster
from support.no_pilot import NoPilot
from support.toy_specs import faulty
from support.watching import lines_of

from sweep.clusters.given import given
from sweep.execution import driver, launch, turns
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


SECONDS = 0.15
"""Of a tile: long beside what a busy machine keeps a driver waiting, or its sweep has no tile there when its turn comes."""


@contextlib.contextmanager
def scheduler(threads):
    with (
        LocalCluster(
            n_workers=threads,
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
        yield one, other


def together(tmp_path, clients, monkeypatch):
    """A sweep of 100 tiles, and in its midst one of 30; the points in the order in which they were computed while the latter
    went on, and the tiles of the former as they were committed. All tiles are said to take equally long: a pilot of a busy
    machine would find differences, and each sweep's order is that of its costs."""
    monkeypatch.setattr(driver, "_LOOK_SECONDS", 0.05)
    monkeypatch.setattr(driver, "BUNDLE_SECONDS", 0.0)
    monkeypatch.setenv("TOY_COUNTER", str(tmp_path / "order"))

    def go(name, client, first, count):
        raw = faulty("none", seconds=SECONDS, b=1, tile={"a": 1, "b": 1})
        raw["axes"]["a"] = {"linspace": [float(first), float(first + count - 1), count]}
        where = contextlib.nullcontext(given(client))
        found = launch.run(parse(raw), tmp_path / name, None, io.StringIO(), where, NoPilot(SECONDS))
        assert found.exit_status == 0

    def order():
        lines = (tmp_path / "order").read_text().splitlines() if (tmp_path / "order").exists() else []
        return [int(float(line.split()[0])) for line in lines]

    huge = threading.Thread(target=go, args=("huge", clients[0], 0, 100))
    huge.start()
    while len(order()) < 12:
        time.sleep(0.01)
        assert huge.is_alive()
    go("small", clients[1], 1000, 30)
    found = order()
    huge.join()
    last = max(k for k, a in enumerate(found) if a >= 1000)
    begun = [k for k, a in enumerate(found) if a >= 1000][4]  # after the window at the start
    return found[begun : last + 1], [line["tile"] for line in lines_of(tmp_path / "huge" / "meta" / "journal.jsonl")]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("equal", "patience", "least", "most"),
    [
        pytest.param(1e9, 1e9, 0.4, 2.5, id="first come, first served"),
        pytest.param(1e-3, 1e9, 0.0, 0.35, id="the least left first"),
        pytest.param(1e-3, 4 * SECONDS, 0.01, 0.6, id="the other one is not forgotten"),
    ],
)
def test_small_sweep_beside_a_huge_one(tmp_path, monkeypatch, equal, patience, least, most):
    """Tiles of the huge one for each of the small one's, while both are there."""
    monkeypatch.setattr(turns, "EQUAL_SECONDS", equal)
    monkeypatch.setattr(turns, "PATIENCE_SECONDS", patience)
    monkeypatch.setattr(turns, "_TILES", 0.0)
    with scheduler(2) as clients:
        meanwhile, huge = together(tmp_path, clients, monkeypatch)
    small = sum(a >= 1000 for a in meanwhile)
    share = (len(meanwhile) - small) / small
    assert least <= share <= most
    assert sorted(huge) == list(range(100))
    late = [k for k in range(1, 100) if max(huge[:k]) - huge[k] > 2 * 2 + 2]
    assert len(late) <= 5, "its own order, but for what a window holds, and for a worker that the machine keeps waiting"
