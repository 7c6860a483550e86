"""`meta/submission.json`: that somebody looks after a run's driver, so that it is started again where it dies.

The file is there from `submit` until the run has ended as its user or its points have it: complete, stopped, aborted. Who
looks after the driver starts none without it.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from sweep.folder import files
from sweep.folder.run_folder import RunFolder
from sweep.records import Record


@dataclass(frozen=True)
class Submission(Record):
    """To which cluster, when (as the submitting host had it), and the key of the task there that looks after the driver;
    a task of another key is an old one."""

    FIX: ClassVar[str] = "remove the file"

    cluster: str
    submitted: str = ""
    watcher: str = ""


def place_of(folder: RunFolder) -> Path:
    """Where the file is."""
    return folder.meta / "submission.json"


def read(folder: RunFolder) -> Submission | None:
    """The submission of a run, if it is one; RunError where the file is malformed."""
    path = place_of(folder)
    try:
        return Submission.from_json(files.read_json(path, folder.disk), path)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None


def write(folder: RunFolder, submission: Submission) -> None:
    """Put a submission in place of what is there."""
    files.write_record(place_of(folder), submission, folder.disk)


def end(folder: RunFolder) -> bool:
    """Nobody is to start a driver any more; returns whether somebody would have."""
    there = folder.disk.is_file(place_of(folder))  # a bucket removes what is not there without a word
    if there:
        with contextlib.suppress(FileNotFoundError):
            folder.disk.remove(place_of(folder))
    return there
