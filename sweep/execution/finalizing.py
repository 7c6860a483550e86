"""Finalizing a run: its chunks packed into few files, and taken apart again.

Both make the other store beside the one that is there, compare every chunk, and exchange the two in one step that a crash
can only delay (see `folder.exchange`).
"""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sweep.errors import Cure, RunError, resume
from sweep.folder import exchange, files, journal, layout, metadata, provenance
from sweep.folder.chunks import check_whole
from sweep.folder.codes import PENDING
from sweep.folder.committed import Committed
from sweep.folder.journal import JournalEntry
from sweep.folder.lease import Lease
from sweep.folder.run_folder import RunFolder
from sweep.folder.run_record import FORMAT, RunRecord
from sweep.folder.shards import shard_shape, write_shard
from sweep.folder.status_view import StatusView
from sweep.folder.store import Store, append_history, history_of
from sweep.folder.zarr_files import digest_of
from sweep.plan.tiling import Plan
from sweep.plan.variables import ELAPSED, STATUS, Variable, point_bytes
from sweep.spec.toml_text import spec_text


@dataclass(frozen=True)
class Finalized:
    """What was done: files of the store before and after; chunks that were damaged, and are computed by a `resume`."""

    before: int
    after: int
    lost: int = 0
    done: bool = True

    def text(self, folder: Path) -> str:
        """In words."""
        if not self.done:
            return f"nothing to do: {folder} has {self.after:,} files"
        if self.before == self.after and not self.lost:
            return f"{folder}: {self.after:,} files of results, as few as they can be; every chunk has been compared"
        lost = f"; {self.lost:,} damaged chunks are left out: {resume(folder).command}" if self.lost else ""
        return f"{folder}: {self.before:,} files of results are now {self.after:,}, and every chunk has been compared{lost}"


def finalize(folder: RunFolder, break_lease: bool = False) -> Finalized:
    """Pack the chunks of a complete run into shards. RunError where it is not complete or not sound; it then stays as it is."""
    with Lease(folder.lease, break_lease, folder.host):
        exchange.finish(folder)
        record, plan = _looked_at(folder)
        if record.shards:
            return Finalized(_count(folder), _count(folder), done=False)
        committed = Committed.read(folder, plan)
        if committed.count(PENDING) != record.left:
            raise RunError(
                f"{folder.path} has {committed.count(PENDING):,} points that are not computed", resume(folder.path)
            )
        tile_bytes = point_bytes(plan.spec)[0] * int(plan.sizes.max())
        return _exchanged(folder, record, plan, shard_shape(plan.grid, tile_bytes))


def take_apart(folder: RunFolder, break_lease: bool = False) -> Finalized:
    """Give every chunk of a finalized run a file of its own again, so that the run can go on; damaged ones are left out."""
    with Lease(folder.lease, break_lease, folder.host):
        exchange.finish(folder)
        record, plan = _looked_at(folder)
        if not record.shards:
            return Finalized(_count(folder), _count(folder), done=False)
        return _exchanged(folder, record, plan, ())


def _looked_at(folder: RunFolder) -> tuple[RunRecord, Plan]:
    if folder.in_bucket:
        words = "copy it into a folder and finalize that"
        raise RunError(f"{folder.path} is in a bucket, where a run cannot be replaced in one step", Cure(words, words))
    record = folder.record()
    plan = folder.plan(record)
    if record.format != FORMAT:
        raise RunError(f"{folder.path} was made by an older version (format {record.format}) and cannot be finalized")
    broken = metadata.damaged(folder, record, plan)
    if broken:
        raise _damaged(folder, f"{folder.data / next(iter(broken))} is damaged or gone")
    return record, plan


def _damaged(folder: RunFolder, what: str) -> RunError:
    words = f"`spinsweep verify {folder.path} --repair` makes it again"
    return RunError(f"{what}; nothing was changed", Cure(words, words))


def _count(folder: RunFolder) -> int:
    return sum(1 for path in folder.disk.walk(folder.data) if path.name != "zarr.json")


def _exchanged(folder: RunFolder, record: RunRecord, plan: Plan, shards: tuple[int, ...]) -> Finalized:
    """Put a store of the same content in place, in shards of so many tiles, or with a file per chunk."""
    before = _count(folder)
    words = "packed into shards" if shards else "taken apart into chunks"
    entry = f"{provenance.now()} {words} (spinsweep {provenance.version()})"
    lost = 0

    def fill(beside: RunFolder) -> None:
        nonlocal lost
        layout.create(beside.data, plan, record.code, spec_text(record.spec), beside.disk, shards)
        append_history(beside.data, entry, beside.disk, before=history_of(folder.data, folder.disk))
        source = Store(folder.data, plan, disk=folder.disk)
        target = Store(beside.data, plan, writable=True, disk=beside.disk)
        entries = journal.latest(folder.journal, folder.disk)
        for variable in plan.variables:
            if variable.name != STATUS and shards:
                _pack(folder, variable, source, target, entries)
            elif variable.name != STATUS:
                lost += _unpack(variable, source, target, entries)
        StatusView(target, Committed.read(folder, plan), folder.host.clock).rebuild()
        after = dataclasses.replace(record, id=secrets.token_hex(8), shards=shards)
        files.write_record(beside.plan_file, after, beside.disk)

    exchange.exchange(folder, fill)
    return Finalized(before, _count(folder), lost)


def _pack(
    folder: RunFolder, variable: Variable, source: Store, target: Store, entries: Mapping[int, JournalEntry]
) -> None:
    """Write the shards of a variable, and compare each of their chunks with its own file, and one with what Zarr reads."""
    for shard, tiles in target.shards(variable):
        wanted = [tile if tile in entries else None for tile in tiles]  # -1, beyond the grid, has no entry

        def chunks(wanted: list[int | None] = wanted) -> Iterator[bytes | None]:
            for tile in wanted:
                yield None if tile is None else _sound(folder, variable, source, tile, entries[tile])

        if not write_shard(shard, chunks(), len(tiles), target.disk):
            continue
        there = [tile for tile in wanted if tile is not None]
        for tile in there:
            if target.chunk_bytes(variable, tile) != source.chunk_bytes(variable, tile):
                raise _damaged(folder, f"the shard {shard} does not hold what was written into it")
        for tile in (there[0], there[-1]):
            one, other = (store.read_tile(tile, variable.name) for store in (source, target))
            if one.tobytes() != other.tobytes():
                raise _damaged(folder, f"Zarr does not read from the shard {shard} what was written into it")


def _sound(folder: RunFolder, variable: Variable, source: Store, tile: int, entry: JournalEntry) -> bytes:
    """A chunk that is what its digest says, or of a variable without digests, one that can be read."""
    try:
        data = source.chunk_bytes(variable, tile)
        check_whole(data, variable.chunks, variable.dtype)
    except Exception as error:  # a damaged chunk is whatever its decoder makes of it
        raise _damaged(folder, f"the chunk of {variable.name} of tile {tile} cannot be read: {error}") from error
    if not _agrees(source.plan, variable, data, entry):
        raise _damaged(folder, f"the chunk of {variable.name} of tile {tile} is not the one that was written")
    return data


def _unpack(variable: Variable, source: Store, target: Store, entries: Mapping[int, JournalEntry]) -> int:
    """Write the chunks of a variable; returns how many are left out because they are damaged."""
    lost = 0
    for tile, entry in sorted(entries.items()):
        try:
            data = source.chunk_bytes(variable, tile)
        except (OSError, ValueError):
            lost += 1
            continue
        if not _agrees(source.plan, variable, data, entry):
            lost += 1
            continue
        target.put_chunk(variable, tile, data)
    return lost


def _agrees(plan: Plan, variable: Variable, data: bytes, entry: JournalEntry) -> bool:
    if variable.name == ELAPSED:
        return True
    size, digest = entry.chunks[[v.name for v in plan.outputs].index(variable.name)]
    return (len(data), digest_of(data)) == (size, digest)
