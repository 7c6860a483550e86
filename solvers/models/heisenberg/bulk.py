"""Exact evolutions of many short chains at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.batch import Batch
from solvers.engines.concurrence import concurrences_of_pairs
from solvers.engines.master_equation.side_by_side import MOST_SPINS, evolve_side_by_side
from solvers.engines.master_equation.states import (
    moment_indices,
    purity,
    smallest_dense_eigenvalues,
    split_moments,
)
from solvers.engines.spin_system import product_correlations
from solvers.models.heisenberg import chain

_NUMBERS = 2**22
"""Numbers of states that are held at once."""


def exact_in_bulk(batch: Batch) -> tuple[Mapping[str, NDArray[Any]], NDArray[np.bool_]]:
    """Outputs (P, ...), and which points were solved (P,): those of up to four spins whose rates are completely positive."""
    n, when = batch["N"], batch["times"]
    outputs, done = batch.empty(), np.zeros(batch.size, dtype=bool)
    if n > MOST_SPINS:
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
    n, when = batch["N"], batch["times"]
    least, largest = chain.kossakowski_range(batch)
    states = batch.wants("purity", "min_eigenvalue")
    watched = moment_indices(n)
    found, done = evolve_side_by_side(
        *chain.build_systems(batch),
        chain.start(batch),
        when,
        batch["rtol"],
        batch["max_steps"],
        np.arange(4**n) if states else watched,
    )
    done &= chain.is_positive(least, largest)
    spins, raw = split_moments(found[..., watched] if states else found, n)
    outputs: dict[str, Any] = {
        "M": spins.mean(axis=-2),
        "spins": spins,
        "correlations": raw - product_correlations(spins),
        "min_kossakowski": least,
        "first_bad_time": np.nan,
    }
    if batch.wants("purity"):
        outputs["purity"] = purity(found)
    if batch.wants("min_eigenvalue"):
        found[~done] = 0.0
        outputs["min_eigenvalue"] = smallest_dense_eigenvalues(found)
    if batch.wants("concurrence", "max_concurrence"):
        spins[~done], raw[~done] = 0.0, 0.0
        outputs["concurrence"] = concurrences_of_pairs(spins, raw)
        outputs["max_concurrence"] = outputs["concurrence"].max(axis=(1, 2, 3))
    return outputs, done
