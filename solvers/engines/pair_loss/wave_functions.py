"""Quantum trajectories of one parity block: wave functions with pair losses at random times.

    d psi/dt = (eta (C^+ - C) - C^+ C/2 - (i/2) E) psi,   E = diag(sum_n +-delta_n)

Between jumps |psi|^2 falls from 1 to a uniform random number, which fixes the time of the next one; a jump is psi -> C psi.
Steps are Taylor series, whose terms give psi at every time inside; they, and so the numbers, do not depend on the output
times. Random numbers have the address (key; trajectory, jump, 0).

(A number taken out of the jump operator, C - 2 eta, would make the favoured states nearly dark and jumps rare. Measured: the
errors at equal numbers of trajectories are the same, but what rare jumps do is then seen by few trajectories or none, and
the standard errors come out too small by up to two orders.)

A state of one parity is an array over the bits of all spins but the last, whose state follows from the parity. Then a flip
of spin i joins elements 2^i apart, and no table is needed. A state of both parities is two such rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solvers.engines.pair_loss.density_matrix import largest_rate
from solvers.engines.pair_loss.parity_basis import ParityBasis
from solvers.numerics.compile import FASTMATH, entry, kernel
from solvers.numerics.norm_fall import norm_fall
from solvers.numerics.random import uniform_pair
from solvers.outcome import Kind, PointFailed

_REACH = 3.0
_MOST_TERMS = 60


@kernel(fastmath=FASTMATH)
def lower(psi, excited, out):
    """out = S_- psi from one parity to the other; `excited` (d,) 1. where the last spin of psi is excited, else 0."""
    size = psi.size
    if size % 4:
        for k in range(size):
            out[k] = excited[k] * psi[k]
        if size == 2:
            out[0] += psi[1]
        return
    for k in range(0, size, 4):
        a, b, c, d = psi[k], psi[k + 1], psi[k + 2], psi[k + 3]
        out[k] = excited[k] * a + (b + c)
        out[k + 1] = excited[k + 1] * b + d
        out[k + 2] = excited[k + 2] * c + d
        out[k + 3] = excited[k + 3] * d
    low = 4
    while low < size:
        for base in range(0, size, 2 * low):
            for k in range(base, base + low):
                out[k] += psi[k + low]
        low *= 2


@kernel(fastmath=FASTMATH)
def lift(psi, excited, out):
    """out = S_+ psi from one parity to the other; `excited` (d,) 1. where the last spin of the result is excited, else 0."""
    size = psi.size
    if size % 4:
        for k in range(size):
            out[k] = excited[k] * psi[k]
        if size == 2:
            out[1] += psi[0]
        return
    for k in range(0, size, 4):
        a, b, c, d = psi[k], psi[k + 1], psi[k + 2], psi[k + 3]
        out[k] = excited[k] * a
        out[k + 1] = excited[k + 1] * b + a
        out[k + 2] = excited[k + 2] * c + a
        out[k + 3] = excited[k + 3] * d + (b + c)
    low = 4
    while low < size:
        for base in range(0, size, 2 * low):
            for k in range(base, base + low):
                out[k + low] += psi[k]
        low *= 2


@kernel(fastmath=FASTMATH)
def lose_pair(psi, here, there, n, work, out):
    """out = C psi of one parity; `here` and `there`: last spin excited in this and in the other parity."""
    lower(psi, here, work)
    lower(work, there, out)
    for k in range(psi.size):
        out[k] /= n


@kernel(fastmath=FASTMATH)
def differentiate(psi, here, there, energies, n, eta, factor, work, out):
    """out = factor d psi/dt of one parity."""
    X, Y, Z = work[0], work[1], work[2]
    lose_pair(psi, here, there, n, Y, X)
    for k in range(psi.size):
        Y[k] = eta * psi[k] - 0.5 * X[k]
    lift(Y, there, Z)
    lift(Z, here, out)
    for k in range(psi.size):
        out[k] = factor * (out[k] / n - eta * X[k] - complex(0.0, 0.5 * energies[k]) * psi[k])


@kernel(fastmath=FASTMATH)
def square(psi):
    total = 0.0
    for row in psi:
        for k in range(row.size):
            total += row[k].real ** 2 + row[k].imag ** 2
    return total


@kernel(fastmath=FASTMATH)
def sum_series(terms, count, x, out):
    """out = sum_{k < count} x^k terms_k."""
    for r in range(out.shape[0]):
        for k in range(out.shape[1]):
            out[r, k] = terms[count - 1, r, k]
        for m in range(count - 2, -1, -1):
            for k in range(out.shape[1]):
                out[r, k] = out[r, k] * x + terms[m, r, k]


@kernel
def expand(here, there, energies, n, eta, step, tolerance, work, terms):
    """Fill the Taylor terms of a step from terms[0]; how many there are, or 0 where they do not end."""
    last = math.inf
    for m in range(1, _MOST_TERMS):
        for r in range(here.shape[0]):
            differentiate(terms[m - 1, r], here[r], there[r], energies[r], n, eta, step / m, work, terms[m, r])
        norm = math.sqrt(square(terms[m]))
        if norm + last <= tolerance and norm <= last:
            return m + 1
        if not math.isfinite(norm):
            return 0
        last = norm
    return 0


find_fall = norm_fall(sum_series, square)


@entry
def run_trajectory(here, there, energies, n, eta, step, tolerance, key, trajectory, start, times, max_steps, out):
    """One trajectory: normalised states (T, rows, d) at `times` into `out`; the number of jumps, -1: steps spent, -2: not finite."""
    rows, size = start.shape
    terms = np.empty((_MOST_TERMS, rows, size), np.complex128)
    work = np.empty((3, size), np.complex128)
    psi = np.empty((rows, size), np.complex128)
    for r in range(rows):
        for k in range(size):
            psi[r, k] = start[r, k]
    threshold = uniform_pair(key, trajectory, 0, 0)[0]
    now, done, jumps, steps = 0.0, 0, 0, 0
    while done < times.size:
        steps += 1
        if steps > max_steps:
            return -1
        for r in range(rows):
            for k in range(size):
                terms[0, r, k] = psi[r, k]
        count = expand(here, there, energies, n, eta, step, tolerance, work, terms)
        if count == 0:
            return -2
        sum_series(terms, count, 1.0, psi)
        fraction, falls = 1.0, square(psi) <= threshold
        if falls:
            fraction = find_fall(terms, count, threshold, psi)
        while done < times.size and times[done] < now + fraction * step:
            sum_series(terms, count, (times[done] - now) / step, out[done])
            scale = 1.0 / math.sqrt(square(out[done]))
            for r in range(rows):
                for k in range(size):
                    out[done, r, k] *= scale
            done += 1
        now += fraction * step
        if falls:
            jumps += 1
            threshold = uniform_pair(key, trajectory, jumps, 0)[0]
            for r in range(rows):
                lose_pair(psi[r], here[r], there[r], n, work[0], terms[0, r])
            scale = 1.0 / math.sqrt(square(terms[0]))
            for r in range(rows):
                for k in range(size):
                    psi[r, k] = scale * terms[0, r, k]
    return jumps


MANY = 30.0
"""Trajectories that have jumped, from which on their scatter tells all."""


@entry
def follow_silence(here, there, energies, n, eta, step, tolerance, start, times, enough, max_steps, out):
    """The probability (T,) that a trajectory has jumped by `times`, into out; followed until it is `enough`, 1 after."""
    rows, size = start.shape
    terms = np.empty((_MOST_TERMS, rows, size), np.complex128)
    work = np.empty((3, size), np.complex128)
    psi, other = np.empty((rows, size), np.complex128), np.empty((rows, size), np.complex128)
    for r in range(rows):
        for k in range(size):
            psi[r, k] = start[r, k]
    out[:] = 1.0
    now, done, steps = 0.0, 0, 0
    while done < times.size and steps < max_steps:
        steps += 1
        for r in range(rows):
            for k in range(size):
                terms[0, r, k] = psi[r, k]
        count = expand(here, there, energies, n, eta, step, tolerance, work, terms)
        if count == 0:
            break
        while done < times.size and times[done] < now + step:
            sum_series(terms, count, (times[done] - now) / step, other)
            out[done] = max(0.0, 1.0 - square(other))
            done += 1
        sum_series(terms, count, 1.0, psi)
        if not 1.0 - square(psi) < enough:
            break
        now += step


@dataclass(frozen=True)
class Unravelling:
    """What trajectories of a start need: rows of one or both parities, in the order of bits."""

    N: int
    eta: float
    energies: NDArray[np.float64]
    here: NDArray[np.float64]
    there: NDArray[np.float64]
    excitations: NDArray[np.float64]
    start: NDArray[np.float64]

    @property
    def step(self) -> float:
        """The length of a Taylor step."""
        decay = largest_rate(self.N)
        spread = float(self.energies.max()) - float(self.energies.min())
        bound = 0.5 * decay + 2.0 * self.eta * math.sqrt(decay) + 0.5 * spread
        return _REACH / bound if bound > 0.0 else math.inf

    def seconds(self, last: float) -> float:
        """About what one trajectory takes until `last`: every step and jump begins a series, measured 20 to 35 ns per number and spin."""
        jumps = (
            min(4.0 * self.eta * self.eta, largest_rate(self.N)) * last
        )  # C = 2 eta in the states that the drive favours
        return (last / self.step + jumps + 1.0) * (1e-5 + 3e-8 * self.N * self.start.size)

    def random_by(
        self, times: NDArray[np.float64], trajectories: int, rtol: float, max_steps: int
    ) -> NDArray[np.float64]:
        """The probability (T,) that a trajectory has jumped; 1 from MANY/`trajectories` on."""
        jumped = np.ones(len(times))
        step, many = min(self.step, 1e300), MANY / trajectories
        if not (len(times) and times[-1] <= step * max_steps):
            return jumped
        parts = self.here, self.there, self.energies
        follow_silence(*parts, self.N, self.eta, step, 0.01 * rtol, self.start, times, many, max_steps, jumped)
        jumped[jumped < rtol] = 0.0
        return jumped

    def trajectories(
        self, times: NDArray[np.float64], key: int, rtol: float, max_steps: int
    ) -> Iterator[NDArray[np.complex128]]:
        """Normalised states (T, rows, d) of trajectory 0, 1, ..., without end; PointFailed when one needs more than `max_steps`.

        The array of one is used again by the one after the next.
        """
        last, step = float(times[-1]) if len(times) else 0.0, self.step
        needed = last / step if step > 0.0 else math.inf
        if not needed <= max_steps:
            raise PointFailed(
                Kind.STEP_BUDGET_SPENT, f"{needed:.3g} steps are needed and max_steps = {max_steps} allowed"
            )
        arrays = np.empty((2, len(times), *self.start.shape), dtype=np.complex128)
        trajectory = 0
        while True:
            out = arrays[trajectory % 2]
            jumps = run_trajectory(
                self.here,
                self.there,
                self.energies,
                self.N,
                self.eta,
                min(step, 1e300),
                0.01 * rtol,
                np.uint64(key),
                trajectory,
                self.start,
                times,
                max_steps,
                out,
            )
            if jumps < 0:
                if jumps == -1:
                    text = f"trajectory {trajectory} spent its step budget max_steps = {max_steps}; raise it"
                    raise PointFailed(Kind.STEP_BUDGET_SPENT, text)
                raise PointFailed(Kind.NOT_FINITE, f"trajectory {trajectory} is not finite")
            yield out
            trajectory += 1


def unravel(basis: ParityBasis, eta: float, detunings: NDArray[np.float64], start: NDArray[np.float64]) -> Unravelling:
    """Prepare trajectories from the real state `start` (d,) over `basis`."""
    n = basis.N
    size = 2 ** (n - 1)
    parity = basis.excitations.astype(np.int64) % 2
    parities = np.unique(parity)
    low = basis.states & (size - 1)
    rows = np.searchsorted(parities, parity)

    def arrange(values: NDArray[np.float64]) -> NDArray[np.float64]:
        arranged = np.zeros((len(parities), size))
        arranged[rows, low] = values
        return arranged

    here = arrange((basis.states >> (n - 1)).astype(np.float64))
    return Unravelling(
        n, eta, arrange(basis.energies(detunings)), here, 1.0 - here, arrange(basis.excitations), arrange(start)
    )
