"""Linear theory about the polarised state: one boson per site, so that every momentum is two numbers and their noise.

With c_q the sum of cosines over half the neighbours (cos q on a ring), z its number of terms (1 on a ring), j_a = J_a c_q
- z J_z, the equations of (S_x, S_y) have the drift [[-Gamma, -j_y], [j_x, -Gamma]] and the noise Gamma S, so that

    V_xy = (S/4)(j_x - j_y) Gamma/(Gamma^2 + j_x j_y),  V_xx = S/2 - (j_y/Gamma) V_xy,  V_yy = S/2 + (j_x/Gamma) V_xy
    n_q = (V_xx + V_yy)/2S - 1/2,   stable where Gamma^2 + j_x j_y > 0 for every q

Site moments are means over q; <S_z> = -S + n, Var S_z = n^2 + n + |m|^2, m = <b b>.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Linear(NamedTuple):
    """Moments per site, in the state about down; n per site and momentum."""

    excitations: float
    Sxx: float  # <S_x^2>/S
    Syy: float
    Sxy: float
    Szz_variance: float
    correlation: Array  # (width,) <b_n^+ b_{n+s}>/n along a row; NaN beyond s = 0 without excitations


def momenta(width: int, height: int) -> tuple[Array, Array, float]:
    """c_q and the momentum along a row (height, width), and z."""
    qx = 2 * np.pi * np.arange(width) / width
    qy = 2 * np.pi * np.arange(height) / height
    cosines = np.broadcast_to(np.cos(qx), (height, width))
    if height > 1:
        return cosines + np.cos(qy)[:, None], np.broadcast_to(qx, (height, width)), 2.0
    return np.array(cosines), np.broadcast_to(qx, (1, width)), 1.0


def damping(J: Array, Gamma: float, width: int, height: int) -> float:
    """The smallest 1 + j_x j_y/Gamma^2 over all momenta: the polarised state is unstable where it is not positive."""
    c, _, z = momenta(width, height)
    with np.errstate(over="ignore", invalid="ignore"):
        jx, jy = (J[0] * c - z * J[2]) / Gamma, (J[1] * c - z * J[2]) / Gamma
        return float(np.min(1.0 + jx * jy))


def solve(J: Array, Gamma: float, width: int, height: int) -> Linear:
    """The stationary moments; the polarised state must be stable. J (3,) physical."""
    c, _, z = momenta(width, height)
    jx, jy = (J[0] * c - z * J[2]) / Gamma, (J[1] * c - z * J[2]) / Gamma
    vxy = (jx - jy) / (4 * (1 + jx * jy))
    vxx, vyy = 0.5 - jy * vxy, 0.5 + jx * vxy
    # (V_xx + V_yy)/2S - 1/2 without the cancellation
    n_q = 0.5 * (jx - jy) * vxy
    n, xx, yy, xy = (float(np.mean(v)) for v in (n_q, vxx, vyy, vxy))
    m2 = ((xx - yy) / 2) ** 2 + xy**2
    # <b_n^+ b_{n+s}>: mean over q of n_q exp(i q s)
    correlation = np.fft.fft(n_q.mean(axis=0)).real / width
    with np.errstate(divide="ignore", invalid="ignore"):
        correlation = correlation / correlation[0] if n > 0 else np.full(width, np.nan)
    correlation[0] = 1.0
    return Linear(n, xx, yy, xy, n * n + n + m2, correlation)


def infinite_length(J: Array, Gamma: float) -> float:
    """Correlation length of the infinite ring, 1/arccosh(1/sqrt r), r = -J_x J_y/Gamma^2 < 1; NaN with J_z.

    C(s) ~ z^(s/2), z = r/(1 + sqrt(1-r))^2: for J_x J_y > 0 it alternates in sign, with the length of |z|.
    """
    if J[2] != 0.0:
        return math.nan
    r = -float(J[0] / Gamma * (J[1] / Gamma))
    if r >= 1.0:
        return math.nan
    if r == 0.0:
        return 0.0
    return -2.0 / (math.log(abs(r)) - 2.0 * math.log1p(math.sqrt(1.0 - r)))
