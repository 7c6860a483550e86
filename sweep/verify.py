"""Verify a run: every committed chunk against its recorded digest, and a random sample of points computed anew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers import evaluate
from sweep import files, provenance
from sweep.folder import RunFolder
from sweep.plan import Plan
from sweep.store import POINT_FAILED, STATUS_OF, Store, digest

TOLERANCE = 1e-6
"""Relative agreement that is asked for where bits cannot be: another processor or other versions."""


@dataclass
class Verdict:
    """What was checked and what was wrong."""

    tiles: int = 0
    points: int = 0
    bitwise: bool = True
    problems: list[str] = field(default_factory=list)

    def text(self) -> str:
        how = "bit for bit" if self.bitwise else f"to {TOLERANCE:g} (another processor or other versions wrote the run)"
        head = f"{self.tiles:,} tiles agree with their digests; {self.points:,} points computed anew agree {how}"
        return "\n".join(self.problems) if self.problems else head


def verify(folder: RunFolder, sample: int = 100, seed: int = 0) -> Verdict:
    """Check all digests and `sample` points."""
    plan = folder.plan()
    store = Store(folder.data, plan)
    status = store.status()
    journal = {entry["tile"]: entry for entry in files.read_lines(folder.journal) if "tile" in entry}
    verdict = Verdict(bitwise=_same_makers(folder, journal))
    for index in range(plan.tiles):
        if not status[plan.region(index)].any():
            continue
        verdict.tiles += 1
        found = {v.name: store.read_tile(index, v.name) for v in plan.variables if v.name != "status"}
        expected = journal.get(index, {}).get("digest")
        if digest(found) != expected:
            verdict.problems.append(f"tile {index}: its chunks are not those that were written (digest differs)")
    _sample(plan, store, status, sample, seed, verdict)
    return verdict


def _same_makers(folder: RunFolder, journal: Mapping[int, Mapping[str, Any]]) -> bool:
    """Whether this machine and these versions are those that wrote the run, so that bits can be compared."""
    here, there = provenance.environment(), folder.record()["environment"]
    same = all(here[name] == there.get(name) for name in (*provenance.PACKAGES, "python"))
    return same and {entry.get("cpu") for entry in journal.values()} <= {provenance.cpu_model()}


def _sample(plan: Plan, store: Store, status: NDArray[np.uint8], sample: int, seed: int, verdict: Verdict) -> None:
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
        anew = evaluate(plan.spec.model, tile.method, points=points, parameters=plan.fixed(points), keep=plan.spec.keep)
        codes = np.asarray([STATUS_OF[c] for c in (0, 1, 2)], dtype=np.uint8)[anew.status]
        stored = store.read_tile(index, "status").ravel()[local]
        for k, place in enumerate(local.tolist()):
            verdict.points += 1
            wrong = [] if codes[k] == stored[k] else ["status"]
            for name, values in anew.outputs.items():
                before = store.read_tile(index, name).reshape((tile.size, *values.shape[1:]))[place]
                if not _agree(before, values[k], verdict.bitwise):
                    wrong.append(name)
            if wrong:
                where = ", ".join(f"{name} = {values[k]}" for name, values in points.items())
                verdict.problems.append(f"{tile.method} at {where}: {', '.join(wrong)} computed anew differ")


def _agree(one: NDArray[Any], other: NDArray[Any], bitwise: bool) -> bool:
    if bitwise:
        return np.asarray(one).tobytes() == np.asarray(other).tobytes()
    return bool(np.allclose(one, other, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True))
