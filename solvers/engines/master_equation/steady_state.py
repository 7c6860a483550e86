"""The steady state of up to eight spins and the spectral gap, with a residual and an error that say how good they are.

The spins fall into clusters without any coupling, and the generator of a cluster into invariant blocks of matrix units
(conserved magnetisation, parities, strong symmetries). Every block is solved for itself: small ones by elimination that
bears wildly different rates (`rest_of_block`), large ones by iterations whose approximate inverse is the Pauli master
equation in the eigenbasis of H (`rest_by_iteration`). A block with populations conserves its own trace. Where a block, or
the number of such blocks, leaves the steady state open, what is returned is the one reached from the start state, its
average in time if it never rests.

Couplings and rates are divided by the largest of them first: only their ratios decide anything.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from solvers.engines.master_equation.frames import frames_along_fields, in_frames, turn_state
from solvers.engines.master_equation.matrix_units import Block, generator_on_units, invariant_blocks, mirror
from solvers.engines.master_equation.rest_by_iteration import rest_by_iteration
from solvers.engines.master_equation.rest_of_block import GROWS, Rest, rest_of_block
from solvers.engines.master_equation.secular import Secular, hamiltonian
from solvers.engines.master_equation.states import density_matrix, pauli_vector
from solvers.engines.spin_system import SpinSystem, bonded_pairs, clusters

MOST_SPINS = 8
DENSE, DENSE_COHERENCES = 1100, 300
"""Blocks up to these sizes, with and without populations, are solved by dense linear algebra."""
ACCURATE = 1e-5
"""Estimated relative error of the state above which it is called not converged."""
GAP_ACCURATE = 0.03
DEFECT = 1e-7
"""Rounding splits a defective eigenvalue 0 by about this much, in units of the largest coefficient."""


@dataclass(frozen=True)
class SteadyState:
    """What L rho = 0 and the spectrum of L say.

    r (4^N,); `residual` is the Frobenius norm of L rho; `gap` minus the largest real part of all other eigenvalues (0 where
    it is closed to rounding, NaN where it was not found) and `gap_error` its uncertainty; `unique`: no other state is
    stationary; `error` estimates the relative error of r; `growth`: the real part of an eigenvalue with which rho diverges,
    0 for secular growth, else None.
    """

    r: NDArray[np.float64]
    residual: float
    gap: float
    unique: bool
    error: float
    gap_error: float = 0.0
    growth: float | None = None

    @property
    def converged(self) -> bool:
        """Whether state and gap are known to the usual accuracy."""
        return self.error <= ACCURATE and not self.gap_error > GAP_ACCURATE * abs(self.gap)


def steady_state(system: SpinSystem, r0: NDArray[np.float64], *, budget: float = 1e6) -> SteadyState:
    """The steady state reached from `r0` (4^N,) and the spectral gap, for up to eight spins.

    `budget` bounds the applications of L that iterations may take. An indefinite Gamma may have eigenvalues with a positive
    real part: `growth` says so, r is then the start.
    """
    n = system.N
    if n > MOST_SPINS:
        raise ValueError(f"steady states are for N <= {MOST_SPINS} spins; given was N = {n}")
    scale = max(float(np.abs(part).max(initial=0.0)) for part in (system.field, system.coupling, system.Gamma))
    if scale == 0.0:
        return SteadyState(r0.copy(), 0.0, 0.0, False, 0.0)
    scaled = SpinSystem(system.field / scale, system.coupling / scale, system.Gamma / scale)
    if not system.Gamma.any():
        return _closed(scaled, r0)
    frames = frames_along_fields(scaled)
    if frames is not None:
        scaled, r0 = in_frames(scaled, frames), turn_state(r0, frames)
    linked = np.eye(n, dtype=bool)
    for i, j in bonded_pairs(scaled):
        linked[i, j] = linked[j, i] = True
    groups = clusters(linked)
    found = _of_clusters(scaled, groups, r0, budget) if len(groups) > 1 else None
    if found is None:
        found = _of_blocks(scaled, r0, budget)
    growth = None if found.growth is None else found.growth * scale
    if frames is not None:
        found = replace(found, r=turn_state(found.r, frames.transpose(0, 2, 1)))
    return replace(
        found, residual=found.residual * scale, gap=found.gap * scale, gap_error=found.gap_error * scale, growth=growth
    )


def _closed(system: SpinSystem, r0: NDArray[np.float64]) -> SteadyState:
    """The average in time without dissipation: what is left of the start within the levels of H."""
    H = hamiltonian(system)
    energies, vectors = np.linalg.eigh(H)
    rho = vectors.conj().T @ density_matrix(r0) @ vectors
    rho[np.abs(energies[:, None] - energies) > 1e-12 * len(H) * np.abs(energies).max()] = 0.0
    rho = vectors @ rho @ vectors.conj().T
    residual = float(np.linalg.norm(H @ rho - rho @ H))
    return SteadyState(pauli_vector((rho + rho.conj().T) / 2), residual, 0.0, False, 0.0)


def _part(system: SpinSystem, sites: list[int]) -> SpinSystem:
    index = np.array([3 * i + a for i in sites for a in range(3)])
    grid = np.ix_(sites, sites)
    return SpinSystem(system.field[sites], system.coupling[grid], system.Gamma[np.ix_(index, index)])


def _of_clusters(
    system: SpinSystem, groups: list[list[int]], r0: NDArray[np.float64], budget: float
) -> SteadyState | None:
    """The product of the clusters' steady states; None where one is not unique, so that the start may entangle them."""
    n = system.N
    parts = []
    for sites in groups:
        start = r0.reshape((4,) * n)[tuple(slice(None) if k in sites else 0 for k in range(n))].ravel()
        found = _of_blocks(_part(system, sites), start, budget)
        if found.growth is not None:
            return replace(found, r=r0.copy())
        if not found.unique:
            return None
        parts.append(found)
    r = np.ones(1)
    for found in parts:
        r = np.multiply.outer(r, found.r).ravel()
    order = np.argsort([k for sites in groups for k in sites])
    r = r.reshape((4,) * n).transpose(order).ravel()
    rho = density_matrix(r).ravel()
    residual = float(np.linalg.norm(generator_on_units(system) @ rho))
    slowest = min(parts, key=lambda found: found.gap if found.gap == found.gap else -1.0)
    return SteadyState(r, residual, slowest.gap, True, max(found.error for found in parts), slowest.gap_error)


def _of_blocks(system: SpinSystem, r0: NDArray[np.float64], budget: float) -> SteadyState:
    size = 2**system.N
    L = generator_on_units(system)
    start = density_matrix(r0).ravel()
    rho = np.zeros_like(start)
    secular: Secular | None = None
    parts: list[Rest] = []
    above = -np.inf
    blocks = sorted(invariant_blocks(L), key=lambda block: -block.populations)
    several = len(blocks) > 1 and blocks[1].populations > 0
    for block in blocks:
        if several and system.positive and not start[block.units].any():
            continue  # the gap is closed, and nothing is here
        n = len(block.units)
        part = L[block.units][:, block.units] if n < size * size else csr_matrix(L[block.units][:, block.units])
        found = None
        if n > (DENSE if block.populations else DENSE_COHERENCES):
            secular = secular or Secular(system)
            found = rest_by_iteration(part, block, secular, start, size, budget, above)
        if found is None or (np.isnan(found.largest) and n <= DENSE):
            found = rest_of_block(part.toarray(), block, start, size)
        parts.append(found)
        above = np.fmax(above, found.largest)
        weight = start[block.units[: block.populations]].sum() if found.fixed else 1.0
        _write(rho, block, found.rho * weight, size)
    growth = _growth(parts, system.positive)
    if growth is not None:
        return SteadyState(r0.copy(), float("nan"), float("nan"), False, float("inf"), growth=growth)
    unique = not several and sum(p.zeros for p in parts) == 1
    largest = 0.0 if not unique else float(np.max([p.largest for p in parts]))  # NaN where one was not found
    # a part that is not the slowest as computed may be so within its rounding
    gap_error = float(np.fmax.reduce([p.largest + p.rounding for p in parts])) - largest if unique else 0.0
    if largest > -gap_error:
        largest = gap_error = 0.0
    residual = float(np.linalg.norm(L @ rho))
    error = max(p.error for p in parts)
    return SteadyState(pauli_vector(rho.reshape(size, size)), residual, 0.0 - largest, unique, error, gap_error)


def _write(rho: NDArray[np.complex128], block: Block, values: NDArray[np.complex128], size: int) -> None:
    if not block.mirrored:
        rho[mirror(block.units, size)] = values.conj()
    rho[block.units] = values


def _growth(parts: list[Rest], positive: bool) -> float | None:
    """The largest real part with which rho diverges, if it does; a positive Gamma forbids it, whatever rounding says."""
    if positive:
        return None
    growing = max((p.largest for p in parts if p.largest > p.rounding), default=0.0)
    if growing > DEFECT:
        return growing
    return 0.0 if growing or any(p.state == GROWS for p in parts) else None
