"""The battery in second-order cumulants: nine real moments, permutation symmetric, third cumulants zero.

With i, j, k distinct: z = <s_iz>, p = <s_i+>, C = <s_i+ s_j-> (real), Z = <s_iz s_jz>, P = <s_i+ s_jz>, Q = <s_i+ s_j+>.
Eq. (6) and the Appendix, corrected (errata in the package's docstring), g = gamma, G = Gamma, with dephasing phi, pump w:

    dz = -(g+G)(1+z) - 2G(N-1)C                                                     + w(1-z)
    dp = -(g+G)p/2 + (G/2)(N-1)P                                                    - (2phi+w/2)p
    dC = -(g+G)C + (G/2)(z+Z) + G(N-2)<zpm>                                         - (4phi+w)C
    dZ = -2(g+G)(z+Z) + 4G C - 4G(N-2)<zpm>                                         + 2w(z-Z)
    dP = -(3g/2+5G/2)P - (g+3G/2)p - 2G(N-2)<ppm> + (G/2)(N-2)<pzz>                 - (2phi+3w/2)P + w p
    dQ = -(g+G)Q + G(N-2)<ppz>                                                      - (4phi+w)Q
    <ABC> = <A><BC> + <B><AC> + <C><AB> - 2<A><B><C>

As printed: (G/2)(2z) in dC and (G/2)<pzz> in dP. Without coherence (p = P = Q = 0: all pulses perfect) three equations
remain. N = 2 is exact; N = 1 is dz alone. The energies lost individually and released collectively (Eq. 6 integrated:
int G[N(1+z)/2 + N(N-1)C] dt) are two more variables. Without G the equations are linear and solved in closed form.

Limit: no monitor watches the neglected third cumulants, and the pairs stay states. During a flash that follows a storage of
the order of its own duration the released energy may be off by a tenth of N (N = 54, Gamma/gamma_phi = 49: 40.6 for the
exact 35.4); before and long after it is not. `exact`, which every model here has, says how far.

A state is an array (9,): z, Re p, Im p, C, Z, Re P, Im P, Re Q, Im Q. Rates in one unit, times in its inverse.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.models.battery.points import must_have_ended
from solvers.numerics.compile import FASTMATH, entry, kernel
from solvers.numerics.rosenbrock import rosenbrock
from solvers.numerics.rosenbrock_quadrature import rosenbrock_three
from solvers.numerics.taylor_start import TAYLOR_ORDER, taylor_start

RATES = ("N", "gamma", "Gamma", "dephasing", "pump", "printed")
"""Order of the array that the right-hand sides take; printed is 0 or 1."""
INVERSE = 1.0 / np.arange(1, TAYLOR_ORDER + 1)


@kernel(fastmath=FASTMATH)
def d_diagonal(t, y, p, dy):
    """z, C and s = 4C+Z without coherence, then the energies lost individually (per gamma) and released collectively.

    s instead of Z: collective decay conserves <S^2>, so that no term with Gamma N is left in ds to cancel.
    """
    N, g, G, phi, w, printed = p[0], p[1], p[2], p[3], p[4], p[5]
    z, C, s = y[0], y[1], y[2]
    Z = s - 4.0 * C
    dy[0] = -(g + G) * (1.0 + z) - 2.0 * G * (N - 1.0) * C + w * (1.0 - z)
    dy[1] = 0.0
    dy[2] = 0.0
    if N > 1.5:
        misprint = printed * (z - Z)
        dy[1] = -(g + G) * C + 0.5 * G * (z + Z + misprint) + G * (N - 2.0) * z * C - (4.0 * phi + w) * C
        dy[2] = -4.0 * (g + 4.0 * phi + w) * C - 2.0 * g * (z + Z) + 2.0 * w * (z - Z) + 2.0 * G * misprint
    dy[3] = 0.5 * N * (1.0 + z)
    dy[4] = G * (0.5 * N * (1.0 + z) + N * (N - 1.0) * C)


@kernel(fastmath=FASTMATH)
def diagonal_jacobian(t, y, p, J):
    N, g, G, phi, w, printed = p[0], p[1], p[2], p[3], p[4], p[5]
    z, C = y[0], y[1]
    J[0, 0] = -(g + G) - w
    J[0, 1] = -2.0 * G * (N - 1.0)
    if N > 1.5:
        by_Z = 0.5 * G * (1.0 - printed)
        J[1, 0] = 0.5 * G * (1.0 + printed) + G * (N - 2.0) * C
        J[1, 1] = -(g + G) + G * (N - 2.0) * z - (4.0 * phi + w) - 4.0 * by_Z
        J[1, 2] = by_Z
        J[2, 0] = -2.0 * g + 2.0 * w + 2.0 * G * printed
        J[2, 1] = 4.0 * (g - 4.0 * phi + w) + 8.0 * G * printed
        J[2, 2] = -2.0 * g - 2.0 * w - 2.0 * G * printed
    J[3, 0] = 0.5 * N
    J[4, 0] = 0.5 * G * N
    J[4, 1] = G * N * (N - 1.0)


@kernel(fastmath=FASTMATH)
def d_full(t, y, p, dy):
    """The nine derivatives, then the two energies as in `d_diagonal`."""
    N, g, G, phi, w, printed = p[0], p[1], p[2], p[3], p[4], p[5]
    z, pr, pi, C, Z, Pr, Pi, Qr, Qi = y[0], y[1], y[2], y[3], y[4], y[5], y[6], y[7], y[8]
    square = pr * pr + pi * pi
    zpm = z * C + 2.0 * (pr * Pr + pi * Pi) - 2.0 * z * square
    ppm_r = 2.0 * pr * C + pr * Qr + pi * Qi - 2.0 * pr * square
    ppm_i = 2.0 * pi * C + pr * Qi - pi * Qr - 2.0 * pi * square
    pzz_r = pr * Z + 2.0 * z * Pr - 2.0 * pr * z * z
    pzz_i = pi * Z + 2.0 * z * Pi - 2.0 * pi * z * z
    ppz_r = 2.0 * (pr * Pr - pi * Pi) + z * Qr - 2.0 * z * (pr * pr - pi * pi)
    ppz_i = 2.0 * (pr * Pi + pi * Pr) + z * Qi - 4.0 * z * pr * pi
    triple = G * (N - 2.0)
    bracket = 0.5 * G if printed > 0.5 else 0.5 * triple
    source = 2.0 * z if printed > 0.5 else z + Z
    single = 0.5 * (g + G) + 2.0 * phi + 0.5 * w
    pair = g + G + 4.0 * phi + w
    mixed = 1.5 * g + 2.5 * G + 2.0 * phi + 1.5 * w
    feed = g + 1.5 * G - w
    dy[0] = -(g + G) * (1.0 + z) - 2.0 * G * (N - 1.0) * C + w * (1.0 - z)
    dy[1] = -single * pr + 0.5 * G * (N - 1.0) * Pr
    dy[2] = -single * pi + 0.5 * G * (N - 1.0) * Pi
    if N > 1.5:
        dy[3] = -pair * C + 0.5 * G * source + triple * zpm
        dy[4] = -2.0 * (g + G) * (z + Z) + 4.0 * G * C - 4.0 * triple * zpm + 2.0 * w * (z - Z)
        dy[5] = -mixed * Pr - feed * pr - 2.0 * triple * ppm_r + bracket * pzz_r
        dy[6] = -mixed * Pi - feed * pi - 2.0 * triple * ppm_i + bracket * pzz_i
        dy[7] = -pair * Qr + triple * ppz_r
        dy[8] = -pair * Qi + triple * ppz_i
    else:
        for i in range(3, 9):
            dy[i] = 0.0
    dy[9] = 0.5 * N * (1.0 + z)
    dy[10] = G * (0.5 * N * (1.0 + z) + N * (N - 1.0) * C)


@kernel
def full_jacobian(t, y, p, J):
    N, g, G, phi, w, printed = p[0], p[1], p[2], p[3], p[4], p[5]
    z, pr, pi, C, Z, Pr, Pi, Qr, Qi = y[0], y[1], y[2], y[3], y[4], y[5], y[6], y[7], y[8]
    square = pr * pr + pi * pi
    triple = G * (N - 2.0)
    bracket = 0.5 * G if printed > 0.5 else 0.5 * triple
    single = 0.5 * (g + G) + 2.0 * phi + 0.5 * w
    pair = g + G + 4.0 * phi + w
    mixed = 1.5 * g + 2.5 * G + 2.0 * phi + 1.5 * w
    feed = g + 1.5 * G - w
    J[0, 0] = -(g + G) - w
    J[0, 3] = -2.0 * G * (N - 1.0)
    J[1, 1] = J[2, 2] = -single
    J[1, 5] = J[2, 6] = 0.5 * G * (N - 1.0)
    if N > 1.5:
        # C and Z, by <zpm>
        by_z = triple * (C - 2.0 * square)
        by_pr = triple * (2.0 * Pr - 4.0 * z * pr)
        by_pi = triple * (2.0 * Pi - 4.0 * z * pi)
        by_C = triple * z
        by_Pr, by_Pi = triple * 2.0 * pr, triple * 2.0 * pi
        J[3, 0] = (G if printed > 0.5 else 0.5 * G) + by_z
        J[3, 1], J[3, 2], J[3, 5], J[3, 6] = by_pr, by_pi, by_Pr, by_Pi
        J[3, 3] = -pair + by_C
        J[3, 4] = 0.0 if printed > 0.5 else 0.5 * G
        J[4, 0] = -2.0 * (g + G) - 4.0 * by_z + 2.0 * w
        J[4, 1], J[4, 2], J[4, 5], J[4, 6] = -4.0 * by_pr, -4.0 * by_pi, -4.0 * by_Pr, -4.0 * by_Pi
        J[4, 3] = 4.0 * G - 4.0 * by_C
        J[4, 4] = -2.0 * (g + G) - 2.0 * w
        # P, by <ppm> and <pzz>
        e = -2.0 * triple
        J[5, 0] = bracket * (2.0 * Pr - 4.0 * pr * z)
        J[5, 1] = -feed + e * (2.0 * C + Qr - 2.0 * square - 4.0 * pr * pr) + bracket * (Z - 2.0 * z * z)
        J[5, 2] = e * (Qi - 4.0 * pr * pi)
        J[5, 3] = e * 2.0 * pr
        J[5, 4] = bracket * pr
        J[5, 5] = -mixed + bracket * 2.0 * z
        J[5, 7], J[5, 8] = e * pr, e * pi
        J[6, 0] = bracket * (2.0 * Pi - 4.0 * pi * z)
        J[6, 1] = e * (Qi - 4.0 * pr * pi)
        J[6, 2] = -feed + e * (2.0 * C - Qr - 2.0 * square - 4.0 * pi * pi) + bracket * (Z - 2.0 * z * z)
        J[6, 3] = e * 2.0 * pi
        J[6, 4] = bracket * pi
        J[6, 6] = -mixed + bracket * 2.0 * z
        J[6, 7], J[6, 8] = -e * pi, e * pr
        # Q, by <ppz>
        J[7, 0] = triple * (Qr - 2.0 * (pr * pr - pi * pi))
        J[7, 1] = triple * (2.0 * Pr - 4.0 * z * pr)
        J[7, 2] = triple * (-2.0 * Pi + 4.0 * z * pi)
        J[7, 5], J[7, 6] = triple * 2.0 * pr, -triple * 2.0 * pi
        J[7, 7] = -pair + triple * z
        J[8, 0] = triple * (Qi - 4.0 * pr * pi)
        J[8, 1] = triple * (2.0 * Pi - 4.0 * z * pi)
        J[8, 2] = triple * (2.0 * Pr - 4.0 * z * pr)
        J[8, 5], J[8, 6] = triple * 2.0 * pi, triple * 2.0 * pr
        J[8, 8] = -pair + triple * z
    J[9, 0] = 0.5 * N
    J[10, 0] = 0.5 * G * N
    J[10, 3] = G * N * (N - 1.0)


@kernel(fastmath=FASTMATH)
def diagonal_series(p, y, c):
    """Taylor coefficients c (5, K + 1) of the solution of `d_diagonal` from y, whose one product is that of z and C."""
    N, g, G, phi, w, printed = p[0], p[1], p[2], p[3], p[4], p[5]
    z, C, s = c[0], c[1], c[2]
    pairs = 1.0 if N > 1.5 else 0.0
    z_z, z_C, constant = -(g + G) - w, -2.0 * G * (N - 1.0), w - (g + G)
    C_z, C_s = pairs * 0.5 * G * (1.0 + printed), pairs * 0.5 * G * (1.0 - printed)
    C_C, product = pairs * (-(g + G) - (4.0 * phi + w)) - 4.0 * C_s, pairs * G * (N - 2.0)
    s_z, s_s = pairs * (-2.0 * g + 2.0 * w + 2.0 * G * printed), pairs * (-2.0 * g - 2.0 * w - 2.0 * G * printed)
    s_C = pairs * (4.0 * (g - 4.0 * phi + w) + 8.0 * G * printed)
    for i in range(5):
        c[i, 0] = y[i]
    z_k, C_k, s_k = y[0], y[1], y[2]
    c[3, 1] = 0.5 * N * (1.0 + z_k)
    c[4, 1] = G * (c[3, 1] + N * (N - 1.0) * C_k)
    for k in range(TAYLOR_ORDER):
        both = 0.0
        for j in range(k + 1):
            both += z[j] * C[k - j]
        inverse = INVERSE[k]
        d_z = constant + z_z * z_k + z_C * C_k
        d_C = product * both + (C_z * z_k + C_C * C_k + C_s * s_k)
        d_s = s_z * z_k + s_C * C_k + s_s * s_k
        z_k, C_k, s_k = d_z * inverse, d_C * inverse, d_s * inverse
        z[k + 1], C[k + 1], s[k + 1] = z_k, C_k, s_k
        constant = 0.0
    for k in range(1, TAYLOR_ORDER):
        lost = 0.5 * N * z[k] * INVERSE[k]
        c[3, k + 1] = lost
        c[4, k + 1] = G * (lost + N * (N - 1.0) * C[k] * INVERSE[k])


integrate_diagonal = taylor_start(
    diagonal_series, rosenbrock_three(d_diagonal, diagonal_jacobian, quadratures=2), leading=3, size=5
)
integrate_full = rosenbrock(d_full, full_jacobian)


@entry
def discharge_diagonal(y, p, times, rtol, atol, max_steps):
    """y (5,) as in `d_diagonal`, overwritten with the state at times[-1]; (code, states at `times` (T, 5), steps)."""
    rows = np.empty((times.size, 5))
    code, _, steps = integrate_diagonal(p, y, times, rows, rtol, atol, max_steps)
    return code, rows, steps


@entry
def discharge_full(y, p, times, rtol, atol, max_steps):
    """As `discharge_diagonal` with y (11,) as in `d_full`."""
    rows = np.empty((times.size, 11))
    code, _, steps = integrate_full(p, y, times, rows, rtol, atol, max_steps)
    return code, rows, steps


@entry
def store(y, t, p, out):
    """Closed form without Gamma: out (9,) after the time t from y (9,); returns int N(1+z)/2 dt.

    Each emitter on its own relaxes to z_rest = (w-g)/(w+g); deviations from it decay with g+w per sigma_z and with
    (g+w)/2 + 2 phi per sigma_+.
    """
    N, g, phi, w = p[0], p[1], p[3], p[4]
    rate = g + w
    rest = (w - g) / rate if rate > 0.0 else 0.0
    along = math.exp(-rate * t)
    across = math.exp(-(0.5 * rate + 2.0 * phi) * t)
    z, Z = y[0], y[4]
    out[0] = rest + (z - rest) * along
    out[4] = (Z - 2.0 * rest * z + rest * rest) * along * along + 2.0 * rest * out[0] - rest * rest
    for i in range(2):
        out[1 + i] = y[1 + i] * across
        out[5 + i] = (y[5 + i] - rest * y[1 + i]) * across * along + rest * out[1 + i]
        out[7 + i] = y[7 + i] * across * across
    out[3] = y[3] * across * across
    held = -math.expm1(-rate * t) / rate if rate > 0.0 else t
    return 0.5 * N * ((1.0 + rest) * t + (z - rest) * held)


@entry
def pulse(y, angle):
    """Turn all spins by `angle` about x: <s> -> R <s>, <s s> -> R <s s> R^T."""
    c, s = math.cos(angle), math.sin(angle)
    if abs(s) < 1e-14:
        s = 0.0
        c = 1.0 if c > 0.0 else -1.0
    by, bz = 2.0 * y[2], y[0]
    xx, yy, zz = 2.0 * (y[3] + y[7]), 2.0 * (y[3] - y[7]), y[4]
    xy, xz, yz = 2.0 * y[8], 2.0 * y[5], 2.0 * y[6]
    y[2] = 0.5 * (c * by - s * bz)
    y[0] = s * by + c * bz
    new_yy = c * c * yy - 2.0 * c * s * yz + s * s * zz
    new_zz = s * s * yy + 2.0 * c * s * yz + c * c * zz
    new_yz = c * s * (yy - zz) + (c * c - s * s) * yz
    new_xy, new_xz = c * xy - s * xz, s * xy + c * xz
    y[3], y[7] = 0.25 * (xx + new_yy), 0.25 * (xx - new_yy)
    y[4], y[8], y[5], y[6] = new_zz, 0.5 * new_xy, 0.5 * new_xz, 0.5 * new_yz


class Moments:
    """The nine moments of N emitters, all up or all down at first, under pulses and phases; one step budget for all.

    rtol, atol, max_steps: of the integrator. A phase that does not reach its end raises PointFailed.
    """

    def __init__(self, N: int, up: bool, rtol: float, atol: float, max_steps: int) -> None:
        self.N, self.rtol, self.atol, self.steps_left = N, rtol, atol, max_steps
        self.y = np.zeros(9)
        self.y[0] = 1.0 if up else -1.0
        if N > 1:
            self.y[4] = 1.0

    @property
    def M(self) -> float:
        return 0.5 * self.N * float(self.y[0])

    @property
    def S(self) -> float:
        """S from S(S+1) = <S^2>, Eq. (7); NaN where a closure has left physics."""
        return length(self.y[3], self.y[4], self.N)

    def pulse(self, angle: float) -> None:
        pulse(self.y, angle)

    def evolve(self, p: NDArray[np.float64], tau: float) -> tuple[float, float]:
        """Free evolution over tau with the rates `RATES`; returns the energies (released, lost individually)."""
        if p[2] != 0.0:
            return self._advance(p, np.array([tau]))[1:]
        y = np.empty(9)
        lost = store(self.y, tau, p, y)
        self.y = y
        return 0.0, float(p[1] * lost)

    def sample(self, p: NDArray[np.float64], times: NDArray[np.float64]) -> NDArray[np.float64]:
        """Like `evolve` to times[-1]; returns M and S (T, 2) at `times`."""
        z, C, Z = self._advance(p, times)[0]
        lengths = [length(c, zz, self.N) for c, zz in zip(C, Z, strict=True)]
        return np.stack([0.5 * self.N * z, lengths], axis=1)

    def _advance(self, p: NDArray[np.float64], times: NDArray[np.float64]) -> tuple[Any, float, float]:
        """((z, C, Z) at `times`, released, lost)."""
        y = self.y
        if p[2] == 0.0:
            rows = np.empty((len(times), 9))
            lost = 0.0
            for t, row in zip(times, rows, strict=True):
                lost = store(y, t, p, row)
            self.y = rows[-1].copy()
            return (rows[:, 0], rows[:, 3], rows[:, 4]), 0.0, float(p[1] * lost)
        z, p_r, p_i, C, Z, *pairs = y.tolist()
        if p_r or p_i or any(pairs):
            state = np.concatenate([y, [0.0, 0.0]])
            code, rows, steps = discharge_full(state, p, times, self.rtol, self.atol, self.steps_left)
            self._spend(code, steps)
            self.y = state[:9]
            return (rows[:, 0], rows[:, 3], rows[:, 4]), float(state[10]), float(p[1] * state[9])
        state = np.array([z, C, 4.0 * C + Z, 0.0, 0.0])
        code, rows, steps = discharge_diagonal(state, p, times, self.rtol, self.atol, self.steps_left)
        self._spend(code, steps)
        z, C, s, lost, released = state.tolist()
        y[0], y[3], y[4] = z, C, s - 4.0 * C
        return (rows[:, 0], rows[:, 1], rows[:, 2] - 4.0 * rows[:, 1]), released, float(p[1] * lost)

    def _spend(self, code: int, steps: int) -> None:
        self.steps_left -= steps
        must_have_ended(code)


def length(C: float, Z: float, N: int) -> float:
    """S from S(S+1) = <S^2> = 3N/4 + N(N-1)(4C+Z)/4, Eq. (7); NaN where a closure has left physics."""
    square = 0.75 * N + 0.25 * N * (N - 1.0) * (4.0 * C + Z) + 0.25
    return math.sqrt(square) - 0.5 if square >= 0.0 else math.nan
