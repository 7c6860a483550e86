"""Pilot timings: a few points of the sweep, solved in a process of their own, tell how long a point takes.

The process may crash or hang on a point without harm to the driver, runs while the cluster starts, and leaves the
compiled kernels in the cache, where the workers find them.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from sweep.plan.sampling import sample_points
from sweep.plan.timings import UNKNOWN_SECONDS, Timings
from sweep.records import Record
from sweep.spec.parsing import parse
from sweep.spec.sweep_spec import SweepSpec

COMPILE_SECONDS = 300.0
"""Longest wait for the model's example, which takes a second once its kernels are compiled."""
POINT_SECONDS = 10.0
"""Longest wait for points of the sweep itself."""
_LOOK_SECONDS = 0.2
SINGLES, SINGLES_SECONDS = 16, 0.5
AGAIN_SECONDS = 5.0
BATCHES, ENOUGH_SECONDS = (16, 64, 256), 0.1
_ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL", "NUMBA")}


@dataclass(frozen=True)
class Finding(Record):
    """A line of a pilot's output: timings as they come, by method, and the method that is `done`."""

    seconds: Mapping[str, float] = field(default_factory=dict)
    sample: Mapping[str, tuple[tuple[float, ...], float]] = field(default_factory=dict)
    compiling: Mapping[str, float] = field(default_factory=dict)
    memory: int | None = None
    done: str | None = None


class PilotProcess:
    """A pilot under way; use it as a context manager, so that it never outlives its caller."""

    def __init__(self, spec: SweepSpec) -> None:
        self._spec = spec
        self._news: queue.SimpleQueue[Finding | None] = queue.SimpleQueue()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "sweep.plan.pilot"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **_ONE_THREAD, "PYTHONPATH": _import_path()},
            text=True,
        )
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(self._spec.raw))
        self._process.stdin.close()
        threading.Thread(target=self._read, name="pilot", daemon=True).start()

    def __enter__(self) -> PilotProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._news.put(Finding.from_json(json.loads(line), "the pilot process"))
        self._news.put(None)

    def result(self) -> Timings:
        """Wait for the timings. A point that does not end, or ends the process, counts as long as it was waited for."""
        seconds: dict[str, float] = {}
        compiling: dict[str, float] = {}
        samples: dict[str, tuple[tuple[tuple[float, ...], float], ...]] = {}
        memory = 0
        wait = COMPILE_SECONDS
        while (news := self._next(wait)) is not None:
            wait = COMPILE_SECONDS if news.done else POINT_SECONDS
            memory = news.memory or memory
            seconds.update(news.seconds)
            compiling.update(news.compiling)
            for method, sample in news.sample.items():
                samples[method] = (*samples.get(method, ()), sample)
        unknown = dict.fromkeys(self._spec.methods, UNKNOWN_SECONDS)
        return Timings(unknown | seconds, samples, compiling, memory)

    def _next(self, seconds: float) -> Finding | None:
        """The next finding; None at the end, after so many seconds, or when the process fills the memory."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            with contextlib.suppress(queue.Empty):
                return self._news.get(timeout=_LOOK_SECONDS)
            with contextlib.suppress(psutil.Error):
                if psutil.Process(self._process.pid).memory_info().rss > 0.5 * psutil.virtual_memory().total:
                    return None
        return None


def _import_path() -> str:
    """PYTHONPATH with which a new process finds this very package, installed or not."""
    own = str(Path(__file__).resolve().parents[2])
    return os.pathsep.join([own, *filter(None, [os.environ.get("PYTHONPATH", "")])])


def run_pilot(spec: SweepSpec) -> Timings:
    """Time a few points per method and wait for the result."""
    with PilotProcess(spec) as process:
        return process.result()


def _main() -> None:
    """Time the methods of the spec on standard input; one line of JSON on standard output for every finding."""
    from solvers import evaluate, find

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the caller decides what Ctrl-C means
    spec = parse(json.load(sys.stdin))
    for method in spec.methods:
        began = time.perf_counter()
        evaluate(spec.model, method, points={}, parameters=find(spec.model).example, isolate=True)
        _tell(Finding(compiling={method: time.perf_counter() - began}))
        _time(spec, method)
        _tell(Finding(done=method))
    _tell(Finding(memory=int(psutil.Process().memory_info().rss)))


def _time(spec: SweepSpec, method: str) -> None:
    """Single points for how the cost varies, as long as they are quick, and then batches for what a point costs in one."""
    spent = 0.0
    for number in range(SINGLES):
        points, place = sample_points(spec, np.asarray([number]))
        took = _solve(spec, method, points)
        if number == 0 and took < AGAIN_SECONDS:  # these parameters may have taken kernels that the example did not
            took = min(took, _solve(spec, method, points))
        spent += took
        _tell(Finding(sample={method: (tuple(place[0].tolist()), took)}, seconds={method: spent / (number + 1)}))
        if spent > SINGLES_SECONDS:
            return
    for count in BATCHES:
        took = _solve(spec, method, sample_points(spec, np.arange(count))[0])
        _tell(Finding(seconds={method: took / count}))
        if took > ENOUGH_SECONDS:
            return


def _solve(spec: SweepSpec, method: str, points: Mapping[str, NDArray[Any]]) -> float:
    """Seconds that these points take."""
    from solvers import evaluate

    began = time.perf_counter()
    evaluate(spec.model, method, points=points, parameters=spec.fixed(points), keep=spec.keep, isolate=True)
    return time.perf_counter() - began


def _tell(news: Finding) -> None:
    print(json.dumps(news.to_json()), flush=True)


if __name__ == "__main__":
    _main()
