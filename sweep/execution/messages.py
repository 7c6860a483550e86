"""What the driver and the workers tell each other about tiles."""

from __future__ import annotations

from dataclasses import dataclass

from sweep.folder.codes import POINT_FAILED, POINT_WARNED, counts
from sweep.records import Record


@dataclass(frozen=True)
class Job:
    """What every task of a run needs to know: the folder, the id of the run in it, and the hash of the model's code.

    `synced` names the file system on which the driver makes safe what workers write (see `Disk.shared_with`); a worker
    that is not on it does so itself. `changes` are parameters that only say how to compute, in place of the run's.
    """

    folder: str
    run_id: str
    code: str
    synced: str = ""
    changes: tuple[tuple[str, int | float | str | bool], ...] = ()


@dataclass(frozen=True)
class PointRemark(Record):
    """A remark on one point: its place in the tile (C order), its status in the store, and why."""

    place: int
    status: int
    kind: str
    message: str
    traceback: str = ""


@dataclass(frozen=True)
class Receipt(Record):
    """What a worker tells the driver about a tile whose data it has written: the codes of its points (see
    `codes.packed`), size and digest of the file of each result."""

    tile: int
    codes: str
    chunks: tuple[tuple[int, str], ...]
    seconds: float
    host: str
    pid: int
    cpu: str
    remarks: tuple[PointRemark, ...] = ()

    def failed(self, size: int) -> int:
        """How many points of the tile, which has so many, failed."""
        return int(counts(self.codes, size)[POINT_FAILED])

    def warned(self, size: int) -> int:
        """How many of its points have a warning."""
        return int(counts(self.codes, size)[POINT_WARNED])


class CannotServe(RuntimeError):
    """A worker cannot compute any tile of the run, whichever it is given: it does not see the folder, has other sources."""

    def __init__(self, why: str, worker: str = "") -> None:
        super().__init__(why, worker)
        self.why = why
        self.worker = worker
        """Its address, where it has one."""

    def __str__(self) -> str:
        return self.why
