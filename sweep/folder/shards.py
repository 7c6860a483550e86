"""Shards: files of Zarr's sharding codec that hold the chunks of many tiles, and an index of where each one is.

A chunk in a shard has the very bytes of its own file, so that its digest in the journal holds for both.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from google_crc32c import value as crc32c  # which Zarr needs, and checks indices with
from numpy.typing import NDArray

from sweep.errors import Cure, RunError, program
from sweep.folder.disk import Disk
from sweep.folder.run_folder import RunFolder
from sweep.folder.run_record import RunRecord

SHARDS = 32
"""Files of a variable, where its results are not too many for that."""
LARGEST = 1 << 30
"""Bytes of the chunks of a shard before compression; one chunk may exceed it."""
_NONE = np.iinfo(np.uint64).max
"""Offset and length in an index of a chunk that is not there."""


def check_open(folder: RunFolder, record: RunRecord) -> None:
    """RunError for a run that was finalized: nothing can be added to its shards."""
    if record.shards:
        words = f"`{program()} finalize {folder.path} --undo` takes them apart again"
        raise RunError(
            f"{folder.path} is finalized: its chunks are packed into shards, to which no points can be added",
            Cure(words, words),
        )


def shard_shape(grid: Sequence[int], chunk_bytes: int) -> tuple[int, ...]:
    """Tiles of a shard along each axis of the grid of tiles, whose largest chunk has so many bytes."""
    wanted = min(math.ceil(math.prod(grid) / SHARDS), max(1, LARGEST // max(chunk_bytes, 1)))
    shape = []
    for size in reversed(grid):
        length = max(1, min(size, wanted))
        length = math.ceil(size / math.ceil(size / length))
        shape.append(length)
        wanted //= length
    return tuple(reversed(shape))


def write_shard(path: Path, chunks: Iterable[bytes | None], count: int, disk: Disk) -> int:
    """Write the shard of `count` chunks, None for one that is not there, in the C order of their places; returns how many
    there are. One without any is no file."""
    index = np.full((count, 2), _NONE, dtype="<u8")
    end = None
    offset = 0
    try:
        for place, data in enumerate(chunks):
            if data is not None:
                if end is None:
                    disk.make_folder(path.parent)
                    end = disk.appender(path)
                end.append(data)
                index[place] = offset, len(data)
                offset += len(data)
        if end is None:
            return 0
        words = index.tobytes()
        end.append(words + np.uint32(crc32c(words)).astype("<u4").tobytes())
    finally:
        if end is not None:
            end.close()
    return int(np.count_nonzero(index[:, 0] != _NONE))


class Shard:
    """A shard of `count` chunks. ValueError where its index is damaged."""

    def __init__(self, path: Path, count: int, disk: Disk) -> None:
        self._path = path
        self._disk = disk
        length = 16 * count
        tail = disk.tail(path, length + 4)
        words, check = tail[:length], tail[length:]
        if len(check) != 4 or int.from_bytes(check, "little") != crc32c(words):
            raise ValueError(f"the index of the shard {path} is damaged")
        self._index: NDArray[np.uint64] = np.frombuffer(words, dtype="<u8").reshape(count, 2)

    def chunk(self, place: int) -> bytes:
        """The bytes of a chunk; FileNotFoundError where it has none."""
        offset, length = (int(n) for n in self._index[place])
        if offset == _NONE:
            raise FileNotFoundError(2, "no such chunk", str(self._path))
        return self._disk.read_part(self._path, offset, offset + length)
