"""The Zarr store of a run: created whole, filled tile by tile, opened by xarray at any moment.

A worker writes the data chunks of its tile; what commits them is the journal. `status` is a view of the journal, which
the driver alone writes, after the data: what is not 0 there has its values.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from sweep.errors import REPAIR, RunError
from sweep.folder import files
from sweep.folder.chunks import decoded, encoded
from sweep.folder.disk import Disk, LocalDisk
from sweep.folder.shards import Shard
from sweep.folder.zarr_files import Written, ZarrFiles
from sweep.plan.tiling import Plan
from sweep.plan.variables import STATUS, Variable

_THIS = LocalDisk()
_OPEN_SHARDS = 64
"""Shards whose indices are held."""


class Store:
    """An open store. `writable` also opens it for tiles and `status`."""

    def __init__(self, path: Path, plan: Plan, writable: bool = False, disk: Disk = _THIS) -> None:
        self.path = path
        self.plan = plan
        self.disk = disk
        self._files = ZarrFiles(path, disk, read_only=not writable)
        self._named: set[Path] = set()
        self._shards: dict[Path, Shard] = {}
        # A chunk of nothing but fill values (a tile of NaN) must be written like any other, and this setting is read
        # when an array is opened.
        with zarr.config.set({"array.write_empty_chunks": True}):
            self._arrays: Mapping[str, Any] = self._opened(writable)

    def _opened(self, writable: bool) -> Mapping[str, Any]:
        """The arrays by name; RunError where their metadata cannot be read, or are of another plan."""
        name = ""
        try:
            group = zarr.open_group(self._files, mode="r+" if writable else "r", zarr_format=3)
            found = {}
            for variable in self.plan.variables:
                name = variable.name
                found[name] = group[name]
        except Exception as error:  # there is no end to what a damaged file can be, and to what it raises
            raise RunError(
                f"the metadata of {self.path / name} cannot be read ({type(error).__name__}: {''.join(str(error).splitlines()[:1])})",
                REPAIR,
            ) from error
        for variable in self.plan.variables:
            array: Any = found[variable.name]
            if not isinstance(array, zarr.Array):
                raise RunError(f"{self.path / variable.name} is no array", REPAIR)
            cut = tuple(array.chunks) if variable.name != STATUS else variable.chunks
            if (tuple(array.shape), cut) != (variable.shape, variable.chunks):
                raise RunError(
                    f"{self.path / variable.name} has shape {tuple(array.shape)} in chunks of {cut}, the run's plan says "
                    f"{variable.shape} in chunks of {variable.chunks}: meta/plan.json, or the store, is another run's or was "
                    "edited; restore it from a copy"
                )
        return found

    def write_tile(self, index: int, outputs: Mapping[str, NDArray[Any]]) -> tuple[Written, ...]:
        """Write every variable of a tile but `status`; returns what the files of the results (`plan.outputs`) are now."""
        contents = {
            self.chunk_key(variable, index): encoded(self._arrays[variable.name], outputs[variable.name])
            for variable in self.plan.variables
            if variable.name != STATUS
        }
        written = dict(zip(contents, self._files.put_all(contents), strict=True))
        return tuple(written[self.chunk_key(variable, index)] for variable in self.plan.outputs)

    def sync_tile(self, index: int) -> None:
        """Make a tile that was written outlive a power cut, for where nobody syncs many at once."""
        for variable in self.plan.variables:
            if variable.name != STATUS:
                path = self.chunk_file(variable, index)
                self.disk.sync(path)
                self.disk.sync(path.parent)
                for folder in path.parents:  # a folder that was made for the chunk has a name in the one above
                    if folder == self.path or folder in self._named:
                        break
                    self.disk.sync(folder.parent)
                    self._named.add(folder)

    def read_tile(self, index: int, name: str) -> NDArray[Any]:
        """One variable of a tile."""
        variable = next(v for v in self.plan.variables if v.name == name)
        return np.asarray(self._arrays[name][self._full(variable, self.plan.region(index))])

    def read_chunk(self, variable: Variable, index: int) -> NDArray[Any]:
        """One variable of a tile, as `read_tile` and some twenty times faster: its file is decoded here.

        At the edge of the grid there may be more values than the tile has. OSError or ValueError where the file is gone or
        damaged.
        """
        array = self._arrays[variable.name]
        whole = not self._per_shard(variable)  # a shard is not read whole for one of its chunks
        values = decoded(array, self.disk.read(self.chunk_file(variable, index))) if whole else None
        return self.read_tile(index, variable.name) if values is None else values

    def read_region(self, name: str, region: tuple[slice, ...]) -> NDArray[Any]:
        """One variable of a part of the grid."""
        return np.asarray(self._arrays[name][region])

    def read_places(self, name: str, places: Sequence[NDArray[np.int64]]) -> NDArray[Any]:
        """One variable at the given places along each dimension of the grid (all combinations of them)."""
        return np.asarray(self._arrays[name].oindex[tuple(places)])

    def put_chunk(self, variable: Variable, index: int, data: bytes) -> None:
        """Write the chunk of a tile as the bytes of its file."""
        self._files.put(self.chunk_key(variable, index), data)

    def chunk_bytes(self, variable: Variable, index: int) -> bytes:
        """The bytes of the chunk of a tile, in a file of its own or in a shard; OSError or ValueError where it has none."""
        per = self._per_shard(variable)
        if not per:
            return self.disk.read(self.chunk_file(variable, index))
        path = self.chunk_file(variable, index)
        if path not in self._shards:
            if len(self._shards) >= _OPEN_SHARDS:
                self._shards.clear()
            self._shards[path] = Shard(path, math.prod(per), self.disk)
        inside = [k % n for k, n in zip(self.plan.place(index), per, strict=True)]
        return self._shards[path].chunk(int(np.ravel_multi_index(inside, per)))

    def shards(self, variable: Variable) -> Iterator[tuple[Path, list[int]]]:
        """The files of the shards of a variable, and the tiles whose chunks each holds in their order, -1 beyond the grid."""
        per, grid = self._per_shard(variable), self.plan.grid
        for shard in np.ndindex(*(math.ceil(size / n) for size, n in zip(grid, per, strict=True))):
            tiles = []
            for inside in np.ndindex(*per):
                place = [s * n + k for s, n, k in zip(shard, per, inside, strict=True)]
                within = all(k < size for k, size in zip(place, grid, strict=True))
                tiles.append(int(np.ravel_multi_index(place, grid)) if within else -1)
            yield self.path / self._key(variable, shard), tiles

    def _per_shard(self, variable: Variable) -> tuple[int, ...]:
        """Tiles of a shard along each axis of the grid; empty where every chunk has a file of its own."""
        shape = self._arrays[variable.name].shards
        return () if shape is None else tuple(s // n for s, n in zip(shape, self.plan.tile, strict=False))

    @property
    def status_chunks(self) -> tuple[int, ...]:
        """The shape of the chunks that `status` is written in."""
        return tuple(int(n) for n in self._arrays[STATUS].chunks)

    def write_status(self, region: tuple[slice, ...], codes: NDArray[np.uint8]) -> None:
        """Write a part of `status`: whole chunks of it."""
        self._arrays[STATUS][region] = codes

    def read_status(self, region: tuple[slice, ...] | None = None) -> NDArray[np.uint8]:
        """A part of `status`, or all of it."""
        return np.asarray(self._arrays[STATUS][... if region is None else region], dtype=np.uint8)

    def chunk_key(self, variable: Variable, index: int) -> str:
        """The file that holds a tile's chunk of a variable, below the store's folder."""
        return Store._key(variable, self.plan.place(index))

    @staticmethod
    def _key(variable: Variable, place: Sequence[int]) -> str:
        return f"{variable.name}/c/{'/'.join(map(str, place))}" + "/0" * (len(variable.dims) - len(place))

    def chunk_file(self, variable: Variable, index: int) -> Path:
        """The file that holds a tile's chunk of a variable, alone or in a shard."""
        per = self._per_shard(variable)
        if not per:
            return self.path / self.chunk_key(variable, index)
        return self.path / self._key(variable, [k // n for k, n in zip(self.plan.place(index), per, strict=True)])

    def remove_orphans(self) -> int:
        """Remove the temporary files of writers that were killed; returns how many there were. A bucket has none."""
        if self.disk.safe_when_written:
            return 0
        orphans = list(self.disk.walk(self.path, files.PARTIAL))
        for path in orphans:
            self.disk.remove(path)
        return len(orphans)

    @staticmethod
    def _full(variable: Variable, region: tuple[slice, ...]) -> tuple[slice, ...]:
        return region + (slice(None),) * (len(variable.dims) - len(region))


def history_of(path: Path, disk: Disk = _THIS) -> str:
    """The `history` attribute of a store."""
    return str(zarr.open_group(ZarrFiles(path, disk), mode="r", zarr_format=3).attrs["history"])


def append_history(path: Path, entry: str, disk: Disk = _THIS, before: str = "") -> None:
    """Add a line to the `history` attribute of a store, or to another store's history, `before`."""
    group = zarr.open_group(ZarrFiles(path, disk), mode="r+", zarr_format=3)
    group.attrs["history"] = f"{before or group.attrs['history']}\n{entry}"
