"""A Zarr store of files on a `Disk`: what workers and drivers write through.

Readers use whatever opens Zarr. A file is put in place in one step, so that nobody reads half a chunk.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from zarr.abc.store import ByteRequest, OffsetByteRequest, RangeByteRequest, Store, SuffixByteRequest
from zarr.core.buffer import Buffer, default_buffer_prototype

from sweep.folder import files
from sweep.folder.disk import Disk

if TYPE_CHECKING:
    from zarr.core.buffer import BufferPrototype


@dataclass(frozen=True)
class Written:
    """A file that was written: its size and the digest of its bytes."""

    size: int
    digest: str


def digest_of(data: bytes | memoryview) -> str:
    """Digest of a chunk's file."""
    return hashlib.blake2b(data, digest_size=8).hexdigest()


class ZarrFiles(Store):
    """Files below `root`."""

    supports_writes = True
    supports_deletes = True
    supports_listing = True

    def __init__(self, root: Path, disk: Disk, read_only: bool = False) -> None:
        super().__init__(read_only=read_only)
        self.root = root
        self.disk = disk
        self._folders: set[Path] = set()

    def with_read_only(self, read_only: bool = False) -> ZarrFiles:
        return ZarrFiles(self.root, self.disk, read_only)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ZarrFiles) and (self.root, self.disk) == (other.root, other.disk)

    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        return str(self.root) if "://" in str(self.root) else f"file://{self.root}"

    async def get(
        self, key: str, prototype: BufferPrototype | None = None, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        try:
            if self.disk.safe_when_written:  # far away: other chunks are asked for meanwhile
                data = await asyncio.to_thread(self._read, key, byte_range)
            else:
                data = self._read(key, byte_range)
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return None
        return (prototype or default_buffer_prototype()).buffer.from_bytes(data)

    def _read(self, key: str, byte_range: ByteRequest | None) -> bytes:
        """A file, or the part of it that is asked for."""
        path = self.root / key
        match byte_range:
            case RangeByteRequest(start, end):
                return self.disk.read_part(path, start, end)
            case OffsetByteRequest(offset):
                return self.disk.read(path)[offset:]
            case SuffixByteRequest(suffix):
                return self.disk.tail(path, suffix)
        return self.disk.read(path)

    async def get_partial_values(
        self, prototype: BufferPrototype, key_ranges: Iterable[tuple[str, ByteRequest | None]]
    ) -> list[Buffer | None]:
        return [await self.get(key, prototype, part) for key, part in key_ranges]

    async def exists(self, key: str) -> bool:
        return self.disk.is_file(self.root / key)

    def put(self, key: str, data: bytes) -> Written:
        """Write a file, in one step and not synced.

        One that is there with these very bytes is left alone: a worker that comes late, when another has done its work
        and that is committed, must not put a file that a power cut may still empty in the place of one that is safe.
        """
        self._check_writable()
        path = self.root / key
        if not self.disk.safe_when_written and self._has(path, data):
            return Written(len(data), digest_of(data))
        if path.parent not in self._folders:
            far = self.disk.safe_when_written
            if not far and path.parent != self.root and not self.disk.is_file(self.root / "zarr.json"):
                # The run was moved away: its place stays empty.
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self.root))
            self.disk.make_folder(path.parent)
            self._folders.add(path.parent)
        files.write_bytes(path, data, self.disk, synced=False)
        return Written(len(data), digest_of(data))

    def put_all(self, contents: Mapping[str, bytes]) -> list[Written]:
        """Write several files; one by one, or all at once, as the disk likes it."""
        return self.disk.map(lambda key: self.put(key, contents[key]), contents)

    def _has(self, path: Path, data: bytes) -> bool:
        try:
            return self.disk.read(path) == data
        except (FileNotFoundError, NotADirectoryError):
            return False

    async def set(self, key: str, value: Buffer) -> None:
        self.put(key, value.to_bytes())

    async def set_if_not_exists(self, key: str, value: Buffer) -> None:
        if not await self.exists(key):
            await self.set(key, value)

    async def delete(self, key: str) -> None:
        self._check_writable()
        if await self.exists(key):
            self.disk.remove(self.root / key)

    async def list(self) -> AsyncIterator[str]:
        async for key in self.list_prefix(""):
            yield key

    async def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        for path in self.disk.walk(self.root / prefix):
            if path.suffix != files.PARTIAL:
                yield path.relative_to(self.root).as_posix()

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        try:
            names = self.disk.names(self.root / prefix)
        except (FileNotFoundError, NotADirectoryError):
            return
        for name in names:
            if not name.endswith(files.PARTIAL):
                yield name


def sync_tree(folder: Path, disk: Disk) -> None:
    """Make everything below a folder outlive a power cut."""
    if disk.shared_with(folder):
        disk.sync_all(folder)
        return
    places = {folder}
    for path in disk.walk(folder):
        disk.sync(path)
        places |= {parent for parent in path.parents if parent.is_relative_to(folder)}
    for place in sorted(places):
        disk.sync(place)
