"""The limit cycle of the second-order cumulants: a fixed point of the cycle map by a guarded quasi-Newton iteration.

Without coherence a state after discharge is (z, C, Z). In the coordinates (M, (N-1)C, <S^2>/(2S+1)) all entries are of
the size of S or 1. There are two starts. Where the flash is over within tau_d: the balance of gain and loss of S
(physics document, section 6) with M = -S, emission ended. Where it hardly begins: the maximally mixed state, to which
weak emission and inverting pulses drive (all M of a multiplet equal, then <S^2> = 3N/4 balances the loss). Newton steps
with differences and rank-one updates follow, cut where they would leave physics; plain Newton from far away does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.models.battery.cumulants import Moments
from solvers.models.battery.points import rates

ITERATIONS, SETTLE, PLAIN_CYCLES = 40, 2, 5
DIFFERENCE = 1e-4
"""Relative step of the differences: the map is smooth to the integrator's tolerance only."""

Point = NDArray[np.float64]


def estimate_S(N: int, gamma: float, tau_s: float, tau_d: float) -> float:
    """S of the limit cycle for a complete flash and large N: s^2 - s (1-2b+ab)/(1-ab) - 2/N = 0, s = 2S/N.

    a = exp(-gamma tau_s), b = exp(-gamma tau_d); for short times the corrected Eq. (8) to leading order in 1/N.
    """
    lost, gained = -math.expm1(-gamma * tau_s), -math.expm1(-gamma * tau_d)
    if lost + gained == 0.0:
        return 0.5 * N
    a, b = 1.0 - lost, 1.0 - gained
    linear = (1.0 - 2.0 * b + a * b) / (lost + gained - lost * gained)
    return min(0.5 * N, 0.25 * N * (linear + math.sqrt(linear * linear + 8.0 / N)))


@dataclass
class Cycle:
    """What one cycle from a point reads and yields."""

    after: Point
    M_pulse: float
    M_stored: float
    S_stored: float
    released: float


class CumulantMap:
    """The cycle in the coordinates of the search."""

    def __init__(self, p: Mapping[str, Any]) -> None:
        self.N = p["N"]
        self.guess = estimate_S(self.N, p["gamma"], p["tau_s"], p["tau_d"])
        self._unit = 2.0 * self.guess + 1.0
        self._storage, self._discharge = rates({**p, "pump": 0.0}, 0.0), rates({**p, "pump": 0.0}, p["Gamma"])
        self._tau_s, self._tau_d = p["tau_s"], p["tau_d"]
        self._moments = Moments(self.N, False, p["rtol"], p["atol"], p["max_steps"])

    def point(self, M: float, pairs: float, square: float) -> Point:
        return np.array([M, pairs, square / self._unit])

    def S(self, x: Point) -> float:
        return math.sqrt(max(x[2] * self._unit, -0.25) + 0.25) - 0.5

    def ground(self) -> Point:
        return self.point(-0.5 * self.N, 0.0, 0.5 * self.N * (0.5 * self.N + 1.0))

    def start(self) -> Point:
        """At M = -S, emission ended."""
        S = self.guess
        return self.point(-S, -0.5 * (1.0 - 2.0 * S / self.N) if self.N > 1 else 0.0, S * (S + 1.0))

    def mixed(self) -> Point:
        """The maximally mixed state."""
        return self.point(0.0, 0.0, 0.75 * self.N)

    def physical(self, x: Point) -> bool:
        """Whether 0 <= <S^2> <= N/2(N/2+1), and <S_+S_->, <S_-S_+> >= 0, up to a little."""
        N, square = self.N, x[2] * self._unit
        largest = 0.5 * N * (0.5 * N + 1.0)
        slack = 1e-6 * N
        inside = abs(x[0]) <= 0.5 * N + slack and -slack <= square <= largest + slack
        return bool(inside and N * x[1] + 0.5 * N - abs(x[0]) >= -slack)

    def __call__(self, x: Point) -> Cycle:
        N, moments = self.N, self._moments
        y = moments.y = np.zeros(9)
        y[0] = 2.0 * x[0] / N
        if N > 1:
            y[3] = x[1] / (N - 1.0)
            y[4] = (x[2] * self._unit - 0.75 * N) * 4.0 / (N * (N - 1.0)) - 4.0 * y[3]
        moments.pulse(math.pi)
        M_pulse = moments.M
        moments.evolve(self._storage, self._tau_s)
        M_stored, S_stored = moments.M, moments.S
        released, _ = moments.evolve(self._discharge, self._tau_d)
        y = moments.y
        square = 0.75 * N + 0.25 * N * (N - 1.0) * (4.0 * y[3] + y[4])
        return Cycle(self.point(0.5 * N * y[0], (N - 1.0) * y[3], square), M_pulse, M_stored, S_stored, released)

    def jacobian(self, x: Point, at: Point) -> NDArray[np.float64]:
        """Differences of the map around x, whose image is `at`; steps lead towards the inside of physics."""
        J = np.zeros((3, 3))
        if self.N == 1:
            steps = [DIFFERENCE * (1.0 if x[0] < 0.0 else -1.0), 0.0, 0.0]
        else:
            size = DIFFERENCE * max(1.0, self.guess)
            steps = [size if x[0] < 0.0 else -size, DIFFERENCE, size if x[2] < 0.4 * self.N else -size]
        for i, step in enumerate(steps):
            if step != 0.0:
                moved = x.copy()
                moved[i] += step
                J[:, i] = (self(moved).after - at) / step
        return J


@dataclass(frozen=True)
class Fixed:
    """The limit cycle, and the last correction in units of the tolerance (relative to max(S, 1))."""

    cycle: Cycle
    S: float
    missed: float


def find(p: Mapping[str, Any]) -> Fixed:
    """The limit cycle to the relative tolerance of the point; raises PointFailed."""
    cycle_map = CumulantMap(p)
    period = p["gamma"] * (p["tau_s"] + p["tau_d"])
    flash = p["Gamma"] * p["N"] * p["tau_d"]
    starts = [cycle_map.start(), cycle_map.mixed(), cycle_map.ground()]
    if period == 0.0:  # nothing but dephasing moves S: the limit may depend on the start
        starts = starts[2:]
    elif flash < 2.0 and period < 1.0:
        starts = [starts[1], starts[0], starts[2]]
    best: Fixed | None = None
    for start in starts:
        found = search(cycle_map, start, p["tolerance"])
        if best is None or found.missed < best.missed:
            best = found
        if best.missed <= 1.0:
            break
    assert best is not None
    return best


def search(cycle_map: CumulantMap, x: Point, tolerance: float) -> Fixed:
    """The guarded quasi-Newton iteration from x."""
    for _ in range(SETTLE):
        x = cycle_map(x).after
    slope = np.zeros((3, 3))
    fresh = False
    size_before = missed = math.inf
    old_x = old_residual = np.zeros(3)
    for iteration in range(ITERATIONS):
        current = cycle_map(x)
        residual = current.after - x
        size = float(np.max(np.abs(residual)))
        if iteration == 0 or (size > 0.3 * size_before and not fresh):
            slope = np.eye(3) - cycle_map.jacobian(x, current.after)
            fresh = True
        else:
            moved = x - old_x
            if moved @ moved > 0.0:  # Broyden's update of -d residual/dx
                slope = slope + np.outer(old_residual - residual - slope @ moved, moved) / (moved @ moved)
            fresh = False
        correction = np.linalg.lstsq(slope, residual, rcond=1e-14)[0]
        missed = float(np.max(np.abs(correction))) / (tolerance * max(1.0, cycle_map.S(x)))
        if not missed > 1.0:
            break
        old_x, old_residual, size_before = x, residual, size
        for _ in range(6):
            if cycle_map.physical(x + correction):
                x = x + correction
                break
            correction = 0.5 * correction
        else:
            x, fresh, size_before = current.after, False, 0.0
            for _ in range(PLAIN_CYCLES):
                x = cycle_map(x).after
    if not (missed <= 1.0 and cycle_map.physical(x)):
        missed = max(missed, 2.0)
    return Fixed(current, cycle_map.S(x), missed)


def cycles_until(p: Mapping[str, Any], limit: float, share: float, most: int) -> float:
    """The first cycle, counted from 1, that releases `limit` to within `share`, from the ground state; NaN beyond `most`."""
    cycle_map = CumulantMap(p)
    x = cycle_map.ground()
    for count in range(1, most + 1):
        cycle = cycle_map(x)
        x = cycle.after
        if abs(cycle.released - limit) <= share * abs(limit) + 1e-9 * p["N"]:
            return float(count)
    return math.nan
