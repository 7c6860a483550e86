"""The exact evolution of any spin system by the method its structure allows: what every model's `exact` calls.

Groups of sites that nothing joins evolve by themselves. Closed systems evolve as wave functions (pure starts, N <= 16) or as density matrices in the eigenbasis of H; open ones
in the Pauli basis (`propagation`). Everything is computed in units of the largest element of fields, couplings and rates,
so that a system scaled by 1e-200 or 1e+200 is solved alike.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solvers.engines.master_equation.closed import (
    MOST_MIXED_SPINS,
    evolve_density_matrix,
    evolve_wave,
    is_pure,
    product_wave,
    pure_wave,
)
from solvers.engines.master_equation.failures import Diverged, LostInRounding
from solvers.engines.master_equation.generator import build_generator, energy_range
from solvers.engines.master_equation.propagation import evolve
from solvers.engines.master_equation.states import product_state, smallest_dense_eigenvalue
from solvers.engines.spin_system import SpinSystem, bonded_pairs, clusters
from solvers.outcome import WARNED, Kind, Remark

_EPS = float(np.finfo(float).eps)
LEAST_TOLERANCE = 1e-11
"""No evolution is called inaccurate for an error below this."""


@dataclass(frozen=True)
class ExactEvolution:
    """Moments (T, K), and if wanted purity (T,) and smallest eigenvalue of rho (T,); the estimated error of a moment.

    K = 3N + 9P: <s_i^a>, then <s_i^a s_j^b> of the pairs. `error` is relative to the largest moment if that exceeds 1.
    """

    observed: NDArray[np.float64]
    purity: NDArray[np.float64] | None
    smallest: NDArray[np.float64] | None
    error: float

    def inaccuracy(self, rtol: float) -> Remark | None:
        """Why the point is inaccurate, if the estimated error is above the tolerance."""
        if self.error <= max(rtol, LEAST_TOLERANCE):
            return None
        if self.error >= 1.0:
            text = "the phases of the fastest motion are beyond double precision: they count more than 1e16 radians"
        else:
            text = "this is how far rounding is amplified over the given times"
        return Remark(
            kind=Kind.INACCURATE,
            message=f"the estimated error of the moments, {self.error:.2g}, is above rtol = {rtol:.2g}: {text}; what is "
            "conserved (lengths, purity of a closed system) is right all the same; shorten times, or leave out what is "
            "faster than the times of interest",
        )


def judged(evolution: ExactEvolution, rtol: float, status: int, remark: Remark | None) -> tuple[int, Remark | None]:
    """The status and remark of a point, with 1 and the reason added where the evolution is inaccurate."""
    found = evolution.inaccuracy(rtol)
    if found is None:
        return status, remark
    if remark is None:
        return max(status, WARNED), found
    return max(status, WARNED), Remark(kind=remark.kind, message=f"{remark.message}; {found.message}")


def all_pairs(n: int) -> NDArray[np.int64]:
    """All pairs i < j of n sites, (P, 2), in the order of `moment_indices`."""
    return np.argwhere(np.triu(np.ones((n, n), dtype=bool), 1)).astype(np.int64)


def evolve_exactly(
    system: SpinSystem,
    start: NDArray[np.float64],
    times: NDArray[np.float64],
    *,
    rtol: float,
    max_steps: int,
    pairs: NDArray[np.int64] | None = None,
    purity: bool = False,
    smallest: bool = False,
) -> ExactEvolution:
    """Moments of the master equation at `times` (T,), never decreasing, from t = 0.

    Parameters
    ----------
    start : Bloch vectors (N, 3) of a product state, or r (4^N,) in the Pauli basis.
    rtol : tolerance of the moments.
    max_steps : budget; 100 applications of the generator count as a step.
    pairs : (P, 2) with i < j whose correlations are wanted; None: all.
    purity, smallest : whether Tr rho^2 and the smallest eigenvalue of rho are wanted.

    Raises StepBudgetSpent or TooLong before the work begins, Diverged when rho overflows,
    LostInRounding when nothing of the state is known.
    """
    n = system.N
    pairs = all_pairs(n) if pairs is None else pairs
    scale, unit = _largest_element(system), 1.0
    if scale > 0.0:
        unit = 2.0 ** -min(max(math.frexp(scale)[1], -1000), 1000)  # 1/unit is finite as well
        system = SpinSystem(system.field * unit, system.coupling * unit, system.Gamma * unit)
        with np.errstate(over="ignore"):
            times = times / unit
        if not np.isfinite(times).all():
            raise LostInRounding(float(times[-1]) * unit)
    wanted = _Wanted(rtol, 100.0 * max_steps, purity, smallest)
    groups = _independent(system) if start.ndim == 2 and not (smallest and not system.positive) else [list(range(n))]
    try:
        if len(groups) == 1:
            return _evolve(system, start, times, pairs, wanted)
        return _evolve_groups(system, start, times, pairs, wanted, groups)
    except (Diverged, LostInRounding) as failure:
        raise failure.in_units(unit) from failure


@dataclass(frozen=True)
class _Wanted:
    rtol: float
    budget: float
    purity: bool
    smallest: bool


def _evolve(system: SpinSystem, start, times, pairs, wanted: _Wanted) -> ExactEvolution:
    """Evolution of a system in sensible units."""
    n = system.N
    closed = not system.Gamma.any()
    psi0 = _pure_start(start) if closed else None
    if psi0 is not None:
        found = evolve_wave(system, psi0, times, pairs, rtol=wanted.rtol, max_applications=wanted.budget)
        lowest = np.zeros(len(times)) if wanted.smallest else None
        return ExactEvolution(found.observed, found.purity, lowest, found.error)
    r0 = product_state(start) if start.ndim == 2 else start
    indices = watched_indices(n, pairs)
    if closed and n <= MOST_MIXED_SPINS and _prefers_eigenvectors(system, times, wanted.rtol):
        found = evolve_density_matrix(system, r0, times, indices)
        lowest = np.full(len(times), smallest_dense_eigenvalue(r0)) if wanted.smallest else None
        return ExactEvolution(found.observed, found.purity, lowest, found.error)
    evolution = evolve(
        build_generator(system),
        r0,
        times,
        indices,
        rtol=wanted.rtol,
        keep_purity=wanted.purity,
        keep_smallest=wanted.smallest,
        keep_final=False,
        max_applications=wanted.budget,
    )
    return ExactEvolution(evolution.observed, evolution.purity, evolution.smallest, evolution.error)


def _independent(system: SpinSystem) -> Sequence[list[int]]:
    """Groups of sites that neither a coupling nor a common channel joins."""
    linked = np.zeros((system.N, system.N), dtype=bool)
    for i, j in bonded_pairs(system):
        linked[i, j] = linked[j, i] = True
    return clusters(linked)


def _evolve_groups(system: SpinSystem, spins, times, pairs, wanted: _Wanted, groups) -> ExactEvolution:
    """A product state stays a product over groups of sites that nothing joins: each group by itself."""
    n = system.N
    moments = np.empty((len(times), n, 3))
    joint = np.empty((len(times), len(pairs), 3, 3))
    group_of = np.empty(n, dtype=np.int64)
    purity = np.ones(len(times)) if wanted.purity else None
    smallest = np.ones(len(times)) if wanted.smallest else None
    error = 0.0
    for k, sites in enumerate(groups):
        group_of[sites] = k
        index = np.array([3 * i + a for i in sites for a in range(3)])
        part = SpinSystem(
            system.field[sites], system.coupling[np.ix_(sites, sites)], system.Gamma[np.ix_(index, index)]
        )
        inside = np.flatnonzero(np.isin(pairs[:, 0], sites) & np.isin(pairs[:, 1], sites))
        found = _evolve(part, spins[sites], times, np.searchsorted(sites, pairs[inside]), wanted)
        moments[:, sites] = found.observed[:, : 3 * len(sites)].reshape(len(times), len(sites), 3)
        joint[:, inside] = found.observed[:, 3 * len(sites) :].reshape(len(times), len(inside), 3, 3)
        error = max(error, found.error)
        if purity is not None and found.purity is not None:
            purity *= found.purity
        if smallest is not None and found.smallest is not None:
            smallest *= found.smallest
    across = np.flatnonzero(group_of[pairs[:, 0]] != group_of[pairs[:, 1]])
    joint[:, across] = moments[:, pairs[across, 0], :, None] * moments[:, pairs[across, 1], None, :]
    observed = np.concatenate([moments.reshape(len(times), -1), joint.reshape(len(times), -1)], axis=1)
    return ExactEvolution(observed, purity, smallest, 2 * error)


def watched_indices(n: int, pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """Indices into r (4^N,) of the moments: <s_i^a> (3N), then <s_i^a s_j^b> of the pairs (9 P)."""
    place = 4 ** np.arange(n - 1, -1, -1, dtype=np.int64)
    axis = np.arange(1, 4)
    joint = place[pairs[:, 0]][:, None, None] * axis[:, None] + place[pairs[:, 1]][:, None, None] * axis
    return np.concatenate([(place[:, None] * axis).ravel(), joint.ravel()]).astype(np.int64)


def _largest_element(system: SpinSystem) -> float:
    parts = (system.field, system.coupling, system.Gamma.real, system.Gamma.imag)
    return max(float(np.abs(part).max(initial=0.0)) for part in parts)


def _pure_start(start: NDArray[np.float64]) -> NDArray[np.complex128] | None:
    if start.ndim == 1:
        return pure_wave(start)
    return product_wave(start) if is_pure(start) else None


def _prefers_eigenvectors(system: SpinSystem, times: NDArray[np.float64], rtol: float) -> bool:
    """Whether the eigenvectors of H are cheaper than the Pauli basis, or needed for purity and lengths to stay."""
    low, high = energy_range(system.field, system.coupling)
    turned = (high - low) * float(times[-1])
    if _EPS * turned > 0.02 * max(rtol, LEAST_TOLERANCE):
        return True
    size = 2.0**system.N
    return bool(system.N > 4 and len(times) * 16 * size**3 < turned * 20 * size**2)
