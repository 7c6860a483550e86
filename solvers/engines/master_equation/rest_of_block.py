"""Where one small invariant block of L comes to rest, and how fast: dense linear algebra that bears wildly different rates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lu_factor, lu_solve

from solvers.engines.master_equation.matrix_units import Block, from_real, real_form, to_real_part
from solvers.engines.spin_system import clusters
from solvers.numerics.graded import EPS, eigenvalues, invert, sharpened

RESTS, GROWS = "rests", "grows"
ROUNDS = 40
KNOWN = 1e-3
"""Relative uncertainty of the slowest rate above which it is sharpened."""
MOST_SHARPENED = 64
"""Eigenvalues that are sharpened, at most."""


@dataclass(frozen=True)
class Rest:
    """A block's part of the steady state, and its spectrum.

    rho (n,) on the block's units: of trace 1 where there are populations and the state is unique (`fixed`), else what the
    start becomes. `largest` is the largest real part of the eigenvalues but for the one that every trace owns, `rounding`
    its uncertainty; `zeros` counts the conserved quantities; `error` estimates the relative error of rho, `state` says
    whether it exists.
    """

    rho: NDArray[np.complex128]
    fixed: bool
    largest: float
    rounding: float
    zeros: int
    error: float
    state: str = RESTS


def rest_of_block(matrix: NDArray[np.complex128], block: Block, start: NDArray[np.complex128], size: int) -> Rest:
    """Rest of a block with L = matrix (n, n) from the part of the start rho (4^N,), with `size` = 2^N."""
    n = len(block.units)
    begin = start[block.units]
    if n == 1:
        rate = complex(matrix[0, 0])
        if block.populations:
            return Rest(np.ones(1, complex), True, -np.inf, 0.0, 1, 0.0)
        kept = rate == 0.0
        return Rest(begin if kept else 0 * begin, False, rate.real, 0.0, int(kept), 0.0)
    A: NDArray[Any] = matrix
    upper = np.zeros(0, dtype=np.int64)
    if block.mirrored:
        A, upper = real_form(matrix, block, size)
    if block.populations:
        reduced, constant, last = _without_trace(A, block.populations)
        inverse = invert(reduced)
        if not inverse.singular:
            x = -inverse.solve(constant)
            correction = inverse.solve(reduced @ x + constant)
            x = x - correction
            first, rounding = _rightmost(reduced, *eigenvalues(reduced, inverse))
            rest = np.insert(x, last, 1.0 - np.delete(x, slice(block.populations - 1, None)).sum())
            scale = max(1.0, float(np.abs(rest).max()))
            # rounding of single entries alone; a residual that happens to vanish does not tell of it
            hidden = EPS * np.abs(inverse.matrix) @ (np.abs(reduced) @ np.abs(x) + np.abs(constant))
            return Rest(
                _as_units(rest, block, upper, len(start)),
                True,
                first,
                rounding,
                1,
                float(max(np.abs(correction).max(), hidden.max())) / scale,
            )
    else:
        inverse = invert(A)
        if not inverse.singular:
            return Rest(0 * begin, False, *_rightmost(A, *eigenvalues(A, inverse)), 0, 0.0)
    values, errors = eigenvalues(A)
    rounding = float(errors.max())
    y: NDArray[Any] = to_real_part(begin, block.populations, upper) if block.mirrored else begin
    y, zeros, error, state = _what_stays(A, values, rounding, y)
    found = _as_units(y, block, upper, len(start)) if block.mirrored else y
    nonzero = values.real[np.abs(values) > rounding]
    growing = float(nonzero.max(initial=-np.inf))
    largest = max(growing, 0.0) if zeros > min(block.populations, 1) else growing
    return Rest(found, False, largest, rounding, zeros, error, state)


def _rightmost(A: NDArray[Any], values: NDArray[np.complex128], errors: NDArray[np.float64]) -> tuple[float, float]:
    """The largest real part of A's eigenvalues, and by how much it may be larger.

    Where rounding hides it, all that may be the largest are sharpened, cluster by cluster.
    """
    largest = float(values.real.max())
    if float((values.real + errors).max()) - largest > KNOWN * abs(largest):
        may_be = np.flatnonzero(values.real + errors >= float((values.real - errors).max()))
        if len(may_be) <= MOST_SHARPENED:
            values, errors = values.copy(), errors.copy()
            near = np.abs(values[may_be, None] - values[may_be]) <= 4 * errors[may_be]
            for cluster in clusters(near | near.T):
                which = may_be[cluster]
                values[which], errors[which] = sharpened(A, values[which], errors[which])
            largest = float(values.real.max())
    return largest, float((values.real + errors).max()) - largest


def _without_trace(A: NDArray[Any], populations: int) -> tuple[NDArray[Any], NDArray[Any], int]:
    """L' and b of dx/dt = L' x + b for trace 1, without the population (its index) that is left most slowly."""
    last = int(np.abs(np.diag(A)[:populations]).argmin())
    reduced = A.copy()
    reduced[:, :populations] -= A[:, last : last + 1]
    constant = np.delete(A[:, last], last)
    return np.delete(np.delete(reduced, last, axis=0), last, axis=1), constant, last


def _as_units(
    values: NDArray[np.float64], block: Block, upper: NDArray[np.int64], total: int
) -> NDArray[np.complex128]:
    rho = np.zeros(total, dtype=np.complex128)
    from_real(values, block, upper, rho)
    return rho[block.units]


def _what_stays(
    A: NDArray[Any], values: NDArray[np.complex128], rounding: float, y: NDArray[Any]
) -> tuple[NDArray[Any], int, float, str]:
    """The limit, or average in time, of exp(t A) y: the limit of s (s - A)^-1 y for s far below the slowest rate.

    Every application of s (s - A)^-1 shrinks a mode of eigenvalue z by s/(s - z) and leaves what is conserved. Returns
    (the limit, number of zero eigenvalues, relative change in the last application, state).
    """
    n = len(A)
    nonzero = np.abs(values[np.abs(values) > rounding])
    zeros = n - len(nonzero)
    if not len(nonzero):
        return y, zeros, 0.0, RESTS if not A.any() else GROWS
    if float(values.real.max()) > rounding:  # it grows: nothing stays
        return y, zeros, np.inf, GROWS
    begin, s = y, 0.01 * float(nonzero.min())
    factors = lu_factor(s * np.eye(n) - A, check_finite=False)
    change = before = np.inf
    size = max(float(np.linalg.norm(y)), 1e-300)
    for _ in range(ROUNDS):
        following = s * lu_solve(factors, y, check_finite=False)
        change, before = float(np.linalg.norm(following - y)) / size, change
        y = following
        if not np.isfinite(change):
            return begin, zeros, change, GROWS
        if change < 1e-13 or (change > 0.5 * before and change < 1e-10):
            break
    # beside a defective zero each application adds the same amount
    return (begin, zeros, change, GROWS) if change > 1e-9 else (y, zeros, change, RESTS)
