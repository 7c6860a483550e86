"""What the driver and the workers tell each other about tiles."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sweep.records import Record


@dataclass(frozen=True)
class Job:
    """What every task of a run needs to know: the folder, the id of the run in it, and the hash of the model's code.

    With `retry`, points that are done are taken from the store and only the others are solved.
    """

    folder: str
    run_id: str
    code: str
    retry: bool = False


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
    """What a worker tells the driver about a tile whose data it has written; `codes` are the statuses, packed."""

    tile: int
    codes: str
    digest: str
    sizes: Mapping[str, int]
    seconds: float
    host: str
    pid: int
    cpu: str
    remarks: tuple[PointRemark, ...] = ()

    def statuses(self, shape: Sequence[int]) -> NDArray[np.uint8]:
        """The status of every point of the tile."""
        return np.frombuffer(zlib.decompress(base64.b64decode(self.codes)), dtype=np.uint8).reshape(shape)


def packed(statuses: NDArray[np.uint8]) -> str:
    """Statuses as a receipt carries them."""
    return base64.b64encode(zlib.compress(statuses.tobytes(), 1)).decode()


class CodeMismatch(RuntimeError):
    """A worker has other solver sources than the run."""
