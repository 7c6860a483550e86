"""What runs on a worker: solve one tile, write its chunks, return a receipt. Only the driver commits."""

from __future__ import annotations

import os
import socket
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers import evaluate
from solvers.fingerprint import sources_of
from solvers.model import Remark
from solvers.registry import module_of
from sweep import provenance
from sweep.folder import RunFolder, plan_of
from sweep.plan import Plan, Tile
from sweep.store import STATUS_OF, Store, digest

_KEPT_CONTEXTS = 4


@dataclass(frozen=True)
class Job:
    """What every task of a run needs to know: the folder, the id of the run in it, and the hash of the model's code."""

    folder: str
    run_id: str
    code: str


@dataclass(frozen=True)
class PointRemark:
    """A remark on one point: its place in the tile (C order), its status in the store, and why."""

    place: int
    status: int
    remark: Remark


@dataclass(frozen=True)
class Receipt:
    """What a worker tells the driver about a tile whose data it has written."""

    tile: int
    codes: bytes
    digest: str
    sizes: dict[str, int]
    seconds: float
    host: str
    pid: int
    cpu: str
    remarks: tuple[PointRemark, ...] = ()

    def statuses(self, shape: Sequence[int]) -> NDArray[np.uint8]:
        """The status of every point of the tile."""
        return np.frombuffer(zlib.decompress(self.codes), dtype=np.uint8).reshape(shape)


@dataclass(frozen=True)
class Part:
    """The results of some points of a tile that is solved in parts; the driver writes the tile from them."""

    lo: int
    hi: int
    outputs: dict[str, NDArray[Any]]
    statuses: NDArray[np.uint8]
    seconds: NDArray[np.float64]
    remarks: tuple[PointRemark, ...] = field(default=())


@dataclass(frozen=True)
class _Context:
    plan: Plan
    store: Store


class CodeMismatch(RuntimeError):
    """A worker has other solver sources than the run."""


_contexts: dict[Job, _Context] = {}


def _context(job: Job) -> _Context:
    """The plan and the open store of a run. Keyed by the run's id too: the same path can be a new store."""
    if job not in _contexts:
        record = RunFolder(Path(job.folder)).record()
        if record["id"] != job.run_id:
            raise RuntimeError(f"{job.folder} on {socket.gethostname()} holds another run than the driver's")
        plan = plan_of(record)
        own = sources_of(module_of(plan.model))
        if own != job.code:
            raise CodeMismatch(
                f"the solver sources of {plan.model.id} on {socket.gethostname()} are not those of the driver; "
                "install the same version of spinsweep on all workers"
            )
        while len(_contexts) >= _KEPT_CONTEXTS:
            _contexts.pop(next(iter(_contexts)))
        _contexts[job] = _Context(plan, Store(RunFolder(Path(job.folder)).data, plan, writable=True))
    return _contexts[job]


def probe(job: Job) -> str:
    """Check that this worker sees the run folder and has the driver's code; returns its host."""
    _context(job)
    return socket.gethostname()


def solve_tile(job: Job, index: int) -> Receipt:
    """Solve a tile and write its chunks."""
    context = _context(job)
    tile = context.plan.at(index)
    part = _solve(context.plan, tile, 0, tile.size)
    return write_parts(context.store, tile, [part])


def solve_part(job: Job, index: int, lo: int, hi: int) -> Part:
    """Solve points `lo` to `hi` of a tile and return them."""
    context = _context(job)
    return _solve(context.plan, context.plan.at(index), lo, hi)


def _solve(plan: Plan, tile: Tile, lo: int, hi: int) -> Part:
    began = time.perf_counter()
    found = evaluate(
        plan.spec.model,
        tile.method,
        points={name: values[lo:hi] for name, values in tile.points.items()},
        parameters=plan.fixed(tile.points),
        keep=plan.spec.keep,
        isolate=True,
    )
    seconds = np.full(hi - lo, (time.perf_counter() - began) / (hi - lo))
    statuses = np.asarray([STATUS_OF[code] for code in (0, 1, 2)], dtype=np.uint8)[found.status]
    remarks = tuple(PointRemark(lo + i, int(statuses[i]), remark) for i, remark in sorted(found.remarks.items()))
    return Part(lo, hi, found.outputs, statuses, seconds, remarks)


def lost_part(plan: Plan, index: int, lo: int, hi: int, remark: Remark) -> Part:
    """The failed part that stands for a point whose worker died."""
    status = STATUS_OF[2]
    statuses = np.full(hi - lo, status, dtype=np.uint8)
    remarks = tuple(PointRemark(place, status, remark) for place in range(lo, hi))
    return Part(lo, hi, {}, statuses, np.full(hi - lo, np.nan), remarks)


def write_parts(store: Store, tile: Tile, parts: Sequence[Part]) -> Receipt:
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
    arrays["elapsed_seconds"] = np.concatenate([part.seconds for part in parts]).reshape(tile.shape)
    sizes = store.write_tile(tile.index, arrays)
    return Receipt(
        tile=tile.index,
        codes=zlib.compress(np.concatenate([part.statuses for part in parts]).tobytes(), 1),
        digest=digest(arrays),
        sizes=sizes,
        seconds=float(np.nansum(arrays["elapsed_seconds"])),
        host=socket.gethostname(),
        pid=os.getpid(),
        cpu=provenance.cpu_model(),
        remarks=tuple(remark for part in parts for remark in part.remarks),
    )
