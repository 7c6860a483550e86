"""What can be done with a run that is there: errors, retry, cancel, list, export, verify, points again in a notebook."""

import contextlib
import dataclasses
import io
import itertools
import json
import shlex

import numpy as np
import pandas
import pytest
import xarray
from support.no_pilot import NoPilot
from support.toy_specs import faulty
from support.watching import PATIENCE, Portions, lines_of, wait_for, wait_for_lease, wait_for_tiles

import sweep
from solvers import SolverWarning
from sweep.execution import launch
from sweep.folder import journal
from sweep.folder.run_folder import RunFolder
from sweep.folder.store import Store
from sweep.results import status
from sweep.spec.parsing import parse


@pytest.fixture
def make(cluster, tmp_path):
    """Run a spec on the shared cluster; with retry=True its failed points again."""

    def go(raw=None, name="run", retry=False):
        shared = contextlib.nullcontext(cluster)
        text = io.StringIO()
        if retry:
            result = launch.resume(tmp_path / name, stream=text, cluster=shared, retry=True)
        else:
            result = launch.run(parse(raw), tmp_path / name, None, text, shared, NoPilot())
        return result, text.getvalue()

    return go


def test_errors_are_grouped_and_their_command_repeats_one(make, cli, tmp_path):
    raw = faulty("raise")
    raw["parameters"]["seconds"] = 0.0
    make(raw)
    text = cli("errors", tmp_path / "run")
    assert "1. 6 points failed: ArithmeticError: no result at a = 3" in text
    assert "Traceback" not in text
    assert "Traceback" in cli("errors", tmp_path / "run", "--show", 1)
    (group,) = json.loads(cli("errors", tmp_path / "run", "--json"))
    assert group["count"] == 6
    words = shlex.split(group["command"])
    assert words[:2] == ["spinsweep", "solve"]
    assert "no result at a = 3" in cli(*words[1:], status=3)
    assert "there is 1 group" in cli("errors", tmp_path / "run", "--show", 2, status=2)


def test_runs_without_failures_say_so(make, cli, raw, tmp_path):
    make(raw)
    assert cli("errors", tmp_path / "run") == "no point failed\n"


def test_retry_computes_the_failed_points_alone(cluster, make, spinsweep, tmp_path):
    """A point that fails once and then no more, on a cluster whose workers count what they compute."""
    counter, mark = tmp_path / "counter", tmp_path / "mark"
    spinsweep.environment |= {"TOY_COUNTER": str(counter), "TOY_FAIL_UNLESS": str(mark)}
    (tmp_path / "spec.toml").write_text(
        '[sweep]\nmodel = "toy.faulty"\n[parameters]\nkind = "until"\nat = 3.0\n'
        "[axes]\na = [1.0, 2.0, 3.0, 4.0]\nb = [0.25, 0.5]\n[run]\ntile = { a = 2 }\n"
    )
    done = spinsweep("run", "spec.toml", "--out", "run")
    assert done.returncode == 3, done.stderr
    before = sweep.open(tmp_path / "run").load()
    counted = len(counter.read_text().splitlines())
    mark.touch()
    done = spinsweep("retry", "run")
    assert done.returncode == 0, done.stderr
    assert "8 of 8 points done" in done.stderr
    after = sweep.open(tmp_path / "run").load()
    assert len(counter.read_text().splitlines()) - counted == 2
    np.testing.assert_array_equal(after["sum"], after.a + after.b)
    np.testing.assert_array_equal(after.elapsed_seconds.where(after.a != 3), before.elapsed_seconds.where(after.a != 3))
    assert sweep.Run(tmp_path / "run").errors() == []


def test_retry_of_points_that_fail_again(make, tmp_path):
    raw = faulty("raise", seconds=0.0)
    make(raw)
    result, _ = make(retry=True)
    assert (result.exit_status, result.failed, result.done) == (3, 6, 60)
    assert sweep.Run(tmp_path / "run").errors()[0].count == 6
    assert len(lines_of(tmp_path / "run" / "meta" / "errors.jsonl")) == 6  # what is recorded is not recorded again


def test_verify_finds_what_was_changed(make, cli, raw, tmp_path):
    make(raw)
    assert "bit for bit" in cli("verify", tmp_path / "run")
    folder = RunFolder(tmp_path / "run")
    store = Store(folder.data, folder.plan(), writable=True)
    arrays = {v.name: store.read_tile(0, v.name).copy() for v in store.plan.variables}
    arrays["height"].flat[0] += 1e-12
    store.write_tile(0, arrays)
    assert "tile 0: its chunk of height" in cli("verify", tmp_path / "run", "--sample", 0, status=3)
    facts = json.loads(cli("verify", tmp_path / "run", "--json", status=3))
    assert (facts["points"], facts["damaged_tiles"]) == (0, [0])  # nothing is said of points of damaged tiles


def test_verify_finds_numbers_that_are_not_the_models(make, cli, raw, tmp_path):
    """Written and recorded as they should be, and wrong: computed by other code, say."""
    make(raw)
    folder = RunFolder(tmp_path / "run")
    store = Store(folder.data, folder.plan(), writable=True)
    arrays = {v.name: store.read_tile(0, v.name).copy() for v in store.plan.variables}
    arrays["height"].flat[0] += 1e-12
    chunks = tuple((written.size, written.digest) for written in store.write_tile(0, arrays))
    (entry,) = journal.latest(folder.journal).values()
    journal.append(folder.journal, [dataclasses.replace(entry, chunks=chunks)])
    facts = json.loads(cli("verify", tmp_path / "run", "--json", status=3))
    assert (facts["points"], facts["damaged_tiles"]) == (28, [])
    (problem,) = facts["problems"]
    assert problem.endswith("height computed anew differ")


def test_export(make, cli, raw, tmp_path):
    raw["sweep"]["method"] = ["quick", "exact"]
    make(raw)
    data = sweep.open(tmp_path / "run").load()
    cli("export", tmp_path / "run", tmp_path / "r.nc")
    back = xarray.open_dataset(tmp_path / "r.nc")
    np.testing.assert_array_equal(back.wave, data.wave)
    np.testing.assert_array_equal(back.amplitude_imag, data.amplitude.imag)
    assert back.b.attrs["units"] == "Γ"
    assert list(back.solver.values) == ["quick", "exact"]
    said = cli("export", tmp_path / "run", tmp_path / "r.csv")
    assert "height" in said
    assert "wave" not in said
    table = pandas.read_csv(tmp_path / "r.csv")
    assert len(table) == 56
    row = table[(table.solver == "exact") & (table.a == 1.5) & (table.b == 0.4)].iloc[0]
    assert row.height == float(data.height.sel(solver="exact", a=1.5, b=0.4))
    cli("export", tmp_path / "run", tmp_path / "r.parquet", "--var", "wave")
    assert len(pandas.read_parquet(tmp_path / "r.parquet")) == data.wave.size
    assert "did you mean wave?" in cli("export", tmp_path / "run", tmp_path / "r.csv", "--var", "wav", status=2)
    assert ".nc, .csv, .parquet" in cli("export", tmp_path / "run", tmp_path / "r.xls", status=2)


def test_list(make, cli, raw, tmp_path):
    assert cli("list", tmp_path) == f"no runs in {tmp_path}\n"
    assert "which is no folder" in cli("list", tmp_path / "nowhere")
    make(raw, "one")
    make({**raw, "sweep": {**raw["sweep"], "method": "exact"}}, "two")
    facts = json.loads(cli("list", tmp_path, "--json"))
    assert [(f["points"], f["done"]) for f in facts] == [(28, 28), (28, 28)]
    assert cli("list", tmp_path).count("complete") == 2


def test_cancel(cli, spinsweep, tmp_path):
    (tmp_path / "spec.toml").write_text(
        '[sweep]\nmodel = "toy.faulty"\n[parameters]\nseconds = 0.05\n[axes]\na = { linspace = [0, 1, 40] }\n[run]\ntile = { a = 4 }\n'
    )
    portions = Portions(spinsweep.environment, tmp_path / "out")
    portions.give_tiles(1, workers=2, size=4)
    process = spinsweep.start("run", "spec.toml", "--out", "out", "--workers", "2")
    wait_for_tiles(tmp_path / "out", 1, process)
    assert "running: process" in cli("status", tmp_path / "out")
    assert "running" in cli("list", tmp_path)
    assert "stops within seconds" in cli("cancel", tmp_path / "out")
    wait_for(lambda: "stopping: " in process.said(), "a driver that stops", process)
    portions.give_all()
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 4
    assert "stopped: stopped on request" in err
    assert "go on with: spinsweep resume out" in err
    assert "not running; go on with" in cli("status", tmp_path / "out", "--watch")
    assert "no driver is working" in cli("cancel", tmp_path / "out", status=2)


def test_watching_ends_with_the_run(cli, spinsweep, tmp_path, monkeypatch):
    (tmp_path / "spec.toml").write_text(
        '[sweep]\nmodel = "toy.faulty"\n[parameters]\nseconds = 0.05\n[axes]\na = { linspace = [0, 1, 12] }\n[run]\ntile = { a = 4 }\n'
    )
    portions = Portions(spinsweep.environment, tmp_path / "out")
    process = spinsweep.start("run", "spec.toml", "--out", "out", "--cluster", "here")
    wait_for_lease(tmp_path / "out", process)
    real, looks = status.status_of, itertools.count()

    def look(folder):
        """A tile more has been computed with every third look."""
        found, number = real(folder), next(looks)
        if number % 3 == 2:
            portions.give(4)
            wait_for(lambda: real(folder).done > found.done, "a tile more")
        return found

    monkeypatch.setattr(status, "status_of", look)
    text = cli("status", tmp_path / "out", "--watch", "--every", 0.1)
    process.communicate(timeout=PATIENCE)
    assert text.count("state") == 2, "as it was first, and as it ended"
    between = [line for line in text.splitlines() if "/12 points (" in line]
    assert [line.partition("/")[0].split()[-1] for line in between][:3] == ["0", "4", "8"], between
    assert len(set(between)) == len(between), "a line where something has changed"
    assert "complete" in text.splitlines()[-1]


def test_points_again_in_a_notebook(make, tmp_path):
    raw = faulty("raise", seconds=0.0)
    make(raw)
    run = sweep.Run(tmp_path / "run")
    assert "toy.faulty, 60 of 60 points" in repr(run)
    assert run.status().failed == 6
    point = run.point(a=2.1, b=0.19)
    assert point.parameters["a"] == 2.0
    assert point.place == {"a": 2, "b": 1}
    assert point.status == "done"
    assert float(point.solve()["sum"]) == float(run.data["sum"].values[2, 1])
    assert float(point.solve(b=5.0)["sum"]) == 7.0
    bad = run.point(a=3.0, b=0.0)
    assert bad.status == "failed"
    with pytest.warns(SolverWarning, match="no result"):
        bad.solve()
    with pytest.raises(sweep.RunError, match=r"point\(b=...\)"):
        run.point(a=1.0)
    with pytest.raises(sweep.RunError, match="no dimension 'c'"):
        run.point(c=1.0)


def test_points_of_a_method_axis(make, raw, tmp_path):
    raw["sweep"]["method"] = ["quick", "exact"]
    make(raw)
    run = sweep.Run(tmp_path / "run")
    point = run.point(method="exact", a=1.5, b=0.1)
    assert point.method == "exact"
    assert run.point(solver="exact", a=1.5, b=0.1) == point
    assert float(point.solve()["height"]) == float(run.data.height.sel(solver="exact", a=1.5, b=0.1))
    assert float(point.solve("quick")["height"]) == float(run.data.height.sel(solver="quick", a=1.5, b=0.1))
    with pytest.raises(sweep.RunError, match="did you mean exact"):
        run.point(solver="exat", a=1.5, b=0.1)


def test_completion_scripts(cli):
    for shell in ("bash", "zsh", "fish"):
        assert "_SPINSWEEP_COMPLETE" in cli("completion", shell)
