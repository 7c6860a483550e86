"""How far runs are, as records and as text."""

from __future__ import annotations

import datetime
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sweep.errors import SweepError, resume
from sweep.folder import journal, starts
from sweep.folder.codes import FLAGS, INTERPOLATED, PENDING
from sweep.folder.committed import Committed
from sweep.folder.lease import holder
from sweep.folder.run_folder import RunFolder
from sweep.quantities import duration
from sweep.records import Record


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
    left: int = 0
    finalized: bool = False

    @property
    def state(self) -> str:
        """`running`, `complete`, `finalized` (complete, and its chunks packed into shards) or `stopped`."""
        if self.running:
            return "running"
        complete = "finalized" if self.finalized else "complete"
        return complete if self.done + self.left == self.points else "stopped"

    def text(self) -> str:
        """For reading, with what to type next."""
        state = self.state
        if state == "stopped":
            state = f"not running; {resume(self.folder).command}"
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
        running=driver is not None and driver.live,
        driver=None
        if driver is None
        else DriverStatus(driver.host, driver.pid, driver.heartbeat, driver.alive() is not None),
        starts=starts.count(folder),
        hash=record.hash,
        finalized=bool(record.shards),
        left=record.left if committed.count(PENDING) == record.left else 0,
    )


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
        return f"no runs in {folder}"
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
