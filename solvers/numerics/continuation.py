"""A root followed through a parameter, also where it folds back: pseudo-arclength continuation.

H. B. Keller, in Applications of Bifurcation Theory (1977), p. 359: the curve F(x, s) = 0 is followed by its length, so that
s may fall on the way. From a root that is the only one at s = 0 and is regular, a curve that stays in a bounded region must
come out at s = 1.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

LONGEST, SHORTEST = 0.1, 1e-11
MOST_STEPS = 4000
STRAIGHT = 0.97
"""Cosine of the largest turn of the tangent in one step; a sharper one may be a jump to another curve."""


def follow(
    residual: Callable[[Vector, float], Vector], jacobian: Callable[[Vector, float], Vector], start: Vector
) -> Vector | None:
    """The root x (n,) of F(x, 1) where the curve from F(start, 0) = 0 first comes to s = 1; None where it was lost.

    residual: (x, s) -> F (n,); jacobian: (x, s) -> (n, n+1), the derivatives by x and, last, by s. Units are such that x is of
    order 1 at most and F of the order of its Jacobian.
    """
    z = np.append(start, 0.0)
    tangent = _tangent(jacobian(start, 0.0), np.append(np.zeros_like(start), 1.0))
    step = 0.02
    for _ in range(MOST_STEPS):
        y = _corrected(residual, jacobian, z, tangent, step)
        if y is not None:
            ahead = _tangent(jacobian(y[:-1], y[-1]), tangent)
            if y[-1] >= 1.0 and ahead @ tangent > STRAIGHT:
                share = (1.0 - z[-1]) / (y[-1] - z[-1])
                x = newton(
                    lambda x: residual(x, 1.0),
                    lambda x: jacobian(x, 1.0)[:, :-1],
                    z[:-1] + share * (y - z)[:-1],
                    reach=2.0 * step,
                )
                if x is not None:
                    return x
            elif ahead @ tangent > STRAIGHT:
                z, tangent, step = y, ahead, min(1.7 * step, LONGEST)
                continue
        step *= 0.5
        if step < SHORTEST:
            return None
    return None


def newton(
    residual: Callable[[Vector], Vector], jacobian: Callable[[Vector], Vector], x: Vector, reach: float
) -> Vector | None:
    """The root near x, to rounding; None where it is farther than `reach` or Newton's steps do not shrink."""
    begin, before = x, np.inf
    for _ in range(30):
        change = np.linalg.lstsq(jacobian(x), residual(x), rcond=None)[0]
        size = float(np.abs(change).max())
        if not size < 4.0 * reach:
            return None
        x = x - change
        if size < 1e-15 or (size >= 0.5 * before and before < 1e-8):  # rounding
            return x if float(np.linalg.norm(x - begin)) <= reach else None
        before = size
    return None


def _tangent(jacobian: Vector, before: Vector) -> Vector:
    """The unit null vector (n+1,) that goes on where `before` came."""
    found = np.linalg.svd(jacobian)[2][-1]
    return np.asarray(found if found @ before >= 0.0 else -found)


def _corrected(
    residual: Callable[[Vector, float], Vector],
    jacobian: Callable[[Vector, float], Vector],
    z: Vector,
    tangent: Vector,
    step: float,
) -> Vector | None:
    """The point of the curve in the plane across the tangent at `step`; None where it does not lie nearby."""
    begin = y = z + step * tangent
    for _ in range(6):
        F, J = residual(y[:-1], y[-1]), jacobian(y[:-1], y[-1])
        matrix = np.vstack([J / max(float(np.abs(J).max()), 1e-300), tangent])
        right = np.append(F / max(float(np.abs(J).max()), 1e-300), tangent @ (y - begin))
        change = np.linalg.lstsq(matrix, right, rcond=None)[0]
        y = y - change
        if not np.linalg.norm(y - begin) < 0.3 * step:
            return None
        if np.abs(change).max() < max(1e-12, 1e-4 * step):
            return y
    return None
