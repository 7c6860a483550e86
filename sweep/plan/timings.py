"""Timings: what a pilot has found about the cost of points."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sweep.records import Record

UNKNOWN_SECONDS = 10.0
"""Cost of a point that the pilot did not see the end of."""


def unknown(methods: Iterable[str]) -> Mapping[str, float]:
    """What a point of methods costs of which nothing has been seen."""
    return dict.fromkeys(methods, UNKNOWN_SECONDS)


@dataclass(frozen=True)
class Timings(Record):
    """What a pilot has found, by method.

    `seconds` per point in a batch; `samples`, single points as (places in the grid of 0 to 1 per dimension, seconds);
    `compiling`, seconds to have the kernels compiled or loaded. `memory` of the process in bytes.
    """

    seconds: Mapping[str, float] = field(default_factory=dict)
    samples: Mapping[str, tuple[tuple[tuple[float, ...], float], ...]] = field(default_factory=dict)
    compiling: Mapping[str, float] = field(default_factory=dict)
    memory: int = 0

    def costliest(self) -> float:
        """Seconds per point of the slowest method."""
        return max(self.seconds.values(), default=UNKNOWN_SECONDS)

    def spread(self) -> float:
        """How many times the mean the costliest sampled point takes, at least 1."""
        ratios = [1.0]
        for samples in self.samples.values():
            seconds = [s for _, s in samples]
            ratios.append(max(seconds) / (sum(seconds) / len(seconds)) if len(seconds) > 2 else 1.0)
        return max(ratios)

    def of_one_core(self, points: int) -> float:
        """Seconds of one core for a sweep of so many points, the methods in equal parts."""
        return sum(self.seconds.values()) * points / max(len(self.seconds), 1)
