"""What a pilot's process tells on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sweep.records import Record


@dataclass(frozen=True)
class Finding(Record):
    """Timings as they come, by method, and the method that is `done`."""

    seconds: Mapping[str, float] = field(default_factory=dict)
    sample: Mapping[str, tuple[tuple[float, ...], float]] = field(default_factory=dict)
    compiling: Mapping[str, float] = field(default_factory=dict)
    memory: int | None = None
    done: str | None = None
