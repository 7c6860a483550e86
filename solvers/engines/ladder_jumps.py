"""One spin S on its ladder without drive and squeezing: every diagonal of the density matrix on its own, for S up to 1e5.

Jumps and phases leave d = m - m' alone, so that in the frame turned by phi and delta the moduli R_d[k] of
`solvers.engines.ladder` obey a real tridiagonal equation each,

    dR_d[k]/dt = (Gamma/S) a_k a_{k+d} R_d[k+1] + (Gamma_up/S) a_{k-1} a_{k+d-1} R_d[k-1] - (l_{k+d} + l_k) R_d[k]

times exp(-Gamma_phi d^2 t) exactly, and first and second moments need d = 0, 1, 2 alone. Rates reach Gamma S, while a
distribution changes within 1/Gamma (from a pole) or 1/(Gamma sqrt S) (a packet that passes): a step is the Pade
approximant (7, 8) of the exponential, L-stable and of order 15, as a sum over four pairs of shifted inverses.
With decay alone (or gain alone) a solve is one sweep over the levels that are populated.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from solvers.engines.ladder import Path, Rates, coherent_amplitudes, phase_of, raising
from solvers.numerics.compile import FASTMATH, entry, kernel
from solvers.numerics.outcome import DONE, MAX_STEPS, NOT_FINITE, STEP_TOO_SMALL

# exp(z) = 2 Re sum_j c_j/(z - theta_j) + 7.4e-18 z^16 + ..., from the partial fractions in 60 digits;
# 2 Re sum_j e_j/(z - theta_j) = z^7/7! + ... with the same poles: what the step size is chosen by.
_THETA = np.array(
    [
        4.685494632821197 + 12.01057859981379j,
        7.738688146830548 + 8.370879306237983j,
        9.40637121369074 + 4.969217287623294j,
        10.169446006657514 + 1.6492017968222277j,
    ]
)
_C = np.array(
    [
        -94.9411688907913 - 25.47666248176777j,
        1334.8647374600173 - 702.4310104980137j,
        -3848.544415437437 + 5690.315433804313j,
        2612.6208468682107 - 13549.06014743892j,
    ]
)
_E = np.array(
    [
        22686.76634164406 + 44846.43134637966j,
        -166097.34077930485 + 127454.44738960799j,
        -308804.99756555987 - 344320.31166778406j,
        477955.5720032207 - 463959.4730367j,
    ]
)
_REMAINDER = 7.427315201845198e-18
_POLES = 4
LEFT_OUT = 1e-18
"""A sweep ends where what it would add is below this part of the sum."""


@kernel(fastmath=FASTMATH)
def sweep_down(y, after, leave, h, last, first, new, estimate):
    """One step of a decay alone from level `last` down: (sum of |estimate|, sum of |new|, the lowest level reached).

    y is zero above `last` and below `first`; after[k] R[k+1] - leave[k] R[k] is the generator.
    """
    error, size = 0.0, 0.0
    x0, x1, x2, x3 = 0.0j, 0.0j, 0.0j, 0.0j
    k = last
    while k >= 0:
        source = h * after[k]
        out = -h * leave[k]
        x0 = (y[k] - source * x0) / (out - _THETA[0])
        x1 = (y[k] - source * x1) / (out - _THETA[1])
        x2 = (y[k] - source * x2) / (out - _THETA[2])
        x3 = (y[k] - source * x3) / (out - _THETA[3])
        value = 2.0 * (_C[0] * x0 + _C[1] * x1 + _C[2] * x2 + _C[3] * x3).real
        change = 2.0 * (_E[0] * x0 + _E[1] * x1 + _E[2] * x2 + _E[3] * x3).real
        new[k] = value
        estimate[k] = change
        error += abs(change)
        size += abs(value)
        # the solution falls off geometrically below the last source, at a rate the next levels share
        if k < first and abs(x0) + abs(x1) + abs(x2) + abs(x3) < LEFT_OUT * size:
            return error, size, k
        k -= 1
    return error, size, 0


@kernel(fastmath=FASTMATH)
def solve_both(y, after, before, leave, h, n, work, new, estimate):
    """One step with decay and gain over all levels: tridiagonal elimination per pole. `work` (n,) complex."""
    new[:n] = 0.0
    estimate[:n] = 0.0
    x = np.empty(n, np.complex128)
    for j in range(_POLES):
        pivot = -h * leave[0] - _THETA[j]
        x[0] = y[0] / pivot
        for k in range(1, n):
            work[k - 1] = h * after[k - 1] / pivot
            lower = h * before[k]
            pivot = -h * leave[k] - _THETA[j] - lower * work[k - 1]
            x[k] = (y[k] - lower * x[k - 1]) / pivot
        for k in range(n - 2, -1, -1):
            x[k] -= work[k] * x[k + 1]
        for k in range(n):
            new[k] += 2.0 * (_C[j] * x[k]).real
            estimate[k] += 2.0 * (_E[j] * x[k]).real
    error, size = 0.0, 0.0
    for k in range(n):
        error += abs(estimate[k])
        size += abs(new[k])
    return error, size


@entry(fastmath=FASTMATH)
def evolve_jumps(y, after, before, leave, both, sums, times, tolerance, first_step, max_steps, out, smallest):
    """Carry diagonals y (diagonals, levels), overwritten, through `times`; `sums` (moments, 2, levels) onto `out` (T, moments).

    sums[i, 0] is the diagonal (in its first entry) and sums[i, 1] the weights of moment i. `both`: decay and gain.
    `smallest` (T,) receives the smallest population. Returns (code, t reached).
    """
    count, levels = y.shape
    new, estimate = np.zeros((count, levels)), np.zeros(levels)
    work = np.empty(levels, np.complex128)
    last, first = np.empty(count, np.int64), np.zeros(count, np.int64)
    lowest = np.zeros(count, np.int64)
    allowed = 0.5 * (tolerance / _REMAINDER) ** (7.0 / 16.0) / 5040.0
    for d in range(count):
        last[d] = levels - 1 - d
        while last[d] > 0 and y[d, last[d]] == 0.0:
            last[d] -= 1
        while first[d] < last[d] and y[d, first[d]] == 0.0:
            first[d] += 1
    t, h, steps = 0.0, first_step, 0
    for row in range(times.size):
        while t < times[row]:
            rest = times[row] - t
            steps += 1
            if steps > max_steps:
                return MAX_STEPS, t
            now = min(h, rest)
            # two equal steps rather than a full one and a sliver
            if now < rest < 2.0 * now:
                now = 0.5 * rest
            worst = 0.0
            for d in range(count):
                n = levels - d
                if both:
                    error, size = solve_both(y[d], after[d], before[d], leave[d], now, n, work, new[d], estimate)
                else:
                    error, size, lowest[d] = sweep_down(
                        y[d], after[d], leave[d], now, last[d], first[d], new[d], estimate
                    )
                if not (size < 1e6):
                    return NOT_FINITE, t
                # diagonals that have all but vanished need no precision of their own
                worst = max(worst, error / max(size, 1e-3))
            if worst > allowed:
                h = now * max(0.2, 0.8 * (allowed / worst) ** (1.0 / 7.0))
                if t + h == t:
                    return STEP_TOO_SMALL, t
                continue
            for d in range(count):
                low = 0 if both else lowest[d]
                for k in range(low, last[d] + 1 if not both else levels - d):
                    y[d, k] = new[d, k]
                if not both:
                    first[d] = low
                    top = 0.0
                    # what has left the top for good
                    while last[d] > first[d]:
                        top += abs(y[d, last[d]])
                        if top > 1e-17:
                            break
                        y[d, last[d]] = 0.0
                        last[d] -= 1
            t = times[row] if now == rest else t + now
            grown = now * min(3.0, 0.8 * (allowed / max(worst, 1e-30)) ** (1.0 / 7.0))
            h = max(h, grown) if now < h and worst <= allowed else grown
        for i in range(sums.shape[0]):
            d = int(sums[i, 0, 0])
            total = 0.0
            if d < count:
                for k in range(levels - d):
                    total += sums[i, 1, k] * y[d, k]
            out[row, i] = total
        smallest[row] = y[0].min()
    return DONE, t


def moment_weights(S: float) -> NDArray[np.float64]:
    """Rows (7, 2, levels) for `evolve_jumps`: S_z, S_z^2, S^-S^+ + S^+S^- halved, trace, S^-, (S^- S_z + S_z S^-)/2, S^-S^-."""
    levels = round(2 * S) + 1
    m = np.arange(levels) - S
    a = raising(levels)
    one_up = np.concatenate([a[1:], [0.0]])
    rows = np.zeros((7, 2, levels))
    rows[4:6, 0] = 1
    rows[6, 0] = 2
    rows[:, 1] = [m, m**2, S * (S + 1) - m**2, np.ones(levels), a, a * (m + 0.5), a * one_up]
    return rows


def evolve(
    r: Rates,
    theta: float,
    phi: float,
    times: NDArray[np.float64],
    *,
    rtol: float,
    max_steps: int,
) -> Path:
    """The exact evolution of the coherent state at (theta, phi) under decay, gain, dephasing and detuning.

    times: (T,), never decreasing, from 0. The drive and squeezing of `r` are not looked at.
    """
    amplitudes = coherent_amplitudes(r.S, theta)
    levels = len(amplitudes)
    a = raising(levels)
    below = np.concatenate([[0.0], a[:-1]])
    loss = (r.Gamma * below**2 + r.Gamma_up * a**2) / (2 * r.S)
    count = 3 if levels > 2 else levels
    if abs(math.sin(theta)) * r.S < 1e-12:
        count = 1
    shape = (count, levels)
    y, after, before, leave = (np.zeros(shape) for _ in range(4))
    for d in range(count):
        n = levels - d
        y[d, :n] = amplitudes[d:] * amplitudes[:n]
        after[d, :n] = r.Gamma / r.S * a[:n] * a[d:]
        before[d, :n] = r.Gamma_up / r.S * below[:n] * below[d:]
        leave[d, :n] = loss[:n] + loss[d:]
    y[np.abs(y) < 1e-25] = 0.0
    sums = moment_weights(r.S)
    both = r.Gamma > 0.0 and r.Gamma_up > 0.0
    upward = r.Gamma_up > 0.0 and not both
    if upward:  # gain alone is decay with the ladder turned over
        for d in range(count):
            n = levels - d
            for table in (y, leave):
                table[d, :n] = table[d, :n][::-1].copy()
            after[d, :n] = before[d, :n][::-1].copy()
        for row in sums:
            n = levels - int(row[0, 0])
            row[1, :n] = row[1, :n][::-1].copy()
    rate = r.Gamma + r.Gamma_up
    out, smallest = np.full((len(times), 7), np.nan), np.full(len(times), np.nan)
    code, reached = evolve_jumps(
        y, after, before, leave, both, sums, times, 1e-3 * rtol,
        1.0 / (rate * math.sqrt(2 * r.S)) if rate > 0 else math.inf, max_steps, out, smallest,
    )  # fmt: skip
    z, zz, plus_minus, trace, lower, lower_z, lower2 = out.T
    azimuth = phase_of(theta, phi) + r.delta * times
    first, second_ = np.exp(-r.Gamma_phi * times), np.exp(-4 * r.Gamma_phi * times)
    turn, turn2 = first * np.exp(-1j * azimuth), second_ * np.exp(-2j * azimuth)
    minus, minus_z, minus2 = lower * turn, lower_z * turn, lower2 * turn2
    mean = np.stack([minus.real, -minus.imag, z], axis=-1)
    xx, yy, xy = (plus_minus + minus2.real) / 2, (plus_minus - minus2.real) / 2, -minus2.imag / 2
    xz, yz = minus_z.real, -minus_z.imag
    rows = [np.stack(row, axis=-1) for row in ((xx, xy, xz), (xy, yy, yz), (xz, yz, zz))]
    return Path(mean, np.stack(rows, axis=-2), trace, smallest, int(code), float(reached), count)
