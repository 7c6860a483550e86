"""Populations P(S, M) of N identical spins under individual and collective decay, dephasing and pump, without coherences.

A state that permutations leave alone and that has no coherence between different M is a distribution over the total
spin S = N/2 - k and the number n = N/2 + M of excited spins (P sums over the degenerate multiplets). It is kept as an
array P[n, k] (N+1, N//2+1); only k <= min(n, N-n) exists, the rest stays zero. Physics document of the battery,
section 5; B. A. Chase and J. M. Geremia, PRA 78, 052101 (2008); N. Shammah et al., PRA 98, 063815 (2018).

With D[L] rho = L rho L^+ - {L^+L, rho}/2 and sums over all spins, the rates out of (S, M) are

    gamma D[sigma_-]:  M-1 and  S: gamma a (S+M)(S-M+1)   S-1: gamma b (S+M)(S+M-1)   S+1: gamma c (S-M+1)(S-M+2)
    phi D[sigma_z]:    M   and                            S-1: 4 phi b (S^2-M^2)      S+1: 4 phi c ((S+1)^2-M^2)
    pump D[sigma_+]:   M+1 and  S: w a (S-M)(S+M+1)       S-1: w b (S-M)(S-M-1)       S+1: w c (S+M+1)(S+M+2)
    Gamma D[S_-]:      M-1 and  S: Gamma (S+M)(S-M+1)
    a = (N/2+1)/(2S(S+1)),  b = (N/2+S+1)/(2S(2S+1)),  c = (N/2-S)/(2(S+1)(2S+1)),  a = b = 0 at S = 0

Without pump every jump lowers n or keeps it, so that a shifted inverse is one sweep over n from above: a division per
state (no dephasing) or a tridiagonal solve per n. `propagate` builds the exponential from such sweeps (order 16, eight
complex shifts in one pass, whatever Gamma t is). A finished discharge is one step (Gamma t > 5); within the flash, and
while individual processes empty many states, steps are shortened until the error estimate is at the level of rounding.
"""

from __future__ import annotations

import math

import numpy as np

from solvers.numerics.compile import FASTMATH, entry, kernel
from solvers.numerics.rational_exponential import (
    CONSTANT,
    ESTIMATE_LIMIT,
    ESTIMATE_RESIDUES,
    INTEGRAL_RESIDUES,
    POLES,
    RESIDUES,
)

POSITIVITY = -5e-13
"""A step that leaves a population below this is repeated with a shorter one, whatever the estimate says."""
NEAR_MISS = 1e3
"""A first step whose estimate is too large by no more than this is tried again at half its length, and so on while the estimate
falls: over a finished flash it does, with N Gamma dt, and would rise within one."""
SMALLEST_FRACTION = 2.0**-40
"""A step this small a part of the phase means that the propagation has failed."""

_THETA_RE, _THETA_IM = POLES.real.copy(), POLES.imag.copy()
_C_RE, _C_IM = RESIDUES.real.copy(), RESIDUES.imag.copy()
_Q_RE, _Q_IM = INTEGRAL_RESIDUES.real.copy(), INTEGRAL_RESIDUES.imag.copy()
_E_RE, _E_IM = ESTIMATE_RESIDUES.real.copy(), ESTIMATE_RESIDUES.imag.copy()
_LIMIT = ESTIMATE_LIMIT
_SHIFTS = len(POLES)
_CONSTANT = CONSTANT

DOWN, SPLIT, MERGE, EXIT, DEPHASE_SPLIT, DEPHASE_MERGE = range(6)
"""Rows of a table of rates: n-1 at the same k, n-1 and k+1, n-1 and k-1, everything that leaves by losses, n and k+1, n and k-1."""


@kernel
def branching(N, k):
    """a, b and c of the module's table at S = N/2 - k."""
    S = 0.5 * N - k
    c = k / (2.0 * (S + 1.0) * (2.0 * S + 1.0))
    if S < 0.25:
        return 0.0, 0.0, c
    return (0.5 * N + 1.0) / (2.0 * S * (S + 1.0)), (0.5 * N + S + 1.0) / (2.0 * S * (2.0 * S + 1.0)), c


@entry
def rate_table(N, gamma, collective, dephasing, q):
    """Rates of the elements |S,M><S,M-q|, q = 0 the populations: (6, N+1, N//2+3), see DOWN ... DEPHASE_MERGE.

    Column k+1 is k; the outer columns are zero. For q > 0 every product x of the table above becomes sqrt(x x'), x' the
    same with M-q, and what leaves is the mean of both (with q phi more or less, from the unchanged S): the elements
    decay, while populations only move. N: number of spins; the rates in one unit.
    """
    K = N // 2 + 1
    table = np.zeros((6, N + 1, K + 2))
    for n in range(q, N + 1):
        for k in range(min(n - q, N - n) + 1):
            a, b, c = branching(N, k)
            plus, minus = float(n - k), float(N - n - k)  # S+M and S-M
            plus2, minus2 = plus - q, minus + q
            emission, emission2 = plus * (minus + 1.0), plus2 * (minus2 + 1.0)
            down = (gamma * a + collective) * math.sqrt(emission * emission2)
            split = gamma * b * math.sqrt(plus * (plus - 1.0) * plus2 * (plus2 - 1.0))
            merge = gamma * c * math.sqrt((minus + 1.0) * (minus + 2.0) * (minus2 + 1.0) * (minus2 + 2.0))
            turn_down = 4.0 * dephasing * b * math.sqrt(plus * minus * plus2 * minus2)
            turn_up = 4.0 * dephasing * c * math.sqrt((plus + 1.0) * (minus + 1.0) * (plus2 + 1.0) * (minus2 + 1.0))
            table[DOWN, n, k + 1], table[SPLIT, n, k + 1], table[MERGE, n, k + 1] = down, split, merge
            table[DEPHASE_SPLIT, n, k + 1], table[DEPHASE_MERGE, n, k + 1] = turn_down, turn_up
            if q == 0:
                # the sum of the parts, not gamma n: so each column adds up to zero to the last bit but one
                table[EXIT, n, k + 1] = down + split + merge
            else:
                M = 0.5 * (plus - minus)
                leave = gamma * (n - 0.5 * q) + 0.5 * collective * (emission + emission2)
                table[EXIT, n, k + 1] = leave + dephasing * (N - 4.0 * a * M * (M - q)) - turn_down - turn_up
    return table


@kernel(fastmath=FASTMATH)
def _inflow(rates, n, x_re, x_im, in_re, in_im, width):
    """What the states of n+1 hand down to the states of n; index 0 of x is the empty column before k = 0."""
    down, split, merge = rates[DOWN, n + 1], rates[SPLIT, n + 1], rates[MERGE, n + 1]
    for k in range(width):
        in_re[k] = down[k + 1] * x_re[k + 1] + split[k] * x_re[k] + merge[k + 2] * x_re[k + 2]
        in_im[k] = down[k + 1] * x_im[k + 1] + split[k] * x_im[k] + merge[k + 2] * x_im[k + 2]


@kernel(fastmath=FASTMATH)
def _divide_row(theta_re, theta_im, dt, leave, source, in_re, in_im, x_re, x_im, width):
    """x = (dt in - P)/(dt exit + theta) along one n."""
    for k in range(width):
        d = dt * leave[k + 1] + theta_re
        weight = 1.0 / (d * d + theta_im * theta_im)
        r = dt * in_re[k] - source[k]
        i = dt * in_im[k]
        x_re[k + 1] = (r * d + i * theta_im) * weight
        x_im[k + 1] = (i * d - r * theta_im) * weight


@kernel(fastmath=FASTMATH)
def _solve_row(theta_re, theta_im, dt, rates, n, source, in_re, in_im, x_re, x_im, width, factor_re, factor_im):
    """As `_divide_row` with dephasing: a tridiagonal system along k, eliminated upwards without pivots (it is dominant)."""
    split, merge = rates[DEPHASE_SPLIT, n], rates[DEPHASE_MERGE, n]
    leave = rates[EXIT, n]
    for k in range(width):
        d_re = dt * (leave[k + 1] + split[k + 1] + merge[k + 1]) + theta_re
        d_im = theta_im
        r = dt * in_re[k] - source[k]
        i = dt * in_im[k]
        if k > 0:
            below = dt * split[k]
            d_re -= below * factor_re[k - 1]
            d_im -= below * factor_im[k - 1]
            r += below * x_re[k]
            i += below * x_im[k]
        weight = 1.0 / (d_re * d_re + d_im * d_im)
        x_re[k + 1] = (r * d_re + i * d_im) * weight
        x_im[k + 1] = (i * d_re - r * d_im) * weight
        above = dt * merge[k + 2]
        factor_re[k] = above * d_re * weight
        factor_im[k] = -above * d_im * weight
    for k in range(width - 2, -1, -1):
        x_re[k + 1] += factor_re[k] * x_re[k + 2] - factor_im[k] * x_im[k + 2]
        x_im[k + 1] += factor_re[k] * x_im[k + 2] + factor_im[k] * x_re[k + 2]


@kernel(fastmath=FASTMATH)
def _accumulate(shift, x_re, x_im, out, held, estimate, width):
    c_re, c_im = 2.0 * _C_RE[shift], 2.0 * _C_IM[shift]
    q_re, q_im = 2.0 * _Q_RE[shift], 2.0 * _Q_IM[shift]
    e_re, e_im = 2.0 * _E_RE[shift], 2.0 * _E_IM[shift]
    for k in range(width):
        r, i = x_re[k + 1], x_im[k + 1]
        out[k] += c_re * r - c_im * i
        held[k] += q_re * r - q_im * i
        estimate[k] += e_re * r - e_im * i


@kernel(fastmath=FASTMATH)
def _largest(x_re, x_im, width):
    largest = 0.0
    for k in range(1, width + 1):
        largest = max(largest, abs(x_re[k]))
        largest = max(largest, abs(x_im[k]))
    return largest


@kernel
def _step(P, rates, q, dt, dephased, new, x_re, x_im, work):
    """One step: new = exp(dt L) P; returns (int <n> dt, int <S_+S_-> dt, sum of abs(E), the lowest population)."""
    levels, K = P.shape
    N = levels - 1
    in_re, in_im, held, estimate, factor_re, factor_im = work[0], work[1], work[2], work[3], work[4], work[5]
    x_re[:] = 0.0
    x_im[:] = 0.0
    mean_n, mean_emission, error, lowest = 0.0, 0.0, 0.0, 0.0
    reached = 0  # columns of the row above, of any shift, up to the last that is not zero
    for n in range(N, q - 1, -1):
        width = min(n - q, N - n) + 1
        row, source = new[n], P[n]
        if not dephased:  # a loss leads one column further at most
            filled = reached + 1
            for k in range(width - 1, filled - 1, -1):
                if source[k] != 0.0:
                    filled = k + 1
                    break
            width = min(width, filled)
        for k in range(K):
            row[k] = _CONSTANT * source[k]
            held[k] = 0.0
            estimate[k] = 0.0
        before, reached = reached, 0
        for shift in range(_SHIFTS):
            xr, xi = x_re[shift], x_im[shift]
            theta_re, theta_im = _THETA_RE[shift], _THETA_IM[shift]
            if n < N:
                _inflow(rates, n, xr, xi, in_re, in_im, width)
            else:
                in_re[:width] = 0.0
                in_im[:width] = 0.0
            if dephased:
                _solve_row(theta_re, theta_im, dt, rates, n, source, in_re, in_im, xr, xi, width, factor_re, factor_im)
            else:
                _divide_row(theta_re, theta_im, dt, rates[EXIT, n], source, in_re, in_im, xr, xi, width)
            # Numbers near underflow cost a hundred times more than others and mean nothing here.
            for k in range(width, 0, -1):
                if abs(xr[k]) + abs(xi[k]) > 1e-100:
                    reached = max(reached, k)
                    break
                xr[k] = 0.0
                xi[k] = 0.0
            for k in range(width + 1, before + 1):  # the row above may have been longer
                xr[k] = 0.0
                xi[k] = 0.0
            _accumulate(shift, xr, xi, row, held, estimate, width)
        for k in range(width):
            mean_n += n * held[k]
            mean_emission += (n - k) * (N - n - k + 1.0) * held[k]
            error += abs(estimate[k])
            lowest = min(lowest, row[k])
    return dt * mean_n, dt * mean_emission, error, lowest


@kernel
def _careful(P, rates, q, tau):
    """The largest tau/2^j that is within half a lifetime of every populated state, its share of a flash being the first quantum's."""
    levels = P.shape[0]
    N = levels - 1
    fastest = 0.0
    for n in range(q, levels):
        for k in range(min(n - q, N - n) + 1):
            if abs(P[n, k]) > 1e-13:
                individual = rates[SPLIT, n, k + 1] + rates[MERGE, n, k + 1]
                individual += rates[DEPHASE_SPLIT, n, k + 1] + rates[DEPHASE_MERGE, n, k + 1]
                plus, minus = n - k, N - n - k
                flash = 0.0
                if plus > 0:
                    flash = rates[DOWN, n, k + 1] / (plus * (minus + 1.0)) * (plus + minus)
                fastest = max(fastest, max(2.0 * individual, 3.0 * flash))
    fraction = 1.0
    while fraction * tau * fastest > 1.0 and fraction > SMALLEST_FRACTION:
        fraction *= 0.5
    return fraction


@kernel
def _size(P):
    total = 0.0
    for n in range(P.shape[0]):
        for k in range(P.shape[1]):
            total += abs(P[n, k])
    return total


@kernel
def _limit(N, flash):
    """The estimate up to which a step of Gamma dt = `flash` is good to 1e-12.

    The general limit is set by the middle of a flash. Few levels amplify less, and so do a flash that is over within
    the step and one that has hardly begun.
    """
    short = 12.0 / N
    limit = _LIMIT * min(25.0, max(1.0, short**4))
    if flash > 1.0 or flash * N < 0.05:
        limit = max(limit, 3.0 * _LIMIT)
    return limit


@entry
def propagate(P, rates, q, collective, tau, dephased, positive):
    """Carry P (N+1, N//2+1) in place over the time tau with the rates of `rate_table`, of which Gamma is `collective`.

    Returns (int <n> dt, int <S_+S_-> dt, steps), both meaningful for q = 0; steps is -1 where even the smallest step
    was not good enough. `positive` marks populations (q = 0): they keep their sum and may not become negative.
    """
    K = P.shape[1]
    mean_n, mean_emission, done, steps = 0.0, 0.0, 0.0, 0
    size = _size(P)
    if tau == 0.0 or size == 0.0:
        return mean_n, mean_emission, steps
    new = np.zeros_like(P)
    x_re, x_im, work = np.zeros((_SHIFTS, K + 2)), np.zeros((_SHIFTS, K + 2)), np.zeros((6, K))
    fraction, patience = 1.0, 0
    missed = np.inf  # the estimate of the last step in vain, while nothing is known of the state
    while done < 1.0:
        n_part, emission_part, error, lowest = _step(P, rates, q, fraction * tau, dephased, new, x_re, x_im, work)
        steps += 1
        limit = _limit(P.shape[0] - 1, collective * fraction * tau) * size
        if not (error <= limit and (not positive or lowest >= POSITIVITY * size)):
            if fraction <= SMALLEST_FRACTION:
                return mean_n, mean_emission, -1
            near = patience == 0 and error <= NEAR_MISS * limit and error < 0.5 * missed
            near = near and (not positive or lowest >= POSITIVITY * size)
            fraction *= 0.5
            missed = error
            if not near:
                if patience == 0:  # nothing is known of this state yet: begin where every state is safe
                    fraction = min(fraction, _careful(P, rates, q, tau))
                patience = 4
            continue
        # The sum of populations is the same after each sweep, up to 1e-15.
        scale = 1.0
        if positive:
            scale = size / np.sum(new)
        P[:] = scale * new
        mean_n += n_part
        mean_emission += emission_part
        done += fraction  # powers of two: exact
        patience -= 1
        # Twice as long where the binary grid of steps allows it, unless that is bound to fail or has just failed.
        if error < 0.25 * limit and patience < 1 and done % (2.0 * fraction) == 0.0 and done + 2.0 * fraction <= 1.0:
            fraction *= 2.0
            patience = 1
    return mean_n, mean_emission, steps


@entry
def moments(P):
    """<M>, <S(S+1)> and <S> of populations P (N+1, N//2+1)."""
    N = P.shape[0] - 1
    mean_M, mean_square, mean_S = 0.0, 0.0, 0.0
    for n in range(N + 1):
        for k in range(min(n, N - n) + 1):
            S = 0.5 * N - k
            mean_M += P[n, k] * (n - 0.5 * N)
            mean_square += P[n, k] * S * (S + 1.0)
            mean_S += P[n, k] * S
    return mean_M, mean_square, mean_S
