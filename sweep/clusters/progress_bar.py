"""Dask's progress bar, which then shows a sweep and not only those of its tiles that the scheduler knows at the moment.

The bar counts the tasks of a name by their states, from the numbers that the scheduler keeps for groups of tasks
(`TaskPrefix.states`). The tiles that wait with the driver, and those that are committed and forgotten, are counted there as one
more group of that name: numbers, and no tasks, so that 10^6 tiles cost as little as ten. Where the scheduler has no spinsweep its
bar shows the tiles that are under way.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from distributed import Client


_NUMBERS = itertools.count()
"""Of what is sent: it may arrive in another order."""


def show(client: Client, counts: Mapping[str, tuple[int, int]]) -> None:
    """Have the bar show, for each name of tasks, how many there are in all and how many are done; (0, 0) for no more of it."""
    given, number = {name: list(pair) for name, pair in counts.items()}, next(_NUMBERS)

    async def go() -> None:
        with contextlib.suppress(Exception):  # a run does not fail by what is shown of it
            await client.run_on_scheduler(_count, client.id, number, given)

    client.loop.add_callback(go)


def _count(client: str, number: int, counts: Mapping[str, tuple[int, int]], dask_scheduler: Any = None) -> None:
    """Runs on the scheduler."""
    from sweep.clusters.counted_groups import counted

    counted(dask_scheduler).count(client, number, counts)
