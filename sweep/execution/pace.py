"""How fast a run goes and how long it will: from what was committed of late, weighed by what tiles were predicted to cost.

The most expensive tiles are computed first. Points per second therefore rise towards the end, and what is left divided by
them would be far too long at the beginning; predicted seconds per second stay about the same.
"""

from __future__ import annotations

_WINDOW_SECONDS = 30.0
"""The pace is that of about the last half minute, or of a few commits where tiles take long."""
_LEAST_MARKS = 5
_TOGETHER_SECONDS = 0.05
"""Tiles that are committed together are one mark."""
_SURE_SECONDS = 1.0
"""So long after the first tile a pace says something; start-up is not in it."""


class Pace:
    """Takes what is committed, and when, on any clock. `points` and `cost` are what is left; a cost of 0 means unknown."""

    def __init__(self, points: int, cost: float = 0.0) -> None:
        self._points = points
        self._cost = cost
        self._weighed = cost > 0
        self._marks: list[tuple[float, int, float]] = []

    @property
    def begun(self) -> bool:
        """Whether anything was committed yet."""
        return bool(self._marks)

    def add(self, now: float, points: int, cost: float = 0.0) -> None:
        """Points of a committed tile, and what it was predicted to cost."""
        self._points -= points
        self._cost -= cost
        mark = (now, self._points, self._cost)
        if len(self._marks) > 1 and now - self._marks[-1][0] < _TOGETHER_SECONDS:
            self._marks[-1] = (self._marks[-1][0], *mark[1:])
        elif self._marks and now - self._marks[-1][0] < _TOGETHER_SECONDS:
            self._marks[0] = (self._marks[0][0], *mark[1:])
        else:
            self._marks.append(mark)
        while len(self._marks) > _LEAST_MARKS and self._marks[1][0] < now - _WINDOW_SECONDS:
            self._marks.pop(0)

    @property
    def rate(self) -> float:
        """Points per second; 0 while nobody can know."""
        seconds = self._seconds()
        return (self._marks[0][1] - self._marks[-1][1]) / seconds if seconds else 0.0

    def left(self, now: float | None = None) -> float | None:
        """Seconds that are left, as seen at the last commit or, with `now`, since then; None while nobody can know."""
        seconds = self._seconds()
        if self._points <= 0:
            return 0.0
        if not seconds:
            return None
        place, rest = (2, max(self._cost, 0.0)) if self._weighed else (1, self._points)
        gone = self._marks[0][place] - self._marks[-1][place]
        if gone <= 0:
            return None
        found = rest * seconds / gone
        return found if now is None else max(found - (now - self._marks[-1][0]), 0.0)

    def _seconds(self) -> float:
        if len(self._marks) < 2:
            return 0.0
        seconds = self._marks[-1][0] - self._marks[0][0]
        return seconds if seconds >= _SURE_SECONDS else 0.0
