"""The Wigner function of an oscillator whose density matrix is real in the number basis, on a square grid.

    W(x, p) = (1/pi) integral <x + y| rho |x - y> e^{-2 i p y} dy,   x = (a + a^+)/sqrt 2,   integral of W = 1

In polar coordinates alpha = (x + i p)/sqrt 2 = r e^{i phi} a real rho gives

    W = R_0(r) + 2 sum_{d > 0} cos(d phi) R_d(r),   R_d = (1/pi) sum_m (-1)^m rho_{m,m+d} f_m^d(4 r^2),
    f_m^d(u) = sqrt(m!/(m+d)!) u^{d/2} e^{-u/2} L_m^d(u),

with bounded f whose recurrence in m is stable. On a square grid a radius is shared by up to eight points, so that the
double sum is done once for each different radius only.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from solvers.numerics.compile import FASTMATH, entry, kernel

_UNDERFLOW = -680.0
"""Logarithm of what is still a normal number, with room for the sums."""
_LARGE, _LOG_LARGE = 1e150, math.log(1e150)


@kernel(fastmath=FASTMATH)
def logarithm_of_first(d, u):
    """log f_0^d(u) for u > 0."""
    return 0.5 * d * math.log(u) - 0.5 * u - 0.5 * math.lgamma(d + 1.0)


@kernel(fastmath=FASTMATH)
def scaled_sum(rho, d, u):
    """R_d pi at one u where f_0 would underflow: f is kept with a scale of its own."""
    size = rho.shape[0]
    logarithm, scale = logarithm_of_first(d, u), 0.0
    while logarithm < -_LOG_LARGE:
        logarithm += _LOG_LARGE
        scale -= _LOG_LARGE
    before, f, total, sign = 0.0, math.exp(logarithm), 0.0, 1.0
    for m in range(size - d):
        total += sign * rho[m, m + d] * f * math.exp(scale)
        sign = -sign
        after = ((2.0 * m + 1.0 + d - u) * f - math.sqrt(m * (m + d)) * before) / math.sqrt((m + 1.0) * (m + 1.0 + d))
        before, f = f, after
        if abs(f) > _LARGE and scale < 0.0:
            f /= _LARGE
            before /= _LARGE
            scale += _LOG_LARGE
    return total


@kernel(fastmath=FASTMATH)
def radial_sums(rho, d, u, f, before, total):
    """R_d pi at all u (n,) into `total` (n,); `f` and `before` (n,) are work space."""
    size, n = rho.shape[0], u.size
    for i in range(n):
        f[i] = math.exp(max(logarithm_of_first(d, u[i]), _UNDERFLOW)) if u[i] > 0.0 else (1.0 if d == 0 else 0.0)
        before[i] = total[i] = 0.0
    sign = 1.0
    for m in range(size - d):
        weight = sign * rho[m, m + d]
        divisor = 1.0 / math.sqrt((m + 1.0) * (m + 1.0 + d))
        constant, back = (2.0 * m + 1.0 + d) * divisor, math.sqrt(m * (m + d)) * divisor
        for i in range(n):
            total[i] += weight * f[i]
            after = (constant - u[i] * divisor) * f[i] - back * before[i]
            before[i] = f[i]
            f[i] = after
        sign = -sign
    for i in range(n):
        if u[i] > 0.0 and logarithm_of_first(d, u[i]) < _UNDERFLOW:
            total[i] = scaled_sum(rho, d, u[i])


@entry(fastmath=FASTMATH)
def fill(rho, x_max, azimuth, radial, out):
    """W (n, n), first x and then p, both on linspace(-x_max, x_max, n); `radial` (n (n + 1)/2, size) is work space."""
    n, size = out.shape[0], rho.shape[0]
    step = 2.0 * x_max / (n - 1)
    # a point is (i, j) half steps from the centre; i, j have the parity of n - 1
    low = (n - 1) % 2
    u, f, before, total = np.empty((4, radial.shape[0]))
    row = 0
    for i in range(low, n, 2):
        for j in range(low, i + 1, 2):
            u[row] = 0.5 * step * step * (i * i + j * j)
            row += 1
    for d in range(size):
        radial_sums(rho, d, u, f, before, total)
        for row in range(u.size):
            radial[row, d] = total[row]
    for k in range(n):
        for m in range(n):
            i, j = 2 * k - (n - 1), 2 * m - (n - 1)
            angle = math.atan2(float(j), float(i)) - azimuth
            cosine = math.cos(angle)
            a, b = max(abs(i), abs(j)), min(abs(i), abs(j))
            first, second = (a - low) // 2, (b - low) // 2
            R = radial[first * (first + 1) // 2 + second]
            # Clenshaw's sum of R_d cos(d angle)
            one, two = 0.0, 0.0
            for d in range(size - 1, 0, -1):
                one, two = R[d] + 2.0 * cosine * one - two, one
            out[k, m] = (R[0] + 2.0 * (cosine * one - two)) / math.pi


def wigner(rho: NDArray[np.float64], azimuth: float, x_max: float, n: int) -> NDArray[np.float64]:
    """The Wigner function (n, n), W[x, p], of sum rho_kl e^{i azimuth (k - l)} |k><l| with a real symmetric rho (size, size)."""
    out = np.empty((n, n))
    half = (n + 1) // 2
    radial = np.empty((half * (half + 1) // 2, len(rho)))
    fill(np.ascontiguousarray(rho), x_max, azimuth, radial, out)
    return out
