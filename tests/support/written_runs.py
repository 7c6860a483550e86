"""Runs written by hand: tiles of given values and codes, committed one by one, as a driver would leave them."""

import io

import numpy as np

from sweep.execution import creation
from sweep.execution.progress import Progress
from sweep.folder import files, journal
from sweep.folder.codes import packed
from sweep.folder.journal import JournalEntry
from sweep.folder.point_errors import PointError
from sweep.folder.run_folder import RunFolder
from sweep.folder.store import Store
from sweep.plan.timings import Timings
from sweep.plan.variables import ELAPSED, STATUS
from sweep.spec.parsing import parse


class WrittenRun:
    """A run in a folder. `values` has what each output is everywhere, whether committed or not; `codes` what is committed."""

    def __init__(self, path, raw, seed=0):
        spec = parse(raw)
        self.folder = RunFolder(path)
        creation.create(self.folder, spec, Timings(dict.fromkeys(spec.methods, 1e-3)), 2, Progress(io.StringIO()))
        self.plan = self.folder.plan()
        self.store = Store(self.folder.data, self.plan, writable=True)
        self.rng = np.random.default_rng(seed)
        self.codes = np.zeros(spec.shape, dtype=np.uint8)
        self.values = {v.name: self._values(v) for v in self.plan.variables if v.name != STATUS}

    def _values(self, variable):
        found = self.rng.normal(size=variable.shape)
        return found + 1j * self.rng.normal(size=variable.shape) if variable.dtype.kind == "c" else found

    def commit(self, tile, codes=None, seconds=0.5, time="2026-01-01T00:00:00+00:00"):
        """Write a tile and its line; `codes` of its points, all done by default."""
        journal.append(self.folder.journal, [self.written(tile, codes, seconds, time)])

    def written(self, tile, codes=None, seconds=0.5, time="2026-01-01T00:00:00+00:00"):
        """Write a tile; returns its line."""
        region = self.plan.region(tile)
        shape = self.plan.shape_of(tile)
        codes = np.ones(shape, dtype=np.uint8) if codes is None else np.broadcast_to(np.uint8(codes), shape)
        outputs = {}
        for variable in self.plan.variables:
            if variable.name != STATUS:
                block = self.values[variable.name][region].astype(variable.dtype)
                if variable.name != ELAPSED:
                    block[codes == 2] = np.nan
                self.values[variable.name][region] = block
                outputs[variable.name] = block
        written = tuple((w.size, w.digest) for w in self.store.write_tile(tile, outputs))
        self.codes[region] = codes
        return JournalEntry(tile, packed(codes), written, seconds, "host", 1, "cpu", time)

    def fail(self, tile, place, message):
        """Record why a point failed."""
        error = PointError(tile, place, "failed", self.plan.spec.methods[0], {"a": 1.0}, "ArithmeticError", message)
        files.append_records(self.folder.errors, [error])

    def commit_all(self, tiles=None):
        """Commit the first tiles, or all, together."""
        journal.append(self.folder.journal, [self.written(k) for k in range(tiles or self.plan.tiles)])
