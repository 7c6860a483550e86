"""The points of a run that failed or were warned about: grouped by cause, each with the command that repeats it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sweep import files
from sweep.array_files import names_file
from sweep.folder import RunFolder
from sweep.spec import plain
from sweep.store import POINT_FAILED, POINT_WARNED, Store
from sweep.toml_text import value_text

_NUMBER = re.compile(r"[-+]?\d+(\.\d+)?([eE][-+]?\d+)?")


@dataclass(frozen=True)
class Failure:
    """One recorded point."""

    failed: bool
    method: str
    parameters: Mapping[str, Any]
    type: str
    message: str
    traceback: str

    @property
    def cause(self) -> tuple[bool, str, str, str]:
        """What equal failures have in common: everything but the numbers in the message."""
        return (not self.failed, self.type, self.method, _NUMBER.sub("#", self.message))


@dataclass(frozen=True)
class Group:
    """Failures of one cause, and an example."""

    count: int
    example: Failure


def recorded(folder: RunFolder) -> list[Failure]:
    """The failures that still stand; a point that was retried with success, or failed again, counts as it is now."""
    plan = folder.plan()
    status = Store(folder.data, plan).status()
    latest: dict[tuple[int, int], dict[str, Any]] = {}
    for record in files.read_lines(folder.errors):
        latest[record["tile"], record["place"]] = record
    found = []
    for (tile, place), record in latest.items():
        code = POINT_FAILED if record["status"] == "failed" else POINT_WARNED
        if np.ravel(status[plan.region(tile)])[place] == code:
            found.append(
                Failure(
                    record["status"] == "failed",
                    record["method"],
                    record["parameters"],
                    record["type"],
                    record["message"],
                    record["traceback"],
                )
            )
    return found


def grouped(failures: list[Failure]) -> list[Group]:
    """Groups of equal causes, failures before warnings, the largest first."""
    groups: dict[tuple[bool, str, str, str], list[Failure]] = {}
    for failure in failures:
        groups.setdefault(failure.cause, []).append(failure)
    found = [Group(len(members), members[0]) for members in groups.values()]
    return sorted(found, key=lambda group: (not group.example.failed, -group.count))


def solve_command(folder: RunFolder, failure: Failure) -> str:
    """The `spinsweep solve` line that repeats a point; arrays that were files are named by the run's copies."""
    record = folder.record()
    spec = folder.plan_of(record).spec
    words = ["spinsweep", "solve", spec.model, "--method", failure.method]
    for name, value in {**spec.given, **failure.parameters}.items():
        own = record["spec"].get("parameters", {}).get(name)
        text = str(folder.meta / own) if names_file(own) else value_text(plain(value))
        words += ["-p", f"{name}={text}"]
    return shlex.join(words)


def facts(folder: RunFolder) -> list[dict[str, Any]]:
    """The groups as plain JSON values."""
    return [
        {
            "count": group.count,
            "failed": group.example.failed,
            "type": group.example.type,
            "method": group.example.method,
            "message": group.example.message,
            "parameters": dict(group.example.parameters),
            "traceback": group.example.traceback,
            "command": solve_command(folder, group.example),
        }
        for group in grouped(recorded(folder))
    ]


def text(found: list[dict[str, Any]], show: int | None = None) -> str:
    """The groups for reading; with `show`, that group's example in full."""
    if not found:
        return "no point failed"
    lines = []
    for number, group in enumerate(found, 1):
        if show not in (None, number):
            continue
        what = "failed" if group["failed"] else "with a warning (not all are recorded)"
        lines.append(f"{number}. {group['count']:,} points {what}: {group['type']}: {group['message']}")
        place = ", ".join(f"{name} = {value}" for name, value in group["parameters"].items())
        lines.append(f"   for example at {place}; again with:")
        lines.append(f"   {group['command']}")
        if show is not None and group["traceback"]:
            lines.append(group["traceback"])
    if show is None:
        lines.append("the traceback of one: --show NUMBER")
    return "\n".join(lines)
