"""The steady state of up to about six spins and the spectral gap, with a residual that says how good they are.

In the Pauli basis r = (1, x) with L r = (0, L' x + b): the first row of L vanishes because the trace is conserved. Up to
four spins L' is a small dense matrix. Above, only E = exp(tau L') is applied: GMRES solves (1 - E) x = c with c the motion
of x = 0 in tau, and Arnoldi finds the eigenvalues of E of largest modulus, whose logarithms over tau are those of L' with
the largest real parts. Where the steady state is not unique, what is returned is the one reached from the start state (its
average in time if it never rests): GMRES corrections lie in the range of 1 - E and leave the conserved part of the start.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lu_factor, lu_solve, null_space
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigs, gmres

from solvers.engines.master_equation.generator import Generator
from solvers.engines.master_equation.propagation import evolve
from solvers.engines.master_equation.spectrum import dense_gap

_DENSE_SPINS = 4
UNIQUE = 1e-9
"""A gap below this fraction of the largest rate counts as closed."""


@dataclass(frozen=True)
class SteadyState:
    """r (4^N,), the Frobenius norm of L rho, the spectral gap, whether the state is unique, and whether all converged."""

    r: NDArray[np.float64]
    residual: float
    gap: float
    unique: bool
    converged: bool


def steady_state(
    generator: Generator, r0: NDArray[np.float64], *, with_gap: bool = True, max_applications: float = 1e6
) -> SteadyState:
    """The steady state reached from `r0` (4^N,) and the gap, minus the largest real part of all other eigenvalues.

    With `with_gap` False the gap is left out (NaN) for more than four spins. Raises RuntimeError when more than
    `max_applications` of L are needed.
    """
    scale = max(-generator.real_range[0], generator.imaginary_bound, 1e-300)
    if np.array_equal(generator.real_range, (0.0, 0.0)) and generator.imaginary_bound == 0.0:
        return SteadyState(r0.copy(), 0.0, 0.0, False, True)
    if generator.N <= _DENSE_SPINS:
        r, gap = _dense(generator, r0, scale)
        converged = True
    else:
        r, gap, converged = _iterative(generator, r0, with_gap, max_applications)
    residual = float(np.linalg.norm(generator.apply(r)) / np.sqrt(2.0**generator.N))
    unique = bool(np.isnan(gap) or gap > UNIQUE * scale)
    return SteadyState(r, residual, gap, unique, converged and residual < 1e-7 * scale)


def _dense(generator: Generator, r0, scale: float) -> tuple[NDArray[np.float64], float]:
    matrix = generator.dense()
    gap = dense_gap(matrix)
    if gap > UNIQUE * scale:
        factors = lu_factor(matrix[1:, 1:])
        x = -lu_solve(factors, matrix[1:, 0])
        x -= lu_solve(factors, matrix[1:, 1:] @ x + matrix[1:, 0])
        return np.concatenate([[1.0], x]), gap
    # the limit, or average, of exp(tL) r0: the projection on the null space along the range
    right = null_space(matrix, rcond=1e-11)
    left = null_space(matrix.T, rcond=1e-11)
    r = right @ np.linalg.solve(left.T @ right, left.T @ r0)
    return r, max(gap, 0.0)


def _iterative(
    generator: Generator, r0, with_gap: bool, max_applications: float
) -> tuple[NDArray[np.float64], float, bool]:
    rate = float(-generator.terms.diagonal.mean())
    if rate <= 0.0:
        raise RuntimeError(
            "there is no dissipation: every state that commutes with H is stationary; add a rate, or take N <= 4"
        )
    tau = np.array([4.0 / rate])
    none = np.empty(0, dtype=np.int64)
    spent = 0.0

    def propagate(r: NDArray[np.float64]) -> NDArray[np.float64]:
        nonlocal spent
        evolution = evolve(
            generator, r, tau, none, rtol=1e-12 * max(1.0, float(np.linalg.norm(r))), max_applications=max_applications
        )
        spent += evolution.applications
        if spent > max_applications:
            raise RuntimeError(
                f"the steady state needs more than {max_applications:.3g} applications of the generator: dissipation is "
                "very weak beside H; raise max_steps, or integrate in time"
            )
        return evolution.final

    def moved(x: NDArray[np.float64]) -> NDArray[np.float64]:
        norm = float(np.linalg.norm(x))
        if norm == 0.0:
            return x
        return norm * propagate(np.concatenate([[0.0], x / norm]))[1:]

    size = generator.dimension - 1
    step = LinearOperator((size, size), matvec=lambda x: x - moved(x), dtype=np.float64)
    origin = np.zeros(generator.dimension)
    origin[0] = 1.0
    constant = propagate(origin)[1:]
    x, _ = gmres(step, constant, x0=r0[1:].copy(), rtol=1e-13, atol=1e-13, restart=80, maxiter=10)
    if not with_gap:
        return np.concatenate([[1.0], x]), float("nan"), True
    operator = LinearOperator((size, size), matvec=moved, dtype=np.float64)
    start = np.cos(np.arange(size) ** 1.5)
    try:
        values = np.asarray(
            eigs(operator, k=3, which="LM", v0=start, ncv=40, tol=1e-10, maxiter=40, return_eigenvectors=False),
            dtype=np.complex128,
        )
        complete = True
    except ArpackNoConvergence as error:
        values, complete = np.asarray(error.eigenvalues, dtype=np.complex128), False
    gap = float(-np.log(np.abs(values).max()) / tau[0]) if len(values) else float("nan")
    return np.concatenate([[1.0], x]), gap, complete
