"""The limit cycle of the exact populations at finite Gamma: the stationary distribution of the cycle map.

F carries the populations from one discharge to the next. A Krylov solution of (I - F) dP = F P - P needs a
preconditioner and a start, because the distribution over S converges in 1/(gamma tau) cycles and everything else sooner.
Both come from a small chain on S: where a flash is over within the discharge (Gamma N tau_d > 10), that of `chain`, with
all populations at M = -S; where it has hardly begun, emission and inverting pulses drive every multiplet towards equal
populations of all its M (forth and back at the same rate), between which loss and dephasing move S.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import expm

from solvers.engines.populations import DEPHASE_MERGE, DEPHASE_SPLIT, MERGE, SPLIT, rate_table
from solvers.models.battery.chain import Chain, perron_vector
from solvers.models.battery.exact import Phase, Pulse, Readings, polarised, read
from solvers.numerics.krylov import gmres
from solvers.numerics.power_sequence import first_within

ROUNDING = 2e-14
"""A residual of the populations (sum of abs) that many sweeps cannot go below."""
CORRECTIONS, LARGEST_SPACE = 8, 100
PATIENCE, WORK = 1000, 1e7
"""Cycles that are computed to count cycles: so many, or more where they are together no more than so many populations."""
NOTHING = 1e-9
"""Energy per emitter below which two cycles release the same."""


class CycleMap:
    """Pulse, storage, discharge on populations; tables are made once."""

    def __init__(self, p: Mapping[str, Any]) -> None:
        N, gamma, dephasing = p["N"], p["gamma"], p["dephasing"]
        self._pulse = Pulse(N, math.pi)
        self._storage = Phase(N, gamma, 0.0, dephasing, 0.0, p["tau_s"])
        self._discharge = Phase(N, gamma, p["Gamma"], dephasing, 0.0, p["tau_d"])

    def stored(self, P: NDArray[np.float64], positive: bool = True) -> list[NDArray[np.float64]]:
        """The state before the discharge that follows a discharge with the populations P."""
        state = self._pulse.apply([P])
        state = [state[0].copy()]
        self._storage.advance(state, positive)
        return state

    def __call__(self, P: NDArray[np.float64], positive: bool = True) -> tuple[NDArray[np.float64], float]:
        """Populations after the next discharge, and the energy it releases."""
        state = self.stored(P, positive)
        released, _ = self._discharge.advance(state, positive)
        return state[0], released


@dataclass(frozen=True)
class LimitCycle:
    """Populations and readings after discharge, readings after storage, energy released per cycle, the residual over what was
    asked."""

    populations: NDArray[np.float64]
    discharged: Readings
    stored: Readings
    released: float
    missed: float


Preconditioner = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def bottom(N: int) -> NDArray[np.float64]:
    """For each k (column) the populations (N+1, K), of sum 1, that all sit at M = -S."""
    profile = np.zeros((N + 1, N // 2 + 1))
    k = np.arange(N // 2 + 1)
    profile[k, k] = 1.0
    return profile


def level(N: int) -> NDArray[np.float64]:
    """For each k (column) equal populations of all M."""
    n, k = np.arange(N + 1)[:, None], np.arange(N // 2 + 1)
    exists = (k <= n) & (n <= N - k)
    return exists / exists.sum(axis=0)


def level_chain(N: int, gamma: float, dephasing: float, tau: float) -> NDArray[np.float64]:
    """Probabilities (K, K) of the moves of S in the time tau where all M are equally populated."""
    rates = rate_table(N, gamma, 0.0, dephasing, 0)[:, :, 1:-1]
    profile = level(N)
    to_lower_S = ((rates[SPLIT] + rates[DEPHASE_SPLIT]) * profile).sum(axis=0)
    to_higher_S = ((rates[MERGE] + rates[DEPHASE_MERGE]) * profile).sum(axis=0)
    generator = np.diag(-to_lower_S - to_higher_S) + np.diag(to_lower_S[:-1], -1) + np.diag(to_higher_S[1:], 1)
    return np.asarray(expm(generator * tau))


def preconditioner(T: NDArray[np.float64], profile: NDArray[np.float64]) -> Preconditioner:
    """v -> v + profile ((I - T)^# - 1) sum_n v for v of vanishing sum; T (K, K) is the chain on S."""
    p = np.asarray(perron_vector(T))
    stay = -T.copy()  # I - T from what leaves: 1 - T[k, k] would be rounding next to the identity
    np.fill_diagonal(stay, 0.0)
    np.fill_diagonal(stay, -stay.sum(axis=0))
    unit = float(np.diag(stay).max())
    if not unit > 0.0:  # S never moves
        return np.copy
    inverse = np.linalg.inv(stay + unit * np.outer(p, np.ones_like(p)))

    def precondition(v: NDArray[np.float64]) -> NDArray[np.float64]:
        result = v.reshape(profile.shape)
        spins = result.sum(axis=0)
        return np.asarray(result + profile * (inverse @ spins - spins)).ravel()

    return precondition


def coarse(p: Mapping[str, Any], chain: Chain) -> tuple[NDArray[np.float64], Preconditioner]:
    """Start and preconditioner for the regime of a point."""
    N, period = p["N"], p["tau_s"] + p["tau_d"]
    individual = (p["gamma"] + 4.0 * p["dephasing"]) * period
    if p["Gamma"] * N * p["tau_d"] > 10.0 and individual > 0.0:
        T, profile = chain.matrix, bottom(N)
    elif p["Gamma"] * p["tau_d"] > 3.0 * individual and individual > 0.0:
        T, profile = level_chain(N, p["gamma"], p["dephasing"], period), level(N)
    else:
        return polarised(N, up=False)[0], np.copy
    return profile * perron_vector(T), preconditioner(T, profile)


def find(p: Mapping[str, Any], chain: Chain, cycle: CycleMap) -> LimitCycle:
    """The limit cycle to the relative tolerance of the point."""
    N = p["N"]
    slowest = -math.expm1(-p["gamma"] * (p["tau_s"] + p["tau_d"]))
    if p["gamma"] == 0.0:  # S = N/2 but for dephasing, and M settles by what is emitted
        slowest = -math.expm1(-p["Gamma"] * p["tau_d"])
    wanted = max(ROUNDING, 0.1 * p["tolerance"] * slowest)
    shape = (N + 1, N // 2 + 1)
    P, precondition = coarse(p, chain)

    def apply(v: NDArray[np.float64]) -> NDArray[np.float64]:
        return v - cycle(v.reshape(shape), False)[0].ravel()

    missed = math.inf
    for _ in range(CORRECTIONS):
        P, _ = cycle(P)
        following, _ = cycle(P)
        residual = (following - P).ravel()
        missed = float(np.abs(residual).sum()) / wanted
        if missed <= 1.0:
            P = following
            break
        size = float(np.linalg.norm(residual))
        target = max(0.3 * wanted / math.sqrt(residual.size), 1e-8 * size)
        correction, _, _ = gmres(apply, precondition, residual, target, LARGEST_SPACE)
        P = positive_part(P + correction.reshape(shape))
    discharged = read([P])
    stored = read(cycle.stored(P))
    _, released = cycle(P)
    # below rounding nothing more can be had, but it is not what was asked for
    return LimitCycle(P, discharged, stored, released, missed * wanted / max(0.1 * p["tolerance"] * slowest, 1e-300))


def positive_part(P: NDArray[np.float64]) -> NDArray[np.float64]:
    """The nearest start for further cycles: an iterate, not a result, may have lost positivity."""
    P = np.maximum(P, 0.0)
    return P / P.sum()


def cycles_until(cycle: CycleMap, N: int, found: LimitCycle, share: float, most: int) -> tuple[float, float]:
    """The first cycle, counted from 1, that releases the limit to within `share`, from the ground state: from, to.

    Both are NaN beyond `most`; they differ where rounding hides which cycle it is.
    """
    n, k = np.arange(N + 1)[:, None], np.arange(N // 2 + 1)
    exists = (k <= n) & (n <= N - k)

    def step(v: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
        before = np.zeros(exists.shape)
        before[exists] = v
        after, released = cycle(before, False)
        return after[exists], released

    margin = share * abs(found.released) + NOTHING * N
    away = (polarised(N, up=False)[0] - found.populations)[exists]
    patience = max(PATIENCE, int(WORK / found.populations.size))
    first, last = first_within(step, away, float(N), margin, most - 1, patience)
    return first + 1.0 if first < most else math.nan, last + 1.0 if last < most else math.nan
