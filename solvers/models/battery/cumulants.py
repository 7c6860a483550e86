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

A state is an array (9,): z, Re p, Im p, C, Z, Re P, Im P, Re Q, Im Q. Rates in one unit, times in its inverse.
"""

from __future__ import annotations

import math

import numpy as np

from solvers.numerics.compile import FASTMATH, entry, kernel
from solvers.numerics.outcome import DONE
from solvers.numerics.rosenbrock import rosenbrock

RATES = ("N", "gamma", "Gamma", "dephasing", "pump", "printed")
"""Order of the array that the right-hand sides take; printed is 0 or 1."""


@kernel(fastmath=FASTMATH)
def d_diagonal(t, y, p, dy):
    """dz, dC, dZ without coherence, then the energies lost individually (per gamma) and released collectively."""
    N, g, G, phi, w, printed = p[0], p[1], p[2], p[3], p[4], p[5]
    z, C, Z = y[0], y[1], y[2]
    dy[0] = -(g + G) * (1.0 + z) - 2.0 * G * (N - 1.0) * C + w * (1.0 - z)
    dy[1] = 0.0
    dy[2] = 0.0
    if N > 1.5:
        triple = G * (N - 2.0) * z * C
        source = 2.0 * z if printed > 0.5 else z + Z
        dy[1] = -(g + G) * C + 0.5 * G * source + triple - (4.0 * phi + w) * C
        dy[2] = -2.0 * (g + G) * (z + Z) + 4.0 * G * C - 4.0 * triple + 2.0 * w * (z - Z)
    dy[3] = 0.5 * N * (1.0 + z)
    dy[4] = G * (0.5 * N * (1.0 + z) + N * (N - 1.0) * C)


@kernel
def diagonal_jacobian(t, y, p, J):
    N, g, G, phi, w, printed = p[0], p[1], p[2], p[3], p[4], p[5]
    z, C = y[0], y[1]
    J[0, 0] = -(g + G) - w
    J[0, 1] = -2.0 * G * (N - 1.0)
    if N > 1.5:
        by_z, by_C = G * (N - 2.0) * C, G * (N - 2.0) * z
        J[1, 0] = (G if printed > 0.5 else 0.5 * G) + by_z
        J[1, 1] = -(g + G) + by_C - (4.0 * phi + w)
        J[1, 2] = 0.0 if printed > 0.5 else 0.5 * G
        J[2, 0] = -2.0 * (g + G) - 4.0 * by_z + 2.0 * w
        J[2, 1] = 4.0 * G - 4.0 * by_C
        J[2, 2] = -2.0 * (g + G) - 2.0 * w
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


integrate_diagonal = rosenbrock(d_diagonal, diagonal_jacobian)
integrate_full = rosenbrock(d_full, full_jacobian)


@kernel
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


@kernel
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


@kernel
def evolve(y, p, times, samples, rtol, atol, max_steps):
    """Carry y (9,) in place to times[-1], with the state at `times` in samples (T, 9).

    Returns (code of `solvers.numerics.outcome`, released, lost individually, steps).
    """
    T = times.size
    if p[2] == 0.0:
        lost = 0.0
        for i in range(T):
            lost = store(y, times[i], p, samples[i])
        y[:] = samples[T - 1]
        return DONE, 0.0, p[1] * lost, 0
    coherent = False
    for i in (1, 2, 5, 6, 7, 8):
        coherent = coherent or y[i] != 0.0
    if coherent:
        full = np.zeros(11)
        full[:9] = y
        rows = np.empty((T, 11))
        code, _, steps = integrate_full(p, full, times, rows, rtol, atol, max_steps)
        samples[:] = rows[:, :9]
        y[:] = full[:9]
        return code, full[10], p[1] * full[9], steps
    diagonal = np.zeros(5)
    diagonal[0], diagonal[1], diagonal[2] = y[0], y[3], y[4]
    table = np.empty((T, 5))
    code, _, steps = integrate_diagonal(p, diagonal, times, table, rtol, atol, max_steps)
    samples[:] = 0.0
    samples[:, 0], samples[:, 3], samples[:, 4] = table[:, 0], table[:, 1], table[:, 2]
    y[0], y[3], y[4] = diagonal[0], diagonal[1], diagonal[2]
    return code, diagonal[4], p[1] * diagonal[3], steps


@kernel
def length(y, N):
    """S from S(S+1) = <S^2> = 3N/4 + N(N-1)(4C+Z)/4, Eq. (7); NaN where a closure has left physics."""
    return math.sqrt(0.75 * N + 0.25 * N * (N - 1.0) * (4.0 * y[3] + y[4]) + 0.25) - 0.5


@kernel
def polarise(y, z, N):
    """All emitters up (z = 1) or down (z = -1)."""
    y[:] = 0.0
    y[0] = z
    if N > 1.5:
        y[4] = 1.0


@entry
def release(N, p_storage, p_discharge, tau_s, window, rtol, atol, max_steps, out):
    """Inverted start, storage, discharge; out (6,): M and S before, M and S after, released, lost in the window."""
    y = np.zeros(9)
    polarise(y, 1.0, N)
    sample = np.empty((1, 9))
    code, _, _, spent = evolve(y, p_storage, np.array([tau_s]), sample, rtol, atol, max_steps)
    out[0], out[1] = 0.5 * N * y[0], length(y, N)
    if code == DONE:
        code, out[4], out[5], _ = evolve(y, p_discharge, np.array([window]), sample, rtol, atol, max_steps - spent)
    out[2], out[3] = 0.5 * N * y[0], length(y, N)
    return code


@entry
def run_cycles(N, p_storage, p_discharge, tau_s, tau_d, angle, rtol, atol, max_steps, out):
    """Cycles from the ground state; out (cycles, 10): M and S after pulse, storage and discharge, released, charged,
    lost in storage and in discharge. Returns (code, cycles done)."""
    y = np.zeros(9)
    polarise(y, -1.0, N)
    sample = np.empty((1, 9))
    storage, discharge = np.array([tau_s]), np.array([tau_d])
    left = max_steps
    for cycle in range(out.shape[0]):
        row = out[cycle]
        before = 0.5 * N * y[0]
        pulse(y, angle)
        row[0], row[1] = 0.5 * N * y[0], length(y, N)
        row[7] = row[0] - before
        code, _, row[8], steps = evolve(y, p_storage, storage, sample, rtol, atol, left)
        left -= steps
        row[2], row[3] = 0.5 * N * y[0], length(y, N)
        if code != DONE:
            return code, cycle
        code, row[6], row[9], steps = evolve(y, p_discharge, discharge, sample, rtol, atol, left)
        left -= steps
        row[4], row[5] = 0.5 * N * y[0], length(y, N)
        if code != DONE:
            return code, cycle
    return DONE, out.shape[0]


@entry
def run_trajectory(N, p_storage, p_discharge, storage, discharge, angle, rtol, atol, max_steps, out):
    """Like `run_cycles`, but M and S at the times `storage` and `discharge` of each phase, out (cycles, 2, T, 2)."""
    y = np.zeros(9)
    polarise(y, -1.0, N)
    samples = np.empty((storage.size, 9))
    left = max_steps
    for cycle in range(out.shape[0]):
        pulse(y, angle)
        for phase in range(2):
            if phase == 0:
                code, _, _, steps = evolve(y, p_storage, storage, samples, rtol, atol, left)
            else:
                code, _, _, steps = evolve(y, p_discharge, discharge, samples, rtol, atol, left)
            left -= steps
            for i in range(samples.shape[0]):
                out[cycle, phase, i, 0] = 0.5 * N * samples[i, 0]
                out[cycle, phase, i, 1] = length(samples[i], N)
            if code != DONE:
                return code, cycle
    return DONE, out.shape[0]
