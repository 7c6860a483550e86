"""Quantum trajectories: wave functions under H_eff with jumps at random times, for a positive Gamma.

    H_eff = H - (i/2) sum Gamma_{ia,jb} s_j^b s_i^a,   L_mu = sqrt(kappa_mu) sum_ia v^mu_ia s_i^a,   Gamma = sum_mu kappa_mu v v^+

Between jumps |psi|^2 falls from 1 to a uniform random number u, which fixes the time of the next jump; the channel has
probability |L_mu psi|^2. Steps are Taylor series in time, whose terms give psi at every time inside: the steps, and so
the numbers, do not depend on the output times. Random numbers have the address (key; trajectory, jump, draw).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from solvers.engines.master_equation.generator import energy_range
from solvers.engines.rare_events import allowing_for_unseen, unseen
from solvers.engines.spin_system import EPSILON, SpinSystem, clusters
from solvers.engines.wave_moments import norm_squared, pair_moments, spin_moments
from solvers.numerics.compile import FASTMATH, entry, kernel
from solvers.numerics.norm_fall import norm_fall
from solvers.numerics.random import uniform_pair
from solvers.outcome import InvalidInput, Kind, PointFailed

WORK_OF_A_STEP, OVERHEAD = 5e6, 1e3
"""Multiply-adds that one step of `max_steps` stands for over all trajectories: the default of 1e6 is about three hours, at
2 ns each. What a step takes beside them, in multiply-adds."""
_TRUNCATION = 1e-12
_LARGEST_RADIUS = 4.0
JACKKNIFE_GROUPS = 20
NO_JUMP = 1e-10
"""Probabilities of a jump below this are the rounding of a wave function that keeps its norm."""


class Unravelling(NamedTuple):
    """H_eff by bit flips, the jump channels, and the Taylor step."""

    N: int
    diagonal: NDArray[np.complex128]  # (2^N,)
    single_sites: NDArray[np.int64]
    single: NDArray[np.complex128]  # (sites, 2^N), coefficient of psi with that site flipped
    pair_sites: NDArray[np.int64]  # (pairs, 2)
    pair: NDArray[np.complex128]  # (pairs, 4), by the two bits of the result
    channels: NDArray[np.complex128]  # (channels, 3N), with sqrt(kappa)
    step: float
    terms: int


def unravel(system: SpinSystem) -> Unravelling:
    """Prepare trajectories; ValueError when Gamma is not positive."""
    if not system.positive:
        raise InvalidInput(
            f"quantum trajectories need a positive Gamma (dissipator and rates together); its smallest eigenvalue is "
            f"{system.smallest_rate():.6g}; methods exact, cumulant and mean_field can treat it"
        )
    n = system.N
    size = 2**n
    here = np.arange(n)
    blocks = system.Gamma.reshape(n, 3, n, 3).transpose(0, 2, 1, 3)
    local = blocks[here, here]
    pump = -2 * np.einsum("cab,iab->ic", EPSILON, local.imag)
    cross = blocks.real.copy()
    cross[here, here] = 0.0
    constant = float(np.trace(local, axis1=1, axis2=2).real.sum())
    # sum Gamma s_j^b s_i^a = constant - pump.s/2 + sum_{i<j} s_i.(2 cross_ij).s_j
    field = system.field + 0.25j * pump
    coupling = system.coupling - 1j * cross
    low, high = energy_range(system.field, system.coupling)
    decay_low, decay_high = energy_range(-pump / 2, 2 * cross)
    bits = (np.arange(size)[None, :] >> (n - 1 - here)[:, None]) & 1
    z = 1.0 - 2.0 * bits
    # the middle of the spectrum is only a phase
    diagonal = np.full(size, -0.5j * constant - (low + high) / 2)
    diagonal += field[:, 2] @ z
    for i in range(n):
        if coupling[i, i + 1 :, 2, 2].any():
            diagonal += z[i] * (coupling[i, i + 1 :, 2, 2] @ z[i + 1 :])
    sites, rows = [], []
    for i in range(n):
        x = field[i, 0] + coupling[i, :, 0, 2] @ z
        y = field[i, 1] + coupling[i, :, 1, 2] @ z
        row = x - 1j * z[i] * y
        if np.abs(row).max() > 0:
            sites.append(i)
            rows.append(row)
    signs = np.array([1.0, -1.0])
    pairs, tables = [], []
    for i in range(n):
        for j in range(i + 1, n):
            c = coupling[i, j]
            if np.abs(c[:2, :2]).max() > 0:
                zi, zj = signs[:, None], signs[None, :]
                pairs.append((i, j))
                tables.append((c[0, 0] - zi * zj * c[1, 1] - 1j * (zj * c[0, 1] + zi * c[1, 0])).ravel())
    radius = (high - low) / 2 + 0.5 * (constant + max(abs(decay_low), abs(decay_high)))
    jumps = constant + decay_high
    theta = float(np.clip(radius / jumps if jumps > 0 else np.inf, 0.5, _LARGEST_RADIUS))
    terms, error = 1, theta
    while error > _TRUNCATION:
        terms += 1
        error *= theta / terms
    return Unravelling(
        n,
        diagonal,
        np.array(sites, dtype=np.int64),
        np.array(rows, dtype=np.complex128).reshape(-1, size),
        np.array(pairs, dtype=np.int64).reshape(-1, 2),
        np.array(tables, dtype=np.complex128).reshape(-1, 4),
        jump_channels(system),
        theta / radius if radius > 0 else 1e300,
        terms + 1,
    )


def jump_channels(system: SpinSystem) -> NDArray[np.complex128]:
    """Rows sqrt(kappa_mu) v^mu (channels, 3N) from the eigenvectors of Gamma, cluster by cluster so that local jumps stay local."""
    n = system.N
    linked = np.abs(system.Gamma.reshape(n, 3, n, 3)).max(axis=(1, 3)) > 0
    rows = []
    largest = float(np.abs(system.Gamma).max(initial=0.0))
    for sites in clusters(linked):
        index = np.array([3 * i + a for i in sites for a in range(3)])
        rates, vectors = np.linalg.eigh(system.Gamma[np.ix_(index, index)])
        for rate, vector in zip(rates, vectors.T, strict=True):
            if rate > 1e-13 * largest:
                row = np.zeros(3 * n, dtype=np.complex128)
                row[index] = np.sqrt(rate) * vector
                rows.append(row)
    return np.array(rows, dtype=np.complex128).reshape(-1, 3 * n)


@kernel(fastmath=FASTMATH)
def apply_effective(p, psi, out, factor):
    """out = factor H_eff psi."""
    size = psi.shape[0]
    n = p.N
    for b in range(size):
        out[b] = factor * p.diagonal[b] * psi[b]
    for e in range(p.single_sites.shape[0]):
        low = 1 << (n - 1 - p.single_sites[e])
        row = p.single[e]
        for base in range(0, size, 2 * low):
            for k in range(base, base + low):
                out[k] += factor * row[k] * psi[k + low]
                out[k + low] += factor * row[k + low] * psi[k]
    for e in range(p.pair_sites.shape[0]):
        outer = 1 << (n - 1 - p.pair_sites[e, 0])
        low = 1 << (n - 1 - p.pair_sites[e, 1])
        uu, ud, du, dd = (
            factor * p.pair[e, 0],
            factor * p.pair[e, 1],
            factor * p.pair[e, 2],
            factor * p.pair[e, 3],
        )
        for high in range(0, size, 2 * outer):
            for base in range(high, high + outer, 2 * low):
                for k in range(base, base + low):
                    out[k] += uu * psi[k + low + outer]
                    out[k + low] += ud * psi[k + outer]
                    out[k + outer] += du * psi[k + low]
                    out[k + low + outer] += dd * psi[k]


@kernel(fastmath=FASTMATH)
def apply_single(psi, out, n, site, axis, value):
    """out += value s_site^axis psi."""
    low = 1 << (n - 1 - site)
    for base in range(0, psi.shape[0], 2 * low):
        if axis == 0:
            for k in range(base, base + low):
                out[k] += value * psi[k + low]
                out[k + low] += value * psi[k]
        elif axis == 1:
            for k in range(base, base + low):
                out[k] -= 1j * value * psi[k + low]
                out[k + low] += 1j * value * psi[k]
        else:
            for k in range(base, base + low):
                out[k] += value * psi[k]
                out[k + low] -= value * psi[k + low]


@kernel(fastmath=FASTMATH)
def jump(p, channel, psi, out):
    """out = L_channel psi."""
    out[:] = 0.0
    for site in range(p.N):
        for axis in range(3):
            value = p.channels[channel, 3 * site + axis]
            if value != 0.0:
                apply_single(psi, out, p.N, site, axis, value)


@kernel(fastmath=FASTMATH)
def sum_series(series, terms, x, out):
    """out = sum_k x^k series_k."""
    for b in range(out.shape[0]):
        out[b] = series[terms - 1, b]
    for k in range(terms - 2, -1, -1):
        row = series[k]
        for b in range(out.shape[0]):
            out[b] = out[b] * x + row[b]


find_fall = norm_fall(sum_series, norm_squared)


@kernel(fastmath=FASTMATH)
def observe_sites(psi, n, out):
    """<s_i^a> and <s_i^a s_j^b> of an unnormalised psi, in the order of `moment_indices`."""
    norm = norm_squared(psi)
    for i in range(n):
        spin_moments(psi, n, i, norm, out[3 * i :])
    at = 3 * n
    for i in range(n):
        for j in range(i + 1, n):
            pair_moments(psi, n, i, j, norm, out[at:])
            at += 9


@kernel(fastmath=FASTMATH)
def observe_collective(psi, n, work, out):
    """Mean <s^a> (3) and mean over pairs of <s_i^a s_j^b>, symmetrised (9), of an unnormalised psi; `work` (3, 2^N)."""
    norm = norm_squared(psi)
    work[:] = 0.0
    for i in range(n):
        for a in range(3):
            apply_single(psi, work[a], n, i, a, 1.0 + 0.0j)
    for a in range(3):
        total = 0.0
        for k in range(psi.shape[0]):
            total += (np.conj(psi[k]) * work[a, k]).real
        out[a] = total / (norm * n)
        for b in range(3):
            total = 0.0
            for k in range(psi.shape[0]):
                total += (np.conj(work[a, k]) * work[b, k]).real
            own = n if a == b else 0.0
            out[3 + 3 * a + b] = (total / norm - own) / (n * (n - 1)) if n > 1 else np.nan


@kernel
def draw_start(key, trajectory, spins, psi):
    """A pure product state (2^N,); a mixed Bloch vector points along itself or opposite, at random."""
    n = spins.shape[0]
    psi[:] = 0.0
    psi[0] = 1.0
    filled = 1
    for i in range(n - 1, -1, -1):
        x, y, z = spins[i, 0], spins[i, 1], spins[i, 2]
        length = np.sqrt(x * x + y * y + z * z)
        if length < 1e-300:
            x, y, z, unit = 0.0, 0.0, 1.0, 1.0
        else:
            unit = length
        sign = 1.0
        if length < 1.0 - 1e-12:
            first, second = uniform_pair(key, trajectory, 0, 1 + i // 2)
            u = first if i % 2 == 0 else second
            if u > 0.5 * (1.0 + length):
                sign = -1.0
        x, y, z = sign * x / unit, sign * y / unit, sign * z / unit
        if z >= 0.0:
            up = complex(np.sqrt(0.5 * (1.0 + z)), 0.0)
            down = complex(x, y) / (2.0 * up.real)
        else:
            down = complex(np.sqrt(0.5 * (1.0 - z)), 0.0)
            up = complex(x, -y) / (2.0 * down.real)
        for k in range(filled):
            psi[filled + k] = down * psi[k]
            psi[k] = up * psi[k]
        filled *= 2


@entry(fastmath=FASTMATH)
def run_trajectory(p, key, trajectory, spins, times, collective, max_steps, out):
    """One trajectory: observables (T, K) at `times` into `out`; the number of jumps, or -1 when the steps were spent."""
    n = p.N
    size = 1 << n
    psi = np.empty(size, np.complex128)
    work = np.empty((3, size), np.complex128)
    series = np.empty((p.terms, size), np.complex128)
    draw_start(key, trajectory, spins, psi)
    threshold = uniform_pair(key, trajectory, 0, 0)[0]
    done, jumps, steps = 0, 0, 0
    now = 0.0
    h = p.step
    weights = np.empty(p.channels.shape[0])
    while done < times.shape[0]:
        steps += 1
        if steps > max_steps:
            return -1
        series[0] = psi
        for k in range(1, p.terms):
            apply_effective(p, series[k - 1], series[k], -1j * h / k)
        sum_series(series, p.terms, 1.0, psi)
        end = norm_squared(psi)
        fraction = 1.0
        if end <= threshold:
            fraction = find_fall(series, p.terms, threshold, psi)
        while done < times.shape[0] and times[done] < now + fraction * h:
            x = (times[done] - now) / h
            sum_series(series, p.terms, x, work[0])
            series_psi = work[0].copy()
            if collective:
                observe_collective(series_psi, n, work, out[done])
            else:
                observe_sites(series_psi, n, out[done])
            done += 1
        if end <= threshold:
            jumps += 1
            choice, threshold = uniform_pair(key, trajectory, jumps, 0)
            total = 0.0
            for c in range(weights.shape[0]):
                jump(p, c, psi, work[0])
                total += norm_squared(work[0])
                weights[c] = total
            chosen = 0
            while chosen < weights.shape[0] - 1 and weights[chosen] < choice * total:
                chosen += 1
            jump(p, chosen, psi, work[0])
            scale = 1.0 / np.sqrt(norm_squared(work[0]))
            for b in range(size):
                psi[b] = scale * work[0, b]
        now += fraction * h
    return jumps


@entry(fastmath=FASTMATH)
def follow_silence(p, key, spins, times, enough, max_steps, out):
    """The probability (T,) that a trajectory from unit vectors `spins` has jumped by `times`, into out; followed until it is `enough`, 1 after."""
    size = 1 << p.N
    psi = np.empty(size, np.complex128)
    work = np.empty(size, np.complex128)
    series = np.empty((p.terms, size), np.complex128)
    draw_start(key, 0, spins, psi)
    out[:] = 1.0
    done, steps = 0, 0
    now, h = 0.0, p.step
    while done < times.shape[0] and steps < max_steps:
        steps += 1
        series[0] = psi
        for k in range(1, p.terms):
            apply_effective(p, series[k - 1], series[k], -1j * h / k)
        while done < times.shape[0] and times[done] < now + h:
            sum_series(series, p.terms, (times[done] - now) / h, work)
            out[done] = max(0.0, 1.0 - norm_squared(work))
            done += 1
        sum_series(series, p.terms, 1.0, psi)
        if not 1.0 - norm_squared(psi) < enough:
            break
        now += h


def random_by(
    p: Unravelling, spins0: NDArray[np.float64], times: NDArray[np.float64], trajectories: int, max_steps: int
) -> NDArray[np.float64]:
    """The probability (T,) that a trajectory has jumped, or not started as the likeliest one; 1 from 1/`trajectories` on."""
    lengths = np.linalg.norm(spins0, axis=1)
    likeliest = float(np.prod(0.5 * (1.0 + np.minimum(lengths, 1.0))))
    mixed = 1.0 - likeliest if bool((lengths < 1.0 - 1e-12).any()) else 0.0
    jumped = np.empty(len(times))
    if len(p.channels) == 0:
        jumped[:] = 0.0
    else:
        units = np.where(lengths[:, None] > 1e-300, spins0 / np.maximum(lengths, 1e-300)[:, None], [0.0, 0.0, 1.0])
        follow_silence(p, np.uint64(0), np.ascontiguousarray(units), times, 1.0 / trajectories, max_steps, jumped)
        jumped[jumped < NO_JUMP] = 0.0
    return np.asarray(mixed + (1.0 - mixed) * jumped)


def refuse_hours(p: Unravelling, time: float, trajectories: int, max_steps: int) -> None:
    """PointFailed where the steps of a trajectory without any jump, or their work in all trajectories, are beyond `max_steps`."""
    steps = max(1.0, time / p.step) if p.step else math.inf  # beyond the range of numbers
    if steps > max_steps:
        raise PointFailed(
            Kind.STEP_BUDGET_SPENT,
            f"every trajectory needs {steps:.3g} steps or more, max_steps allows {max_steps:.3g}; nothing was computed; "
            "raise max_steps, shorten times, or lower the largest coupling, field or rate",
        )
    one = (p.terms - 1) * 2.0**p.N * (1 + len(p.single_sites) + len(p.pair_sites)) + OVERHEAD
    work = trajectories * steps * one
    if work > WORK_OF_A_STEP * max_steps:
        raise PointFailed(
            Kind.TOO_MUCH_WORK,
            f"{trajectories:.3g} trajectories of {steps:.3g} steps with {one:.3g} multiply-adds each need {work:.2g} in all, "
            f"about {work * 2e-9 / 3600.0:.2g} hours, and max_steps allows {WORK_OF_A_STEP * max_steps:.2g}; nothing was "
            "computed; take fewer trajectories, shorten times, or raise max_steps",
        )


class Sample(NamedTuple):
    """Means and standard errors (T, K) over trajectories, and means (groups, T, K) of disjoint groups for the jackknife."""

    mean: NDArray[np.float64]
    sem: NDArray[np.float64]
    groups: NDArray[np.float64]
    jumps: float
    share: NDArray[np.float64]  # (T,) of events that may be unseen, see `rare_events`


def sample(
    system: SpinSystem,
    spins0: NDArray[np.float64],
    times: NDArray[np.float64],
    *,
    key: int,
    trajectories: int,
    collective: bool,
    max_steps: int,
) -> Sample:
    """Average over trajectories 0, 1, ... from the product state with Bloch vectors `spins0` (N, 3).

    K is the number of `moment_indices`, or with `collective` 12: mean spin and mean pair correlation. More trajectories
    extend the sample. Raises ValueError for an indefinite Gamma, PointFailed when a trajectory spends `max_steps`, and
    before the first where that or hours of work are certain.
    """
    p = unravel(system)
    refuse_hours(p, float(times[-1]), trajectories, max_steps)
    n = system.N
    width = 12 if collective else 3 * n + 9 * n * (n - 1) // 2
    mean, spread = np.zeros((len(times), width)), np.zeros((len(times), width))
    groups = np.zeros((min(trajectories, JACKKNIFE_GROUPS), len(times), width))
    members = np.zeros(len(groups))
    out = np.empty((len(times), width))
    total = 0
    spins0 = np.ascontiguousarray(spins0)
    for index in range(trajectories):
        jumps = run_trajectory(p, np.uint64(key), index, spins0, times, collective, max_steps, out)
        if jumps < 0:
            raise PointFailed(
                Kind.STEP_BUDGET_SPENT, f"trajectory {index} spent its step budget max_steps = {max_steps}; raise it"
            )
        total += jumps
        change = out - mean
        mean += change / (index + 1)
        spread += change * (out - mean)
        group = index % len(groups)
        members[group] += 1
        groups[group] += (out - groups[group]) / members[group]
    if trajectories == 1:
        spread[:] = np.nan
    sem = np.sqrt(spread / (trajectories * max(1, trajectories - 1)))
    share = unseen(random_by(p, spins0, np.ascontiguousarray(times), trajectories, max_steps), trajectories)
    # one spin of n moves means over all of them by 2/n, and over pairs by twice that
    reach = (1.0 + np.abs(mean)) * (np.minimum(1.0, np.repeat([2.0, 4.0], [3, 9]) / n) if collective else 1.0)
    return Sample(mean, allowing_for_unseen(sem, reach, share), groups, total / trajectories, share)
