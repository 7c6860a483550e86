"""What a user sees while a sweep runs: one live line on a terminal, plain lines in a pipe, a bar in a notebook."""

from __future__ import annotations

import time
from typing import TextIO

from sweep.execution.notebook_bar import NotebookBar, notebook_bar
from sweep.execution.pace import Pace
from sweep.execution.terminal_line import TerminalLine
from sweep.quantities import duration

_LIVE_SECONDS = 0.2
_PLAIN_SECONDS = 10.0
STARTING = "starting, compiling"


class Progress:
    """Counts points and says so."""

    def __init__(self, stream: TextIO, total: int = 0, quiet: bool = False) -> None:
        self.total = total
        self.done = 0
        self.failed = 0
        self.warned = 0
        self._stream = stream
        self._quiet = quiet
        self._terminal = TerminalLine(stream) if stream.isatty() and not quiet else None
        self._bar: NotebookBar | None = None if quiet or self._terminal else notebook_bar(stream)
        self._pace = Pace(total)
        self._said = 0.0
        self._said_share = -1.0

    def start(self, total: int, done: int, failed: int, warned: int = 0, cost: float = 0.0) -> None:
        """Begin with what earlier drivers have done; `cost` is what the rest was predicted to take, in seconds of one worker.

        The rate counts from the first tile on, so that no start-up is in it.
        """
        self.total, self.done, self.failed, self.warned = total, done, failed, warned
        self._pace = Pace(total - done, cost)

    def add(self, points: int, failed: int = 0, warned: int = 0, cost: float = 0.0) -> None:
        """Points of a committed tile, which was predicted to cost so many seconds."""
        self.done += points
        self.failed += failed
        self.warned += warned
        self._pace.add(time.monotonic(), points, cost)

    def tick(self, now: float | None = None) -> None:
        """Say where things are, if it is time to."""
        now = time.monotonic() if now is None else now
        share = self.done / max(self.total, 1)
        live = self._terminal is not None or self._bar is not None
        due = now - self._said >= (_LIVE_SECONDS if live else _PLAIN_SECONDS)
        if self._quiet or not (due or (not live and share - self._said_share >= 0.25)):
            return
        self._said, self._said_share = now, share
        if self._terminal is not None:
            self._terminal.show(share, self.line())
        elif self._bar is not None:
            self._bar.show(self.done, self.total, self.line())
        else:
            print(self.line(), file=self._stream, flush=True)

    def line(self) -> str:
        """`done/total points, points per second, time left, failed, with a warning`."""
        return line_of(self.done, self.total, self.failed, self.warned, self._pace, time.monotonic())

    def say(self, text: str) -> None:
        """A line of its own."""
        self.clear()
        if not self._quiet:
            print(text, file=self._stream, flush=True)

    def clear(self) -> None:
        """Wipe the live line; a bar in a notebook stays, as it is now."""
        if self._terminal is not None:
            self._terminal.clear()
        if self._bar is not None:
            self._bar.settle(self.done, self.total, self.line())


def line_of(done: int, total: int, failed: int, warned: int, pace: Pace, now: float | None) -> str:
    """Where a run is, in one line; `now` by the clock of the pace."""
    parts = [f"{done:,}/{total:,} points ({100 * done / max(total, 1):.0f} %)"]
    rate = pace.rate
    if not pace.begun and done < total:
        parts.append(STARTING)
    elif rate > 0:
        parts.append(f"{rate:,.0f} points/s" if rate >= 10 else f"{rate:.2g} points/s")
        left = pace.left(now)
        if done < total and left is not None:
            parts.append(f"{duration(left)} left")
    parts.append(f"{failed:,} failed")
    if warned:
        parts.append(f"{warned:,} with a warning")
    return ", ".join(parts)
