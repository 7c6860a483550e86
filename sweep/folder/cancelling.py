"""Asking a driver to stop: a small file in `meta/` that it looks for, so that it may be on another host."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from sweep.errors import RunError, resume
from sweep.folder import files, provenance, submission
from sweep.folder.lease import holder
from sweep.folder.run_folder import RunFolder
from sweep.records import Record

_NAME = "cancel.json"


@dataclass(frozen=True)
class Wish(Record):
    """To stop: at once (`now`), or when the tiles that run are finished."""

    FIX: ClassVar[str] = "remove the file"

    now: bool = False
    asked: str = ""
    token: str = ""
    """Of the lease of the driver that is to stop; a wish for another one is old."""


def ask(path: Path, now: bool) -> str:
    """Leave the wish, or withdraw a submission; returns a sentence about it. RunError when no driver is at work."""
    folder = RunFolder(path)
    folder.record()
    found = holder(folder.lease, folder.disk)
    if found is None or found.alive(folder.host) is False:
        if submission.end(folder):
            return f"no driver has begun on {path} yet, and none will any more; {resume(path).command}"
        raise RunError(f"no driver is working on {path}", resume(path))
    files.write_record(folder.meta / _NAME, Wish(now, provenance.now(), found.token), folder.disk)
    manner = "drops what runs" if now else "finishes the tiles that run"
    return f"{found} {manner} and stops within seconds; {resume(path).command}"


def asked(folder: RunFolder, token: str = "") -> Wish | None:
    """The wish that was left for the driver whose lease has this token, if any."""
    path = folder.meta / _NAME
    try:
        wish = Wish.from_json(files.read_json(path, folder.disk), path)
    except (OSError, ValueError, RunError):
        return None
    return wish if wish.token == token or not token else None


def forget(folder: RunFolder) -> None:
    """Remove a wish, old or fulfilled."""
    with contextlib.suppress(FileNotFoundError):
        folder.disk.remove(folder.meta / _NAME)
