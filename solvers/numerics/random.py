"""Counter-based random numbers: Philox4x32-10, so that a number depends on its address alone, never on order.

J. K. Salmon, M. A. Moraes, R. O. Dror and D. E. Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC11 (2011).
The key is a 64-bit number (`Batch.random_keys`, or the seed for disorder); the counter is (trajectory, step, draw)
with 2^64 trajectories, 2^32 steps and 2^32 draws. One block gives 128 bits: four 32-bit words or two uniforms of 52
bits or two normals.
"""

from __future__ import annotations

import math

import numpy as np

from solvers.numerics.compile import FASTMATH, entry, kernel

_MULTIPLIER_0, _MULTIPLIER_1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_WEYL_0, _WEYL_1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_LOW = np.uint64(0xFFFFFFFF)
_32 = np.uint64(32)
_12 = np.uint64(12)
_ONE = np.uint64(0x3FF0000000000000)
_ONE_SIGNED = np.int64(0x3FF0000000000000)
_FRACTION = np.int64(0x000FFFFFFFFFFFFF)


@kernel(inline="always")
def philox(key, c0, c1, c2, c3):
    """Ten rounds of Philox4x32 on four 32-bit counter words held in uint64; four 32-bit words held in uint64."""
    k0 = key & _LOW
    k1 = key >> _32
    for _ in range(10):
        product_0 = _MULTIPLIER_0 * c0
        product_1 = _MULTIPLIER_1 * c2
        c0 = (product_1 >> _32) ^ c1 ^ k0
        c1 = product_1 & _LOW
        c2 = (product_0 >> _32) ^ c3 ^ k1
        c3 = product_0 & _LOW
        k0 = (k0 + _WEYL_0) & _LOW
        k1 = (k1 + _WEYL_1) & _LOW
    return c0, c1, c2, c3


@kernel(inline="always")
def words(key, trajectory, step, draw):
    """The block of four random 32-bit words (held in uint64) at an address."""
    where = np.uint64(trajectory)
    return philox(np.uint64(key), np.uint64(draw) & _LOW, np.uint64(step) & _LOW, where & _LOW, where >> _32)


@kernel(inline="always")
def uniform_pair(key, trajectory, step, draw):
    """Two independent uniforms at an address, odd multiples of 2^-53: never 0, never 1."""
    w0, w1, w2, w3 = words(key, trajectory, step, draw)
    # 52 random bits behind the exponent of 1: a number in [1, 2)
    first = np.uint64((((w0 << _32) | w1) >> _12) | _ONE).view(np.float64)
    second = np.uint64((((w2 << _32) | w3) >> _12) | _ONE).view(np.float64)
    return (first - 1.0) + 2.0**-53, (second - 1.0) + 2.0**-53


@kernel(inline="always", fastmath=FASTMATH)
def log_unit(x):
    """Natural logarithm of 0 < x < 1 by bits and a series, without a call and so able to vectorise; error 3e-16 + 1 ulp."""
    bits = np.float64(x).view(np.int64)
    exponent = (bits >> 52) - 1023
    mantissa = np.int64((bits & _FRACTION) | _ONE_SIGNED).view(np.float64)
    # into (0.7, 1.42), so that the series in f = (m - 1)/(m + 1) has |f| < 0.1716
    high = mantissa > 1.4142135623730951
    mantissa = 0.5 * mantissa if high else mantissa
    power = np.float64(exponent) + (1.0 if high else 0.0)
    f = (mantissa - 1.0) / (mantissa + 1.0)
    g = f * f
    series = 1.0 / 21.0
    series = series * g + 1.0 / 19.0
    series = series * g + 1.0 / 17.0
    series = series * g + 1.0 / 15.0
    series = series * g + 1.0 / 13.0
    series = series * g + 1.0 / 11.0
    series = series * g + 1.0 / 9.0
    series = series * g + 1.0 / 7.0
    series = series * g + 1.0 / 5.0
    series = series * g + 1.0 / 3.0
    return power * 0.6931471805599453 + 2.0 * f * (1.0 + g * series)


@kernel(inline="always", fastmath=FASTMATH)
def sin_cos_turns(u):
    """Sine and cosine of 2 pi u for 0 <= u <= 1, without a call; error 2e-16."""
    quarter = math.floor(4.0 * u + 0.5)
    x = (4.0 * u - quarter) * 1.5707963267948966
    g = x * x
    s = -1.0 / 1307674368000.0
    s = s * g + 1.0 / 6227020800.0
    s = s * g - 1.0 / 39916800.0
    s = s * g + 1.0 / 362880.0
    s = s * g - 1.0 / 5040.0
    s = s * g + 1.0 / 120.0
    s = s * g - 1.0 / 6.0
    s = x + x * g * s
    c = 1.0 / 20922789888000.0
    c = c * g - 1.0 / 87178291200.0
    c = c * g + 1.0 / 479001600.0
    c = c * g - 1.0 / 3628800.0
    c = c * g + 1.0 / 40320.0
    c = c * g - 1.0 / 720.0
    c = c * g + 1.0 / 24.0
    c = 1.0 - 0.5 * g + g * g * c
    q = np.int64(quarter) & 3
    swap = (q & 1) == 1
    sine = c if swap else s
    cosine = s if swap else c
    sine = -sine if q >= 2 else sine
    cosine = -cosine if (q == 1) or (q == 2) else cosine
    return sine, cosine


@kernel(inline="always", fastmath=FASTMATH)
def normal_pair(key, trajectory, step, draw):
    """Two independent standard normals at an address (Box and Muller)."""
    first, second = uniform_pair(key, trajectory, step, draw)
    radius = math.sqrt(-2.0 * log_unit(first))
    sine, cosine = sin_cos_turns(second)
    return radius * cosine, radius * sine


@kernel(fastmath=FASTMATH)
def fill_uniforms(key, trajectory, step, out):
    """Fill `out` (n,) with uniforms in (0, 1): entries 2 d and 2 d + 1 are the pair of draw d."""
    for d in range(out.size // 2):
        out[2 * d], out[2 * d + 1] = uniform_pair(key, trajectory, step, d)
    if out.size % 2:
        out[out.size - 1] = uniform_pair(key, trajectory, step, out.size // 2)[0]


@kernel(fastmath=FASTMATH)
def fill_normals(key, trajectory, step, out):
    """Fill `out` (n,) with standard normals: entries 2 d and 2 d + 1 are the pair of draw d."""
    for d in range(out.size // 2):
        out[2 * d], out[2 * d + 1] = normal_pair(key, trajectory, step, d)
    if out.size % 2:
        out[out.size - 1] = normal_pair(key, trajectory, step, out.size // 2)[0]


@entry
def standard_normals(seed, realisation, n):
    """Standard normals (n,) of a realisation of disorder: number i depends on (seed, realisation, i) alone."""
    out = np.empty(n)
    fill_normals(np.uint64(seed), np.uint64(realisation), np.uint64(0), out)
    return out


@entry
def standard_uniforms(seed, realisation, n):
    """Uniforms in (0, 1) (n,) of a realisation of disorder: number i depends on (seed, realisation, i) alone."""
    out = np.empty(n)
    fill_uniforms(np.uint64(seed), np.uint64(realisation), np.uint64(0), out)
    return out
