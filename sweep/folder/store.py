"""The Zarr store of a run: created whole, filled tile by tile, opened by xarray at any moment.

A worker writes the data chunks of its tile; the driver alone writes `status`, after the data. A chunk of `status` is
therefore the commit of its tile: what is not 0 there is on disk.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from solvers.outcome import FAILED, OK, WARNED
from sweep.folder import files
from sweep.plan.tiling import Plan
from sweep.plan.variables import ELAPSED, STATUS, Variable

PENDING, DONE, POINT_FAILED, POINT_WARNED, INTERPOLATED = range(5)
FLAGS = {
    PENDING: "pending",
    DONE: "done",
    POINT_FAILED: "failed",
    POINT_WARNED: "done_with_warning",
    INTERPOLATED: "interpolated",
}
_OF_SOLVER = np.zeros(3, dtype=np.uint8)
_OF_SOLVER[[OK, WARNED, FAILED]] = DONE, POINT_WARNED, POINT_FAILED


def codes_of(status: NDArray[np.integer[Any]]) -> NDArray[np.uint8]:
    """The solvers' own status of points, as the store has it."""
    codes: NDArray[np.uint8] = _OF_SOLVER[status]
    return codes


class Store:
    """An open store. `writable` also opens it for tiles and commits."""

    def __init__(self, path: Path, plan: Plan, writable: bool = False) -> None:
        self.path = path
        self.plan = plan
        # A chunk of nothing but fill values (a tile of NaN) must be written like any other, and this setting is read
        # when an array is opened.
        with zarr.config.set({"array.write_empty_chunks": True}):
            group = zarr.open_group(path, mode="r+" if writable else "r", zarr_format=3)
            self._arrays: dict[str, Any] = {v.name: group[v.name] for v in plan.variables}

    def write_tile(self, index: int, outputs: Mapping[str, NDArray[Any]]) -> Mapping[str, int]:
        """Write every variable of a tile but `status`, sync the chunks, and return their sizes by path."""
        region = self.plan.region(index)
        written = [v for v in self.plan.variables if v.name != STATUS]
        for variable in written:
            self._arrays[variable.name][self._full(variable, region)] = outputs[variable.name]
        return self._sync(index, written)

    def commit(self, index: int, codes: NDArray[np.uint8]) -> None:
        """Write the status of a tile's points; from here on the tile is done."""
        status = self._status_variable
        self._arrays[STATUS][self.plan.region(index)] = codes
        self._sync(index, [status])

    def status(self) -> NDArray[np.uint8]:
        """The status of every point."""
        return np.asarray(self._arrays[STATUS][...], dtype=np.uint8)

    def read_tile(self, index: int, name: str) -> NDArray[Any]:
        """One variable of a tile."""
        variable = next(v for v in self.plan.variables if v.name == name)
        return np.asarray(self._arrays[name][self._full(variable, self.plan.region(index))])

    def clear(self, index: int) -> None:
        """Take a tile's commit back."""
        region = self.plan.region(index)
        self.commit(index, np.zeros(tuple(s.stop - s.start for s in region), dtype=np.uint8))

    def chunk_file(self, variable: Variable, index: int) -> Path:
        """The file that holds a tile's chunk of a variable."""
        place = [str(int(k)) for k in np.unravel_index(index, self.plan.grid)]
        place += ["0"] * (len(variable.dims) - len(place))
        return self.path / variable.name / "c" / Path(*place)

    def remove_orphans(self) -> int:
        """Remove the temporary files of writers that were killed; returns how many there were."""
        orphans = [p for v in self.plan.variables for p in (self.path / v.name).rglob("*.partial")]
        for path in orphans:
            path.unlink(missing_ok=True)
        return len(orphans)

    @property
    def _status_variable(self) -> Variable:
        return next(v for v in self.plan.variables if v.name == STATUS)

    @staticmethod
    def _full(variable: Variable, region: tuple[slice, ...]) -> tuple[slice, ...]:
        return region + (slice(None),) * (len(variable.dims) - len(region))

    def _sync(self, index: int, variables: list[Variable]) -> Mapping[str, int]:
        sizes = {}
        for variable in variables:
            path = self.chunk_file(variable, index)
            files.sync_file(path)
            files.sync_folder(path.parent)
            sizes[path.relative_to(self.path).as_posix()] = path.stat().st_size
        return sizes


def digest(outputs: Mapping[str, NDArray[Any]]) -> str:
    """Digest of a tile's results, `elapsed_seconds` apart."""
    hasher = hashlib.blake2b(digest_size=16)
    for name in sorted(outputs):
        if name != ELAPSED:
            hasher.update(name.encode())
            hasher.update(np.ascontiguousarray(outputs[name]).tobytes())
    return hasher.hexdigest()


def append_history(path: Path, entry: str) -> None:
    """Add a line to the `history` attribute of a store."""
    group = zarr.open_group(path, mode="r+", zarr_format=3)
    group.attrs["history"] = f"{group.attrs['history']}\n{entry}"
