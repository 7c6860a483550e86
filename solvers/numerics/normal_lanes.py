"""Standard normals for many trajectories side by side, four per Philox block, in loops that vectorise.

As `solvers.numerics.random`, but a uniform has the 32 bits of one word, which halves the blocks: the largest normal is
then 6.7, and one in 10^11 lies beyond. Box and Muller; no call and no conversion in the loop that a vector unit has not:
whole numbers become doubles through the bits of 2^52, the quarter of the circle comes from the word itself.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from solvers.numerics.compile import FASTMATH, kernel
from solvers.numerics.random import words

LANES = 128
"""Trajectories side by side; a multiple of every vector length, so that none is computed by another code."""

_TWO_52 = 4503599627370496.0
_TWO_52_BITS = np.uint64(0x4330000000000000)
_MANTISSA = np.uint64(0x000FFFFFFFFFFFFF)
_ONE_BITS = np.uint64(0x3FF0000000000000)
_52 = np.uint64(52)
_30 = np.uint64(30)
_HALF_QUARTER = np.uint64(1 << 29)
_3 = np.uint64(3)
_SIGN = np.uint64(1 << 63)
_0, _1, _2 = np.uint64(0), np.uint64(1), np.uint64(2)


@kernel(inline="always", fastmath=FASTMATH)
def as_double(word):
    """A whole number below 2^52 as a double."""
    return np.uint64(word | _TWO_52_BITS).view(np.float64) - _TWO_52


@kernel(inline="always", fastmath=FASTMATH)
def box_muller(radius_word, angle_word):
    """Two independent standard normals from two 32-bit words; polynomials good to 1e-10, the spacing of the words."""
    u = (as_double(radius_word) + 0.5) * 2.0**-32
    bits = np.float64(u).view(np.uint64)
    exponent = as_double(bits >> _52) - 1023.0
    mantissa = np.uint64((bits & _MANTISSA) | _ONE_BITS).view(np.float64)
    high = mantissa > 1.4142135623730951
    mantissa = 0.5 * mantissa if high else mantissa
    exponent = exponent + 1.0 if high else exponent
    f = (mantissa - 1.0) / (mantissa + 1.0)
    g = f * f
    series = 1.0 / 11.0
    series = series * g + 1.0 / 9.0
    series = series * g + 1.0 / 7.0
    series = series * g + 1.0 / 5.0
    series = series * g + 1.0 / 3.0
    log = exponent * 0.6931471805599453 + 2.0 * f * (1.0 + g * series)
    radius = math.sqrt(-2.0 * log)
    quarter = (angle_word + _HALF_QUARTER) >> _30
    # distance from the nearest quarter turn, in [-2^29, 2^29)
    rest = as_double((angle_word + _HALF_QUARTER) - (quarter << _30)) - 536870912.0
    x = rest * 1.4629180792671596e-09  # 2 pi / 2^32
    g = x * x
    s = -1.0 / 39916800.0
    s = s * g + 1.0 / 362880.0
    s = s * g - 1.0 / 5040.0
    s = s * g + 1.0 / 120.0
    s = s * g - 1.0 / 6.0
    s = x + x * g * s
    c = 1.0 / 479001600.0
    c = c * g - 1.0 / 3628800.0
    c = c * g + 1.0 / 40320.0
    c = c * g - 1.0 / 720.0
    c = c * g + 1.0 / 24.0
    c = 1.0 - 0.5 * g + g * g * c
    odd = (quarter & _1) == _1
    sine = c if odd else s
    cosine = s if odd else c
    turned = quarter & _3
    sine = -sine if (turned & _2) == _2 else sine
    cosine = -cosine if ((turned ^ (turned >> _1)) & _1) == _1 else cosine
    return radius * cosine, radius * sine


def four_normals(draw: int) -> Any:
    """Make `fill(key, first, step, out)`: out (4, LANES) = the four normals at (trajectory, step, draw), trajectories first, first + 1, ..."""

    @kernel(fastmath=FASTMATH)
    def fill(key, first, step, out):
        for lane in range(LANES):
            w0, w1, w2, w3 = words(key, first + np.uint64(lane), step, draw)
            out[0, lane], out[1, lane] = box_muller(w0, w1)
            out[2, lane], out[3, lane] = box_muller(w2, w3)

    return fill
