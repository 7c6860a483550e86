"""Symmetric spins: the ladder |k> of k excitations, k = 0 ... N, where C takes |k> to |k - 2>.

    C |k> = sqrt(k (k - 1) (N - k + 1) (N - k + 2)) / N |k - 2>

In units in which S_- = sqrt(N - a^+ a) a this is the oscillator of Holstein and Primakoff, cut exactly at k = N. A density
matrix falls into the blocks even-even, odd-odd and even-odd, each with a generator of its own,

    L rho = K_p rho + rho K_q^T + C_p rho C_q^T,   K = eta (C^T - C) - C^T C/2,

a real sparse matrix with seven elements per row. The first two have one steady state each. The even-odd block has none:
its slowest mode decays at a rate that is exponentially small while the two coherent states are far apart.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_matrix, diags, identity, kron
from scipy.special import gammaln

from solvers.engines.pair_loss.transients import propagate
from solvers.numerics.shift_invert import Mode, nearest_mode
from solvers.outcome import Kind, PointFailed

EVEN, ODD = 0, 1
_SHIFT = 1e-6
_DECAYED = 750.0
"""Lifetimes of the nearest mode after which nothing else is left, with much room for modes that are further off zero but slower."""
Matrix = NDArray[np.float64]


def excitations(n: int, parity: int) -> NDArray[np.float64]:
    """The numbers of excitations of one parity."""
    return np.arange(parity, n + 1, 2, dtype=np.float64)


def pair_lowering(n: int, parity: int) -> csc_matrix:
    """C on the states of one parity."""
    k = excitations(n, parity)
    return csc_matrix(diags(np.sqrt(k * (k - 1) * (n - k + 1) * (n - k + 2))[1:] / n, 1, shape=(len(k), len(k))))


def generator(n: int, eta: float, p: int, q: int) -> csc_matrix:
    """L of block (p, q) on row-stacked matrices."""
    first, second = pair_lowering(n, p), pair_lowering(n, q)

    def own(C: csc_matrix) -> csc_matrix:
        return eta * (C.T - C) - 0.5 * (C.T @ C)

    one_p, one_q = identity(first.shape[0]), identity(second.shape[0])
    return csc_matrix(kron(own(first), one_q) + kron(one_p, own(second)) + kron(first, second))


def truncated_coherent_state(n: int, alpha: float) -> NDArray[np.float64]:
    """Amplitudes alpha^k/sqrt(k!) for k = 0 ... n, normalised; alpha >= 0."""
    k = np.arange(n + 1, dtype=np.float64)
    if alpha == 0.0:
        return (k == 0).astype(np.float64)
    exponents = k * np.log(alpha) - 0.5 * gammaln(k + 1)
    amplitudes = np.exp(exponents - exponents.max())
    return np.asarray(amplitudes / np.linalg.norm(amplitudes))


@dataclass(frozen=True)
class SteadyState:
    """rho of one parity block, |L rho|, and minus the real part of the next eigenvalue."""

    rho: Matrix
    residual: float
    gap: float


def steady_state(n: int, eta: float, parity: int) -> SteadyState:
    """The steady state of a parity block, trace 1; raises PointFailed where rounding hides it."""
    size = len(excitations(n, parity))
    L = generator(n, eta, parity, parity)
    mode = nearest_mode(L, _SHIFT)
    if not mode.alone:
        raise PointFailed(Kind.LOST_IN_ROUNDING, f"rounding hides the steady state of {n} spins at eta = {eta:g}")
    rho = mode.right.real.reshape(size, size)
    rho = 0.5 * (rho + rho.T)
    rho = rho / np.trace(rho)
    return SteadyState(rho, float(np.linalg.norm(L @ rho.ravel())), -mode.next_value.real)


def coherence_mode(n: int, eta: float) -> Mode:
    """The slowest mode of the even-odd block."""
    return nearest_mode(generator(n, eta, EVEN, ODD), _SHIFT)


@dataclass(frozen=True)
class Ladder:
    """The evolution of the truncated coherent state |sqrt(2 eta)> of N symmetric spins.

    What does not decay, or hardly, is taken out of a block and known for all times; the rest is propagated.
    """

    N: int
    eta: float
    tolerance: float
    most: int

    @functools.cached_property
    def start(self) -> NDArray[np.float64]:
        """Amplitudes (N + 1,)."""
        return truncated_coherent_state(self.N, float(np.sqrt(2.0 * self.eta)))

    @functools.cached_property
    def coherence(self) -> Mode:
        """The slowest mode of the even-odd block."""
        return coherence_mode(self.N, self.eta)

    def populations(self, parity: int, times: NDArray[np.float64]) -> NDArray[np.float64]:
        """The block of one parity at `times`, (T, d, d)."""
        amplitudes = self.start[parity::2]
        size = len(amplitudes)
        weight = float(amplitudes @ amplitudes)
        attractor = steady_state(self.N, self.eta, parity)
        rest = weight * attractor.rho
        moving = self._moving(parity, parity, np.outer(amplitudes, amplitudes) - rest, attractor.gap, times)
        return rest + moving.reshape(-1, size, size)

    def _moving(self, p: int, q: int, start: Matrix, rate: float, times: NDArray[np.float64]) -> NDArray[np.float64]:
        """What decays with `rate` or faster, at `times`, (T, d d')."""
        out = np.zeros((len(times), start.size))
        soon = times <= _DECAYED / max(rate, 1e-300)
        A = generator(self.N, self.eta, p, q)
        out[soon] = propagate(A, start.ravel(), times[soon], self.tolerance, self.most)
        return out

    def slow_coherence(self, times: NDArray[np.float64]) -> NDArray[np.float64]:
        """What the slowest mode, or pair of modes, has in the even-odd block at `times`, (T, d, d'); 0 where it is not alone."""
        even, odd = self.start[::2], self.start[1::2]
        mode = self.coherence
        if not mode.alone:
            return np.zeros((len(times), len(even), len(odd)))
        share = mode.part(np.outer(even, odd).ravel()) * (2.0 if mode.value.imag else 1.0)
        return (np.exp(np.outer(times, self.rate)) * share).real.reshape(-1, len(even), len(odd))

    @property
    def rate(self) -> complex:
        """Eigenvalue of the slowest mode; 0 where it is below rounding."""
        value = self.coherence.value
        return 0j if abs(value) <= self.coherence.rounding else complex(min(value.real, 0.0), value.imag)

    def coherences(self, times: NDArray[np.float64]) -> NDArray[np.float64]:
        """The even-odd block at `times`, (T, d, d')."""
        even, odd = self.start[::2], self.start[1::2]
        slow = self.slow_coherence(np.zeros(1))[0]
        rate = -(self.coherence.next_value if self.coherence.alone else self.coherence.value).real
        moving = self._moving(EVEN, ODD, np.outer(even, odd) - slow, rate, times)
        return self.slow_coherence(times) + moving.reshape(-1, len(even), len(odd))


def amplitude(coherence: NDArray[np.float64]) -> NDArray[np.float64]:
    """<a> = sum_k sqrt(k) rho_{k,k-1} of even-odd blocks (..., d, d')."""
    d, e = coherence.shape[-2:]
    total = np.zeros(coherence.shape[:-2])
    for i in range(e):  # the states 2 i and 2 i + 1, and 2 i + 1 and 2 i + 2
        total = total + np.sqrt(2 * i + 1) * coherence[..., i, i]
        if i + 1 < d:
            total = total + np.sqrt(2 * i + 2) * coherence[..., i + 1, i]
    return total
