"""The largest detuning with a locked state: the fold of (26)-(28), its limit, and the self-consistent Gaussian ensemble.

Equations: see `boundary`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.numerics.compile import FASTMATH, entry, kernel
from solvers.numerics.golden_section import golden_section


def closed_form(eta: NDArray[Any], n: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The fold for N to infinity: delta and z."""
    h = eta / n
    with np.errstate(invalid="ignore"):
        u = (3.0 + np.sqrt(9.0 - 128.0 * h)) / 8.0
        square = 4.0 * h * u * u * (u * (1.0 - u) - 4.0 * h)
        exists = (h > 0.0) & (square > 0.0)
        return np.where(exists, np.sqrt(square), 0.0), np.where(exists, u - 1.0, np.nan)


@kernel(fastmath=FASTMATH)
def detuning_squared(u, p):
    """delta^2 at which (26)-(28) have a fixed point with z = u - 1; negative where cos^2(zeta) would be above 1."""
    n, eta = p
    z = u - 1.0
    square = -0.5 * z * u
    k = 1.0 - 2.0 / n
    a = n * k * square
    b = 2.0 * eta * k - 2.0 * u + k * square
    d = (2.0 * eta + u) / n
    root = math.sqrt(b * b + 4.0 * a * d)
    # the positive root of a c^2 - b c - d = 0, without cancellation for either sign of b
    c = 2.0 * d / (root - b) if b < 0.0 else (b + root) / (2.0 * a)
    # W - 2 eta (1 - 2/N), by the quadratic written as a c = b + d/c: no difference of large numbers
    pull = z * (d / c + k * square - u)
    return c * (1.0 - c) * pull * pull


maximise_detuning = golden_section(detuning_squared)


@entry
def existence_two(n, eta, delta, z):
    """The fold of (26)-(28) for arrays (P,)."""
    for i in range(n.size):
        best, u = 0.0, math.nan
        if eta[i] > 0.0:
            u, best = maximise_detuning((n[i], eta[i]), 1e-9, 1.0 - 1e-9)
        delta[i] = math.sqrt(best) if best > 0.0 else 0.0
        z[i] = u - 1.0 if best > 0.0 else math.nan


# An average over the normal distribution of even functions that are narrow or wide: the trapezoidal rule in the variable
# asinh(1000 xi), whose error is below 1e-12 for widths above 1e-3 (compared with twice as many nodes).
_SPACING = 0.125
_NODES = 1e-3 * np.sinh(_SPACING * np.arange(79))
_WEIGHTS = np.exp(-0.5 * _NODES**2) * np.sqrt(1e-6 + _NODES**2) * np.where(_NODES == 0.0, 0.5, 1.0)
_WEIGHTS /= _WEIGHTS.sum()
# below this <u^2> the boundary of any N that is not astronomic lies in the 1/N terms left out
_SMALLEST_X = 1e-3


@kernel(fastmath=FASTMATH)
def single_spin(g, x, square):
    """u of one spin at rest: the root in (0, 1) of u (4 g^2 u^2 + delta_m^2) = 2 g X^2 (1 - u), by Newton from above."""
    cubic, linear, right = 4.0 * g * g, square + 2.0 * g * x * x, 2.0 * g * x * x
    u = min(1.0, right / linear)  # without the cubic term: not below the root, and convex from there
    for _ in range(60):
        step = (u * (cubic * u * u + linear) - right) / (3.0 * cubic * u * u + linear)
        u -= step
        if abs(step) <= 1e-15 * u:
            break
    return u


@kernel(fastmath=FASTMATH)
def mean_square(g, x, sigma):
    """<u^2> over normal detunings, and its derivative by sigma^2."""
    total = 0.0
    slope = 0.0
    for k in range(_NODES.size):
        t = _NODES[k] * _NODES[k]
        u = single_spin(g, x, sigma * sigma * t)
        total += _WEIGHTS[k] * u * u
        d_u = -t * u / (12.0 * g * g * u * u + sigma * sigma * t + 2.0 * g * x * x)
        slope += _WEIGHTS[k] * 2.0 * u * d_u
    return total, slope


@kernel(fastmath=FASTMATH)
def variance_at(x, g):
    """sigma^2 at which -X = x solves the self-consistency, negative where even sigma = 0 leaves <u^2> below x."""
    start, slope = mean_square(g, x, 0.0)
    if start <= x:
        return start - x
    low, high = 0.0, math.inf
    square = (start - x) / -slope
    for _ in range(100):
        mean, slope = mean_square(g, x, math.sqrt(square))
        if mean > x:
            low = square
        else:
            high = square
        change = (mean - x) / -slope
        following = square + change
        if not low < following < high:
            following = 0.5 * (low + high) if high < math.inf else 4.0 * square
        if abs(following - square) <= 1e-14 * square:
            return following
        square = following
    return square


maximise_variance = golden_section(variance_at)


@entry
def existence_gaussian(n, eta, delta, z):
    """The largest standard deviation with a locked state, N to infinity, for arrays (P,)."""
    for i in range(n.size):
        g = 2.0 * eta[i] / n[i]
        delta[i], z[i] = 0.0, math.nan
        if g > 0.0 and g < 0.125:
            x, best = maximise_variance(g, _SMALLEST_X, 1.0 - 1e-9)
            if best > 0.0:
                delta[i] = math.sqrt(best)
                mean = 0.0
                for k in range(_NODES.size):
                    mean += _WEIGHTS[k] * single_spin(g, x, best * _NODES[k] * _NODES[k])
                z[i] = mean - 1.0
