"""What the progress bar of Dask counts beside tasks; runs in the scheduler's process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from distributed.diagnostics.plugin import SchedulerPlugin
from distributed.scheduler import TaskGroup, TaskPrefix
from distributed.utils import key_split

DONE, TO_COME = "released", "waiting"
"""States of Dask's tasks that say what is meant: computed and let go, and not ready to run."""


class Counted(SchedulerPlugin):  # type: ignore[misc]  # Dask has no types
    """Groups of a scheduler's tasks that hold numbers and no tasks, by client and name; those of a client go with it."""

    name = "spinsweep-counted"

    def __init__(self, scheduler: Any) -> None:
        self._scheduler = scheduler
        self._groups: dict[tuple[str, str], Any] = {}
        self._newest: dict[str, int] = {}

    def count(self, client: str, number: int, counts: Mapping[str, tuple[int, int]]) -> None:
        """Put in, for each name of tasks, how many there are of a sweep in all and how many are done; (0, 0) takes them out.

        What a client has sent with a lower `number` than the newest is out of date.
        """
        if client not in self._scheduler.clients or number < self._newest.get(client, number):
            return
        self._newest[client] = number
        for name, (total, done) in counts.items():
            prefix = self._scheduler.task_prefixes.get(key_split((name, 0)))
            group = self._groups.get((client, name))
            if (
                group is not None and group.prefix is not prefix
            ):  # the scheduler was restarted, and knows neither any more
                del self._groups[client, name]
                group = None
            if prefix is None or (group is None and not total):  # none of its tasks has come, or nothing is shown of it
                continue
            if group is None:
                group = self._groups[client, name] = TaskGroup(f"{name}-counted", prefix)
            own = self._scheduler.task_groups.get(name)
            known = 0 if own is None else sum(n for state, n in own.states.items() if state != "forgotten")
            self._put(prefix, group, DONE, done)
            self._put(prefix, group, TO_COME, max(0, total - done - known))
            if not total:
                self._remove(client, name)

    def _put(self, prefix: TaskPrefix, group: TaskGroup, state: str, number: int) -> None:
        change = number - group.states[state]
        group.states[state] += change
        prefix.states[state] += change

    def _remove(self, client: str, name: str) -> None:
        """Take a group out again, as the scheduler does when all its tasks are forgotten."""
        group = self._groups.pop((client, name))
        for state in (DONE, TO_COME):
            self._put(group.prefix, group, state, 0)
        group.prefix.remove_group(group)

    def remove_client(self, scheduler: Any, client: str) -> None:
        """A driver that was killed takes its numbers along."""
        self._newest.pop(client, None)
        for owner, name in list(self._groups):
            if owner == client:
                self._remove(owner, name)


def counted(scheduler: Any) -> Counted:
    """That of a scheduler; the first call makes it."""
    if Counted.name not in scheduler.plugins:
        scheduler.add_plugin(Counted(scheduler), name=Counted.name)
    found: Counted = scheduler.plugins[Counted.name]
    return found
