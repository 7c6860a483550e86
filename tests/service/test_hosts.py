"""Two hosts, one of which is cut off in mid-run and comes back, over tcp://."""

import contextlib
import os
import signal
import sys
import time

import pytest
from support import hosts_here
from support.bits import assert_same_bits
from support.watching import (
    PATIENCE,
    Portions,
    Process,
    committed_points,
    lines_of,
    wait_for,
    wait_for_tiles,
    write_spec,
)

pytestmark = pytest.mark.integration
ADDRESS = f"tcp://{hosts_here.FIRST}:8786"


@pytest.fixture
def hosts():
    if why := hosts_here.missing():
        pytest.skip(why)
    with hosts_here.two_hosts() as found:
        yield found


class Started:
    """Processes on the hosts, each with its children; those that are left are ended with the test."""

    def __init__(self, spinsweep):
        self._spinsweep = spinsweep
        self._all = []

    def __call__(self, host, *words):
        process = Process(
            [*host, sys.executable, "-m", *map(str, words)],
            cwd=self._spinsweep.folder,
            env=self._spinsweep.environment,
            start_new_session=True,
        )
        self._all.append(process)
        return process

    def end(self):
        for process in self._all:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


@pytest.fixture
def start(spinsweep):
    started = Started(spinsweep)
    yield started
    started.end()


@pytest.fixture
def portions(spinsweep, tmp_path):
    return Portions(spinsweep.environment, tmp_path / "far")


@pytest.fixture
def dask(hosts, start, spinsweep, portions, tmp_path):
    """A scheduler on the first host; starts a worker on a host. The scheduler gives up on a silent worker after 12 s here; by
    default Dask takes 30 s."""
    spinsweep.environment["DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP"] = "12s"
    file = tmp_path / "scheduler.json"
    words = ("--host", hosts_here.FIRST, "--no-dashboard", "--scheduler-file", file)
    scheduler = start(hosts.first, "distributed.cli.dask_scheduler", *words)
    wait_for(file.exists, "a scheduler", scheduler)

    def worker(host, address):
        words = ("--host", address, "--nthreads", "1", "--no-dashboard", "--local-directory", tmp_path / address)
        start(host, "distributed.cli.dask_worker", ADDRESS, *words)

    return worker


def test_host_that_is_cut_off_and_comes_back(dask, hosts, start, portions, spinsweep, quiet, tmp_path):
    """Scheduler, driver and a worker on one host, a worker on the other."""
    write_spec(tmp_path)
    dask(hosts.first, hosts_here.FIRST)
    dask(hosts.second, hosts_here.SECOND)
    out = tmp_path / "far"
    portions.give_tiles(3, workers=2)
    run = start(hosts.first, "sweep.cli", "run", "spec.toml", "--cluster", ADDRESS, "--out", "far")
    wait_for_tiles(out, 3, run)
    hosts.pull_the_cable()
    before = {line["tile"] for line in lines_of(out / "meta" / "journal.jsonl")}
    portions.give_tiles(5, workers=2)  # up to two of which the host that is cut off has
    wait_for_tiles(out, len(before) + 3, run)
    wait_for(lambda: "is gone; what it had" in run.said(), "a worker that is given up", run)
    hosts.mend_the_cable()
    time.sleep(5.0)  # in which it can come back
    assert committed_points(out) < 240
    portions.give_all()
    _, said = run.communicate(timeout=PATIENCE)
    assert run.returncode == 0, said
    assert f"{hosts_here.SECOND}:" in said and "is gone; what it had is computed by others" in said, said
    tiles = [line["tile"] for line in lines_of(out / "meta" / "journal.jsonl")]
    assert sorted(tiles) == list(range(12)), "every tile is committed once"
    assert set(tiles[: len(before)]) == before and committed_points(out) == 240
    assert spinsweep("verify", "far").returncode == 0
    assert_same_bits(out, quiet())


def test_driver_that_is_cut_off_from_the_scheduler(dask, hosts, start, portions, tmp_path):
    """The driver says so and ends; it goes on where it was once the cable is mended."""
    write_spec(tmp_path)
    dask(hosts.first, hosts_here.FIRST)
    out = tmp_path / "far"
    portions.give_tiles(2)
    run = start(hosts.second, "sweep.cli", "run", "spec.toml", "--cluster", ADDRESS, "--out", "far")
    wait_for_tiles(out, 2, run)
    hosts.pull_the_cable()
    _, said = run.communicate(timeout=PATIENCE)
    assert run.returncode == 5 and "the connection to the scheduler is lost" in said, said
    before = committed_points(out)
    assert 40 <= before < 240
    hosts.mend_the_cable()
    portions.give_all()
    run = start(hosts.second, "sweep.cli", "resume", "far", "--cluster", ADDRESS)
    _, said = run.communicate(timeout=PATIENCE)
    assert run.returncode == 0, said
    tiles = [line["tile"] for line in lines_of(out / "meta" / "journal.jsonl")]
    assert sorted(tiles) == list(range(12)) and committed_points(out) == 240
