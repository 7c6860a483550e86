"""What a pilot does, in a process of its own: times a few points of a sweep, and tells as it goes."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Mapping
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from solvers import evaluate, find
from sweep.plan.findings import Finding
from sweep.plan.sampling import sample_points
from sweep.records import Json
from sweep.spec.parsing import parse
from sweep.spec.sweep_spec import SweepSpec

SINGLES, SINGLES_SECONDS = 16, 0.5
FIRST_SECONDS, AGAIN_SECONDS = 5.0, 9.0
"""A first timing, and one of which more was known, that took longer is not repeated: it may be all that a pilot has time for."""
STANDS_OUT = 3.0
"""A timing so many times what was expected is measured again: a machine that was busy for a moment is not a costly point."""
BATCHES, ENOUGH_SECONDS = (16, 64, 256), 0.1


def measure(raw: Json) -> Iterator[Finding]:
    """Time the methods of a spec."""
    spec = parse(raw)
    for method in spec.methods:
        began = time.perf_counter()
        evaluate(spec.model, method, points={}, parameters=find(spec.model).example, isolate=True)
        yield Finding(compiling={method: time.perf_counter() - began})
        yield from _time(spec, method)
        yield Finding(done=method)
    yield Finding(memory=int(psutil.Process().memory_info().rss))


def _time(spec: SweepSpec, method: str) -> Iterator[Finding]:
    """Single points for how the cost varies, as long as they are quick, and then batches for what a point costs in one."""
    singles: list[float] = []
    began = time.perf_counter()
    for number in range(SINGLES):
        points, place = sample_points(spec, np.asarray([number]))
        # The first may have taken kernels that the example did not.
        expected = float(np.median(singles)) if singles else 0.0
        took = yield from _settled(spec, method, points, expected)
        singles.append(took)
        yield Finding(sample={method: (tuple(place[0].tolist()), took)}, seconds={method: sum(singles) / len(singles)})
        if time.perf_counter() - began > SINGLES_SECONDS:
            return
    each = sum(singles) / len(singles)
    for count in BATCHES:
        took = yield from _settled(spec, method, sample_points(spec, np.arange(count))[0], count * each)
        each = took / count
        yield Finding(seconds={method: each})
        if took > ENOUGH_SECONDS:
            return


def _settled(
    spec: SweepSpec, method: str, points: Mapping[str, NDArray[Any]], expected: float
) -> Generator[Finding, None, float]:
    """Seconds that these points take: where they stand out, the shorter of two measurements."""
    took = _solve(spec, method, points)
    if STANDS_OUT * expected < took < (AGAIN_SECONDS if expected else FIRST_SECONDS):
        yield Finding()  # a sign of life
        took = min(took, _solve(spec, method, points))
    return took


def _solve(spec: SweepSpec, method: str, points: Mapping[str, NDArray[Any]]) -> float:
    """Seconds that these points take."""
    began = time.perf_counter()
    evaluate(spec.model, method, points=points, parameters=spec.fixed(points), keep=spec.keep, isolate=True)
    return time.perf_counter() - began
