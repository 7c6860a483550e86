"""Averages over trajectories of a lattice of collective spins: moments in time, and stationary averages with correlations."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from solvers.engines.phase_space.estimates import tensor
from solvers.engines.phase_space.lattice import (
    AVERAGES,
    MOMENTS,
    Lattice,
    Sites,
    follow_lattice,
    go_on,
    make_sites,
    start_lattice,
)

Array = NDArray[np.float64]
GROUPS = 64
"""Trajectories are averaged in at most so many groups, for errors of what is no mean; memory does not grow with their number."""
CHUNK = 64
"""Samples between two Fourier transforms."""
BETWEEN_SAMPLES = 0.25
"""About the time between samples of a stationary average; the memory of the noise is never shorter than 1/Gamma."""


class LatticePath(NamedTuple):
    """Site averages at T times, with standard errors over trajectories."""

    mean: Array  # (T, 3)
    mean_sem: Array
    second: Array  # (T, 3, 3)
    second_sem: Array
    length_mean: Array  # (T,)
    length_variance: Array
    trajectories: int


def lattice_path(p: Lattice, key: int, times: Array, trajectories: int, target_error: float) -> LatticePath:
    """Moments at `times`; stops early, after four trajectories or more, once the standard error of the mean is at most `target_error` (0: never)."""
    out = np.empty((len(times), MOMENTS))
    total, squares = np.zeros((2, len(times), MOMENTS))
    done = 0
    for number in range(trajectories):
        follow_lattice(p, np.uint64(key), np.uint64(number), times, out)
        done += 1
        change = out - total
        total += change / done
        squares += change * (out - total)
        if target_error > 0.0 and done % 4 == 0:
            sem = np.sqrt(squares[:, :9] / (done * (done - 1)))
            if not sem.max(initial=0.0) > target_error:
                break
    sem = np.sqrt(np.maximum(squares, 0.0) / (done * (done - 1))) if done > 1 else np.full_like(squares, np.nan)
    return LatticePath(
        total[:, :3],
        sem[:, :3],
        tensor(total[:, 3:9]),
        tensor(sem[:, 3:9]),
        total[:, 9] + 2 * p.S,
        np.maximum(total[:, 10] - total[:, 9] ** 2, 0.0),
        done,
    )


class Stationary(NamedTuple):
    """Per group of trajectories: AVERAGES, and the correlation F(s) = mean over sites and times of Re <S_n^+ S_{n+s}^->, raw on site.

    Number i is in group i mod GROUPS, so that each of the first GROUPS trajectories is a group by itself.
    """

    averages: Array  # (groups, AVERAGES)
    correlation: Array  # (groups, width)
    counts: Array  # (groups,) of trajectories

    def mean(self, values: Array) -> Any:
        """The mean over trajectories of values (groups, ...), a linear function of the averages of each group."""
        return np.tensordot(self.counts / self.counts.sum(), values, axes=1)

    def sem(self, values: Array) -> Any:
        """Its standard error, from the spread of the groups; NaN for a single one."""
        if len(values) < 2:
            return np.full(values.shape[1:], np.nan)
        squares = np.tensordot(self.counts / self.counts.sum(), (values - self.mean(values)) ** 2, axes=1)
        return np.sqrt(squares / (len(values) - 1))


def run_average(p: Lattice, key: int, number: int, sites: Sites, relax: int, steps: int) -> tuple[Array, Array]:
    """One trajectory from `sites` (overwritten), averaged over `steps` nominal steps after `relax` of them."""
    size = p.width * p.height
    totals = np.zeros(AVERAGES)
    spectrum = np.zeros(p.width)
    every = min(max(1, round(BETWEEN_SAMPLES / p.step)), max(1, steps)) << p.refined
    relax, steps = relax << p.refined, steps << p.refined
    lowered = np.empty((CHUNK, size), dtype=np.complex128)
    which = np.uint64(key), np.uint64(number)
    block = CHUNK * every
    for first in range(0, relax, block):
        go_on(p, *which, sites, first, min(block, relax - first), 0, totals, lowered)
    samples = 0
    for first in range(relax, relax + steps, block):
        rows = go_on(p, *which, sites, first, min(block, relax + steps - first), every, totals, lowered)
        lines = lowered[:rows].reshape(rows * p.height, p.width)
        spectrum += np.sum(np.abs(np.fft.fft(lines, axis=1)) ** 2, axis=0)
        samples += rows
    samples = max(samples, 1)
    correlation = np.fft.ifft(spectrum).real / (size * samples)
    return totals / (size * samples), correlation


def stationary(p: Lattice, key: int, relax: int, steps: int, trajectories: int, target_error: float) -> Stationary:
    """Stationary averages of trajectories 0, 1, ... from their own starts.

    Stops early, after four trajectories or more, once the standard error of |alpha|^2 is at most `target_error` (0: never).
    """
    groups = min(trajectories, GROUPS)
    found = Stationary(np.zeros((groups, AVERAGES)), np.zeros((groups, p.width)), np.zeros(groups))
    for number in range(trajectories):
        sites = make_sites(p.width * p.height)
        start_lattice(p, np.uint64(key), np.uint64(number), sites)
        averages, correlation = run_average(p, key, number, sites, relax, steps)
        group, done = number % groups, number + 1
        found.counts[group] += 1
        found.averages[group] += (averages - found.averages[group]) / found.counts[group]
        found.correlation[group] += (correlation - found.correlation[group]) / found.counts[group]
        if target_error > 0.0 and done % 4 == 0:
            so_far = Stationary(*(rows[:done] for rows in found))
            if not so_far.sem(so_far.averages)[0] > target_error:
                return so_far
    return found


def correlation_length(C: Array, floor: Array | float) -> float:
    """xi of C(s) ~ exp(-s/xi) over even s >= 2, as far as C stays above `floor`; NaN where fewer than two do.

    Each ln C has the weight C^2, as equal errors of C ask for.
    """
    s = np.arange(2, len(C) // 2 + 1, 2)
    if len(s) < 2:
        return math.nan
    values = C[s]
    good = values > np.broadcast_to(floor, C.shape)[s]
    until = int(np.argmin(good)) if not good.all() else len(s)
    if until < 2:
        return math.nan
    s, values = s[:until], values[:until]
    slope = np.polyfit(s, np.log(values), 1, w=values)[0]
    return float(-1.0 / slope) if slope < 0.0 else math.inf
