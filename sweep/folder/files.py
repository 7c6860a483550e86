"""Small files written whole: beside their place, synced, renamed in; and files that grow by lines."""

from __future__ import annotations

import contextlib
import json
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from sweep.folder.disk import Disk, LocalDisk
from sweep.records import Record

R = TypeVar("R", bound=Record)
PARTIAL = ".partial"
"""Ending of the files that a writer makes beside their place; one that is left behind is a killed writer's."""
_THIS = LocalDisk()


def write_bytes(path: Path, data: bytes, disk: Disk = _THIS, synced: bool = True, over: str = "") -> None:
    """Replace a file in one step; a crash leaves the old one or the new one. Without `synced` a power cut may leave less.

    FileExistsError when it has not the version `over` any more, if one is given (see `Disk.rename`).
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}{PARTIAL}")
    try:
        disk.write(beside, data)
        if synced:
            disk.sync(beside)
        disk.rename(beside, path, over)
    except BaseException:
        with contextlib.suppress(OSError):
            disk.remove(beside)
        raise
    if synced:
        disk.sync(path.parent)


def write_text(path: Path, text: str, disk: Disk = _THIS, over: str = "") -> None:
    """Replace a text file in one step."""
    write_bytes(path, text.encode(), disk, over=over)


def write_record(path: Path, record: Record, disk: Disk = _THIS, over: str = "") -> None:
    """Replace a JSON file in one step."""
    write_text(path, json.dumps(record.to_json(), indent=1, allow_nan=True) + "\n", disk, over)


def read_json(path: Path, disk: Disk = _THIS) -> Any:
    """Read a JSON file; ValueError when it is none."""
    try:
        return json.loads(disk.read(path).decode())
    except RecursionError as error:
        raise ValueError("its brackets are nested too deeply") from error


def lines_of(records: Iterable[Record]) -> bytes:
    """Records as lines of JSON."""
    compact = (",", ":")
    return "".join(json.dumps(r.to_json(), allow_nan=True, separators=compact) + "\n" for r in records).encode()


def append_records(path: Path, records: Iterable[Record], disk: Disk = _THIS) -> None:
    """Append records to a file of one JSON value per line, synced.

    Each call is one write and one sync; a line that a crash cut off is skipped when reading, and the next append starts anew.
    """
    text = lines_of(records)
    if not text:
        return
    new = not disk.is_file(path)
    if not new and disk.tail(path, 1) not in (b"", b"\n"):
        text = b"\n" + text
    disk.append(path, text)
    disk.sync(path)
    if new:
        disk.sync(path.parent)


def read_lines(path: Path, disk: Disk = _THIS) -> Iterator[tuple[int, Any]]:
    """The numbers and values of the lines of a file of one JSON value per line, without any that a crash cut off."""
    try:
        lines = disk.read(path).split(b"\n")
    except FileNotFoundError:
        return
    for number, line in enumerate(lines, 1):
        if line:
            with contextlib.suppress(ValueError, RecursionError):
                yield number, json.loads(line)


def read_records(path: Path, kind: type[R], disk: Disk = _THIS) -> list[R]:
    """The records of a file of one per line, without any that a crash cut off; RunError names a line that is none."""
    return [kind.from_json(value, f"{path}, line {number}") for number, value in read_lines(path, disk)]
