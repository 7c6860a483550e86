"""The moment equations in time: by explicit steps, and by implicit ones where stability alone keeps those short.

Implicit steps are taken when Hairer's test says that the explicit ones are limited by stability and what lies ahead would
take more of them than implicit steps cost. Few unknowns: Rodas5P with a full Jacobian; many: with GMRES.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.engines.moments.equations import Coefficients
from solvers.engines.moments.first_order import mean_field_rhs, watch_lengths
from solvers.engines.moments.implicit import LARGEST_SPACE, full_jacobian, iterative
from solvers.engines.moments.second_order import cumulant_rhs, watch_pairs
from solvers.numerics.compile import entry
from solvers.numerics.outcome import DONE, MAX_STEPS, NOT_STIFF, STIFF
from solvers.numerics.rosenbrock import autonomous, implicit_segment
from solvers.numerics.runge_kutta import explicit_segment

MEAN_FIELD, CUMULANTS = 1, 2
FULL = 120
"""Number of unknowns up to which the Jacobian is a full matrix."""
MOST = 2_000_000
"""Number of unknowns up to which implicit steps are taken at all: GMRES keeps 61 vectors of them (1 GB)."""
IMPLICIT_STEPS = 500
"""Implicit steps that an evolution is expected to take, to compare prices."""
STAGES, ITERATIONS = 8, 8
"""Linear systems per implicit step, and iterations of GMRES per system, to compare prices."""
LOOK, LONG_LOOK, STEADY, HOPELESS = 0.01, 5000, 1.02, 10.0
"""Shares of the budget, and steps at least, after which two looks are taken at how far they led. Where the second share was at
most so many times as long as the first, the steps do not grow: at that pace of growth they are at most e times as long when
the budget ends. It is given up where they would have to be longer by the last factor to come to the next output time."""

_first_explicit = explicit_segment(mean_field_rhs, watch_lengths)
_first_full = implicit_segment(mean_field_rhs, full_jacobian(mean_field_rhs), watch_lengths, autonomous)
_first_iterative = implicit_segment(mean_field_rhs, iterative(mean_field_rhs, False), watch_lengths, autonomous)
second_explicit = explicit_segment(cumulant_rhs, watch_pairs)
"""Of all that take explicit steps with cumulants: kernels made a second time would be compiled a second time."""
_second_full = implicit_segment(cumulant_rhs, full_jacobian(cumulant_rhs), watch_pairs, autonomous)
_second_iterative = implicit_segment(cumulant_rhs, iterative(cumulant_rhs, True), watch_pairs, autonomous)


@entry
def mean_field_explicit(p, y, times, out, rtol, atol, max_steps, t, h, row, watch):
    """A segment of explicit steps; see `solvers.numerics.runge_kutta.explicit_segment`."""
    return _first_explicit(p, y, times, out, rtol, atol, max_steps, t, h, row, watch)


@entry
def mean_field_full(p, y, times, out, rtol, atol, max_steps, t, h, row, watch):
    """A segment of implicit steps with a full Jacobian."""
    return _first_full(p, y, times, out, rtol, atol, max_steps, t, h, row, watch)


@entry
def mean_field_iterative(p, y, times, out, rtol, atol, max_steps, t, h, row, watch):
    """A segment of implicit steps with GMRES."""
    return _first_iterative(p, y, times, out, rtol, atol, max_steps, t, h, row, watch)


@entry
def cumulants_explicit(p, y, times, out, rtol, atol, max_steps, t, h, row, watch):
    """A segment of explicit steps; see `solvers.numerics.runge_kutta.explicit_segment`."""
    return second_explicit(p, y, times, out, rtol, atol, max_steps, t, h, row, watch)


@entry
def cumulants_full(p, y, times, out, rtol, atol, max_steps, t, h, row, watch):
    """A segment of implicit steps with a full Jacobian."""
    return _second_full(p, y, times, out, rtol, atol, max_steps, t, h, row, watch)


@entry
def cumulants_iterative(p, y, times, out, rtol, atol, max_steps, t, h, row, watch):
    """A segment of implicit steps with GMRES."""
    return _second_iterative(p, y, times, out, rtol, atol, max_steps, t, h, row, watch)


_EXPLICIT = {MEAN_FIELD: mean_field_explicit, CUMULANTS: cumulants_explicit}
_FULL = {MEAN_FIELD: mean_field_full, CUMULANTS: cumulants_full}
_ITERATIVE = {MEAN_FIELD: mean_field_iterative, CUMULANTS: cumulants_iterative}


def integrate(
    p: Coefficients,
    order: int,
    y: NDArray[np.float64],
    times: NDArray[np.float64],
    out: NDArray[np.float64],
    rtol: float,
    atol: float,
    max_steps: int,
) -> tuple[int, float, int]:
    """Carry the moments y (n,), those at t = 0, over `times` (T,) into `out` (T, n), NaN where they are not reached.

    Returns an outcome code, the time reached and the steps tried; y becomes the state there.
    """
    implicit = (_FULL if y.size <= FULL else _ITERATIVE)[order]
    price = _implicit_price(y.size, p.Omega.shape[1], order)
    return take_segments(_EXPLICIT[order], implicit, price, p, y, times, out, rtol, atol, max_steps)


def take_segments(
    explicit: Callable[..., Any],
    implicit: Callable[..., Any],
    price: float,
    p: Any,
    y: NDArray[np.float64],
    times: NDArray[np.float64],
    out: NDArray[np.float64],
    rtol: float,
    atol: float,
    max_steps: int,
) -> tuple[int, float, int]:
    """`integrate` by two entries for segments of steps; `price`: explicit steps that cost as much as the implicit evolution."""
    row = int(np.searchsorted(times, 0.0, side="right"))
    out[:row], out[row:] = y, np.nan
    if row == len(times):
        return DONE, 0.0, 0
    look = int(first_look(max_steps))
    t, h, steps, block, watch = 0.0, 0.0, 0, look, True
    seen = [0.0]  # times at the first looks
    while True:
        block = min(block, max_steps - steps)
        code, t, h, row, used = explicit(p, y, times, out, rtol, atol, block, t, h, row, watch)
        steps += used
        if code == MAX_STEPS and steps < max_steps:  # more than was foreseen
            if steps == look * len(seen):
                seen.append(t)
                if len(seen) == 3 and hopeless(seen, (times[row] - t) / (max_steps - steps), look):
                    return MAX_STEPS, float(t), int(steps)
            block, watch = look if len(seen) < 3 else max_steps, True
            continue
        if code != STIFF:
            return int(code), float(t), int(steps)
        ahead = (times[-1] - t) / h
        if ahead > price and y.size <= MOST:
            code, t, h, row, used = implicit_looks(
                implicit, (p, y, times, out, rtol, atol), max_steps - steps, look, t, h, row
            )
            steps += used
            if code != NOT_STIFF:
                return int(code), float(t), int(steps)
            block, watch = max_steps, True
        else:
            block, watch = int(4 * ahead) + 1000, False


def first_look(max_steps: Any) -> Any:
    """Steps (numbers or arrays) before the first look at how far they lead."""
    return np.maximum(LONG_LOOK, (LOOK * np.asarray(max_steps)).astype(np.int64))


def implicit_looks(
    implicit: Callable[..., Any], arguments: tuple[Any, ...], most: int, look: int, t: float, h: float, row: int
) -> tuple[int, float, float, int, int]:
    """A segment of at most `most` implicit steps, given up at the second look where the steps are hopelessly short."""
    steps, seen, times = 0, [float(t)], arguments[2]
    while True:
        block = min(look, most - steps) if len(seen) < 3 else most - steps
        code, t, h, row, used = implicit(*arguments, block, t, h, row, True)
        steps += used
        if code != MAX_STEPS or steps >= most:
            return int(code), t, h, row, steps
        seen.append(float(t))
        if len(seen) == 3 and hopeless(seen, (times[row] - t) / (most - steps), look):
            return MAX_STEPS, t, h, row, steps


def hopeless(seen: Sequence[float], needed: float, look: int) -> bool:
    """Whether steps that led to the times 0, t_1, t_2 after `look` and twice `look` of them never become `needed` long."""
    first, second = seen[1] - seen[0], seen[2] - seen[1]
    return second <= STEADY * first and needed > HOPELESS * second / look


def _implicit_price(size: int, n: int, order: int) -> float:
    """What an evolution by implicit steps is expected to cost, in explicit steps."""
    if size <= FULL:
        evaluation = 9.0 * n * n * (3 * n if order == CUMULANTS else 1) + 100.0 * n * (n if order == CUMULANTS else 1)
        step = 4 * size + (size**3 / 3 + STAGES * size**2) / evaluation
    else:
        return price_of_iterations()
    return math.ceil(IMPLICIT_STEPS * step / 6)


def price_of_iterations() -> float:
    """The same where every linear system takes iterations of four evaluations each."""
    return math.ceil(IMPLICIT_STEPS * 4.0 * STAGES * min(ITERATIONS, LARGEST_SPACE) / 6)
