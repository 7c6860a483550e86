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
    outputs, done = batch.empty(), np.zeros(batch.size, dtype=bool)
    sizes, lattices = batch["N"], batch["lattice"]
    for n in range(1, MOST_SPINS + 1):
        for lattice in np.unique(lattices[sizes == n]).tolist():
            which = np.flatnonzero((sizes == n) & (lattices == lattice))
            part = batch if len(which) == batch.size else batch.select(which)
            moments, taken = evolve_side_by_side(
                *build_systems(part, n, lattice),
                np.repeat(polar(part["theta"], part["phi"])[:, None], n, axis=1),
                batch["times"],
                part["rtol"],
                part["max_steps"],
                moment_indices(n),
            )
            found = of_moments(n, moments)
            for name, array in outputs.items():
                array[which] = found[name]
            done[which] = taken
    return outputs, done
