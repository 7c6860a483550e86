"""Pilot timings: a few points of the sweep, solved in this process, tell how long a point takes.

They also leave the compiled kernels in the cache, where the workers find them.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from solvers import evaluate
from sweep.plan import sample_points
from sweep.spec import SweepSpec

FIRST_SECONDS = 300.0
"""Longest wait for the first point, in which the kernels may have to be compiled."""
MORE_SECONDS = 20.0
"""Longest wait for the points after it."""
ENOUGH_SECONDS = 0.1
BATCHES = (1, 4, 16, 64, 256)


@dataclass
class Pilot:
    """What the pilot has found: seconds per point by method, and the first call's seconds (compilation included)."""

    seconds: dict[str, float] = field(default_factory=dict)
    first: dict[str, float] = field(default_factory=dict)

    def costliest(self) -> float:
        """Seconds per point of the slowest method."""
        return max(self.seconds.values(), default=1.0)

    def total(self, spec: SweepSpec) -> float:
        """Seconds of one core for the whole sweep."""
        return sum(self.seconds.values()) * spec.points / len(spec.methods)


def run_pilot(spec: SweepSpec) -> Pilot:
    """Time a few points per method.

    A point that takes longer than the waits above counts as long as it was waited for: tiles are then single points.
    """
    pilot = Pilot()
    for method in spec.methods:
        _time(spec, method, pilot)
    return pilot


def _time(spec: SweepSpec, method: str, pilot: Pilot) -> None:
    began = time.perf_counter()
    first_done = threading.Event()
    done = threading.Event()

    def work() -> None:
        try:
            _solve(spec, method, 1)
            pilot.first[method] = time.perf_counter() - began
            first_done.set()
            for count in BATCHES:
                start = time.perf_counter()
                _solve(spec, method, count)
                took = time.perf_counter() - start
                pilot.seconds[method] = took / count
                if took > ENOUGH_SECONDS:
                    break
        finally:
            first_done.set()
            done.set()

    thread = threading.Thread(target=work, name="pilot", daemon=True)
    thread.start()
    first_done.wait(FIRST_SECONDS)
    done.wait(MORE_SECONDS)
    pilot.seconds.setdefault(method, time.perf_counter() - began)
    pilot.first.setdefault(method, time.perf_counter() - began)


def _solve(spec: SweepSpec, method: str, count: int) -> None:
    points = sample_points(spec, method, count)
    fixed = {name: value for name, value in spec.parameters.items() if value is not None}
    evaluate(spec.model, method, points=points, parameters=fixed, keep=spec.keep, isolate=True)
