"""The journal of a run: one line per tile that is committed, the last of a tile being the one that counts.

A line is the commit of its tile: it is written once the tile's data are safe, and holds the status of every point.
"""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from sweep.errors import RunError
from sweep.folder import files
from sweep.folder.codes import PENDING
from sweep.folder.disk import Disk, LocalDisk
from sweep.records import Record

_THIS = LocalDisk()


@dataclass(frozen=True)
class JournalEntry(Record):
    """A tile: the codes of its points (see `codes.packed`), size and digest of the file of its chunk of each output in
    their order, and where and when they were written. Codes of 0 take an earlier entry back.

    Entries of formats 1 and 2 have no codes, the `sizes` of files by path, and a `digest` of all values.
    """

    FIX: ClassVar[str] = "remove the line; its tile is then computed again"

    tile: int
    codes: str = ""
    chunks: tuple[tuple[int, str], ...] = ()
    seconds: float = 0.0
    host: str = ""
    pid: int = -1
    cpu: str = ""
    time: str = ""
    digest: str = ""
    sizes: Mapping[str, int] = field(default_factory=dict)

    @property
    def taken_back(self) -> bool:
        return self.codes == str(PENDING)


class Writer:
    """The journal as a driver writes it: the file that was there when it began.

    Who takes over from a driver first puts a copy in the journal's place (`fence`). Should the other one wake up then, in the
    middle of a commit even, its lines go into a file that has no name any more: it commits nothing.
    """

    def __init__(self, path: Path, disk: Disk = _THIS) -> None:
        new = not disk.is_file(path)
        self._torn = not new and disk.tail(path, 1) not in (b"", b"\n")
        self._end = disk.appender(path)
        if new:
            disk.sync(path.parent)

    def append(self, entries: Iterable[JournalEntry]) -> bool:
        """Add entries in one write and one sync: from here on their tiles are committed; False when another driver has
        taken over, and they are not."""
        text = files.lines_of(entries)
        self._end.append(b"\n" + text if self._torn else text)
        self._torn = False
        self._end.sync()
        return self._end.named()

    def close(self) -> None:
        self._end.close()


def fence(path: Path, disk: Disk = _THIS) -> None:
    """Put a copy of the journal in its place, so that who has it open writes into nothing; in a bucket, take the next place
    in it, so that they find it taken."""
    if disk.safe_when_written:
        disk.append(path, f"# taken over {secrets.token_hex(8)}\n".encode())  # no line of JSON: passed over
        return
    for name in disk.names(path.parent):  # copies that were not finished
        if name.startswith(f".{path.name}.") and name.endswith(files.PARTIAL):
            disk.remove(path.parent / name)
    if disk.is_file(path):
        files.write_bytes(path, disk.read(path), disk)


def append(path: Path, entries: Iterable[JournalEntry], disk: Disk = _THIS) -> None:
    """Add entries in one write and one sync: from here on their tiles are committed."""
    files.append_records(path, entries, disk)


def take_back(path: Path, tiles: Iterable[int], disk: Disk = _THIS) -> None:
    """Make tiles count as not computed."""
    append(path, [JournalEntry(tile, codes=str(PENDING)) for tile in tiles], disk)


def read(path: Path, disk: Disk = _THIS) -> Iterator[JournalEntry]:
    """All entries in their order; RunError names a line that is none."""
    for number, value in files.read_lines(path, disk):
        if isinstance(value, dict):  # there are few hosts and processors, and perhaps a million lines
            value |= {name: sys.intern(value[name]) for name in ("host", "cpu") if isinstance(value.get(name), str)}
        entry = JournalEntry.from_json(value, f"{path}, line {number}")
        if not entry.codes and not entry.digest:
            raise RunError(f"{path}, line {number}: codes must be a text; given was nothing; {JournalEntry.FIX}")
        yield entry


def latest(path: Path, disk: Disk = _THIS) -> Mapping[int, JournalEntry]:
    """The entry that counts, by tile; tiles that were taken back have none."""
    return counting(read(path, disk))


def counting(entries: Iterable[JournalEntry]) -> Mapping[int, JournalEntry]:
    """Of entries in their order those that count, by tile."""
    found = {entry.tile: entry for entry in entries}
    return {tile: entry for tile, entry in found.items() if not entry.taken_back}
