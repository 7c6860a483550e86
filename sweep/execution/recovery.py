"""Finding out what a run still needs: after drivers and workers that were killed, and after changes of the code."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np

from solvers.fingerprint import code_of, sources_of
from solvers.registry import module_of
from sweep.errors import Cure, RunError, program
from sweep.execution.open_run import OpenRun, TileToDo
from sweep.execution.progress import Progress
from sweep.folder import codes, files, journal, old_formats, provenance
from sweep.folder.codes import INTERPOLATED, PENDING, POINT_FAILED
from sweep.folder.committed import Committed
from sweep.folder.journal import JournalEntry
from sweep.folder.run_folder import RunFolder
from sweep.folder.run_record import RunRecord
from sweep.folder.status_view import StatusView
from sweep.folder.store import Store, append_history
from sweep.folder.zarr_files import digest_of
from sweep.plan.costs import tile_costs
from sweep.plan.tiling import Plan
from sweep.plan.timings import Timings

_CHANGING = (PENDING, POINT_FAILED, INTERPOLATED)
"""Codes of points that may be computed, or interpolated, again."""
_TOLD = 5
"""Tiles to be computed again that are named one by one."""


def recover(
    folder: RunFolder, plan: Plan, progress: Progress, again: Collection[int] = (), fence: bool = False
) -> OpenRun:
    """Open a run whose lease is held, and clean up after drivers and workers that were killed.

    What the journal has counts: a torn last line is dropped, and `status` is made again from it. Temporary files are
    removed, and a tile whose committed chunks are not all there with their size is taken back; so are the tiles `again`.
    `fence` off the driver that had the run before, if it may not know yet that it has lost it.
    """
    if fence:
        journal.fence(folder.journal, folder.disk)
    folder.keep_name()
    store = Store(folder.data, plan, writable=True, disk=folder.disk)
    store.remove_orphans()
    if folder.disk.is_file(folder.journal):  # a driver may have been killed between its write and its sync
        folder.disk.sync(folder.journal)
    found = journal.latest(folder.journal, folder.disk)
    entries = old_formats.completed(store, found)
    journal.append(
        folder.journal, [entries[tile] for tile, entry in found.items() if old_formats.is_old(entry)], folder.disk
    )
    entries = {tile: entry for tile, entry in entries.items() if not entry.taken_back}
    committed = Committed.read(folder, plan, entries)
    lost = _lost(store, committed, entries)
    unfinished = [tile for tile in lost if np.isin(committed.codes(tile), _CHANGING).any()]
    rewritten = (_rewritten(store, tile, entries[tile]) for tile in unfinished)
    kept = [entry for entry in rewritten if entry is not None]
    journal.append(folder.journal, kept, folder.disk)
    for entry in kept:
        del lost[entry.tile]
    for tile, gone in list(lost.items())[:_TOLD]:
        progress.say(f"tile {tile} is computed again: {gone} of its files are missing or damaged")
    if len(lost) > _TOLD:
        progress.say(f"and so are {len(lost) - _TOLD:,} other tiles")
    unwanted = sorted({*lost, *again} & set(entries))
    journal.take_back(folder.journal, unwanted, folder.disk)
    for tile in unwanted:
        committed.put(tile, str(PENDING))
    StatusView(store, committed, folder.host.clock).rebuild()
    return OpenRun(folder, plan, store, committed)


def _lost(store: Store, committed: Committed, entries: Mapping[int, JournalEntry]) -> dict[int, int]:
    """The committed tiles of which files are not there with the size that they had, and of how many.

    What a bucket has taken it has: there, only tiles of which some points may have been computed again are looked at.
    """
    tiles = list(entries)
    if store.disk.safe_when_written:
        tiles = [tile for tile in tiles if np.isin(committed.codes(tile), _CHANGING).any()]
    gone = store.disk.map(lambda tile: _missing(store, tile, entries[tile]), tiles)
    return {tile: count for tile, count in zip(tiles, gone, strict=True) if count}


def _missing(store: Store, tile: int, entry: JournalEntry) -> int:
    """How many of a committed tile's files are not there with the size that they had."""
    files_of_tile = zip(store.plan.outputs, entry.chunks, strict=True)
    return sum(_size(store, store.chunk_file(v, tile)) != size for v, (size, _) in files_of_tile)


def _rewritten(store: Store, tile: int, entry: JournalEntry) -> JournalEntry | None:
    """The entry of a tile of which some points were being computed when the driver was killed: the worker had written
    the file anew, with the points that were committed in it. None when a file cannot be read."""
    chunks = []
    for variable in store.plan.outputs:
        try:
            store.read_tile(tile, variable.name)
            data = store.disk.read(store.chunk_file(variable, tile))
        except Exception:  # a damaged chunk is whatever its decoder makes of it
            return None
        chunks.append((len(data), digest_of(data)))
    return dataclasses.replace(entry, chunks=tuple(chunks))


def _size(store: Store, path: Path) -> int:
    try:
        return store.disk.size(path)
    except OSError:
        return -1


def tiles_to_do(committed: Committed, timings: Timings, retry: bool = False) -> list[TileToDo]:
    """The tiles with points that are not computed, or with `retry` failed, each with its predicted cost."""
    plan = committed.plan
    wanted = (PENDING, INTERPOLATED, POINT_FAILED) if retry else (PENDING, INTERPOLATED)
    todo = np.isin(committed.uniform, wanted)
    done = np.zeros(plan.tiles, dtype=np.int64)
    before: dict[int, str] = {}
    for (
        tile
    ) in committed.mixed:  # of some points one is to be computed, of others not: a retry, or a run that has grown
        found = committed.codes(tile)
        missing = np.isin(found, wanted)
        if missing.any():
            todo[tile] = True
            done[tile] = found.size - int(missing.sum())
            before[tile] = codes.packed(np.where(missing, np.uint8(PENDING), found)) if done[tile] else ""
    costs = tile_costs(plan, timings)
    return [
        TileToDo(tile, int(plan.sizes[tile]), int(done[tile]), float(costs[tile]), before.get(tile, ""))
        for tile in np.flatnonzero(todo).tolist()
    ]


def check_spec(folder: RunFolder, record: RunRecord, plan: Plan) -> None:
    """RunError where the spec in plan.json is not the one that the run was created with: two grids must not mix."""
    if plan.spec.hash() != record.hash:
        raise RunError(
            f"{folder.plan_file} was edited, or this version of {plan.model.id} reads it otherwise: its spec has the hash "
            f"{plan.spec.hash()}, the run was created with {record.hash}; {RunRecord.FIX}"
        )


def say_edited_spec(folder: RunFolder, record: RunRecord, progress: Progress) -> None:
    """Say where meta/spec.toml is no longer the spec of the run: whoever edited it expects that to do something."""
    try:
        same = tomllib.loads(folder.disk.read(folder.spec_file).decode()) == record.spec
    except (OSError, ValueError, RecursionError):
        same = False
    if not same:
        progress.say(
            f"{folder.spec_file} is not the spec of this run any more, and changes nothing: the run is as it was created; "
            f"for other values edit a spec of your own and start it with `{program()} run`, or use `{program()} extend`"
        )


def check_code(folder: RunFolder, record: RunRecord, plan: Plan, accept: bool, progress: Progress) -> str:
    """The hash of the model's code now; refused when it is not the run's, unless the change is accepted.

    Runs of earlier versions hold the hash of the sources' text instead.
    """
    module = module_of(plan.model)
    code = code_of(module)
    if record.code == code or record.code == sources_of(module):
        return code
    if not accept:
        made_by = record.environment.get("spinsweep", "unknown")
        raise RunError(
            f"the code of {plan.model.id} has changed since {folder.path} was started; finish it with the version that "
            f"started it ({made_by})",
            Cure(
                "start anew with another --out, or accept that its points come from two versions: --accept-code-change",
                "start anew with another run(store=...), or accept that its points come from two versions: "
                "run(accept_code_change=True)",
            ),
        )
    entry = f"{provenance.now()} solver code changed, accepted by the user (spinsweep {provenance.version()})"
    append_history(folder.data, entry, folder.disk)
    before = (*record.code_before, record.code)
    files.write_record(folder.plan_file, dataclasses.replace(record, code=code, code_before=before), folder.disk)
    progress.say("the solver code has changed since this run was started; accepted and recorded")
    return code
