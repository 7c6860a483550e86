"""Populations and coherences with an incoherent pump, where jumps go up and down and no sweep solves a shifted inverse.

The same rational exponential and step control as in `solvers.engines.populations`, on sparse LU factors. They are kept
per step size, and step sizes are tau/2^j, so that many cycles share a few of them.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.sparse as sparse
from numpy.typing import NDArray
from scipy.sparse.linalg import splu

from solvers.engines.populations import (
    DEPHASE_MERGE,
    DEPHASE_SPLIT,
    DOWN,
    EXIT,
    MERGE,
    POSITIVITY,
    SMALLEST_FRACTION,
    SPLIT,
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


def generator(N: int, gamma: float, collective: float, dephasing: float, pump: float, q: int) -> tuple[Any, Any]:
    """The sparse generator over the elements (n, k) with k <= min(n-q, N-n), and these as two index arrays."""
    rates = rate_table(N, gamma, collective, dephasing, q)
    states = [(n, k) for n in range(q, N + 1) for k in range(min(n - q, N - n) + 1)]
    place = {state: i for i, state in enumerate(states)}
    rows, columns, values = [], [], []

    def add(target: tuple[int, int], source: int, rate: float) -> None:
        if rate != 0.0:
            rows.append(place[target])
            columns.append(source)
            values.append(rate)

    for i, (n, k) in enumerate(states):
        turn_down, turn_up = rates[DEPHASE_SPLIT, n, k + 1], rates[DEPHASE_MERGE, n, k + 1]
        add((n - 1, k), i, rates[DOWN, n, k + 1])
        add((n - 1, k + 1), i, rates[SPLIT, n, k + 1])
        add((n - 1, k - 1), i, rates[MERGE, n, k + 1])
        add((n, k + 1), i, turn_down)
        add((n, k - 1), i, turn_up)
        a, b, c = branching(N, k)
        plus, minus = float(n - k), float(N - n - k)
        plus2, minus2 = plus - q, minus + q
        up = pump * a * math.sqrt(minus * (plus + 1) * minus2 * (plus2 + 1))
        up_split = pump * b * math.sqrt(minus * (minus - 1) * minus2 * (minus2 - 1))
        up_merge = pump * c * math.sqrt((plus + 1) * (plus + 2) * (plus2 + 1) * (plus2 + 2))
        add((n + 1, k), i, up)
        add((n + 1, k + 1), i, up_split)
        add((n + 1, k - 1), i, up_merge)
        raised = up + up_split + up_merge if q == 0 else pump * (N - n + 0.5 * q)
        add((n, k), i, -(rates[EXIT, n, k + 1] + turn_down + turn_up + raised))
    matrix = sparse.csc_array((values, (rows, columns)), shape=(len(states), len(states)))
    return matrix, tuple(np.array(states, dtype=np.int64).reshape(-1, 2).T)


class PumpedPropagator:
    """The propagation of the elements |S,M><S,M-q| over one time tau; `advance` may be called for many cycles."""

    def __init__(
        self, N: int, gamma: float, collective: float, dephasing: float, pump: float, q: int, tau: float
    ) -> None:
        self.matrix, self.states = generator(N, gamma, collective, dephasing, pump, q)
        self.N, self.q, self.tau = N, q, tau
        n, k = self.states
        self.weights = np.stack([n.astype(float), (n - k) * (N - n - k + 1.0)])
        self._factors: dict[float, list[Any]] = {}

    def _inverses(self, fraction: float) -> list[Any]:
        if fraction not in self._factors:
            identity = sparse.identity(self.matrix.shape[0], format="csc")
            step = fraction * self.tau
            self._factors[fraction] = [splu((step * self.matrix - theta * identity).tocsc()) for theta in POLES]
        return self._factors[fraction]

    def advance(self, P: NDArray[np.float64]) -> tuple[float, float, int]:
        """Carry P (N+1, N//2+1) in place over tau; returns what `solvers.engines.populations.propagate` returns."""
        state = P[self.states]
        size = float(np.abs(state).sum())
        integrals = np.zeros(2)
        if self.tau == 0.0 or size == 0.0:
            return 0.0, 0.0, 0
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
