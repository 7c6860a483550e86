"""The driver alone, on clusters that are not there: how long it waits, what it does with lost points, how it is stopped."""

import io
import os
import signal

import numpy as np
import pytest

from solvers.outcome import Remark
from sweep.execution import driver
from sweep.execution.driver import Driver
from sweep.execution.interrupts import Interrupts, Stage
from sweep.execution.messages import Job
from sweep.execution.open_run import OpenRun, TileToDo
from sweep.execution.parts import Part, lost_part, write_parts
from sweep.execution.progress import Progress
from sweep.execution.scheduling import EndAsked, Outcome, WindowChanged
from sweep.folder import cancelling, files, layout
from sweep.folder.cancelling import Wish
from sweep.folder.codes import DONE, POINT_FAILED, unpacked
from sweep.folder.committed import Committed
from sweep.folder.lease import Lease
from sweep.folder.run_folder import RunFolder
from sweep.folder.store import Store
from sweep.plan.tiling import Plan, tile_shape
from sweep.plan.timings import Timings
from sweep.spec.parsing import parse


class Deserted:
    """A cluster whose workers are all gone for good: it takes tasks and never does them."""

    connected = True
    place = "tcp://far:8786"

    def __init__(self, ours, threads=0):
        self.ours = ours
        self.number = threads

    @staticmethod
    def workers():
        return {}

    def threads(self):
        return self.number

    def replace(self, seen):
        return []

    def show(self, counts):
        pass

    def tend(self):
        return []

    @staticmethod
    def submit(*_, **__):
        class Task:
            def add_done_callback(self, _):
                pass

            def cancel(self):
                pass

        return Task()


@pytest.fixture
def make(raw, tmp_path):
    """A driver of a new run on such a cluster, and the words it says."""
    plan = Plan(parse(raw), tile_shape(parse(raw), Timings({"quick": 1.0}), 2))
    folder = RunFolder(tmp_path / "out")
    folder.runs.mkdir(parents=True)
    layout.create(folder.data, plan, "code", "spec")

    def go(cluster):
        said = io.StringIO()
        job = Job(str(folder.path), "id", "code")
        lease = Lease(folder.lease)
        opened = OpenRun(folder, plan, Store(folder.data, plan, writable=True), Committed(plan))
        return Driver(opened, job, cluster, lease, Progress(said, 28), [TileToDo(0, 28, 0, 1.0)], 0), said

    return go


def test_cluster_of_our_own_without_workers_ends_the_run_aloud(make, monkeypatch):
    monkeypatch.setattr(driver, "NO_WORKER_SECONDS", 0.5)
    monkeypatch.setattr(driver, "_LOOK_SECONDS", 0.1)
    made, said = make(Deserted(ours=True))
    end = made.run()
    assert end.outcome is Outcome.ABORTED
    assert "no worker has come back" in end.reason
    assert "no worker is left" in said.getvalue()


def test_watchdog_waits_for_foreign_workers_and_not_for_ever_for_our_own(make):
    own, _ = make(Deserted(ours=True))
    assert list(own._look_around(0.0)) == []
    assert list(own._look_around(driver.NO_WORKER_SECONDS / 2)) == []
    (event,) = own._look_around(driver.NO_WORKER_SECONDS + 1)
    assert isinstance(event, EndAsked)
    assert event.outcome is Outcome.ABORTED
    foreign, said = make(Deserted(ours=False))  # an adaptive cluster may start its workers when it likes
    for now in (0.0, driver.NO_WORKER_SECONDS + 1, 1e6):
        assert list(foreign._look_around(now)) == []
    assert said.getvalue().count("waiting for workers of tcp://far:8786; the cluster has none yet") == 3


def test_workers_that_come_back_are_used(make):
    cluster = Deserted(ours=True)
    made, _ = make(cluster)
    list(made._look_around(0.0))
    cluster.number = 3
    (event,) = made._look_around(30.0)
    assert event == WindowChanged(driver.window_of(3))
    cluster.number = 0
    assert list(made._look_around(1000.0)) == []  # the wait begins anew


def test_lost_points_are_failed_and_as_many_as_they_are(raw, tmp_path):
    remark = Remark(kind="WorkerLost", message="gone")
    part = lost_part(3, 5, remark)
    assert part.statuses.tolist() == [POINT_FAILED, POINT_FAILED]
    assert np.isnan(part.seconds).tolist() == [True, True]
    assert [(r.place, r.status, r.kind) for r in part.remarks] == [(3, 2, "WorkerLost"), (4, 2, "WorkerLost")]
    plan = Plan(parse(raw), (7, 4))
    layout.create(tmp_path / "data.zarr", plan, "code", "spec")
    store = Store(tmp_path / "data.zarr", plan, writable=True)
    size = plan.at(0).size
    ends = [Part(lo, hi, {}, np.full(hi - lo, DONE, np.uint8), np.ones(hi - lo)) for lo, hi in ((0, 3), (5, size))]
    receipt = write_parts(store, plan.at(0), [ends[0], part, ends[1]])
    assert unpacked(receipt.codes, (size,)).tolist() == [DONE] * 3 + [POINT_FAILED] * 2 + [DONE] * (size - 5)
    assert receipt.seconds == size - 2


def test_stages_of_stopping(tmp_path):
    """Ctrl-C once: stop; twice: end. A wish in the folder counts the same, and `now` ends at once."""
    folder = RunFolder(tmp_path)
    folder.meta.mkdir()
    interrupts = Interrupts(folder)
    assert interrupts.look() is Stage.RUNNING
    with interrupts.signals():
        os.kill(os.getpid(), signal.SIGINT)
        assert [interrupts.look(), interrupts.look()] == [Stage.STOP_ASKED, Stage.STOPPING]
        os.kill(os.getpid(), signal.SIGTERM)
        assert [interrupts.look(), interrupts.look()] == [Stage.END_ASKED, Stage.END_ASKED]
    asked = Interrupts(folder)
    files.write_record(folder.meta / "cancel.json", Wish(now=False))
    assert [asked.look(), asked.look()] == [Stage.STOP_ASKED, Stage.STOPPING]
    assert cancelling.asked(folder) is None  # taken
    files.write_record(folder.meta / "cancel.json", Wish(now=True))
    assert asked.look() is Stage.END_ASKED
