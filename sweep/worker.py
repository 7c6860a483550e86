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
from solvers.outcome import FAILED, OK, WARNED, Remark
from solvers.registry import module_of
from sweep import provenance
from sweep.folder import RunFolder
from sweep.plan import Plan, Tile
from sweep.store import PENDING, POINT_FAILED, STATUS_OF, Store, digest

_KEPT_CONTEXTS = 4


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
        folder = RunFolder(Path(job.folder))
        record = folder.record()
        if record["id"] != job.run_id:
            raise RuntimeError(f"{job.folder} on {socket.gethostname()} holds another run than the driver's")
        plan = folder.plan_of(record)
        own = sources_of(module_of(plan.model))
        if own != job.code:
            raise CodeMismatch(
                f"the solver sources of {plan.model.id} on {socket.gethostname()} are not those of the driver; "
                "install the same version of spinsweep on all workers"
            )
        while len(_contexts) >= _KEPT_CONTEXTS:
            _contexts.pop(next(iter(_contexts)))
        _contexts[job] = _Context(plan, Store(folder.data, plan, writable=True))
    return _contexts[job]


def probe(job: Job) -> str:
    """Check that this worker sees the run folder and has the driver's code; returns its host."""
    _context(job)
    return socket.gethostname()


def solve_tile(job: Job, index: int) -> Receipt:
    """Solve a tile and write its chunks."""
    context = _context(job)
    tile = context.plan.at(index)
    return write_parts(context.store, tile, [_solve(context, tile, 0, tile.size, job.retry)])


def solve_part(job: Job, index: int, lo: int, hi: int) -> Part:
    """Solve points `lo` to `hi` of a tile and return them."""
    context = _context(job)
    return _solve(context, context.plan.at(index), lo, hi, job.retry)


def _solve(context: _Context, tile: Tile, lo: int, hi: int, retry: bool) -> Part:
    plan, store = context.plan, context.store
    statuses = np.zeros(hi - lo, dtype=np.uint8)
    if retry:
        statuses[:] = store.read_tile(tile.index, "status").ravel()[lo:hi]
    todo = np.flatnonzero((statuses == PENDING) | (statuses == POINT_FAILED))
    began = time.perf_counter()
    found = evaluate(
        plan.spec.model,
        tile.method,
        points={name: values[lo:hi][todo] for name, values in tile.points.items()},
        parameters=plan.fixed(tile.points),
        keep=plan.spec.keep,
        isolate=True,
    )
    each = (time.perf_counter() - began) / max(todo.size, 1)
    outputs = found.outputs
    seconds = np.full(hi - lo, each)
    if todo.size < hi - lo:
        kept = np.setdiff1d(np.arange(hi - lo), todo)
        outputs = {}
        for name, values in found.outputs.items():
            own = values.shape[1:]
            outputs[name] = store.read_tile(tile.index, name).reshape((tile.size, *own))[lo:hi]
            outputs[name][todo] = values
        seconds[kept] = store.read_tile(tile.index, "elapsed_seconds").ravel()[lo:hi][kept]
    statuses[todo] = np.asarray([STATUS_OF[code] for code in (OK, WARNED, FAILED)], dtype=np.uint8)[found.status]
    remarks = tuple(
        PointRemark(lo + int(todo[i]), int(statuses[todo[i]]), remark) for i, remark in sorted(found.remarks.items())
    )
    return Part(lo, hi, outputs, statuses, seconds, remarks)


def lost_part(plan: Plan, index: int, lo: int, hi: int, remark: Remark) -> Part:
    """The failed part that stands for a point whose worker died."""
    status = POINT_FAILED
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
