"""Whole runs on a local cluster: results, bits, continuation, refusals, failing points."""

import contextlib
import dataclasses
import io
import json
import socket
import warnings

import numpy as np
import pytest
import xarray
from support.bits import assert_same_bits, assert_same_bits_by_coordinate
from support.no_pilot import NoPilot
from support.toy_specs import faulty
from support.watching import lines_of, wait_for

import sweep
from sweep.errors import RunError, SpecError
from sweep.execution import launch
from sweep.folder import files, journal
from sweep.folder.codes import POINT_FAILED, POINT_WARNED
from sweep.folder.host import machine
from sweep.folder.lease import Holder, Lease
from sweep.folder.run_folder import RunFolder
from sweep.folder.store import Store
from sweep.spec.parsing import parse


@pytest.fixture
def run(cluster, tmp_path):
    """Run a spec on the shared cluster into a folder of the test's."""

    def go(raw, name="out", **options):
        text = io.StringIO()
        where = contextlib.nullcontext(cluster)
        result = launch.run(parse(raw), tmp_path / name, launch.Options(**options), text, where, NoPilot())
        return result, text.getvalue()

    return go


def test_results_are_those_of_the_model(raw, run, tmp_path):
    raw["sweep"]["method"] = ["quick", "exact"]
    result, text = run(raw)
    assert result.exit_status == 0
    data = sweep.open(tmp_path / "out")
    expected = np.sin(data.a) * data.b + 5
    np.testing.assert_allclose(data.height.sel(solver="quick"), expected, rtol=1e-15)
    np.testing.assert_allclose(data.height.sel(solver="exact"), expected + 1, rtol=1e-15)
    assert np.all(np.isnan(data.amplitude.sel(solver="quick").real))
    np.testing.assert_allclose(data.amplitude.sel(solver="exact", b=0.4), np.exp(1j * data.a))
    assert np.all(data.status == 1)
    assert np.all(data.elapsed_seconds > 0)
    assert text.startswith("dashboard: http://127.0.0.1:")
    assert "complete: 56 of 56 points done" in text


@pytest.mark.parametrize("tile", [{"a": 1, "b": 1}, {"a": 7, "b": 2}, {"a": 3}])
def test_bits_do_not_depend_on_the_tiles(raw, run, tmp_path, tile):
    run(raw, "auto")
    run({**raw, "run": {"tile": tile}}, "other")
    assert_same_bits(tmp_path / "auto", tmp_path / "other")


def test_bits_do_not_depend_on_the_order_of_the_axes(raw, run, tmp_path):
    run(raw, "one")
    run({**raw, "axes": dict(reversed(raw["axes"].items()))}, "other")
    assert_same_bits_by_coordinate(tmp_path / "one", tmp_path / "other")


def test_complete_run_is_left_alone(raw, run, tmp_path):
    run(raw)
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "out" / "data.zarr").rglob("*")}
    result, text = run(raw)
    assert result.exit_status == 0
    assert "dashboard" not in text  # nothing was connected to
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "out" / "data.zarr").rglob("*")} == before


def test_nan_results_are_done(run, tmp_path):
    result, _ = run(faulty("nan", seconds=0.0))
    assert result.exit_status == 0
    assert result.failed == 0


def test_failing_points_leave_the_others_alone(run, tmp_path):
    result, text = run(faulty("raise"))
    assert result.exit_status == 3
    assert result.failed == 6
    assert "6 failed" in text
    data = sweep.open(tmp_path / "out")
    bad = data.a == 3.0
    assert np.all((data.status == POINT_FAILED) == bad)
    np.testing.assert_array_equal(data["sum"].where(~bad), (data.a + data.b).where(~bad))
    assert np.all(np.isnan(data["sum"].where(bad, drop=True)))
    errors = lines_of(tmp_path / "out" / "meta" / "errors.jsonl")
    assert len(errors) == 6
    assert {e["type"] for e in errors} == {"ArithmeticError"}
    assert {e["message"] for e in errors} == {"no result at a = 3"}
    assert all("_faulty" in e["traceback"] and e["parameters"]["a"] == 3.0 for e in errors)


def test_bad_input_at_a_point_fails_that_point_only(run):
    result, _ = run(faulty("value"))
    assert (result.exit_status, result.failed, result.done) == (3, 6, 60)


def test_warned_points_are_done(run, tmp_path):
    result, text = run(faulty("warn"))
    assert result.exit_status == 0
    assert result.warned == 6
    assert "6 with a warning" in text
    assert int((sweep.open(tmp_path / "out").status == POINT_WARNED).sum()) == 6


def test_points_beyond_a_methods_limit_fail_with_its_reason(raw, run, tmp_path):
    raw["sweep"]["method"] = ["quick", "exact"]
    del raw["parameters"]["N"]
    raw["axes"] = {"N": [10, 12, 14]}
    result, _ = run(raw)
    assert (result.exit_status, result.failed) == (3, 1)
    (error,) = lines_of(tmp_path / "out" / "meta" / "errors.jsonl")
    assert error["method"] == "exact"
    assert error["parameters"] == {"N": 14}
    assert "N <= 12" in error["message"]


def test_spent_step_budget_fails_its_point_with_the_reason(run, tmp_path):
    raw = {
        "sweep": {"model": "spin_cat.two_ensembles"},
        "parameters": {"eta": 300.0, "delta": 0.05},
        "axes": {"max_steps": [3, 100_000]},
    }
    result, _ = run(raw)
    assert (result.exit_status, result.failed) == (3, 1)
    (error,) = lines_of(tmp_path / "out" / "meta" / "errors.jsonl")
    assert error["parameters"] == {"max_steps": 3}
    assert "max_steps" in error["message"]


def test_too_many_failures_end_the_run(run):
    raw = faulty("raise", tile={"a": 1, "b": 6})
    raw["run"]["max_failures"] = 2
    result, text = run(raw)
    assert result.exit_status == 5
    assert "max_failures" in text
    assert "spinsweep resume" in text


def test_another_sweep_is_refused(raw, run, tmp_path):
    run(raw)
    raw["parameters"]["N"] = 6
    with pytest.raises(RunError, match=r"holds another sweep \(toy\)") as refused:
        run(raw)
    assert "parameter N was 5, now 6" in str(refused.value)
    assert "choose another folder with --out, or replace it with --overwrite" in refused.value.on_command_line()
    assert "run(store=...)" in str(refused.value)


def test_foreign_folder_is_refused(raw, run, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    with pytest.raises(RunError, match="no run of spinsweep"):
        run(raw)
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["thesis.txt"]


def test_bad_spec_creates_nothing(raw, run, tmp_path):
    raw["parameters"]["N"] = -1
    with pytest.raises(SpecError):
        run(raw)
    assert list(tmp_path.iterdir()) == []


def test_changed_code_is_refused_unless_accepted(raw, run, tmp_path):
    run(raw)
    folder = RunFolder(tmp_path / "out")
    files.write_record(folder.plan_file, dataclasses.replace(folder.record(), code="another"))
    journal.take_back(folder.journal, [0])
    with pytest.raises(RunError, match=r"has changed.*accept_code_change=True"):
        run(raw)
    result, _ = run(raw, accept_code_change=True)
    assert result.exit_status == 0
    assert "accepted by the user" in sweep.open(tmp_path / "out").attrs["history"]
    assert folder.record().code_before == ("another",)


def test_live_lease_is_refused_and_a_dead_one_taken_over(raw, run, tmp_path):
    run(raw)
    folder = RunFolder(tmp_path / "out")
    with Lease(folder.lease), pytest.raises(RunError, match=r"another driver .* run\(break_lease=True\)"):
        run(raw)
    gone = Holder(socket.gethostname(), 2**22 + 1, 1.0, machine=machine())
    folder.lease.write_text(json.dumps(gone.to_json()))
    _, text = run(raw)
    assert "taking over" in text
    assert not folder.lease.exists()


def test_tile_whose_files_are_gone_is_computed_again(raw, run, tmp_path):
    run({**raw, "run": {"tile": {"a": 3, "b": 4}}}, "whole")
    run({**raw, "run": {"tile": {"a": 3, "b": 4}}})
    folder = RunFolder(tmp_path / "out")
    store = Store(folder.data, folder.plan())
    store.chunk_file(store.plan.variables[0], 1).unlink()
    _, text = run(raw)
    assert "tile 1 is computed again" in text
    assert_same_bits(tmp_path / "whole", tmp_path / "out")


def test_sweep_from_python(cluster, tmp_path):
    data = sweep.Sweep(
        model="toy.waves", axes={"a": np.linspace(0, 3, 7), "b": [0.1, 0.2]}, parameters={"N": 5}, keep=["height"]
    ).run(client=cluster.client, store=tmp_path / "out", quiet=True)
    assert isinstance(data, xarray.Dataset)
    np.testing.assert_allclose(data.height, np.sin(data.a) * data.b + 5)
    assert "wave" not in data


def test_running_store_opens_without_a_warning(spinsweep, tmp_path):
    """It is watched while it fills: the last tile waits until all the others have been seen done."""
    (tmp_path / "spec.toml").write_text(
        '[sweep]\nmodel = "toy.faulty"\n[parameters]\nseconds = 0.01\nkind = "gate"\nat = 19.0\n'
        "[axes]\na = { linspace = [0, 19, 20] }\nb = { linspace = [0, 1, 10] }\n[run]\ntile = { a = 1, b = 10 }\n"
    )
    gate = tmp_path / "gate"
    spinsweep.environment["TOY_GATE"] = str(gate)
    process = spinsweep.start("run", "spec.toml", "--out", "out", "--workers", "2")

    def all_but_the_last():
        if (tmp_path / "out").exists():
            data = xarray.open_zarr(tmp_path / "out" / "data.zarr")
            done = data.status.load() == 1  # first: what it shows as done has its values
            assert np.all(np.isfinite(data["sum"].load().where(done, 0.0)))
            return int(done.sum()) == 190
        return False

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        wait_for(all_but_the_last, "all tiles but the one that waits", process)
        gate.touch()
        while process.poll() is None:
            all_but_the_last()
    _, err = process.communicate()
    assert process.returncode == 0, err
    assert int((sweep.open(tmp_path / "out").status == 1).sum()) == 200
