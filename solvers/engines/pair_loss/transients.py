"""exp(t A) v of a block of symmetric spins: by a Chebyshev series while much still moves, by Krylov spaces of the inverse after.

At first all levels take part and turn with up to 4 eta max C, which no space of a few rational functions holds for long;
a term of a series is one product with A. What turns fast is damped fast as well: then one
factorisation reaches further than a series that costs as much, and the series gives way for good.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_matrix, csr_matrix

from solvers.engines.master_equation.chebyshev import plan_series
from solvers.engines.master_equation.propagation import rows_of, sum_series
from solvers.engines.master_equation.sectors import Sector
from solvers.numerics.shift_invert import Exponential
from solvers.outcome import Kind, PointFailed

TERMS_OF_A_SPACE = 2000.0
"""Terms that cost about as much as a factorisation and its space (measured at N = 100 and 226)."""
PROBED = 4.0
"""How far a space is to reach at first, in units of what a series of the same cost does."""
WORK_OF_A_SPACE = 1e8
"""Multiply-adds of the series that each of `most` spaces stands for: together about half a minute at the default of 200."""
_ROOM = 1e-14

Vector = NDArray[np.float64]


class _States:
    """Collects whole states as the series gives them."""

    everything = True
    indices = np.empty(0, dtype=np.int64)

    def __init__(self, states: Vector) -> None:
        self.states = states
        self.observed = np.zeros((len(states), 0))

    def put_states(self, first: int, states: Vector, sector: Sector | None = None) -> None:
        self.states[first : first + len(states)] = states

    put = put_states


def sector_of(A: csc_matrix) -> Sector:
    """A matrix as the series reads it."""
    others = csr_matrix(A)
    diagonal = others.diagonal()
    others.setdiag(0.0)
    others.eliminate_zeros()
    others.sort_indices()
    starts, columns = others.indptr.astype(np.int64), others.indices.astype(np.int64)
    return Sector(np.arange(len(diagonal)), diagonal, starts, columns, np.ascontiguousarray(others.data))


def propagate(A: csc_matrix, v: Vector, times: Vector, tolerance: float, most: int) -> Vector:
    """exp(t A) v (T, n) at `times` (T,) >= 0, ascending, to `tolerance` |v|; PointFailed where `most` spaces do not suffice.

    So it is where the series would have to go on beyond what that many spaces stand for.
    """
    krylov = Exponential(A, tolerance, most)
    size = float(np.linalg.norm(v))
    if krylov.dense or len(times) == 0 or times[-1] == 0.0 or size == 0.0:
        return krylov(v, times)
    out = np.zeros((len(times), len(v)))
    done = int(np.searchsorted(times, 0.0, side="right"))
    out[:done] = v
    sector = sector_of(A)
    real, imaginary = sector.field_of_values
    now, worth, spent = 0.0, 1.0, 0.0
    while done < len(times):
        error = float(np.clip(tolerance * size / max(float(np.linalg.norm(v)), 1e-300), 1e-13, 1e-2))
        ahead = float(times[-1]) - now
        series = plan_series(real, imaginary, ahead, error)
        price = series.terms * ahead / series.length
        as_dear = min(ahead, ahead * TERMS_OF_A_SPACE / price)
        until = now + min(ahead, worth * as_dear)
        spent += price * (until - now) / ahead * A.nnz
        if spent > WORK_OF_A_SPACE * most:
            raise PointFailed(
                Kind.TOO_MUCH_WORK,
                f"the states that still turn with up to {imaginary:.3g} at t = {now:.3g} take {price:.2g} products to "
                f"t = {times[-1]:.6g}, {price * A.nnz:.2g} multiply-adds, and max_steps = {most} allows "
                f"{WORK_OF_A_SPACE * most:.2g} in all; raise max_steps, shorten times, or take a smaller eta or N",
            )
        inside = int(np.searchsorted(times, until * (1 + _ROOM), side="right"))
        grid = times[done:inside] - now
        if not len(grid) or grid[-1] < until - now:
            grid = np.append(grid, until - now)
        series = plan_series(real, imaginary, float(grid[-1]), error)
        record = _States(np.zeros((len(grid), len(v))))
        bounds = (real, imaginary)
        _, v = sum_series(rows_of(sector), False, sector, v, grid, 0, record, bounds, series, error, error)
        out[done:inside] = record.states[: inside - done]
        done, now = inside, until
        if done == len(times) or float(np.linalg.norm(v)) <= 0.01 * tolerance * size:
            return out
        reached = krylov.probe(v, min(PROBED * as_dear, float(times[-1]) - now), tolerance * size)
        if reached >= min(as_dear, float(times[-1]) - now):
            out[done:] = krylov(v, times[done:] - now, within=tolerance * size, first=reached)
            return out
        worth *= 2.0
    return out
