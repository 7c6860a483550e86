"""Faults injected into whole runs: whatever happens, what finishes has the bits of a quiet run, nothing committed is lost,
and nothing hangs. `test_killed.py` has the kills of whole process groups and the signals."""

import os
import random
import resource
import signal
import subprocess
import time

import psutil
import pytest
from support.bits import assert_same_bits
from support.dask_processes import start_dask
from support.watching import (
    PATIENCE,
    Portions,
    committed_points,
    lines_of,
    over,
    tiles_in,
    wait_for,
    wait_for_lease,
    wait_for_tiles,
    write_spec,
)

import sweep
from sweep.folder.codes import POINT_FAILED

pytestmark = pytest.mark.faults
HERE, LOCAL = ("--cluster", "here"), ("--workers", "2")


def workers_of(process, where=()):
    """Worker processes of a driver: its children that run Dask's worker loop (the pilot and the tracker do not), or the one
    that computes where there is no cluster."""
    mark = "plan.companion" if where == HERE else "multiprocessing.spawn"
    found = []
    for child in psutil.Process(process.pid).children(recursive=True):
        try:
            if mark in " ".join(child.cmdline()):
                found.append(child)
        except psutil.Error:
            continue
    return found


@pytest.mark.parametrize("where", [HERE, LOCAL], ids=["here", "local"])
@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (2, 3, 4, 5))])
def test_workers_killed_at_random(spinsweep, quiet, tmp_path, seed, where):
    """Six kill -9 of random workers in one run, whose last tile waits for them; retries and splitting bring every point home."""
    write_spec(tmp_path, "gate", at=11.0, tile=1)
    gate = tmp_path / "gate"
    spinsweep.environment["TOY_GATE"] = str(gate)
    chance = random.Random(seed)
    process = spinsweep.start("run", "spec.toml", "--out", "out", *where)
    if where is LOCAL:
        wait_for_tiles(tmp_path / "out", 1, process)
    else:  # a single process may have been given the tile that waits first
        wait_for_lease(tmp_path / "out", process)
    kills = 0
    while kills < 6:
        assert process.poll() is None, "the run was over before the faults"
        time.sleep(chance.uniform(0.05, 0.4))
        if victims := workers_of(process, where):
            chance.choice(victims).send_signal(signal.SIGKILL)
            kills += 1
    gate.touch()
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    assert "Traceback" not in err
    assert_same_bits(quiet("gate", 11.0), tmp_path / "out")


@pytest.mark.parametrize("where", [HERE, LOCAL], ids=["here", "local"])
@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_driver_killed_alone(spinsweep, quiet, tmp_path, seed, where):
    """The driver dies, its workers follow it, and the next driver takes over; three times in a row."""
    write_spec(tmp_path)
    chance = random.Random(seed)
    out, workers = tmp_path / "out", 1 if where is HERE else 2
    portions = Portions(spinsweep.environment, out)
    portions.give_tiles(1, workers)
    process = spinsweep.start("run", "spec.toml", "--out", "out", *where)
    for kill in range(3):
        wait_for_tiles(out, tiles_in(out) + 1, process)
        time.sleep(chance.uniform(0.0, 0.2))
        before = committed_points(out)
        assert 0 < before < 240
        orphans = workers_of(process, where)
        assert orphans
        process.kill()
        process.communicate()
        wait_for(lambda orphans=orphans: all(map(over, orphans)), "the end of the workers of a driver that is dead")
        assert committed_points(out) >= before
        portions.give_tiles(1, workers) if kill < 2 else portions.give_all()
        process = spinsweep.start("resume", "out", *where)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    assert_same_bits(quiet(), tmp_path / "out")


@pytest.mark.parametrize("where", [HERE, LOCAL], ids=["here", "local"])
@pytest.mark.parametrize("kind", ["segfault", pytest.param("kill", marks=pytest.mark.slow)])
def test_points_that_take_their_worker_down(spinsweep, tmp_path, kind, where):
    """Two of 24 points crash their process: each is found and marked, all others finish."""
    (tmp_path / "spec.toml").write_text(
        f'[sweep]\nmodel = "toy.faulty"\n[parameters]\nkind = "{kind}"\nat = 4.0\n'
        "[axes]\na = { linspace = [0, 11, 12] }\nb = [0.1, 0.3]\n[run]\ntile = { a = 12, b = 1 }\n"
    )
    done = spinsweep("run", "spec.toml", "--out", "out", *where)
    assert done.returncode == 3, done.stderr
    data = sweep.open(tmp_path / "out")
    assert bool(((data.status == POINT_FAILED) == (data.a == 4.0)).all())
    assert bool((data["sum"] == data.a + data.b).where(data.a != 4.0, True).all())
    errors = lines_of(tmp_path / "out" / "meta" / "errors.jsonl")
    assert sorted(e["parameters"]["b"] for e in errors) == [0.1, 0.3]
    assert {e["type"] for e in errors} == {"WorkerLost"}


@pytest.mark.slow
def test_point_that_eats_all_memory(spinsweep, tmp_path):
    (tmp_path / "spec.toml").write_text(
        '[sweep]\nmodel = "toy.faulty"\n[parameters]\nkind = "eat"\nat = 1.0\n[axes]\na = [0.0, 1.0, 2.0]\n[run]\nretries = 0\n'
    )
    done = spinsweep("run", "spec.toml", "--out", "out", "--memory", "600MB", "--workers", "2")
    assert done.returncode == 3, done.stderr
    assert sweep.open(tmp_path / "out").status.values.tolist() == [1, 2, 1]


@pytest.mark.parametrize(
    ("stops", "where"),
    [(1, HERE), (1, LOCAL), pytest.param(2, LOCAL, marks=pytest.mark.slow)],
    ids=["here", "local", "both"],
)
def test_frozen_worker_is_replaced(spinsweep, tmp_path, stops, where):
    write_spec(tmp_path)
    portions = Portions(spinsweep.environment, tmp_path / "out")
    portions.give_tiles(1, 1 if where is HERE else 2)
    process = spinsweep.start("run", "spec.toml", "--out", "out", *where)
    wait_for_tiles(tmp_path / "out", 1, process)
    frozen = workers_of(process, where)[:stops]
    assert len(frozen) == stops
    for worker in frozen:
        worker.send_signal(signal.SIGSTOP)
    wait_for(lambda: all(map(over, frozen)), "the end of workers that stand still", process)
    portions.give_all()
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    assert "stood still and is replaced" in err
    assert int((sweep.open(tmp_path / "out").status == 1).sum()) == 240


def test_disk_that_is_full(spinsweep, tmp_path):
    """Files cannot grow beyond 20 kB, as on a full disk; once there is room, the run goes on from what it had."""
    (tmp_path / "spec.toml").write_text(
        '[sweep]\nmodel = "toy.waves"\n[axes]\nb = [0.5, 0.6]\na = { linspace = [0, 3, 4000] }\n[run]\ntile = { b = 1 }\n'
    )

    def narrow():
        os.setsid()
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    process = subprocess.run(
        [os.sys.executable, "-m", "sweep.cli", "run", "spec.toml", "--out", "out"],
        cwd=tmp_path,
        env=spinsweep.environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        preexec_fn=narrow,
        check=False,
    )
    assert process.returncode == 5, process.stderr
    assert "File too large" in process.stderr
    assert "go on with: spinsweep resume out" in process.stderr
    assert "Traceback" not in process.stderr
    done = spinsweep("resume", "out")
    assert done.returncode == 0, done.stderr
    assert spinsweep("run", "spec.toml", "--out", "quiet", "--cluster", "here").returncode == 0
    assert_same_bits(tmp_path / "quiet", tmp_path / "out")


def test_folder_that_cannot_be_written_to(spinsweep, tmp_path):
    write_spec(tmp_path)
    done = spinsweep("run", "spec.toml", "--out", "spec.toml/out")
    assert done.returncode == 2
    assert "cannot be written to" in done.stderr
    assert "--out" in done.stderr


@pytest.mark.slow
def test_scheduler_that_vanishes(spinsweep, quiet, tmp_path):
    write_spec(tmp_path)
    portions = Portions(spinsweep.environment, tmp_path / "out")
    portions.give_tiles(2)
    (scheduler, *others), address, _ = start_dask(spinsweep, tmp_path)
    process = spinsweep.start("run", "spec.toml", "--out", "out", "--cluster", address)
    wait_for_tiles(tmp_path / "out", 2, process)
    scheduler.kill()
    _, err = process.communicate(timeout=PATIENCE)
    for other in others:
        other.kill()
        other.wait()
    scheduler.wait()
    portions.give_all()
    assert process.returncode == 5, err
    assert "spinsweep resume out" in err
    before = committed_points(tmp_path / "out")
    assert before >= 40
    assert spinsweep("resume", "out").returncode == 0
    assert_same_bits(quiet(), tmp_path / "out")
