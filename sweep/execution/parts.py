"""Parts of tiles: solved by workers, and written as a tile once they cover it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.outcome import Remark
from sweep.execution.messages import PointRemark, Receipt
from sweep.folder import provenance
from sweep.folder.codes import POINT_FAILED, packed
from sweep.folder.host import HERE, Host
from sweep.folder.store import Store
from sweep.plan.tiling import Tile
from sweep.plan.variables import ELAPSED


@dataclass(frozen=True)
class Part:
    """The results of points `lo` to `hi` (in C order) of a tile: `seconds` that each took, `before` of them an earlier time."""

    lo: int
    hi: int
    outputs: Mapping[str, NDArray[Any]]
    statuses: NDArray[np.uint8]
    seconds: NDArray[np.float64]
    remarks: tuple[PointRemark, ...] = field(default=())
    before: float = 0.0


def point_remark(place: int, status: int, remark: Remark) -> PointRemark:
    """A solver's remark as the driver is told of it."""
    return PointRemark(place, status, remark.kind, remark.message, remark.traceback)


def lost_part(lo: int, hi: int, remark: Remark) -> Part:
    """The failed part that stands for points whose worker died: no outputs, every point with the same remark."""
    size = hi - lo
    remarks = tuple(point_remark(place, POINT_FAILED, remark) for place in range(lo, hi))
    return Part(lo, hi, {}, np.full(size, POINT_FAILED, dtype=np.uint8), np.full(size, np.nan), remarks)


def write_parts(store: Store, tile: Tile, parts: Sequence[Part], host: Host = HERE) -> Receipt:
    """Write a tile from its parts, which cover it in order; an output that a part does not have is NaN there."""
    arrays: dict[str, NDArray[Any]] = {}
    for variable in store.plan.variables:
        if variable.output is not None:
            own = variable.shape[len(tile.shape) :]
            flat = np.full((tile.size, *own), np.nan, dtype=variable.dtype)
            for part in parts:
                if variable.name in part.outputs:
                    flat[part.lo : part.hi] = part.outputs[variable.name]
            arrays[variable.name] = flat.reshape(tile.shape + own)
    arrays[ELAPSED] = np.concatenate([part.seconds for part in parts]).reshape(tile.shape)
    chunks = store.write_tile(tile.index, arrays)
    return Receipt(
        tile=tile.index,
        codes=packed(np.concatenate([part.statuses for part in parts])),
        chunks=tuple((chunk.size, chunk.digest) for chunk in chunks),
        seconds=float(np.nansum(arrays[ELAPSED])) - sum(part.before for part in parts),
        host=host.name,
        pid=host.pid(),
        cpu=provenance.cpu_model(),
        remarks=tuple(remark for part in parts for remark in part.remarks),
    )
