"""A curve of solutions of f(x, c) = 0 from c = 0 to c = 1 by its arc length, through folds where c turns back.

H. B. Keller, in Applications of Bifurcation Theory (1977): a step along the tangent, then Newton's method perpendicular to it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Linearised = Callable[[Vector, float], tuple[Vector, NDArray[np.float64], Vector]]

LONGEST, SHORTEST = 0.1, 1e-9
MOST_STEPS = 4000
_CORRECTIONS = 8
_BEND = 0.97
"""Cosine of the angle between the tangents of neighbouring points, at least."""


def follow_curve(linearised: Linearised, start: Vector) -> Vector | None:
    """The solution (n,) at which the curve from (`start`, c = 0) first meets c = 1; None where it is not found.

    linearised : (x, c) -> f (n,), df/dx (n, n) and df/dc (n,). Steps are in units of x and c alike, both of order one.
    """
    point = np.append(start, 0.0)
    tangent = _tangent(linearised, point, np.append(np.zeros_like(start), 1.0))
    step = LONGEST / 4
    for _ in range(MOST_STEPS):
        if tangent is None or step < SHORTEST:
            return None
        found = _correct(linearised, point + step * tangent, tangent)
        turned = None if found is None else _tangent(linearised, found, tangent)
        if found is None or turned is None or turned @ tangent < _BEND:
            step *= 0.5
            continue
        if found[-1] >= 1.0:
            share = (1.0 - point[-1]) / (found[-1] - point[-1])
            level = np.append(np.zeros_like(start), 1.0)
            meeting = point + share * (found - point)
            meeting[-1] = 1.0
            end = _correct(linearised, meeting, level)
            return None if end is None or np.abs(end - meeting).max() > 2.0 * step else end[:-1]
        point, tangent, step = found, turned, min(1.4 * step, LONGEST)
    return None


def _tangent(linearised: Linearised, point: Vector, before: Vector) -> Vector | None:
    """The unit vector along the curve at a point of it, in the sense of the one before."""
    _, slopes, rate = linearised(point[:-1], float(point[-1]))
    matrix = np.vstack([np.column_stack([slopes, rate]), before])
    right = np.zeros(len(point))
    right[-1] = 1.0
    try:
        found = np.linalg.solve(matrix, right)
    except np.linalg.LinAlgError:
        return None
    length = float(np.linalg.norm(found))
    return found / length if 0.0 < length < np.inf else None


def _correct(linearised: Linearised, guess: Vector, direction: Vector) -> Vector | None:
    """The point of the curve in the plane through `guess` perpendicular to `direction`."""
    point = guess.copy()
    for _ in range(_CORRECTIONS):
        value, slopes, rate = linearised(point[:-1], float(point[-1]))
        matrix = np.vstack([np.column_stack([slopes, rate]), direction])
        try:
            change = np.linalg.solve(matrix, np.append(value, direction @ (point - guess)))
        except np.linalg.LinAlgError:
            return None
        point = point - change
        size = float(np.abs(change).max())
        if not np.isfinite(size):
            return None
        if size < 1e-13:
            return point
    return point if size < 1e-11 else None
