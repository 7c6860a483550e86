"""Pilots for one sweep after another: while a sweep is computed and looked at, the next one's pilot is away already.

Two processes take turns, so that small sweeps do not wait for one to start.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Hashable, Iterator, Mapping

from sweep.plan.companion import Companion
from sweep.plan.pilot import Pilot
from sweep.records import Json

PROCESSES = 2


class PilotsAhead:
    """The pilots for mappings of specs, which are asked for in the order given; use it as a context manager."""

    def __init__(self, specs: Mapping[Hashable, Json]) -> None:
        self._waiting = deque(specs.items())
        self._sent: dict[Hashable, Pilot] = {}

    def __enter__(self) -> PilotsAhead:
        for _ in range(PROCESSES):
            self._send(None)
        return self

    def __exit__(self, *_: object) -> None:
        for pilot in self._sent.values():
            pilot.companion.close()

    @contextlib.contextmanager
    def pilot(self, key: Hashable) -> Iterator[Pilot | None]:
        """The pilot of a spec, None if there is none for it; its process has the next one after the `with` block."""
        sent = self._sent.pop(key, None)
        if sent is None:
            yield None
            return
        with contextlib.ExitStack() as stack:
            stack.callback(sent.companion.close)
            yield sent
            if self._waiting and not sent.companion.closed:
                stack.pop_all()
                self._send(sent.companion)
            else:
                self._send(None)

    def _send(self, companion: Companion | None) -> None:
        if self._waiting:
            key, raw = self._waiting.popleft()
            self._sent[key] = Pilot(raw, companion)
