"""What a user sees while a sweep runs: one live line on a terminal, plain lines in a pipe."""

from __future__ import annotations

import time
from typing import TextIO

from sweep.quantities import duration

_LIVE_SECONDS = 0.2
_PLAIN_SECONDS = 10.0
_RATE_SECONDS = 30.0
"""The rate is that of about the last half minute."""
_SURE_SECONDS = 1.0
"""So long after the first tile a rate says something."""
STARTING = "starting, compiling"


class Progress:
    """Counts points and says so."""

    def __init__(self, stream: TextIO, total: int = 0, quiet: bool = False) -> None:
        self.total = total
        self.done = 0
        self.failed = 0
        self._stream = stream
        self._quiet = quiet
        self._live = stream.isatty() and not quiet
        self._marks: list[tuple[float, int]] = []
        self._said = 0.0
        self._said_share = -1.0
        self._width = 0

    def start(self, total: int, done: int, failed: int) -> None:
        """Begin with what earlier drivers have done; the rate counts from the first tile on, so that no start-up is in it."""
        self.total, self.done, self.failed = total, done, failed
        self._marks = []

    def add(self, points: int, failed: int = 0) -> None:
        """Points of a committed tile."""
        self.done += points
        self.failed += failed
        now = time.monotonic()
        self._marks.append((now, self.done))
        while len(self._marks) > 2 and self._marks[1][0] < now - _RATE_SECONDS:
            self._marks.pop(0)

    def tick(self, now: float | None = None) -> None:
        """Say where things are, if it is time to."""
        now = time.monotonic() if now is None else now
        share = self.done / max(self.total, 1)
        due = now - self._said >= (_LIVE_SECONDS if self._live else _PLAIN_SECONDS)
        if self._live or due or share - self._said_share >= 0.25:
            if self._quiet or (self._live and not due):
                return
            self._said, self._said_share = now, share
            self._write(self.line())

    def line(self) -> str:
        """`done/total points, points per second, time left, failed`."""
        parts = [f"{self.done:,}/{self.total:,} points ({100 * self.done / max(self.total, 1):.0f} %)"]
        if not self._marks:
            parts.append(STARTING)
        elif (rate := self._rate()) > 0:
            parts.append(f"{rate:,.0f} points/s" if rate >= 10 else f"{rate:.2g} points/s")
            if self.done < self.total:
                parts.append(f"{duration((self.total - self.done) / rate)} left")
        parts.append(f"{self.failed:,} failed")
        return ", ".join(parts)

    def _rate(self) -> float:
        """Points per second since the oldest mark; 0 while nobody can know."""
        (began, before), (until, after) = self._marks[0], self._marks[-1]
        return (after - before) / (until - began) if until - began >= _SURE_SECONDS else 0.0

    def say(self, text: str) -> None:
        """A line of its own."""
        self.clear()
        if not self._quiet:
            print(text, file=self._stream, flush=True)

    def clear(self) -> None:
        """Wipe the live line."""
        if self._live and self._width:
            self._stream.write("\r" + " " * self._width + "\r")
            self._stream.flush()
            self._width = 0

    def _write(self, text: str) -> None:
        if not self._live:
            print(text, file=self._stream, flush=True)
            return
        self._stream.write("\r" + text.ljust(self._width))
        self._stream.flush()
        self._width = len(text)
