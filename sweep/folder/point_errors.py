"""`errors.jsonl`: one line per point that failed or was warned about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

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
