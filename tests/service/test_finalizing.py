"""Finalized runs: few files, the same content, and what cannot be done with them any more is told."""

import contextlib
import dataclasses
import os
import signal
import subprocess
import warnings

import numpy as np
import pytest
from support.bits import assert_same_bits
from support.no_pilot import NoPilot
from support.watching import PATIENCE

import sweep
from sweep.clusters.here import here
from sweep.errors import RunError
from sweep.execution import launch
from sweep.execution.finalizing import finalize, take_apart
from sweep.folder import exchange, journal, shards
from sweep.folder.run_folder import RunFolder
from sweep.folder.shards import shard_shape
from sweep.results.verify import repair, verify
from sweep.spec.parsing import parse


@pytest.fixture
def run(tmp_path, cluster):
    def go(raw, name="out", **options):
        where = contextlib.nullcontext(cluster)
        return launch.run(parse(raw), tmp_path / name, launch.Options(quiet=True, **options), None, where, NoPilot())

    return go


@pytest.fixture(autouse=True)
def three_files_of_a_variable(monkeypatch):
    monkeypatch.setattr(shards, "SHARDS", 3)


def waves(**tile):
    return {
        "sweep": {"model": "toy.waves", "method": ["quick", "exact"]},
        "parameters": {"times": [0.0, 1.0]},
        "axes": {"a": {"linspace": [0.0, 3.0, 13]}, "b": {"linspace": [0.1, 0.9, 17]}},
        "run": {"tile": tile or {"a": 4, "b": 4}},
    }


def files_of(folder):
    return sorted(p for p in (folder / "data.zarr").rglob("*") if p.is_file() and p.name != "zarr.json")


def test_few_files_with_the_same_content(run, tmp_path):
    run(waves())
    run(waves(), "before")
    lines = (tmp_path / "out" / "meta" / "journal.jsonl").read_bytes()
    elapsed = sweep.open(tmp_path / "out").elapsed_seconds.values
    many = len(files_of(tmp_path / "out"))
    done = finalize(RunFolder(tmp_path / "out"))
    few = len(files_of(tmp_path / "out"))
    assert (done.before, done.after) == (many, few)
    assert few < many / 5
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = sweep.open(tmp_path / "out").load()
    np.testing.assert_array_equal(data.elapsed_seconds, elapsed)
    assert_same_bits(tmp_path / "out", tmp_path / "before")
    verdict = verify(RunFolder(tmp_path / "out"))
    assert (verdict.problems, verdict.tiles) == ((), 2 * 4 * 5)
    assert (tmp_path / "out" / "meta" / "journal.jsonl").read_bytes() == lines
    status = sweep.Run(tmp_path / "out").status()
    assert (status.state, status.finalized) == ("complete", True)
    assert "packed into shards" in data.attrs["history"]
    assert not sweep.Run(tmp_path / "out").finalize().done
    assert sweep.Run(tmp_path / "out").finalize(undo=True).after == many
    assert len(files_of(tmp_path / "out")) == many
    for path in files_of(tmp_path / "before"):  # chunk by chunk what they were
        if "elapsed_seconds" not in path.parts:
            assert path.read_bytes() == (tmp_path / "out" / path.relative_to(tmp_path / "before")).read_bytes()
    assert verify(RunFolder(tmp_path / "out")).problems == ()


def test_what_cannot_be_done_says_what_to_do(run, tmp_path):
    raw = waves(a=4, b=4)
    run(raw)
    finalize(RunFolder(tmp_path / "out"))
    assert run(raw).exit_status == 0  # complete: there is nothing to do
    assert launch.resume(tmp_path / "out", launch.Options(quiet=True), cluster=here()).exit_status == 0
    more = {**raw, "axes": {**raw["axes"], "b": {"linspace": [0.1, 0.9, 33]}}}
    for act in (
        lambda: run(more),
        lambda: run({**raw, "refine": {"depth": 1}}),
        lambda: launch.refine(tmp_path / "out", {"depth": 1}, launch.Options(quiet=True), None, here()),
    ):
        with pytest.raises(RunError, match=r"is finalized.*finalize .*out --undo"):
            act()
    assert not (tmp_path / "out" / ".next").exists()
    take_apart(RunFolder(tmp_path / "out"))
    assert run(more).done == 2 * 13 * 33


def test_failed_points_of_a_finalized_run(run, tmp_path):
    raw = {
        "sweep": {"model": "toy.faulty"},
        "parameters": {"kind": "raise", "at": 3.0},
        "axes": {"a": [1.0, 3.0, 5.0], "b": [0.0, 0.5]},
        "run": {"tile": {"a": 1, "b": 1}},
    }
    run(raw)
    finalize(RunFolder(tmp_path / "out"))
    assert len(sweep.Run(tmp_path / "out").errors()) == 1
    with pytest.raises(RunError, match="is finalized"):
        launch.resume(tmp_path / "out", launch.Options(quiet=True), retry=True)


def test_a_run_that_is_not_complete_is_refused(run, tmp_path):
    run(waves())
    journal.take_back(RunFolder(tmp_path / "out").journal, [3])
    before = files_of(tmp_path / "out")
    with pytest.raises(RunError, match=r"16 points that are not computed"):
        finalize(RunFolder(tmp_path / "out"))
    assert files_of(tmp_path / "out") == before


def test_a_damaged_run_is_refused_and_stays(run, tmp_path):
    run(waves())
    chunk = tmp_path / "out" / "data.zarr" / "height" / "c" / "0" / "3" / "1"
    chunk.write_bytes(chunk.read_bytes()[::-1])
    with pytest.raises(RunError, match=r"height of tile 16 .* nothing was changed.*verify .*--repair"):
        finalize(RunFolder(tmp_path / "out"))
    assert not (tmp_path / "out" / ".next").exists()
    assert verify(RunFolder(tmp_path / "out")).damaged_tiles == (16,)


def test_a_damaged_shard_is_found_and_made_again(run, tmp_path):
    """A bit in a chunk, and the end of a file with its index."""
    run(waves())
    run(waves(), "sound")
    folder = RunFolder(tmp_path / "out")
    finalize(folder)
    files = sorted(p for p in files_of(tmp_path / "out") if "height" in p.parts)
    data = bytearray(files[0].read_bytes())
    data[40] ^= 4
    files[0].write_bytes(data)
    files[-1].write_bytes(files[-1].read_bytes()[:-7])
    verdict = verify(folder)
    assert len(verdict.damaged_tiles) >= 2
    with pytest.raises(RunError, match="is finalized"):
        repair(folder, verdict, launch.Options(quiet=True))
    done = take_apart(folder)
    assert done.lost == len(verdict.damaged_tiles)
    assert "resume" in done.text(folder.path)
    run(waves())
    assert verify(folder).problems == ()
    assert_same_bits(tmp_path / "out", tmp_path / "sound")


class Killed(BaseException):
    pass


def deadly(folder, step):
    """The folder on a disk whose owner is killed before its `step`-th change; how many there were."""
    made = [0]

    def tick():
        made[0] += 1
        if made[0] == step:
            raise Killed

    class Deadly(type(folder.disk)):
        def rename(self, path, to, over=""):
            tick()
            super().rename(path, to, over)

        def remove(self, path):
            tick()
            super().remove(path)

        def write(self, path, data):
            tick()
            super().write(path, data)

        def remove_tree(self, path):
            if made[0] < step:  # who is dead removes nothing
                super().remove_tree(path)

        def make_folder(self, path):
            tick()
            super().make_folder(path)

        def appender(self, path):
            tick()
            return super().appender(path)

    return RunFolder(folder.path, dataclasses.replace(folder.host, disk=Deadly())), made


@pytest.mark.faults
@pytest.mark.parametrize("act", [finalize, take_apart])
def test_killed_at_any_step(run, tmp_path, act):
    """Before any change to a file or folder: the run is the old one or the new one, whole, and doing it again finishes."""
    run(waves(a=7, b=9))
    run(waves(a=7, b=9), "other")
    folder = RunFolder(tmp_path / "out")
    if act is take_apart:
        finalize(folder)
    endless, made = deadly(folder, 10**9)
    act(endless)
    (finalize if act is take_apart else take_apart)(folder)
    steps = made[0]
    assert steps > 20
    for step in np.unique(np.linspace(1, steps, 12).astype(int)).tolist():
        doomed, _ = deadly(folder, step)
        with contextlib.suppress(Killed):
            act(doomed)
        if not exchange.unfinished(folder):
            assert verify(folder, sample=0).problems == ()
            assert_same_bits(tmp_path / "out", tmp_path / "other")
        act(folder, break_lease=True)  # who was killed in this process still holds it
        assert bool(folder.record().shards) == (act is finalize)
        assert verify(folder, sample=0).problems == ()
        assert_same_bits(tmp_path / "out", tmp_path / "other")
        (finalize if act is take_apart else take_apart)(folder)


@pytest.mark.parametrize("grid", [(1,), (1000, 1000), (3, 5, 7), (1, 10**6), (10**6, 1), (7, 100)])
def test_a_million_chunks_are_a_few_dozen_files(grid, monkeypatch):
    monkeypatch.undo()
    shape = shard_shape(grid, 1000)
    files = int(np.prod([-(-n // s) for n, s in zip(grid, shape, strict=True)]))
    assert files <= 100
    assert all(1 <= s <= n for s, n in zip(shape, grid, strict=True))


def test_shards_are_not_larger_than_a_file_system_likes():
    assert np.prod(shard_shape((1000, 1000), 4 << 20)) * (4 << 20) <= 1 << 30
    assert shard_shape((10, 10), 8 << 30) == (1, 1)


def test_on_the_command_line(cli, run, tmp_path):
    run(waves())
    out = tmp_path / "out"
    assert "every chunk has been compared" in cli("finalize", out)
    assert "finalized" in cli("status", out)
    assert "agree" in cli("verify", out)
    cli("plot", out, "height", "-o", tmp_path / "p.png")
    cli("export", out, tmp_path / "t.csv")
    assert "--undo" in cli("extend", out, "--axis", "a=5", status=2)
    assert "nothing to do" in cli("finalize", out)
    assert "files of results are now" in cli("finalize", out, "--undo")


@pytest.mark.faults
def test_kill_9_while_it_is_finalized(spinsweep, run, tmp_path):
    """With nothing simulated: a process that is killed after a while, again and again, until it gets through."""
    run(waves(a=2, b=2))
    run(waves(a=2, b=2), "other")
    folder = RunFolder(tmp_path / "out")
    for k in range(12):  # the last of them gets through however slow the machine is
        process = spinsweep.start("finalize", "out", "--break-lease")
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=1.0 + 0.4 * k if k < 11 else PATIENCE)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        if not exchange.unfinished(folder):
            assert verify(folder, sample=0).problems == ()
        if process.returncode == 0:
            break
    assert process.returncode == 0
    assert folder.record().shards
    assert not (folder.path / ".next").exists()
    assert_same_bits(tmp_path / "out", tmp_path / "other")
