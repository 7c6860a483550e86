"""`submit`: a run whose driver does not need the process that asked for it.

To a cluster that lasts (an address, a scheduler file) the driver is given, to run beside one of its workers. Any other
cluster lives as long as its driver, which then is a process of its own on this machine: what closing a terminal or ending a
notebook does not end.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from sweep.clusters.cluster import Cluster
from sweep.clusters.kinds import LOCAL, check_name
from sweep.clusters.slurm_job import NAME as SLURM_JOB
from sweep.errors import AbortedError, InUseError, SpecError, program
from sweep.execution.creation import create
from sweep.execution.launch import Options, is_there
from sweep.execution.progress import Progress
from sweep.execution.recovery import check_code, check_spec
from sweep.execution.watching import Order, log_of, start_process, submit_watcher
from sweep.folder import exchange
from sweep.folder.committed import Committed
from sweep.folder.lease import Holder, Lease, holder
from sweep.folder.run_folder import RunFolder
from sweep.plan.machine import cores
from sweep.plan.pilot import Pilot
from sweep.spec.sweep_spec import SweepSpec

START_SECONDS = 20.0
"""So long the driver's first words are waited for; it may start later, where the cluster has no worker yet."""
_LOOK_SECONDS = 0.2


@dataclass(frozen=True)
class Submitted:
    """A run that goes on by itself, and its driver, where that has begun."""

    folder: RunFolder
    driver: Holder | None
    complete: bool = False


def submit(
    spec: SweepSpec,
    out: Path,
    options: Options | None = None,
    stream: TextIO | None = None,
    cluster: AbstractContextManager[Cluster] | None = None,
) -> Submitted:
    """Start, resume or extend the run of a spec in a folder, and return while its driver goes on.

    `cluster` is one that lasts and is connected to already. A run that a driver is at work on is left to it. Raises what
    `launch.run` raises before it computes, and AbortedError where the driver ends at once.
    """
    options = options or Options()
    folder = RunFolder(out)
    progress = Progress(stream or sys.stderr, spec.points, quiet=options.quiet)
    if options.cluster is not None and options.cluster.partition(":")[0] == SLURM_JOB:
        raise SpecError(f"--cluster {SLURM_JOB} is detached by itself: submit the job's script with sbatch")
    there = is_there(folder, spec, options, progress)
    with ExitStack() as stack:
        connected = None
        if cluster is not None:
            connected = stack.enter_context(cluster)
        elif check_name(options.cluster or LOCAL, options.wanted).lasting:
            connected = stack.enter_context(options.connect())
        if connected is not None and str(connected.client.scheduler.address).startswith("inproc"):
            raise SpecError("a cluster inside this process (processes=False) ends with it; submit to one of processes")
        if not there:
            with Pilot(spec.raw) as sent:
                threads = connected.threads() if connected is not None else 0
                create(folder, spec, sent.result(spec.methods), threads or options.workers or cores(), progress)
        try:
            unfinished = _checked(folder, options, progress)
        except InUseError:
            found = holder(folder.lease, folder.disk)
            progress.say(f"this run is being computed already, by {found}\n{_how_to_watch(folder)}")
            return Submitted(folder, found)
        if not unfinished:
            progress.say(f"complete already: {folder.path}")
            return Submitted(folder, None, complete=True)
        return (
            _on_this_machine(folder, options, progress)
            if connected is None
            else _on(connected, folder, options, progress)
        )


def _checked(folder: RunFolder, options: Options, progress: Progress) -> bool:
    """What a driver would refuse is refused here, where somebody reads it; returns whether something is left to compute."""
    with Lease(folder.lease, options.break_lease, folder.host, progress.say):
        exchange.finish(folder)
        record = folder.record()
        plan = folder.plan(record)
        check_spec(folder, record, plan)
        check_code(folder, record, plan, options.accept_code_change, progress)
        # Whether a refined run is complete, the next round says.
        return plan.spec.refine is not None or Committed.read(folder, plan).done < plan.spec.points


def _order(folder: RunFolder, options: Options, cluster: str | None, watched: bool) -> Order:
    given = options.certificates
    return Order(
        str(folder.path.resolve()),
        cluster,
        watched,
        options.workers,
        options.memory,
        options.dashboard_port,
        options.report,
        *(
            None if path is None else str(Path(path).resolve())
            for path in (given.authority, given.certificate, given.key)
        ),
    )


def _on(cluster: Cluster, folder: RunFolder, options: Options, progress: Progress) -> Submitted:
    future = submit_watcher(cluster, folder, _order(folder, options, None, watched=True))
    progress.say(f"submitted to {cluster.place}; dashboard: {cluster.dashboard}")
    driver = _first_sign(folder, lambda: future.status in ("error", "cancelled", "lost"))
    if future.status == "error":
        raise AbortedError(f"the cluster cannot run the driver: {future.exception()}; {log_of(folder)}")
    progress.say(
        f"its driver is {driver}; it is started again elsewhere where it dies"
        if driver is not None
        else "its driver begins when the cluster has a worker for it"
    )
    progress.say(_how_to_watch(folder))
    return Submitted(folder, driver)


def _on_this_machine(folder: RunFolder, options: Options, progress: Progress) -> Submitted:
    """A process of its own, which makes the cluster: workers here, or jobs of a batch system."""
    process = start_process(_order(folder, options, options.cluster, watched=False))
    driver = _first_sign(folder, lambda: process.poll() is not None)
    if driver is None and process.poll() not in (None, 0):
        raise AbortedError(f"the driver has ended at once; its words are in {log_of(folder)}")
    progress.say(
        f"process {process.pid} on this machine computes it, and does not need this terminal; the machine has to stay on"
    )
    progress.say(_how_to_watch(folder))
    return Submitted(folder, driver)


def _first_sign(folder: RunFolder, over: Callable[[], bool]) -> Holder | None:
    """The driver, as soon as it has the lease."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and not over():
        found = holder(folder.lease, folder.disk)
        if found is not None:
            return found
        time.sleep(_LOOK_SECONDS)
    return None


def _how_to_watch(folder: RunFolder) -> str:
    name = program()
    return "\n".join(
        [
            f"run:    {folder.path}",
            f"watch:  {name} status {folder.path} --watch",
            f"stop:   {name} cancel {folder.path}",
            f"log:    {log_of(folder)}",
        ]
    )
