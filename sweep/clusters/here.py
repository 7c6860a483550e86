"""`here`: no cluster at all; a process beside ours computes, which may crash or hang without harm to the driver.

For sweeps of a few core-seconds, for which workers would take longer to start than to compute. Where a sweep turns out to be
a long one, it goes on with a cluster.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from sweep.clusters.cluster import Cluster, Kind, Task, Wanted
from sweep.clusters.processes import is_stopped, kill
from sweep.plan.companion import Companion, CompanionLost

HERE = "here"
SMALL_SECONDS = 3.0
"""A sweep of so many core-seconds needs no cluster: to start one takes about as long."""
PATIENCE_SECONDS = 20.0
"""What takes so much longer than SMALL_SECONDS was not small after all."""
_LOOK_SECONDS = 0.2
_QUIET_SECONDS = 0.5
"""A call as short as this is not looked after."""


@dataclass(frozen=True)
class Here(Cluster):
    """The process, and later the cluster that has taken over from it (`more` connects one)."""

    client: Any = None
    ours: bool = True
    companion: Companion = field(kw_only=True)
    more: Callable[[], Cluster] | None = None
    began: float = field(default_factory=time.monotonic)
    _grown: list[Cluster] = field(default_factory=list)

    @property
    def dashboard(self) -> str:
        return self._grown[0].dashboard if self._grown else ""

    @property
    def place(self) -> str:
        return f"{HERE}, then {self._grown[0].place}" if self._grown else HERE

    @property
    def connected(self) -> bool:
        return all(cluster.connected for cluster in self._grown)

    def submit(
        self,
        call: Callable[..., Any],
        *arguments: Any,
        key: Hashable,
        workers: Collection[str] | None = None,
        priority: int = 0,
    ) -> Task:
        if self._grown:
            return self._grown[0].submit(call, *arguments, key=key)
        return self.companion.call(f"{call.__module__}:{call.__qualname__}", *arguments, key=key)

    @staticmethod
    def lost_worker(error: BaseException | None) -> bool:
        return isinstance(error, CompanionLost) or Cluster.lost_worker(error)

    def threads(self) -> int:
        return sum(cluster.threads() for cluster in self._grown) or 1

    def started(self) -> set[Any]:
        call, _ = self.companion.busy()
        return {call.key for call in (call,) if call is not None}.union(*(c.started() for c in self._grown))

    def show(self, counts: Mapping[str, tuple[int, int]]) -> None:
        for cluster in self._grown:
            cluster.show(counts)

    def replace(self, seen: set[int]) -> Sequence[int]:
        """Replace the process where it stands still; where the sweep takes too long, go on with a cluster."""
        if self._grown:
            return self._grown[0].replace(seen)
        pid = self.companion.pid
        frozen = {pid} if pid is not None and is_stopped(pid) else set()
        killed = sorted(frozen & seen)
        seen.clear()
        seen |= frozen
        for one in killed:
            kill(one)
        if self.more is not None and time.monotonic() - self.began > PATIENCE_SECONDS:
            self._grow(self.more)
        return killed

    def tend(self) -> Sequence[str]:
        return [text for cluster in self._grown for text in cluster.tend()]

    def _grow(self, more: Callable[[], Cluster]) -> None:
        """Give what waits to a cluster; the process finishes what it is at, however long that takes."""
        waiting = self.companion.take_back()
        if not waiting:
            return
        cluster = more()
        for call in waiting:
            if call.set_running_or_notify_cancel():
                future = cluster.submit(call.resolve(), *call.arguments, key=call.key)
                future.add_done_callback(call.follow)
        self._grown.append(cluster)


@contextlib.contextmanager
def here(
    companion: Companion | None = None,
    preload: str | None = None,
    more: Callable[[], AbstractContextManager[Cluster]] | None = None,
) -> Iterator[Here]:
    """The process for the time of a `with` block; `companion` is one that is there already and ends with its owner."""
    with contextlib.ExitStack() as stack:
        own = companion or stack.enter_context(Companion())
        own.call("sweep.plan.companion:speak")
        if preload:
            own.call("sweep.plan.companion:load", preload)
        connected = Here(companion=own, more=None if more is None else lambda: stack.enter_context(more()))
        over = threading.Event()
        watch = threading.Thread(target=_watch, args=(own, over), name="memory", daemon=True)
        watch.start()
        stack.callback(watch.join)
        stack.callback(over.set)
        yield connected


def _watch(companion: Companion, over: threading.Event) -> None:
    """End a process that fills the memory: the point that does is then found as any that takes its process down."""
    while not over.wait(_LOOK_SECONDS):
        call, seconds = companion.busy()
        if call is not None and seconds > _QUIET_SECONDS and companion.fills_the_memory():
            companion.kill()


def _connect(stack: contextlib.ExitStack, name: str, wanted: Wanted) -> Cluster:
    return stack.enter_context(here(preload=wanted.preload))


KIND = Kind(HERE, lambda name: name == HERE, _connect)
