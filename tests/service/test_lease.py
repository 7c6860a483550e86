"""The lease: hosts whose clocks differ, drivers that take over at the same moment, disks that fail, wishes to stop."""

import contextlib
import errno
import io
import json
import subprocess
import sys

import psutil
import pytest
from support.no_pilot import NoPilot
from support.simulated_time import StandingClock
from support.watching import wait_for

from sweep.errors import RunError
from sweep.execution import launch
from sweep.execution.interrupts import Interrupts, Stage
from sweep.folder import cancelling, journal, lease
from sweep.folder.disk import LocalDisk
from sweep.folder.host import Host, RealClock, process_start
from sweep.folder.lease import Holder, Lease, holder
from sweep.folder.run_folder import RunFolder
from sweep.results.status import DriverStatus, status_of
from sweep.spec.parsing import parse


def a_host(name, clock, disk=None, alive=(), pid=1):
    """A machine on which only the processes `alive` are."""
    return Host(
        disk=disk or LocalDisk(),
        clock=clock,
        name=name,
        pid=lambda: pid,
        machine=lambda: f"machine {name}",
        process_start=lambda pid: 5.0 if pid in alive else None,
    )


@pytest.fixture
def path(tmp_path):
    (tmp_path / "meta").mkdir()
    return tmp_path / "meta" / "lease.json"


@pytest.mark.parametrize("ahead", [-3600.0, -120.0, 0.0, 120.0, 3600.0])
def test_live_driver_is_refused_whatever_the_clocks_say(path, ahead):
    """A second host 2 minutes ahead took a live run over, as long as wall clocks were compared."""
    one, two = StandingClock(1e9), StandingClock(1e9 + ahead)
    two.others.append(lambda: one.sleep(1.0))  # the first driver lives on while the second watches
    said = []
    with Lease(path, host=a_host("one", one, alive={1})) as held:
        with (
            pytest.raises(RunError, match=r"another driver is working on .*process 1 on one"),
            Lease(path, host=a_host("two", two), say=said.append),
        ):
            pass
        assert two.now <= lease.HEARTBEAT_SECONDS + 2  # it needs to see one beat
        assert held.held()
    assert "watching for up to 90 s" in said[0]
    assert not path.exists()


@pytest.mark.parametrize("ahead", [-3600.0, 0.0, 3600.0])
def test_dead_driver_of_another_host_is_replaced_after_a_while(path, ahead):
    """A dead driver whose host was an hour ahead blocked the run until the clocks met."""
    one, two = StandingClock(1e9 + ahead), StandingClock(1e9)
    dead = Lease(path, host=a_host("one", one, alive={1}))
    dead.__enter__()  # and never again a sign of it
    with Lease(path, host=a_host("two", two)) as taken:
        assert taken.taken_over == "process 1 on one"
        assert lease.WATCH_SECONDS <= two.now <= lease.WATCH_SECONDS + 5
        assert taken.held()
        assert not dead.held()
        assert dead.lost.is_set()
        assert "taken over" in dead.why
    assert not path.exists()


def test_process_of_the_same_machine_is_looked_at(path):
    clock = StandingClock()
    crashed = Lease(path, host=a_host("one", clock, alive={1}))
    crashed.__enter__()
    with pytest.raises(RunError, match="another driver"), Lease(path, host=a_host("one", clock, alive={1, 2}, pid=2)):
        pass
    with Lease(path, host=a_host("one", clock, alive={2}, pid=2)) as taken:  # its process is gone
        assert taken.taken_over == "process 1 on one"
        assert clock.now < 2


def test_reused_process_number_and_another_boot(path):
    clock = StandingClock()
    crashed = Lease(path, host=a_host("one", clock, alive={1}))
    crashed.__enter__()
    record = holder(path)
    assert Holder.from_json({**record.to_json(), "started": 99.0}, path).alive(a_host("one", clock, alive={1})) is False
    assert record.alive(a_host("two", clock)) is None
    rebooted = Holder.from_json({**record.to_json(), "machine": "an earlier boot"}, path)
    assert rebooted.alive(a_host("one", clock, alive={1})) is None  # its process number means nothing now


class Racing(LocalDisk):
    """Lets somebody else do something just before the n-th change of a file."""

    def __init__(self, at, do):
        self.count, self.at, self.do = 0, at, do

    def _step(self):
        self.count += 1
        if self.count == self.at:
            self.do()

    def write(self, path, data):
        self._step()
        super().write(path, data)

    def rename(self, path, to, over=""):
        self._step()
        super().rename(path, to, over)

    def link(self, path, to):
        self._step()
        super().link(path, to)

    def remove(self, path):
        self._step()
        super().remove(path)


@pytest.mark.parametrize("at", range(1, 13))
@pytest.mark.parametrize("breaking", [False, True])
def test_two_drivers_that_take_over_at_once(path, at, breaking):
    """The second takes over in between any two steps of the first: in the end one of them has the run, and only one."""
    clock = StandingClock()
    Lease(path, host=a_host("one", clock, alive={1})).__enter__()  # and it crashes
    got = []

    def try_it(host):
        with contextlib.suppress(RunError):
            got.append(Lease(path, break_it=breaking, host=host).__enter__())

    second = a_host("one", clock, alive={2, 3}, pid=3)
    disk = Racing(at, lambda: try_it(second))
    try_it(a_host("one", clock, disk, alive={2, 3}, pid=2))
    assert disk.count >= min(at, 3)
    assert len([one for one in got if one.held()]) == 1
    # Between its claim and its end the first stood still for so long that the second took it for dead; one gave way.
    stood_still = at in (7, 8)
    assert len(got) == 1 or breaking or stood_still
    assert not list(path.parent.glob(".lease*")), "nothing is left behind"


@pytest.mark.parametrize("at", range(1, 13))
def test_driver_that_dies_while_it_takes_over(path, at):
    """Whatever it leaves behind, the next one gets the run."""
    clock = StandingClock()
    Lease(path, host=a_host("one", clock, alive={1})).__enter__()

    class Death(BaseException):
        pass

    def die():
        disk.remove = disk.link = disk.write = disk.rename = lambda *_: (_ for _ in ()).throw(Death)
        raise Death

    disk = Racing(at, die)
    with contextlib.suppress(Death):
        Lease(path, host=a_host("one", clock, disk, alive={2}, pid=2)).__enter__()
    with Lease(path, host=a_host("one", clock, alive={3}, pid=3)) as taken:
        assert taken.held()
        clock.sleep(100.0)
        assert taken.held()


def test_claim_that_is_never_fulfilled_holds_nothing_up_for_long(path):
    clock = StandingClock()
    with Lease(path, host=a_host("one", clock, alive={1})) as held:
        held._claim_on(held.token).write_text("{}")
        assert not held.held()
        assert not held.lost.is_set()
        clock.sleep(lease.CLAIM_SECONDS + 1)
        assert held.held()


class Failing(LocalDisk):
    """Writes end in an error while `broken`."""

    broken = 0

    def write(self, path, data):
        if self.broken:
            raise OSError(self.broken, "no luck", str(path))
        super().write(path, data)


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC, errno.ESTALE])
def test_heartbeat_outlives_errors_of_the_disk(path, code):
    """One OSError ended the heartbeat silently; the run then looked dead to others."""
    clock, disk = StandingClock(), Failing()
    with Lease(path, host=a_host("one", clock, disk, alive={1})) as held:
        clock.sleep(20.0)
        before = holder(path).beats
        disk.broken = code
        clock.sleep(30.0)
        assert holder(path).beats == before
        disk.broken = 0
        clock.sleep(20.0)
        assert holder(path).beats > before
        assert held.held()


def test_lease_that_cannot_be_renewed_is_given_up_aloud(path):
    """Before anybody else can take it for dead."""
    clock, disk = StandingClock(), Failing()
    with Lease(path, host=a_host("one", clock, disk, alive={1})) as held:
        disk.broken = errno.EIO
        clock.sleep(lease.TRUST_SECONDS + lease.HEARTBEAT_SECONDS + 1)
        assert clock.now < lease.WATCH_SECONDS
        assert held.lost.is_set()
        assert "cannot be renewed (no luck)" in held.why
        assert not held.held()


@pytest.mark.parametrize("content", ["", "{", "null", "[]", '{"host": 1}', '{"host": "x", "pid": null}'])
def test_lease_that_was_damaged_under_a_driver_ends_its_commits(path, content):
    clock = StandingClock()
    with Lease(path, host=a_host("one", clock, alive={1})) as held:
        path.write_text(content)
        clock.sleep(20.0)
        assert held.lost.is_set()
        assert held.why
        assert not held.held()


def test_empty_lease_of_a_power_cut_is_replaced(path):
    path.write_text("")
    with Lease(path, host=a_host("one", StandingClock(), alive={1})) as taken:
        assert taken.held()
        assert taken.taken_over


def test_lease_of_an_earlier_version_is_understood(path):
    """Those had no machine and no counter; their host and process decide, or their heartbeat."""
    clock = StandingClock()
    path.write_text(json.dumps({"host": "one", "pid": 1, "started": 5.0, "heartbeat": 3.0, "token": "t"}))
    with pytest.raises(RunError, match="process 1 on one"), Lease(path, host=a_host("one", clock, alive={1})):
        pass
    with Lease(path, host=a_host("two", clock, alive={1})) as taken:
        assert taken.taken_over == "process 1 on one"


def test_driver_that_was_suspended_commits_nothing_more(path):
    """A laptop that slept: its heartbeat stood still, and another host took over. What it has at hand is not committed."""
    one, two = StandingClock(), StandingClock()
    asleep = Lease(path, host=a_host("one", one, alive={1})).__enter__()
    with Lease(path, host=a_host("two", two)) as taken:
        one.now += 3600.0
        assert not asleep.held()
        assert taken.held()
        clock_before = holder(path).token
        asleep._beat()
        assert holder(path).token == clock_before == taken.token


def test_real_clock_beats(tmp_path, monkeypatch):
    (tmp_path / "meta").mkdir()
    monkeypatch.setattr(lease, "HEARTBEAT_SECONDS", 0.02)
    path = tmp_path / "meta" / "lease.json"
    with Lease(path) as held:
        wait_for(lambda: holder(path).beats >= 3, "three beats")
        assert held.held()
        assert holder(path).live
    assert RealClock().monotonic() <= RealClock().monotonic()


# Wishes to stop


def test_wish_is_for_the_driver_that_was_asked(path, tmp_path, raw):
    folder = RunFolder(tmp_path)
    cancelling.files.write_record(folder.meta / "cancel.json", cancelling.Wish(True, token="another driver's"))
    mine = Interrupts(folder, "mine")
    assert mine.look() is Stage.RUNNING  # an old wish stops nobody
    cancelling.files.write_record(folder.meta / "cancel.json", cancelling.Wish(True, token="mine"))
    assert mine.look() is Stage.END_ASKED


def test_cancel_between_lease_and_start_is_obeyed(raw, cluster, tmp_path, monkeypatch):
    """It was forgotten when the driver began."""
    raw["run"] = {"tile": {"a": 1, "b": 1}}
    shared = contextlib.nullcontext(cluster)
    launch.run(parse(raw), tmp_path / "out", None, io.StringIO(), shared, NoPilot())
    folder = RunFolder(tmp_path / "out")
    journal.take_back(folder.journal, range(28))
    real = launch.recover

    def recover_and_cancel(*arguments, **options):
        assert "stops within seconds" in cancelling.ask(folder.path, now=False)
        return real(*arguments, **options)

    monkeypatch.setattr(launch, "recover", recover_and_cancel)
    result = launch.resume(folder.path, stream=io.StringIO(), cluster=shared)
    assert result.exit_status == 4
    assert "stopped on request" in result.reason


def test_status_compares_no_clocks_of_two_hosts(raw, cluster, tmp_path):
    shared = contextlib.nullcontext(cluster)
    launch.run(parse(raw), tmp_path / "out", None, io.StringIO(), shared, NoPilot())
    folder = RunFolder(tmp_path / "out")
    elsewhere = Holder("far away", 7, 1.0, 1.7e9, "t", "another machine", 12)
    cancelling.files.write_record(folder.lease, elsewhere)
    now = status_of(folder.path)
    assert now.running
    assert now.driver == DriverStatus("far away", 7, 1.7e9, here=False)
    assert "at 2023-11-14 22:13:20 UTC by the clock of that machine" in now.text()
    folder.lease.unlink()


def test_a_dead_process_that_nobody_has_reaped_is_gone():
    """As they gather in containers whose first process does not wait for orphans."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(6000)"])
    assert process_start(child.pid) is not None
    child.kill()
    wait_for(lambda: psutil.Process(child.pid).status() == psutil.STATUS_ZOMBIE, "the end of a process")
    assert process_start(child.pid) is None
    child.wait()
