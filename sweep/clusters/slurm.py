"""SLURM: workers are jobs of a batch system, as many as a profile says; scheduler and driver are where the command is.

`slurm` by itself takes the site's default partition and account; a profile (a TOML file with a table [slurm], see
deploy/slurm) says more. A job that ends, by its wall time, by `scancel` or with its node, is replaced by a new one.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import math
import shutil
import subprocess
import tempfile
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sweep.clusters.cluster import Cluster, Kind, Wanted, quietly
from sweep.clusters.leave_in_time import LEAVE_AT
from sweep.clusters.local import dashboard_address
from sweep.clusters.profiles import is_profile, read_profile
from sweep.clusters.times import seconds_of
from sweep.errors import AbortedError, SpecError
from sweep.records import Record

NAME = "slurm"
_LOOK_SECONDS = 5.0
_FRUITLESS_JOBS = 3
"""So many jobs in a row that end before a worker of theirs has connected are no accident."""
_WORKER_START_SECONDS = 300
"""A worker that has not found the scheduler by then ends, and its job with it."""


@dataclass(frozen=True)
class SlurmProfile(Record):
    """Of every job: `cores` worker processes of one thread each, and `memory` for all of them together.

    `margin` before the wall time is up, workers finish the tile they are at and go: longer than a tile takes. `stagger`
    spreads this over the jobs, so that they do not all go at once. With `jobs_at_most`, there are between `jobs` and so
    many, as there is work.
    """

    partition: str | None = None
    account: str | None = None
    cores: int = 1
    memory: str = "2GB"
    walltime: str = "01:00:00"
    margin: str | None = None
    stagger: str | None = None
    jobs: int = 2
    jobs_at_most: int | None = None
    interface: str | None = None
    scratch: str | None = None
    logs: str = "slurm-logs"
    python: str | None = None
    prologue: tuple[str, ...] = ()
    directives: tuple[str, ...] = ()

    def checked(self, where: str) -> SlurmProfile:
        """This profile; SpecError where it makes no sense."""
        for name in ("cores", "jobs"):
            if getattr(self, name) < 1:
                raise SpecError(f"{where}: {name} must be at least 1; given was {getattr(self, name)}")
        if self.jobs_at_most is not None and self.jobs_at_most < self.jobs:
            raise SpecError(f"{where}: jobs_at_most must be at least jobs = {self.jobs}; given was {self.jobs_at_most}")
        if self.seconds(where) <= 0:
            raise SpecError(
                f"{where}: margin and stagger together must be less than the wall time {self.walltime}; "
                "shorten them or ask for more time"
            )
        return self

    def seconds(self, where: str) -> int:
        """How long the workers of a job that goes first take tiles."""
        limit = seconds_of(self.walltime, f"{where}: walltime")
        return int(limit - self._margin(where) - self.stagger_seconds(where))

    def _margin(self, where: str) -> float:
        limit = seconds_of(self.walltime, f"{where}: walltime")
        return limit / 10 if self.margin is None else seconds_of(self.margin, f"{where}: margin")

    def stagger_seconds(self, where: str) -> int:
        """How much later the job that goes last may go."""
        limit = seconds_of(self.walltime, f"{where}: walltime")
        return int(limit / 20 if self.stagger is None else seconds_of(self.stagger, f"{where}: stagger"))


def profile_of(name: str) -> SlurmProfile:
    """The profile that the name of a cluster means."""
    if name == NAME:
        return SlurmProfile()
    return read_profile(name, NAME, SlurmProfile).checked(f"profile {name}, [{NAME}]")


@dataclass
class _Jobs:
    """The jobs of a sweep: as many as are wanted, those that have ended replaced."""

    cluster: Any
    client: Any
    least: int
    most: int
    processes: int
    looked: float = field(default_factory=time.monotonic)
    fruitless: int = 0
    served: set[str] = field(default_factory=set)

    def tend(self) -> Sequence[str]:
        """Replace jobs that have ended, and have as many as there is work for."""
        now = time.monotonic()
        if now - self.looked < _LOOK_SECONDS:
            return []
        self.looked = now
        states = job_states()
        if states is None:  # SLURM does not answer at the moment; what runs goes on
            return []
        workers = self.client.scheduler_info(n_workers=-1)["workers"].values()
        connected = {self._name(str(worker["name"])) for worker in workers}
        busy = self._busy()
        ended, wanted = self.cluster.sync(self._replace, states, connected, busy)
        said = [f"SLURM job {job} has ended; another one is submitted" for job in ended]
        if self.fruitless >= _FRUITLESS_JOBS:
            raise AbortedError(
                f"{self.fruitless} SLURM jobs have ended before a worker of theirs connected; their output is in "
                f"{self.cluster._dummy_job.log_directory}; `spinsweep cluster check` with the same profile tries one"
            )
        return said if wanted else []

    def _name(self, worker: str) -> str:
        """The name of the job of a worker: of several in one job, each has a number of its own behind it."""
        return worker.rpartition("-")[0] if self.processes > 1 else worker

    def _busy(self) -> set[str]:
        info = self.client.scheduler_info(n_workers=-1)["workers"]
        processing = self.client.processing()
        return {self._name(str(info[where]["name"])) for where, keys in processing.items() if keys and where in info}

    async def _replace(
        self, states: Mapping[str, str], connected: Collection[str], busy: Collection[str]
    ) -> tuple[Sequence[str], int]:
        """In the cluster's own thread: forget jobs that SLURM does not know any more, submit as many as are missing."""
        cluster = self.cluster
        jobs = {name: job.job_id for name, job in cluster.workers.items() if job.job_id}
        ended = {name: job for name, job in jobs.items() if job not in states}
        for name in ended:
            del cluster.workers[name]
            cluster.worker_spec.pop(name, None)
        self.served |= {jobs[name] for name in connected if name in jobs}
        if self.served & set(jobs.values()):
            self.fruitless = 0
        self.fruitless += len([job for job in ended.values() if job not in self.served])
        waiting = len(self.client.futures)
        wanted = min(max(math.ceil(waiting / self.processes), self.least), self.most)
        surplus = len(cluster.worker_spec) - wanted
        if surplus > 0:
            idle = [name for name in cluster.worker_spec if name not in busy and name in cluster.workers]
            idle.sort(key=lambda name: name in connected)  # those that still wait for a node first
            await cluster.scale_down(idle[:surplus])
        elif surplus < 0:
            cluster.scale(wanted)
        return list(ended.values()), wanted


@dataclass(frozen=True)
class SlurmCluster(Cluster):
    """Jobs of SLURM. They may wait in its queue, which is no reason to give up: as with somebody else's cluster."""

    jobs: _Jobs = field(kw_only=True)

    @property
    def place(self) -> str:
        return f"{NAME}, {super().place}"

    def tend(self) -> Sequence[str]:
        return self.jobs.tend()


def job_states() -> Mapping[str, str] | None:
    """Our jobs that have not ended, with their states; None when SLURM does not answer."""
    words = ["squeue", "--me", "--noheader", "--format=%A %T"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode:
        return None
    return {job: state for job, _, state in (line.partition(" ") for line in done.stdout.splitlines())}


def job_options(profile: SlurmProfile, wanted: Wanted, where: str) -> Mapping[str, Any]:
    """What dask-jobqueue's SLURMCluster is told."""
    stagger = profile.stagger_seconds(where)
    later = f" + RANDOM % {stagger}" if stagger else ""
    preloads = ["sweep.clusters.leave_in_time", *([wanted.preload] if wanted.preload else [])]
    return {
        "queue": profile.partition,
        "account": profile.account,
        "cores": profile.cores,
        "processes": profile.cores,  # one thread each: a crash is then blamed on the tile that caused it
        "memory": profile.memory,
        "walltime": profile.walltime,
        "interface": profile.interface,
        "local_directory": profile.scratch,
        "log_directory": profile.logs,
        "python": profile.python,
        "job_name": "spinsweep",
        "death_timeout": _WORKER_START_SECONDS,
        "job_script_prologue": [
            *profile.prologue,
            f"export {LEAVE_AT}=$(($(date +%s) + {profile.seconds(where)}{later}))",
        ],
        "job_extra_directives": list(profile.directives),
        "worker_extra_args": [word for module in preloads for word in ("--preload", module)],
    }


def _check(name: str, wanted: Wanted) -> None:
    wanted.certificates.check(name)
    profile_of(name)
    importlib.import_module("dask_jobqueue")
    if shutil.which("sbatch") is None:
        raise SpecError(
            f"--cluster {name} needs SLURM, whose sbatch is not found here; run the command on a login node, or add "
            "sbatch to PATH"
        )


def _connect(stack: contextlib.ExitStack, name: str, wanted: Wanted) -> Cluster:
    import distributed
    from dask_jobqueue import SLURMCluster

    profile = profile_of(name)
    cluster = SLURMCluster(
        **job_options(profile, wanted, f"profile {name}"),
        scheduler_options={
            "dashboard_address": dashboard_address(wanted.dashboard_port),
            "interface": profile.interface,
        },
        silence_logs=logging.CRITICAL,
    )
    stack.callback(quietly, cluster.close)
    _try(cluster.job_script(), name)
    client = distributed.Client(cluster, set_as_default=False)
    stack.callback(quietly, client.close)
    least = profile.jobs if wanted.workers is None else math.ceil(wanted.workers / profile.cores)
    most = least if wanted.workers is not None or profile.jobs_at_most is None else profile.jobs_at_most
    cluster.scale(least)
    return SlurmCluster(client, jobs=_Jobs(cluster, client, least, most, profile.cores))


def _try(script: str, name: str) -> None:
    """Ask SLURM whether it would take such a job; its refusals are otherwise only logged."""
    with tempfile.NamedTemporaryFile("w", suffix=".sh") as file:
        file.write(script)
        file.flush()
        done = subprocess.run(["sbatch", "--test-only", file.name], capture_output=True, text=True, check=False)
    if done.returncode:
        words = " ".join(done.stderr.split())
        raise AbortedError(
            f"SLURM refuses the jobs of --cluster {name}: {words}; change partition, account or size in a profile"
        )


KIND = Kind(
    "slurm or a profile like deploy/slurm/medium.toml",
    lambda name: name == NAME or is_profile(name, NAME),
    _connect,
    _check,
)
