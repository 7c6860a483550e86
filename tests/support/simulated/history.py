"""A history: a run that is started, broken in many ways and resumed until it is complete, all decided by one seed.

The launch, driver, scheduler, worker, store, journal and lease are the real ones; the disk, the clocks and the cluster are
not. What must hold, whatever happens: the arrays have the bits of an undisturbed run, nothing that was committed is computed
again, `status` is what the journal says, no history hangs, and two drivers never both commit.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import io
import json
import random
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from support.simulated.cluster import Cluster
from support.simulated.disk import File, Killed, View
from support.simulated.world import Hang, Process, World
from sweep.errors import RunError, SweepError
from sweep.execution import creation, launch
from sweep.execution.progress import Progress
from sweep.execution.scheduling import Outcome
from sweep.folder import cancelling, codes, files
from sweep.folder.codes import PENDING, POINT_FAILED
from sweep.folder.committed import Committed
from sweep.folder.host import Host
from sweep.folder.journal import latest
from sweep.folder.point_errors import PointError
from sweep.folder.run_folder import RunFolder
from sweep.folder.store import Store
from sweep.folder.zarr_files import digest_of
from sweep.plan.timings import Timings
from sweep.spec.parsing import parse

OUT = Path("/simulated/results/run")
MOST_EPISODES = 12


class Broken(AssertionError):
    """Something that must hold does not."""


@dataclass
class Report:
    """What a history was: how many drivers it took, and what went wrong on purpose."""

    seed: int
    episodes: int = 0
    faults: Counter = field(default_factory=Counter)


@dataclass(frozen=True)
class Sweep:
    """A small sweep: its spec, the poison points, and the seconds that a point is said to take."""

    kind: str
    shape: tuple[int, int]
    tile: tuple[int, int]
    poison: int
    retries: int
    cost: float

    def spec(self):
        a, b = self.shape
        return parse(
            {
                "sweep": {"name": "simulated", "model": "toy.faulty"},
                "parameters": {"kind": self.kind, "at": 1.0},
                "axes": {"a": {"linspace": [0.0, a - 1.0, a]}, "b": {"linspace": [0.0, 1.0, b]}},
                "run": {"tile": {"a": self.tile[0], "b": self.tile[1]}, "retries": self.retries},
            }
        )

    def poisoned(self, plan):
        """The poison points as (tile, place), the same for every history of this sweep."""
        rng = random.Random(7)
        tiles = rng.sample(range(plan.tiles), min(self.poison, plan.tiles))
        return {(tile, rng.randrange(int(plan.sizes[tile]))) for tile in tiles}

    def timings(self):
        return Timings({"only": self.cost})


SWEEPS = [
    Sweep(kind, shape, tile, poison, retries, cost)
    for kind in ("none", "raise", "warn", "nan")
    for shape, tile in (((6, 4), (1, 4)), ((5, 3), (2, 2)), ((4, 2), (4, 2)))
    for poison, retries, cost in ((0, 2, 10.0), (1, 1, 10.0), (0, 2, 1e-4))
]


@functools.cache
def created(sweep):
    """The disk just after the run's creation."""
    world = World(random.Random(1))
    folder = RunFolder(OUT, Process(world).host)
    creation.create(folder, sweep.spec(), sweep.timings(), 2, Progress(io.StringIO()))
    world.disk.root.sync_all()
    return world.disk.root


@functools.cache
def undisturbed(sweep):
    """Chunk files and codes of a quiet run of a sweep."""
    world = World(random.Random(2))
    world.disk.root = copy.deepcopy(created(sweep))
    process = Process(world)
    plan = RunFolder(OUT, process.host).plan()
    cluster = Cluster(world, plan, 2, sweep.poisoned(plan), retries=sweep.retries)
    result = launch.resume(OUT, stream=io.StringIO(), cluster=contextlib.nullcontext(cluster), host=process.host)
    assert result.outcome is Outcome.COMPLETE
    return plan, chunks_of(world, plan), codes_of(world, plan)


def seen(world):
    """The run folder as nobody's process sees it."""
    return RunFolder(OUT, Host(disk=View(world.disk)))


def chunks_of(world, plan):
    """Every file of results by its name."""
    store = Store(OUT / "data.zarr", plan, disk=View(world.disk))
    return {
        store.chunk_key(variable, tile): world.disk.file(store.chunk_file(variable, tile)).data
        for variable in plan.outputs
        for tile in range(plan.tiles)
    }


def codes_of(world, plan):
    committed = Committed.read(seen(world), plan)
    return {tile: committed.text(tile) for tile in range(plan.tiles)}


class History:
    """One seed."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.report = Report(seed)
        self.sweep = self.rng.choice(SWEEPS)
        self.world = World(self.rng, local_disk=self.rng.random() < 0.7)
        self.world.faults = self.report.faults
        self.plan, self.chunks, self.codes = undisturbed(self.sweep)
        self.poison = self.sweep.poisoned(self.plan)
        self.clusters = []
        self.nested = 0
        self.drivers = {}
        self.said = []
        self.damaged = set()
        self.opened = []

    def run(self):
        self.create()
        for _ in range(MOST_EPISODES):
            quiet = self.report.episodes >= self.rng.randint(1, 4)
            if self.episode(quiet):
                break
        else:
            raise Broken(f"not complete after {MOST_EPISODES} drivers")
        self.check_kept(self.committed())
        self.once_more()
        self.check_end()
        return self.report

    def once_more(self):
        """A complete run is left alone by the next driver, which clears up what the last could not."""
        process, cluster = Process(self.world), self.cluster(quiet=True)
        result = self.drive(process, cluster)
        if result is None or result.outcome is not Outcome.COMPLETE or cluster.computed:
            raise Broken("a complete run is not left alone")

    # What is done

    def create(self):
        """Most histories begin with a run that is there; some with the crash of its creation."""
        if self.rng.random() < 0.85:
            self.world.disk.root = copy.deepcopy(created(self.sweep))
            return
        while True:
            process = Process(self.world, plan=self.faults(60, creation=True))
            folder = RunFolder(OUT, process.host)
            try:
                creation.create(folder, self.sweep.spec(), self.sweep.timings(), 2, Progress(io.StringIO()))
            except (Killed, OSError):
                process.kill()
                self.crash()
                if not seen(self.world).exists():
                    continue
            self.crash()
            found = seen(self.world)
            if not found.exists():
                continue  # the power went before its name was safe
            found.plan()
            Store(found.data, self.plan, disk=View(self.world.disk))
            return

    def crash(self):
        """After a process was killed: sometimes it was the whole machine's power."""
        if self.rng.random() < 0.5:
            self.power_cut()

    def power_cut(self):
        self.report.faults["power cut"] += 1
        self.world.disk.root.after_power_cut(self.rng)
        for process in self.world.processes.values():
            process.kill()

    def faults(self, length, creation=False):
        """What goes wrong for a driver, by the number of the change of the disk."""
        plan = {}
        kinds = ["kill"] * 5 + ["EIO", "ENOSPC", "full disk"] + ([] if creation else ["second driver"] * 2)
        for _ in range(self.rng.choice([0, 1, 1, 1, 2, 3])):
            kind = self.rng.choice(kinds)
            plan[self.rng.randint(1, length)] = self.second_driver if kind == "second driver" else kind
        return plan

    def episode(self, quiet):
        """One driver, from its start to its end or its death; True when the run is complete."""
        self.report.episodes += 1
        if not seen(self.world).exists():  # the power went before any driver had made its name safe
            self.check_kept(set())
            self.create()
        before = self.committed()
        self.check_kept(before)
        if not quiet:
            self.damaged |= self.damage(before)
        before -= self.damaged
        process = Process(self.world, self.rng.choice(["one", "one", "two"]), {} if quiet else self.faults(80))
        cluster = self.cluster(quiet)
        if not quiet:
            self.schedule(process)
        result = self.drive(process, cluster)
        computed = {tile for tile, _ in cluster.computed}
        again = computed & before
        if again:
            raise Broken(f"tiles {sorted(again)} were committed and are computed again")
        if result is None and process.dead:
            self.crash()
        if self.rng.random() < 0.5:
            cluster.power_cut()  # its workers end with it; otherwise they finish what they are at, whoever drives by then
        return result is not None and result.outcome is Outcome.COMPLETE

    def cluster(self, quiet):
        chances = {}
        if not quiet:
            names = ("lost worker", "late receipt", "doubled receipt", "disk error of a worker")
            chances = {name: self.rng.choice([0.0, 0.05, 0.2]) for name in names}
        made = Cluster(self.world, self.plan, self.rng.randint(1, 3), self.poison, chances, self.sweep.retries)
        self.clusters.append(made)
        return made

    def drive(self, process, cluster):
        """Resume the run; None when its driver died, was refused or ended in an error it told."""
        self.drivers[process.pid] = process
        process.view.told = functools.partial(self.watched, process)
        said = io.StringIO()
        self.said.append((process.pid, said))
        real = launch.recover

        def recover(*arguments, **options):
            self.opened.append(real(*arguments, **options))
            return self.opened[-1]

        launch.recover = recover
        try:
            return launch.resume(OUT, stream=said, cluster=contextlib.nullcontext(cluster), host=process.host)
        except Killed:
            return None
        except (SweepError, OSError) as error:
            said.write(f"{type(error).__name__}: {error}\n")
            process.kill()
            return None
        finally:
            launch.recover = real
            if not process.dead:
                process.kill()

    def watched(self, process, path, file):
        """A line in the journal is only for who holds the lease."""
        if file is self.world.disk.there(path):
            lease = self.world.disk.there(OUT / "meta" / "lease.json")
            token = json.loads(lease.data)["token"] if isinstance(lease, File) and lease.data else ""
            if not token.startswith(f"token-{process.pid}-"):
                raise Broken(f"process {process.pid} writes to the journal, the lease is that of {token or 'nobody'}")
        else:
            self.report.faults["commit of a driver that has lost the run"] += 1

    def schedule(self, process):
        """What happens to a driver at some time, whatever it does by then."""
        if self.rng.random() < 0.2:
            jump = self.rng.choice([-3600.0, -120.0, 120.0, 3600.0])

            def leap():
                self.report.faults["clock jump"] += 1
                process.clock.wall += jump

            self.world.at(self.rng.uniform(0.0, 40.0), leap)
        if self.rng.random() < 0.15:
            self.world.at(self.rng.uniform(0.0, 40.0), lambda: self.kill_at_any_time(process))
        if self.rng.random() < 0.15:
            self.world.at(self.rng.uniform(0.0, 40.0), lambda: self.cancel(now=self.rng.random() < 0.3))
        if self.rng.random() < 0.15:
            self.world.at(self.rng.uniform(0.0, 60.0), self.second_driver)

    def kill_at_any_time(self, process):
        if not process.dead:
            self.report.faults["kill"] += 1
            process.kill()

    def cancel(self, now):
        with contextlib.suppress(RunError):
            asker = Process(self.world, "three")
            path = OUT
            real = cancelling.RunFolder
            try:
                cancelling.RunFolder = functools.partial(real, host=asker.host)
                cancelling.ask(path, now)
                self.report.faults["cancel"] += 1
            finally:
                cancelling.RunFolder = real

    def second_driver(self):
        """Another driver comes while the first stands still; sometimes its heart has stopped as well, as in a laptop that
        sleeps. Either it is refused, or the first has lost the run."""
        if self.nested:
            return
        self.nested += 1
        self.report.faults["second driver"] += 1
        sleeping = self.rng.random() < 0.4
        first = [p for p in self.drivers.values() if not p.dead]
        for process in first:
            process.frozen = sleeping
        if sleeping:
            self.report.faults["driver that sleeps"] += 1
        plan = self.faults(60, creation=True) if self.rng.random() < 0.3 else {}
        process = Process(self.world, self.rng.choice(["one", "two"]), plan)
        self.drive(process, self.cluster(quiet=self.rng.random() < 0.5))
        for process in first:
            process.frozen = False
        self.nested -= 1

    def damage(self, committed):
        """Files of committed tiles go or are cut; returns those tiles."""
        if self.rng.random() > 0.15 or not committed:
            return set()
        tile = self.rng.choice(sorted(committed))
        store = Store(OUT / "data.zarr", self.plan, disk=View(self.world.disk))
        file = self.world.disk.file(store.chunk_file(self.plan.outputs[0], tile))
        self.report.faults["corrupt chunk"] += 1
        file.data = file.data[: len(file.data) // 2]
        return {tile}

    # What must hold

    def check_kept(self, committed):
        """What a driver has counted as committed is so after its death and that of the whole machine."""
        for opened in self.opened:
            counted = set(np.flatnonzero(opened.committed.uniform).tolist())
            if lost := counted - committed - self.damaged:
                raise Broken(f"tiles {sorted(lost)} were counted as committed and are lost")

    def committed(self):
        """The tiles that the journal has."""
        return set(latest(OUT / "meta" / "journal.jsonl", View(self.world.disk)))

    def check_end(self):
        world, plan = self.world, self.plan
        if codes_of(world, plan) != self.codes:
            raise Broken("statuses in the journal are not those of an undisturbed run")
        found = chunks_of(world, plan)
        for name, data in self.chunks.items():
            if found[name] != data:
                raise Broken(f"{name} has not the bits of an undisturbed run")
        view = View(world.disk)
        for tile, entry in latest(OUT / "meta" / "journal.jsonl", view).items():
            written = [digest_of(found[Store.chunk_key(Named(plan), v, tile)]) for v in plan.outputs]
            if written != [digest for _, digest in entry.chunks]:
                raise Broken(f"tile {tile} has not the digests that the journal has")
        committed = Committed.read(seen(world), plan)
        expected = np.full(plan.spec.shape, PENDING, dtype=np.uint8)
        for tile in range(plan.tiles):
            expected[plan.region(tile)] = committed.codes(tile)
        if not np.array_equal(Store(OUT / "data.zarr", plan, disk=view).read_status(), expected):
            raise Broken("status is not what the journal says")
        if left := list(view.walk(OUT / "data.zarr", files.PARTIAL)):
            raise Broken(f"{left[0]} is left behind")
        if view.is_file(OUT / "meta" / "lease.json"):
            raise Broken("the lease is left behind")
        self.check_errors(committed)

    def check_errors(self, committed):
        told = {
            (e.tile, e.place)
            for e in files.read_records(OUT / "meta" / "errors.jsonl", PointError, View(self.world.disk))
        }
        for tile in range(self.plan.tiles):
            for place in np.flatnonzero(committed.codes(tile).ravel() == POINT_FAILED).tolist():
                if (tile, place) not in told:
                    raise Broken(f"point {place} of tile {tile} failed and no line says why")


@dataclass(frozen=True)
class Named:
    """Enough of a store to name its files."""

    plan: object


def play(seed):
    """Play the history of a seed; Broken or Hang when something does not hold."""
    assert codes.PENDING == 0
    return History(seed).run()


__all__ = ["Broken", "Hang", "Report", "play"]
