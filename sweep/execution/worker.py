"""What runs on a worker: solve one tile, write its chunks, return a receipt. Only the driver commits."""

from __future__ import annotations

import functools
import socket
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from solvers import evaluate
from solvers.fingerprint import code_of
from solvers.registry import module_of
from sweep.execution.messages import CodeMismatch, Job, Receipt
from sweep.execution.parts import Part, point_remark, write_parts
from sweep.folder.run_folder import RunFolder
from sweep.folder.store import PENDING, POINT_FAILED, Store, codes_of
from sweep.plan.tiling import Plan, Tile
from sweep.plan.variables import ELAPSED, STATUS


@dataclass(frozen=True)
class _Context:
    plan: Plan
    store: Store


@functools.lru_cache(maxsize=4)
def _context(job: Job) -> _Context:
    """The plan and the open store of a run. Keyed by the run's id too: the same path can be a new store."""
    folder = RunFolder(Path(job.folder))
    record = folder.record()
    if record.id != job.run_id:
        raise RuntimeError(f"{job.folder} on {socket.gethostname()} holds another run than the driver's")
    plan = folder.plan(record)
    if code_of(module_of(plan.model)) != job.code:
        raise CodeMismatch(
            f"the solver code of {plan.model.id} on {socket.gethostname()} are not those of the driver; "
            "install the same version of spinsweep on all workers"
        )
    return _Context(plan, Store(folder.data, plan, writable=True))


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
    spec, store = context.plan.spec, context.store
    statuses = np.zeros(hi - lo, dtype=np.uint8)
    if retry:
        statuses[:] = store.read_tile(tile.index, STATUS).ravel()[lo:hi]
    todo = np.flatnonzero((statuses == PENDING) | (statuses == POINT_FAILED))
    began = time.perf_counter()
    found = evaluate(
        spec.model,
        tile.method,
        points={name: values[lo:hi][todo] for name, values in tile.points.items()},
        parameters=spec.fixed(tile.points),
        keep=spec.keep,
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
        seconds[kept] = store.read_tile(tile.index, ELAPSED).ravel()[lo:hi][kept]
    statuses[todo] = codes_of(found.status)
    remarks = tuple(
        point_remark(lo + int(todo[i]), int(statuses[todo[i]]), remark) for i, remark in sorted(found.remarks.items())
    )
    return Part(lo, hi, outputs, statuses, seconds, remarks)
