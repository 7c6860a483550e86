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
from solvers.numerics.dense_output import no_event
from solvers.numerics.outcome import NOT_STIFF
from solvers.numerics.rodas5p import ABSCISSAE, GAMMA, ORDER, STAGES, TIME_WEIGHTS, A, C, H
from solvers.numerics.step_control import error_norm, first_step, predicted_factor
from solvers.numerics.stepping import Method, make_segment, whole

lu_factor, lu_solve = small_lu.factor, small_lu.solve

EXPONENT = 1.0 / ORDER
# rows of `k` after the stages: the derivative at the start and at the end of a step
START, END = STAGES, STAGES + 1
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


@kernel(fastmath=FASTMATH)
def resize(err, step, step_before, error_before):
    """Predictive control."""
    return predicted_factor(err**-EXPONENT, (error_before / (err * err)) ** EXPONENT, step, step_before)


@kernel
def looks_easy(step, y_new, k, own):
    """Whether an explicit step of this size would be stable."""
    return step * own[0][0] < EASY


@kernel(fastmath=FASTMATH)
def advance(y, y_new, k, dy):
    """The derivative at the end of a step is that at the start of the next."""
    for i in range(y.size):
        y[i] = y_new[i]
        k[START, i] = k[END, i]


def implicit_segment(
    rhs: Callable[..., Any], algebra: LinearAlgebra, event: Callable[..., Any], d_dt: Callable[..., Any]
) -> Any:
    """A segment of implicit steps (see `stepping.make_segment`).

    It hands over (code NOT_STIFF) when an explicit method could have made the last 25 steps at the same size.
    """
    guess = first_step(rhs, ORDER)
    matrices, differentiate, factorise, solve, norm_of = algebra

    @kernel
    def workspace(y, p):
        """The norm of df/dy, df/dt (n,), and the algebra's own."""
        return np.zeros(1), np.empty(y.size), matrices(y, p)

    @kernel
    def begin(t, h, y, p, t_end, rtol, atol, y_new, k, dy, own):
        rhs(t, y, p, dy)
        for i in range(y.size):
            k[START, i] = dy[i]
        return h if h != 0.0 else guess(t, y, p, k[START], t_end, rtol, atol, y_new, dy)

    @kernel(fastmath=FASTMATH)
    def attempt(t, step, y, p, repeated, watch, rtol, atol, y_new, k, dy, own):
        norm, dft, matrix = own
        n = y.size
        if not repeated:
            differentiate(t, y, p, matrix)
            d_dt(t, y, p, dft)
            if watch:
                norm[0] = norm_of(matrix)
        regular = factorise(1.0 / (step * GAMMA), matrix)
        inverse = 1.0 / step
        for s in range(STAGES):
            for i in range(n):
                y_new[i] = y[i]
                k[s, i] = 0.0
            for j in range(s):
                a = A[s, j]
                c = C[s, j] * inverse
                for i in range(n):
                    y_new[i] += a * k[j, i]
                    k[s, i] += c * k[j, i]
            if s == 0:
                for i in range(n):
                    dy[i] = k[START, i]
            else:
                rhs(t + ABSCISSAE[s] * step, y_new, p, dy)
            w = TIME_WEIGHTS[s] * step
            for i in range(n):
                dy[i] = k[s, i] + dy[i] + w * dft[i]
            solve(matrix, dy)
            for i in range(n):
                k[s, i] = dy[i]
        for i in range(n):
            y_new[i] += k[STAGES - 1, i]
        err = error_norm(dy, y, y_new, rtol, atol) if regular else math.nan
        if err <= 1.0:
            rhs(t + step, y_new, p, dy)
            for i in range(n):
                k[END, i] = dy[i]
                if not math.isfinite(dy[i]):
                    err = math.nan
        return err

    @kernel(fastmath=FASTMATH)
    def describe(t, step, y, y_new, p, rtol, atol, dense, k, dy, own):
        """The rows for `interpolate`, and the error in the middle of the step over DENSE_LIMIT; a stage is lost.

        That error follows from the residual there, through the step's own matrix. The stiffer a variable is, the
        smaller the embedded estimate becomes, because the end of the step is then right at any size of it, but not
        what lies between.
        """
        n = y.size
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
        middle = k[0]
        interpolate(0.5, dense, middle)
        rhs(t + 0.5 * step, middle, p, dy)
        for i in range(n):
            slope = (dense[1, i] - dense[0, i] + 0.25 * (dense[3, i] + dense[4, i])) / step
            dy[i] = slope - dy[i]
        solve(own[2], dy)
        err = error_norm(dy, y, y_new, rtol, atol)
        return err / DENSE_LIMIT if math.isfinite(err) else 1e9

    method = Method(
        rows=STAGES + 2,
        workspace=workspace,
        begin=begin,
        attempt=attempt,
        describe=describe,
        interpolate=interpolate,
        resize=resize,
        suggests=looks_easy,
        advance=advance,
        exponent=EXPONENT,
        least_error=1e-2,
        hand_over=NOT_STIFF,
        after=EASY_STEPS,
        exceptions=0,
        every=1,
    )
    return make_segment(method, event)


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

    return whole(segment)
