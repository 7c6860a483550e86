"""Many small lattices at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.batch import Batch
from solvers.engines.macrospin import polar
from solvers.engines.master_equation.side_by_side import MOST_SPINS, evolve_side_by_side
from solvers.engines.master_equation.states import moment_indices
from solvers.engines.moments import many
from solvers.models.spin_lattice.lattice import build_systems, is_symmetric, of_moments

Solve = Callable[[Batch, int, str], tuple[NDArray[np.float64], NDArray[np.bool_]]]
"""Moments (P, T, K) of points of one size and lattice, and which were solved (P,)."""


def exact_in_bulk(batch: Batch) -> tuple[Mapping[str, NDArray[Any]], NDArray[np.bool_]]:
    """Outputs (P, ...) of exact evolutions, and which points were solved (P,): those of up to four spins."""
    return _by_kind(_exact, MOST_SPINS, batch)


def moments_in_bulk(order: int, batch: Batch) -> tuple[Mapping[str, NDArray[Any]], NDArray[np.bool_]]:
    """The same for mean field or cumulants of up to eight spins, not all alike."""
    return _by_kind(partial(_moments, order), many.MOST_SPINS, batch)


def _by_kind(solve: Solve, most: int, batch: Batch) -> tuple[Mapping[str, NDArray[Any]], NDArray[np.bool_]]:
    if not batch.varies("N") and not batch.varies("lattice"):
        return _alike(solve, most, batch, int(batch["N"][0]), str(batch["lattice"][0]))
    outputs, done = batch.empty(), np.zeros(batch.size, dtype=bool)
    sizes, lattices = batch["N"], batch["lattice"]
    for n in range(1, most + 1):
        for lattice in np.unique(lattices[sizes == n]).tolist():
            which = np.flatnonzero((sizes == n) & (lattices == lattice))
            found, done[which] = _alike(solve, most, batch.select(which), n, lattice)
            for name, array in outputs.items():
                array[which] = found[name]
    return outputs, done


def _alike(solve: Solve, most: int, batch: Batch, n: int, lattice: str) -> tuple[dict[str, Any], NDArray[np.bool_]]:
    if n > most:
        return {}, np.zeros(batch.size, dtype=bool)
    moments, done = solve(batch, n, lattice)
    return of_moments(n, moments) | {"first_bad_time": np.full(batch.size, np.nan)}, done


def _starts(batch: Batch, n: int) -> NDArray[np.float64]:
    return np.repeat(polar(batch["theta"], batch["phi"])[:, None], n, axis=1)


def _exact(batch: Batch, n: int, lattice: str) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    systems, indices = build_systems(batch, n, lattice), moment_indices(n)
    tuning = batch["rtol"], batch["max_steps"]
    return evolve_side_by_side(*systems, _starts(batch, n), batch["times"], *tuning, indices)


def _moments(order: int, batch: Batch, n: int, lattice: str) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    systems = build_systems(batch, n, lattice)
    tuning = batch["rtol"], batch["atol"], batch["max_steps"]
    found, done = many.propagate_many(order, *systems, _starts(batch, n), batch["times"], *tuning)
    return found, done & ~is_symmetric(batch)
