"""Slow solutions taken letter by letter from the definitions, for comparison with the engines on small systems.

Density matrices with Kronecker products and SciPy's integrators; moments by Pauli algebra on strings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from scipy.linalg import expm
from scipy.optimize import root

from solvers.engines.spin_system import SIGMA, SpinSystem, product_correlations
from solvers.references.pauli_strings import (
    Moments,
    adjoint_generator,
    factorised,
    multiply,
    single,
    without_third_cumulant,
)


def pauli_operators(n: int) -> NDArray[np.complex128]:
    """s_i^a as matrices (N, 3, 2^N, 2^N), site 0 leftmost."""
    operators = np.empty((n, 3, 2**n, 2**n), dtype=np.complex128)
    for i in range(n):
        for a in range(3):
            operators[i, a] = np.kron(np.kron(np.eye(2**i), SIGMA[a]), np.eye(2 ** (n - 1 - i)))
    return operators


def hamiltonian_matrix(system: SpinSystem) -> NDArray[np.complex128]:
    """H (2^N, 2^N)."""
    s = pauli_operators(system.N)
    H = np.einsum("ia,iaxy->xy", system.field, s)
    for i in range(system.N):
        for j in range(i + 1, system.N):
            H = H + np.einsum("ab,axy,byz->xz", system.coupling[i, j], s[i], s[j])
    return H


def lindblad_action(system: SpinSystem, rho: NDArray[np.complex128]) -> NDArray[np.complex128]:
    """L[rho] (2^N, 2^N), term by term."""
    size = 2**system.N
    s = pauli_operators(system.N).reshape(-1, size, size)
    H = hamiltonian_matrix(system)
    out = -1j * (H @ rho - rho @ H)
    for p, q in np.argwhere(system.Gamma != 0).tolist():
        product = s[q] @ s[p]
        out = out + system.Gamma[p, q] * (s[p] @ rho @ s[q] - 0.5 * (product @ rho + rho @ product))
    return out


def liouvillian_matrix(system: SpinSystem) -> NDArray[np.complex128]:
    """L on row-stacked density matrices, (4^N, 4^N)."""
    size = 2**system.N
    s = pauli_operators(system.N).reshape(-1, size, size)
    H, one = hamiltonian_matrix(system), np.eye(size)
    matrix = -1j * (np.kron(H, one) - np.kron(one, H.T))
    for p, q in np.argwhere(system.Gamma != 0).tolist():
        product = s[q] @ s[p]
        matrix = matrix + system.Gamma[p, q] * (
            np.kron(s[p], s[q].T) - 0.5 * (np.kron(product, one) + np.kron(one, product.T))
        )
    return matrix


def product_density_matrix(spins: NDArray[np.float64]) -> NDArray[np.complex128]:
    """rho (2^N, 2^N) of the product state with Bloch vectors (N, 3)."""
    rho = np.ones((1, 1), dtype=np.complex128)
    for spin in spins:
        rho = np.kron(rho, (np.eye(2) + np.einsum("a,axy->xy", spin, SIGMA)) / 2)
    return rho


def density_matrix_moments(rho: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Spins (N, 3) and raw correlations (N, N, 3, 3) of rho; zero for i = j."""
    n = len(rho).bit_length() - 1
    s = pauli_operators(n)
    spins = np.einsum("iaxy,yx->ia", s, rho).real
    pairs = np.einsum("iaxy,jbyz,zx->ijab", s, s, rho, optimize=True).real
    pairs[np.arange(n), np.arange(n)] = 0.0
    return spins, pairs


def exact_path(system: SpinSystem, rho0: NDArray[np.complex128], times: NDArray[np.float64]) -> NDArray[np.complex128]:
    """rho at `times`, (T, 2^N, 2^N), by exponentials of the Liouvillian matrix."""
    matrix = liouvillian_matrix(system)
    return np.array([(expm(t * matrix) @ rho0.ravel()).reshape(rho0.shape) for t in times])


def exact_moments(
    system: SpinSystem, rho0: NDArray[np.complex128], times: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.complex128]]:
    """Spins (T, N, 3), raw correlations (T, N, N, 3, 3) and rho itself at `times`, by `exact_path`."""
    path = exact_path(system, rho0, times)
    spins, correlations = (np.array(m) for m in zip(*[density_matrix_moments(rho) for rho in path], strict=True))
    return spins, correlations, path


def steady_density_matrix(system: SpinSystem) -> tuple[NDArray[np.complex128], float]:
    """The null vector of the Liouvillian matrix, one row replaced by the trace, and the gap, by all its eigenvalues."""
    size = 2**system.N
    matrix = liouvillian_matrix(system)
    values = np.sort(np.linalg.eigvals(matrix).real)
    matrix[0] = np.eye(size).ravel()
    right = np.zeros(size * size, dtype=np.complex128)
    right[0] = 1.0
    return np.linalg.solve(matrix, right).reshape(size, size).astype(np.complex128), float(-values[-2])


def moment_equations(
    system: SpinSystem, pairs: bool
) -> Callable[[NDArray[np.float64], NDArray[np.float64]], tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """The derivative of moments as a function (spins, correlations) -> the same two, closed by zero third cumulants or factorised."""
    n = system.N
    generators: dict[tuple[int, ...], Mapping[tuple[int, int], complex]] = {}
    for i in range(n):
        for a in range(3):
            generators[i, a] = adjoint_generator(system, single(i, a))
            for j in range(i + 1, n) if pairs else ():
                for b in range(3):
                    generators[i, j, a, b] = adjoint_generator(system, multiply(single(i, a), single(j, b))[1])

    def derivative(spins, correlations):
        moments: Moments = without_third_cumulant(spins, correlations) if pairs else factorised(spins)
        d_spins, d_pairs = np.zeros((n, 3)), np.zeros((n, n, 3, 3))
        for where, terms in generators.items():
            value = float(np.real(sum(v * moments(s) for s, v in terms.items())))
            if len(where) == 2:
                d_spins[where] = value
            else:
                i, j, a, b = where
                d_pairs[i, j, a, b] = d_pairs[j, i, b, a] = value
        if not pairs:
            product = np.einsum("ia,jb->ijab", d_spins, spins)
            d_pairs = product + product.transpose(1, 0, 3, 2)
            d_pairs[np.arange(n), np.arange(n)] = 0.0
        return d_spins, d_pairs

    return derivative


def moments_at_rest(
    system: SpinSystem, pairs: bool, spins0: NDArray[np.float64], correlations0: NDArray[np.float64] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Spins (N, 3) and raw correlations (N, N, 3, 3) at rest: a run to t = 12, then SciPy's root of the derivative nearby."""
    n = system.N
    spins, correlations = (m[-1] for m in moment_path(system, pairs, spins0, correlations0, np.array([0.0, 12.0])))
    derivative = moment_equations(system, pairs)
    upper = np.triu_indices(n, 1) if pairs else (np.zeros(0, dtype=int),) * 2

    def unpacked(y):
        s, c = y[: 3 * n].reshape(n, 3), np.zeros((n, n, 3, 3))
        c[upper] = y[3 * n :].reshape(-1, 3, 3)
        return s, c + c.transpose(1, 0, 3, 2)

    def packed(s, c):
        return np.concatenate([s.ravel(), c[upper].ravel()])

    def slope(y):
        return packed(*derivative(*unpacked(y)))

    spins, correlations = unpacked(root(slope, packed(spins, correlations), tol=1e-13).x)
    return spins, correlations if pairs else product_correlations(spins)


def moment_path(
    system: SpinSystem,
    pairs: bool,
    spins0: NDArray[np.float64],
    correlations0: NDArray[np.float64] | None,
    times: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Spins (T, N, 3) and raw correlations (T, N, N, 3, 3) of the closed moment equations, by SciPy's DOP853."""
    n = system.N
    derivative = moment_equations(system, pairs)
    start = product_correlations(spins0) if correlations0 is None else correlations0

    def rhs(_, y):
        d_spins, d_pairs = derivative(y[: 3 * n].reshape(n, 3), y[3 * n :].reshape(n, n, 3, 3))
        return np.concatenate([d_spins.ravel(), d_pairs.ravel()])

    y0 = np.concatenate([spins0.ravel(), start.ravel()])
    end = max(float(times[-1]), 1e-12)
    found = solve_ivp(rhs, (0.0, end), y0, method="DOP853", t_eval=np.minimum(times, end), rtol=1e-11, atol=1e-12)
    y = found.y.T
    return y[:, : 3 * n].reshape(-1, n, 3), y[:, 3 * n :].reshape(-1, n, n, 3, 3)
