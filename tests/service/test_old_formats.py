"""Runs of earlier formats go on: in format 1 the dimension of the methods was called `method`."""

import contextlib
import dataclasses
import io

import numpy as np
import pytest
import xarray
from support.bits import arrays_of

import sweep
from sweep.errors import RunError
from sweep.execution import launch
from sweep.folder import files
from sweep.folder.run_folder import RunFolder
from sweep.folder.store import Store
from sweep.pictures import plot
from sweep.results.verify import verify
from sweep.spec.parsing import parse


@pytest.fixture
def spec(raw):
    raw["sweep"]["method"] = ["quick", "exact"]
    raw["run"] = {"tile": {"a": 3, "method": 1}}
    return parse(raw)


@pytest.fixture
def old(spec, cluster, tmp_path, monkeypatch):
    """A run of format 1 with one tile left to do."""
    from sweep.execution import creation
    from sweep.folder import run_record

    shared = contextlib.nullcontext(cluster)
    with monkeypatch.context() as as_it_was:
        as_it_was.setattr(creation, "RunRecord", lambda **given: run_record.RunRecord(**given, format=1))
        launch.run(parse(spec.raw, "method"), tmp_path / "old", stream=io.StringIO(), cluster=shared)
    folder = RunFolder(tmp_path / "old")
    assert xarray.open_zarr(folder.data).height.dims == ("method", "a", "b")
    assert folder.record().format == 1
    Store(folder.data, folder.plan(), writable=True).clear(4)
    return tmp_path / "old"


def test_old_run_opens_resumes_and_plots(old, spec, cluster, tmp_path):
    shared = contextlib.nullcontext(cluster)
    before = sweep.open(old)
    assert before.height.dims == ("solver", "a", "b")
    assert int((before.sel(solver="exact").status == 0).sum()) == 12
    text = io.StringIO()
    assert launch.run(spec, old, stream=text, cluster=shared).exit_status == 0  # the same spec is the same sweep
    assert "complete: 56 of 56" in text.getvalue()
    launch.run(spec, tmp_path / "new", stream=io.StringIO(), cluster=shared)
    assert arrays_of(old) == arrays_of(tmp_path / "new")
    assert verify(RunFolder(old)).problems == ()
    figure = plot.picture(sweep.open(old), "height", {"solver": "exact"})
    assert figure.axes[0].get_xlabel() == "first parameter $a$"
    assert sweep.Run(old).point(method="exact", a=1.5, b=0.1).status == "done"


def test_unknown_format_is_told(old):
    folder = RunFolder(old)
    files.write_record(folder.plan_file, dataclasses.replace(folder.record(), format=99))
    with pytest.raises(RunError, match="has format 99, this spinsweep reads 1, 2; use the version that made it"):
        folder.plan()


def test_new_runs_call_it_solver(spec, cluster, tmp_path):
    launch.run(spec, tmp_path / "new", stream=io.StringIO(), cluster=contextlib.nullcontext(cluster))
    data = xarray.open_zarr(tmp_path / "new" / "data.zarr")
    assert data.height.dims == ("solver", "a", "b")
    np.testing.assert_array_equal(data.sel(solver="exact").height, data.height.values[1])
