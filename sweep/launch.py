"""Start, continue or resume a run: what `spinsweep run` and `spinsweep resume` do, and `Sweep.run`."""

from __future__ import annotations

import math
import secrets
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from solvers.fingerprint import sources_of
from solvers.registry import module_of
from sweep import files, layout, provenance, store
from sweep.array_files import adopted
from sweep.cancelling import forget
from sweep.clusters import Connection, check_name, connect, cores
from sweep.cost import Pilot
from sweep.driver import Driver, TileToDo
from sweep.errors import AbortedError, RunError
from sweep.folder import FORMAT, RunFolder
from sweep.lease import Lease
from sweep.pilot import PilotProcess
from sweep.plan import Plan, check_size, tile_shape
from sweep.progress import Progress, duration
from sweep.scheduling import End, Outcome
from sweep.spec import SweepSpec, parse
from sweep.store import PENDING, POINT_FAILED, POINT_WARNED, Store
from sweep.toml_text import spec_text
from sweep.worker import Job, probe


@dataclass(frozen=True)
class Options:
    """How to run: on which cluster, with how many local workers, and what to overlook."""

    cluster: str = "local"
    workers: int | None = None
    memory: str | None = None
    accept_code_change: bool = False
    break_lease: bool = False
    quiet: bool = False


@dataclass(frozen=True)
class RunResult:
    """How a run ended."""

    folder: RunFolder
    outcome: Outcome
    reason: str
    points: int
    done: int
    failed: int
    warned: int

    @property
    def exit_status(self) -> int:
        """0 complete, 3 complete with failed points, 4 stopped, 5 aborted."""
        if self.outcome is Outcome.COMPLETE:
            return 3 if self.failed else 0
        return 4 if self.outcome is Outcome.STOPPED else 5

    def text(self) -> str:
        """One sentence about the end, and what to type next."""
        counts = f"{self.done:,} of {self.points:,} points done"
        counts += f", {self.failed:,} failed" if self.failed else ""
        counts += f", {self.warned:,} with a warning" if self.warned else ""
        if self.outcome is Outcome.COMPLETE:
            return f"complete: {counts}; {self.folder.path}"
        return f"{self.outcome.value}: {self.reason}; {counts}; go on with: spinsweep resume {self.folder.path}"


def run(
    raw: Mapping[str, Any],
    out: Path,
    options: Options | None = None,
    stream: TextIO | None = None,
    connection: AbstractContextManager[Connection] | None = None,
) -> RunResult:
    """Run a spec into the folder `out`; a run of the same spec that is there already is continued."""
    options = options or Options()
    spec = parse(raw)
    check_size(spec)
    folder = RunFolder(out)
    check_place(folder, spec)
    check_name(options.cluster)
    check_writable(folder)
    progress = Progress(stream or sys.stderr, spec.points, quiet=options.quiet)
    connection = connection or connect(options.cluster, options.workers, options.memory)
    if folder.exists():
        return _go_on(folder, options, connection, progress)
    with PilotProcess(raw, spec) as pilot, connection as connected:
        progress.say(f"dashboard: {connected.dashboard}")
        _create(folder, raw, spec, pilot.result(), connected.threads() or options.workers or cores(), progress)
        return _go_on(folder, options, nullcontext(connected), progress, introduced=True)


def resume(
    out: Path,
    options: Options | None = None,
    stream: TextIO | None = None,
    connection: AbstractContextManager[Connection] | None = None,
    retry: bool = False,
) -> RunResult:
    """Compute what a run has not committed yet; with `retry`, its failed points as well."""
    options = options or Options()
    folder = RunFolder(out)
    points = folder.plan().spec.points
    check_name(options.cluster)
    progress = Progress(stream or sys.stderr, points, quiet=options.quiet)
    connection = connection or connect(options.cluster, options.workers, options.memory)
    return _go_on(folder, options, connection, progress, retry=retry)


def check_place(folder: RunFolder, spec: SweepSpec) -> None:
    """RunError unless the folder is free, or holds a run of this very sweep."""
    if folder.occupied():
        raise RunError(f"{folder.path} holds something that is no run of spinsweep; choose another folder with --out")
    if folder.exists() and folder.record()["hash"] != spec.hash():
        raise RunError(
            f"{folder.path} holds another sweep ({folder.record()['name']}); choose another folder with --out, "
            f"or go on with that one: spinsweep resume {folder.path}"
        )


def check_writable(folder: RunFolder) -> None:
    """RunError unless files can be made where the run is to be; finds out by making one."""
    place = folder.path if folder.exists() else folder.path.parent
    try:
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        raise RunError(f"{place} cannot be written to ({error.strerror}); choose another folder with --out") from error


def _create(
    folder: RunFolder, raw: Mapping[str, Any], spec: SweepSpec, pilot: Pilot, workers: int, progress: Progress
) -> None:
    plan = Plan(spec, tile_shape(spec, pilot, workers))
    code = sources_of(module_of(plan.model))
    record = {
        "format": FORMAT,
        "id": secrets.token_hex(8),
        "name": spec.name,
        "tile": list(plan.tile),
        "hash": spec.hash(),
        "code": code,
        "pilot": pilot.record(),
        "created": provenance.now(),
        "environment": provenance.environment(),
    }

    def fill(beside: RunFolder) -> None:
        own = adopted(raw, beside.meta)
        text = spec_text(own)
        layout.create(beside.data, plan, code, text)
        files.write_text(beside.spec_file, text)
        files.write_json(beside.plan_file, record | {"spec": own})

    folder.create(fill)
    wall = pilot.total(spec) / workers
    progress.say(
        f"{spec.points:,} points in {plan.tiles:,} {'tile' if plan.tiles == 1 else 'tiles'} of {math.prod(plan.tile):,}, "
        f"about {duration(wall)} on {workers} workers; {folder.path}"
    )


def _go_on(
    folder: RunFolder,
    options: Options,
    connection: AbstractContextManager[Connection],
    progress: Progress,
    introduced: bool = False,
    retry: bool = False,
) -> RunResult:
    """Compute the tiles that are not committed; nothing is connected to when there are none."""
    began = time.time()
    with Lease(folder.lease, options.break_lease) as lease:
        if lease.taken_over:
            progress.say(f"taking over from {lease.taken_over}, which is gone")
        record = folder.record()
        plan = folder.plan()
        code = _check_code(folder, record, plan, options, progress)
        opened = Store(folder.data, plan, writable=True)
        status = recover(folder, opened, progress)
        done = (status != PENDING) & (status != POINT_FAILED) if retry else status != PENDING
        tiles = tiles_to_do(plan, done, record.get("pilot", {}))
        if not tiles:
            result = _result(folder, plan, status, End(Outcome.COMPLETE))
            progress.say(result.text())
            return result
        failed = int(np.count_nonzero(done & (status == POINT_FAILED)))
        progress.start(int(np.count_nonzero(done)), failed)
        forget(folder)
        with connection as connected:
            if not introduced:
                progress.say(f"dashboard: {connected.dashboard}")
            job = Job(str(folder.path.resolve()), record["id"], code, retry)
            if not connected.local:
                _check_workers(connected, job)
            end = Driver(folder, plan, job, connected, lease, progress, tiles, failed).run()
            result = _result(folder, plan, opened.status(), end)
            progress.say(result.text())
            with suppress(OSError):  # on a full disk the words above matter more
                _record_run(folder, options, connected, result, began, len(tiles))
    return result


def _result(folder: RunFolder, plan: Plan, status: NDArray[np.uint8], end: End) -> RunResult:
    return RunResult(
        folder,
        end.outcome,
        end.reason,
        plan.spec.points,
        done=int(np.count_nonzero(status)),
        failed=int(np.count_nonzero(status == POINT_FAILED)),
        warned=int(np.count_nonzero(status == POINT_WARNED)),
    )


def _check_code(folder: RunFolder, record: dict[str, Any], plan: Plan, options: Options, progress: Progress) -> str:
    """The hash of the model's sources now; refused when it is not the run's, unless the change is accepted."""
    code = sources_of(module_of(plan.model))
    if code == record["code"]:
        return code
    if not options.accept_code_change:
        raise RunError(
            f"the sources of {plan.model.id} have changed since {folder.path} was started; finish it with the version that "
            f"started it ({record['environment']['spinsweep']}), start anew with another --out, or accept that its points "
            "come from two versions: --accept-code-change"
        )
    entry = f"{provenance.now()} solver sources changed, accepted by the user (spinsweep {provenance.version()})"
    store.append_history(folder.data, entry)
    files.write_json(
        folder.plan_file, record | {"code": code, "code_before": [*record.get("code_before", []), record["code"]]}
    )
    progress.say("the solver sources have changed since this run was started; accepted and recorded")
    return code


def _check_workers(connection: Connection, job: Job) -> None:
    """Every worker of a foreign cluster must see the run folder and have this code."""
    client = connection.client
    try:
        client.wait_for_workers(1, timeout=60)
        client.run(probe, job)
    except TimeoutError:
        raise AbortedError("the scheduler has no workers; start some and run the command again") from None
    except Exception as error:
        raise AbortedError(
            f"a worker cannot serve this run: {type(error).__name__}: {error}; workers need the run folder {job.folder} on "
            "a shared file system and the same spinsweep"
        ) from error


def recover(folder: RunFolder, opened: Store, progress: Progress) -> NDArray[np.uint8]:
    """Clean up after drivers and workers that were killed; returns the status of every point.

    Temporary files are removed, and a tile whose committed chunks are not all there with their size is taken back.
    """
    opened.remove_orphans()
    status = opened.status()
    sizes = {entry["tile"]: entry["sizes"] for entry in files.read_lines(folder.journal) if "sizes" in entry}
    for index in range(opened.plan.tiles):
        region = opened.plan.region(index)
        if not status[region].any():
            continue
        expected: dict[str, int] = sizes.get(index, {})
        missing = [path for path, size in expected.items() if _size(opened.path / path) != size]
        if missing or not expected:
            what = f"{len(missing)} of its files are missing or damaged" if expected else "it is not in the journal"
            progress.say(f"tile {index} is computed again: {what}")
            opened.clear(index)
            status[region] = PENDING
    return status


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1


def tiles_to_do(plan: Plan, done: NDArray[np.bool_], pilot: Mapping[str, Any]) -> list[TileToDo]:
    """The tiles with points that are not done, each with its predicted cost."""
    costs = Pilot.from_record(pilot).tile_costs(plan)
    found = []
    for index in range(plan.tiles):
        part = done[plan.region(index)]
        good = int(np.count_nonzero(part))
        if good < part.size:
            found.append(TileToDo(index, part.size, good, float(costs[index])))
    return found


def _record_run(
    folder: RunFolder, options: Options, connection: Connection, result: RunResult, began: float, tiles: int
) -> None:
    seconds = time.time() - began
    record = {
        "began": began,
        "seconds": seconds,
        "cluster": options.cluster if connection.local else str(connection.client.scheduler.address),
        "threads": connection.threads() if connection.client.status == "running" else None,
        "tiles_to_do": tiles,
        "outcome": result.outcome.value,
        "reason": result.reason,
        "done": result.done,
        "failed": result.failed,
        "environment": provenance.environment(),
    }
    files.write_json(
        folder.runs / f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime(began))}-{secrets.token_hex(3)}.json", record
    )
