"""Many short chains at once."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from solvers.batch import Batch
from solvers.engines.concurrence import concurrences_of_pairs
from solvers.engines.few_spins import Found, solve_few_spins
from solvers.engines.macrospin import paths
from solvers.engines.master_equation.side_by_side import MOST_SPINS, evolve_side_by_side
from solvers.engines.master_equation.states import (
    moment_indices,
    purity,
    smallest_dense_eigenvalues,
    split_moments,
)
from solvers.engines.moments import many
from solvers.engines.pair_states import TOLERANCE, physical, smallest_of_products, smallest_pair_eigenvalue
from solvers.engines.spin_system import product_correlations
from solvers.models.heisenberg import chain
from solvers.numerics.outcome import DONE


def exact_in_bulk(batch: Batch) -> Found:
    """Exact evolutions of up to four spins."""
    return solve_few_spins(_exact, MOST_SPINS, batch)


def mean_field_in_bulk(batch: Batch) -> Found:
    """Mean fields of up to eight spins."""
    return solve_few_spins(partial(_moments, many.MEAN_FIELD), many.MOST_SPINS, batch)


def cumulants_in_bulk(batch: Batch) -> Found:
    """Cumulants of up to eight spins."""
    return solve_few_spins(partial(_moments, many.CUMULANTS), many.MOST_SPINS, batch)


def uniform_in_bulk(printed: bool, batch: Batch) -> Found:
    """A bulk site, corrected or as printed."""
    when, rows = batch["times"], chain.site_row(batch)
    done = chain.is_uniform(batch) & chain.completely_positive(batch)
    if printed:
        done &= chain.is_printed(batch)
        rows = chain.as_printed(batch, rows)
    rows[~done] = 0.0  # at rest
    M = np.empty((batch.size, len(when), 3))
    codes, reached = np.empty(batch.size, dtype=np.int64), np.empty(batch.size)
    starts = np.ascontiguousarray(chain.start(batch)[:, 0])
    paths(rows, starts, when, M, batch["rtol"], batch["atol"], batch["max_steps"], codes, reached)
    done &= (codes == DONE) & (np.linalg.norm(M, axis=-1).max(axis=-1) <= 1 + TOLERANCE)
    spins = np.repeat(M[:, :, None], batch["N"], axis=2)
    return {"M": M, "spins": spins, "first_bad_time": np.full(batch.size, np.nan)}, done


def _moments(order: int, batch: Batch) -> Found:
    tuning = batch["rtol"], batch["atol"], batch["max_steps"]
    systems = chain.build_systems(batch)
    moments, done = many.propagate_many(order, *systems, chain.start(batch), batch["times"], *tuning)
    done &= chain.completely_positive(batch)
    moments[~done] = 0.0
    spins, raw = split_moments(moments, batch["N"])
    if order == many.CUMULANTS:
        n = batch["N"]
        smallest = smallest_pair_eigenvalue(spins.reshape(-1, n, 3), raw.reshape(-1, n, n, 3, 3))
        done &= physical(spins, smallest.reshape(spins.shape[:2]))
    else:
        done &= physical(spins, smallest_of_products(spins))
    outputs = {"M": spins.mean(axis=-2), "spins": spins, "first_bad_time": np.full(batch.size, np.nan)}
    if order == many.CUMULANTS:
        outputs["correlations"] = raw - product_correlations(spins)
    return outputs, done


def _exact(batch: Batch) -> Found:
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
        "first_bad_time": np.full(batch.size, np.nan),
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
