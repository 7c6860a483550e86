"""Populations and coherences with an incoherent pump, where jumps go up and down and no sweep solves a shifted inverse.

The same rational exponential and step control as in `solvers.engines.populations`, on sparse LU factors. They are kept
per step size, and step sizes are tau/2^j, so that many cycles share a few of them.

Where |A| tau is large rounding hides slow rates next to fast ones, and in the end the conservation of the sum. Populations of
few spins are then carried by the matrix of probabilities exp(tau A): a Taylor series of positive terms, squared up. Products
of positive numbers, with columns made to add up to one after each, keep every probability to many digits whatever the ratios
of rates are (J. Xue and Q. Ye, Math. Comp. 82, 1577 (2013), treat such exponentials).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.sparse as sparse
from numpy.typing import NDArray
from scipy.sparse.linalg import splu

from solvers.engines.populations import (
    POSITIVITY,
    SMALLEST_FRACTION,
    branching,
    rate_table,
)
from solvers.numerics.rational_exponential import (
    CONSTANT,
    ESTIMATE_LIMIT,
    ESTIMATE_RESIDUES,
    INTEGRAL_RESIDUES,
    POLES,
    RESIDUES,
)

STIFF = 1e7
"""|A| tau from which rounding is felt at 1e-9."""
MOST_SQUARED = 500
"""States up to which probabilities are squared (42 emitters): 60 products of such matrices take a few seconds."""
LARGEST_ERROR = 1e-6
"""What rounding may do to the exchange of dephasing, in units of the slow rates beside it, before a phase is given up."""
MOST_KEPT = 1e8
"""Complex numbers in the factors that are kept for further cycles (2.4 GB); the latest ones are kept in any case."""
MOST_STEPS = 3000
"""Steps of a phase after which it is given up."""
KEEP_THE_DIAGONAL: dict[str, Any] = {
    "permc_spec": "MMD_AT_PLUS_A",
    "diag_pivot_thresh": 1e-3,
    "options": {"SymmetricMode": True},
}
"""The pattern is symmetric and the shifted diagonal as large as its column, or nearly: half the fill of a column ordering."""


def generator(N: int, gamma: float, collective: float, dephasing: float, pump: float, q: int) -> tuple[Any, Any]:
    """The sparse generator over the elements (n, k) with k <= min(n-q, N-n), and these as two index arrays."""
    rates = rate_table(N, gamma, collective, dephasing, q)
    levels, columns = np.arange(N + 1)[:, None], np.arange(N // 2 + 1)
    n, k = np.nonzero((columns <= levels - q) & (columns <= N - levels))
    places = np.full((N + 3, N // 2 + 3), -1)  # one wider than the states on every side
    places[n + 1, k + 1] = np.arange(len(n))
    a, b, c = np.array([branching(N, column) for column in columns])[k].T
    plus, minus = (n - k).astype(float), (N - n - k).astype(float)
    plus2, minus2 = plus - q, minus + q
    up = pump * a * np.sqrt(minus * (plus + 1) * minus2 * (plus2 + 1))
    up_split = pump * b * np.sqrt(minus * (minus - 1) * minus2 * (minus2 - 1))
    up_merge = pump * c * np.sqrt((plus + 1) * (plus + 2) * (plus2 + 1) * (plus2 + 2))
    down, split, merge, leave, turn_down, turn_up = rates[:, n, k + 1]  # in the order of DOWN ... DEPHASE_MERGE
    raised = up + up_split + up_merge if q == 0 else pump * (N - n + 0.5 * q)
    moves = (
        (0, 0, -(leave + turn_down + turn_up + raised)),
        (-1, 0, down),
        (-1, 1, split),
        (-1, -1, merge),
        (0, 1, turn_down),
        (0, -1, turn_up),
        (1, 0, up),
        (1, 1, up_split),
        (1, -1, up_merge),
    )
    targets = np.concatenate([places[n + 1 + i, k + 1 + j] for i, j, _ in moves])
    values = np.concatenate([rate for _, _, rate in moves])
    there = values != 0.0
    sources = np.tile(np.arange(len(n)), len(moves))
    matrix = sparse.csc_array((values[there], (targets[there], sources[there])), shape=(len(n), len(n)))
    return matrix, (n, k)


def probabilities(
    rates: NDArray[np.float64], tau: float, weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """exp(tau A) (n, n) and weights int_0^tau exp(s A) ds (m, n) of populations that only move.

    rates: (n, n), what goes from column to row, zeros on the diagonal, which follows from them; weights: (m, n), positive.
    """
    leave = rates.sum(axis=0)
    fastest = float(leave.max())
    halvings = max(0, math.ceil(math.log2(max(fastest * tau, 1e-300))) + 1)
    step = tau / 2.0**halvings
    share = fastest * step  # at most 1/2
    # exp(h A) = exp(-h u) exp(h (A + u)) with the fastest rate u: the second exponent has no negative element
    positive = step * rates + np.diag(step * (fastest - leave))
    matrix, term, held = np.eye(len(rates)), np.eye(len(rates)), np.zeros_like(weights)
    for k in range(25):
        if k > 0:
            term = positive @ term / k
            matrix = matrix + term
        # int_0^1 x^k exp(-share x) dx
        part = sum((-share) ** j / (math.factorial(j) * (k + j + 1)) for j in range(25))
        held = held + step * part * (weights @ term)
    matrix = matrix / matrix.sum(axis=0)
    for _ in range(halvings):
        held = held + held @ matrix
        matrix = matrix @ matrix
        matrix = matrix / matrix.sum(axis=0)
    return matrix, held


class PumpedPropagator:
    """The propagation of the elements |S,M><S,M-q| over one time tau; `advance` may be called for many cycles."""

    def __init__(
        self,
        N: int,
        gamma: float,
        collective: float,
        dephasing: float,
        pump: float,
        q: int,
        tau: float,
        room: float = MOST_KEPT,
    ) -> None:
        self.matrix, self.states = generator(N, gamma, collective, dephasing, pump, q)
        self.N, self.q, self.tau = N, q, tau
        n, k = self.states
        self.weights = np.stack([n.astype(float), (n - k) * (N - n - k + 1.0)])
        self._factors: dict[float, list[Any]] = {}
        self._room = room
        self._squared: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None
        fastest = float(np.abs(self.matrix.diagonal()).max()) * tau
        self._hopeless = False
        if q == 0 and fastest > STIFF and math.isfinite(fastest):
            if len(n) <= MOST_SQUARED:
                rates = self.matrix.toarray()
                np.fill_diagonal(rates, 0.0)
                self._squared = probabilities(rates, tau, self.weights)
            else:
                # what only goes down does no harm; dephasing goes up and down, and its rounding leaks
                exchange = dephasing * float(N) ** 2 * tau
                self._hopeless = bool(np.finfo(float).eps * exchange > LARGEST_ERROR)

    def _inverses(self, fraction: float) -> list[Any]:
        if fraction not in self._factors:
            identity = sparse.identity(self.matrix.shape[0], format="csc")
            step = fraction * self.tau
            shifted = [(step * self.matrix - theta * identity).tocsc() for theta in POLES]
            made = [splu(A, **KEEP_THE_DIAGONAL) for A in shifted]
            while self._factors and (len(self._factors) + 1) * sum(lu.nnz for lu in made) > self._room:
                del self._factors[next(iter(self._factors))]
            self._factors[fraction] = made
        return self._factors[fraction]

    def advance(self, P: NDArray[np.float64]) -> tuple[float, float, int]:
        """Carry P (N+1, N//2+1) in place over tau; returns what `solvers.engines.populations.propagate` returns."""
        state = P[self.states]
        size = float(np.abs(state).sum())
        integrals = np.zeros(2)
        if self.tau == 0.0 or size == 0.0:
            return 0.0, 0.0, 0
        if self._hopeless:
            return 0.0, 0.0, -1
        if self._squared is not None:
            matrix, held_by = self._squared
            integrals = held_by @ state
            P[self.states] = matrix @ state
            return float(integrals[0]), float(integrals[1]), 1
        done, steps, fraction, patience = 0.0, 0, 1.0, 0
        while done < 1.0:
            new, held, estimate = CONSTANT * state, np.zeros_like(state), np.zeros_like(state)
            for inverse, c, w, e in zip(
                self._inverses(fraction), RESIDUES, INTEGRAL_RESIDUES, ESTIMATE_RESIDUES, strict=True
            ):
                x = inverse.solve(state.astype(complex))
                new += 2.0 * (c * x).real
                held += 2.0 * (w * x).real
                estimate += 2.0 * (e * x).real
            steps += 1
            if steps > MOST_STEPS:
                return integrals[0], integrals[1], -1
            error = float(np.abs(estimate).sum())
            limit = ESTIMATE_LIMIT * size
            good = error <= limit and (self.q > 0 or new.min() >= POSITIVITY * size)
            if not good:
                if fraction <= SMALLEST_FRACTION:
                    return integrals[0], integrals[1], -1
                fraction *= 0.5
                patience = 4
                continue
            state = new * (size / new.sum()) if self.q == 0 else new
            integrals += fraction * self.tau * (self.weights @ held)
            done += fraction
            patience -= 1
            longer = error < 0.25 * limit and patience < 1
            if longer and done % (2.0 * fraction) == 0.0 and done + 2.0 * fraction <= 1.0:
                fraction *= 2.0
                patience = 1
        P[self.states] = state
        return float(integrals[0]), float(integrals[1]), steps
