"""A file that grows by lines, read as it grows: only what is new, and never much at once."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Protocol

from sweep.folder.disk import Disk
from sweep.folder.places import in_bucket

STEP_BYTES = 1 << 20
"""So much is read in one step."""
BUCKET_SECONDS = 5.0
"""Of a file in a bucket all is fetched again to see the end of it; so often."""


class Tail(Protocol):
    """Follows a file of lines. A line that has no end yet is left for the next time."""

    @property
    def share(self) -> float:
        """How much of the file has been read, 0 to 1."""

    def next(self) -> list[bytes] | None:
        """The next complete lines; empty at the end, None once where another file has come in its place, or less is in it
        than there was: all that was read before is void, and it begins anew."""


def tail_of(path: Path, disk: Disk) -> Tail:
    """Of a file, or of what is one in a bucket."""
    return _BucketTail(path, disk) if in_bucket(path) else _FileTail(path)


class _FileTail:
    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset = 0
        self._size = 0
        self._file: tuple[int, int] | None = None

    @property
    def share(self) -> float:
        return self._offset / self._size if self._size else 1.0

    def next(self) -> list[bytes] | None:
        try:
            with self.path.open("rb") as file:
                found = os.fstat(file.fileno())
                before, self._file, self._size = self._file, (found.st_dev, found.st_ino), found.st_size
                if (before not in (None, self._file)) or found.st_size < self._offset:
                    self._offset = 0
                    return None
                return self._lines(file.fileno())
        except FileNotFoundError:
            if self._offset == 0:
                return []
            self._offset, self._file, self._size = 0, None, 0
            return None

    def _lines(self, descriptor: int) -> list[bytes]:
        step = STEP_BYTES
        while True:
            data = os.pread(descriptor, step, self._offset)
            end = data.rfind(b"\n") + 1
            if end or len(data) < step:
                break
            step *= 2  # a line longer than a step
        self._offset += end
        return data[:end].split(b"\n")[:-1]


class _BucketTail:
    """Only ever grows, by whole lines."""

    def __init__(self, path: Path, disk: Disk) -> None:
        self.path, self._disk = path, disk
        self._offset = 0
        self._looked = -BUCKET_SECONDS

    @property
    def share(self) -> float:
        return 1.0

    def next(self) -> list[bytes] | None:
        if time.monotonic() - self._looked < BUCKET_SECONDS:
            return []
        try:
            data = self._disk.read(self.path)
        except FileNotFoundError:
            data = b""
        self._looked = time.monotonic()
        if len(data) < self._offset:
            self._offset, self._looked = 0, -BUCKET_SECONDS
            return None
        new = data[self._offset :]
        self._offset = len(data)
        return new.split(b"\n")[:-1]
