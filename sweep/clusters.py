"""Where a sweep runs: a local cluster, or one that is already there (an address or a scheduler file)."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dask
import dask.utils
import psutil
from distributed import Client, LocalCluster

from solvers.suggest import did_you_mean
from sweep.errors import AbortedError, SpecError

LOCAL = "local"
DASHBOARD_PORT = 8787
CONNECT_SECONDS = 30

_SETTINGS = {
    # We retry and split by ourselves (sweep.scheduling), so a task whose worker died comes back at once.
    "distributed.scheduler.allowed-failures": 0,
    # A worker holds only the tile it works on: when it dies no waiting tile is blamed.
    "distributed.scheduler.worker-saturation": 1.0,
    # At the default 15 s a local cluster can lose its last worker for good and hang.
    "distributed.deploy.lost-worker-timeout": "120s",
}


@dataclass(frozen=True)
class Connection:
    """A client of a running cluster. `local` clusters end with the run; others belong to somebody else."""

    client: Client
    local: bool

    @property
    def dashboard(self) -> str:
        """Address of the dashboard."""
        return str(self.client.dashboard_link)

    def threads(self) -> int:
        """Threads of all workers now."""
        workers = self.client.scheduler_info(n_workers=-1)["workers"].values()
        return sum(worker["nthreads"] for worker in workers)

    def started(self) -> set[Any]:
        """Keys of the tasks that workers have, as against those that wait at the scheduler."""
        return {key for keys in self.client.processing().values() for key in keys}

    def replace_frozen(self, seen: set[int]) -> list[int]:
        """Kill local workers that stand still (SIGSTOP), now and when `seen` was filled; their nannies start new ones.

        A worker that is merely busy goes on answering, because the kernels release the GIL.
        """
        frozen = {pid for pid in self._worker_pids() if _is_stopped(pid)}
        killed = sorted(frozen & seen)
        seen.clear()
        seen |= frozen
        for pid in killed:
            with contextlib.suppress(psutil.Error):
                psutil.Process(pid).kill()
        return killed

    def _worker_pids(self) -> list[int]:
        if not self.local:
            return []
        return [nanny.pid for nanny in list(self.client.cluster.workers.values()) if nanny.pid is not None]


def _is_stopped(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_STOPPED)
    except psutil.Error:
        return False


def check_name(name: str) -> None:
    """SpecError unless `name` is a cluster that `connect` knows."""
    if name == LOCAL or name.startswith(("tcp://", "tls://")) or Path(name).is_file():
        return
    if name.endswith(".json"):
        raise SpecError(
            f"scheduler file {name} does not exist; start one with `dask scheduler --scheduler-file {name}`"
        )
    raise SpecError(
        f"--cluster {name!r} is unknown; allowed are local, an address (tcp://host:8786, tls://...) or the path of a "
        f"scheduler file{did_you_mean(name, [LOCAL])}"
    )


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextlib.contextmanager
def connect(name: str = LOCAL, workers: int | None = None, memory: str | None = None) -> Iterator[Connection]:
    """A connection to a cluster for the time of a `with` block; `workers` and `memory` of each are for a local one."""
    check_name(name)
    with contextlib.ExitStack() as stack:
        stack.enter_context(dask.config.set(_SETTINGS))
        if name == LOCAL:
            yield _local(stack, workers or cores(), memory)
        else:
            yield _remote(stack, name)


def _local(stack: contextlib.ExitStack, workers: int, memory: str | None) -> Connection:
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with warnings.catch_warnings():
        # Somebody may have taken the port since we looked; then the dashboard has another, which is printed.
        warnings.filterwarnings("ignore", message="Port .* is already in use")
        cluster = LocalCluster(
            n_workers=workers,
            threads_per_worker=1,  # a crash is then blamed on the tile that caused it
            processes=True,
            host="127.0.0.1",
            dashboard_address=f"127.0.0.1:{DASHBOARD_PORT if _is_free(DASHBOARD_PORT) else 0}",
            silence_logs=logging.CRITICAL,
            memory_limit=_memory(memory),
            preload=["sweep.local_worker"],
        )
    stack.callback(_quietly, cluster.close)
    # Not the default client: a reader's own Dask computations must not land on the cluster of the sweep.
    client = Client(cluster, set_as_default=False)
    stack.callback(_quietly, client.close)
    return Connection(client, local=True)


def _memory(text: str | None) -> str | int:
    if text is None:
        return "auto"
    try:
        return int(dask.utils.parse_bytes(text))
    except ValueError:
        raise SpecError(f"--memory must be a size like 2GiB or 500MB; given was {text!r}") from None


def _remote(stack: contextlib.ExitStack, name: str) -> Connection:
    where: dict[str, Any] = {"address": name} if "://" in name else {"scheduler_file": name}
    try:
        client = Client(**where, set_as_default=False, timeout=CONNECT_SECONDS)
    except (OSError, TimeoutError, ValueError) as error:
        raise AbortedError(
            f"no scheduler answers at {name} within {CONNECT_SECONDS} s ({error}); check the address and that it is running"
        ) from error
    stack.callback(_quietly, client.close)
    return Connection(client, local=False)


def _quietly(close: Callable[[], Any]) -> None:
    """Closing may fail when the other side is gone already, which is then of no interest."""
    with contextlib.suppress(Exception):
        close()


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
