"""Trajectories of one collective spin, LANES side by side, on a fixed grid of steps.

    H = Omega S_x + delta S_z + (g/2S) S_x^2,  jumps (Gamma/2S) D[S^-], (Gamma_up/2S) D[S^+], Gamma_phi D[S_z] (doubled D)

A step of length h is a Strang splitting: turn by the field (exact) and by S_x^2 (exact, since s_x stays) for h/2;
dephasing and decay for h; the turns again for h/2. With G = Gamma/2S, G' = Gamma_up/2S and real dW of variance h:

    positive_diffusion, Eqs. (22)-(23), by a Heun step (Ito and Stratonovich agree, each amplitude has the other mode only)
        d alpha = (-G (|beta|^2 + (1+k)/2) + G' (|beta|^2 - (1-k)/2)) alpha dt + A (dW1 + i dW2)
        d beta  = (+G (|alpha|^2 - (1-k)/2) - G' (|alpha|^2 + (1+k)/2)) beta dt + B (dW3 + i dW4)
        A^2 = (G/2)(1-k) (|beta|^2 + (1+k)/2) + (G'/2)(1+k) (|beta|^2 - (1-k)/2), B^2 with alpha, (G/2)(1+k) (.. - (1-k)/2)
        and so on; a negative square (Wigner, |alpha|^2 < 1/2) counts as 0
    conserving (Wigner; not in the paper): the diffusion with its cross term is one random turn,
        d alpha = classical decay + c beta dz,  d beta = classical decay - c alpha dz*,  c^2 = (G + G')/2, dz = dW1 + i dW2
        (Stratonovich); decay and turn in closed form, N = |alpha|^2 + |beta|^2 kept on every trajectory
    dephasing: alpha -> alpha exp(i t), beta -> beta exp(-i t), t normal of variance Gamma_phi h/2 (exact)

Steps lie on the grid n h whatever the output times are: an output in between is reached by a shorter step of a copy.
Numbers have the address (key; trajectory, step, draw). With `refined` = 1 the step is half the nominal one and its noise the
Brownian bridge of the nominal noise, so that both runs follow the same paths: the step-halving check.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from solvers.engines.phase_space.sampling import draw_direction, draw_spin
from solvers.numerics.compile import FASTMATH, entry, kernel
from solvers.numerics.normal_lanes import LANES, four_normals

GROUPS = 16
"""Trajectories are summed by their number modulo this, for errors of what is no mean."""
QUANTITIES = 20
"""Sums of s (3), second moments xx xy xz yy yz zz (6), N - 2S, (N - 2S)^2, and the squares of the first nine."""

DOWN, ISOTROPIC, RAMP = range(3)

decay_normals, dephasing_normals, decay_bridge, dephasing_bridge = (four_normals(draw) for draw in range(4))


class Spin(NamedTuple):
    """One point, as numbers."""

    S: float
    Omega: float
    delta: float
    twist: float  # g/2S
    decay: float  # Gamma/2S
    gain: float  # Gamma_up/2S
    dephasing: float
    k: float
    conserving: bool
    kind: int  # of the start, see `sampling`
    theta: float
    phi: float
    start: int  # DOWN stands for (theta, phi)
    ordering_N: float  # second moments are E[s_a s_b] + delta_ab (ordering_N N + ordering_1)
    ordering_1: float
    step: float
    refined: int


# A state is an array (4, LANES): real and imaginary parts of alpha, then of beta. Noise is an array (6, 4, LANES) of
# standard normals, four a lane; one array each, because passing many costs more than a step of a lane.
DECAY, DEPHASING, DECAY_BRIDGE, DEPHASING_BRIDGE, DECAY_CUT, DEPHASING_CUT = range(6)


@kernel(inline="always", fastmath=FASTMATH)
def sine_cosine(x):
    """sin x and cos x of any x, by quarters of the circle and polynomials; vectorises; error 2e-14 (1 + |x|)."""
    quarter = math.floor(x * 0.6366197723675814 + 0.5)
    rest = x - quarter * 1.5707963267948966
    g = rest * rest
    s = 1.0 / 6227020800.0
    s = s * g - 1.0 / 39916800.0
    s = s * g + 1.0 / 362880.0
    s = s * g - 1.0 / 5040.0
    s = s * g + 1.0 / 120.0
    s = s * g - 1.0 / 6.0
    s = rest + rest * g * s
    c = -1.0 / 87178291200.0
    c = c * g + 1.0 / 479001600.0
    c = c * g - 1.0 / 3628800.0
    c = c * g + 1.0 / 40320.0
    c = c * g - 1.0 / 720.0
    c = c * g + 1.0 / 24.0
    c = 1.0 - 0.5 * g + g * g * c
    # which quarter, without a conversion to whole numbers
    half = math.floor(0.5 * quarter)
    odd = quarter - 2.0 * half > 0.5
    back = half - 2.0 * math.floor(0.5 * half) > 0.5
    sine = c if odd else s
    cosine = -s if odd else c
    sine = -sine if back else sine
    cosine = -cosine if back else cosine
    return sine, cosine


@kernel
def field_turn(Omega, delta, h):
    """Whether exp(-i h (Omega sigma_x + delta sigma_z)/2) = c - i (x sigma_x + z sigma_z) turns at all, and c, x, z."""
    size = math.sqrt(Omega * Omega + delta * delta)
    if size == 0.0:
        return False, 1.0, 0.0, 0.0
    s = math.sin(0.5 * h * size) / size
    return True, math.cos(0.5 * h * size), s * Omega, s * delta


@kernel(fastmath=FASTMATH)
def turn_by_field(state, c, x, z):
    """c - i (x sigma_x + z sigma_z) on every lane."""
    AR, AI, BR, BI = state[0], state[1], state[2], state[3]
    for lane in range(LANES):
        ar, ai, br, bi = AR[lane], AI[lane], BR[lane], BI[lane]
        AR[lane] = c * ar + z * ai + x * bi
        AI[lane] = c * ai - z * ar - x * br
        BR[lane] = c * br - z * bi + x * ai
        BI[lane] = c * bi + z * br - x * ar


@kernel(fastmath=FASTMATH)
def turn_by_twist(state, twist, h):
    """The flow of (g/2S) S_x^2: a turn about x by (g/2S) s_x, which it keeps: d alpha = -i (g/2S) s_x beta dt (g/8S in Eq. 31)."""
    AR, AI, BR, BI = state[0], state[1], state[2], state[3]
    for lane in range(LANES):
        ar, ai, br, bi = AR[lane], AI[lane], BR[lane], BI[lane]
        s, c = sine_cosine(twist * h * (ar * br + ai * bi))
        AR[lane] = c * ar + s * bi
        AI[lane] = c * ai - s * br
        BR[lane] = c * br + s * ai
        BI[lane] = c * bi - s * ar


@kernel(fastmath=FASTMATH)
def dephase(state, rate, h, normal):
    """Opposite random phases of the modes."""
    AR, AI, BR, BI = state[0], state[1], state[2], state[3]
    scale = math.sqrt(0.5 * rate * h)
    for lane in range(LANES):
        s, c = sine_cosine(scale * normal[lane])
        ar, ai, br, bi = AR[lane], AI[lane], BR[lane], BI[lane]
        AR[lane] = c * ar - s * ai
        AI[lane] = c * ai + s * ar
        BR[lane] = c * br + s * bi
        BI[lane] = c * bi - s * br


@kernel(fastmath=FASTMATH)
def decay_positive(p, state, h, z, a, b):
    """Decay and gain with positive diffusion: one Heun step. Normals of alpha in rows a and a + 1 of z, of beta in b and b + 1."""
    AR, AI, BR, BI = state[0], state[1], state[2], state[3]
    z1, z2, z3, z4 = z[a], z[a + 1], z[b], z[b + 1]
    plus, minus = 0.5 * (1.0 + p.k), 0.5 * (1.0 - p.k)
    root = math.sqrt(h)
    decay_a, gain_a = p.decay * minus, p.gain * plus  # (G/2)(1-k), (G'/2)(1+k)
    for lane in range(LANES):
        ar, ai, br, bi = AR[lane], AI[lane], BR[lane], BI[lane]
        wa, va, wb, vb = root * z1[lane], root * z2[lane], root * z3[lane], root * z4[lane]
        na, nb = ar * ar + ai * ai, br * br + bi * bi
        fa = -p.decay * (nb + plus) + p.gain * (nb - minus)
        fb = p.decay * (na - minus) - p.gain * (na + plus)
        sa = math.sqrt(max(decay_a * (nb + plus) + gain_a * (nb - minus), 0.0))
        sb = math.sqrt(max(p.decay * plus * (na - minus) + p.gain * minus * (na + plus), 0.0))
        # predictor
        car, cai = ar + h * fa * ar + sa * wa, ai + h * fa * ai + sa * va
        cbr, cbi = br + h * fb * br + sb * wb, bi + h * fb * bi + sb * vb
        na, nb = car * car + cai * cai, cbr * cbr + cbi * cbi
        ga = -p.decay * (nb + plus) + p.gain * (nb - minus)
        gb = p.decay * (na - minus) - p.gain * (na + plus)
        ta = 0.5 * (sa + math.sqrt(max(decay_a * (nb + plus) + gain_a * (nb - minus), 0.0)))
        tb = 0.5 * (sb + math.sqrt(max(p.decay * plus * (na - minus) + p.gain * minus * (na + plus), 0.0)))
        AR[lane] = ar + 0.5 * h * (fa * ar + ga * car) + ta * wa
        AI[lane] = ai + 0.5 * h * (fa * ai + ga * cai) + ta * va
        BR[lane] = br + 0.5 * h * (fb * br + gb * cbr) + tb * wb
        BI[lane] = bi + 0.5 * h * (fb * bi + gb * cbi) + tb * vb


@kernel(fastmath=FASTMATH)
def shrink_factors(p, state, h, out):
    """exp(-(G - G') N h) per lane: what a step of classical decay does to |alpha/beta|."""
    AR, AI, BR, BI = state[0], state[1], state[2], state[3]
    rate = p.decay - p.gain
    for lane in range(LANES):
        N = AR[lane] ** 2 + AI[lane] ** 2 + BR[lane] ** 2 + BI[lane] ** 2
        out[lane] = math.exp(-rate * N * h)


@kernel(fastmath=FASTMATH)
def decay_classical(state, factors):
    """Classical decay for a step: alpha -> alpha q sqrt(N/D), beta -> beta sqrt(N/D), D = |alpha|^2 q^2 + |beta|^2."""
    AR, AI, BR, BI = state[0], state[1], state[2], state[3]
    for lane in range(LANES):
        q = factors[lane]
        ar, ai, br, bi = AR[lane], AI[lane], BR[lane], BI[lane]
        # where q overflows (gain over a long step) beta is what shrinks
        qa, qb = (q, 1.0) if q <= 1.0 else (1.0, 1.0 / q)
        na, nb = ar * ar + ai * ai, br * br + bi * bi
        ratio = math.sqrt((na + nb) / max(na * qa * qa + nb * qb * qb, 1e-300))
        AR[lane] = ar * qa * ratio
        AI[lane] = ai * qa * ratio
        BR[lane] = br * qb * ratio
        BI[lane] = bi * qb * ratio


@kernel(fastmath=FASTMATH)
def turn_at_random(p, state, h, first, second):
    """exp [[0, z], [-z*, 0]] with z = c (dW1 + i dW2); `first`, `second` (LANES,) standard normals."""
    AR, AI, BR, BI = state[0], state[1], state[2], state[3]
    scale = math.sqrt(0.5 * (p.decay + p.gain) * h)
    for lane in range(LANES):
        zr, zi = scale * first[lane], scale * second[lane]
        angle = math.sqrt(zr * zr + zi * zi)
        s, c = sine_cosine(angle)
        s = s / max(angle, 1e-300)
        zr, zi = s * zr, s * zi
        ar, ai, br, bi = AR[lane], AI[lane], BR[lane], BI[lane]
        AR[lane] = c * ar + zr * br - zi * bi
        AI[lane] = c * ai + zr * bi + zi * br
        BR[lane] = c * br - zr * ar - zi * ai
        BI[lane] = c * bi - zr * ai + zi * ar


@kernel(fastmath=FASTMATH)
def cut_in_two(coarse, bridge, half, out):
    """Normals of half a step from those of the whole one and an independent set: (z + y)/sqrt 2, then (z - y)/sqrt 2."""
    for i in range(4):
        for lane in range(LANES):
            out[i, lane] = (coarse[i, lane] + half * bridge[i, lane]) * 0.7071067811865476


@kernel(fastmath=FASTMATH)
def one_normal(p):
    """Whether one complex normal a step is enough: the conserving noise, and where one of the modes has none."""
    one_sided = p.gain == 0.0 or p.decay == 0.0
    return p.conserving or (one_sided and (p.k > 0.5 or p.k < -0.5))


@kernel(fastmath=FASTMATH)
def draw_noise(p, noise, key, first, step):
    """The standard normals of a step of the grid, for the trajectories first, first + 1, ...

    The addresses: draw 0 decay, 1 dephasing, 2 and 3 their bridges. One block is four steps of dephasing, and one or two
    of decay.
    """
    coarse = step >> p.refined
    half = 1.0 if (step & p.refined) == 0 else -1.0
    if p.decay > 0.0 or p.gain > 0.0:
        shift = 1 if one_normal(p) else 0
        if shift == 0 or (coarse & 1) == 0 or step == 0:
            decay_normals(key, first, coarse >> shift, noise[DECAY])
            if p.refined:
                decay_bridge(key, first, coarse >> shift, noise[DECAY_BRIDGE])
        if p.refined:
            cut_in_two(noise[DECAY], noise[DECAY_BRIDGE], half, noise[DECAY_CUT])
    if p.dephasing > 0.0:
        if (coarse & 3) == 0 or step == 0:
            dephasing_normals(key, first, coarse >> 2, noise[DEPHASING])
            if p.refined:
                dephasing_bridge(key, first, coarse >> 2, noise[DEPHASING_BRIDGE])
        if p.refined:
            cut_in_two(noise[DEPHASING], noise[DEPHASING_BRIDGE], half, noise[DEPHASING_CUT])


@kernel(fastmath=FASTMATH)
def advance(p, state, noise, factors, field, step, h):
    """One step of length h with the noise drawn for it.

    `field` from `field_turn` and, for the conserving variant, `factors` (LANES,) from `shrink_factors`, both for h/2.
    """
    turns, c, x, z = field
    coarse = step >> p.refined
    if turns:
        turn_by_field(state, c, x, z)
    if p.twist != 0.0:
        turn_by_twist(state, p.twist, 0.5 * h)
    if p.dephasing > 0.0:
        dephase(state, p.dephasing, h, noise[DEPHASING_CUT if p.refined else DEPHASING, coarse & 3])
    if p.decay > 0.0 or p.gain > 0.0:
        normals = noise[DECAY_CUT if p.refined else DECAY]
        at = 2 * (coarse & 1) if one_normal(p) else 0
        if p.conserving:
            decay_classical(state, factors)
            turn_at_random(p, state, h, normals[at], normals[at + 1])
            decay_classical(state, factors)
        else:
            decay_positive(p, state, h, normals, at, at if one_normal(p) else 2)
    if p.twist != 0.0:
        turn_by_twist(state, p.twist, 0.5 * h)
    if turns:
        turn_by_field(state, c, x, z)


@kernel(fastmath=FASTMATH)
def measure(p, state, out):
    """The first eleven QUANTITIES of every lane into out (QUANTITIES, LANES)."""
    AR, AI, BR, BI = state[0], state[1], state[2], state[3]
    for lane in range(LANES):
        ar, ai, br, bi = AR[lane], AI[lane], BR[lane], BI[lane]
        na, nb = ar * ar + ai * ai, br * br + bi * bi
        x, y, z = ar * br + ai * bi, ar * bi - ai * br, 0.5 * (na - nb)
        extra = na + nb - 2.0 * p.S
        shift = p.ordering_N * (na + nb) + p.ordering_1
        out[0, lane], out[1, lane], out[2, lane] = x, y, z
        out[3, lane], out[4, lane], out[5, lane] = x * x + shift, x * y, x * z
        out[6, lane], out[7, lane], out[8, lane] = y * y + shift, y * z, z * z + shift
        out[9, lane], out[10, lane] = extra, extra * extra


@kernel(fastmath=FASTMATH)
def add_up(values, active, sums):
    """Add the lanes below `active` and their squares to sums (QUANTITIES, GROUPS)."""
    for i in range(9):
        for lane in range(LANES):
            values[11 + i, lane] = values[i, lane] * values[i, lane]
    for i in range(QUANTITIES):
        for group in range(GROUPS):
            total = 0.0
            for lane in range(group, LANES, GROUPS):
                if lane < active:
                    total += values[i, lane]
            sums[i, group] += total


@kernel
def draw_starts(p, state, key, first):
    AR, AI, BR, BI = state[0], state[1], state[2], state[3]
    for lane in range(LANES):
        trajectory = first + np.uint64(lane)
        theta, phi = p.theta, p.phi
        if p.start == ISOTROPIC:
            theta, phi = draw_direction(key, trajectory)
        alpha, beta = draw_spin(key, trajectory, 0, p.kind, p.S, theta, phi)
        AR[lane], AI[lane], BR[lane], BI[lane] = alpha.real, alpha.imag, beta.real, beta.imag


@entry(fastmath=FASTMATH)
def follow(p, key, first, active, times, sums):
    """LANES trajectories from number `first` on; those below `active` are added to sums (T, QUANTITIES, GROUPS) at `times`."""
    state, other, noise = np.empty((4, LANES)), np.empty((4, LANES)), np.zeros((6, 4, LANES))
    values = np.zeros((QUANTITIES, LANES))
    factors, partial = np.empty(LANES), np.empty(LANES)
    draw_starts(p, state, key, first)
    h = p.step / (1 << p.refined)
    shrink_factors(p, state, 0.5 * h, factors)
    field = field_turn(p.Omega, p.delta, 0.5 * h)
    row, step = 0, 0
    while row < times.size:
        here = step * h
        fresh = False
        # on the grid, up to rounding
        while row < times.size and times[row] <= here + 1e-9 * h:
            measure(p, state, values)
            add_up(values, active, sums[row])
            row += 1
        while row < times.size and times[row] < here + (1.0 - 1e-9) * h:
            if not fresh:
                draw_noise(p, noise, key, first, step)
                fresh = True
            other[:] = state
            part = times[row] - here
            shrink_factors(p, other, 0.5 * part, partial)
            advance(p, other, noise, partial, field_turn(p.Omega, p.delta, 0.5 * part), step, part)
            measure(p, other, values)
            add_up(values, active, sums[row])
            row += 1
        if row == times.size:
            break
        if not fresh:
            draw_noise(p, noise, key, first, step)
        advance(p, state, noise, factors, field, step, h)
        step += 1


@entry(fastmath=FASTMATH)
def average(p, key, first, active, relax, steps, sums):
    """The same, each trajectory averaged over `steps` steps after `relax` steps; onto sums (1, QUANTITIES, GROUPS)."""
    state, noise = np.empty((4, LANES)), np.zeros((6, 4, LANES))
    values, totals = np.zeros((QUANTITIES, LANES)), np.zeros((QUANTITIES, LANES))
    factors = np.empty(LANES)
    draw_starts(p, state, key, first)
    h = p.step / (1 << p.refined)
    shrink_factors(p, state, 0.5 * h, factors)
    full = field_turn(p.Omega, p.delta, 0.5 * h)
    for step in range(relax + steps):
        field = full
        if p.start == RAMP and step < relax:
            field = field_turn(p.Omega * (step + 0.5) / relax, p.delta, 0.5 * h)
        draw_noise(p, noise, key, first, step)
        advance(p, state, noise, factors, field, step, h)
        if step >= relax:
            measure(p, state, values)
            for i in range(11):
                for lane in range(LANES):
                    totals[i, lane] += values[i, lane]
    if steps == 0:
        measure(p, state, totals)
        steps = 1
    for i in range(11):
        for lane in range(LANES):
            totals[i, lane] /= steps
    add_up(totals, active, sums[0])
