"""Start, continue or resume a run: what `spinsweep run` and `spinsweep resume` do, and `Sweep.run`."""

from __future__ import annotations

import dataclasses
import itertools
import math
import sys
import threading
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from solvers.fingerprint import code_of
from solvers.registry import find, module_of
from sweep.clusters import bystanders
from sweep.clusters.cluster import SCHEDULER_LOST, Cluster, Wanted
from sweep.clusters.here import HERE, SMALL_SECONDS, here
from sweep.clusters.kinds import LOCAL, check_name, connect, enter
from sweep.clusters.page import announce
from sweep.clusters.tls import NONE_GIVEN, Certificates
from sweep.errors import RunError, SpecError
from sweep.execution.changes import checked_changes, record_changes
from sweep.execution.creation import check_place, check_writable, create, move_to_trash
from sweep.execution.driver import Driver
from sweep.execution.extension import extend, growth_of
from sweep.execution.messages import Job
from sweep.execution.open_run import OpenRun, TileToDo
from sweep.execution.progress import Progress
from sweep.execution.recovery import check_code, check_spec, recover, say_edited_spec
from sweep.execution.refining import Rounds, adopt, refines_otherwise, settle
from sweep.execution.reporting import performance_report
from sweep.execution.result import RunResult
from sweep.execution.scheduling import End, Outcome
from sweep.folder import exchange, point_errors, provenance, starts, submission
from sweep.folder.committed import Committed
from sweep.folder.host import HERE as HERE_AND_NOW
from sweep.folder.host import Host
from sweep.folder.lease import Lease
from sweep.folder.placing import clear_up
from sweep.folder.run_folder import RunFolder
from sweep.folder.run_record import RunRecord
from sweep.folder.shards import check_open
from sweep.plan.companion import Companion
from sweep.plan.machine import cores
from sweep.plan.pilot import Pilot
from sweep.plan.refinement import EXPECTED_SHARE
from sweep.plan.tiling import Plan
from sweep.plan.variables import check_size
from sweep.records import Json
from sweep.spec.growing import refined
from sweep.spec.parsing import parse
from sweep.spec.sweep_spec import SweepSpec

LOADED_BY_WORKERS = "sweep.execution.local_worker"
NO_CLUSTER = "computing here: so small a sweep needs no cluster"


@dataclass(frozen=True)
class Options:
    """How to run: on which cluster, with how many local workers, and what to overlook.

    A run of another sweep in the way is moved to `.trash` with `overwrite`; one whose axes only lack values is extended,
    unless `extend` is off. Where neither a cluster nor workers nor their memory are named, a small sweep is computed without a cluster. With
    `python`, what is said on the way tells how to go on in Python instead of on the command line.
    """

    cluster: str | None = None
    workers: int | None = None
    memory: str | None = None
    accept_code_change: bool = False
    break_lease: bool = False
    overwrite: bool = False
    extend: bool = True
    quiet: bool = False
    python: bool = False
    dashboard_port: int | None = None
    report: bool = False
    certificates: Certificates = NONE_GIVEN

    @property
    def wanted(self) -> Wanted:
        """What they ask of a cluster."""
        return Wanted(self.workers, self.memory, LOADED_BY_WORKERS, self.dashboard_port, self.certificates)

    @property
    def open(self) -> bool:
        """Whether the choice of a cluster is ours."""
        chosen = (self.cluster, self.workers, self.memory, self.dashboard_port)
        return all(choice is None for choice in chosen) and self.certificates == NONE_GIVEN and not self.report

    def connect(self) -> AbstractContextManager[Cluster]:
        """The cluster that they name."""
        return connect(self.cluster or LOCAL, self.wanted)

    def check(self) -> None:
        """SpecError where they name a cluster that cannot be."""
        if self.report and self.cluster == HERE:
            raise SpecError("--report is Dask's, and --cluster here computes without Dask; name another cluster")
        if not self.open:
            check_name(self.cluster or LOCAL, self.wanted)

    def suited(
        self, seconds: float, folder: RunFolder, progress: Progress, companion: Companion | None = None
    ) -> AbstractContextManager[Cluster]:
        """What suits a sweep of so many core-seconds in a folder: the cluster that they name, or none where it is small."""
        if self.cluster == HERE:
            return here(companion, LOADED_BY_WORKERS)
        if not self.open or seconds > SMALL_SECONDS:
            return self.connect()

        @contextmanager
        def more() -> Iterator[Cluster]:
            progress.say("it takes longer than the pilot predicted; starting local workers")
            with self.connect() as connected:
                _introduce(connected, folder, self, progress)
                yield connected

        return here(companion, LOADED_BY_WORKERS, more)


def run(
    spec: SweepSpec,
    out: Path,
    options: Options | None = None,
    stream: TextIO | None = None,
    cluster: AbstractContextManager[Cluster] | None = None,
    pilot: Pilot | None = None,
) -> RunResult:
    """Run a spec into the folder `out`; a run of the same spec that is there already is continued, and one whose axes
    lack some of the spec's values is extended.

    `pilot` is one that has been sent out for this spec already, and ends with its owner.
    """
    options = options or Options()
    bystanders.leave_if_one()
    enter(options.cluster, LOADED_BY_WORKERS)
    folder = RunFolder(out)
    progress = Progress(stream or sys.stderr, spec.points, quiet=options.quiet)
    if is_there(folder, spec, options, progress):
        return _go_on(folder, options, cluster, progress)
    with Pilot(spec.raw) if pilot is None else nullcontext(pilot) as sent:
        threading.Thread(target=_find_out, args=(spec,), daemon=True).start()  # while the pilot is away
        if cluster is None:
            share = 1.0 if spec.refine is None else EXPECTED_SHARE
            seconds = share * sent.result(spec.methods).of_one_core(spec.points) if options.open else math.inf
            cluster = options.suited(seconds, folder, progress, sent.companion)
        with cluster as connected:
            _introduce(connected, folder, options, progress)
            timings = sent.result(spec.methods)
            sent.companion.call(f"{LOADED_BY_WORKERS}:know", spec.model)  # while the folder is made
            if connected.place != HERE:
                sent.companion.close()
            create(folder, spec, timings, connected.threads() or options.workers or cores(), progress)
            return _go_on(folder, options, nullcontext(connected), progress, introduced=True)


def is_there(folder: RunFolder, spec: SweepSpec, options: Options, progress: Progress) -> bool:
    """Check that a spec can be run in a folder, and return whether its run is there already, made fit for the spec."""
    check_size(spec)
    check_place(folder)
    options.check()
    check_writable(folder)
    clear_up(folder, progress.say, options.break_lease)
    return folder.exists() and not _replaced(folder, spec, options, progress)


def refine(
    out: Path,
    changes: Json,
    options: Options | None = None,
    stream: TextIO | None = None,
    cluster: AbstractContextManager[Cluster] | None = None,
) -> RunResult:
    """Refine the run in a folder: `changes` are entries of `[refine]`, with a depth that may be larger than it was."""
    spec = parse(refined(RunFolder(out).plan().spec, changes))
    return run(spec, out, options, stream, cluster)


def _find_out(spec: SweepSpec) -> None:
    """What the record of a run will need, and takes a moment to find out; it is kept."""
    provenance.environment()
    code_of(module_of(find(spec.model)))


def _replaced(folder: RunFolder, spec: SweepSpec, options: Options, progress: Progress) -> bool:
    """Make the run that is in a folder fit for `spec`: by leaving it as it is, by extending it, or by moving it away.

    Returns whether it was moved away. Raises RunError when it is another sweep that is to stay.
    """
    if options.overwrite:
        with Lease(folder.lease, options.break_lease, folder.host):
            pass  # nobody is at work on it
        progress.say(f"the run that was here is now {move_to_trash(folder)}")
        return True
    if exchange.unfinished(folder):
        with Lease(folder.lease, options.break_lease, folder.host):
            exchange.finish(folder)
    growth = growth_of(folder, spec)
    if growth is None:
        if refines_otherwise(folder.record(), spec):
            with Lease(folder.lease, options.break_lease, folder.host):
                check_open(folder, folder.record())
                adopt(folder, spec, progress)
        return False
    if not options.extend:
        raise RunError(
            f"{folder.path} holds a smaller sweep; {growth.text()}: allow it with extend, or choose another folder"
        )
    with Lease(folder.lease, options.break_lease, folder.host):
        record = folder.record()
        check_open(folder, record)
        check_code(folder, record, folder.plan(record), options.accept_code_change, progress)
        extend(folder, growth, progress)
    return False


def _introduce(cluster: Cluster, folder: RunFolder, options: Options, progress: Progress) -> None:
    """Say where the run can be watched, or that there is no cluster."""
    if cluster.place == HERE:
        progress.say(NO_CLUSTER if options.open else "computing here, without a cluster")
    else:
        progress.say(f"dashboard: {cluster.dashboard}")
        progress.say(announce(cluster, folder.path))


def resume(
    out: Path,
    options: Options | None = None,
    stream: TextIO | None = None,
    cluster: AbstractContextManager[Cluster] | None = None,
    retry: bool = False,
    again: Collection[int] = (),
    changes: Json | None = None,
    host: Host = HERE_AND_NOW,
) -> RunResult:
    """Compute what a run has not committed yet; with `retry`, its failed points as well, and the tiles `again`.

    `changes` are parameters that only say how to compute, for what is computed now; they are recorded.
    """
    options = options or Options()
    enter(options.cluster, LOADED_BY_WORKERS)
    folder = RunFolder(out, host)
    record = folder.record()
    checked = checked_changes(folder.plan(record), changes or {})
    options.check()
    progress = Progress(stream or sys.stderr, quiet=options.quiet)
    return _go_on(folder, options, cluster, progress, retry=retry, again=again, changes=checked)


def _go_on(
    folder: RunFolder,
    options: Options,
    cluster: AbstractContextManager[Cluster] | None,
    progress: Progress,
    introduced: bool = False,
    retry: bool = False,
    again: Collection[int] = (),
    changes: Json | None = None,
) -> RunResult:
    """Compute the tiles that are not committed; nothing is connected to when there are none."""
    began = time.time()
    with Lease(folder.lease, options.break_lease, folder.host, progress.say) as lease:
        if lease.taken_over:
            progress.say(
                f"this is a copy of a run that {lease.taken_over} was at work on; what was committed by then counts"
                if lease.copied
                else f"taking over from {lease.taken_over}, which is gone"
            )
        exchange.finish(folder)
        record = folder.record()
        plan = folder.plan(record)
        check_spec(folder, record, plan)
        say_edited_spec(folder, record, progress)
        if record.shards:
            return _finalized(folder, record, plan, options, progress, retry=retry or bool(again))
        code = check_code(folder, record, plan, options.accept_code_change, progress)
        opened = recover(folder, plan, progress, again, fence=bool(lease.taken_over))
        if retry:
            opened = dataclasses.replace(opened, recorded=point_errors.latest(folder))
        rounds = Rounds(opened, record.pilot, retry)
        todo = iter(rounds)
        tiles = next(todo, [])
        if not tiles:
            result = RunResult.of(folder, opened.committed, settle(opened, lease, progress))
            submission.end(folder)
            progress.say(result.text(options.python))
            return result
        with cluster or options.suited(rounds.seconds(tiles), folder, progress) as connected:
            if not introduced:
                _introduce(connected, folder, options, progress)
            if changes:
                record_changes(folder, changes)
            job = Job(
                str(folder.path.resolve()),
                record.id,
                code,
                folder.disk.shared_with(folder.data),
                tuple((changes or {}).items()),
            )
            with performance_report(connected, folder, progress) if options.report else nullcontext():
                end, count = _drive(opened, job, connected, lease, progress, itertools.chain([tiles], todo))
            if end.outcome is Outcome.COMPLETE:
                end = settle(opened, lease, progress)
            result = RunResult.of(folder, opened.committed, end)
            progress.say(result.text(options.python))
            with suppress(OSError):  # on a full disk the words above matter more
                _record_start(connected, result, began, count, changes or {})
            if end.reason != SCHEDULER_LOST and not lease.lost.is_set():
                submission.end(folder)  # while the lease is ours: nobody is to go on by himself with what has ended
    return result


def _finalized(
    folder: RunFolder, record: RunRecord, plan: Plan, options: Options, progress: Progress, retry: bool
) -> RunResult:
    """The result of a finalized run, of which nothing is to be computed again."""
    result = RunResult.of(folder, Committed.read(folder, plan), End(Outcome.COMPLETE))
    if retry and result.failed:
        check_open(folder, record)
    progress.say(result.text(options.python))
    return result


def _drive(
    run: OpenRun, job: Job, cluster: Cluster, lease: Lease, progress: Progress, rounds: Iterable[list[TileToDo]]
) -> tuple[End, int]:
    """Compute the tiles of one round after another; how that ended, and how many tiles there were."""
    end, count = End(Outcome.COMPLETE), 0
    refined = run.plan.spec.refine is not None
    for number, tiles in enumerate(rounds):
        # What has failed in these tiles is reported with them once more.
        failed = run.committed.failed - sum(run.committed.failed_of(tile.index) for tile in tiles)
        warned = run.committed.warned - sum(run.committed.warned_of(tile.index) for tile in tiles)
        cost = sum(tile.cost for tile in tiles)
        wanted = sum(tile.points - tile.done for tile in tiles)
        if refined:
            progress.say(f"round {number + 1}: {wanted:,} points, {run.committed.computed:,} are computed")
            progress.start(run.committed.computed + wanted, run.committed.computed, failed, warned, cost)
        else:
            progress.start(run.plan.spec.points, run.plan.spec.points - wanted, failed, warned, cost)
        count += len(tiles)
        end = Driver(run, job, cluster, lease, progress, tiles, failed, number).run()
        if end.outcome is not Outcome.COMPLETE:
            break
    return end, count


def _record_start(cluster: Cluster, result: RunResult, began: float, tiles: int, changes: Json) -> None:
    start = starts.Start(
        began=began,
        seconds=time.time() - began,
        cluster=cluster.place,
        threads=cluster.threads() if cluster.connected else None,
        tiles_to_do=tiles,
        outcome=result.outcome.value,
        reason=result.reason,
        done=result.done,
        failed=result.failed,
        environment=provenance.environment(),
        changes=changes,
    )
    starts.write(result.folder, start)
