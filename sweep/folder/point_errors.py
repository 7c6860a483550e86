"""`errors.jsonl`: one line per point that failed or was warned about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from sweep.folder import files
from sweep.folder.run_folder import RunFolder
from sweep.records import Json, Record

FAILED, WARNED = "failed", "warned"


@dataclass(frozen=True)
class PointError(Record):
    """A point: its tile, its place in it (C order), what became of it and why; arrays are not among its `parameters`."""

    FIX: ClassVar[str] = "remove the line; only its words are lost"

    tile: int
    place: int
    status: str
    method: str
    parameters: Json
    type: str
    message: str
    traceback: str = ""


def latest(folder: RunFolder) -> Mapping[tuple[int, int], PointError]:
    """The last line of every point, by (tile, place)."""
    return {(e.tile, e.place): e for e in files.read_records(folder.errors, PointError, folder.disk)}
