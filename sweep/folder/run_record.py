"""`plan.json`: what a run was created with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from sweep.plan.timings import Timings
from sweep.records import Json, Record
from sweep.spec.sweep_spec import SOLVER

FORMAT = 3
"""Version of the layout of a run folder. In format 1 the dimension of the methods was called `method`; in 1 and 2 a
tile was committed by its chunk of `status`, and the journal had no codes."""
SOLVER_IN = {1: "method", 2: SOLVER, FORMAT: SOLVER}
"""The formats that can be read, and what their dimension of the methods is called."""


@dataclass(frozen=True)
class RunRecord(Record):
    """The run's spec and tile, from which its plan follows; hashes of the spec and of the model's sources; the pilot's
    timings, and where it was created. `code_before` are hashes of sources that the user has let go,
    `changes` what `retry --set` has computed points with; `left` the points that a refinement has left pending for good,
    `shards` the tiles along each axis that share a file, of a run that was finalized."""

    FIX: ClassVar[str] = "restore it from a copy, or start a new run in another folder"

    id: str
    name: str
    tile: tuple[int, ...]
    hash: str
    code: str
    spec: Json
    format: int = FORMAT
    pilot: Timings = field(default_factory=Timings)
    created: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    code_before: tuple[str, ...] = ()
    changes: tuple[Mapping[str, Any], ...] = ()
    left: int = 0
    shards: tuple[int, ...] = ()
