"""Moments in time from a start state, with the first time at which they left physics."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.engines.moments.equations import build_coefficients, projected_bytes
from solvers.engines.moments.integration import CUMULANTS, MEAN_FIELD, integrate
from solvers.engines.moments.packing import pack, unpack_connected, unpack_spins
from solvers.engines.spin_system import SpinSystem, product_correlations
from solvers.engines.validity import first_not_reached
from solvers.numerics.outcome import DONE, MAX_STEPS

_ROWS_BYTES = 128 * 2**20


@dataclass(frozen=True)
class MomentPath:
    """How an integration ended: an outcome code, the time reached, the first unphysical time (NaN if none), the steps tried.

    `done` counts the output times that were reached; those after them have not been received. `first_left` is the first
    of them where the step budget was spent after others had been reached (NaN: not so); those others are worth keeping.
    """

    code: int
    reached: float
    first_bad: float
    steps: int
    done: int
    first_left: float = np.nan


def propagate(
    system: SpinSystem,
    order: int,
    spins0: NDArray[np.float64],
    correlations0: NDArray[np.float64] | None,
    times: NDArray[np.float64],
    receive: Callable[[int, NDArray[np.float64], NDArray[np.float64] | None], None],
    *,
    rtol: float,
    atol: float,
    max_steps: int,
    path: str | None = None,
) -> MomentPath:
    """Integrate mean field (`order` 1) or cumulants (2) and hand the moments at `times` over piece by piece.

    `receive(first, spins, correlations)` gets the index of the first time of a piece, spins (t, N, 3) and raw
    correlations (t, N, N, 3, 3), None in mean field, where they
    are products. Many times of a large system come in several pieces, so that memory stays bounded.
    Raises MemoryError with the projected bytes before anything is allocated.
    """
    n = system.N
    refuse_beyond_memory(n, order)
    p = build_coefficients(system, order, path)
    y = spins0.T.ravel().copy() if order == MEAN_FIELD else pack(spins0, correlations0)
    return follow(p, order, partial(integrate, p, order), y, times, receive, rtol=rtol, atol=atol, max_steps=max_steps)


def follow(
    p: Any,
    order: int,
    integrate: Callable[..., tuple[int, float, int]],
    y: NDArray[np.float64],
    times: NDArray[np.float64],
    receive: Callable[[int, NDArray[np.float64], NDArray[np.float64] | None], None],
    *,
    rtol: float,
    atol: float,
    max_steps: int,
) -> MomentPath:
    """`propagate` from the state y with coefficients `p` that `integrate(y, times, out, rtol, atol, max_steps)` knows."""
    n = p.Omega.shape[1]
    rows = max(1, int(_ROWS_BYTES // (8 * (3 * n if order == MEAN_FIELD else 9 * n * n))))
    code, start, steps = DONE, 0.0, 0
    first_bad = np.nan
    for first in range(0, len(times), rows):
        part = times[first : first + rows]
        out = np.empty((len(part), y.size))
        p.first_bad[0] = np.nan
        code, reached, used = integrate(y, part - start, out, rtol, atol, max_steps - steps)
        steps += used
        if np.isnan(first_bad) and not np.isnan(p.first_bad[0]):
            first_bad = start + p.first_bad[0]
        reached_rows = len(part) if code == DONE else int(np.isfinite(out[:, 0]).sum())
        if code in (DONE, MAX_STEPS) and reached_rows:
            spins = unpack_spins(out[:reached_rows], n)
            connected = unpack_connected(out[:reached_rows], n) if order == CUMULANTS else None
            receive(first, spins, None if connected is None else product_correlations(spins) + connected)
        if code != DONE:
            done = first + reached_rows
            left = first_not_reached(code, times, done)
            return MomentPath(code, start + reached, float(first_bad), steps, done, left)
        start = float(part[-1])
    return MomentPath(code, start, float(first_bad), steps, len(times))


def refuse_beyond_memory(n: int, order: int) -> None:
    """MemoryError with the projected bytes when the moment equations of `n` spins do not fit this machine."""
    try:
        available = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return
    needed = projected_bytes(n, order)
    if needed > available:
        raise MemoryError(
            f"the {'cumulants' if order == CUMULANTS else 'mean field'} of N = {n} spins need about {needed:.3g} bytes "
            f"({needed / 2**30:.1f} GiB); this machine has {available / 2**30:.1f} GiB; take a smaller N"
        )
