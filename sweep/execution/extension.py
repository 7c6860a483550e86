"""Extending a run: the same store with more points, of which only the new ones are computed."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from sweep.errors import OTHER_FOLDER, Cure, RunError, program
from sweep.execution.progress import Progress
from sweep.folder import files, journal, layout, provenance
from sweep.folder.codes import PENDING, packed
from sweep.folder.committed import Committed
from sweep.folder.exchange import exchange
from sweep.folder.journal import JournalEntry
from sweep.folder.point_errors import PointError
from sweep.folder.run_folder import RunFolder
from sweep.folder.status_view import StatusView
from sweep.folder.store import Store, append_history, history_of
from sweep.plan.growth import Growth, compare
from sweep.plan.machine import cores
from sweep.plan.tiling import Plan, tile_shape
from sweep.plan.variables import STATUS
from sweep.spec.array_files import adopted
from sweep.spec.sweep_spec import SweepSpec
from sweep.spec.toml_text import spec_text

_GROUP = 1000
"""Tiles of which the journal is written at once."""


def growth_of(folder: RunFolder, spec: SweepSpec) -> Growth | None:
    """How the run in a folder grows into `spec`; None when it is that very sweep.

    Raises RunError, with every difference, when it is another.
    """
    record = folder.record()
    if record.hash == spec.hash():
        return None
    found = compare(folder.plan(record).spec, spec)
    if isinstance(found, Growth):
        if folder.in_bucket:
            raise RunError(f"{folder.path} is in a bucket, where a run cannot be extended", OTHER_FOLDER)
        return found
    raise RunError(f"{folder.path} holds another sweep ({record.name}): {'; '.join(found)}", _cure(folder, found))


def _cure(folder: RunFolder, differences: list[str]) -> Cure:
    """What to do about a run that is another sweep's; one that has only grown beyond the spec may be gone on with."""
    on = on_python = ""
    if all(" lost " in one for one in differences):
        on = f"go on with the run as it has grown: {program()} resume {folder.path}; or "
        on_python = f"go on with the run as it has grown: `{program()} resume {folder.path}`; or "
    return Cure(
        f"{on}{OTHER_FOLDER.command}, or replace it with --overwrite (it is moved to .trash beside it)",
        f"{on_python}{OTHER_FOLDER.python}, or replace it with run(overwrite=True) (it is moved to .trash beside it)",
    )


def extend(folder: RunFolder, growth: Growth, progress: Progress) -> None:
    """Give a run whose lease is held the points of a grown spec; committed points are taken over with their bits."""
    progress.say(growth.text())
    record = folder.record()
    old = folder.plan(record)
    tile = tuple(min(n, d.size) for n, d in zip(record.tile, growth.new.dimensions, strict=True))
    if growth.new.refine is not None and growth.old.refine is None:  # of another shape, and many more points
        tile = tile_shape(growth.new, record.pilot, cores())
    new = Plan(growth.new, tile)
    entry = f"{provenance.now()} {growth.text()} (spinsweep {provenance.version()})"

    def fill(beside: RunFolder) -> None:
        own = adopted(growth.new.raw, beside.meta)
        text = spec_text(own)
        layout.create(beside.data, new, record.code, text, beside.disk)
        source = Store(folder.data, old, disk=folder.disk)
        target = Store(beside.data, new, writable=True, disk=beside.disk)
        append_history(beside.data, entry, beside.disk, before=history_of(folder.data, folder.disk))
        committed = Committed.read(folder, old)
        _copy(growth, committed, source, target, beside)
        taken = Committed.read(beside, new)
        StatusView(target, taken, beside.host.clock).rebuild()
        errors = files.read_records(folder.errors, PointError, folder.disk)
        files.append_records(beside.errors, _moved(errors, growth, old, new), beside.disk)
        files.write_text(beside.spec_file, text, beside.disk)
        after = dataclasses.replace(
            record, id=secrets.token_hex(8), name=growth.new.name, tile=tile, hash=growth.new.hash(), spec=own, left=0
        )
        files.write_record(beside.plan_file, after, beside.disk)

    exchange(folder, fill)


def _copy(growth: Growth, committed: Committed, source: Store, target: Store, beside: RunFolder) -> None:
    """Write every tile that has points of the old grid, and its line of the journal."""
    waiting: list[JournalEntry] = []
    for index in range(target.plan.tiles):
        region = target.plan.region(index)
        places = [places[part] for places, part in zip(growth.places, region, strict=True)]
        if any((p < 0).all() for p in places):
            continue
        known = [np.flatnonzero(p >= 0) for p in places]
        old = [p[k] for p, k in zip(places, known, strict=True)]
        codes = np.full(target.plan.shape_of(index), PENDING, dtype=np.uint8)
        codes[np.ix_(*known)] = _codes(committed, old)
        if not codes.any():
            continue
        arrays = {}
        for variable in target.plan.variables:
            if variable.name == STATUS:
                continue
            own = variable.shape[len(region) :]
            values = np.full(codes.shape + own, np.nan, dtype=variable.dtype)
            values[np.ix_(*known)] = source.read_places(variable.name, old)
            arrays[variable.name] = values
        chunks = target.write_tile(index, arrays)
        waiting.append(
            JournalEntry(
                tile=index,
                codes=packed(codes),
                chunks=tuple((chunk.size, chunk.digest) for chunk in chunks),
                host=beside.host.name,
                pid=beside.host.pid(),
                cpu=provenance.cpu_model(),
                time=provenance.now(),
            )
        )
        if len(waiting) == _GROUP:
            journal.append(beside.journal, waiting, beside.disk)
            waiting.clear()
    journal.append(beside.journal, waiting, beside.disk)


def _codes(committed: Committed, places: list[NDArray[np.int64]]) -> NDArray[np.uint8]:
    """The codes of the points at these places along each dimension."""
    plan = committed.plan
    found = np.empty(tuple(p.size for p in places), dtype=np.uint8)
    tiles = [np.unique(p // n) for p, n in zip(places, plan.tile, strict=True)]
    for at in np.ndindex(*(t.size for t in tiles)):
        tile = [int(t[k]) for t, k in zip(tiles, at, strict=True)]
        inside = [np.flatnonzero(p // n == k) for p, n, k in zip(places, plan.tile, tile, strict=True)]
        local = [p[i] - k * n for p, i, k, n in zip(places, inside, tile, plan.tile, strict=True)]
        codes = committed.codes(int(np.ravel_multi_index(tile, plan.grid)))
        found[np.ix_(*inside)] = codes[np.ix_(*local)]
    return found


def _moved(errors: list[PointError], growth: Growth, old: Plan, new: Plan) -> Iterator[PointError]:
    """The recorded points, where they are now."""
    forward = growth.forward()
    for error in errors:
        region = old.region(error.tile)
        inside = np.unravel_index(error.place, old.shape_of(error.tile))
        at = [int(f[part.start + int(k)]) for f, part, k in zip(forward, region, inside, strict=True)]
        tile = [k // n for k, n in zip(at, new.tile, strict=True)]
        index = int(np.ravel_multi_index(tile, new.grid))
        local = [k - t * n for k, t, n in zip(at, tile, new.tile, strict=True)]
        place = int(np.ravel_multi_index(local, new.shape_of(index)))
        yield dataclasses.replace(error, tile=index, place=place)
