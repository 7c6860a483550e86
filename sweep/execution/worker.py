"""What runs on a worker: solve one tile, write its chunks, return a receipt. Only the driver commits."""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from solvers import evaluate
from solvers.fingerprint import code_of
from solvers.registry import module_of
from sweep.errors import RunError
from sweep.execution.messages import CannotServe, Job, Receipt
from sweep.execution.parts import Part, point_remark, write_parts
from sweep.extras import missing
from sweep.folder.codes import LEFT, PENDING, codes_of, unpacked
from sweep.folder.host import HERE, Host
from sweep.folder.places import place
from sweep.folder.run_folder import RunFolder
from sweep.folder.store import Store
from sweep.plan.tiling import Plan, Tile
from sweep.plan.variables import ELAPSED


@dataclass(frozen=True)
class _Context:
    plan: Plan
    store: Store
    host: Host
    changes: Mapping[str, Any]
    syncs: bool
    """Whether a tile is made safe here, and not by the driver for many at once."""


@functools.lru_cache(maxsize=4)
def _context(job: Job, host: Host) -> _Context:
    """The plan and the open store of a run; CannotServe where there are none. Keyed by the run's id too: the same path can
    be a new store."""
    try:
        folder = RunFolder(place(job.folder), host)
        record = folder.record()
        plan = folder.plan(record)
    except RunError as error:
        raise CannotServe(f"on {host.name}: {error.text}", _address()) from error
    except ModuleNotFoundError as error:  # for a bucket
        raise CannotServe(f"on {host.name}: {missing(error)}", _address()) from error
    if record.id != job.run_id:
        raise CannotServe(f"{job.folder} on {host.name} holds another run than the driver's", _address())
    if code_of(module_of(plan.model)) != job.code:
        raise CannotServe(
            f"the solver code of {plan.model.id} on {host.name} is not that of the driver; "
            "install the same version of spinsweep on all workers",
            _address(),
        )
    syncs = not job.synced or folder.disk.shared_with(folder.data) != job.synced
    store = Store(folder.data, plan, writable=True, disk=folder.disk)
    return _Context(plan, store, host, dict(job.changes), syncs)


def _address() -> str:
    """Of the Dask worker that this is; empty where it is none."""
    distributed: Any = sys.modules.get("distributed")
    with contextlib.suppress(ValueError, AttributeError):
        return str(distributed.get_worker().address)
    return ""


def probe(job: Job) -> str:
    """Check that this worker sees the run folder and has the driver's code; returns its host."""
    _context(job, HERE)
    return HERE.name


def solve_tiles(job: Job, tiles: Sequence[tuple[int, str]], host: Host = HERE) -> tuple[Receipt, ...]:
    """Solve tiles and write their chunks.

    `tiles` are (index, packed codes): points whose code is not 0 are taken from the store, but for those that are LEFT.
    """
    context = _context(job, host)
    return tuple(_solve_tile(context, index, before) for index, before in tiles)


def _solve_tile(context: _Context, index: int, before: str) -> Receipt:
    tile = context.plan.at(index)
    receipt = write_parts(context.store, tile, [_solve(context, tile, 0, tile.size, before)], context.host)
    if context.syncs:
        context.store.sync_tile(index)
    return receipt


def solve_part(job: Job, index: int, lo: int, hi: int, before: str = "", host: Host = HERE) -> Part:
    """Solve points `lo` to `hi` of a tile and return them."""
    context = _context(job, host)
    return _solve(context, context.plan.at(index), lo, hi, before)


def _solve(context: _Context, tile: Tile, lo: int, hi: int, before: str) -> Part:
    spec, store, clock = context.plan.spec, context.store, context.host.clock
    statuses = np.zeros(hi - lo, dtype=np.uint8)
    if before:
        statuses[:] = unpacked(before, (tile.size,), orders=True)[lo:hi]
    todo = np.flatnonzero(statuses == PENDING)
    began = clock.monotonic()
    found = evaluate(
        spec.model,
        tile.method,
        points={name: values[lo:hi][todo] for name, values in tile.points.items()},
        parameters={**spec.fixed(tile.points), **context.changes},
        keep=spec.keep,
        isolate=True,
    )
    each = (clock.monotonic() - began) / max(todo.size, 1)
    outputs = found.outputs
    seconds = np.full(hi - lo, each)
    earlier = 0.0
    if todo.size < hi - lo:
        kept = np.flatnonzero((statuses != PENDING) & (statuses != LEFT))
        outputs = {}
        for name, values in found.outputs.items():
            own = values.shape[1:]
            outputs[name] = np.full((hi - lo, *own), np.nan, dtype=values.dtype)
            if kept.size:
                outputs[name][kept] = store.read_tile(tile.index, name).reshape((tile.size, *own))[lo:hi][kept]
            outputs[name][todo] = values
        seconds[statuses == LEFT] = np.nan
        if kept.size:
            seconds[kept] = store.read_tile(tile.index, ELAPSED).ravel()[lo:hi][kept]
            earlier = float(np.nansum(seconds[kept]))
        statuses[statuses == LEFT] = PENDING
    statuses[todo] = codes_of(found.status)
    remarks = tuple(
        point_remark(lo + int(todo[i]), int(statuses[todo[i]]), remark) for i, remark in sorted(found.remarks.items())
    )
    return Part(lo, hi, outputs, statuses, seconds, remarks, earlier)
