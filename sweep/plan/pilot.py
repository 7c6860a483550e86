"""Pilot timings: a few points of the sweep, solved in a process of their own, tell how long a point takes.

The process may crash or hang on a point without harm to the driver, works while its caller checks the spec, and leaves the
compiled kernels in the cache, where the workers find them. This file loads little, so that a pilot can be sent out first.
"""

from __future__ import annotations

import contextlib
import queue
import time
from concurrent.futures import Future
from typing import Any

from sweep.plan.companion import Companion
from sweep.plan.findings import Finding
from sweep.plan.timings import Timings, unknown
from sweep.records import Json

COMPILE_SECONDS = 300.0
"""Longest wait for the model's example, which takes a second once its kernels are compiled."""
POINT_SECONDS = 10.0
"""Longest wait for points of the sweep itself."""
_LOOK_SECONDS = 0.5

_MEASURING = "sweep.plan.measuring"


def ready() -> Companion:
    """A companion that gets ready for a pilot."""
    return Companion(_MEASURING)


class Pilot:
    """A pilot under way, for the mapping of a spec; use it as a context manager, so that it never outlives its caller.

    `companion` has the kernels loaded when the timings are there.
    """

    def __init__(self, raw: Json, companion: Companion | None = None) -> None:
        self.companion = companion or ready()
        self._news: queue.SimpleQueue[Finding | None] = queue.SimpleQueue()
        self._timings: Timings | None = None
        call = self.companion.call(f"{_MEASURING}:measure", raw, heard=self._news.put)
        call.add_done_callback(self._ended)

    def __enter__(self) -> Pilot:
        return self

    def __exit__(self, *_: object) -> None:
        self.companion.close()

    def _ended(self, call: Future[Any]) -> None:
        self._news.put(None)

    def result(self, methods: tuple[str, ...]) -> Timings:
        """Wait for the timings. A point that does not end, or ends the process, counts as long as it was waited for."""
        if self._timings is None:
            self._timings = self._wait(methods)
        return self._timings

    def _wait(self, methods: tuple[str, ...]) -> Timings:
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
        if self.companion.busy()[0] is not None:
            self.companion.kill()
        return Timings({**unknown(methods), **seconds}, samples, compiling, memory)

    def _next(self, seconds: float) -> Finding | None:
        """The next finding; None at the end, after so many seconds, or when the process fills the memory."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            with contextlib.suppress(queue.Empty):
                return self._news.get(timeout=_LOOK_SECONDS)
            if self.companion.fills_the_memory():
                return None
        return None
