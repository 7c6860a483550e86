"""A segment of a Chebyshev series (`chebyshev`) where L acts tile by tile (`tiles`)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from solvers.engines.master_equation.tiles import Tiles, act_on_tiles
from solvers.numerics.compile import FASTMATH, entry


@entry(fastmath=FASTMATH)
def apply_tiles(x, y, p, scale, shift, keep):
    """y <- scale (L - shift) x + keep y."""
    act_on_tiles(x, y, p, scale, shift, keep, np.empty(0), 0.0)


def sum_segment_of_tiles(
    r: NDArray[np.float64],
    p: Tiles,
    centre: float,
    focus: float,
    coherent: bool,
    coefficients: NDArray[np.float64],
    remainders: NDArray[np.float64],
    negligible: float,
    indices: NDArray[np.int64],
    observed: NDArray[np.float64],
    states: NDArray[np.float64],
    wants_end: bool,
) -> tuple[NDArray[np.float64], float, float, int]:
    """`chebyshev.sum_segment` with the tiles of a generator; without `wants_end` the state returned is that at the start."""
    # NumPy asks for large pages, compiled code would not
    end = coefficients[-1, 0] * r if wants_end else np.empty(0)
    tail, largest, used = sum_tiles(
        r.copy(), np.zeros_like(r), end, p, centre, focus, coherent, coefficients, remainders, negligible, indices,
        observed, states,
    )  # fmt: skip
    return (end if wants_end else r), tail, largest, used


@entry(fastmath=FASTMATH)
def sum_tiles(
    now, before, end, p, centre, focus, coherent, coefficients, remainders, negligible, indices, observed, states
):
    """Add the terms of a segment from phi_0 = `now` on, whose own is in `end` already; (last two terms, largest term, terms)."""
    outputs, terms = coefficients.shape[0] - 1, coefficients.shape[1]
    full = states.shape[0] > 0
    observed[:outputs] = 0.0
    norm = np.sqrt(np.dot(now, now))
    tail, largest, last, before_norm, used = 0.0, 0.0, 0.0, 0.0, 0
    for k in range(terms):
        used += 1
        magnitude = abs(coefficients[outputs, k]) * norm
        largest = max(largest, magnitude)
        tail = magnitude + last
        last = magnitude
        for o in range(outputs):
            a = coefficients[o, k]
            if k > 0 and abs(a) * norm < 1e-3 * negligible:
                continue
            for m in range(indices.shape[0]):
                observed[o, m] += a * now[indices[m]]
            if full:
                row = states[o]
                for m in range(now.shape[0]):
                    row[m] = a * now[m] if k == 0 else row[m] + a * now[m]
        if remainders[k] * (norm + before_norm) < negligible:
            break
        before_norm = norm
        if k + 1 < terms:
            factor = (1.0 if k == 0 else 2.0) / focus
            square = act_on_tiles(
                now, before, p, factor, centre, 1.0 if coherent else -1.0, end, coefficients[outputs, k + 1]
            )
            norm = np.sqrt(square)
            before, now = now, before
    return tail, largest, used
