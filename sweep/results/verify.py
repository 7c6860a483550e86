"""Verify a run: its metadata, every committed chunk against its recorded digest, and a sample of points computed anew.

What is damaged is named, file by file, and the rest is checked all the same; `repair` computes it again.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers import evaluate
from sweep.execution import launch
from sweep.execution.recovery import check_spec
from sweep.execution.result import RunResult
from sweep.folder import codes, files, journal, metadata, old_formats, provenance
from sweep.folder.chunks import check_whole
from sweep.folder.codes import INTERPOLATED, PENDING, POINT_FAILED, codes_of
from sweep.folder.committed import Committed
from sweep.folder.journal import JournalEntry
from sweep.folder.lease import Lease
from sweep.folder.places import in_bucket
from sweep.folder.run_folder import RunFolder
from sweep.folder.run_record import FORMAT, RunRecord
from sweep.folder.shards import check_open
from sweep.folder.store import Store
from sweep.folder.zarr_files import digest_of
from sweep.plan.variables import ELAPSED, Variable
from sweep.quantities import number
from sweep.records import Record

TOLERANCE = 1e-6
"""Relative agreement that is asked for where bits cannot be: another processor or other versions."""
_AT_ONCE = 64
_NOT_ANEW = (PENDING, POINT_FAILED, INTERPOLATED)


@dataclass(frozen=True)
class Verdict(Record):
    """What was checked, what was wrong in words, and the tiles and files that `repair` can make again."""

    tiles: int
    points: int
    bitwise: bool
    problems: tuple[str, ...]
    damaged_tiles: tuple[int, ...] = ()
    damaged_files: tuple[str, ...] = ()

    def text(self) -> str:
        """For reading."""
        how = "bit for bit" if self.bitwise else f"to {TOLERANCE:g} (another processor or other versions wrote the run)"
        tiles = "1 tile agrees with its digest" if self.tiles == 1 else f"{self.tiles:,} tiles agree with their digests"
        anew = f"{number(self.points, 'point')} computed anew {'agrees' if self.points == 1 else 'agree'}"
        return "\n".join(self.problems) or f"{tiles}; {anew} {how}"


def verify(
    folder: RunFolder, sample: int = 100, seed: int = 0, tell: Callable[[int, int], None] = lambda done, of: None
) -> Verdict:
    """Check the metadata, all digests, and `sample` points; `tell` hears how many tiles are done, and of how many."""
    record = folder.record()
    plan = folder.plan(record)
    check_spec(folder, record, plan)
    broken = tuple(metadata.damaged(folder, record, plan)) if record.format == FORMAT else ()
    if broken:  # without them nothing else can be read with certainty
        words = tuple(f"{folder.data / name} is damaged or gone" for name in broken)
        return Verdict(0, 0, False, words, damaged_files=broken)
    store = Store(folder.data, plan, disk=folder.disk)
    entries = journal.latest(folder.journal, folder.disk)
    committed = Committed.read(folder, plan)
    indices = np.flatnonzero(committed.uniform).tolist()
    problems: list[str] = []
    damaged: list[int] = []
    for done in range(0, len(indices), _AT_ONCE):
        tell(done, len(indices))
        group = indices[done : done + _AT_ONCE]
        for index, found in zip(
            group, folder.disk.map(lambda k: list(_damage(store, k, entries[k])), group), strict=True
        ):
            if found:
                problems += [f"tile {index}: {what}" for what in found]
                damaged.append(index)
    tell(len(indices), len(indices))
    bitwise = not record.changes and _same_makers(record, entries)
    points, differing = _sample(store, committed, frozenset(damaged), sample, seed, bitwise)
    return Verdict(len(indices), points, bitwise, (*problems, *differing), tuple(damaged))


def repair(folder: RunFolder, verdict: Verdict, options: launch.Options) -> RunResult | None:
    """Make again what a verdict found damaged: files of metadata from the plan, tiles by computing them.

    Returns how the run ended that computed tiles, None where there were none.
    """
    with Lease(folder.lease, options.break_lease, folder.host):
        record = folder.record()
        if verdict.damaged_tiles:
            check_open(folder, record)
        plan = folder.plan(record)
        wanted = metadata.damaged(folder, record, plan) if verdict.damaged_files else {}
        for name, content in wanted.items():
            path = folder.data / name
            _make_room(path)
            folder.disk.make_folder(path.parent)
            files.write_bytes(path, content, folder.disk)
        if verdict.damaged_tiles:
            store = Store(folder.data, plan, disk=folder.disk)
            for index in verdict.damaged_tiles:
                for variable in plan.variables:
                    _make_room(store.chunk_file(variable, index))
    if verdict.damaged_tiles:
        return launch.resume(folder.path, options, again=verdict.damaged_tiles)
    return None


def _make_room(path: Path) -> None:
    """Remove a folder that is where a file should be."""
    if not in_bucket(path) and path.is_dir():
        shutil.rmtree(path)


def _damage(store: Store, index: int, entry: JournalEntry) -> Iterator[str]:
    """What is wrong with the files of a tile, in words."""
    if entry.digest:  # of formats 1 and 2: of all values together
        yield from _old_damage(store, index, entry)
        return
    for variable, (size, digest) in zip(store.plan.outputs, entry.chunks, strict=True):
        path = store.chunk_file(variable, index)
        try:
            content = store.chunk_bytes(variable, index)
        except FileNotFoundError:
            yield f"its chunk of {variable.name} is gone ({path})"
        except OSError as error:
            yield f"its chunk of {variable.name} cannot be read: {error.strerror} ({path})"
        except ValueError as error:
            yield f"its chunk of {variable.name} cannot be read: {error}"
        else:
            if len(content) != size:
                yield f"its chunk of {variable.name} has {len(content)} of {size} bytes ({path})"
            elif digest_of(content) != digest:
                yield f"its chunk of {variable.name} is not the one that was written, its digest differs ({path})"
    elapsed = next(v for v in store.plan.variables if v.name == ELAPSED)  # no digest is kept of it by itself
    path = store.chunk_file(elapsed, index)
    try:
        check_whole(store.chunk_bytes(elapsed, index), elapsed.chunks, elapsed.dtype)
    except FileNotFoundError:
        yield f"its chunk of {ELAPSED} is gone ({path})"
    except (OSError, ValueError) as error:
        yield f"its chunk of {ELAPSED} is damaged: {error} ({path})"


def _old_damage(store: Store, index: int, entry: JournalEntry) -> Iterator[str]:
    broken = [what for variable in store.plan.outputs for what in _unreadable(store, index, variable)]
    yield from broken
    if not broken:
        found = {v.name: store.read_tile(index, v.name) for v in store.plan.outputs}
        if old_formats.digest(found) != entry.digest:
            yield "its chunks are not those that were written, their digest differs"


def _unreadable(store: Store, index: int, variable: Variable) -> Iterator[str]:
    """That a chunk is gone, or is no chunk."""
    path = store.chunk_file(variable, index)
    if not store.disk.is_file(path):
        yield f"its chunk of {variable.name} is gone ({path})"
        return
    try:
        store.read_tile(index, variable.name)
    except Exception as error:  # a damaged chunk is whatever its decoder makes of it
        yield f"its chunk of {variable.name} cannot be decompressed: {error} ({path})"


def _same_makers(record: RunRecord, entries: Mapping[int, JournalEntry]) -> bool:
    """Whether this machine and these versions are those that wrote the run, so that bits can be compared."""
    here, there = provenance.environment(), record.environment
    same = all(here[name] == there.get(name) for name in (*provenance.PACKAGES, "python"))
    return same and {entry.cpu for entry in entries.values()} <= {provenance.cpu_model()}


def _sample(
    store: Store, committed: Committed, damaged: frozenset[int], sample: int, seed: int, bitwise: bool
) -> tuple[int, list[str]]:
    """How many points of sound tiles were computed anew, and those that differ, in words."""
    plan = store.plan
    sizes = np.zeros(plan.tiles, dtype=np.int64)
    for index in np.flatnonzero(committed.uniform).tolist():
        if index not in damaged:
            counts = codes.counts(committed.text(index), int(plan.sizes[index]))
            sizes[index] = counts.sum() - sum(int(counts[code]) for code in _NOT_ANEW)
    ends = np.cumsum(sizes)
    total = int(ends[-1])
    chosen = np.sort(np.random.default_rng(seed).choice(max(total, 1), size=min(sample, total), replace=False))
    tile_of = np.searchsorted(ends, chosen, side="right")
    compared, problems = 0, []
    for index in np.unique(tile_of).tolist():
        tile = plan.at(index)
        stored = committed.codes(index).ravel()
        good = np.flatnonzero(~np.isin(stored, _NOT_ANEW))
        local = good[chosen[tile_of == index] - (ends[index] - sizes[index])]
        points = {name: values[local] for name, values in tile.points.items()}
        anew = evaluate(
            plan.spec.model, tile.method, points=points, parameters=plan.spec.fixed(points), keep=plan.spec.keep
        )
        now = codes_of(anew.status)
        for k, place in enumerate(local.tolist()):
            compared += 1
            wrong = [] if now[k] == stored[place] else ["status"]
            for name, values in anew.outputs.items():
                before = store.read_tile(index, name).reshape((tile.size, *values.shape[1:]))[place]
                if not _agree(before, values[k], bitwise):
                    wrong.append(name)
            if wrong:
                where = ", ".join(f"{name} = {values[k]}" for name, values in points.items())
                problems.append(f"{tile.method} at {where}: {', '.join(wrong)} computed anew differ")
    return compared, problems


def _agree(one: NDArray[Any], other: NDArray[Any], bitwise: bool) -> bool:
    if bitwise:
        return np.asarray(one).tobytes() == np.asarray(other).tobytes()
    return bool(np.allclose(one, other, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True))
