"""Steady states of the moment equations: integration until the motion is slow, then Newton's method, then a stability test."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigvals
from scipy.sparse.linalg import LinearOperator, gmres

from solvers.engines.moments.equations import build_coefficients
from solvers.engines.moments.first_order import mean_field_derivative
from solvers.engines.moments.integration import MEAN_FIELD, integrate
from solvers.engines.moments.packing import pack, unpack_connected, unpack_spins
from solvers.engines.moments.propagation import refuse_beyond_memory
from solvers.engines.moments.second_order import cumulant_derivative
from solvers.engines.spin_system import SpinSystem, product_correlations
from solvers.numerics.outcome import DONE

_NEWTON_UNKNOWNS = 800
_AT_REST = 1e-11


@dataclass(frozen=True)
class Rest:
    """Moments at rest: spins (N, 3), raw correlations (N, N, 3, 3), the largest derivative left, an outcome code, stable?"""

    spins: NDArray[np.float64]
    correlations: NDArray[np.float64]
    derivative: float
    code: int
    time: float
    stable: bool
    at_rest: bool


def settle(
    system: SpinSystem,
    order: int,
    spins0: NDArray[np.float64],
    correlations0: NDArray[np.float64] | None,
    *,
    rtol: float,
    atol: float,
    max_steps: int,
) -> Rest:
    """The state of rest that the moment equations reach from a start.

    The integration goes on in ever longer pieces until the largest derivative is 1e-11 of the largest rate, or until
    Newton's method finds a stable state of rest nearby. Stable: no eigenvalue of the Jacobian above 1e-7 of that rate.
    """
    n = system.N
    refuse_beyond_memory(n, order)
    p = build_coefficients(system, order)
    first = order == MEAN_FIELD
    y = spins0.T.ravel().copy() if first else pack(spins0, correlations0)
    derivative = mean_field_derivative if first else cumulant_derivative
    rate = float(np.abs(p.Omega).max(initial=0.0) + np.abs(p.K).sum(axis=1).max() + np.abs(p.R).max() + 1e-300)
    active = np.arange(y.size)
    if not first:  # elements inside a site are zero and stay so
        rows, columns = np.triu_indices(3 * n, 1)
        active = np.concatenate([np.arange(3 * n), 3 * n + np.flatnonzero(rows % n != columns % n)])

    def slope(state: NDArray[np.float64]) -> NDArray[np.float64]:
        out = np.empty_like(state)
        derivative(p, state, out)
        return out

    duration, now, steps = 10.0 / rate, 0.0, 0
    out = np.empty((1, y.size))
    code, stable, largest = DONE, True, np.inf
    while True:
        largest = float(np.abs(slope(y)).max())
        small = len(active) <= _NEWTON_UNKNOWNS
        if largest < 1e-4 * rate:
            found = _newton(slope, y, active, rate, small)
            if found is not None:
                y = found
                largest = float(np.abs(slope(y)).max())
        if largest <= _AT_REST * rate:
            if small:
                stable = bool(eigvals(_jacobian(slope, y, active)).real.max() < 1e-7 * rate)
            break
        if steps >= max_steps:
            break
        # the error of the steps must not keep the derivative from falling
        code, reached, used = integrate(
            p, order, y, np.array([duration]), out, min(rtol, 1e-10), min(atol, 1e-12), max_steps - steps
        )
        steps += used
        now += reached
        if code != DONE:
            break
        duration *= 1.5
    spins = unpack_spins(y, n)
    correlations = product_correlations(spins)
    if not first:
        correlations = correlations + unpack_connected(y, n)
    return Rest(spins, correlations, largest, int(code), now, stable, largest <= _AT_REST * rate)


def _jacobian(slope, y: NDArray[np.float64], active: NDArray[np.intp]) -> NDArray[np.float64]:
    """Central differences; the equations are cubic polynomials, so that the error is the step squared."""
    h = 1e-4
    matrix = np.empty((len(active), len(active)))
    for column, k in enumerate(active):
        up, down = y.copy(), y.copy()
        up[k] += h
        down[k] -= h
        matrix[:, column] = (slope(up) - slope(down))[active] / (2 * h)
    return matrix


def _newton(slope, y: NDArray[np.float64], active: NDArray[np.intp], rate: float, small: bool):
    """A state of rest close to y, or None; for many unknowns the linear equations are solved by GMRES.

    Of a few unknowns it is known to be stable; of many, the integration that leads there says so.
    """
    state = y.copy()
    for _ in range(12):
        residual = slope(state)[active]
        if np.abs(residual).max() <= 0.1 * _AT_REST * rate:
            if small and eigvals(_jacobian(slope, state, active)).real.max() >= 1e-7 * rate:
                return None
            return state
        if small:
            change = np.linalg.lstsq(_jacobian(slope, state, active), -residual, rcond=1e-11)[0]
        else:
            change = _krylov_step(slope, state, active, residual)
        if not np.all(np.isfinite(change)) or np.abs(change).max() > 0.05:
            return None
        state[active] += change
    return None


def _krylov_step(slope, state, active, residual) -> NDArray[np.float64]:
    def along(v: NDArray[np.float64]) -> NDArray[np.float64]:
        largest = float(np.abs(v).max())
        if largest == 0.0:
            return v
        h = 1e-4 / largest
        up, down = state.copy(), state.copy()
        up[active] += h * v
        down[active] -= h * v
        return (slope(up) - slope(down))[active] / (2 * h)

    operator = LinearOperator((len(active), len(active)), matvec=along, dtype=np.float64)
    change, _ = gmres(operator, -residual, rtol=1e-4, atol=0.0, restart=60, maxiter=4)
    return np.asarray(change)
