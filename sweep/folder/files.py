"""Small files written whole: beside their place, synced, renamed in; and files that grow by lines."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from sweep.records import Record

R = TypeVar("R", bound=Record)


def write_text(path: Path, text: str) -> None:
    """Replace a file in one step; a crash leaves the old one or the new one."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with open(beside, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(beside, path)
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise
    sync_folder(path.parent)


def write_record(path: Path, record: Record) -> None:
    """Replace a JSON file in one step."""
    write_text(path, json.dumps(record.to_json(), indent=1, allow_nan=True) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def append_records(path: Path, records: Iterable[Record]) -> None:
    """Append records to a file of one JSON value per line, synced.

    Each call is one write; a line that a crash cut off is skipped when reading, and the next append starts anew.
    """
    text = "".join(json.dumps(record.to_json(), allow_nan=True) + "\n" for record in records)
    if not text:
        return
    with open(path, "a+b") as stream:
        if stream.tell():
            stream.seek(-1, os.SEEK_END)
            if stream.read(1) != b"\n":
                text = "\n" + text
        stream.write(text.encode())
        stream.flush()
        os.fsync(stream.fileno())


def read_lines(path: Path) -> Iterator[tuple[int, Any]]:
    """The numbers and values of the lines of a file of one JSON value per line, without any that a crash cut off."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return
    for number, line in enumerate(lines, 1):
        with contextlib.suppress(json.JSONDecodeError):
            yield number, json.loads(line)


def read_records(path: Path, kind: type[R]) -> list[R]:
    """The records of a file of one per line, without any that a crash cut off; RunError names a line that is none."""
    return [kind.from_json(value, f"{path}, line {number}") for number, value in read_lines(path)]


def sync_file(path: Path) -> None:
    """Make a file's content outlive a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_folder(path: Path) -> None:
    """Make a folder's entries outlive a power cut, where the file system can."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return
    try:
        with contextlib.suppress(OSError):
            os.fsync(handle)
    finally:
        os.close(handle)
