"""The journal of a run: one line per tile whose chunks are on disk, the last of a tile being the one that counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from sweep.folder import files
from sweep.records import Record


@dataclass(frozen=True)
class JournalEntry(Record):
    """A tile that was written: digest of its values, sizes of its chunk files, and where and when that was."""

    FIX: ClassVar[str] = "remove the line; its tile is then computed again"

    tile: int
    digest: str
    sizes: Mapping[str, int]
    seconds: float = 0.0
    host: str = ""
    pid: int = -1
    cpu: str = ""
    time: str = ""


def append(path: Path, entry: JournalEntry) -> None:
    """Add an entry, synced."""
    files.append_records(path, [entry])


def read(path: Path) -> list[JournalEntry]:
    """All entries in their order."""
    return files.read_records(path, JournalEntry)


def latest(path: Path) -> Mapping[int, JournalEntry]:
    """The entry that counts, by tile."""
    return {entry.tile: entry for entry in read(path)}
