"""A bucket as the disk that a run lies on.

An object is written whole or not at all, and is safe once the store has said so; there is nothing to sync. What a disk
writes beside its place and renames in waits here in memory, and is sent when it is renamed. What grows by lines (`.jsonl`)
is a row of objects (see `segments`).
"""

from __future__ import annotations

import errno
import functools
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar, TypeVar

from sweep.folder.disk import Appender
from sweep.folder.files import PARTIAL
from sweep.folder.objects import Objects
from sweep.folder.places import BucketPath
from sweep.folder.segments import Segments

T = TypeVar("T")
R = TypeVar("R")
_AT_ONCE = 16
"""Requests under way; each waits for the network most of the time."""


class BucketDisk:
    """The objects of a bucket as files; see `Disk`."""

    safe_when_written: ClassVar[bool] = True

    def __init__(self, bucket: str) -> None:
        self.bucket = bucket
        self._objects = Objects(bucket)
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="bucket")
        self._beside: dict[Path, bytes] = {}
        self._ends: dict[str, int] = {}

    def __reduce__(self) -> tuple[Callable[[str], BucketDisk], tuple[str]]:
        return disk_of, (self.bucket,)  # no credentials travel: the other process has its own

    def read(self, path: Path) -> bytes:
        if _grows(path):
            found = self._segments(path).read()
            if not found:
                raise FileNotFoundError(errno.ENOENT, "there is no such object", str(path))
            return b"".join(found)
        return self._objects.get(_key(path))

    def read_part(self, path: Path, start: int, end: int) -> bytes:
        return self._objects.part(_key(path), start, end)

    def tail(self, path: Path, count: int) -> bytes:
        if _grows(path):
            return b"\n"[:count]  # whole lines, always
        return self.read(path)[-count:]

    def size(self, path: Path) -> int:
        return self._objects.size(_key(path))

    def is_file(self, path: Path) -> bool:
        key = _key(path)
        if _grows(path):
            return self._ends.get(key, 0) > 0 or self._segments(path).end() > 0
        try:
            self._objects.size(key)
        except FileNotFoundError:
            return False
        return True

    def names(self, folder: Path) -> list[str]:
        return self._objects.names(_key(folder))

    def walk(self, folder: Path, ending: str = "") -> Iterator[Path]:
        for key in self._objects.below(_key(folder)):
            if key.endswith(ending):
                yield BucketPath("s3:", self.bucket, *key.split("/"))

    def write(self, path: Path, data: bytes) -> None:
        if path.name.endswith(PARTIAL):
            self._beside[path] = data
        else:
            self._objects.put(_key(path), data)

    def append(self, path: Path, data: bytes) -> None:
        key = _key(path)
        self._ends[key] = self._segments(path).append(data, self._ends.get(key, 0))

    def appender(self, path: Path) -> Appender:
        segments = self._segments(path)
        return _End(segments, segments.end(self._ends.get(_key(path), 0)))

    def version(self, path: Path) -> str:
        try:
            return self._objects.version(_key(path))
        except FileNotFoundError:
            return ""

    def rename(self, path: Path, to: Path, over: str = "") -> None:
        data = self._waiting(path)
        if over:
            self._objects.replace(_key(to), data, over)
        else:
            self._objects.put(_key(to), data)
        del self._beside[path]

    def link(self, path: Path, to: Path) -> None:
        self._objects.create(_key(to), self._waiting(path))

    def remove(self, path: Path) -> None:
        if self._beside.pop(path, None) is None:
            self._objects.delete(_key(path))

    def remove_tree(self, folder: Path) -> None:
        self.map(self._objects.delete, list(self._objects.below(_key(folder))))

    def make_folder(self, folder: Path) -> None:
        pass

    def sync(self, path: Path) -> None:
        pass

    def sync_all(self, path: Path) -> None:
        pass

    def identity(self, folder: Path) -> str:
        return ""

    def shared_with(self, path: Path) -> str:
        return "bucket"

    def map(self, do: Callable[[T], R], things: Iterable[T]) -> list[R]:
        return list(self._pool.map(do, things))

    def _waiting(self, path: Path) -> bytes:
        if path not in self._beside:
            raise OSError(errno.ENOTSUP, "an object cannot be given another name", str(path))
        return self._beside[path]

    def _segments(self, path: Path) -> Segments:
        return Segments(self._objects, _key(path), self.map)


class _End:
    """The end of a file that grows, as one writer knows it."""

    def __init__(self, segments: Segments, number: int) -> None:
        self._segments = segments
        self._next = number
        self._taken = False
        self._waiting = b""

    def append(self, data: bytes) -> None:
        self._waiting += data

    def sync(self) -> None:
        data, self._waiting = self._waiting, b""
        if data and not self._taken:
            self._taken = not self._segments.put(self._next, data)
            self._next += 1

    def named(self) -> bool:
        return not self._taken

    def close(self) -> None:
        pass


def disk_of(bucket: str) -> BucketDisk:
    """The disk that a bucket is, by the credentials that the environment has now."""
    return _disk_of(bucket, tuple(sorted(item for item in os.environ.items() if item[0].startswith("AWS_"))))


@functools.lru_cache(maxsize=8)
def _disk_of(bucket: str, environment: tuple[tuple[str, str], ...]) -> BucketDisk:
    return BucketDisk(bucket)


def _key(path: Path) -> str:
    if not isinstance(path, BucketPath):
        raise ValueError(f"{path} is not in a bucket")
    return path.key


def _grows(path: Path) -> bool:
    return path.suffix == ".jsonl"
