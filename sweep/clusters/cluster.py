"""A connected cluster, as the driver uses it, and what makes a kind of cluster."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from sweep.clusters import progress_bar
from sweep.clusters.tls import NONE_GIVEN, Certificates

if TYPE_CHECKING:
    from distributed import Client

_ANSWER_SECONDS = 60.0
"""A worker that is asked and does not answer for so long does not."""


SCHEDULER_LOST = "the connection to the scheduler is lost"


@dataclass(frozen=True)
class Wanted:
    """What a run asks of a cluster that is made for it: workers, memory of each (like 2GiB), a module that every worker
    loads as it starts, the port of its dashboard; and of one that is there, the certificates for it."""

    workers: int | None = None
    memory: str | None = None
    preload: str | None = None
    dashboard_port: int | None = None
    certificates: Certificates = NONE_GIVEN


class Task(Protocol):
    """What a cluster has been asked to do, as Dask's futures are."""

    key: Any

    def result(self) -> Any: ...

    def done(self) -> bool: ...

    def cancel(self) -> Any: ...

    def release(self) -> Any: ...

    def add_done_callback(self, call: Callable[[Any], Any]) -> Any: ...


@dataclass(frozen=True)
class Cluster:
    """A cluster with a client connected to it. A kind that can do more than any Dask cluster overrides it.

    `ours`: it was made for this run and ends with it; another one belongs to somebody else.
    """

    client: Client
    ours: bool = False

    @property
    def dashboard(self) -> str:
        """Address of the dashboard."""
        return str(self.client.dashboard_link)

    @property
    def place(self) -> str:
        """Where it is, for the record of a run."""
        return str(self.client.scheduler.address)

    @property
    def connected(self) -> bool:
        """Whether its scheduler can be reached."""
        return bool(self.client.status == "running")

    def submit(
        self,
        call: Callable[..., Any],
        *arguments: Any,
        key: Hashable,
        workers: Collection[str] | None = None,
        priority: int = 0,
    ) -> Task:
        """Have `call` done by a worker, once, if need be by one of `workers`, before all of lower `priority`; a key that has
        erred does not run again."""
        where = None if workers is None else list(workers)
        how: dict[str, Any] = {"pure": False, "retries": 0, "workers": where, "priority": priority}
        future: Task = self.client.submit(call, *arguments, key=key, **how)
        return future

    def ask(self, worker: str, call: Callable[..., Any], *arguments: Any, heard: Callable[[str, Any], None]) -> None:
        """Have one worker do `call` beside its tasks; `heard` is told its answer, or the error that came of it, later on
        and in another thread."""
        client = self.client

        async def go() -> None:
            try:
                asking = client.run(call, *arguments, workers=[worker], on_error="return")
                answers = await asyncio.wait_for(asking, _ANSWER_SECONDS)
                heard(worker, answers[worker])
            except Exception as error:
                heard(worker, error)

        client.loop.add_callback(go)

    @staticmethod
    def lost_worker(error: BaseException | None) -> bool:
        """Whether a task has this error because its worker died."""
        from distributed.scheduler import KilledWorker

        return isinstance(error, KilledWorker)

    def threads(self) -> int:
        """Threads of all workers now."""
        return sum(self.workers().values())

    def workers(self) -> Mapping[str, int]:
        """The workers that are there now, by their addresses, and the threads of each."""
        found = self.client.scheduler_info(n_workers=-1)["workers"]
        return {str(address): int(worker["nthreads"]) for address, worker in found.items()}

    def started(self) -> set[Any]:
        """Keys of the tasks that workers have, as against those that wait at the scheduler."""
        return {key for keys in self.client.processing().values() for key in keys}

    def show(self, counts: Mapping[str, tuple[int, int]]) -> None:
        """Have the cluster's own progress bar show, for what keys begin with, how many tiles there are and how many are done."""
        progress_bar.show(self.client, counts)

    def replace(self, seen: set[int]) -> Sequence[int]:
        """Replace workers that have stood still since `seen` was filled by the last call, and fill it anew."""
        return []

    def tend(self) -> Sequence[str]:
        """Look after what computes, every few seconds of a run; returns what a user should know.

        AbortedError where the cluster will not come to have workers.
        """
        return []


@dataclass(frozen=True)
class Kind:
    """A kind of cluster.

    `lasting`: it goes on without the process that has connected to it, so that a driver can be left with it.
    `accepts` whether a name means this kind; `check` raises SpecError for one that does and cannot be used; `connect`
    makes or finds the cluster and leaves its end to the stack. `written` is how a user writes its name. `enter` is called
    before anything else is done: where every process of a job is started with the same command, it turns all but one
    into workers and never returns in them.
    """

    written: str
    accepts: Callable[[str], bool]
    connect: Callable[[contextlib.ExitStack, str, Wanted], Cluster]
    check: Callable[[str, Wanted], None] = lambda name, wanted: wanted.certificates.check(name)
    enter: Callable[[Wanted], None] = lambda wanted: None
    lasting: bool = False


def quietly(close: Callable[[], Any]) -> None:
    """Closing may fail when the other side is gone already, which is then of no interest."""
    with contextlib.suppress(Exception):
        close()
