"""Verify a run: every committed chunk against its recorded digest, and a random sample of points computed anew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers import evaluate
from sweep.folder import journal, old_formats, provenance
from sweep.folder.codes import POINT_FAILED, codes_of
from sweep.folder.committed import Committed
from sweep.folder.journal import JournalEntry
from sweep.folder.run_folder import RunFolder
from sweep.folder.run_record import RunRecord
from sweep.folder.store import Store
from sweep.folder.zarr_files import digest_of
from sweep.records import Record

TOLERANCE = 1e-6
"""Relative agreement that is asked for where bits cannot be: another processor or other versions."""


@dataclass(frozen=True)
class Verdict(Record):
    """What was checked and what was wrong."""

    tiles: int
    points: int
    bitwise: bool
    problems: tuple[str, ...]

    def text(self) -> str:
        """For reading."""
        how = "bit for bit" if self.bitwise else f"to {TOLERANCE:g} (another processor or other versions wrote the run)"
        tiles = "1 tile agrees with its digest" if self.tiles == 1 else f"{self.tiles:,} tiles agree with their digests"
        return "\n".join(self.problems) or f"{tiles}; {self.points:,} points computed anew agree {how}"


def verify(folder: RunFolder, sample: int = 100, seed: int = 0) -> Verdict:
    """Check all digests and `sample` points."""
    record = folder.record()
    plan = folder.plan(record)
    store = Store(folder.data, plan)
    entries = journal.latest(folder.journal)
    committed = Committed.read(folder, plan)
    tiles, problems = 0, []
    for index in np.flatnonzero(committed.uniform).tolist():
        tiles += 1
        problems += _damage(store, index, entries[index])
    bitwise = _same_makers(record, entries)
    points, differing = _sample(store, committed, sample, seed, bitwise)
    return Verdict(tiles, points, bitwise, (*problems, *differing))


def _damage(store: Store, index: int, entry: JournalEntry) -> list[str]:
    """What is wrong with the files of a tile, in words."""
    if entry.digest:
        found = {v.name: store.read_tile(index, v.name) for v in store.plan.outputs}
        good = old_formats.digest(found) == entry.digest
        return [] if good else [f"tile {index}: its chunks are not those that were written (digest differs)"]
    return [
        f"tile {index}: its chunk of {variable.name} is not the one that was written (digest differs)"
        for variable, (_, digest) in zip(store.plan.outputs, entry.chunks, strict=True)
        if digest_of(store.chunk_file(variable, index).read_bytes()) != digest
    ]


def _same_makers(record: RunRecord, entries: Mapping[int, JournalEntry]) -> bool:
    """Whether this machine and these versions are those that wrote the run, so that bits can be compared."""
    here, there = provenance.environment(), record.environment
    same = all(here[name] == there.get(name) for name in (*provenance.PACKAGES, "python"))
    return same and {entry.cpu for entry in entries.values()} <= {provenance.cpu_model()}


def _sample(store: Store, committed: Committed, sample: int, seed: int, bitwise: bool) -> tuple[int, list[str]]:
    """How many points were computed anew, and those that differ, in words."""
    plan = store.plan
    status = store.read_status()
    compared, problems = 0, []
    done = np.flatnonzero((status != 0) & (status != POINT_FAILED))
    chosen = np.random.default_rng(seed).choice(done, size=min(sample, done.size), replace=False)
    places = (
        np.stack(np.unravel_index(chosen, status.shape), axis=1)
        if chosen.size
        else np.zeros((0, status.ndim), dtype=int)
    )
    tile_of = np.ravel_multi_index(tuple((places // np.asarray(plan.tile)).T), plan.grid) if chosen.size else []
    for index in np.unique(tile_of).tolist():
        tile = plan.at(index)
        starts = np.asarray([part.start for part in tile.region])
        local = np.ravel_multi_index(tuple((places[np.asarray(tile_of) == index] - starts).T), tile.shape)
        points = {name: values[local] for name, values in tile.points.items()}
        anew = evaluate(
            plan.spec.model, tile.method, points=points, parameters=plan.spec.fixed(points), keep=plan.spec.keep
        )
        codes = codes_of(anew.status)
        stored = committed.codes(index).ravel()[local]
        for k, place in enumerate(local.tolist()):
            compared += 1
            wrong = [] if codes[k] == stored[k] else ["status"]
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
