"""A run that is open for work: its folder, plan, store, and what is committed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sweep.folder.committed import Committed
from sweep.folder.point_errors import PointError
from sweep.folder.run_folder import RunFolder
from sweep.folder.store import Store
from sweep.plan.tiling import Plan


@dataclass(frozen=True)
class OpenRun:
    """A run whose lease is held."""

    folder: RunFolder
    plan: Plan
    store: Store
    committed: Committed
    recorded: Mapping[tuple[int, int], PointError] = field(default_factory=dict)
    """What is recorded already of points that are computed again, by (tile, place): equal words are not written twice."""


@dataclass(frozen=True)
class TileToDo:
    """A tile with points to compute: `done` of its `points` are done already; `cost` in seconds.

    `before` are its packed codes, with 0 for what is to be computed; empty where that is everything.
    """

    index: int
    points: int
    done: int
    cost: float
    before: str = ""
