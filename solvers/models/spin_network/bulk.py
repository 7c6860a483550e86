"""Exact evolutions of many small networks at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.batch import Batch
from solvers.engines.master_equation.side_by_side import MOST_SPINS, evolve_side_by_side
from solvers.engines.master_equation.states import moment_indices, purity, split_moments
from solvers.engines.pair_states import smallest_pair_eigenvalue
from solvers.models.spin_network.network import build_systems

_NUMBERS = 2**22
"""Numbers of states that are held at once."""


def exact_in_bulk(batch: Batch) -> tuple[Mapping[str, NDArray[Any]], NDArray[np.bool_]]:
    """Outputs (P, ...), and which points were solved (P,): those of up to four spins from a product state."""
    n, when = batch["N"], batch["times"]
    outputs, done = batch.empty(), np.zeros(batch.size, dtype=bool)
    if n > MOST_SPINS or batch["rho0"] is not None or batch["correlations0"] is not None:
        return outputs, done
    rows = max(1, _NUMBERS // (4**n * len(when)))
    for first in range(0, batch.size, rows):
        part = slice(first, min(first + rows, batch.size))
        points = batch if batch.size <= rows else batch.select(np.arange(part.start, part.stop))
        found, done[part] = _part(points)
        for name, array in outputs.items():
            array[part] = found[name]
    return outputs, done


def _part(batch: Batch) -> tuple[dict[str, Any], NDArray[np.bool_]]:
    n, when, watched = batch["N"], batch["times"], moment_indices(batch["N"])
    field, coupling, Gamma, _ = build_systems(batch)
    starts = batch["spins0"]
    if starts is None:
        starts = np.broadcast_to([0.0, 0.0, 1.0], (batch.size, n, 3))
    indices = np.arange(4**n) if batch.wants("purity") else watched
    found, done = evolve_side_by_side(field, coupling, Gamma, starts, when, batch["rtol"], batch["max_steps"], indices)
    found[~done] = 0.0
    spins, correlations = split_moments(found[..., watched] if batch.wants("purity") else found, n)
    outputs: dict[str, Any] = {"spins": spins, "correlations": correlations, "first_bad_time": np.nan}
    if batch.wants("purity"):
        outputs["purity"] = purity(found)
    if batch.wants("min_pair_eigenvalue"):
        smallest = smallest_pair_eigenvalue(spins.reshape(-1, n, 3), correlations.reshape(-1, n, n, 3, 3))
        outputs["min_pair_eigenvalue"] = smallest.reshape(batch.size, len(when))
    return outputs, done
