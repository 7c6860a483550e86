"""Runs that grow: only new points are computed, committed ones keep their bits, and a crash loses nothing."""

import contextlib
import io
import os
import signal

import numpy as np
import pytest
from support.bits import assert_same_bits_by_coordinate
from support.no_pilot import NoPilot
from support.watching import Portions, committed_points, wait_for

import sweep
from sweep.errors import RunError, SpecError
from sweep.execution import extension, launch
from sweep.folder import exchange
from sweep.folder.run_folder import RunFolder
from sweep.plan.growth import Growth, compare
from sweep.results.failures import groups
from sweep.spec.growing import grown
from sweep.spec.parsing import parse


@pytest.fixture
def run(cluster, tmp_path):
    def go(raw, name="out", **options):
        text = io.StringIO()
        where = contextlib.nullcontext(cluster)
        result = launch.run(parse(raw), tmp_path / name, launch.Options(**options), text, where, NoPilot())
        return result, text.getvalue()

    return go


def with_axes(raw, **axes):
    return {**raw, "axes": {**raw["axes"], **axes}, "run": {"tile": {"a": 2, "b": 3}}}


SMALL = {"a": [0.5, 1.0, 2.0, 2.5, 3.0], "b": [0.2, 0.4, 0.8, 1.0]}
GROWN = {
    "appended": {"a": [*SMALL["a"], 3.5]},
    "prepended": {"b": [0.1, *SMALL["b"]]},
    "in between": {"a": [0.5, 0.7, 1.0, 2.0, 2.2, 2.4, 2.5, 3.0]},
    "three at once": {"a": [0.1, *SMALL["a"], 4.0], "b": [0.2, 0.3, 0.4, 0.8, 0.9, 1.0, 1.1]},
    "another order": {"a": [3.0, 2.5, 0.1, 2.0, 1.0, 0.5]},
}


@pytest.mark.parametrize("axes", GROWN.values(), ids=GROWN.keys())
def test_only_new_points_are_computed(raw, run, tmp_path, axes, monkeypatch):
    run(with_axes(raw, **SMALL))
    before = sweep.open(tmp_path / "out").load()
    result, text = run(with_axes(raw, **(SMALL | axes)))
    assert result.exit_status == 0
    after = sweep.open(tmp_path / "out").load()
    new = after.sizes["a"] * after.sizes["b"] - 20
    assert f"{new} new points, 20 are kept" in text
    old = after.sel(a=before.a, b=before.b)
    # the time that a point took would differ had it been computed again
    np.testing.assert_array_equal(old.elapsed_seconds, before.elapsed_seconds)
    fresh, _ = run(with_axes(raw, **(SMALL | axes)), "fresh")
    assert_same_bits_by_coordinate(tmp_path / "out", tmp_path / "fresh")
    assert "extending" in after.attrs["history"]
    assert run(with_axes(raw, **(SMALL | axes)))[0].done == fresh.done  # complete: nothing is left


def test_methods_can_be_added(raw, run, tmp_path):
    raw["sweep"]["method"] = ["quick"]
    run(raw)
    raw["sweep"]["method"] = ["exact", "quick"]
    raw["outputs"] = {"keep": ["height", "wave", "hole"]}
    with pytest.raises(RunError, match=r"outputs were|--overwrite|overwrite=True"):
        run({**raw, "outputs": {"keep": ["height"]}})
    result, text = run(raw)
    assert result.exit_status == 0
    assert "solver from 1 to 2 values" in text
    data = sweep.open(tmp_path / "out")
    np.testing.assert_array_equal(data.height.sel(solver="exact"), data.height.sel(solver="quick") + 1)


def test_an_incomplete_run_grows_too(raw, run, tmp_path, monkeypatch):
    run(with_axes(raw, **SMALL))
    folder = RunFolder(tmp_path / "out")
    from sweep.folder import journal

    journal.take_back(folder.journal, [1, 2])
    result, _ = run(with_axes(raw, **(SMALL | GROWN["in between"])))
    assert result.exit_status == 0
    run(with_axes(raw, **(SMALL | GROWN["in between"])), "fresh")
    assert_same_bits_by_coordinate(tmp_path / "out", tmp_path / "fresh")


def test_failed_points_stay_failed_with_their_reasons(run, tmp_path):
    raw = {
        "sweep": {"model": "toy.faulty"},
        "parameters": {"kind": "raise", "at": 3.0},
        "axes": {"a": [1.0, 3.0, 5.0], "b": [0.0, 0.5]},
        "run": {"tile": {"a": 2, "b": 2}},
    }
    assert run(raw)[0].failed == 2
    raw["axes"]["a"] = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    result, _ = run(raw)
    assert (result.exit_status, result.failed) == (3, 2)
    (group,) = groups(RunFolder(tmp_path / "out"))
    assert group.count == 2
    assert group.parameters["a"] == 3.0
    data = sweep.open(tmp_path / "out")
    assert data.status.sel(a=3.0).values.tolist() == [2, 2]


def refused(old, new):
    found = compare(parse(old), parse(new))
    assert not isinstance(found, Growth)
    return "; ".join(found)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"parameters": {"N": 6, "times": [0.0, 1.0]}}, "parameter N was 5, now 6"),
        ({"axes": {"a": [0.0, 3.0], "b": [0.1, 0.2, 0.4, 0.8]}}, "axis a lost 5 of 7 values (0.5, 1.0, 1.5, ...)"),
        ({"axes": {"b": [0.1, 0.2, 0.4, 0.8], "a": {"linspace": [0, 3, 7]}}}, "dimensions were a, b, now b, a"),
        ({"sweep": {"model": "toy.waves", "method": "exact"}}, "method was ('quick',), now ('exact',)"),
        ({"sweep": {"model": "toy.waves", "method": "quick", "seed": 3}}, "seed was 0, now 3"),
        ({"outputs": {"keep": ["height"]}}, "outputs were height, wave, hole, now height"),
    ],
)
def test_differences_are_told(raw, change, words):
    assert words in refused(raw, {**raw, **change})


def test_changed_formulas_are_told(raw):
    raw["axes"] = {"a": [1.0, 2.0]}
    raw["parameters"] |= {"b": "a/10"}
    other = {**raw, "parameters": {**raw["parameters"], "b": "a/20"}, "axes": {"a": [1.0, 2.0, 3.0]}}
    assert "formula b was a / 10, now a / 20" in refused(raw, other)
    assert isinstance(compare(parse(raw), parse({**raw, "axes": {"a": [1.0, 2.0, 3.0]}})), Growth)


def test_another_sweep_is_moved_to_the_trash_when_asked(raw, run, tmp_path):
    run(raw)
    raw["parameters"]["N"] = 6
    with pytest.raises(RunError, match=r"parameter N was 5, now 6; .*overwrite=True"):
        run(raw)
    result, text = run(raw, overwrite=True)
    assert result.exit_status == 0
    (trash,) = (tmp_path / ".trash").iterdir()
    assert str(trash) in text
    assert sweep.open(trash).N == 5
    assert sweep.open(tmp_path / "out").N == 6


def test_values_are_added_in_order(raw):
    spec = parse(raw)
    assert grown(spec, {"b": {"values": [0.3, 0.2]}})["axes"]["b"] == {"values": [0.1, 0.2, 0.3, 0.4, 0.8]}
    raw["axes"]["b"] = [0.8, 0.1, 0.4]
    assert grown(parse(raw), {"b": [0.3]})["axes"]["b"] == {"values": [0.8, 0.1, 0.4, 0.3]}
    raw["axes"]["b"] = [0.8, 0.4, 0.1]
    assert grown(parse(raw), {"b": [0.3]})["axes"]["b"] == {"values": [0.8, 0.4, 0.3, 0.1]}
    with pytest.raises(SpecError, match=r"no such axis; it has a, b"):
        grown(spec, {"c": [1.0]})
    with pytest.raises(SpecError, match=r"< 10"):
        grown(spec, {"b": [20.0]})


@pytest.mark.parametrize("step", range(1, 12))
def test_an_exchange_that_is_cut_off_is_finished_or_thrown_away(raw, run, tmp_path, monkeypatch, step):
    """Killed at any rename or removal, the folder is the old run or becomes the new one; both go on."""
    run(with_axes(raw, **SMALL))
    before = sweep.open(tmp_path / "out").load()
    folder = RunFolder(tmp_path / "out")
    bigger = with_axes(raw, **(SMALL | GROWN["three at once"]))
    count = 0

    class Killed(BaseException):
        pass

    class Deadly(type(folder.disk)):
        def rename(self, path, to, over=""):
            self.tick(path)
            super().rename(path, to, over)

        def remove(self, path):
            self.tick(path)
            super().remove(path)

        def tick(self, path):
            nonlocal count
            if exchange.unfinished(folder):
                count += 1
                if count == step:
                    raise Killed

    import dataclasses

    deadly = RunFolder(folder.path, dataclasses.replace(folder.host, disk=Deadly()))
    growth = extension.growth_of(deadly, parse(bigger))
    with contextlib.suppress(Killed):
        extension.extend(deadly, growth, launch.Progress(io.StringIO(), quiet=True))
    result, _ = run(bigger)
    assert result.exit_status == 0
    after = sweep.open(tmp_path / "out").load()
    np.testing.assert_array_equal(after.sel(a=before.a, b=before.b).elapsed_seconds, before.elapsed_seconds)
    assert not (folder.path / ".next").exists()


@pytest.mark.faults
def test_killed_in_the_middle_of_an_extension(spinsweep, tmp_path):
    """kill -9 while new points are computed: resume computes what is missing, and the bits are a fresh run's."""
    text = '[sweep]\nmodel = "toy.faulty"\n[parameters]\nkind = "none"\nseconds = 0.02\n[axes]\na = {}\nb = {}\n[run]\ntile = {{ a = 3, b = 2 }}\n'
    portions = Portions(spinsweep.environment, tmp_path / "out")
    portions.give_all()
    small, big = (
        ([0.0, 1.0, 2.0, 3.0], [0.0, 0.5, 1.0]),
        (np.linspace(0, 6, 13).tolist(), [0.0, 0.25, 0.5, 0.75, 1.0, 2.0]),
    )
    (tmp_path / "s.toml").write_text(text.format(*small))
    assert spinsweep("run", "s.toml", "--out", "out", "--workers", "2").returncode == 0
    before = sweep.open(tmp_path / "out").load()
    (tmp_path / "s.toml").write_text(text.format(*big))
    portions.give(40)
    process = spinsweep.start("run", "s.toml", "--out", "out", "--workers", "2")

    def some_are_new():
        with contextlib.suppress(Exception):  # while it is put in the place of the one before
            return int((sweep.open(tmp_path / "out").status != 0).sum()) > 12

    wait_for(some_are_new, "new points", process)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert 12 < committed_points(tmp_path / "out") < 13 * 6
    portions.give_all()
    assert spinsweep("resume", "out", "--workers", "2").returncode == 0
    after = sweep.open(tmp_path / "out").load()
    np.testing.assert_array_equal(after.sel(a=before.a, b=before.b).elapsed_seconds, before.elapsed_seconds)
    assert spinsweep("run", "s.toml", "--out", "fresh", "--workers", "2").returncode == 0
    assert_same_bits_by_coordinate(tmp_path / "out", tmp_path / "fresh")


def test_extend_on_the_command_line(spinsweep, tmp_path):
    (tmp_path / "s.toml").write_text('[sweep]\nmodel = "toy.waves"\n[axes]\na = [0.0, 1.0]\nb = [0.1, 0.4]\n')
    assert spinsweep("run", "s.toml").returncode == 0
    done = spinsweep("extend", "results/s", "--axis", "a=0.5,1.5", "--axis", "b=0.2:0.3:2")
    assert done.returncode == 0, done.stderr
    assert "extending a from 2 to 4 values, b from 2 to 4 values: 12 new points, 4 are kept" in done.stderr
    data = sweep.open(tmp_path / "results" / "s")
    assert data.a.values.tolist() == [0.0, 0.5, 1.0, 1.5]
    assert bool((data.status == 1).all())
