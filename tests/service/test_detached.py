"""Detached runs: the driver goes on without the process that asked for it, and is started again where it dies."""

import io
import os

import distributed
import psutil
import pytest
from support.bits import assert_same_bits
from support.dask_processes import start_dask
from support.watching import PATIENCE, Portions, committed_points, over, tiles_in, wait_for, wait_for_tiles, write_spec

import sweep
from sweep.execution import creation
from sweep.execution.progress import Progress
from sweep.folder import submission
from sweep.folder.lease import holder
from sweep.folder.run_folder import RunFolder
from sweep.plan.timings import Timings
from sweep.spec.parsing import parse


@pytest.fixture
def portions(spinsweep, tmp_path):
    """Of the run in `out`: nothing is computed there before some are given."""
    return Portions(spinsweep.environment, tmp_path / "out")


@pytest.fixture
def dask(spinsweep, tmp_path, portions):
    """A scheduler and one worker of one thread, with Dask's own settings."""
    started, address, file = start_dask(spinsweep, tmp_path)
    yield started[1], address, file
    for process in reversed(started):
        process.terminate()
        process.wait(timeout=PATIENCE)


def driver_of(folder):
    """Its process, once there is one."""

    def look():
        found = holder(folder / "meta" / "lease.json")
        return found.pid if found is not None and found.alive() else None

    return psutil.Process(wait_for(look, "a driver"))


def worker_of(nanny):
    """The process that computes: the child of the process that an operator has started."""

    def look():
        alive = [c for c in psutil.Process(nanny.pid).children() if c.status() != psutil.STATUS_ZOMBIE]
        return next((c for c in alive if "multiprocessing.spawn" in " ".join(c.cmdline())), None)

    return wait_for(look, "a worker")


def kill(process):
    """And wait until it is gone, or nothing but a name that its parent has not asked about."""
    process.kill()
    wait_for(lambda: over(process), "the end of a process that was killed")


def wait_for_the_end(folder):
    def ended():
        return not sweep.Run(folder).status().running and submission.read(RunFolder(folder)) is None

    wait_for(ended, "the end of the run")
    return sweep.Run(folder).status()


@pytest.mark.faults
def test_nothing_ends_a_submitted_run(spinsweep, quiet, dask, portions, tmp_path):
    """On one worker of one thread: its process is killed five times (more than Dask's allowed-failures), the driver once,
    and once both. The process that submitted is gone all the while, and the bits are those of a quiet run."""
    nanny, address, _ = dask
    write_spec(tmp_path)
    out = tmp_path / "out"
    done = spinsweep("submit", "spec.toml", "--cluster", address, "--out", "out")
    assert done.returncode == 0, done.stderr
    assert "status out --watch" in done.stderr and "its driver " in done.stderr
    first = driver_of(out)
    for count in range(5):
        portions.give_tiles(1)
        wait_for_tiles(out, count + 1)
        kill(worker_of(nanny))
    assert driver_of(out).pid == first.pid, "a worker took the driver along"
    assert 0 < committed_points(out) < 240
    kill(first)
    second = driver_of(out)
    assert second.pid != first.pid
    portions.give_tiles(2)  # the tile that the worker is at may be that of the driver before
    wait_for_tiles(out, tiles_in(out) + 1)
    kill(second)
    kill(worker_of(nanny))
    assert driver_of(out).pid != second.pid
    assert committed_points(out) < 240
    portions.give_all()
    status = wait_for_the_end(out)
    assert (status.state, status.done, status.failed) == ("complete", 240, 0), (out / "meta" / "driver.log").read_text()
    assert_same_bits(quiet(), out)


@pytest.mark.faults
def test_a_submitted_run_from_other_processes(spinsweep, dask, portions, tmp_path):
    """Submitted twice it says that it runs; it can be stopped, and then nobody starts it again; submitted again it goes on."""
    _, address, file = dask
    write_spec(tmp_path)
    out = tmp_path / "out"
    words = ("submit", "spec.toml", "--set", "seconds=0.001", "--cluster", file, "--out", "out")
    assert spinsweep(*words).returncode == 0
    driver_of(out)
    again = spinsweep(*words)
    assert again.returncode == 0 and "is being computed already, by process" in again.stderr
    assert "stops within seconds" in spinsweep("cancel", "out").stdout
    wait_for(lambda: "stopping: " in (out / "meta" / "driver.log").read_text(), "a driver that stops")
    portions.give_all()
    stopped = wait_for_the_end(out)
    assert stopped.state == "stopped" and stopped.done < 240
    with distributed.Client(address, set_as_default=False) as client:
        wait_for(lambda: not client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks)), "no task left")
    assert not sweep.Run(out).status().running
    assert spinsweep("submit", "out", "--cluster", file).returncode == 0
    assert wait_for_the_end(out).state == "complete"
    assert "complete already" in spinsweep(*words).stderr


@pytest.mark.faults
def test_without_a_cluster_a_process_of_its_own_computes(spinsweep, portions, tmp_path):
    """It is in another session than the one that asked for it, whose end it does not hear of."""
    write_spec(tmp_path)
    done = spinsweep("submit", "spec.toml", "--workers", "1", "--out", "out")
    assert done.returncode == 0 and "on this machine computes it" in done.stderr, done.stderr
    driver = driver_of(tmp_path / "out")
    assert driver.terminal() is None and os.getsid(driver.pid) == driver.pid
    portions.give_all()
    assert wait_for_the_end(tmp_path / "out").state == "complete"
    assert "complete: 240 of 240 points done" in (tmp_path / "out" / "meta" / "driver.log").read_text()


def test_before_the_driver_begins(cli, raw, tmp_path):
    """A submission to a cluster that has no worker yet can be seen, and withdrawn."""
    folder = RunFolder(tmp_path / "out")
    creation.create(folder, parse(raw), Timings({"quick": 1e-3}), 1, Progress(io.StringIO()))
    submission.write(folder, submission.Submission("tcp://10.0.0.1:8786", watcher="driver-1"))
    run = sweep.Run(folder.path)
    assert run.status().state == "submitted"
    assert "submitted to tcp://10.0.0.1:8786" in cli("status", tmp_path / "out")
    assert "none will any more" in cli("cancel", tmp_path / "out")
    assert run.status().state == "stopped"
    with pytest.raises(sweep.RunError, match="no driver is working"):
        run.cancel()


@pytest.mark.faults
def test_submitting_from_python(dask, tmp_path):
    made = sweep.Sweep(model="toy.waves", axes={"a": [0.1, 0.2]}, parameters={"N": 3})
    with distributed.Client(dask[1], set_as_default=False) as client:
        run = made.submit(client, store=tmp_path / "out", quiet=True)
        with pytest.raises(sweep.SpecError, match="not both"):
            made.submit(client, cluster="local")
    assert wait_for_the_end(tmp_path / "out").state == "complete"
    assert bool((run.data.status == 1).all())


def test_what_cannot_be_submitted(cli, spinsweep, tmp_path):
    write_spec(tmp_path)
    assert "detached by itself" in cli("submit", tmp_path / "spec.toml", "--cluster", "slurm-job", status=2)
    out = tmp_path / "none"
    text = cli("submit", tmp_path / "spec.toml", "--cluster", tmp_path / "no.json", "--out", out, status=2)
    assert "no.json does not exist" in text
    assert not out.exists()
