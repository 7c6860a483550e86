"""Adaptive Rosenbrock integration of one stiff point: Rodas5P, analytic Jacobian, dense output, stop events.

`integrate = rosenbrock(rhs, jacobian, event)` is called once at module level, and `integrate` named as a global in an
`@entry`. Its dense LU is meant for up to about 64 variables.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from solvers.numerics import small_lu
from solvers.numerics.compile import FASTMATH, kernel
from solvers.numerics.dense_output import copy, fill_rows, locate_event, no_event, start_rows
from solvers.numerics.outcome import DONE, EVENT, MAX_STEPS, NOT_FINITE, NOT_STIFF, STEP_TOO_SMALL
from solvers.numerics.rodas5p import ABSCISSAE, GAMMA, ORDER, STAGES, TIME_WEIGHTS, A, C, H
from solvers.numerics.step_size import attainable, error_norm, first_step

lu_factor, lu_solve = small_lu.factor, small_lu.solve

# Gustafsson's predictive control as in RODAS (Hairer and Wanner, section IV.8)
SAFETY, SHRINK, GROW = 0.9, 0.2, 6.0
ROUNDING = 2.3e-16
# the dense output may be off by so many tolerances before the step is made smaller
DENSE_LIMIT = 4.0
# h ||df/dy|| below which an explicit step of the same size would be stable, and how often in a row before going back
EASY, EASY_STEPS = 1.0, 25


@kernel
def autonomous(t, y, p, dft):
    """df/dt of a right-hand side that does not depend on time."""
    for i in range(y.size):
        dft[i] = 0.0


@kernel(fastmath=FASTMATH)
def interpolate(x, dense, y):
    """The dense output of order 4 of one Rodas5P step."""
    rest = 1.0 - x
    for i in range(y.size):
        y[i] = rest * dense[0, i] + x * (dense[1, i] + rest * (dense[2, i] + x * (dense[3, i] + x * dense[4, i])))


@kernel(fastmath=FASTMATH)
def largest_row_sum(a):
    """The maximum norm of a matrix, an upper bound of its spectral radius."""
    largest = 0.0
    for i in range(a.shape[0]):
        total = 0.0
        for j in range(a.shape[1]):
            total += abs(a[i, j])
        largest = max(largest, total)
    return largest


class LinearAlgebra(NamedTuple):
    """How the matrix W = d - df/dy of an implicit step is made and solved, as kernels.

    workspace : `workspace(y, p) -> work`, whatever arrays the other kernels need, made once per integration.
    differentiate : `differentiate(t, y, p, work)` puts df/dy at a state into `work`.
    factor : `factor(d, work) -> bool` prepares solving with W, False if it is singular.
    solve : `solve(work, b)` overwrites b with the solution of W x = b.
    norm : `norm(work) -> float`, an upper bound of the spectral radius of df/dy.
    """

    workspace: Callable[..., Any]
    differentiate: Callable[..., Any]
    factor: Callable[..., Any]
    solve: Callable[..., Any]
    norm: Callable[..., Any]


def dense_algebra(jacobian: Callable[..., Any]) -> LinearAlgebra:
    """A full Jacobian and its LU factors."""

    @kernel
    def workspace(y, p):
        n = y.size
        return np.zeros((n, n)), np.empty((n, n)), np.empty(n, dtype=np.int64)

    @kernel
    def differentiate(t, y, p, work):
        jacobian(t, y, p, work[0])

    @kernel(fastmath=FASTMATH)
    def factor(d, work):
        slopes, lu, pivots = work
        for i in range(lu.shape[0]):
            for j in range(lu.shape[0]):
                lu[i, j] = -slopes[i, j]
            lu[i, i] += d
        return lu_factor(lu, pivots)

    @kernel
    def solve(work, b):
        lu_solve(work[1], work[2], b)

    @kernel
    def norm(work):
        return largest_row_sum(work[0])

    return LinearAlgebra(workspace, differentiate, factor, solve, norm)


def implicit_segment(
    rhs: Callable[..., Any], algebra: LinearAlgebra, event: Callable[..., Any], d_dt: Callable[..., Any]
) -> Any:
    """Make `segment(p, y, times, out, rtol, atol, max_steps, t, h, row, watch) -> (code, t, h, row, steps)`.

    It goes on from state `y` at `t` with step `h` (0: guess one) and output row `row`, and with `watch` it hands over
    (code NOT_STIFF) when an explicit method could have made the last 25 steps at the same size.
    """
    locate = locate_event(interpolate, event)
    fill = fill_rows(interpolate)
    guess = first_step(rhs, ORDER)
    exponent = 1.0 / ORDER
    workspace, differentiate, factorise, solve, norm_of = algebra

    @kernel(fastmath=FASTMATH)
    def midpoint_error(t, h, dense, p, y, y_new, work, rtol, atol, state, residual):
        """Error of the dense output in the middle of a step, from its residual through the step's own matrix.

        The stiffer a variable is, the smaller the embedded estimate becomes, because the end of the step is then
        right at any size of it, but not what lies between.
        """
        interpolate(0.5, dense, state)
        rhs(t + 0.5 * h, state, p, residual)
        for i in range(y.size):
            slope = (dense[1, i] - dense[0, i] + 0.25 * (dense[3, i] + dense[4, i])) / h
            residual[i] = slope - residual[i]
        solve(work, residual)
        return error_norm(residual, y, y_new, rtol, atol)

    @kernel(fastmath=FASTMATH)
    def segment(p, y, times, out, rtol, atol, max_steps, t, h, row, watch):
        n = y.size
        t_end = times[-1]
        atol = attainable(atol, y)
        k = np.empty((STAGES, n))
        y_new = np.empty(n)
        dy = np.empty(n)
        dy_start = np.empty(n)
        dft = np.empty(n)
        work = workspace(y, p)
        dense = np.empty((5, n))
        rhs(t, y, p, dy_start)
        if h == 0.0:
            h = guess(t, y, p, dy_start, t_end, rtol, atol, y_new, dy)
            if not math.isfinite(h):
                return NOT_FINITE, t, h, row, 0
        above = event(t, y, p)
        h_old = 0.0
        error_old = 1e-2
        rejected = False
        fresh = False
        easy = 0
        norm = 0.0
        steps = 0
        while t < t_end:
            if steps >= max_steps:
                return MAX_STEPS, t, h, row, steps
            steps += 1
            last = t + 1.01 * h >= t_end
            step = t_end - t if last else h
            if not fresh:
                differentiate(t, y, p, work)
                d_dt(t, y, p, dft)
                if watch:
                    norm = norm_of(work)
                fresh = True
            regular = factorise(1.0 / (step * GAMMA), work)
            inverse = 1.0 / step
            for s in range(STAGES):
                ks = k[s]
                for i in range(n):
                    y_new[i] = y[i]
                    ks[i] = 0.0
                for j in range(s):
                    a = A[s, j]
                    c = C[s, j] * inverse
                    kj = k[j]
                    for i in range(n):
                        y_new[i] += a * kj[i]
                        ks[i] += c * kj[i]
                if s == 0:
                    for i in range(n):
                        ks[i] += dy_start[i]
                else:
                    rhs(t + ABSCISSAE[s] * step, y_new, p, dy)
                    for i in range(n):
                        ks[i] += dy[i]
                w = TIME_WEIGHTS[s] * step
                for i in range(n):
                    ks[i] += w * dft[i]
                solve(work, ks)
            for i in range(n):
                y_new[i] += k[STAGES - 1, i]
            err = error_norm(k[STAGES - 1], y, y_new, rtol, atol) if regular else math.nan
            if err <= 1.0:
                rhs(t + step, y_new, p, dy)
                for i in range(n):
                    if not math.isfinite(dy[i]):
                        err = math.nan
            if not err <= 1.0:  # too large, or not a number
                if math.isfinite(err):
                    h = step * max(SHRINK, SAFETY * err**-exponent)
                else:
                    h = 0.1 * step
                rejected = True
                easy = 0
                if h <= 4.0 * ROUNDING * abs(t) or h < 1e-300:
                    return (STEP_TOO_SMALL if math.isfinite(err) else NOT_FINITE), t, h, row, steps
                continue

            t_new = t_end if last else t + step
            after = event(t_new, y_new, p)
            stopped = above > 0.0 and after <= 0.0
            if stopped or (row < times.size and times[row] < t_new):
                for i in range(n):
                    dense[0, i] = y[i]
                    dense[1, i] = y_new[i]
                    dense[2, i] = 0.0
                    dense[3, i] = 0.0
                    dense[4, i] = 0.0
                for m in range(3):
                    for j in range(STAGES):
                        weight = H[m, j]
                        for i in range(n):
                            dense[2 + m, i] += weight * k[j, i]
                # k is free from here on
                dense_err = midpoint_error(t, step, dense, p, y, y_new, work, rtol, atol, k[0], k[1])
                if not dense_err <= DENSE_LIMIT:
                    ratio = dense_err / DENSE_LIMIT if math.isfinite(dense_err) else 1e9
                    h = step * max(SHRINK, SAFETY * ratio**-exponent)
                    rejected = True
                    easy = 0
                    if h <= 4.0 * ROUNDING * abs(t) or h < 1e-300:
                        return STEP_TOO_SMALL, t, h, row, steps
                    continue

            err = max(err, 1e-10)
            factor = SAFETY * err**-exponent
            if h_old > 0.0:
                factor = min(factor, SAFETY * (step / h_old) * (error_old / (err * err)) ** exponent)
            factor = min(GROW, max(SHRINK, factor))
            h_old = step
            error_old = max(err, 1e-2)
            grown = step * (min(1.0, factor) if rejected else factor)
            # the last step was cut to fit; what is known about the next one's size is not less than before
            h = max(h, grown) if last else grown
            rejected = False

            if stopped:
                x = locate(t, step, dense, p, y_new)
                t_new = t + x * step
                row = fill(t, t_new, step, dense, y_new, times, row, out)
                copy(y_new, y)
                return EVENT, t_new, h, row, steps
            row = fill(t, t_new, step, dense, y_new, times, row, out)

            if watch:
                easy = easy + 1 if step * norm < EASY else 0
            above = after
            t = t_new
            fresh = False
            for i in range(n):
                y[i] = y_new[i]
                dy_start[i] = dy[i]
            if easy >= EASY_STEPS and t < t_end:
                return NOT_STIFF, t, h, row, steps
        return DONE, t, h, row, steps

    return segment


def rosenbrock(
    rhs: Callable[..., Any],
    jacobian: Callable[..., Any],
    event: Callable[..., Any] | None = None,
    d_dt: Callable[..., Any] | None = None,
) -> Any:
    """Make `integrate(p, y, times, out, rtol, atol, max_steps) -> (code, t_reached, steps)` for a stiff dy/dt = rhs.

    Parameters
    ----------
    rhs : kernel `rhs(t, y, p, dy)`, writes dy (n,); `p` is anything Numba can type.
    jacobian : kernel `jacobian(t, y, p, J)`, writes J[i, j] = d dy_i / d y_j (n, n). J is zero at the first call of an
        integration and keeps its entries between calls: those that are always zero need not be written.
    event : as for `runge_kutta`.
    d_dt : kernel `d_dt(t, y, p, dft)`, writes the partial time derivative (n,) of a right-hand side that depends on t.

    The kernel made is called like that of `runge_kutta`.
    """
    return structured_rosenbrock(rhs, dense_algebra(jacobian), event, d_dt)


def structured_rosenbrock(
    rhs: Callable[..., Any],
    algebra: LinearAlgebra,
    event: Callable[..., Any] | None = None,
    d_dt: Callable[..., Any] | None = None,
) -> Any:
    """Like `rosenbrock`, for a Jacobian with a structure that its own `algebra` knows how to solve."""
    segment = implicit_segment(rhs, algebra, no_event if event is None else event, autonomous if d_dt is None else d_dt)

    @kernel(inline="always")
    def integrate(p, y, times, out, rtol, atol, max_steps):
        row = start_rows(y, times, out)
        if row == times.size:
            return DONE, 0.0, 0
        code, t, _, row, steps = segment(p, y, times, out, rtol, atol, max_steps, 0.0, 0.0, row, False)
        return code, t, steps

    return integrate
