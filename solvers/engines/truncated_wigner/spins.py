"""Trajectories of coupled spins 1/2, LANES side by side, on a fixed grid of steps.

A step of length h is a Strang splitting: turns about the fields for h/2, the noise of correlated decay and the local jumps
for h, turns for h/2; the turns of two neighbouring steps are one of h, and so are those of a step without anything random.
A turn is about the field at its middle, found by going there roughly. Outputs are measured on copies, which turn the half
that is missing, or make a shorter step: so the numbers do not depend on the output times.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from solvers.engines.phase_space.single import sine_cosine
from solvers.engines.truncated_wigner.channels import LANES, channel_over, draw_starts, pass_channels
from solvers.numerics.compile import FASTMATH, entry, kernel
from solvers.numerics.convolution import Toeplitz, circulate_lanes
from solvers.numerics.normal_lanes import box_muller
from solvers.numerics.random import words

MOMENTS = 12
"""Mean of s^a (3), and mean over pairs of s_i^a s_j^b (9)."""
GROUPS = 16
"""Trajectories are summed by their number modulo this, for errors of what is no mean."""
NOISE = 1 << 31
"""The draw of the first normal of correlated decay; those of sites are below."""


class Spins(NamedTuple):
    """One point, as numbers: bonds are rows of a sparse matrix, `uniform` is a bond of that strength between all pairs."""

    field: NDArray[np.float64]  # (3, N), of H
    J: NDArray[np.float64]  # (3,)
    first: NDArray[np.int64]  # (N + 1,), bonds of spin i are first[i] ... first[i + 1] - 1
    partner: NDArray[np.int64]
    strength: NDArray[np.float64]
    uniform: float
    near_first: NDArray[np.int64]  # the same of correlated decay between neighbours
    near: NDArray[np.int64]
    near_strength: NDArray[np.float64]
    neighbour: float  # R = neighbour A + own 1 + common (all ones)
    own: float
    common: float
    modes: NDArray[np.float64]  # (modes, N), R = modes^T modes
    minus: float
    plus: float
    z: float
    axes: NDArray[np.float64]  # n, e_1, e_2 of the start
    step: float
    turns: bool  # whether there is anything to turn about
    coupled: bool  # whether that depends on the other spins
    fall: Toeplitz  # strengths by distance, if any
    waves: NDArray[np.float64]  # scratch (2, M, LANES/2) for its products


@kernel(fastmath=FASTMATH)
def add_to(out, factor, source):
    """out += factor source, over lanes."""
    for lane in range(LANES):
        out[lane] += factor * source[lane]


@kernel(fastmath=FASTMATH)
def add_bonds(first, partner, strength, factor, s, omega):
    """omega_i += factor sum_k strength_k s_partner(k), over the bonds k of every spin i."""
    for i in range(s.shape[0]):
        for k in range(first[i], first[i + 1]):
            add_to(omega[i], factor * strength[k], s[partner[k]])


@kernel(fastmath=FASTMATH)
def add_falling(p, factor, s, omega):
    """omega_i += factor sum_j fall_|i-j| s_j, where half of the lanes are the real parts and half the imaginary ones."""
    n, half = s.shape[0], LANES // 2
    re, im = p.waves[0], p.waves[1]
    p.waves[:, n:] = 0.0
    for i in range(n):
        a, b = re[i], im[i]
        for lane in range(half):
            a[lane] = s[i, lane]
            b[lane] = s[i, half + lane]
    circulate_lanes(p.fall, re, im)
    for i in range(n):
        for lane in range(half):
            omega[i, lane] += factor * re[i, lane]
            omega[i, half + lane] += factor * im[i, lane]


@kernel(fastmath=FASTMATH)
def angular_velocity(p, s, total, omega):
    """omega (3, N, LANES): the vector that every spin turns about; `total` (LANES,) is scratch."""
    n = s.shape[1]
    for a in range(3):
        for i in range(n):
            omega[a, i] = 2.0 * p.field[a, i]
    for a in range(3):
        J = 2.0 * p.J[a]
        if J != 0.0 and p.partner.size > 0:
            add_bonds(p.first, p.partner, p.strength, J, s[a], omega[a])
        if J != 0.0 and p.fall.c.size > 0:
            add_falling(p, J, s[a], omega[a])
        uniform = J * p.uniform
        correlated = 0.0 if a == 2 else 0.5 * p.common
        if uniform == 0.0 and correlated == 0.0:
            continue
        total[:] = 0.0
        for i in range(n):
            add_to(total, 1.0, s[a, i])
        other = omega[1 - a] if a < 2 else omega[a]
        correlated = -correlated if a == 1 else correlated
        for i in range(n):
            if uniform != 0.0:
                add_to(omega[a, i], uniform, total)
                add_to(omega[a, i], -uniform, s[a, i])
            if correlated != 0.0:
                add_to(other[i], correlated, total)
    if p.own != 0.0:
        for i in range(n):
            add_to(omega[0, i], -0.5 * p.own, s[1, i])
            add_to(omega[1, i], 0.5 * p.own, s[0, i])
    if p.neighbour != 0.0:
        add_bonds(p.near_first, p.near, p.near_strength, -0.5, s[1], omega[0])
        add_bonds(p.near_first, p.near, p.near_strength, 0.5, s[0], omega[1])


@kernel(fastmath=FASTMATH)
def turn(source, omega, h, target):
    """target = source (3, N, LANES) turned by the angles h |omega| about omega."""
    for i in range(source.shape[1]):
        X, Y, Z = source[0, i], source[1, i], source[2, i]
        OX, OY, OZ = omega[0, i], omega[1, i], omega[2, i]
        TX, TY, TZ = target[0, i], target[1, i], target[2, i]
        for lane in range(LANES):
            ox, oy, oz = h * OX[lane], h * OY[lane], h * OZ[lane]
            x, y, z = X[lane], Y[lane], Z[lane]
            angle = math.sqrt(ox * ox + oy * oy + oz * oz)
            sine, cosine = sine_cosine(angle)
            inverse = 1.0 / max(angle, 1e-300)
            ox, oy, oz = ox * inverse, oy * inverse, oz * inverse
            along = (1.0 - cosine) * (ox * x + oy * y + oz * z)
            TX[lane] = cosine * x + sine * (oy * z - oz * y) + along * ox
            TY[lane] = cosine * y + sine * (oz * x - ox * z) + along * oy
            TZ[lane] = cosine * z + sine * (ox * y - oy * x) + along * oz


@kernel(fastmath=FASTMATH)
def nudge(source, omega, h, target):
    """target = source + h omega x source: where the spins are about, to look at the fields there."""
    for i in range(source.shape[1]):
        X, Y, Z = source[0, i], source[1, i], source[2, i]
        OX, OY, OZ = omega[0, i], omega[1, i], omega[2, i]
        TX, TY, TZ = target[0, i], target[1, i], target[2, i]
        for lane in range(LANES):
            TX[lane] = X[lane] + h * (OY[lane] * Z[lane] - OZ[lane] * Y[lane])
            TY[lane] = Y[lane] + h * (OZ[lane] * X[lane] - OX[lane] * Z[lane])
            TZ[lane] = Z[lane] + h * (OX[lane] * Y[lane] - OY[lane] * X[lane])


@kernel(fastmath=FASTMATH)
def precess(p, s, middle, omega, total, h):
    """All spins for a time h about their fields at its middle."""
    angular_velocity(p, s, total, omega)
    if p.coupled:
        nudge(s, omega, 0.5 * h, middle)
        angular_velocity(p, middle, total, omega)
    turn(s, omega, h, s)


@kernel(fastmath=FASTMATH)
def shake(p, key, first, step, s, omega, h):
    """The noise of correlated decay: turns about sqrt(h) (-eta_y, eta_x, 0), eta = modes^T normals."""
    omega[:] = 0.0
    one, two = np.empty(LANES), np.empty(LANES)
    for mode in range(p.modes.shape[0]):
        for lane in range(LANES):
            w0, w1, _, _ = words(key, first + np.uint64(lane), step, NOISE + mode)
            one[lane], two[lane] = box_muller(w0, w1)
        for i in range(s.shape[1]):
            add_to(omega[0, i], -p.modes[mode, i], two)
            add_to(omega[1, i], p.modes[mode, i], one)
    turn(s, omega, math.sqrt(h), s)


@kernel(fastmath=FASTMATH)
def kick(p, key, first, step, s, omega, channel, h):
    """What is random in a step of length h; `channel` over h."""
    if p.modes.shape[0] > 0:
        shake(p, key, first, step, s, omega, h)
    if channel[4]:
        pass_channels(channel, key, first, step, s)


@kernel(fastmath=FASTMATH)
def measure(s, out):
    """MOMENTS of every lane into out (MOMENTS, LANES); pairs are products of different spins only, NaN where there is but one."""
    n = s.shape[1]
    out[:] = 0.0
    for a in range(3):
        for i in range(n):
            add_to(out[a], 1.0 / n, s[a, i])
    for a in range(3):
        for b in range(a, 3):
            row = out[3 + 3 * a + b]
            for i in range(n):
                A, B = s[a, i], s[b, i]
                for lane in range(LANES):
                    row[lane] += A[lane] * B[lane]
            pairs = n * (n - 1.0)
            for lane in range(LANES):
                row[lane] = (n * out[a, lane] * (n * out[b, lane]) - row[lane]) / pairs if n > 1 else np.nan
            out[3 + 3 * b + a] = row


@kernel(fastmath=FASTMATH)
def add_up(values, active, sums, squares):
    """Add the lanes below `active` to sums (MOMENTS, GROUPS), lane number modulo GROUPS, and their squares to squares (MOMENTS,)."""
    for q in range(MOMENTS):
        for lane in range(active):
            sums[q, lane % GROUPS] += values[q, lane]
            squares[q] += values[q, lane] * values[q, lane]


@entry(fastmath=FASTMATH)
def follow_spins(p, key, first, active, times, sums, squares):
    """LANES trajectories from number `first` on; those below `active` are added to sums (T, MOMENTS, GROUPS) and squares (T, MOMENTS).

    Returns the largest error of |s_i|^2 = 3 at the end.
    """
    n = p.field.shape[1]
    s, now = np.empty((3, n, LANES)), np.empty((3, n, LANES))
    other, middle = np.empty((3, n, LANES)), np.empty((3, n, LANES))
    omega, total, values = np.empty((3, n, LANES)), np.empty(LANES), np.empty((MOMENTS, LANES))
    draw_starts(key, first, p.axes, s)
    h = p.step
    channel = channel_over(p.minus, p.plus, p.z, h)
    # between kicks one turn of h; `s` is behind by half a step's turn wherever there was a kick
    behind = 0.0
    random = channel[4] or p.modes.shape[0] > 0
    row, step = 0, 0
    while row < times.size:
        here = step * h
        if times[row] < here + (1.0 - 1e-9) * h:
            now[:] = s
            if behind > 0.0:
                precess(p, now, middle, omega, total, behind)
        while row < times.size and times[row] <= here + 1e-9 * h:
            measure(now, values)
            add_up(values, active, sums[row], squares[row])
            row += 1
        while row < times.size and times[row] < here + (1.0 - 1e-9) * h:
            part = times[row] - here
            other[:] = now
            if p.turns:
                precess(p, other, middle, omega, total, 0.5 * part)
            kick(p, key, first, step, other, omega, channel_over(p.minus, p.plus, p.z, part), part)
            if p.turns:
                precess(p, other, middle, omega, total, 0.5 * part)
            measure(other, values)
            add_up(values, active, sums[row], squares[row])
            row += 1
        if row == times.size:
            break
        if p.turns:
            precess(p, s, middle, omega, total, behind + 0.5 * h if random else h)
            behind = 0.5 * h if random else 0.0
        kick(p, key, first, step, s, omega, channel, h)
        step += 1
    worst = 0.0
    for i in range(n):
        for lane in range(LANES):
            worst = max(worst, abs(s[0, i, lane] ** 2 + s[1, i, lane] ** 2 + s[2, i, lane] ** 2 - 3.0))
    return worst
