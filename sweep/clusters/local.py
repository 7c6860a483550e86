"""`local`: worker processes on this machine, for the time of the run, listening on loopback only."""

from __future__ import annotations

import contextlib
import logging
import socket
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import dask.utils

from sweep.clusters.cluster import Cluster, Kind, Wanted, quietly
from sweep.clusters.processes import is_stopped, kill
from sweep.errors import SpecError
from sweep.plan.machine import cores

DASHBOARD_PORT = 8787


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

    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with warnings.catch_warnings():
        # Somebody may have taken the port since we looked; then the dashboard has another, which is printed.
        warnings.filterwarnings("ignore", message="Port .* is already in use")
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
    stack.callback(quietly, cluster.close)
    # Not the default client: a reader's own Dask computations must not land on the cluster of the sweep.
    client = distributed.Client(cluster, set_as_default=False)
    stack.callback(quietly, client.close)
    return LocalCluster(client)


def _memory(text: str | None) -> str | int:
    if text is None:
        return "auto"
    try:
        return int(dask.utils.parse_bytes(text))
    except ValueError:
        raise SpecError(f"--memory must be a size like 2GiB or 500MB; given was {text!r}") from None


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


KIND = Kind("local", lambda name: name == "local", _connect)
