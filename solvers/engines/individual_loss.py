"""Individual loss alone, in closed form: populations P(S, M) after a storage time without collective decay.

Every state with n excited spins is left at the rate gamma n, and the jump chain (S, M) -> (S', M-1) does not know the
time. So, with D_j the populations after j jumps from the states with n spins,

    P(tau) = sum_n sum_j Binomial(j; n, 1 - exp(-gamma tau)) D_j[P_n],

exact, free of cancellation and as cheap for a long time as for a short one (physics document of the battery, Numerics).
"""

from __future__ import annotations

import math

import numpy as np

from solvers.engines.populations import DOWN, EXIT, MERGE, SPLIT, rate_table
from solvers.numerics.compile import FASTMATH, entry, kernel


@kernel
def binomial_weights(n, decay, weights):
    """Probability of j losses among n spins, weights (n+1), each lost with 1 - exp(-decay), from the most likely j outwards.

    Returns the first and last j that carry more than 1e-30 of the largest.
    """
    survival, lost = math.exp(-decay), -math.expm1(-decay)
    weights[: n + 1] = 0.0
    if lost <= 0.0 or survival <= 0.0:
        certain = 0 if lost <= 0.0 else n
        weights[certain] = 1.0
        return certain, certain
    mode = min(n, int((n + 1) * lost))
    weights[mode] = 1.0
    first, last, total = mode, mode, 1.0
    for j in range(mode, 0, -1):
        weights[j - 1] = weights[j] * j * survival / ((n - j + 1.0) * lost)
        if weights[j - 1] < 1e-30:
            weights[j - 1] = 0.0
            break
        total += weights[j - 1]
        first = j - 1
    for j in range(mode, n):
        weights[j + 1] = weights[j] * (n - j) * lost / ((j + 1.0) * survival)
        if weights[j + 1] < 1e-30:
            weights[j + 1] = 0.0
            break
        total += weights[j + 1]
        last = j + 1
    for j in range(first, last + 1):
        weights[j] /= total
    return first, last


@kernel(fastmath=FASTMATH)
def jump(rates, n, now, after, width):
    """One loss from the states with n excited spins: now, after (N//2+3) are indexed by k+1, their outer columns zero."""
    down, split, merge = rates[DOWN, n], rates[SPLIT, n], rates[MERGE, n]
    for k in range(1, width + 1):
        after[k] = down[k] * now[k] + split[k - 1] * now[k - 1] + merge[k + 1] * now[k + 1]


@entry
def jump_table(N):
    """Probabilities of where a loss leads, in the layout of `rate_table`: each state's add up to 1."""
    rates = rate_table(N, 1.0, 0.0, 0.0, 0)
    for n in range(1, N + 1):
        for k in range(min(n, N - n) + 1):
            total = rates[EXIT, n, k + 1]
            for kind in (DOWN, SPLIT, MERGE):
                rates[kind, n, k + 1] /= total
    return rates


@entry
def lose(P, jumps, decay):
    """Populations P (N+1, N//2+1) after a time with gamma tau = `decay`, from the `jump_table`."""
    levels, K = P.shape
    N = levels - 1
    result = np.zeros_like(P)
    weights = np.zeros(levels)
    now, after = np.zeros(K + 2), np.zeros(K + 2)
    for start in range(levels):
        now[:] = 0.0
        present = False
        for k in range(K):
            now[k + 1] = P[start, k]
            present = present or P[start, k] != 0.0
        if not present:
            continue
        first, last = binomial_weights(start, decay, weights)
        for j in range(last + 1):
            n = start - j
            if j >= first:
                for k in range(min(n, N - n) + 1):
                    result[n, k] += weights[j] * now[k + 1]
            if j < last:
                width = min(n - 1, N - n + 1) + 1
                jump(jumps, n, now, after, width)
                after[width + 1 :] = 0.0
                for k in range(K + 2):  # what has become negligible would become subnormal, and slow
                    now[k] = after[k] if after[k] > 1e-200 or after[k] < -1e-200 else 0.0
    return result
