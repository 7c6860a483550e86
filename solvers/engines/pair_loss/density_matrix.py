"""The density matrix of one parity block in time, by Taylor series.

With X = C rho the equation of motion is d rho/dt = T + T^+ + C X^+, where

    T = C^+ (eta rho - X/2) - eta X - (i/2) E rho,   E = diag(sum_n +-delta_n),

so that three products with the sparse C are all there is: C rho C^+ = C (C rho)^+, and C^+ C is never formed. A row of
an array holds the real parts and then the imaginary parts of a row of the matrix; C is real and acts on both alike.

Steps are as long as their series converges well for all states, and every series ends where its terms do; what an output
time needs is summed along with it. The steps, and so the numbers, do not depend on the output times.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solvers.engines.pair_loss.parity_basis import ParityBasis
from solvers.numerics.compile import FASTMATH, entry, kernel
from solvers.numerics.outcome import DONE, MAX_STEPS, NOT_FINITE

REACH = 3.0
"""Length of a step times the bound of the generator: rounding is amplified by less than e^(2 REACH) = 400."""
_MOST_TERMS = 100
_TOGETHER = 8
_BLOCK = 16
_ROUNDING = 1e-14
"""Norm of a step's change that is nothing but rounding."""
_RELAXATION = 50.0
"""No state comes to rest much faster than this, the rate of D[C] being 1."""

FIDELITY, PURITY, EXCITATIONS, TRACE = 0, 1, 2, 3


@dataclass(frozen=True)
class Evolution:
    """<target|rho|target>, Tr rho^2, mean number of excitations and Tr rho at the output times (T, 4); how it ended.

    `doubt` bounds what rates below rounding could still have done to a state that came to rest before the last time.
    """

    observed: NDArray[np.float64]
    code: int
    steps: float
    doubt: float


@kernel(fastmath=FASTMATH)
def gather(start, neighbours, x, factor, out):
    """out[r] = factor times the sum of the rows of x that are neighbours of r."""
    width = x.shape[1]
    for r in range(x.shape[0]):
        row = out[r]
        i, end = start[r], start[r + 1]
        for j in range(width):
            row[j] = 0.0
        while i + 4 <= end:
            a, b, c, d = x[neighbours[i]], x[neighbours[i + 1]], x[neighbours[i + 2]], x[neighbours[i + 3]]
            for j in range(width):
                row[j] += factor * ((a[j] + b[j]) + (c[j] + d[j]))
            i += 4
        while i < end:
            a = x[neighbours[i]]
            for j in range(width):
                row[j] += factor * a[j]
            i += 1


@kernel(fastmath=FASTMATH)
def adjoint(x, out):
    """out = x^+, in square tiles that stay in the cache."""
    size = x.shape[0]
    for top in range(0, size, _BLOCK):
        for left in range(0, size, _BLOCK):
            for i in range(top, min(top + _BLOCK, size)):
                for j in range(left, min(left + _BLOCK, size)):
                    out[i, j] = x[j, i]
                    out[i, size + j] = -x[j, size + i]


@kernel(fastmath=FASTMATH)
def add_own_half(T, X, rho, energies, eta):
    """T += -eta X - (i/2) E rho."""
    size = T.shape[0]
    for i in range(size):
        half = 0.5 * energies[i]
        for j in range(size):
            T[i, j] += half * rho[i, size + j] - eta * X[i, j]
            T[i, size + j] += -half * rho[i, j] - eta * X[i, size + j]


@kernel(fastmath=FASTMATH)
def hermitian_sum(T, Z, factor, out):
    """out = factor (T + T^+ + Z)."""
    size = T.shape[0]
    for top in range(0, size, _BLOCK):
        for left in range(0, size, _BLOCK):
            for i in range(top, min(top + _BLOCK, size)):
                for j in range(left, min(left + _BLOCK, size)):
                    out[i, j] = factor * (T[i, j] + T[j, i] + Z[i, j])
                    out[i, size + j] = factor * (T[i, size + j] - T[j, size + i] + Z[i, size + j])


@kernel(fastmath=FASTMATH)
def differentiate(basis, eta, energies, rho, factor, work, out):
    """out = factor d rho/dt; `work` (3, d, 2 d)."""
    X, T, Z = work[0], work[1], work[2]
    pair = 2.0 / basis.N
    gather(basis.above_from, basis.above, rho, pair, X)
    for i in range(Z.shape[0]):
        for j in range(Z.shape[1]):
            Z[i, j] = eta * rho[i, j] - 0.5 * X[i, j]
    gather(basis.below_from, basis.below, Z, pair, T)
    add_own_half(T, X, rho, energies, eta)
    adjoint(X, out)
    gather(basis.above_from, basis.above, out, pair, Z)
    hermitian_sum(T, Z, factor, out)


@kernel(fastmath=FASTMATH)
def size_of(x):
    """The Euclidean norm of all entries."""
    total = 0.0
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            total += x[i, j] * x[i, j]
    return math.sqrt(total)


@kernel(fastmath=FASTMATH)
def observe(rho, target, excitations, out):
    """Fidelity with the real vector `target`, purity, mean excitations and trace of rho into `out` (4,)."""
    size = rho.shape[0]
    fidelity = purity = mean = trace = 0.0
    for i in range(size):
        overlap = 0.0
        for j in range(size):
            overlap += target[j] * rho[i, j]
            purity += rho[i, j] * rho[i, j] + rho[i, size + j] * rho[i, size + j]
        fidelity += target[i] * overlap
        mean += excitations[i] * rho[i, i]
        trace += rho[i, i]
    out[0], out[1], out[2], out[3] = fidelity, purity, mean, trace


@kernel
def assign(x, out):
    """out = x."""
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            out[i, j] = x[i, j]


@kernel(fastmath=FASTMATH)
def add_multiple(x, factor, out):
    """out += factor x."""
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            out[i, j] += factor * x[i, j]


@kernel
def series(basis, eta, energies, rho, step, tolerance, fractions, work, terms, sums):
    """rho after `step` into sums[0], after step fractions[m] into sums[m + 1]; norm of the first term, or -1 where the terms do not end."""
    assign(rho, terms[0])
    assign(rho, sums[0])
    for m in range(fractions.size):
        assign(rho, sums[m + 1])
    first, last = 0.0, math.inf
    for k in range(1, _MOST_TERMS):
        here, before = terms[k % 2], terms[(k - 1) % 2]
        differentiate(basis, eta, energies, before, step / k, work, here)
        add_multiple(here, 1.0, sums[0])
        for m in range(fractions.size):
            add_multiple(here, fractions[m] ** k, sums[m + 1])
        norm = size_of(here)
        if k == 1:
            first = norm
        # also small beside the step's own change: near rest a series cut earlier would let fast states grow again
        if norm + last <= min(tolerance, max(1e-4 * first, 1e-17)) and norm <= last:
            return first
        if not math.isfinite(norm):
            return -1.0
        last = norm
    return -1.0


@entry
def propagate(basis, eta, energies, target, rho, times, step, rtol, max_steps, out):
    """Observables (T, 4) at `times` into `out`; (the outcome's code, number of steps, doubt)."""
    size = target.size
    work = np.empty((3, size, 2 * size))
    terms = np.empty((2, size, 2 * size))
    sums = np.empty((1 + _TOGETHER, size, 2 * size))
    fractions = np.empty(_TOGETHER)
    now, steps, done = 0.0, 0, 0
    while done < times.size and times[done] <= 0.0:
        observe(rho, target, basis.excitations, out[done])
        done += 1
    while done < times.size:
        if steps >= max_steps:
            return MAX_STEPS, steps, 0.0
        steps += 1
        end = now + step
        more = True
        while more:
            count = 0
            while count < _TOGETHER and done + count < times.size and times[done + count] <= end:
                fractions[count] = min(1.0, (times[done + count] - now) / step)
                count += 1
            change = series(basis, eta, energies, rho, step, 0.01 * rtol, fractions[:count], work, terms, sums)
            if change < 0.0:
                return NOT_FINITE, steps, 0.0
            for m in range(count):
                observe(sums[m + 1], target, basis.excitations, out[done + m])
            done += count
            more = count == _TOGETHER
        assign(sums[0], rho)
        now = end
        # the trace norm of the change never grows, so that this bounds what the remaining time can still do
        doubt = change / step * math.sqrt(size) * (times[times.size - 1] - now)
        if done < times.size and (doubt < 0.1 * rtol or change < _ROUNDING):
            while done < times.size:
                observe(rho, target, basis.excitations, out[done])
                done += 1
            return DONE, steps, doubt
    return DONE, steps, 0.0


def largest_rate(n: int) -> float:
    """The largest eigenvalue of C^+ C for `n` spins, reached where all spins are symmetric."""
    k = np.arange(2, n + 1, dtype=np.float64)
    return float(np.max(k * (k - 1) * (n - k + 1) * (n - k + 2) / n**2, initial=0.0))


def evolve(
    basis: ParityBasis,
    eta: float,
    detunings: NDArray[np.float64],
    start: NDArray[np.float64],
    times: NDArray[np.float64],
    *,
    rtol: float,
    max_steps: int,
) -> Evolution:
    """The density matrix that starts in the pure state `start` (d,), real, observed at `times` (T,).

    It ends early where nothing changes any more. One that cannot come to rest, nor to its last time, within `max_steps`
    steps is not begun (code MAX_STEPS).
    """
    energies = basis.energies(detunings)
    spread = float(energies.max()) - float(energies.min())
    decay = largest_rate(basis.N)
    bound = decay + 2.0 * eta * math.sqrt(decay) + 0.5 * spread
    last = float(times[-1]) if len(times) else 0.0
    step = REACH / bound if bound > 0.0 else max(last, 1.0)
    out = np.full((len(times), 4), np.nan)
    size = len(start)
    if not min(last, _RELAXATION) <= step * max_steps:
        return Evolution(out, MAX_STEPS, last / step if step > 0.0 else math.inf, 0.0)
    rho = np.zeros((size, 2 * size))
    rho[:, :size] = np.outer(start, start)
    code, steps, doubt = propagate(
        basis, eta, energies, start, rho, np.ascontiguousarray(times), step, rtol, max_steps, out
    )
    return Evolution(out, code, max(steps, last / step) if code == MAX_STEPS else steps, doubt)
