"""The disk that a run lies on: the few operations that runs are kept with, and the disk of this machine.

What is written outlives a process that is killed; it outlives a power cut once it has been synced. Everything that a run
keeps is written through a `Disk`, so that a simulation can put its own in place and try every crash.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import ClassVar, Protocol, TypeVar

T = TypeVar("T")
R = TypeVar("R")

_LOCAL = frozenset(
    [
        "ext2",
        "ext3",
        "ext4",
        "xfs",
        "btrfs",
        "f2fs",
        "zfs",
        "bcachefs",
        "jfs",
        "reiserfs",
        "tmpfs",
        "ramfs",
        "overlay",
        "exfat",
        "vfat",
        "ntfs3",
    ]
)
"""File systems of one machine. On any other a driver cannot sync what a worker elsewhere has written."""
_NUMBERED_ANEW = {"exfat", "vfat"}
"""Of these, those whose files have other numbers each time that they are looked up."""


class Appender(Protocol):
    """The end of one file, whatever is put in its place under its name meanwhile."""

    def append(self, data: bytes) -> None:
        """Add to the end; not synced."""

    def sync(self) -> None:
        """Make the content outlive a power cut."""

    def named(self) -> bool:
        """Whether it is still the file of that name."""

    def close(self) -> None:
        """Let go of the file."""


class Disk(Protocol):
    """Files and folders; errors are those of the operating system (OSError and what is derived from it)."""

    safe_when_written: ClassVar[bool]
    """Whether a file outlives a power cut as soon as its writing has returned: in a bucket."""

    def read(self, path: Path) -> bytes:
        """The content of a file."""

    def read_part(self, path: Path, start: int, end: int) -> bytes:
        """The bytes `start` to `end` of a file."""

    def tail(self, path: Path, count: int) -> bytes:
        """The last bytes of a file."""

    def size(self, path: Path) -> int:
        """The length of a file."""

    def is_file(self, path: Path) -> bool:
        """Whether a file is there."""

    def names(self, folder: Path) -> list[str]:
        """The names in a folder, sorted."""

    def walk(self, folder: Path, ending: str = "") -> Iterator[Path]:
        """All files below a folder whose names end so; none when it is not there."""

    def write(self, path: Path, data: bytes) -> None:
        """Make a file, or replace the content of one; not synced."""

    def append(self, path: Path, data: bytes) -> None:
        """Add to the end of a file, which is made if need be; not synced."""

    def appender(self, path: Path) -> Appender:
        """The end of a file, which is made if need be."""

    def version(self, path: Path) -> str:
        """What is another one whenever a file is replaced; empty where the disk cannot tell, or there is no file."""

    def rename(self, path: Path, to: Path, over: str = "") -> None:
        """Give a file or a folder another name in one step; a file of that name is replaced. FileExistsError when that has
        not the version `over` any more, if one is given."""

    def link(self, path: Path, to: Path) -> None:
        """Give a file a second name in one step; FileExistsError when that is taken."""

    def remove(self, path: Path) -> None:
        """Remove a file; FileNotFoundError where there is none, except in a bucket, which does not say."""

    def remove_tree(self, folder: Path) -> None:
        """Remove a folder and what is in it, as far as it is there and can be."""

    def make_folder(self, folder: Path) -> None:
        """Make a folder and those above it, where they are missing."""

    def sync(self, path: Path) -> None:
        """Make the content of a file, or the names in a folder, outlive a power cut."""

    def sync_all(self, path: Path) -> None:
        """Make everything on the file system that `path` lies on outlive a power cut."""

    def identity(self, folder: Path) -> str:
        """A name of the folder itself, which it keeps when it is moved and a copy does not have; empty where there is none
        that lasts."""

    def shared_with(self, path: Path) -> str:
        """A name of the file system that `path` lies on, equal wherever one `sync_all` reaches the same files; empty
        when it cannot (a network's, an unknown one)."""

    def map(self, do: Callable[[T], R], things: Iterable[T]) -> list[R]:
        """Do something with each of several files; all at once, where every single one is waited for."""


class _LocalAppender:
    """A file that is open for appending; each `append` is one write."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = open(path, "ab", buffering=0)  # noqa: SIM115  (it stays open for the run)

    def append(self, data: bytes) -> None:
        while data:
            data = data[self._file.write(data) :]

    def sync(self) -> None:
        os.fsync(self._file.fileno())

    def named(self) -> bool:
        try:
            return os.path.samestat(os.fstat(self._file.fileno()), os.stat(self._path))
        except FileNotFoundError:
            return False

    def close(self) -> None:
        self._file.close()


class LocalDisk:
    """The disk as this process sees it."""

    safe_when_written: ClassVar[bool] = False

    def read(self, path: Path) -> bytes:
        with open(path, "rb") as stream:
            return stream.read()

    def read_part(self, path: Path, start: int, end: int) -> bytes:
        with open(path, "rb") as stream:
            stream.seek(start)
            return stream.read(end - start)

    def tail(self, path: Path, count: int) -> bytes:
        with open(path, "rb") as stream:
            stream.seek(max(0, stream.seek(0, os.SEEK_END) - count))
            return stream.read()

    def size(self, path: Path) -> int:
        return os.stat(path).st_size

    def is_file(self, path: Path) -> bool:
        return os.path.isfile(path)

    def names(self, folder: Path) -> list[str]:
        return sorted(os.listdir(folder))

    def walk(self, folder: Path, ending: str = "") -> Iterator[Path]:
        for place, _, names in os.walk(folder):
            for name in names:
                if name.endswith(ending):
                    yield Path(place, name)

    def write(self, path: Path, data: bytes) -> None:
        with open(path, "wb") as stream:
            stream.write(data)

    def append(self, path: Path, data: bytes) -> None:
        with open(path, "ab") as stream:
            stream.write(data)

    def appender(self, path: Path) -> Appender:
        return _LocalAppender(path)

    def version(self, path: Path) -> str:
        return ""

    def rename(self, path: Path, to: Path, over: str = "") -> None:
        os.replace(path, to)

    def link(self, path: Path, to: Path) -> None:
        os.link(path, to)

    def remove(self, path: Path) -> None:
        os.unlink(path)

    def remove_tree(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)

    def make_folder(self, folder: Path) -> None:
        os.makedirs(folder, exist_ok=True)

    def sync(self, path: Path) -> None:
        handle = os.open(path, os.O_RDONLY)
        try:
            if os.path.isdir(path):
                with contextlib.suppress(OSError):  # not every file system can sync a folder
                    os.fsync(handle)
            else:
                os.fsync(handle)
        finally:
            os.close(handle)

    def sync_all(self, path: Path) -> None:
        if _syncfs is None:
            os.sync()
            return
        handle = os.open(path, os.O_RDONLY)
        try:
            if _syncfs(handle) != 0:
                code = ctypes.get_errno() or errno.EIO
                raise OSError(code, os.strerror(code), str(path))
        finally:
            os.close(handle)

    def identity(self, folder: Path) -> str:
        try:
            lasts = sys.platform.startswith("linux") and _kind_of(folder) in _LOCAL - _NUMBERED_ANEW
            return str(os.stat(folder).st_ino) if lasts else ""
        except OSError:
            return ""

    def shared_with(self, path: Path) -> str:
        if not sys.platform.startswith("linux"):  # elsewhere a sync of all only asks for one
            return ""
        try:
            boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
            return f"{boot}:{os.stat(path).st_dev}" if _kind_of(path) in _LOCAL else ""
        except OSError:
            return ""

    def map(self, do: Callable[[T], R], things: Iterable[T]) -> list[R]:
        return [do(thing) for thing in things]


def _kind_of(path: Path) -> str:
    """The kind of the file system that a path lies on, as Linux names it."""
    real = os.path.realpath(path)
    longest, kind = -1, ""
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace").splitlines():
        before, _, after = line.partition(" - ")
        mount = before.split()[4].encode().decode("unicode_escape").rstrip("/")  # a blank is written \040
        if len(mount) >= longest and (real == mount or real.startswith(mount + "/")):
            longest, kind = len(mount), after.split()[0]
    return kind


def _find_syncfs() -> ctypes._NamedFuncPointer | None:
    try:
        found = ctypes.CDLL(None, use_errno=True).syncfs
    except (AttributeError, OSError, TypeError):
        return None
    found.argtypes, found.restype = [ctypes.c_int], ctypes.c_int
    return found


_syncfs = _find_syncfs()
