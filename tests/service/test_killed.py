"""Runs that are killed, interrupted, or lose workers: nothing committed is lost, and the bits are those of a quiet run."""

import os
import random
import signal
import time

import pytest
from support.bits import assert_same_bits
from support.watching import committed_points, lines_of, wait_for_tiles, write_spec

import sweep
from sweep.folder.codes import POINT_FAILED
from sweep.folder.run_folder import RunFolder


def kill_group(process):
    """kill -9 of the driver, its scheduler and its workers."""
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def computed_points(counter):
    return counter.read_text().splitlines() if counter.exists() else []


@pytest.mark.faults
@pytest.mark.parametrize("kind", ["none", "nan", "raise"])
def test_three_kills_in_a_row_and_resume(spinsweep, tmp_path, kind):
    """Committed points are not computed again, NaN and failed ones included; the arrays are those of an undisturbed run
    with another number of workers."""
    write_spec(tmp_path, kind, at=4.0)
    counter = tmp_path / "counter"
    spinsweep.environment["TOY_COUNTER"] = str(counter)
    chance = random.Random(kind)
    process = spinsweep.start("run", "spec.toml", "--out", "killed")
    wait_for_tiles(tmp_path / "killed", 2, process)
    for kill in range(3):
        time.sleep(chance.uniform(0.0, 0.2))
        kill_group(process)
        before = committed_points(tmp_path / "killed")
        assert before >= 40
        process = spinsweep.start("resume", "killed")
        if kill < 2:
            wait_for_tiles(tmp_path / "killed", before // 20 + 1, process)
    after_kills = len(computed_points(counter))
    _, err = process.communicate(timeout=120)
    assert process.returncode == (3 if kind == "raise" else 0), err
    assert "taking over" in err
    del spinsweep.environment["TOY_COUNTER"]
    done = spinsweep("run", "spec.toml", "--out", "quiet", "--workers", "1")
    assert done.returncode == process.returncode, done.stderr
    assert_same_bits(tmp_path / "quiet", tmp_path / "killed")
    # A point is counted when it is computed. All but those of the last resume had been counted when it began, and it
    # may compute what was not committed then, no more.
    last = len(computed_points(counter)) - after_kills
    assert last <= 240 - before


@pytest.mark.faults
def test_interrupted_once_finishes_what_runs(spinsweep, tmp_path):
    write_spec(tmp_path)
    process = spinsweep.start("run", "spec.toml", "--out", "out")
    wait_for_tiles(tmp_path / "out", 2, process)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: the workers get it too
    _, err = process.communicate(timeout=60)
    assert process.returncode == 4, err
    assert "spinsweep resume out" in err
    assert "Traceback" not in err
    before = committed_points(tmp_path / "out")
    assert 0 < before < 240
    assert not RunFolder(tmp_path / "out").lease.exists()
    assert spinsweep("resume", "out").returncode == 0
    spinsweep("run", "spec.toml", "--out", "quiet")
    assert_same_bits(tmp_path / "quiet", tmp_path / "out")


@pytest.mark.faults
def test_interrupted_twice_ends_at_once(spinsweep, tmp_path):
    (tmp_path / "spec.toml").write_text(
        '[sweep]\nmodel = "toy.faulty"\n[parameters]\nseconds = 30.0\n[axes]\na = { linspace = [0, 11, 12] }\n[run]\ntile = { a = 1 }\n'
    )
    process = spinsweep.start("run", "spec.toml", "--out", "out")
    until = time.monotonic() + 60
    while not (tmp_path / "out" / "meta" / "lease.json").exists() and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(1.0)
    began = time.monotonic()
    os.kill(process.pid, signal.SIGINT)
    time.sleep(1.0)
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 4, err
    assert time.monotonic() - began < 25  # not the 30 s that a point takes
    assert "dropped" in err


@pytest.mark.faults
def test_terminated_politely_stops_as_on_ctrl_c(spinsweep, tmp_path):
    write_spec(tmp_path)
    process = spinsweep.start("run", "spec.toml", "--out", "out")
    wait_for_tiles(tmp_path / "out", 1, process)
    process.terminate()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 4, err
    assert "spinsweep resume out" in err


@pytest.mark.faults
def test_killer_point_is_found_and_the_others_finish(spinsweep, tmp_path):
    write_spec(tmp_path, "kill", at=5.0, tile=6)
    text = (tmp_path / "spec.toml").read_text().replace("linspace = [0, 1, 20]", "values = [0.5]")
    (tmp_path / "spec.toml").write_text(text)
    done = spinsweep("run", "spec.toml", "--out", "out")
    assert done.returncode == 3, done.stderr
    data = sweep.open(tmp_path / "out")
    assert data.a.values[data.status.values[:, 0] == POINT_FAILED].tolist() == [5.0]
    assert bool((data["sum"] == data.a + data.b).where(data.a != 5.0, True).all())
    (error,) = lines_of(tmp_path / "out" / "meta" / "errors.jsonl")
    assert error["type"] == "WorkerLost"
    assert error["parameters"] == {"a": 5.0, "b": 0.5}


@pytest.mark.faults
def test_worker_that_dies_once_costs_no_point(spinsweep, tmp_path):
    write_spec(tmp_path, "once", at=5.0, tile=6)
    spinsweep.environment["TOY_MARK"] = str(tmp_path / "mark")
    done = spinsweep("run", "spec.toml", "--out", "out")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "mark").exists()
    assert int((sweep.open(tmp_path / "out").status == 1).sum()) == 240
