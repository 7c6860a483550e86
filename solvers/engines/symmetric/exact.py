"""The exact evolution of equal spins: wave functions of S = N/2 where nothing is dissipated, elements |S, M><S, M'| else."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eig_banded
from scipy.sparse import csr_array

from solvers.engines.master_equation.chebyshev import plan_series
from solvers.engines.master_equation.dense_blocks import evolve_blocks, work_of_blocks
from solvers.engines.master_equation.exact import ExactEvolution
from solvers.engines.master_equation.failures import Diverged, LostInRounding
from solvers.engines.master_equation.propagation import DENSE_DIMENSION, refuse_beyond_budget, rows_of, sum_series
from solvers.engines.master_equation.sectors import Sector
from solvers.engines.symmetric.elements import (
    CollectiveSystem,
    Elements,
    build_matrix,
    coherent_state,
    hamiltonian_element,
    moment_rows,
    number_of_elements,
    start_elements,
)

MOST_ELEMENTS = 200_000
MOST_AMPLITUDES = 1001
_EPS = float(np.finfo(float).eps)


def is_in_reach(N: Any, closed: Any, local: Any, about_z: Any) -> NDArray[np.bool_]:
    """Whether the state is small enough; all four may be arrays."""
    small = number_of_elements(N, local, about_z) <= MOST_ELEMENTS
    return np.asarray(np.where(closed, np.asarray(about_z) | (np.asarray(N) < MOST_AMPLITUDES), small))


def evolve_symmetric(
    system: CollectiveSystem,
    spin: NDArray[np.float64],
    times: NDArray[np.float64],
    *,
    rtol: float,
    max_steps: int,
    positive: bool,
) -> ExactEvolution:
    """<S_a> and the symmetrised second moments xx, xy, xz, yy, yz, zz (T, 9) from all spins along `spin` (3,).

    times : (T,), never decreasing, from t = 0. max_steps : budget; 100 applications of the matrix count as a step.
    positive : whether the evolution is completely positive.

    Raises StepBudgetSpent or TooLong before the work begins, Diverged, LostInRounding.
    """
    numbers = np.concatenate([system.J, system.h, [system.minus, system.plus, system.z, system.collective]])
    largest, unit = float(np.abs(numbers).max()), 1.0
    if largest > 0.0:
        unit = 2.0 ** -min(max(math.frexp(largest)[1], -1000), 1000)
        J, h, rates = unit * system.J, unit * system.h, (unit * numbers[6:]).tolist()
        system = CollectiveSystem(system.N, J, h, *rates)
        with np.errstate(over="ignore"):
            times = times / unit
        if not np.isfinite(times).all():
            raise LostInRounding(float(times[-1]) * unit)
    psi = coherent_state(system.N, spin)
    try:
        if not (system.local or system.collective):
            return _closed(system, psi, times)
        return _open(system, psi, times, rtol, 100.0 * max_steps, positive)
    except (Diverged, LostInRounding) as failure:
        raise failure.in_units(unit) from failure


def _closed(system: CollectiveSystem, psi: NDArray[np.complex128], times: NDArray[np.float64]) -> ExactEvolution:
    """By the energies and eigenvectors of H, which has two diagonals on either side."""
    N = system.N
    level = np.arange(N + 1)
    shell = np.zeros_like(level)
    energies: NDArray[Any]
    moving: Any
    if system.about_z:
        energies, weights = hamiltonian_element(system, shell, level, 0).real, psi
        moving = np.count_nonzero(psi) > 1
    else:
        bands = np.stack([hamiltonian_element(system, shell, level, d) for d in (0, 1, 2)])
        energies, vectors = eig_banded(bands, lower=True)
        weights, moving = vectors.conj().T @ psi, True
    raising = np.sqrt((N - level) * (level + 1.0))[:-1]
    M = level - 0.5 * N
    found = np.empty((len(times), 9))
    for row, t in enumerate(times.tolist()):
        now = weights * np.exp(-1j * energies * t)
        if not system.about_z:
            now = vectors @ now
        now /= np.linalg.norm(now)
        weight = np.abs(now) ** 2
        # <S_->, and the same with S_z symmetrised, and <S_-^2>
        step = raising * now[1:] * now[:-1].conj()
        minus, minus_z = step.sum(), (step * (M[1:] - 0.5)).sum()
        square = (raising[1:] * raising[:-1] * now[2:] * now[:-2].conj()).sum()
        zz = float((M * M) @ weight)
        round_ = (0.25 * N * (N + 2) - zz) / 2
        found[row] = (
            minus.real,
            -minus.imag,
            M @ weight,
            round_ + square.real / 2,
            -square.imag / 2,
            minus_z.real,
            round_ - square.real / 2,
            -minus_z.imag,
            zz,
        )
    error = _EPS * float(np.abs(energies - energies.mean()).max()) * float(times[-1]) if moving else 0.0
    return ExactEvolution(found, None, None, error)


class _Moments:
    """Collects the moments of states as the series gives them."""

    everything = True
    indices = np.empty(0, dtype=np.int64)

    def __init__(self, rows: csr_array, count: int) -> None:
        self._rows = rows
        self.observed = np.zeros((count, 0))
        self.moments = np.zeros((count, rows.shape[0]))

    def put_states(self, first: int, states: NDArray[np.float64], sector: Sector | None = None) -> None:
        self.moments[first : first + len(states)] = (self._rows @ states.T).T

    put = put_states


def _open(system: CollectiveSystem, psi, times, rtol: float, budget: float, positive: bool) -> ExactEvolution:
    elements = Elements(system)
    start = start_elements(elements, psi)
    matrix = build_matrix(system, elements)
    diagonal = matrix.diagonal()
    others = matrix.copy()
    others.setdiag(0.0)
    others.eliminate_zeros()
    sector = Sector(
        np.arange(elements.count),
        diagonal,
        others.indptr.astype(np.int64),
        others.indices.astype(np.int64),
        np.ascontiguousarray(others.data),
    )
    record = _Moments(moment_rows(elements), len(times))
    done = int(np.searchsorted(times, 0.0, side="right"))
    record.put(0, np.broadcast_to(start, (done, len(start))))
    if done == len(times):
        return ExactEvolution(record.moments, None, None, 0.0)
    later = times[done:]
    total = float(later[-1])
    error = float(np.clip(0.1 * rtol, 1e-13, 1e-2))
    tolerance = max(1e-15, error)
    bounds = sector.field_of_values
    series = plan_series(bounds[0], bounds[1], total, tolerance)
    price = np.ceil(total / series.length) * series.terms
    blocks = sector.blocks()
    sizes = np.array([len(block) for block in blocks])
    work = 1.5 * len(sector.values) + 2 * sector.size
    if sizes.max() <= DENSE_DIMENSION and len(blocks) <= _MOST_BLOCKS:
        dense = work_of_blocks(sizes, later, max(-bounds[0][0], bounds[0][1], bounds[1]))
        if dense < price * work or price > budget:
            _, found = evolve_blocks(
                sector,
                blocks,
                start,
                later,
                lambda first, rows: record.put(done + first, rows),
                max(rtol, 1e-12),
                positive,
                most=2.0 if positive else np.inf,
            )
            return ExactEvolution(record.moments, None, None, found)
    refuse_beyond_budget(price, work, budget)
    # sums over multiplets are no contraction in the Euclidean norm
    sum_series(rows_of(sector), False, sector, start, later, done, record, bounds, series, error, tolerance)
    rounding = 10 * _EPS * np.ceil(total / series.length)
    return ExactEvolution(record.moments, None, None, float(error + rounding))


_MOST_BLOCKS = 2000
"""Separate blocks up to which one by one is not slower than the series."""
