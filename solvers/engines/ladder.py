"""One spin S on its ladder of 2S+1 levels: the density matrix in time, by diagonals.

    d rho/dt = -i [H, rho] + (Gamma/2S) D[S^-] rho + (Gamma_up/2S) D[S^+] rho + Gamma_phi D[S_z] rho
    H = Omega S_x + delta S_z + (g/2S) S_x^2,    D[c] rho = 2 c rho c^+ - c^+c rho - rho c^+c   (TWICE the usual one)

A Hermitian matrix is kept as its diagonals d = m - m' >= 0, row d of an array, in a frame where the drive is real:
Q_d[k] = i^d rho_{k+d,k}, k = S + m'. With a_k = <k+1|S^+|k> and e_k = (g/8S) a_k a_{k+1},

    dQ_d[k]/dt = (Omega/2) (a_{k+d-1} Q_{d-1}[k] - a_k Q_{d-1}[k+1] - a_{k+d} Q_{d+1}[k] + a_{k-1} Q_{d+1}[k-1])
               + i (e_{k+d-2} Q_{d-2}[k] - e_k Q_{d-2}[k+2] + e_{k+d} Q_{d+2}[k] - e_{k-2} Q_{d+2}[k-2])
               - i (h_{k+d} - h_k) Q_d[k] - (l_{k+d} + l_k + Gamma_phi d^2) Q_d[k]
               + (Gamma/S) a_k a_{k+d} Q_d[k+1] + (Gamma_up/S) a_{k-1} a_{k+d-1} Q_d[k-1]

and Q_{-d}[k] = conj(Q_d[k-d]). Without delta and g the real and imaginary parts do not mix, and from a pole or a start
in the plane of y and z there is no imaginary part. Diagonals far out are empty most of the time: only those above
rounding are carried along, and more as they fill. Steps are Taylor series of order 8, as long as their stability and
the size of their last term allow.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from solvers.numerics.compile import FASTMATH, entry, kernel
from solvers.numerics.outcome import DONE, MAX_STEPS, NOT_FINITE, STEP_TOO_SMALL

ORDER = 8
STABLE = 3.2
"""Half-discs of this radius lie inside the stability region of the Taylor polynomial of order 8 (3.36)."""
PAD = 2
MOMENTS = 11
"""<S_a> (3), the symmetrised second moments xx, xy, xz, yy, yz, zz (6), the trace, the smallest population."""
EMPTY = 1e-5
"""Diagonals below this part of (rtol times the largest element) are left out."""
OVERFLOWN = 1e-2
"""A step that fills the outermost diagonal above this part of (rtol times the largest element) is repeated with more."""


class Rates(NamedTuple):
    """Coefficients of the equation of motion, in one unit."""

    S: float
    Omega: float = 0.0
    delta: float = 0.0
    g: float = 0.0
    Gamma: float = 0.0
    Gamma_up: float = 0.0
    Gamma_phi: float = 0.0


class Ladder(NamedTuple):
    """Tables of the equation of motion; index k + PAD stands for level k, zero outside the ladder."""

    levels: int
    half_drive: float
    detuning: float
    dephasing: float
    decay: float  # Gamma/S
    gain: float  # Gamma_up/S
    twisted: bool
    a: NDArray[np.float64]
    e: NDArray[np.float64]
    h: NDArray[np.float64]
    bound: float  # of |eigenvalues| without dephasing: 1.1 times sqrt(spread of H^2 + twice the fastest rate^2), at least the 2-norm in every case tried


def raising(levels: int) -> NDArray[np.float64]:
    """a_k = <k+1|S^+|k> (levels,), the last one 0."""
    k = np.arange(levels)
    return np.sqrt((levels - 1 - k) * (k + 1.0))


def build_ladder(r: Rates) -> Ladder:
    """The tables of a point."""
    levels = round(2 * r.S) + 1
    a = raising(levels)
    below = np.concatenate([[0.0], a[:-1]])
    scale = r.g / (8 * r.S)
    above = np.concatenate([a[1:], [0.0]])
    spread = 2 * r.S * math.hypot(r.Omega, r.delta) + abs(r.g) * r.S / 2
    fastest = (r.Gamma + r.Gamma_up) * (r.S + 0.5) ** 2 / r.S

    def padded(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.pad(values, 2 * PAD)

    return Ladder(
        levels,
        r.Omega / 2,
        r.delta,
        r.Gamma_phi,
        r.Gamma / r.S,
        r.Gamma_up / r.S,
        r.g != 0.0,
        padded(a),
        padded(scale * a * above),
        padded(scale * (a**2 + below**2)),
        1.1 * math.hypot(spread, 2 * fastest),
    )


def coherent_amplitudes(S: float, theta: float) -> NDArray[np.float64]:
    """Moduli (2S+1,) of the spin coherent state at polar angle theta from up, level k = S + m."""
    n = round(2 * S)
    k = np.arange(n + 1)
    c, s = abs(math.cos(theta / 2)), abs(math.sin(theta / 2))
    log = 0.5 * (gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        log = log + np.where(k > 0, k * np.log(c), 0.0) + np.where(k < n, (n - k) * np.log(s), 0.0)
    amplitudes = np.exp(log)
    return amplitudes / np.linalg.norm(amplitudes)


def phase_of(theta: float, phi: float) -> float:
    """The azimuth of the coherent state at (theta, phi) with its moduli positive: phi, or phi + pi where sin theta < 0."""
    return phi if math.sin(theta) >= 0.0 else phi + math.pi


def coherent_diagonals(S: float, theta: float, phi: float) -> tuple[NDArray[np.float64], int]:
    """Q (2, levels + 2 PAD, levels + 4 PAD), real and imaginary parts of the coherent state at (theta, phi), and how many diagonals it fills."""
    r = coherent_amplitudes(S, theta)
    levels = len(r)
    Q = np.zeros((2, levels + 2 * PAD, levels + 4 * PAD))
    angle = math.pi / 2 - phase_of(theta, phi)
    largest = r.max() ** 2
    active = 1
    for d in range(levels):
        product = r[d:] * r[: levels - d]
        if product.max() < 1e-17 * largest:
            break
        # exact zeros where the phase is a multiple of a right angle, so that parts which do not exist stay absent
        turns = angle * d / (math.pi / 2)
        near = round(turns)
        if abs(turns - near) < 1e-14 * max(1.0, abs(turns)):
            cosine, sine = ((1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0))[near % 4]
        else:
            cosine, sine = math.cos(angle * d), math.sin(angle * d)
        Q[0, d + PAD, 2 * PAD : 2 * PAD + levels - d] = cosine * product
        Q[1, d + PAD, 2 * PAD : 2 * PAD + levels - d] = sine * product
        active = d + 1
    return Q, active


@kernel(fastmath=FASTMATH)
def largest_of(Q, parts, d, levels):
    """Largest |element| of a diagonal."""
    found = 0.0
    row = d + PAD
    for part in range(parts):
        for c in range(2 * PAD, 2 * PAD + levels - d):
            found = max(found, abs(Q[part, row, c]))
    return found


@kernel(fastmath=FASTMATH)
def mirror(Q, parts, levels):
    """Fill the diagonals -1 and -2 from 1 and 2."""
    for d in range(1, min(PAD, levels - 1) + 1):
        for part in range(parts):
            sign = 1.0 if part == 0 else -1.0
            for k in range(d, levels):
                Q[part, PAD - d, k + 2 * PAD] = sign * Q[part, PAD + d, k - d + 2 * PAD]


@kernel(fastmath=FASTMATH)
def apply(p, Q, out, total, parts, active, stride, factor):
    """out = factor L Q and total += out, on the diagonals 0, stride, 2 stride, ... below `active`; the others are zero in Q."""
    mirror(Q, parts, p.levels)
    # flat arrays and unsigned indices: no index is checked for being negative, and few arrays have to be told apart
    q, result, sums, a = Q.reshape(Q.size), out.reshape(Q.size), total.reshape(Q.size), p.a
    columns = Q.shape[2]
    decay, gain, drive = factor * p.decay, factor * p.gain, factor * p.half_drive
    one = np.uint64(1)
    low = np.uint64(2 * PAD)
    for part in range(parts):
        for d in range(0, active, stride):
            n = np.uint64(p.levels - d)
            at = np.uint64((part * Q.shape[1] + d + PAD) * columns + 2 * PAD)
            inner, outer = at - np.uint64(columns), at + np.uint64(columns)
            up = low + np.uint64(d)
            dephasing = factor * p.dephasing * d * d
            if p.half_drive == 0.0:
                for i in range(n):
                    x, x_d, y, y_d = a[low + i], a[up + i], a[low + i - one], a[up + i - one]
                    loss = 0.5 * (decay * (y * y + y_d * y_d) + gain * (x * x + x_d * x_d)) + dephasing
                    value = decay * x * x_d * q[at + i + one] + gain * y * y_d * q[at + i - one] - loss * q[at + i]
                    result[at + i] = value
                    sums[at + i] += value
            elif p.gain == 0.0:
                for i in range(n):
                    x, x_d, y, y_d = a[low + i], a[up + i], a[low + i - one], a[up + i - one]
                    loss = 0.5 * decay * (y * y + y_d * y_d) + dephasing
                    turned = y_d * q[inner + i] - x * q[inner + i + one] - x_d * q[outer + i] + y * q[outer + i - one]
                    value = decay * x * x_d * q[at + i + one] - loss * q[at + i] + drive * turned
                    result[at + i] = value
                    sums[at + i] += value
            else:
                for i in range(n):
                    x, x_d, y, y_d = a[low + i], a[up + i], a[low + i - one], a[up + i - one]
                    loss = 0.5 * (decay * (y * y + y_d * y_d) + gain * (x * x + x_d * x_d)) + dephasing
                    turned = y_d * q[inner + i] - x * q[inner + i + one] - x_d * q[outer + i] + y * q[outer + i - one]
                    jumped = decay * x * x_d * q[at + i + one] + gain * y * y_d * q[at + i - one]
                    value = jumped - loss * q[at + i] + drive * turned
                    result[at + i] = value
                    sums[at + i] += value
    if p.twisted or p.detuning != 0.0:
        e, h = p.e, p.h
        two, two_rows = np.uint64(2), np.uint64(2 * columns)
        for part in range(2):
            # i times (x + i y) = -y + i x
            sign = factor if part == 1 else -factor
            for d in range(0, active, stride):
                n = np.uint64(p.levels - d)
                at = np.uint64((part * Q.shape[1] + d + PAD) * columns + 2 * PAD)
                other = np.uint64(((1 - part) * Q.shape[1] + d + PAD) * columns + 2 * PAD)
                up = low + np.uint64(d)
                turn = p.detuning * d
                if not p.twisted:
                    for i in range(n):
                        value = sign * turn * q[other + i]
                        result[at + i] -= value
                        sums[at + i] -= value
                    continue
                inner, outer = other - two_rows, other + two_rows
                for i in range(n):
                    hop = e[up + i - two] * q[inner + i] - e[low + i] * q[inner + i + two]
                    hop += e[up + i] * q[outer + i] - e[low + i - two] * q[outer + i - two]
                    value = sign * (hop - (h[up + i] - h[low + i] + turn) * q[other + i])
                    result[at + i] += value
                    sums[at + i] += value


@kernel(fastmath=FASTMATH)
def observe(p, Q, parts, active, out):
    """Moments of one matrix into `out` (MOMENTS - 1,): linear in Q."""
    n = p.levels
    S = 0.5 * (n - 1)
    low = 2 * PAD
    z, zz, plus_minus, trace = 0.0, 0.0, 0.0, 0.0
    for k in range(n):
        m = k - S
        value = Q[0, PAD, low + k]
        trace += value
        z += m * value
        zz += m * m * value
        plus_minus += (S * (S + 1.0) - m * m) * value
    # <S^-> = sum a_k rho_{k+1,k}, rho_{k+d,k} = (-i)^d Q_d[k]
    x1, y1, x2, y2, x3, y3 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    if active > 1:
        for k in range(n - 1):
            c = low + k
            a = p.a[c]
            m = k - S + 0.5
            x1 += a * Q[0, PAD + 1, c]
            x2 += a * m * Q[0, PAD + 1, c]
            if parts > 1:
                y1 += a * Q[1, PAD + 1, c]
                y2 += a * m * Q[1, PAD + 1, c]
    if active > 2:
        for k in range(n - 2):
            c = low + k
            a = p.a[c] * p.a[c + 1]
            x3 += a * Q[0, PAD + 2, c]
            if parts > 1:
                y3 += a * Q[1, PAD + 2, c]
    # times -i: <S_x> - i <S_y> = y1 - i x1, and the same with S_z symmetrised
    out[0], out[1], out[2] = y1, x1, z
    # times (-i)^2: <S^- S^-> = -(x3 + i y3) = <xx> - <yy> - 2 i <xy>
    out[3] = 0.5 * (plus_minus - x3)
    out[6] = 0.5 * (plus_minus + x3)
    out[4] = 0.5 * y3
    out[5], out[7], out[8] = y2, x2, zz
    out[9] = trace


@entry(fastmath=FASTMATH)
def evolve_diagonals(p, Q, parts, active, stride, times, rtol, atol, max_steps, out):
    """Carry Q (overwritten) through `times`, moments into `out` (T, MOMENTS): (code, t_reached, steps, most diagonals).

    parts: 1 if there is no imaginary part. active: how many diagonals are filled. stride: 2 if the odd ones stay empty.
    """
    levels = p.levels
    shape = (2, levels + 2 * PAD, levels + 4 * PAD)
    result, now, then = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    series = np.empty((ORDER + 1, MOMENTS - 1))
    t, steps, row, widest = 0.0, 0, 0, active
    limit = np.inf
    margin = 6 * (2 if p.twisted else 1)
    active = min(levels, active + margin)
    while row < times.size:
        if t >= times[row] and row < times.size:
            observe(p, Q, parts, active, out[row])
            out[row, MOMENTS - 1] = Q[0, PAD, 2 * PAD : 2 * PAD + levels].min()
            row += 1
            continue
        largest = max(largest_of(Q, parts, 0, levels), 1e-300)
        if not (largest < 1e3):
            return NOT_FINITE, t, steps, widest
        bound = p.bound + p.dephasing * float(active - 1) ** 2
        cap = STABLE / bound if bound > 0.0 else np.inf
        h = min(cap, limit, times[times.size - 1] - t)
        while True:
            steps += 1
            if steps > max_steps:
                return MAX_STEPS, t, steps, widest
            observe(p, Q, parts, active, series[0])
            for part in range(parts):
                for d in range(0, active, stride):
                    for c in range(2 * PAD, 2 * PAD + levels - d):
                        result[part, d + PAD, c] = Q[part, d + PAD, c]
            error = 0.0
            for order in range(1, ORDER + 1):
                source = Q if order == 1 else (now if order % 2 == 0 else then)
                target = now if order % 2 == 1 else then
                apply(p, source, target, result, parts, active, stride, h / order)
                observe(p, target, parts, active, series[order])
            for d in range(0, active, stride):
                error = max(error, largest_of(target, parts, d, levels))
            allowed = atol + rtol * largest
            outermost = 0.0
            for d in range(max(0, active - 2), active):
                if d % stride == 0:
                    outermost = max(outermost, largest_of(result, parts, d, levels))
            if active < levels and outermost > OVERFLOWN * rtol * largest:
                active = min(levels, active + 2 * margin)
                h = min(h, STABLE / (p.bound + p.dephasing * float(active - 1) ** 2))
                continue
            if error <= allowed:
                break
            if not (error < 1e100):
                h *= 0.1
            else:
                h *= max(0.2, 0.9 * (allowed / error) ** (1.0 / ORDER))
            limit = h
            if t + h == t:
                return STEP_TOO_SMALL, t, steps, widest
        end = t + h
        if times[times.size - 1] - end < 1e-14 * end:
            end = times[times.size - 1]
        while row < times.size and times[row] <= end:
            x = min(1.0, (times[row] - t) / h)
            for i in range(MOMENTS - 1):
                value = series[ORDER, i]
                for order in range(ORDER - 1, -1, -1):
                    value = value * x + series[order, i]
                out[row, i] = value
            out[row, MOMENTS - 1] = result[0, PAD, 2 * PAD : 2 * PAD + levels].min()
            row += 1
        t = end
        if error > 0.0:
            limit = h * min(2.0, 0.9 * (allowed / error) ** (1.0 / ORDER))
        elif limit < np.inf:
            limit *= 2.0
        for part in range(parts):
            for d in range(0, active, stride):
                for c in range(2 * PAD, 2 * PAD + levels - d):
                    Q[part, d + PAD, c] = result[part, d + PAD, c]
        filled = active
        while filled > 1 and largest_of(Q, parts, filled - 1, levels) <= EMPTY * rtol * largest:
            filled -= 1
            Q[:, filled + PAD, :] = 0.0
        widest = max(widest, filled)
        before = active
        active = min(levels, filled + margin)
        if active < before:
            for d in range(active, before):
                now[:, d + PAD, :] = 0.0
                then[:, d + PAD, :] = 0.0
                result[:, d + PAD, :] = 0.0
    return DONE, t, steps, widest


class Path(NamedTuple):
    """Moments of the exact state at the output times."""

    mean: NDArray[np.float64]  # (T, 3)
    second: NDArray[np.float64]  # (T, 3, 3), symmetrised
    trace: NDArray[np.float64]  # (T,)
    smallest: NDArray[np.float64]  # (T,), smallest population at the end of the step
    code: int
    reached: float
    diagonals: int


def unpack(moments: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean (..., 3) and second moments (..., 3, 3) from a row of MOMENTS numbers."""
    xx, xy, xz, yy, yz, zz = np.moveaxis(moments[..., 3:9], -1, 0)
    second = np.stack([np.stack(row, axis=-1) for row in ((xx, xy, xz), (xy, yy, yz), (xz, yz, zz))], axis=-2)
    return np.array(moments[..., :3]), second


def evolve(
    r: Rates,
    theta: float,
    phi: float,
    times: NDArray[np.float64],
    *,
    rtol: float,
    atol: float,
    max_steps: int,
) -> Path:
    """The exact evolution of the spin coherent state at (theta, phi) with all terms of the equation of motion.

    times: (T,), never decreasing, from 0. Memory: 64 (2S+1)^2 bytes. `code` says how the integration ended.
    """
    ladder = build_ladder(r)
    Q, active = coherent_diagonals(r.S, theta, phi)
    # an angle in decimals is not quite a pole's: what lies this far below the tolerance is left out
    nothing = 1e-3 * rtol * float(np.abs(Q[0, PAD]).max())
    if np.abs(Q[1]).max() < nothing:
        Q[1] = 0.0
    odd = Q[:, PAD + 1 :: 2]
    if np.abs(odd).max(initial=0.0) < nothing:
        odd[:] = 0.0
    parts = 2 if r.g != 0.0 or r.delta != 0.0 or np.any(Q[1]) else 1
    stride = 2 if r.Omega == 0.0 and not np.any(odd) else 1
    out = np.full((len(times), MOMENTS), np.nan)
    if len(times) and not times[-1] * ladder.bound / STABLE <= max_steps:  # said at once rather than after all of them
        mean, second = unpack(out)
        return Path(mean, second, out[:, 9], out[:, 10], MAX_STEPS, 0.0, active)
    code, reached, _, widest = evolve_diagonals(ladder, Q, parts, active, stride, times, rtol, atol, max_steps, out)
    mean, second = unpack(out)
    return Path(mean, second, out[:, 9], out[:, 10], int(code), float(reached), int(widest))
