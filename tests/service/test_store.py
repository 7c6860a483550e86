"""The local store keeps the conformance suite, and cleans up after the killed."""

import tomllib

import numpy as np
import pytest
import xarray
import zarr
from support import store_suite

from solvers import find, models
from sweep.cli.starting import starter
from sweep.folder import layout
from sweep.folder.attributes import unit_text
from sweep.folder.chunks import encoded
from sweep.folder.store import Store
from sweep.folder.zarr_files import Written, digest_of
from sweep.plan.tiling import Plan
from sweep.spec.parsing import parse


class TestLocalStore(store_suite.StoreTests):
    def make(self, tmp_path):
        self.path = tmp_path / "data.zarr"
        layout.create(self.path, self.plan, "code", "spec")
        return Store(self.path, self.plan, writable=True)

    def reopen(self):
        return Store(self.path, self.plan)

    def dataset(self):
        return xarray.open_zarr(self.path)

    def test_every_tile_has_files_of_its_own(self, tmp_path):
        self.make(tmp_path)
        store = self.reopen()
        files = [
            store.chunk_file(v, i) for v in self.plan.variables if v.name != "status" for i in range(self.plan.tiles)
        ]
        assert len(set(files)) == len(files)

    def test_sizes_are_those_of_the_files(self, tmp_path):
        store = self.make(tmp_path)
        for variable, chunk in zip(self.plan.outputs, store.write_tile(0, self.arrays(0, 2.0)), strict=True):
            data = store.chunk_file(variable, 0).read_bytes()
            assert chunk == Written(len(data), digest_of(data))

    def test_orphans_of_killed_writers_are_removed(self, tmp_path):
        store = self.make(tmp_path)
        store.write_tile(0, self.arrays(0, 2.0))
        chunk = store.chunk_file(self.plan.variables[0], 0)
        orphan = chunk.with_name(f"{chunk.name}.0123.partial")
        orphan.write_bytes(b"half")
        assert store.remove_orphans() == 1
        assert not orphan.exists()
        assert chunk.exists()

    def test_bytes_do_not_depend_on_who_wrote_first(self, tmp_path):
        """A chunk's file is a function of its values: what bit-identity of whole stores rests on."""
        first = self.make(tmp_path / "1")
        first.write_tile(0, self.arrays(0, 2.0))
        first.write_tile(1, self.arrays(1, 3.0))
        one = {p.relative_to(self.path): p.read_bytes() for p in self.path.rglob("c/**/*") if p.is_file()}
        second = self.make(tmp_path / "2")
        second.write_tile(1, self.arrays(1, 9.0))
        second.write_tile(1, self.arrays(1, 3.0))
        second.write_tile(0, self.arrays(0, 2.0))
        two = {p.relative_to(self.path): p.read_bytes() for p in self.path.rglob("c/**/*") if p.is_file()}
        assert one == two


@pytest.mark.parametrize("model_id", sorted(models()))
def test_dimensions_of_outputs_have_the_units_of_what_they_are_made_of(model_id):
    """`time` is in the unit of `times`; a dimension that is only counted has its own."""
    model = find(model_id)
    spec = parse(tomllib.loads(starter(model)))
    found = {c.name: c for c in layout.coordinates(Plan(spec, spec.shape))}
    arrays = {p.name: p.unit for p in model.parameters if p.dims}
    for own in model.dimensions:
        if own.name in found:
            assert found[own.name].attributes["units"] == unit_text(arrays.get(own.size, own.unit)), own.name


def test_fill_values_mask_nothing(tmp_path):
    suite = TestLocalStore()
    store = suite.make(tmp_path)
    store.write_tile(0, suite.arrays(0, np.nan))
    data = suite.dataset()
    assert data.status.dtype == np.uint8
    assert "_FillValue" not in data.status.attrs


@pytest.mark.parametrize(
    ("size", "chunks", "shape"), [((7, 4), (3, 4), (3, 4)), ((7, 4), (3, 4), (1, 4)), ((5,), (5,), (5,))]
)
@pytest.mark.parametrize("dtype", ["f8", "c16", "i8"])
@pytest.mark.parametrize("fill", ["default", "all fill"])
def test_chunks_are_the_bytes_that_zarr_writes(tmp_path, size, chunks, shape, dtype, fill):
    """Whole tiles and those at the edge, full of values or of nothing but the fill value."""
    rng = np.random.default_rng(3)
    nothing = 0 if dtype == "i8" else np.nan
    values = np.full(shape, nothing, dtype) if fill == "all fill" else (100 * rng.normal(size=shape)).astype(dtype)
    with zarr.config.set({"array.write_empty_chunks": True}):
        array = zarr.create_array(tmp_path / "a.zarr", shape=size, chunks=chunks, dtype=dtype, fill_value=nothing)
        last = tuple(slice(n - k, n) for n, k in zip(size, shape, strict=True))
        array[last] = values
    place = "/".join(str((n - 1) // k) for n, k in zip(size, chunks, strict=True))
    if shape == chunks and len(size) == 2:
        array[:3] = values
        place = "0/0"
    assert encoded(array, values) == (tmp_path / "a.zarr" / "c" / place).read_bytes()
