"""Random starts of spins 1/2, and the jumps of their local channels; see the package for the derivation."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from solvers.numerics.compile import FASTMATH, kernel
from solvers.numerics.normal_lanes import as_double
from solvers.numerics.random import words

START = 0xFFFFFFFF
"""The `step` of the numbers that a start is made of; no time step comes that far."""
UNIT = 2.0**-32
LANES = 32
"""Trajectories side by side; a multiple of every vector length."""


class Channel(NamedTuple):
    """The local channels over a time h, as probabilities."""

    jump: float  # of any decay or pump
    down: float  # that the last one was decay
    keep: float  # E[x']/s_x after a jump
    flip: float  # of s_x and s_y by dephasing, without a jump
    acts: bool


def channel(minus: float, plus: float, z: float, h: float) -> Channel:
    """The channels of rates gamma_-, gamma_+ and gamma_z over a time h."""
    return Channel(*_channel(minus, plus, z, h))


def _probabilities(minus, plus, z, h):
    total = minus * h + plus * h
    half = math.exp(-0.5 * total)
    turned = math.exp(-2.0 * z * h)
    down = 1.0 / (1.0 + plus / minus) if minus > 0.0 else 0.0
    return (
        -math.expm1(-total),
        down,
        turned * half / (1.0 + half),
        -0.5 * math.expm1(-2.0 * z * h),
        total > 0.0 or z > 0.0,
    )


_channel = _probabilities
channel_over = kernel(_probabilities)
"""The same from within kernels, as a plain tuple."""


def frame(theta: float, phi: float) -> NDArray[np.float64]:
    """Rows n, e_1, e_2 (3, 3): the direction (theta, phi) and two others perpendicular to it."""
    st, ct, sp, cp = math.sin(theta), math.cos(theta), math.sin(phi), math.cos(phi)
    return np.array([[st * cp, st * sp, ct], [ct * cp, ct * sp, -st], [-sp, cp, 0.0]])


@kernel(inline="always", fastmath=FASTMATH)
def start_signs(key, trajectory, i):
    """The two signs of spin i at the start of a trajectory."""
    w0, w1, _, _ = words(key, trajectory, START, i)
    return 1.0 if w0 & np.uint64(1) else -1.0, 1.0 if w1 & np.uint64(1) else -1.0


@kernel(fastmath=FASTMATH)
def draw_starts(key, first, axes, s):
    """s (3, N, LANES) = n +- e_1 +- e_2."""
    for i in range(s.shape[1]):
        for lane in range(LANES):
            a, b = start_signs(key, first + np.uint64(lane), i)
            for j in range(3):
                s[j, i, lane] = axes[0, j] + a * axes[1, j] + b * axes[2, j]


@kernel(inline="always", fastmath=FASTMATH)
def unit(word):
    """A uniform in (0, 1) from a 32-bit word."""
    return (as_double(word) + 0.5) * UNIT


@kernel(inline="always", fastmath=FASTMATH)
def sign_of_mean(word, mean):
    """+1 or -1 at random with that mean, from a 32-bit word."""
    return 1.0 if unit(word) < 0.5 * (1.0 + mean) else -1.0


@kernel(inline="always", fastmath=FASTMATH)
def jumped(c, w0, w1, w2, w3, x, y, z):
    """A spin after the channel `c`, from four 32-bit words."""
    jump, down, keep, flip, _ = c
    second = unit(w1)
    jumps, flips = unit(w0) < jump, second < flip
    new_x, new_y = sign_of_mean(w2, keep * x), sign_of_mean(w3, keep * y)
    new_z = -1.0 if second < down else 1.0
    x = -x if flips else x
    y = -y if flips else y
    return new_x if jumps else x, new_y if jumps else y, new_z if jumps else z


@kernel(fastmath=FASTMATH)
def pass_channels(c, key, first, step, s):
    """All spins s (3, N, LANES) through the channel `c`, numbers from the blocks (trajectory, step, site)."""
    for i in range(s.shape[1]):
        X, Y, Z = s[0, i], s[1, i], s[2, i]
        for lane in range(LANES):
            w0, w1, w2, w3 = words(key, first + np.uint64(lane), step, i)
            X[lane], Y[lane], Z[lane] = jumped(c, w0, w1, w2, w3, X[lane], Y[lane], Z[lane])
