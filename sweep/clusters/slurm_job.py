"""SLURM from inside one allocation: `srun spinsweep run SPEC --cluster slurm-job` in a job's script.

Of the processes that srun starts, the first is the driver with Dask's scheduler; all others become workers. (dask-jobqueue's
SLURMRunner does the like, but keeps two processes of the job from computing, starts its workers without a nanny, so that
a point that crashes takes one away for good, and takes over Ctrl-C.)
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sweep.clusters.cluster import Cluster, Kind, Wanted, quietly
from sweep.clusters.leave_in_time import LEAVE_AT
from sweep.clusters.local import dashboard_address
from sweep.clusters.times import seconds_of
from sweep.errors import SpecError

NAME = "slurm-job"
_LONGEST_MARGIN = 300.0
"""So long before its end a job starts no more tiles; of one shorter than 50 minutes, in its last tenth."""
_SHORTEST_MARGIN = 15.0
"""What a tile under way and the end of the workers take; a job of a few minutes keeps it free as well."""
_START_SECONDS = 300
NEARLY_UP = "the time of the SLURM job is nearly up: it stops here, and the same command goes on in another job"


@dataclass(frozen=True)
class SlurmJob(Cluster):
    """The other processes of this job. `leave_at` is when (seconds since 1970) it begins to end, if it has a time limit."""

    leave_at: float | None = None

    @property
    def place(self) -> str:
        return f"{NAME} {os.environ.get('SLURM_JOB_ID')}, {super().place}"

    def tend(self) -> Sequence[str]:
        """Stop in time, as Ctrl-C does: what runs is finished and committed."""
        if self.leave_at is None or time.time() < self.leave_at:
            return []
        object.__setattr__(self, "leave_at", None)  # once
        os.kill(os.getpid(), signal.SIGINT)
        return [NEARLY_UP]


def _rank() -> int:
    return int(os.environ.get("SLURM_PROCID", "0"))


def _scheduler_file() -> Path:
    """Where the workers of this step find the scheduler: in the working folder, which all of them share."""
    words = [os.environ.get(name, "0") for name in ("SLURM_JOB_ID", "SLURM_STEP_ID", "SLURM_RESTART_COUNT")]
    return Path(f".spinsweep-{'-'.join(words)}.json").resolve()


def leave_at() -> float | None:
    """When this job begins to end; None where it has no limit, or SLURM does not say."""
    words = ["squeue", "--noheader", f"--jobs={os.environ.get('SLURM_JOB_ID')}", "--format=%L %M"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
        left, used = (seconds_of(text, "squeue") for text in done.stdout.split())
    except (OSError, subprocess.TimeoutExpired, ValueError):  # UNLIMITED, say
        return None
    return time.time() + left - min(max((left + used) / 10, _SHORTEST_MARGIN), _LONGEST_MARGIN)


def worker_command(wanted: Wanted) -> list[str]:
    """What a process of the job becomes that is to compute."""
    words = [sys.executable, "-m", "distributed.cli.dask_worker", "--scheduler-file", str(_scheduler_file())]
    words += ["--nthreads", "1", "--no-dashboard", "--death-timeout", str(_START_SECONDS)]
    words += ["--name", f"{socket.gethostname()}-{_rank()}"]
    if "SLURM_MEM_PER_CPU" in os.environ:
        share = int(os.environ["SLURM_MEM_PER_CPU"]) * int(os.environ.get("SLURM_CPUS_PER_TASK", "1"))
        words += ["--memory-limit", f"{share}MiB"]
    for variable in ("SLURM_TMPDIR", "TMPDIR"):
        if variable in os.environ:
            words += ["--local-directory", os.environ[variable]]
            break
    for module in ("sweep.clusters.leave_in_time", *([wanted.preload] if wanted.preload else [])):
        words += ["--preload", module]
    return words


def _enter(wanted: Wanted) -> None:
    if "SLURM_PROCID" not in os.environ or _rank() == 0:
        return
    if (limit := leave_at()) is not None:
        # After the driver has stopped giving tiles, so that none is without a worker.
        os.environ[LEAVE_AT] = str(limit + 10)
    command = worker_command(wanted)
    os.execv(command[0], command)


def _check(name: str, wanted: Wanted) -> None:
    wanted.certificates.check(name)
    tasks = int(os.environ.get("SLURM_NTASKS", "0"))
    if "SLURM_PROCID" not in os.environ or tasks < 2:
        raise SpecError(
            f"--cluster {NAME} is for a command that srun starts in a job, with at least 2 tasks (a driver and a worker); "
            f"{f'here is {tasks} task' if tasks else 'this is no such job'}; deploy/slurm/one_job.sh is a script to begin with"
        )


def _connect(stack: contextlib.ExitStack, name: str, wanted: Wanted) -> Cluster:
    import distributed

    interface = name.partition(":")[2] or None
    cluster = distributed.LocalCluster(
        n_workers=0,
        processes=True,
        host=None if interface else distributed.utils.get_ip(),
        interface=interface,
        dashboard_address=dashboard_address(wanted.dashboard_port),
        silence_logs=logging.CRITICAL,
    )
    stack.callback(quietly, cluster.close)
    client = distributed.Client(cluster, set_as_default=False)
    stack.callback(quietly, client.shutdown)  # the workers, which are not the cluster's own, end with it
    file = _scheduler_file()
    stack.callback(file.unlink, missing_ok=True)
    partial = file.with_suffix(".partial")
    partial.write_text(json.dumps({"address": cluster.scheduler_address}))
    partial.rename(file)
    return SlurmJob(client, leave_at=leave_at())


KIND = Kind(
    f"{NAME} (or {NAME}:INTERFACE) inside a job",
    lambda name: name == NAME or name.startswith(f"{NAME}:"),
    _connect,
    _check,
    _enter,
)
