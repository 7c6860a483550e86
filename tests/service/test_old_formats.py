"""Runs of earlier formats go on. In format 1 the dimension of the methods was called `method`; in 1 and 2 a tile was
committed by its chunk of `status`. The runs in `old_runs` were made by the versions that wrote those formats, and tile 4
was taken back in each."""

import contextlib
import dataclasses
import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
import xarray
from support.bits import arrays_of

import sweep
from solvers.fingerprint import sources_of
from solvers.registry import module_of
from sweep.errors import RunError
from sweep.execution import launch
from sweep.folder import files, journal
from sweep.folder.run_folder import RunFolder
from sweep.pictures import plot
from sweep.results.status import status_of
from sweep.results.verify import verify
from sweep.spec.parsing import parse

MADE = Path(__file__).with_name("old_runs") / "formats_1_and_2.tar.gz"


@pytest.fixture
def spec(raw):
    raw["sweep"]["method"] = ["quick", "exact"]
    raw["run"] = {"tile": {"a": 3}}
    return parse(raw)


@pytest.fixture(params=[1, 2])
def old(request, tmp_path):
    """A run of that format with one tile left to do, of the code as it is."""
    with tarfile.open(MADE) as archive:
        archive.extractall(tmp_path, filter="data")
    folder = RunFolder(tmp_path / f"format_{request.param}")
    record = folder.record()
    assert record.format == request.param
    code = sources_of(module_of(folder.plan().model))
    files.write_record(folder.plan_file, dataclasses.replace(record, code=code))
    return folder.path


def quietly(call, *arguments, cluster, **options):
    text = io.StringIO()
    result = call(*arguments, stream=text, cluster=contextlib.nullcontext(cluster), **options)
    return result, text.getvalue()


def test_old_run_opens_resumes_and_plots(old, spec, cluster, tmp_path):
    assert xarray.open_zarr(old / "data.zarr").height.dims[0] == ("method" if old.name == "format_1" else "solver")
    before = sweep.open(old)
    assert before.height.dims == ("solver", "a", "b")
    assert int((before.sel(solver="exact").status == 0).sum()) == 12
    now = status_of(old)
    assert (now.done, now.tiles_done) == (44, 5)
    assert verify(RunFolder(old)).problems == ()
    result, text = quietly(launch.run, spec, old, cluster=cluster)  # the same spec is the same sweep
    assert result.exit_status == 0
    assert "complete: 56 of 56" in text
    assert "computed again" not in text
    quietly(launch.run, spec, tmp_path / "new", cluster=cluster)
    assert arrays_of(old) == arrays_of(tmp_path / "new")
    assert verify(RunFolder(old)).problems == ()
    figure = plot.picture(sweep.open(old), "height", {"solver": "exact"})
    assert figure.axes[0].get_xlabel() == "first parameter $a$"
    assert sweep.Run(old).point(method="exact", a=1.5, b=0.1).status == "done"


def test_old_run_needs_its_status_only_once(old, cluster):
    """Its codes go into the journal with the first resume; the files of `status` may then be anything."""
    quietly(launch.resume, old, cluster=cluster)
    folder = RunFolder(old)
    assert all(entry.codes == "1" for entry in journal.latest(folder.journal).values())
    for path in (folder.data / "status" / "c").rglob("*"):
        if path.is_file():
            path.write_bytes(b"")
    result, text = quietly(launch.resume, old, cluster=cluster)
    assert result.done == 56
    assert "computed again" not in text
    assert int((sweep.open(old).status == 1).sum()) == 56


def test_unknown_format_is_told(old):
    folder = RunFolder(old)
    files.write_record(folder.plan_file, dataclasses.replace(folder.record(), format=99))
    with pytest.raises(RunError, match="has format 99, this spinsweep reads 1, 2, 3; use the version that made it"):
        folder.plan()


def test_new_runs_call_it_solver(spec, cluster, tmp_path):
    quietly(launch.run, spec, tmp_path / "new", cluster=cluster)
    data = xarray.open_zarr(tmp_path / "new" / "data.zarr")
    assert data.height.dims == ("solver", "a", "b")
    np.testing.assert_array_equal(data.sel(solver="exact").height, data.height.values[1])
