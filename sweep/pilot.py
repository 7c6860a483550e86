"""Pilot timings: a few points of the sweep, solved in a process of their own, tell how long a point takes.

The process may crash or hang on a point without harm to the driver, runs while the cluster starts, and leaves the
compiled kernels in the cache, where the workers find them.
"""

from __future__ import annotations

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

from sweep.plan import sample_points
from sweep.spec import SweepSpec, parse

COMPILE_SECONDS = 300.0
"""Longest wait for the model's example, which takes a second once its kernels are compiled."""
POINT_SECONDS = 10.0
"""Longest wait for points of the sweep itself."""
ENOUGH_SECONDS = 0.1
BATCHES = (1, 4, 16, 64, 256)
_ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL", "NUMBA")}


@dataclass
class Pilot:
    """What a pilot has found: seconds per point, and to have the kernels compiled or loaded, by method; memory."""

    seconds: dict[str, float] = field(default_factory=dict)
    compiling: dict[str, float] = field(default_factory=dict)
    memory: int = 0

    def costliest(self) -> float:
        """Seconds per point of the slowest method."""
        return max(self.seconds.values(), default=1.0)

    def total(self, spec: SweepSpec) -> float:
        """Seconds of one core for the whole sweep."""
        return sum(self.seconds.values()) * spec.points / len(spec.methods)


class PilotProcess:
    """A pilot under way; use it as a context manager, so that it never outlives its caller."""

    def __init__(self, raw: Mapping[str, Any], spec: SweepSpec) -> None:
        self._spec = spec
        self._news: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "sweep.pilot"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **_ONE_THREAD, "PYTHONPATH": _import_path()},
            text=True,
        )
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(raw))
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
            self._news.put(json.loads(line))
        self._news.put(None)

    def result(self) -> Pilot:
        """Wait for the timings. A point that does not end, or ends the process, counts as long as it was waited for."""
        pilot = Pilot()
        compiled = False
        while True:
            try:
                news = self._news.get(timeout=POINT_SECONDS if compiled else COMPILE_SECONDS)
            except queue.Empty:
                break
            if news is None:
                break
            compiled = "done" not in news
            pilot.memory = news.get("memory", pilot.memory)
            pilot.seconds.update(news.get("seconds", {}))
            pilot.compiling.update(news.get("compiling", {}))
        for method in self._spec.methods:
            pilot.seconds.setdefault(method, POINT_SECONDS)
        return pilot


def _import_path() -> str:
    """PYTHONPATH with which a new process finds this very package, installed or not."""
    own = str(Path(__file__).resolve().parents[1])
    return os.pathsep.join([own, *filter(None, [os.environ.get("PYTHONPATH", "")])])


def run_pilot(raw: Mapping[str, Any], spec: SweepSpec) -> Pilot:
    """Time a few points per method and wait for the result."""
    with PilotProcess(raw, spec) as process:
        return process.result()


def _main() -> None:
    """Time the methods of the spec on standard input; one line of JSON on standard output for every finding."""
    import psutil

    from solvers import evaluate, find

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the caller decides what Ctrl-C means
    spec = parse(json.load(sys.stdin))
    for method in spec.methods:
        began = time.perf_counter()
        evaluate(spec.model, method, points={}, parameters=find(spec.model).example, isolate=True)
        _tell({"compiling": {method: time.perf_counter() - began}})
        for count in BATCHES:
            began = time.perf_counter()
            _solve(spec, method, count)
            took = time.perf_counter() - began
            _tell({"seconds": {method: took / count}})
            if took > ENOUGH_SECONDS:
                break
        _tell({"done": method})
    _tell({"memory": int(psutil.Process().memory_info().rss)})


def _tell(news: dict[str, Any]) -> None:
    print(json.dumps(news), flush=True)


def _solve(spec: SweepSpec, method: str, count: int) -> None:
    from solvers import evaluate

    points = sample_points(spec, count)
    fixed = {name: value for name, value in spec.parameters.items() if value is not None}
    evaluate(spec.model, method, points=points, parameters=fixed, keep=spec.keep, isolate=True)


if __name__ == "__main__":
    _main()
