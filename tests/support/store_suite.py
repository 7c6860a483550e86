"""Conformance of a store: what every kind of store that a sweep may write to must keep. A subclass brings three methods.

class TestLocalStore(StoreTests):
    def make(self, tmp_path): return an open writable store, created whole
    def reopen(self): return the same store, opened anew for reading
    def dataset(self): return it as xarray sees it
"""

import warnings

import numpy as np

from sweep.folder.codes import DONE, PENDING, POINT_FAILED
from sweep.folder.old_formats import digest
from sweep.plan.tiling import Plan, tile_shape
from sweep.plan.timings import Timings
from sweep.spec.parsing import parse

RAW = {
    "sweep": {"name": "conformance", "model": "toy.waves", "method": ["quick", "exact"]},
    "parameters": {"N": 5, "times": [0.0, 1.0]},
    "axes": {"a": {"linspace": [0.0, 3.0, 7]}, "b": {"values": [0.1, 0.2, 0.4, 0.8, 1.6]}},
    "zip": {"pair": {"shape": ["round", "square"]}},
    "run": {"tile": {"a": 3, "b": 2, "pair": 1}},
}


class StoreTests:
    """The suite."""

    plan = Plan(parse(RAW), tile_shape(parse(RAW), Timings({"quick": 1.0}), 2))

    def arrays(self, index, value):
        """Arrays of a tile, full of one number."""
        tile = self.plan.at(index)
        found = {}
        for v in self.plan.variables:
            own = v.shape[len(tile.shape) :]
            found[v.name] = np.full(tile.shape + own, 0 if v.name == "status" else value, dtype=v.dtype)
        return found

    def mark(self, store, *tiles, code=DONE):
        """Give tiles a status, and all others none."""
        codes = np.zeros(self.plan.spec.shape, dtype=np.uint8)
        for index in tiles:
            codes[self.plan.region(index)] = code
        store.write_status((...,), codes)

    def test_new_store_is_pending_and_opens_without_a_warning(self, tmp_path):
        self.make(tmp_path)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            data = self.dataset()
            data.load()
        assert np.all(data.status == PENDING)
        assert np.all(np.isnan(data.height))
        assert data.height.dims == ("solver", "a", "b", "pair")
        assert data.wave.dims == ("solver", "a", "b", "pair", "time", "axis")
        assert list(data.solver.values) == ["quick", "exact"]
        assert list(data["shape"].values) == ["round", "square"]
        assert data["shape"].dims == ("pair",)
        assert int(data.N) == 5
        np.testing.assert_array_equal(data.time, [0.0, 1.0])

    def test_everything_has_units_and_a_long_name(self, tmp_path):
        self.make(tmp_path)
        data = self.dataset()
        for name, array in data.variables.items():
            assert array.attrs.get("units"), name
            assert array.attrs.get("long_name"), name
        for name in ("Conventions", "title", "source", "history", "references", "spec", "hash"):
            assert data.attrs[name]
        assert data.b.attrs["units"] == "Γ"
        assert r"$\beta$" in data.b.attrs["long_name"]
        flags = data.status.attrs
        assert len(flags["flag_values"]) == len(flags["flag_meanings"].split())

    def test_tile_comes_back_bit_for_bit(self, tmp_path):
        store = self.make(tmp_path)
        rng = np.random.default_rng(1)
        written = {}
        for index in range(self.plan.tiles):
            written[index] = self.arrays(index, 0.0)
            for array in written[index].values():
                if array.dtype.kind in "fc":
                    array[...] = rng.normal(size=array.shape)
            store.write_tile(index, written[index])
        self.mark(store, *range(self.plan.tiles))
        again = self.reopen()
        for index, arrays in written.items():
            back = {v.name: again.read_tile(index, v.name) for v in self.plan.variables}
            assert digest({k: v for k, v in back.items() if k != "status"}) == digest(
                {k: v for k, v in arrays.items() if k != "status"}
            )
        assert np.all(again.read_status() == DONE)

    def test_uncommitted_data_stay_pending(self, tmp_path):
        store = self.make(tmp_path)
        store.write_tile(3, self.arrays(3, 1.0))
        assert np.all(self.reopen().read_status() == PENDING)
        self.mark(store, 3)
        status = self.reopen().read_status()
        assert np.count_nonzero(status) == self.plan.at(3).size
        assert np.all(status[self.plan.region(3)] == DONE)

    def test_tile_of_nan_is_written_and_done(self, tmp_path):
        store = self.make(tmp_path)
        written = store.write_tile(0, self.arrays(0, np.nan))
        assert len(written) == len(self.plan.outputs)
        assert all(chunk.size > 0 for chunk in written)
        self.mark(store, 0, code=POINT_FAILED)
        assert np.all(self.reopen().read_status()[self.plan.region(0)] == POINT_FAILED)

    def test_status_can_be_taken_back(self, tmp_path):
        store = self.make(tmp_path)
        store.write_tile(1, self.arrays(1, 1.0))
        self.mark(store, 1)
        self.mark(store)
        assert np.all(self.reopen().read_status() == PENDING)

    def test_partial_data_are_visible(self, tmp_path):
        store = self.make(tmp_path)
        store.write_tile(2, self.arrays(2, 4.5))
        self.mark(store, 2)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            data = self.dataset().load()
        done = data.status == DONE
        assert int(done.sum()) == self.plan.at(2).size
        assert np.all(data.height.where(done, 4.5) == 4.5)
        assert np.all(np.isnan(data.height.where(~done).values[~done.values]))
