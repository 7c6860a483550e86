"""Exact evolutions of many lattices of up to four spins at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.batch import Batch
from solvers.engines.macrospin import polar
from solvers.engines.master_equation.side_by_side import MOST_SPINS, evolve_side_by_side
from solvers.engines.master_equation.states import moment_indices
from solvers.models.spin_lattice.lattice import build_systems, of_moments


def exact_in_bulk(batch: Batch) -> tuple[Mapping[str, NDArray[Any]], NDArray[np.bool_]]:
    """Outputs (P, ...), and which points were solved (P,)."""
    if not batch.varies("N") and not batch.varies("lattice"):
        return _alike(batch, int(batch["N"][0]), str(batch["lattice"][0]))
    outputs, done = batch.empty(), np.zeros(batch.size, dtype=bool)
    sizes, lattices = batch["N"], batch["lattice"]
    for n in range(1, MOST_SPINS + 1):
        for lattice in np.unique(lattices[sizes == n]).tolist():
            which = np.flatnonzero((sizes == n) & (lattices == lattice))
            found, done[which] = _alike(batch.select(which), n, lattice)
            for name, array in outputs.items():
                array[which] = found[name]
    return outputs, done


def _alike(batch: Batch, n: int, lattice: str) -> tuple[dict[str, Any], NDArray[np.bool_]]:
    """The same for points of one size and lattice."""
    if n > MOST_SPINS:
        return {}, np.zeros(batch.size, dtype=bool)
    moments, done = evolve_side_by_side(
        *build_systems(batch, n, lattice),
        np.repeat(polar(batch["theta"], batch["phi"])[:, None], n, axis=1),
        batch["times"],
        batch["rtol"],
        batch["max_steps"],
        moment_indices(n),
    )
    return of_moments(n, moments) | {"first_bad_time": np.full(batch.size, np.nan)}, done
