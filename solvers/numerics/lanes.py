"""Points of three variables in SIMD lanes: where their numbers are in one flat array.

With constant offsets the compiler sees that the rows do not overlap.
"""

from __future__ import annotations

import numpy as np

from solvers.numerics.compile import kernel

LANES = 16  # measured per point of spin_cat.two_ensembles with vectors of 512 bits: 6.9 us with 8, 6.6 with 16, 7.2 with 24, 6.9 with 32

Y, NEW, SLOPE, NEW_SLOPE, P, K = 0, 3 * LANES, 6 * LANES, 9 * LANES, 12 * LANES, 16 * LANES
"""State and derivative before and after a step (three rows each), parameters (four), stages (24)."""
STEP, RTOL, ATOL, ERROR, FASTEST, MONITOR, CROSSED, TIME, END, BEFORE, FACTOR, OLD, ROWS = (
    r * LANES for r in range(40, 53)
)
"""One row each: the step, the tolerances, the squared error, what bounds the fastest rate, what is watched, the time and its
end, the step before, the factor by which the step changes, the squared error before; and how many numbers there are."""

_BIAS = 1023.0 * 2.0**52


@kernel
def rough_power(x, exponent):
    """x^exponent from the bits of a positive x, right to about 6 %: a step controller needs no more, and no call."""
    bits = np.float64(np.float64(x).view(np.int64))
    return np.int64((bits - _BIAS) * exponent + _BIAS).view(np.float64)


@kernel
def largest_row(jacobian):
    """The largest sum of magnitudes in a row: no eigenvalue is larger."""
    j00, j01, j02, j10, j11, j12, j20, j21, j22 = jacobian
    return max(abs(j00) + abs(j01) + abs(j02), max(abs(j10) + abs(j11) + abs(j12), abs(j20) + abs(j21) + abs(j22)))
