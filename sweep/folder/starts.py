"""`runs/<id>.json`, or a line of `runs.jsonl` in a bucket: how a start of a driver went."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sweep.folder import files
from sweep.folder.run_folder import RunFolder
from sweep.records import Json, Record


@dataclass(frozen=True)
class Start(Record):
    """A start: when, where, with how many threads, and how it ended."""

    began: float
    seconds: float
    cluster: str
    threads: int | None
    tiles_to_do: int
    outcome: str
    reason: str
    done: int
    failed: int
    environment: Mapping[str, str]
    changes: Json = field(default_factory=dict)


def write(folder: RunFolder, start: Start) -> None:
    """Record a start under a name of its own; in a bucket, in a file that grows by one."""
    if folder.in_bucket:
        files.append_records(_lines(folder), [start], folder.disk)
        return
    name = f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime(start.began))}-{secrets.token_hex(3)}.json"
    files.write_record(folder.runs / name, start, folder.disk)


def count(folder: RunFolder) -> int:
    """How many starts are recorded."""
    if folder.in_bucket:
        return sum(1 for _ in files.read_lines(_lines(folder), folder.disk))
    return sum(name.endswith(".json") for name in folder.disk.names(folder.runs)) if folder.runs.is_dir() else 0


def _lines(folder: RunFolder) -> Path:
    return folder.runs.with_suffix(".jsonl")
