"""exp(t L) r at many times, block by block with dense exponentials, and an estimate of the error.

The error of the exponentials is estimated where rounding could matter, with a second evolution of which every exponential
is computed otherwise (see `matrix_exponential`); elsewhere it is bounded by a few roundings of |L| t.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import expm

from solvers.engines.master_equation.failures import Diverged, LostInRounding
from solvers.engines.master_equation.intervals import different_intervals
from solvers.engines.master_equation.sectors import Sector
from solvers.numerics.matrix_exponential import LARGEST_EXPONENT, NORM, NotResolved, exponential

_PIECE_BYTES = 32 * 2**20
_LONGEST_RUN = 12
_SAFETY = 3.0
_EPS = float(np.finfo(float).eps)

Receive = Callable[[int, NDArray[np.float64]], None]


def work_of_blocks(sizes: NDArray[np.int64], times: NDArray[np.float64], rate: float) -> float:
    """Multiply-adds of `evolve_blocks`, overheads included, for blocks of these sizes (B,) and |L| = `rate`."""
    steps, which = different_intervals(times)
    runs = 1 + np.count_nonzero(np.diff(which))
    n = sizes[sizes > 1].astype(np.float64)
    cube, square = float((n**3).sum()), float((n**2).sum())
    norm = rate * float(steps.max())
    per_exponential = 0.3 * (8 + np.log2(1 + norm)) if norm < NORM else 120.0
    return len(steps) * (per_exponential * cube + 2e5 * len(n)) + len(times) * 0.15 * square + runs * 3e4 * (1 + len(n))


def evolve_blocks(
    sector: Sector,
    blocks: list[NDArray[np.int64]],
    start: NDArray[np.float64],
    times: NDArray[np.float64],
    receive: Receive,
    tolerance: float,
    stable: bool,
    most: float | None = None,
) -> tuple[NDArray[np.float64], float]:
    """Evolve `start` (n,) and hand its values at `times` (T,) over in pieces, receive(first time, (t, n)).

    `stable` says that no eigenvalue has a positive real part, `most` how large a component may become (None: what a
    contraction allows). Returns the last state and the largest estimated error of a component, relative to the largest component. Raises
    Diverged when the state overflows, LostInRounding when nothing of it is known.
    """
    steps, which = different_intervals(times)
    alone = np.array([b[0] for b in blocks if len(b) == 1], dtype=np.int64)
    joined = [b for b in blocks if len(b) > 1]
    matrices = [sector.dense(b) for b in joined]
    norm = max((float(np.abs(m).sum(axis=0).max()) for m in matrices), default=0.0)
    bound = _EPS * norm * float(times[-1])
    check = not (bound <= 0.1 * tolerance and norm * float(steps.max()) <= NORM)
    exponentials = _Exponentials(matrices, steps, which, check, stable)
    rows = max(1, _PIECE_BYTES // (8 * sector.size))
    state, other = start.copy(), start.copy()
    error = 0.0 if check else bound
    if most is None:
        most = 2.0 * float(np.linalg.norm(start)) if stable else np.inf
    for first in range(0, len(times), rows):
        part = which[first : first + rows]
        found = np.empty((len(part), sector.size))
        cuts = np.flatnonzero(np.diff(part)) + 1
        for begin, end in zip([0, *cuts.tolist()], [*cuts.tolist(), len(part)], strict=True):
            k, run = int(part[begin]), found[begin:end]
            with np.errstate(all="ignore"):
                decay = np.exp(sector.diagonal[alone] * np.arange(1, len(run) + 1)[:, None] * steps[k])
                run[:, alone] = state[alone] * decay
                for b, block in enumerate(joined):
                    try:
                        value, again, roundings = exponentials.of(b, k)
                    except NotResolved as failure:
                        raise _failure(matrices, float(times[first + begin]), stable) from failure
                    run[:, block] = _repeated(value, state[block], len(run))
                    if again is not None:
                        other[block] = _repeated(again, other[block], len(run))[-1]
                        size = max(1.0, float(np.abs(run[-1, block]).max()))
                        error = max(error, _SAFETY * float(np.abs(other[block] - run[-1, block]).max()) / size)
                        moving = bool(np.abs(run[-1, block] - state[block]).max() > 0.0)
                        error = max(error, _EPS * roundings * len(run) if moving else 0.0)
            exponentials.used(k)
            # a completely positive evolution does not lengthen r beyond its trace norm, which is at most |r|
            lost = ~(np.abs(run).max(axis=1) < most)
            if lost.any():
                bad = int(lost.argmax())
                raise _failure(matrices, float(times[first + begin + bad]), stable)
            state = run[-1].copy()
            other[alone] = state[alone]
        receive(first, found)
    return state, error


class _Exponentials:
    """Exponentials of the blocks for the different intervals, kept while there are runs that need them."""

    def __init__(self, matrices, steps, which, check: bool, stable: bool) -> None:
        self._matrices, self._steps, self._check, self._stable = matrices, steps, check, stable
        changes = np.concatenate([[True], np.diff(which) != 0])
        self._left = np.bincount(which[changes], minlength=len(steps))
        self._kept: dict[tuple[int, int], tuple[NDArray[np.float64], NDArray[np.float64] | None, float]] = {}

    def of(self, block: int, interval: int) -> tuple[NDArray[np.float64], NDArray[np.float64] | None, float]:
        """exp(step L), the same computed otherwise if the error is to be estimated, and its least roundings."""
        key = block, interval
        if key not in self._kept:
            matrix, step = self._matrices[block], float(self._steps[interval])
            if step == 0.0:
                self._kept[key] = np.eye(len(matrix)), np.eye(len(matrix)) if self._check else None, 0.0
            elif self._check:
                found = exponential(step * matrix, self._stable)
                self._kept[key] = found.value, found.again, found.roundings
            else:
                value = expm(step * matrix)
                value[~matrix.any(axis=1)] = np.eye(len(matrix))[~matrix.any(axis=1)]
                self._kept[key] = value, None, 0.0
        return self._kept[key]

    def used(self, interval: int) -> None:
        """One run of this interval is done."""
        self._left[interval] -= 1
        if self._left[interval] == 0:
            for key in [key for key in self._kept if key[1] == interval]:
                del self._kept[key]


def _repeated(step: NDArray[np.float64], start: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """step^k start (count, n) for k = 1 .. count: ever more rows at once, with powers of `step`."""
    out = np.empty((count, len(start)))
    out[0] = step @ start
    power, rows = step, 1
    while rows * _LONGEST_RUN < count:
        out[rows : 2 * rows] = out[:rows] @ power.T
        power, rows = power @ power, 2 * rows
    for done in range(rows, count, rows):
        more = min(rows, count - done)
        out[done : done + more] = out[done - rows : done - rows + more] @ power.T
    return out


def growth_rate(matrices: list[NDArray[np.float64]]) -> float:
    """The largest real part of all eigenvalues of the blocks."""
    return max((float(np.linalg.eigvals(m).real.max()) for m in matrices), default=0.0)


def _failure(matrices: list[NDArray[np.float64]], time: float, stable: bool) -> Exception:
    """Why the state is not finite at a time."""
    rate = 0.0 if stable else growth_rate(matrices)
    return Diverged(time, rate) if rate * time > 0.5 * LARGEST_EXPONENT else LostInRounding(time)
