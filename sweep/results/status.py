"""How far runs are, as records and as text."""

from __future__ import annotations

import datetime
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sweep.errors import SweepError, resume
from sweep.execution.pace import Pace
from sweep.execution.watching import log_of
from sweep.folder import journal, starts, submission
from sweep.folder.codes import FLAGS, INTERPOLATED, PENDING
from sweep.folder.committed import Committed
from sweep.folder.journal import JournalEntry
from sweep.folder.lease import holder
from sweep.folder.places import in_bucket
from sweep.folder.run_folder import RunFolder
from sweep.folder.run_record import RunRecord
from sweep.plan.costs import tile_costs
from sweep.quantities import duration
from sweep.records import Record

_LATE_ENTRIES = 5000
"""Lines at the end of the journal that a pace is taken from."""


@dataclass(frozen=True)
class DriverStatus(Record):
    """The driver of a run, as its lease has it."""

    host: str
    pid: int
    heartbeat: float
    here: bool = True
    """Whether its process was seen; of a driver on another machine only its heartbeat is known, by a clock of its own."""


@dataclass(frozen=True)
class RunStatus(Record):
    """How far a run is: `counts` of points by status word, `starts` of drivers so far, `core_seconds` of computing;
    `left` are points that a refinement has left pending for good."""

    folder: str
    name: str
    model: str
    points: int
    done: int
    failed: int
    warned: int
    counts: Mapping[str, int]
    tiles: int
    tiles_done: int
    core_seconds: float
    running: bool
    driver: DriverStatus | None
    starts: int
    hash: str
    submitted: str = ""
    """The cluster that looks after the driver, and starts it where none is at work."""
    log: str = ""
    """What a detached driver has said, where there was one."""
    rate: float = 0.0
    """Points per second of late, while a driver is at work; 0 where that cannot be known yet."""
    seconds_left: float | None = None
    """How long it may still take at this pace, the predicted costs of what is left weighed in."""
    left: int = 0
    finalized: bool = False

    @property
    def state(self) -> str:
        """`running`, `submitted` (its driver is to begin, maybe again), `complete` or `stopped`."""
        if self.running:
            return "running"
        if self.done + self.left == self.points:
            return "complete"
        return "submitted" if self.submitted else "stopped"

    def line(self) -> str:
        """How far it is, in a line for who watches."""
        counts = f"{self.done:,}/{self.points:,} points ({100 * self.done / self.points:.0f} %)"
        parts = [counts if self.state != "submitted" else f"{counts}, waiting for a driver at {self.submitted}"]
        if self.rate > 0:
            parts.append(f"{self.rate:,.0f} points/s" if self.rate >= 10 else f"{self.rate:.2g} points/s")
        if self.seconds_left is not None and self.done < self.points:
            parts.append(f"{duration(self.seconds_left)} left")
        parts.append(f"{self.failed:,} failed")
        if self.warned:
            parts.append(f"{self.warned:,} with a warning")
        return ", ".join(parts)

    def text(self) -> str:
        """For reading, with what to type next."""
        state = f"{self.state}, finalized" if self.finalized else self.state
        if state == "stopped":
            state = f"not running; {resume(self.folder).command}"
            state += f"; what its driver has said: {self.log}" if self.log else ""
        elif state == "submitted":
            state = (
                f"submitted to {self.submitted}, whose workers start its driver; where that cluster is gone, "
                f"{resume(self.folder).command}"
            )
        elif self.running and self.driver is not None:
            state = f"running: process {self.driver.pid} on {self.driver.host}, heartbeat "
            if self.driver.here:
                state += f"{duration(time.time() - self.driver.heartbeat)} ago"
            else:
                at = datetime.datetime.fromtimestamp(self.driver.heartbeat, datetime.UTC)
                state += f"at {at:%Y-%m-%d %H:%M:%S} UTC by the clock of that machine"
        share = 100 * self.done / self.points
        interpolated = self.counts.get(FLAGS[INTERPOLATED], 0)
        between = f", {interpolated:,} of them interpolated" if interpolated else ""
        between += f", {self.left:,} left pending by the refinement" if self.left else ""
        return "\n".join(
            [
                f"sweep    {self.name} ({self.model})",
                f"points   {self.done:,} of {self.points:,} done ({share:.0f} %){between}, {self.failed:,} failed, "
                f"{self.warned:,} with a warning",
                f"tiles    {self.tiles_done:,} of {self.tiles:,}, {duration(self.core_seconds)} of computing",
                f"state    {state}",
            ]
        )


def status_of(path: Path) -> RunStatus:
    """How far the run in a folder is."""
    folder = RunFolder(path)
    record = folder.record()
    plan = folder.plan(record)
    entries = list(journal.read(folder.journal, folder.disk))
    committed = Committed.read(folder, plan, journal.counting(entries))
    driver = holder(folder.lease, folder.disk)
    sent = submission.read(folder)
    running = driver is not None and driver.live
    pace = _pace(record, committed, entries, driver.started or 0.0) if driver is not None and running else Pace(0)
    return RunStatus(
        folder=str(path),
        name=plan.spec.name,
        model=plan.spec.model,
        points=plan.spec.points,
        done=committed.done,
        failed=committed.failed,
        warned=committed.warned,
        counts={name: committed.count(code) for code, name in FLAGS.items()},
        tiles=plan.tiles,
        tiles_done=committed.tiles,
        core_seconds=float(sum(entry.seconds for entry in entries)),
        running=running,
        driver=None
        if driver is None
        else DriverStatus(driver.host, driver.pid, driver.heartbeat, driver.alive() is not None),
        starts=starts.count(folder),
        hash=record.hash,
        finalized=bool(record.shards),
        submitted="" if sent is None else sent.cluster,
        log=str(log_of(folder)) if os.path.isfile(log_of(folder)) else "",
        rate=pace.rate,
        seconds_left=None if plan.spec.refine is not None else pace.left(),
        left=record.left if committed.count(PENDING) == record.left else 0,
    )


def _pace(record: RunRecord, committed: Committed, entries: Sequence[JournalEntry], since: float) -> Pace:
    """The pace of the driver that began at `since`, by the times in its journal, which are of its own clock."""
    plan = committed.plan
    costs = tile_costs(plan, record.pilot)
    late = []
    for entry in reversed(entries[-_LATE_ENTRIES:]):
        at = datetime.datetime.fromisoformat(entry.time).timestamp() if entry.time else 0.0
        if at < since:
            break
        if not entry.taken_back:
            late.append((at, int(plan.sizes[entry.tile]), float(costs[entry.tile])))
    todo = committed.uniform == PENDING
    for tile in committed.mixed:
        todo[tile] = bool((committed.codes(tile) == PENDING).any())
    points = committed.count(PENDING) + sum(size for _, size, _ in late)
    pace = Pace(points, float(costs[todo].sum()) + sum(cost for *_, cost in late))
    for mark in reversed(late):
        pace.add(*mark)
    return pace


@dataclass(frozen=True)
class Unreadable(Record):
    """A folder that holds a run which cannot be read, and why."""

    folder: str
    error: str


def runs_in(folder: Path) -> list[RunStatus | Unreadable]:
    """The runs directly below a folder, or the folder itself if it is one; one that cannot be read does not hide the others."""
    whole = RunFolder(folder)
    if whole.exists():
        return [_status_or_why(folder)]
    names = whole.disk.names(folder) if whole.in_bucket or folder.is_dir() else []
    # What begins with a dot is being made, or was thrown away.
    return [_status_or_why(folder / n) for n in names if not n.startswith(".") and RunFolder(folder / n).exists()]


def _status_or_why(place: Path) -> RunStatus | Unreadable:
    try:
        return status_of(place)
    except SweepError as error:
        return Unreadable(str(place), error.on_command_line())
    except OSError as error:
        return Unreadable(str(place), error.strerror or str(error))


def runs_text(found: Sequence[RunStatus | Unreadable], folder: Path) -> str:
    """A line per run."""
    if not found:
        absent = not in_bucket(folder) and not folder.is_dir()
        return f"no runs in {folder}{', which is no folder' if absent else ''}"
    width = max(len(run.folder) for run in found)
    lines = []
    for run in found:
        if isinstance(run, Unreadable):
            lines.append(f"{run.folder:{width}}  cannot be read: {run.error}")
            continue
        failed = f", {run.failed:,} failed" if run.failed else ""
        lines.append(
            f"{run.folder:{width}}  {run.state:8}  {run.done:,}/{run.points:,} points{failed}  {run.model}: {run.name}"
        )
    return "\n".join(lines)
