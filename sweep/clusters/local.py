"""`local`: worker processes on this machine, for the time of the run, listening on loopback only."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import dask.config
import dask.utils

from sweep.clusters import bystanders
from sweep.clusters.cluster import Cluster, Kind, Wanted, quietly
from sweep.clusters.processes import is_stopped, kill
from sweep.errors import AbortedError, RunError, SpecError
from sweep.plan.machine import cores
from sweep.quantities import size

DASHBOARD_PORT = 8787
LEAST_MEMORY = 256 << 20
"""Of a worker: it takes most of it to load the solvers, before it computes anything."""


@dataclass(frozen=True)
class LocalCluster(Cluster):
    """Processes of this machine, each with a nanny that starts it again when it dies."""

    ours: bool = True

    @property
    def place(self) -> str:
        return "local"

    def replace(self, seen: set[int]) -> Sequence[int]:
        """Kill workers that stand still (SIGSTOP), now and when `seen` was filled; their nannies start new ones.

        A worker that is merely busy goes on answering, because the kernels release the GIL.
        """
        frozen = {pid for pid in self._worker_pids() if is_stopped(pid)}
        killed = sorted(frozen & seen)
        seen.clear()
        seen |= frozen
        for pid in killed:
            kill(pid)
        return killed

    def _worker_pids(self) -> list[int]:
        return [nanny.pid for nanny in list(self.client.cluster.workers.values()) if nanny.pid is not None]


def _connect(stack: contextlib.ExitStack, name: str, wanted: Wanted) -> Cluster:
    import distributed

    with bystanders.watched() as came_by, warnings.catch_warnings():
        # Somebody may have taken the port since we looked; then the dashboard has another, which is printed.
        warnings.filterwarnings("ignore", message="Port .* is already in use")
        try:
            cluster = distributed.LocalCluster(
                n_workers=wanted.workers or cores(),
                threads_per_worker=1,  # a crash is then blamed on the tile that caused it
                processes=True,
                host="127.0.0.1",
                dashboard_address=dashboard_address(wanted.dashboard_port),
                silence_logs=logging.CRITICAL,
                memory_limit=_memory(wanted.memory),
                preload=[wanted.preload] if wanted.preload else [],
            )
        except SpecError:
            raise
        except Exception as error:  # of the system, of Dask, of what a worker loads
            if came_by():
                raise RunError(bystanders.GUARD) from None
            raise AbortedError(f"the local workers cannot be started: {_first_cause(error)}") from error
    stack.callback(quietly, cluster.close)
    # Not the default client: a reader's own Dask computations must not land on the cluster of the sweep.
    client = distributed.Client(cluster, set_as_default=False)
    stack.callback(quietly, client.close)
    return LocalCluster(client)


def _first_cause(error: BaseException) -> str:
    """What Dask's errors came from, in a line."""
    while (before := error.__cause__ or error.__context__) is not None:
        error = before
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def _memory(text: str | None) -> str | int:
    """Bytes of a worker; SpecError for what is no size, or too little to start with."""
    if text is None:
        return "auto"
    try:
        found = int(dask.utils.parse_bytes(text))
    except (ValueError, OverflowError):
        raise SpecError(f"--memory must be a size like 2GiB or 500MB; given was {text!r}") from None
    if found < LEAST_MEMORY:
        raise SpecError(
            f"--memory must be at least {size(LEAST_MEMORY)}, which a worker takes to load the solvers; given was {text!r}"
        )
    return found


def _check_scratch() -> None:
    """SpecError where workers cannot write their scratch files."""
    place = ""
    try:
        place = os.path.expanduser(str(dask.config.get("temporary-directory", None) or tempfile.gettempdir()))
        os.makedirs(place, exist_ok=True)
        with tempfile.TemporaryFile(dir=place):
            pass
    except (OSError, ValueError) as error:
        words = getattr(error, "strerror", None) or str(error)
        raise SpecError(
            f"workers cannot write their scratch files to {place or 'a temporary folder'} ({words}); set "
            "DASK_TEMPORARY_DIRECTORY to a folder that can be written to"
        ) from error


def _check(name: str, wanted: Wanted) -> None:
    wanted.certificates.check(name)
    _memory(wanted.memory)
    _check_scratch()


def dashboard_address(port: int | None) -> str:
    """Where the dashboard of a scheduler in this process listens: on loopback, at the port asked for, or the usual one if it is free."""
    if port is not None and not _is_free(port):
        raise SpecError(f"--dashboard-port {port} is in use; give another one, or 0 for any")
    if port is not None:
        return f"127.0.0.1:{port}"
    return f"127.0.0.1:{DASHBOARD_PORT if _is_free(DASHBOARD_PORT) else 0}"


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


KIND = Kind("local", lambda name: name == "local", _connect, _check)
