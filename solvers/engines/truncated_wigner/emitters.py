"""Truncated Wigner trajectories of N equal emitters that emit together: D[sum sigma_-] beside the local channels, no couplings.

All spins turn together, about (-L_y, L_x, 0) with L = sum_i s_i: by the field of what they emit, Gamma/2 (L_x, L_y), and by that of
its noise. So |L| stays between local jumps, and L alone is followed: classical decay of its polar angle in closed form,
tan(theta/2) -> tan(theta/2) exp(Gamma |L| h/2), for half a step, the noise for a step, and decay for the other half. The turn since the
start is kept as a quaternion, and a spin is turned by it only when it jumps: jumps come one at a time, at the rate
N (gamma_- + gamma_+ + gamma_z), each at its own random time.

Energies in units of the splitting: what a turn takes from L_z/2 leaves together, what a decay takes from s_z/2 individually.
"""

from __future__ import annotations

import math

import numpy as np

from solvers.engines.truncated_wigner.channels import UNIT, jumped, sign_of_mean, start_signs
from solvers.numerics.compile import FASTMATH, entry, kernel
from solvers.numerics.random import log_unit, normal_pair, uniform_pair, words

QUANTITIES = 6
"""M before, <S^2> before, M after, <S^2> after, released together, lost individually: of one trajectory."""
STORED, JUMPS, NOISE = 0, 1, 2
"""The `step` of numbers: of storage 0; later 3 n + 1 and 3 n + 2 for jump n and 3 n + 3 for step n of the discharge."""
EMISSION_PER_STEP = 0.4
"""What Gamma (|L|/2 + 1) h may be in one step."""


@kernel(fastmath=FASTMATH)
def noise_of_step(x):
    """sinh(x)/x, x = Gamma |L| h/2: the noise of a step between two halves of decay is this much stronger.

    Near either pole the transverse spin falls or grows as exp(-+ Gamma |L| t/2), and its variance is then right for any h.
    """
    return math.sinh(x) / x if x > 1e-3 else 1.0 + x * x / 6.0


@kernel(fastmath=FASTMATH)
def multiply(a, b, out):
    """out = a b, quaternions (4,), the real part first; `out` may be b."""
    w = a[0] * b[0] - a[1] * b[1] - a[2] * b[2] - a[3] * b[3]
    x = a[0] * b[1] + a[1] * b[0] + a[2] * b[3] - a[3] * b[2]
    y = a[0] * b[2] - a[1] * b[3] + a[2] * b[0] + a[3] * b[1]
    z = a[0] * b[3] + a[1] * b[2] - a[2] * b[1] + a[3] * b[0]
    out[0], out[1], out[2], out[3] = w, x, y, z


@kernel(fastmath=FASTMATH)
def turned(q, x, y, z, sign):
    """(x, y, z) turned by the unit quaternion q, or back for `sign` = -1."""
    w, a, b, c = q[0], sign * q[1], sign * q[2], sign * q[3]
    tx, ty, tz = 2.0 * (b * z - c * y), 2.0 * (c * x - a * z), 2.0 * (a * y - b * x)
    return x + w * tx + b * tz - c * ty, y + w * ty + c * tx - a * tz, z + w * tz + a * ty - b * tx


@kernel(fastmath=FASTMATH)
def emit(L, length, rate, h, q, turn):
    """Classical collective decay for a time h: L and the turn q; `length` is |L|, `turn` (4,) is scratch."""
    across = math.sqrt(L[0] * L[0] + L[1] * L[1])
    if across == 0.0 or length == 0.0:
        return
    # half the polar angle; the tangent grows by exp(Gamma |L| h/2)
    c, s = math.sqrt(max(0.5 * (1.0 + L[2] / length), 0.0)), math.sqrt(max(0.5 * (1.0 - L[2] / length), 0.0))
    if c < s:
        c = 0.5 * across / (length * s)
    else:
        s = 0.5 * across / (length * c)
    shrink = math.exp(-0.5 * rate * length * h)
    size = math.sqrt(c * c * shrink * shrink + s * s)
    new_c, new_s = c * shrink / size, s / size
    sine = new_s * c - new_c * s
    turn[0], turn[1], turn[2], turn[3] = new_c * c + new_s * s, -sine * L[1] / across, sine * L[0] / across, 0.0
    multiply(turn, q, q)
    factor = 2.0 * length * new_c * new_s / across
    L[0], L[1], L[2] = L[0] * factor, L[1] * factor, length * (new_c * new_c - new_s * new_s)


@kernel(fastmath=FASTMATH)
def shake(L, rate, h, first, second, q, turn):
    """The noise of collective decay for a time h: a turn about sqrt(Gamma h) (-second, first, 0)."""
    scale = math.sqrt(rate * h)
    x, y = -scale * second, scale * first
    angle = math.sqrt(x * x + y * y)
    s = math.sin(0.5 * angle) / max(angle, 1e-300)
    turn[0], turn[1], turn[2], turn[3] = math.cos(0.5 * angle), s * x, s * y, 0.0
    multiply(turn, q, q)
    L[0], L[1], L[2] = turned(turn, L[0], L[1], L[2], 1.0)


@kernel(fastmath=FASTMATH)
def normalise(q):
    size = 1.0 / math.sqrt(q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3])
    for k in range(4):
        q[k] *= size


@kernel(fastmath=FASTMATH)
def apart(key, trajectory, channel, minus, plus, window, s):
    """Emitters that do not know of each other, through `channel` over the window; the energy that decay takes.

    Without pump that is what they lose; with it gamma_- times the mean excitation over the window, from its start.
    """
    lost = 0.0
    total = minus + plus
    for i in range(s.shape[1]):
        excited = 0.5 * (1.0 + s[2, i])
        if channel[4]:
            w0, w1, w2, w3 = words(key, trajectory, JUMPS, i)
            s[0, i], s[1, i], s[2, i] = jumped(channel, w0, w1, w2, w3, s[0, i], s[1, i], s[2, i])
        if plus > 0.0:
            rest = plus / total
            lost += minus * (rest * window - (excited - rest) * math.expm1(-total * window) / total)
        else:
            lost += excited - 0.5 * (1.0 + s[2, i])
    return lost


@entry(fastmath=FASTMATH)
def release(key, trajectory, n, storage, discharge, rates, window, most, max_steps, s, out):
    """One trajectory from all up: through the channel `storage`, then `window` of discharge; QUANTITIES into out.

    Without collective decay that is one channel too, `discharge`. rates: Gamma, gamma_-, gamma_+, gamma_z, and the part of decays that is emitted together (of a lone emitter); `most` is the
    longest step, 0 for EMISSION_PER_STEP alone; s (3, n) is scratch. Returns the number of steps, -1 where they exceed `max_steps`.
    """
    Gamma, minus, plus, z, together = rates[0], rates[1], rates[2], rates[3], rates[4]
    L = np.zeros(3)
    for i in range(n):
        a, b = start_signs(key, trajectory, i)
        s[0, i], s[1, i], s[2, i] = a, b, 1.0
        if storage[4]:
            w0, w1, w2, w3 = words(key, trajectory, STORED, i)
            s[0, i], s[1, i], s[2, i] = jumped(storage, w0, w1, w2, w3, s[0, i], s[1, i], s[2, i])
        for k in range(3):
            L[k] += s[k, i]
    out[0], out[1] = 0.5 * L[2], 0.25 * (L[0] ** 2 + L[1] ** 2 + L[2] ** 2)
    if Gamma == 0.0:
        lost = apart(key, trajectory, discharge, minus, plus, window, s)
        L[:] = 0.0
        for i in range(n):
            for k in range(3):
                L[k] += s[k, i]
        out[2], out[3] = 0.5 * L[2], 0.25 * (L[0] ** 2 + L[1] ** 2 + L[2] ** 2)
        out[4], out[5] = together * lost, (1.0 - together) * lost
        return 0
    q, turn = np.zeros(4), np.zeros(4)
    q[0] = 1.0
    released, lost, now = 0.0, 0.0, 0.0
    local = n * (minus + plus + z)
    jumps, steps = 0, 0
    next_jump = np.inf
    if local > 0.0:
        u, _ = uniform_pair(key, trajectory, JUMPS, 0)
        next_jump = -log_unit(u) / local
    length = math.sqrt(L[0] ** 2 + L[1] ** 2 + L[2] ** 2)
    while now < window:
        if steps >= max_steps:
            return -1
        end = min(next_jump, window)
        h = end - now
        h = min(h, EMISSION_PER_STEP / (Gamma * (0.5 * length + 1.0)))
        if most > 0.0:
            h = min(h, most)
        before = L[2]
        emit(L, length, Gamma, 0.5 * h, q, turn)
        first, second = normal_pair(key, trajectory, 3 * steps + 3, 0)
        shake(L, Gamma * noise_of_step(0.5 * Gamma * length * h), h, first, second, q, turn)
        emit(L, length, Gamma, 0.5 * h, q, turn)
        released += 0.5 * (before - L[2])
        if steps % 64 == 0:
            normalise(q)
        steps += 1
        # without rounding an output time or a jump is met exactly
        now = end if now + h >= end else now + h
        if now < next_jump or now >= window:
            continue
        w0, w1, w2, w3 = words(key, trajectory, 3 * jumps + 2, 0)
        which = min(int((np.float64(w0) + np.float64(w1) * UNIT) * UNIT * n), n - 1)
        x, y, sz = turned(q, s[0, which], s[1, which], s[2, which], 1.0)
        kind, after = uniform_pair(key, trajectory, 3 * jumps + 2, 1)
        kind *= minus + plus + z
        if kind < minus + plus:
            new_x, new_y = sign_of_mean(w2, 0.5 * x), sign_of_mean(w3, 0.5 * y)
            new_z = -1.0 if kind < minus else 1.0
            if kind < minus:
                lost += 0.5 * (sz - new_z)
        else:
            new_x, new_y, new_z = -x, -y, sz
        L[0] += new_x - x
        L[1] += new_y - y
        L[2] += new_z - sz
        s[0, which], s[1, which], s[2, which] = turned(q, new_x, new_y, new_z, -1.0)
        length = math.sqrt(L[0] ** 2 + L[1] ** 2 + L[2] ** 2)
        jumps += 1
        next_jump = now - log_unit(after) / local
    out[2], out[3] = 0.5 * L[2], 0.25 * (L[0] ** 2 + L[1] ** 2 + L[2] ** 2)
    out[4], out[5] = released, lost
    return steps
