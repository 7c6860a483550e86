"""A refined run: rounds of points, each computed where the results of the rounds before change between neighbours, and then
what lies between them.

The rounds follow from what is committed alone (see `plan.refinement`), so a run that was killed goes on with the round that
an undisturbed one would have come to, and has the same points in the end.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from sweep.execution.commits import LARGEST_GROUP, Commits
from sweep.execution.messages import Receipt
from sweep.execution.open_run import OpenRun, TileToDo
from sweep.execution.parts import Part, write_parts
from sweep.execution.progress import Progress
from sweep.execution.recovery import tiles_to_do
from sweep.execution.scheduling import End, Outcome
from sweep.folder import files, journal, provenance
from sweep.folder.codes import COMPUTED, INTERPOLATED, LEFT, PENDING, POINT_FAILED, packed
from sweep.folder.committed import Committed
from sweep.folder.lease import Lease
from sweep.folder.run_folder import RunFolder
from sweep.folder.run_record import RunRecord
from sweep.folder.store import append_history
from sweep.plan.costs import tile_costs
from sweep.plan.refinement import EXPECTED_SHARE, Channel, Lattice
from sweep.plan.tiling import Plan
from sweep.plan.timings import Timings
from sweep.plan.variables import ELAPSED
from sweep.spec.sweep_spec import REFINE, Refinement, SweepSpec, Watched
from sweep.spec.toml_text import spec_text

GROUP_BYTES = 128 << 20
"""Results that are held at once for interpolation."""


class Rounds:
    """The rounds of a run, one after another: each is the tiles that are to be computed now. A run that is not refined has
    one."""

    def __init__(self, run: OpenRun, timings: Timings, retry: bool = False) -> None:
        self._run = run
        self._timings = timings
        self._retry = retry

    def __iter__(self) -> Iterator[list[TileToDo]]:
        if self._run.plan.spec.refine is not None:
            yield from _refining(self._run, self._run.plan.spec.refine, self._timings, self._retry)
        elif tiles := tiles_to_do(self._run.committed, self._timings, self._retry):
            yield tiles

    def seconds(self, tiles: list[TileToDo]) -> float:
        """What a run that begins with these tiles may cost in all, in seconds of one core."""
        seconds = sum(tile.cost for tile in tiles)
        if self._run.plan.spec.refine is None:
            return seconds
        return max(seconds, EXPECTED_SHARE * float(tile_costs(self._run.plan, self._timings).sum()))


def _refining(run: OpenRun, refine: Refinement, timings: Timings, retry: bool) -> Iterator[list[TileToDo]]:
    """The tiles with the points that are needed and not computed, until there are none."""
    lattice = Lattice.of(run.plan.spec)
    seen = _Seen(run, refine, lattice)
    costs = tile_costs(run.plan, timings)
    tiles = np.flatnonzero(run.committed.uniform).tolist()
    while True:
        for tile in tiles:
            seen.read(tile)
        again = seen.codes == POINT_FAILED if retry else np.zeros(run.plan.spec.shape, dtype=bool)
        known = np.isin(seen.codes, COMPUTED) & ~again
        # the range of a result, and with it what change counts, is that over the whole start grid
        needed = lattice.start if (lattice.start & ~known).any() else lattice.needed(seen.channels(known))
        wanted = (needed & ~known) | again
        found = list(_tiles(run, seen.codes, wanted, costs))
        if not found:
            return
        yield found
        tiles, retry = [tile.index for tile in found], False


def _tiles(
    run: OpenRun, codes: NDArray[np.uint8], wanted: NDArray[np.bool_], costs: NDArray[np.float64]
) -> Iterator[TileToDo]:
    """The tiles that have points that are wanted, with what is to become of their points."""
    plan = run.plan
    counts = wanted.astype(np.int64)
    for axis, length in enumerate(plan.tile):
        counts = np.add.reduceat(counts, np.arange(0, counts.shape[axis], length), axis)
    for index in np.flatnonzero(counts).tolist():
        region = plan.region(index)
        now, here = codes[region], wanted[region]
        count = int(here.sum())
        orders = np.where(here, np.uint8(PENDING), np.where(now == PENDING, np.uint8(LEFT), now))
        before = "" if count == here.size else packed(orders)
        cost = float(costs[index]) * count / here.size
        yield TileToDo(index, here.size, here.size - count, cost, before)


class _Seen:
    """The codes of all points of a run, and the results by which it is refined."""

    def __init__(self, run: OpenRun, refine: Refinement, lattice: Lattice) -> None:
        self._run = run
        self._refine = refine
        self._lattice = lattice
        shape = run.plan.spec.shape
        self.codes = np.full(shape, PENDING, dtype=np.uint8)
        variables = {v.name: v for v in run.plan.outputs}
        names = dict.fromkeys(watched.output for watched in refine.watched)
        self._values = {name: np.full(shape, np.nan, dtype=variables[name].dtype) for name in names}

    def read(self, tile: int) -> None:
        """Take in a tile as it is committed now."""
        region = self._run.plan.region(tile)
        self.codes[region] = self._run.committed.codes(tile)
        for name, values in self._values.items():
            values[region] = self._run.store.read_tile(tile, name)

    def channels(self, known: NDArray[np.bool_]) -> Iterator[Channel]:
        """What a cell varies in: the status of its points, and every watched result."""
        yield Channel(np.where(known, self.codes.astype(float), np.nan))
        for watched in self._refine.watched:
            values = self._values[watched.output]
            nothing = np.isnan(values)
            given = known & ~nothing
            if (known & nothing).any():  # whether there is a result is one
                yield Channel(np.where(known, nothing.astype(float), np.nan))
            for part in (values.real, values.imag) if np.iscomplexobj(values) else (values,):
                shown = np.sign(part) if watched.sign else part
                yield Channel(np.where(given, shown, np.nan), self._tolerance(watched, shown, given))

    def _tolerance(self, watched: Watched, values: NDArray[np.float64], given: NDArray[np.bool_]) -> float:
        if watched.tolerance is None:
            return 0.0
        if not watched.tolerance.share:
            return watched.tolerance.value
        start = values[given & self._lattice.start]
        start = start[np.isfinite(start)]
        return watched.tolerance.value * float(np.ptp(start)) if start.size else 0.0


def settle(run: OpenRun, lease: Lease, progress: Progress) -> End:
    """Once a run needs no more points: interpolate the others, or note that they are left, and say how that ended.

    What has been interpolated with these very points already is not committed again.
    """
    refine = run.plan.spec.refine
    between = refine is not None and refine.interpolate and run.committed.computed < run.plan.spec.points
    if between and not _interpolate(run, lease, progress):
        return End(Outcome.ABORTED, lease.why)
    record = run.folder.record()
    left = run.committed.count(PENDING)
    if record.left != left:
        files.write_record(run.folder.plan_file, dataclasses.replace(record, left=left), run.folder.disk)
    return End(Outcome.COMPLETE)


def _interpolate(run: OpenRun, lease: Lease, progress: Progress) -> bool:
    """Whether it was done; not when another driver has taken the run over."""
    shared = bool(run.folder.disk.shared_with(run.folder.data))
    commits = Commits(run, lease, progress, syncs=shared)
    entries = journal.latest(run.folder.journal, run.folder.disk)
    try:
        for done, receipt in enumerate(_interpolated(run), 1):
            entry = entries.get(receipt.tile)
            if entry is None or (entry.codes, entry.chunks) != (receipt.codes, receipt.chunks):
                if not shared:
                    run.store.sync_tile(receipt.tile)
                commits.add(receipt, int(run.plan.sizes[receipt.tile]))
            if done % LARGEST_GROUP == 0:
                commits.commit()
        return commits.finish()
    finally:
        commits.close()


def _interpolated(run: OpenRun) -> Iterator[Receipt]:
    """Write every tile with points that are not computed anew, these interpolated."""
    plan, store = run.plan, run.store
    lattice = Lattice.of(plan.spec)
    coordinates = [d.coordinate for d in plan.spec.dimensions]
    codes = _all_codes(run.committed)
    for tiles in _groups(plan):
        regions = [plan.region(index) for index in tiles]
        if np.isin(codes[_hull(regions)], COMPUTED).all():
            continue
        block = lattice.around(_hull(regions))
        known = np.isin(codes[block], COMPUTED)
        outputs = {}
        for variable in plan.outputs:
            assert variable.output is not None
            values = store.read_region(variable.name, block)
            values[~known] = np.nan
            outputs[variable.name] = lattice.between(values, known, block, coordinates, bool(variable.output.codes))
        elapsed = np.where(known, store.read_region(ELAPSED, block), np.nan)
        statuses = np.where(known, codes[block], np.uint8(INTERPOLATED))
        for index, region in zip(tiles, regions, strict=True):
            inside = tuple(slice(p.start - b.start, p.stop - b.start) for p, b in zip(region, block, strict=True))
            if known[inside].all():
                continue
            size = int(plan.sizes[index])
            own = {name: v[inside].reshape((size, *v.shape[known.ndim :])) for name, v in outputs.items()}
            spent = elapsed[inside].ravel()
            part = Part(0, size, own, statuses[inside].ravel(), spent, before=float(np.nansum(spent)))
            yield write_parts(store, plan.at(index), [part], run.folder.host)


def _groups(plan: Plan) -> Iterator[list[int]]:
    """The tiles in blocks of neighbours, of so many as are held at once."""
    largest = max(1, GROUP_BYTES * plan.spec.points // (plan.bytes * math.prod(plan.tile)))
    length = max(1, int(largest ** (1 / len(plan.grid))))
    for corner in np.ndindex(*(math.ceil(n / length) for n in plan.grid)):
        parts = [range(k * length, min((k + 1) * length, n)) for k, n in zip(corner, plan.grid, strict=True)]
        yield [int(np.ravel_multi_index(place, plan.grid)) for place in itertools.product(*parts)]


def _hull(regions: Sequence[tuple[slice, ...]]) -> tuple[slice, ...]:
    """The part of the grid that regions in a block cover together."""
    return tuple(slice(one.start, other.stop) for one, other in zip(regions[0], regions[-1], strict=True))


def _all_codes(committed: Committed) -> NDArray[np.uint8]:
    codes = np.full(committed.plan.spec.shape, PENDING, dtype=np.uint8)
    for tile in np.flatnonzero(committed.uniform).tolist():
        codes[committed.plan.region(tile)] = committed.codes(tile)
    return codes


def refines_otherwise(record: RunRecord, spec: SweepSpec) -> bool:
    """Whether a run of this very sweep has another `[refine]`, or one of the two has none."""
    return bool(record.spec.get(REFINE, {}) != spec.raw.get(REFINE, {}))


def adopt(folder: RunFolder, spec: SweepSpec, progress: Progress) -> None:
    """Give a run whose lease is held the `[refine]` of another spec of the same sweep: what is computed stays."""
    record = folder.record()
    raw = {key: table for key, table in record.spec.items() if key != REFINE}
    if refine := spec.raw.get(REFINE):
        raw[REFINE] = refine
    words = f"refined to depth {spec.refine.depth}" if spec.refine is not None else "computed at every point"
    text = spec_text(raw)
    files.write_text(folder.spec_file, text, folder.disk)
    files.write_record(folder.plan_file, dataclasses.replace(record, spec=raw, left=0), folder.disk)
    append_history(
        folder.data, f"{provenance.now()} {words} from now on (spinsweep {provenance.version()})", folder.disk
    )
    progress.say(f"this run is {words} from now on; what is computed stays")
