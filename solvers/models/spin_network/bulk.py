"""Many small networks at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.batch import Batch, in_portions
from solvers.engines.few_spins import Found, solve_few_spins
from solvers.engines.master_equation.rests_side_by_side import MOST_SPINS as MOST_AT_REST
from solvers.engines.master_equation.rests_side_by_side import rests_side_by_side
from solvers.engines.master_equation.side_by_side import MOST_SPINS, evolve_side_by_side
from solvers.engines.master_equation.states import moment_indices, product_state, purity, split_moments
from solvers.engines.master_equation.steady_state import steady_state
from solvers.engines.moments import many
from solvers.engines.pair_states import physical, smallest_of_products, smallest_pair_eigenvalue
from solvers.engines.spin_system import SpinSystem
from solvers.models.spin_network.network import build_systems

_MATRIX_ELEMENTS = 2**20
"""Of generators that are held at once."""


def exact_in_bulk(batch: Batch) -> Found:
    """Exact evolutions of up to four spins from a product state."""
    return _small(_exact, MOST_SPINS, batch)


def cumulants_in_bulk(batch: Batch) -> Found:
    """Cumulants of one or two spins, which are exact."""
    return _small(_exact, 2, batch)


def mean_field_in_bulk(batch: Batch) -> Found:
    """Mean fields of up to eight spins from a product state."""
    return _small(_mean_field, many.MOST_SPINS, batch)


def rests_in_bulk(batch: Batch) -> Found:
    """Exact steady states of up to three spins that do not depend on the start."""
    n = batch["N"]
    if n > MOST_AT_REST or batch["rho0"] is not None or batch["correlations0"] is not None:
        return {}, np.zeros(batch.size, dtype=bool)
    return in_portions(_rests, _MATRIX_ELEMENTS // 16**n, batch)


def _small(solve: Callable[[Batch], Found], most: int, batch: Batch) -> Found:
    if batch["rho0"] is not None or batch["correlations0"] is not None:
        return {}, np.zeros(batch.size, dtype=bool)
    return solve_few_spins(solve, most, batch)


def _starts(batch: Batch) -> NDArray[np.float64]:
    spins = batch["spins0"]
    return np.broadcast_to([0.0, 0.0, 1.0], (batch.size, batch["N"], 3)) if spins is None else np.asarray(spins)


def _exact(batch: Batch) -> Found:
    n, when, watched = batch["N"], batch["times"], moment_indices(batch["N"])
    indices = np.arange(4**n) if batch.wants("purity") else watched
    tuning = batch["rtol"], batch["max_steps"]
    found, done = evolve_side_by_side(*build_systems(batch)[:3], _starts(batch), when, *tuning, indices)
    found[~done] = 0.0
    spins, correlations = split_moments(found[..., watched] if batch.wants("purity") else found, n)
    outputs = _outputs(batch, spins, correlations)
    if batch.wants("purity"):
        outputs["purity"] = purity(found)
    if batch.wants("min_pair_eigenvalue"):
        smallest = smallest_pair_eigenvalue(spins.reshape(-1, n, 3), correlations.reshape(-1, n, n, 3, 3))
        outputs["min_pair_eigenvalue"] = smallest.reshape(batch.size, len(when))
    return outputs, done


def _rests(batch: Batch) -> Found:
    n = batch["N"]
    field, coupling, Gamma, *_ = build_systems(batch)
    found = rests_side_by_side(field, coupling, Gamma, gaps=batch.wants("gap"))
    if batch.wants("gap") and (delicate := np.flatnonzero(found.treated & found.delicate).tolist()):
        starts = _starts(batch)
        for p in delicate:
            found.gap[p] = steady_state(SpinSystem(field[p], coupling[p], Gamma[p]), product_state(starts[p])).gap
    r = np.where(found.treated[:, None], found.r, 0.0)
    spins, correlations = split_moments(r[:, moment_indices(n)], n)
    outputs = {"spins": spins, "correlations": correlations, "gap": found.gap, "residual": found.residual}
    if batch.wants("min_pair_eigenvalue"):
        outputs["min_pair_eigenvalue"] = smallest_pair_eigenvalue(spins, correlations)
    if batch.wants("purity"):
        outputs["purity"] = purity(r)
    return outputs, found.treated


def _mean_field(batch: Batch) -> Found:
    tuning = batch["rtol"], batch["atol"], batch["max_steps"]
    moments, done = many.propagate_many(
        many.MEAN_FIELD, *build_systems(batch)[:3], _starts(batch), batch["times"], *tuning
    )
    moments[~done] = 0.0
    spins, correlations = split_moments(moments, batch["N"])
    smallest = smallest_of_products(spins)
    outputs = _outputs(batch, spins, correlations) | {"min_pair_eigenvalue": smallest}
    return outputs, done & physical(spins, smallest)


def _outputs(batch: Batch, spins: NDArray[np.float64], correlations: NDArray[np.float64]) -> dict[str, NDArray[Any]]:
    return {"spins": spins, "correlations": correlations, "first_bad_time": np.full(batch.size, np.nan)}
