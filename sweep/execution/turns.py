"""Whose tiles go first where several sweeps share a scheduler: those of the sweep with the least left to compute.

Dask's scheduler gives out tasks by (-priority, when they came), the lowest first. A sweep with more than EQUAL_SECONDS left gives
its tiles a priority below 0, one less for every doubling: a small sweep then need not wait for a huge one, and what else people
compute on their scheduler goes before either. Sweeps of one priority, and of less work than that, take turns tile by tile, since
each has only a window of tiles there. Within a sweep tiles keep their order: when its priority rises, what waits at the
scheduler is taken back and given to it anew, in the same order.

A sweep that hears nothing for long has been kept waiting by others. It gives its first tile anew with priority 0, so that
it goes on however many smaller ones come.
"""

from __future__ import annotations

import math

EQUAL_SECONDS = 64.0
"""Core-seconds; sweeps of less are not told apart."""
PATIENCE_SECONDS = 5.0
"""So long at least a sweep lets others go first, and three times as long as one of its tiles takes."""
_TILES = 3.0


class Turns:
    """The priority of a sweep's tiles. `seconds` are left, of one core; `longest` is what a tile may take; `now` by any clock."""

    def __init__(self, seconds: float, longest: float, now: float) -> None:
        self._left = seconds
        self._longest = longest
        self._heard = now
        self._first = False
        self._given = self.level

    @property
    def level(self) -> int:
        """How often the work that is left halves until it is as little as that of any small sweep."""
        return max(0, math.ceil(math.log2(self._left / EQUAL_SECONDS))) if self._left > EQUAL_SECONDS else 0

    def heard(self, now: float, cost: float, seconds: float) -> None:
        """A tile has come back, which was predicted to cost and did take so many seconds."""
        self._left -= cost
        self._longest = max(self._longest, seconds)
        self._heard = now

    def over(self, now: float) -> bool:
        """Whether what waits at the scheduler is to be given to it anew: with another priority, or with its first tile ahead."""
        if self.level != self._given:
            self._given = self.level
            return True
        if self._given and now - self._heard > max(PATIENCE_SECONDS, _TILES * self._longest):
            self._heard = now
            self._first = True
        return self._first

    def priority(self) -> int:
        """Of the next task, as Dask takes it."""
        first, self._first = self._first, False
        return 0 if first else -self._given
