"""The battery's cycle as a Markov chain on S, for a flash that takes no time (Gamma to infinity).

After a flash the ensemble is in |S, -S>, S = N/2 - k. One cycle is a pulse to |S, S>, storage to any |S', M'>, the flash
to |S', -S'>, and the discharge time, in which only S'+1 can be reached: by loss at the rate gamma k, and with dephasing
at 2 phi k/(S'+1), followed by the emission of one more quantum. Physics document, section 5.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import expm

from solvers.engines.individual_loss import binomial_weights, jump, jump_table
from solvers.engines.populations import propagate, rate_table
from solvers.numerics.compile import entry
from solvers.outcome import Kind, PointFailed

Matrix = NDArray[np.float64]


@entry
def storage_kernel(jumps, decay):
    """Probabilities (K, K) to get from k (column, at M = S) to k' by losses alone, gamma tau_s = `decay`."""
    N = jumps.shape[1] - 1
    K = N // 2 + 1
    kernel = np.zeros((K, K))
    weights = np.zeros(N + 1)
    now, after = np.zeros(K + 2), np.zeros(K + 2)
    for k in range(K):
        start = N - k
        now[:] = 0.0
        now[k + 1] = 1.0
        first, last = binomial_weights(start, decay, weights)
        for j in range(last + 1):
            n = start - j
            if j >= first:
                for i in range(min(n, N - n) + 1):
                    kernel[i, k] += weights[j] * now[i + 1]
            if j < last:
                width = min(n - 1, N - n + 1) + 1
                jump(jumps, n, now, after, width)
                after[width + 1 :] = 0.0
                for i in range(K + 2):
                    now[i] = after[i] if after[i] > 1e-200 else 0.0
    return kernel


@entry
def survivors(K, decay):
    """Binomial probabilities (K, K) that k' of k (column) are still there after gamma tau = `decay`."""
    kernel = np.zeros((K, K))
    weights = np.zeros(K)
    for k in range(K):
        first, last = binomial_weights(k, decay, weights)
        for j in range(first, last + 1):
            kernel[k - j, k] = weights[j]
    return kernel


@entry
def perron_vector(T):
    """Stationary distribution (K,) of a column-stochastic matrix by elimination without subtractions.

    (W. K. Grassmann, M. I. Taksar, D. P. Heyman, Oper. Res. 33, 1107 (1985).) It is the limit of the chain that starts
    in state 0; a state 0 that is never left is that limit.
    """
    K = T.shape[0]
    A = T.copy()
    p = np.zeros(K)
    p[0] = 1.0
    if K == 1 or np.sum(A[1:, 0]) == 0.0:
        return p
    for i in range(K - 1, 0, -1):
        leave = np.sum(A[:i, i])
        if not leave > 0.0:
            return np.full(K, np.nan)
        for j in range(i):
            share = A[i, j] / leave
            if share != 0.0:
                for m in range(i):
                    A[m, j] += A[m, i] * share
        for j in range(i):
            A[i, j] /= leave
    for i in range(1, K):
        total = 0.0
        for j in range(i):
            total += A[i, j] * p[j]
        p[i] = total
    return p / np.sum(p)


def dephased_storage(N: int, gamma: float, dephasing: float, tau: float) -> Matrix:
    """`storage_kernel` with dephasing, column by column."""
    K = N // 2 + 1
    rates = rate_table(N, gamma, 0.0, dephasing, 0)
    kernel = np.empty((K, K))
    for k in range(K):
        state = np.zeros((N + 1, K))
        state[N - k, k] = 1.0
        if propagate(state, rates, 0, 0.0, tau, True, True)[2] < 0:
            text = f"storage with dephasing {dephasing:g} over {tau:g} loses its accuracy"
            raise PointFailed(Kind.LOST_IN_ROUNDING, text)
        kernel[:, k] = state.sum(axis=0)
    return kernel


def dephased_climb(N: int, gamma: float, dephasing: float, tau: float) -> tuple[Matrix, NDArray[np.float64]]:
    """Climb (K, K) along |S, -S> during discharge, and the quanta (K,) that dephasing makes collective on the way."""
    K = N // 2 + 1
    k = np.arange(K)
    emitting = 2.0 * dephasing * k / (0.5 * N - k + 1.0)
    generator = np.zeros((K + 1, K + 1))
    generator[k, k] = -(gamma * k + emitting)
    generator[k[1:] - 1, k[1:]] = (gamma * k + emitting)[1:]
    generator[K, :K] = emitting
    result = expm(generator * tau)
    return result[:K, :K], result[K, :K]


@dataclass(frozen=True)
class Chain:
    """The cycle of the chain: matrix (K, K) and what a cycle yields from each k after a discharge (K,)."""

    N: int
    storage: Matrix
    matrix: Matrix
    released: NDArray[np.float64]
    S: NDArray[np.float64]

    def limit(self) -> NDArray[np.float64]:
        """Distribution (K,) over k after discharge in the limit cycle that is reached from the ground state."""
        return np.asarray(perron_vector(self.matrix))

    def second_eigenvalue(self) -> float:
        """The largest modulus of the other eigenvalues: by it deviations shrink per cycle; 0 if there is none."""
        if len(self.S) == 1:
            return 0.0
        return float(np.sort(np.abs(np.linalg.eigvals(self.matrix)))[-2])

    def cycles_until(self, limit: float, share: float) -> float:
        """The first cycle from the ground state whose released energy is within `share` of `limit`, as a count from 1.

        By powers 2^j of the cycle; what is released falls to its limit without coming back. NaN beyond 2^60.
        """
        margin = share * abs(limit) + 1e-9 * self.N
        state = np.zeros(len(self.S))
        state[0] = 1.0

        def outside(distribution: NDArray[np.float64]) -> bool:
            return bool(abs(self.released @ distribution - limit) > margin)

        if not outside(state):
            return 1.0
        powers = [self.matrix]
        while outside(powers[-1] @ state):
            if len(powers) > 60:
                return math.nan
            powers.append(powers[-1] @ powers[-1])
        done = 0
        for j in range(len(powers) - 2, -1, -1):
            ahead = powers[j] @ state
            if outside(ahead):
                state, done = ahead, done + 2**j
        return float(done + 2)


def build(N: int, gamma: float, dephasing: float, tau_s: float, tau_d: float) -> Chain:
    """The chain for N emitters, rates gamma and phi in one unit and times in its inverse."""
    K = N // 2 + 1
    S = 0.5 * N - np.arange(K)
    if dephasing > 0.0:
        storage = dephased_storage(N, gamma, dephasing, tau_s)
        climb, quanta = dephased_climb(N, gamma, dephasing, tau_d)
    else:
        storage = storage_kernel(jump_table(N), gamma * tau_s)
        climb, quanta = survivors(K, gamma * tau_d), np.zeros(K)
    stored_M = (0.5 * N + S) * math.exp(-gamma * tau_s) - 0.5 * N
    released = (S + quanta) @ storage + stored_M
    return Chain(N, storage, climb @ storage, released, np.asarray(S, dtype=np.float64))
