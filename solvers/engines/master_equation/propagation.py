"""exp(t L) r at many times, by whichever is cheaper: dense exponentials of the blocks of L, or Chebyshev series.

Only the strings that matter are propagated (`sectors`); blocks of up to 512 of them can be dense, whatever the rates
(`dense_blocks`), all else is a series (`chebyshev`), whose price is known, and refused, before it begins.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solvers.engines.master_equation.chebyshev import (
    Rows,
    Series,
    apply_rows,
    plan_series,
    sum_segment,
    sum_segment_of_rows,
)
from solvers.engines.master_equation.dense_blocks import evolve_blocks, work_of_blocks
from solvers.engines.master_equation.failures import Diverged, StepBudgetSpent, TooLong
from solvers.engines.master_equation.generator import Generator
from solvers.engines.master_equation.sectors import Sector, find_sector, largest_coset
from solvers.engines.master_equation.states import smallest_dense_eigenvalue
from solvers.engines.master_equation.terms import Terms, apply_terms
from solvers.engines.master_equation.tiled_series import apply_tiles, sum_segment_of_tiles
from solvers.engines.master_equation.tiles import FEWEST_SPINS, Tiles, build_tiles
from solvers.outcome import Kind, PointFailed

_STATE_BYTES = 256 * 2**20
DENSE_DIMENSION = 512
_SPARSE = 0.5
"""Up to this fraction of all strings a sparse matrix is faster than the terms of the generator."""
_SPARSE_BESIDE_TILES = 0.1
"""The same beside its tiles."""
_BLOCKS_OF_ALL = 7
_LOOK_FOR_SECTOR = 300.0
"""Applications of L from which the search for the strings that matter is cheap beside them."""
_WORK_OF_A_STEP = 1e5
"""Multiply-adds per application that the budget of applications stands for (1e13, about two hours, at the default)."""
_FARTHEST = 300.0
"""Radians of the fastest motion in a segment: longer ones save few terms, and notice later that nothing moves any more."""
_EPS = float(np.finfo(float).eps)


@dataclass(frozen=True)
class Evolution:
    """Components (T, K) of r at the output times; full states (T, 4^N), their purity and smallest eigenvalue (T,).

    `final` is the last state, of which unwatched components may be left out unless it was wanted. `error` estimates the largest error of a component of r from rounding and
    truncation, relative to the largest component if that exceeds 1.
    """

    observed: NDArray[np.float64]
    states: NDArray[np.float64] | None
    purity: NDArray[np.float64] | None
    smallest: NDArray[np.float64] | None
    final: NDArray[np.float64]
    applications: int
    error: float


class Record:
    """Collects what is wanted of states given as components (t, n) at `strings` (n,), all others zero."""

    def __init__(self, generator: Generator, count: int, indices, states: bool, purity: bool, smallest: bool) -> None:
        self._dimension = generator.dimension
        self.indices = indices
        self.observed = np.zeros((count, len(indices)))
        self.states = np.zeros((count, generator.dimension)) if states else None
        self.purity = np.empty(count) if purity else None
        self.smallest = np.empty(count) if smallest else None

    @property
    def everything(self) -> bool:
        """Whether more than the watched components is wanted."""
        return self.states is not None or self.purity is not None or self.smallest is not None

    def put(self, first: int, found: NDArray[np.float64], sector: Sector | None) -> None:
        """States from time number `first` on; without a sector all components are given."""
        part = slice(first, first + len(found))
        if sector is None:
            self.observed[part] = found[:, self.indices]
        else:
            at = sector.positions(self.indices)
            self.observed[part] = np.where(at >= 0, found[:, at], 0.0)
        self.put_states(first, found, sector)

    def put_states(self, first: int, found: NDArray[np.float64], sector: Sector | None) -> None:
        """The same without the watched components."""
        part = slice(first, first + len(found))
        if self.purity is not None:
            self.purity[part] = np.einsum("tp,tp->t", found, found) / np.sqrt(self._dimension)
        if self.states is not None:
            self.states[part, slice(None) if sector is None else sector.strings] = found
        if self.smallest is not None:
            for k, row in enumerate(found):
                full = row
                if sector is not None:
                    full = np.zeros(self._dimension)
                    full[sector.strings] = row
                self.smallest[first + k] = smallest_dense_eigenvalue(full)

    def result(self, final, applications: int, error: float) -> Evolution:
        return Evolution(self.observed, self.states, self.purity, self.smallest, final, applications, error)


def evolve(
    generator: Generator,
    r0: NDArray[np.float64],
    times: NDArray[np.float64],
    indices: NDArray[np.int64],
    *,
    rtol: float = 1e-8,
    keep_states: bool = False,
    keep_purity: bool = False,
    keep_smallest: bool = False,
    keep_final: bool = True,
    max_applications: float = np.inf,
) -> Evolution:
    """Propagate r0 (4^N,) to `times` (T,), non-decreasing from t = 0, and record the components `indices` (K,).

    `rtol` bounds the error of the state relative to its initial norm, or its norm then if that has grown. Raises, before
    the work begins, StepBudgetSpent when more than `max_applications` of L would be needed and TooLong when these would
    be more than 1e5 `max_applications` multiply-adds; Diverged when the state overflows.
    """
    record = Record(generator, len(times), indices, keep_states, keep_purity, keep_smallest)
    state = np.array(r0, dtype=np.float64)
    done = int(np.searchsorted(times, 0.0, side="right"))
    still = generator.imaginary_bound == 0.0 and generator.real_range == (0.0, 0.0)
    resting = len(times) if still else done
    if resting:
        record.put(0, np.broadcast_to(state, (resting, len(state))), None)
    if resting == len(times):
        return record.result(state, 0, 0.0)
    later = times[done:]
    total = float(later[-1])
    error = float(np.clip(0.1 * rtol, 1e-13, 1e-2))
    tolerance = max(1e-15, error / max(1.0, float(np.linalg.norm(state))))
    bounds = generator.real_range, generator.imaginary_bound
    series = plan_series(bounds[0], bounds[1], total, tolerance)
    price = np.ceil(total / series.length) * series.terms
    sector, sparse = None, _SPARSE if generator.N < FEWEST_SPINS else _SPARSE_BESIDE_TILES
    if generator.N <= 5 or price > _LOOK_FOR_SECTOR:
        watched = None if record.everything or keep_final else indices
        all_in_blocks = generator.N <= 4 or (
            generator.N <= _BLOCKS_OF_ALL and largest_coset(generator) <= DENSE_DIMENSION
        )
        sector = find_sector(generator, state, watched, 1.0 if all_in_blocks else sparse)
    if sector is not None:
        if sector.size == 0:
            return record.result(np.zeros_like(state), 0, 0.0)
        blocks = sector.blocks()
        sizes = np.array([len(b) for b in blocks])
        dense_blocks = sizes.max() <= DENSE_DIMENSION
        if not dense_blocks and sector.size > sparse * generator.dimension:
            sector = None
        elif sector.size > DENSE_DIMENSION:
            low, high = sector.field_of_values[0]
            real = max(low, bounds[0][0]), min(high, bounds[0][1])
            bounds = (min(real), max(real)), min(sector.field_of_values[1], bounds[1])
            series = plan_series(bounds[0], bounds[1], total, tolerance)
            price = np.ceil(total / series.length) * series.terms
        if sector is not None and dense_blocks:
            radius = max(-bounds[0][0], bounds[0][1], bounds[1])
            dense = work_of_blocks(sizes, later, radius)
            outputs = len(later) * series.terms * (len(indices) + 10.0)
            if dense < price * (1.5 * len(sector.values) + 500) + outputs + 1e5 or price > max_applications:
                end, found = evolve_blocks(
                    sector,
                    blocks,
                    state[sector.strings],
                    later,
                    lambda first, rows: record.put(done + first, rows, sector),
                    max(rtol, 1e-12),
                    generator.positive,
                )
                return record.result(_whole(generator, sector, end), 0, found)
            if sector.size > sparse * generator.dimension:
                sector = None
    work = generator.work if sector is None else 1.5 * len(sector.values) + 2 * sector.size
    refuse_beyond_budget(price, work, max_applications)
    operator = operator_of(generator, sector)
    applications, end = sum_series(
        operator, generator.positive, sector, state, later, done, record, bounds, series, error, tolerance, keep_final
    )
    rounding = 10 * _EPS * np.ceil(total / series.length)
    return record.result(_whole(generator, sector, end), applications, float(error + rounding))


def _whole(generator: Generator, sector: Sector | None, state: NDArray[np.float64]) -> NDArray[np.float64]:
    if sector is None:
        return state
    full = np.zeros(generator.dimension)
    full[sector.strings] = state
    return full


def refuse_beyond_budget(price: float, work: float, most: float) -> None:
    """StepBudgetSpent or TooLong where `price` applications of `work` multiply-adds are more than `most` allows."""
    if price > most:
        raise StepBudgetSpent(
            f"about {price:.3g} applications of the generator are needed, max_steps allows {most:.3g}; nothing was "
            "computed; raise max_steps, shorten times, or lower the largest rate"
        )
    if price * work > _WORK_OF_A_STEP * most:
        raise TooLong(
            f"about {price:.3g} applications of the generator with {work:.3g} multiply-adds each are needed, "
            f"{price * work:.2g} in all, and max_steps allows {_WORK_OF_A_STEP * most:.2g}; nothing was computed; raise "
            "max_steps, shorten times, or take fewer spins"
        )


def rows_of(sector: Sector) -> Rows:
    """L among the strings of a sector as the kernel of a series reads it."""
    return Rows(sector.diagonal, sector.starts, sector.columns, sector.values)


def operator_of(generator: Generator, sector: Sector | None) -> Terms | Tiles | Rows:
    """L as the kernel of a series reads it: sparse rows in a `sector`, else term by term or, from nine spins on, tile by tile."""
    if sector is not None:
        return rows_of(sector)
    return generator.terms if generator.N < FEWEST_SPINS else build_tiles(generator)


def _speed(operator: Terms | Tiles | Rows, state: NDArray[np.float64]) -> float:
    """|L r|."""
    out = np.zeros(len(state))
    arguments = 1.0, 0.0, 0.0
    if isinstance(operator, Tiles):
        apply_tiles(state, out, operator, *arguments)
    elif isinstance(operator, Rows):
        apply_rows(state, out, operator, *arguments)
    else:
        apply_terms(state, out, operator, *arguments)
    return float(np.linalg.norm(out))


def sum_series(
    operator: Terms | Tiles | Rows,
    contracts: bool,
    sector,
    state,
    times,
    before,
    record,
    bounds,
    series: Series,
    error,
    tolerance,
    keep_final: bool = True,
):
    """Chebyshev segments through `times` with L as an `operator` of `operator_of`.

    `contracts` says that no difference of two states grows in the Euclidean norm. Returns the number of applications of L
    and the last state, which may be an earlier one if `keep_final` is not set.
    """
    if sector is None:
        strings = record.indices
    else:
        at = sector.positions(record.indices)
        state, strings = state[sector.strings], np.maximum(at, 0)
    start_norm = max(float(np.linalg.norm(state)), 1e-300)
    total = float(times[-1])
    price = np.ceil(total / series.length) * series.terms
    size = len(state)
    most_rows = max(1, int(_STATE_BYTES // (8 * size))) if record.everything else len(times)
    empty = np.empty((0, size))
    applications, done, now, rate = 0, 0, 0.0, 0.0
    bold = series.bolder(series.length) if contracts else None
    while done < len(times):
        used_series = series if bold is None else bold
        end = min(now + used_series.length * (1 + 1e-12), total)
        inside = done + int(np.searchsorted(times[done:], end, side="right"))
        if inside - done > most_rows:
            inside = done + most_rows
            end = float(times[inside - 1])
        part = np.append(times[done:inside], end) - now
        coefficients = used_series.coefficients(part)
        rows = np.empty((inside - done, len(strings)))
        full = np.empty((inside - done, size)) if record.everything and inside > done else empty
        norm = float(np.linalg.norm(state))
        grown = max(1.0, norm / start_norm)
        ellipse = used_series.centre, used_series.focus, used_series.coherent
        stop = used_series.remainders(coefficients[-1]), 0.01 * error * grown * float(used_series.length / total)
        arguments = (*ellipse, coefficients, *stop, strings, rows, full)
        if isinstance(operator, Tiles):
            wants_end = keep_final or end < total
            moved, tail, largest, used = sum_segment_of_tiles(state, operator, *arguments, wants_end)
        elif isinstance(operator, Rows):
            moved, tail, largest, used = sum_segment_of_rows(state, operator, *arguments)
        else:
            moved, tail, largest, used = sum_segment(state, operator, *arguments)
        applications += used
        after = float(np.linalg.norm(moved))
        good = tail < error * grown and largest * _EPS < error * grown
        if bold is not None and not (good and largest * _EPS < 0.03 * error * grown and used < bold.terms):
            bold = None  # the terms do grow, or do not end: take the series that allows for the worst
            continue
        if not np.isfinite(after) or not np.isfinite(largest):
            raise Diverged(end, rate)
        if not good:
            # the ellipse was too small; this is checked, not trusted
            low, high = bounds[0]
            bounds = ((1.3 * low - 0.1 * bounds[1], 1.3 * high + 0.1 * bounds[1]), 1.5 * bounds[1] + 0.1 * abs(low))
            series = plan_series(bounds[0], bounds[1], total - now, tolerance)
            if applications > 50 * price or not np.isfinite(bounds[1]):
                text = "the Chebyshev series does not converge: the generator is too large"
                raise PointFailed(Kind.NOT_CONVERGED, text)
            continue
        if end > now and norm > 0.0 and after > 0.0:
            rate = float(np.log(after / norm) / (end - now))
        if sector is not None:
            rows = np.where(at >= 0, rows, 0.0)
        record.observed[before + done : before + inside] = rows
        if inside > done and record.everything:
            record.put_states(before + done, full, sector)
        slow = 5 * error / max(total - end, 1e-300)
        passed = float(np.linalg.norm(moved - state)) / max(end - now, 1e-300)  # of which rounding is a smaller part
        state, done = moved, inside
        if contracts and now < end < total and (passed <= slow or _speed(operator, state) <= slow):
            # a completely positive evolution brings states no further apart, so that it only becomes slower
            rest = np.broadcast_to(state, (len(times) - done, size))
            if len(rest):
                record.put(before + done, rest, sector)
            break
        if bold is not None:
            # growth is exponential at worst: over twice the length, the square
            more = 2.0 if largest**2 * _EPS < 0.03 * error and end > now else 1.0
            left = (total - end) / max(min(more * bold.length, _FARTHEST / bold.height), series.length)
            bold = series.bolder((total - end) / max(np.ceil(left), 1.0))
        now = end
    return applications, state
