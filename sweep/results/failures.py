"""The points of a run that failed or were warned about: grouped by cause, each with the command that repeats it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sweep.folder import point_errors
from sweep.folder.codes import POINT_FAILED, POINT_WARNED
from sweep.folder.committed import Committed
from sweep.folder.point_errors import PointError
from sweep.folder.run_folder import RunFolder
from sweep.folder.run_record import RunRecord
from sweep.plan.tiling import Plan
from sweep.quantities import number
from sweep.records import Json, Record
from sweep.spec.array_files import names_file, stacks
from sweep.spec.sweep_spec import SweepSpec, plain
from sweep.spec.toml_text import short_text

_NUMBER = re.compile(r"[-+]?\d+(\.\d+)?([eE][-+]?\d+)?")


@dataclass(frozen=True)
class Group(Record):
    """Points of one cause: how many, one of them as an example, and the command that repeats it."""

    count: int
    failed: bool
    type: str
    method: str
    message: str
    parameters: Json
    traceback: str
    command: str


def groups(folder: RunFolder) -> list[Group]:
    """The failures and warnings that still stand, by cause: failures first, the largest group first."""
    record = folder.record()
    plan, standing = _standing(folder, record)
    causes: dict[tuple[str, str, str, str], list[PointError]] = {}
    for error in standing:
        # Equal failures have everything in common but the numbers in the message.
        cause = (error.status, error.type, error.method, _NUMBER.sub("#", error.message))
        causes.setdefault(cause, []).append(error)
    found = [_group(folder, record, plan, members) for members in causes.values()]
    return sorted(found, key=lambda group: (not group.failed, -group.count))


def warned(folder: RunFolder) -> int:
    """How many points of a run have a warning; the first few of each kind are recorded."""
    return Committed.read(folder, folder.plan(folder.record())).warned


def _standing(folder: RunFolder, record: RunRecord) -> tuple[Plan, list[PointError]]:
    """The plan, and the recorded points as they are now: one retried with success, or failed again, counts so."""
    plan = folder.plan(record)
    committed = Committed.read(folder, plan)
    latest = point_errors.latest(folder)
    code_of = {point_errors.FAILED: POINT_FAILED, point_errors.WARNED: POINT_WARNED}
    codes = {tile: committed.codes(tile).ravel() for tile in {tile for tile, _ in latest}}
    return plan, [error for (tile, place), error in latest.items() if codes[tile][place] == code_of.get(error.status)]


def _group(folder: RunFolder, record: RunRecord, plan: Plan, members: Sequence[PointError]) -> Group:
    example = members[0]
    places = _places(plan, example)
    numbers = {
        d.name: plain(d.coordinate[place])
        for d, place in zip(plan.spec.dimensions, places, strict=True)
        if any(values.ndim > 1 for values in d.columns.values())
    }
    return Group(
        count=len(members),
        failed=example.status == point_errors.FAILED,
        type=example.type,
        method=example.method,
        message=example.message,
        parameters={**numbers, **example.parameters},
        traceback=example.traceback,
        command=_solve_command(folder, record, plan.spec, example, places),
    )


def _places(plan: Plan, error: PointError) -> tuple[int, ...]:
    """Where in the grid a point is."""
    region = plan.region(error.tile)
    inside = np.unravel_index(error.place, tuple(part.stop - part.start for part in region))
    return tuple(part.start + int(k) for part, k in zip(region, inside, strict=True))


def _solve_command(
    folder: RunFolder, record: RunRecord, spec: SweepSpec, error: PointError, places: tuple[int, ...]
) -> str:
    """The `spinsweep solve` line that repeats a point; arrays that were files are named by the run's copies."""
    files_of = stacks(record.spec)
    values: dict[str, Any] = {**spec.given, **error.parameters}
    for dimension, place in zip(spec.dimensions, places, strict=True):
        for name, column in dimension.columns.items():
            if column.ndim > 1:
                file = files_of.get(name)
                values[name] = column[place] if file is None else folder.meta / f"{file}[{place}]"
    for name, file in record.spec.get("parameters", {}).items():
        if names_file(file) and name not in error.parameters:
            values[name] = folder.meta / file
    words = ["spinsweep", "solve", spec.model, "--method", error.method]
    for name, value in values.items():
        words += ["-p", f"{name}={value if isinstance(value, Path) else short_text(value)}"]
    return shlex.join(words)


def text(found: Sequence[Group], show: int | None = None, warned: int = 0) -> str:
    """The groups for reading, of a run in which so many points have a warning; with `show`, that group's example in full."""
    if not found:
        return "no point failed"
    lines = []
    for ordinal, group in enumerate(found, 1):
        if show not in (None, ordinal):
            continue
        what = "failed" if group.failed else "with a warning"
        lines.append(f"{ordinal}. {number(group.count, 'point')} {what}: {group.type}: {group.message}")
        place = ", ".join(f"{name} = {value}" for name, value in group.parameters.items())
        lines.append(f"   for example at {place or 'the only point'}; again with:")
        lines.append(f"   {group.command}")
        if show is not None and group.traceback:
            lines.append(group.traceback)
    if show is None:
        if warned > sum(group.count for group in found if not group.failed):
            lines.append(f"{number(warned, 'point')} with a warning in all; the first few of each kind are recorded")
        lines.append("one in full: --show NUMBER")
    return "\n".join(lines)
