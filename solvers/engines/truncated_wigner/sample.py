"""From a lattice of spins 1/2 to averages over trajectories with standard errors."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from solvers.engines.rare_events import allowing_for_unseen, unseen
from solvers.engines.truncated_wigner.channels import LANES, frame
from solvers.engines.truncated_wigner.spins import GROUPS, MOMENTS, Spins, follow_spins
from solvers.numerics.convolution import Toeplitz, toeplitz
from solvers.outcome import OK, WARNED, InvalidInput, Kind, PointFailed, Remark

Array = NDArray[np.float64]
FIRST_LOOK = 2 * LANES
"""Trajectories before and between looks at the standard error."""
ANGLE_PER_STEP = 0.1
"""What the largest rate may do in one step, where the step is chosen here."""
MOST_STEPS = 2**31


class Lattice(NamedTuple):
    """Couplings J_a strength_ij, fields (N, 3), and the rates; `strength` None: 1 between all pairs, likewise `joined`.

    `fall` (N,), instead of `strength`: strength_ij = fall[|i - j|] by convolution.
    """

    J: Array
    strength: Array | csr_array | None  # (N, N)
    field: Array
    joined: Array | None  # (N, N), 0 or 1: where neighbours decay together
    minus: float
    plus: float
    z: float
    collective: float
    neighbour: float
    fall: Array | None = None


def rows_of(matrix: Array | csr_array | None) -> tuple[NDArray[np.int64], NDArray[np.int64], Array]:
    """A matrix as compressed rows, nothing for None: where each begins, columns, values."""
    if matrix is None:
        return np.zeros(1, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0)
    rows = csr_array(matrix)
    rows.sort_indices()
    return rows.indptr.astype(np.int64), rows.indices.astype(np.int64), np.ascontiguousarray(rows.data)


class Correlated(NamedTuple):
    """R = neighbour A + own 1 + common (all ones) = modes^T modes, what local jumps leave of correlated decay, and their rate."""

    neighbour: float
    own: float
    common: float
    modes: Array
    local: float


def split_decay(p: Lattice) -> Correlated:
    """The local part lambda 1 of G = gamma_- 1 + collective (all ones) + neighbour A, and the rest; InvalidInput where G is not positive."""
    n = len(p.field)
    common, local = p.collective, p.minus
    if n == 1:
        return Correlated(0.0, 0.0, 0.0, np.zeros((0, 1)), p.minus + p.collective)
    if p.neighbour == 0.0 or p.joined is None:
        common, local = common + p.neighbour, local - p.neighbour  # A is all ones without the diagonal
        _must_be_positive(local, p)
        modes = np.full((1, n), np.sqrt(common)) if common > 0.0 else np.zeros((0, n))
        return Correlated(0.0, 0.0, common, modes, max(local, 0.0))
    rates, vectors = np.linalg.eigh(p.neighbour * p.joined + common)
    local += float(rates[0])
    _must_be_positive(local, p)
    excess = np.maximum(rates - rates[0], 0.0)
    kept = excess > 1e-12 * excess[-1]
    modes = np.ascontiguousarray((vectors[:, kept] * np.sqrt(excess[kept])).T)
    return Correlated(p.neighbour, -float(rates[0]), common, modes, max(local, 0.0))


def _must_be_positive(rate: float, p: Lattice) -> None:
    if rate < -1e-10 * (p.minus + p.collective + p.neighbour):
        raise InvalidInput(
            f"method twa needs decay that is positive as a whole; the smallest eigenvalue of its rates is {rate:.6g} for "
            f"gamma_minus = {p.minus:g}, gamma_neighbour = {p.neighbour:g}; methods exact, cumulant and mean_field can treat it"
        )


def prepare(p: Lattice, theta: float, phi: float, step: float, times: Array, max_steps: int) -> Spins:
    """The numbers of a point; `step` 0: ANGLE_PER_STEP over the largest rate. PointFailed where that is more than max_steps steps."""
    n = len(p.field)
    first, partner, strength = rows_of(p.strength if p.J.any() else None)
    falling = p.fall is not None and bool(p.J.any())
    uniform = 1.0 if p.strength is None and p.fall is None and p.J.any() else 0.0
    nothing = np.zeros(0)
    fall = toeplitz(p.fall) if p.fall is not None and falling else Toeplitz(nothing, nothing, nothing, nothing)
    decay = split_decay(p)
    near_first, near, near_strength = rows_of(p.joined if decay.neighbour else None)
    bonds = uniform * (n - 1)
    degree = 0.0
    if partner.size:
        bonds = float(np.asarray(np.bincount(np.repeat(np.arange(n), np.diff(first)), np.abs(strength), n)).max())
    if falling:
        upto = np.cumsum(np.abs(fall.c))
        bonds = float((upto + upto[::-1]).max())
    if near.size:
        degree = float(np.diff(near_first).max())
    with np.errstate(over="ignore"):
        turning = 2 * float(np.hypot.reduce(p.field, axis=1).max()) + 2 * float(np.abs(p.J).max()) * bonds
        turning += 0.5 * (decay.common * n + decay.own + decay.neighbour * degree) + decay.own + decay.common
        largest = turning + decay.local + p.plus + 2 * p.z
    last = float(times[-1]) if len(times) else 0.0
    if step == 0.0:
        # without turns the jumps are exact over any time
        step = ANGLE_PER_STEP / largest if turning > 0.0 else max(last, 1.0)
    if not last / step <= min(max_steps, MOST_STEPS) if step > 0.0 else True:
        raise PointFailed(
            Kind.STEP_BUDGET_SPENT,
            f"t = {last:.6g} takes {last / step if step else np.inf:.3g} steps of {step:.3g}, and max_steps is "
            f"{min(max_steps, MOST_STEPS)}; raise it or the step",
        )
    return Spins(
        np.ascontiguousarray(p.field.T), p.J, first, partner, strength, uniform, near_first, near,
        decay.neighbour * near_strength, decay.neighbour, decay.own, decay.common, decay.modes, decay.local, p.plus, p.z,
        frame(theta, phi), step, turning > 0.0, bool(p.J.any()) or len(decay.modes) > 0, fall,
        np.zeros((2, len(fall.spectrum), LANES // 2)),
    )  # fmt: skip


def price(p: Spins, times: Array) -> float:
    """About the seconds of one trajectory of many: measured 22 to 60 ns per spin and step, 1 ns per bond."""
    last = float(times[-1]) if len(times) else 0.0
    n, bonds = p.field.shape[1], p.partner.size + p.near.size + p.modes.size
    return max(1.0, last / p.step) * (4e-8 * n + 1e-9 * bonds) + len(times) * 1e-8 * n


class Averages(NamedTuple):
    """Means and standard errors (T, MOMENTS) over trajectories, means of disjoint groups (groups, T, MOMENTS), and how many."""

    mean: Array
    sem: Array
    groups: Array
    trajectories: int
    share: Array  # (T,) of events that may be unseen, see `rare_events`


def summed(p: Spins, times: Array, sums: Array, squares: Array, trajectories: int) -> Averages:
    """From sums (T, MOMENTS, GROUPS) and squares (T, MOMENTS) over `trajectories`, of which number i is in group i mod GROUPS."""
    counts = np.array([len(range(g, trajectories, GROUPS)) for g in range(GROUPS)])
    mean = sums.sum(axis=-1) / trajectories
    if trajectories > 1:
        sem = np.sqrt(np.maximum(squares / trajectories - mean**2, 0.0) / (trajectories - 1))
    else:
        sem = np.full_like(mean, np.nan)
    filled = counts > 0
    n = p.field.shape[1]
    share = unseen(-np.expm1(-n * (p.minus + p.plus) * times), trajectories)
    # one spin of n moves means over all of them by 2/n, and over pairs by twice that
    reach = (1.0 + np.abs(mean)) * np.minimum(1.0, np.repeat([2.0, 4.0], [3, MOMENTS - 3]) / n)
    sem = allowing_for_unseen(sem, reach, share)
    return Averages(mean, sem, np.moveaxis(sums[..., filled] / counts[filled], -1, 0), trajectories, share)


def largest_error(found: Averages, which: slice) -> float:
    """The largest standard error of `which` moments."""
    return float(np.nanmax(found.sem[:, which], initial=0.0))


def average(p: Spins, key: int, times: Array, trajectories: int, target_error: float, which: slice) -> Averages:
    """Average over trajectories 0, 1, ...; stops early once the largest standard error of `which` moments is at most `target_error`.

    Sampling is looked at every FIRST_LOOK trajectories; 0 never stops it. Memory does not depend on `trajectories`.
    """
    sums, squares = np.zeros((len(times), MOMENTS, GROUPS)), np.zeros((len(times), MOMENTS))
    done = 0
    while done < trajectories:
        active = min(LANES, trajectories - done)
        follow_spins(p, np.uint64(key), np.uint64(done), active, times, sums, squares)
        done += active
        if target_error > 0.0 and done % FIRST_LOOK == 0:
            found = summed(p, times, sums, squares, done)
            if not largest_error(found, which) > target_error:
                return found
    return summed(p, times, sums, squares, done)


def judge_average(drawn: Averages, times: Array, target_error: float, which: slice) -> dict[str, Any]:
    """`first_bad_time`, `status` and `remark`: a mean spin longer than 1 by more than four standard errors, a target that was missed."""
    length, error = np.linalg.norm(drawn.mean[:, :3], axis=1), np.linalg.norm(drawn.sem[:, :3], axis=1)
    bad = length > 1.0 + 4.0 * error
    reasons = []
    if bad.any():
        reasons.append(
            f"the mean spin has length {length[bad][0]:.4g} > 1 from t = {times[bad][0]:.6g} on: the approximation has left physics"
        )
    if target_error > 0.0 and not largest_error(drawn, which) <= target_error:
        reasons.append(f"target_error was not reached with trajectories = {drawn.trajectories}")
    found: dict[str, Any] = {"first_bad_time": float(times[bad][0]) if bad.any() else math.nan, "status": OK}
    if reasons:
        kind = Kind.OUT_OF_PHYSICS if bad.any() else Kind.INACCURATE
        found |= {"status": WARNED, "remark": Remark(kind=kind, message="; ".join(reasons))}
    return found
