"""Runs that are killed, interrupted, or lose workers: nothing committed is lost, and the bits are those of a quiet run."""

import os
import random
import signal
import time

import pytest
from support.bits import assert_same_bits
from support.watching import PATIENCE, Portions, committed_points, lines_of, wait_for, wait_for_tiles, write_spec

import sweep
from sweep.folder.codes import POINT_FAILED
from sweep.folder.run_folder import RunFolder


def kill_group(process):
    """kill -9 of the driver, its scheduler and its workers."""
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def stopping(process):
    """Wait until a driver has heard that it is to stop."""
    wait_for(lambda: "stopping: " in process.said(), "a driver that stops", process)


def computed_points(counter):
    return counter.read_text().splitlines() if counter.exists() else []


@pytest.mark.faults
@pytest.mark.parametrize("kind", ["none", "nan", "raise"])
def test_three_kills_in_a_row_and_resume(spinsweep, quiet, tmp_path, kind):
    """Committed points are not computed again, NaN and failed ones included; the arrays are those of an undisturbed run
    with another number of workers."""
    write_spec(tmp_path, kind, at=4.0)
    counter = tmp_path / "counter"
    spinsweep.environment["TOY_COUNTER"] = str(counter)
    chance = random.Random(kind)
    portions = Portions(spinsweep.environment, tmp_path / "killed")
    portions.give_tiles(2, workers=2)
    process = spinsweep.start("run", "spec.toml", "--out", "killed", "--workers", "2")
    wait_for_tiles(tmp_path / "killed", 2, process)
    for kill in range(3):
        time.sleep(chance.uniform(0.0, 0.2))
        kill_group(process)
        before = committed_points(tmp_path / "killed")
        assert 40 <= before < 240
        after_kills = len(computed_points(counter))
        portions.give_tiles(1, workers=2) if kill < 2 else portions.give_all()
        process = spinsweep.start("resume", "killed", "--workers", "2")
        if kill < 2:
            wait_for_tiles(tmp_path / "killed", before // 20 + 1, process)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == (3 if kind == "raise" else 0), err
    assert "taking over" in err
    assert_same_bits(quiet(kind, 4.0), tmp_path / "killed")
    last = computed_points(counter)[after_kills:]
    failed = 20 if kind == "raise" else 0  # those that fail are not counted
    assert len(last) == len(set(last)) <= 240 - before
    assert len(last) >= 240 - before - failed, "what was not committed is computed, and nothing else"


@pytest.mark.faults
def test_interrupted_once_finishes_what_runs(spinsweep, quiet, tmp_path):
    write_spec(tmp_path)
    portions = Portions(spinsweep.environment, tmp_path / "out")
    portions.give_tiles(2, workers=2)
    process = spinsweep.start("run", "spec.toml", "--out", "out", "--workers", "2")
    wait_for_tiles(tmp_path / "out", 2, process)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: the workers get it too
    stopping(process)
    portions.give_all()
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 4, err
    assert "spinsweep resume out" in err
    assert "Traceback" not in err
    before = committed_points(tmp_path / "out")
    assert 0 < before < 240
    assert not RunFolder(tmp_path / "out").lease.exists()
    assert spinsweep("resume", "out").returncode == 0
    assert_same_bits(quiet(), tmp_path / "out")


@pytest.mark.faults
def test_interrupted_twice_ends_at_once(spinsweep, tmp_path):
    (tmp_path / "spec.toml").write_text(
        '[sweep]\nmodel = "toy.faulty"\n[axes]\na = { linspace = [0, 11, 12] }\n[run]\ntile = { a = 1 }\n'
    )
    portions = Portions(spinsweep.environment, tmp_path / "out")  # of which none is given: no point ends
    process = spinsweep.start("run", "spec.toml", "--out", "out", "--workers", "2")
    wait_for(portions.begun, "a point", process)
    os.kill(process.pid, signal.SIGINT)
    stopping(process)
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 4, err
    assert "dropped" in err.replace("press Ctrl-C again to drop them", "")
    assert committed_points(tmp_path / "out") == 0


@pytest.mark.faults
def test_terminated_politely_stops_as_on_ctrl_c(spinsweep, tmp_path):
    write_spec(tmp_path)
    portions = Portions(spinsweep.environment, tmp_path / "out")
    portions.give_tiles(1, workers=2)
    process = spinsweep.start("run", "spec.toml", "--out", "out", "--workers", "2")
    wait_for_tiles(tmp_path / "out", 1, process)
    process.terminate()
    stopping(process)
    portions.give_all()
    _, err = process.communicate(timeout=PATIENCE)
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
