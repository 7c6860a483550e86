"""An open or closed system of few levels over long times: eigenvectors of H, or dense exponentials of the generator.

    d rho/dt = -i [H, rho] + sum_j r_j (c_j rho c_j^+ - (1/2) {c_j^+ c_j, rho})

A Hermitian rho of n levels has n^2 real coordinates: rho_ii, and sqrt(2) times the real and the imaginary part of rho_ij,
i < j. The population that empties most slowly is replaced by the trace, which then is conserved exactly and not to
rounding. There the generator is a real matrix, of which `master_equation.dense_blocks` takes exponentials: what a time
costs and how exact it is do not depend on how long it is, which steps of any kind do.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from solvers.engines.master_equation.dense_blocks import evolve_blocks, work_of_blocks
from solvers.engines.master_equation.sectors import Sector
from solvers.outcome import Kind, Remark

Complex = NDArray[np.complex128]
_EPS = float(np.finfo(float).eps)
LEAST_TOLERANCE = 1e-11
"""No evolution is called inaccurate for an error below this."""
MOST_LEVELS = 31
"""Up to which the exponentials of n^2 x n^2 numbers take less than some seconds."""


def follow_wave(H: Complex, psi: Complex, times: NDArray[np.float64]) -> tuple[Complex, float]:
    """exp(-i H t) psi (T, n) by the eigenvectors of H, and the error of its phases."""
    energies, vectors = np.linalg.eigh(H)
    energies = energies - 0.5 * (energies[0] + energies[-1])
    turned = np.exp(-1j * np.multiply.outer(times, energies)) * (vectors.conj().T @ psi)
    return turned @ vectors.T, 2 * _EPS * float(np.abs(energies).max()) * float(times[-1])


def work(levels: int, times: NDArray[np.float64], rate: float) -> float:
    """Multiply-adds of `follow_matrix` for a generator of norm `rate`, when it does not fall into blocks."""
    return 2 * work_of_blocks(np.array([levels * levels]), times, rate)


def follow_matrix(
    H: Complex,
    jumps: Sequence[tuple[float, Complex]],
    psi: Complex,
    times: NDArray[np.float64],
    observables: Sequence[Complex],
    rtol: float,
) -> tuple[NDArray[np.float64], float]:
    """<A> (T, K) of the Hermitian matrices A in `observables`, from the pure state psi (n,), and the error of an element of rho.

    `jumps` are rates r_j and operators c_j.
    """
    n = len(H)
    one = np.eye(n)
    L = -1j * (np.kron(H, one) - np.kron(one, H.T))
    for rate, c in jumps:
        product = c.conj().T @ c
        L += 0.5 * rate * (2 * np.kron(c, c.conj()) - np.kron(product, one) - np.kron(one, product.T))
    basis = hermitian_basis(n)
    adjoint = basis.conj().T.tocsr()
    generator = (adjoint @ (basis.T @ L.T).T).real
    start = (adjoint @ np.outer(psi, psi.conj()).ravel()).real
    # Tr(A rho) = sum_ij A_ji rho_ij
    readers = np.array([(basis.T @ A.T.ravel()).real for A in observables])
    slowest = int(np.abs(generator.diagonal()[:n]).argmin())
    others = np.delete(np.arange(n), slowest)
    for matrix in (generator, readers):  # rho_ss = Tr rho - the other populations
        matrix[:, others] -= matrix[:, slowest, None]
    generator[slowest] = 0.0
    start[slowest] = 1.0
    found = np.empty((len(times), len(readers)))

    def receive(first: int, states: NDArray[np.float64]) -> None:
        found[first : first + len(states)] = states @ readers.T

    sector = _sector(generator)
    _, error = evolve_blocks(sector, sector.blocks(), start.astype(np.float64), times, receive, rtol, stable=True)
    return found, error


def hermitian_basis(n: int) -> sparse.csr_matrix:
    """The orthonormal Hermitian matrices of the coordinates, as the columns (n^2, n^2) of vec rho, row by row."""
    i, j = np.triu_indices(n, 1)
    upper, lower = i * n + j, j * n + i
    pairs = len(i)
    half = np.full(pairs, np.sqrt(0.5), dtype=np.complex128)
    real, imaginary = n + np.arange(pairs), n + pairs + np.arange(pairs)
    rows = np.concatenate([np.arange(n) * (n + 1), upper, lower, upper, lower])
    columns = np.concatenate([np.arange(n), real, real, imaginary, imaginary])
    values = np.concatenate([np.ones(n), half, half, 1j * half, -1j * half])
    return sparse.csr_matrix((values, (rows, columns)), shape=(n * n, n * n))


def inaccuracy(error: float, rtol: float) -> Remark | None:
    """Why an evolution is inaccurate, if its estimated error is above the tolerance."""
    if error <= max(rtol, LEAST_TOLERANCE):
        return None
    return Remark(
        kind=Kind.INACCURATE,
        message=f"the estimated error of the density matrix, {error:.2g}, is above rtol = {rtol:.2g}: this is how far "
        "rounding is amplified over the given times; shorten times, or leave out what is faster than the times of interest",
    )


def _sector(matrix: NDArray[np.float64]) -> Sector:
    """All coordinates, as the strings of `evolve_blocks`."""
    size = len(matrix)
    diagonal = matrix.diagonal().copy()
    others = sparse.csr_matrix(matrix - np.diag(diagonal))
    return Sector(
        np.arange(size), diagonal, others.indptr.astype(np.int64), others.indices.astype(np.int64), others.data
    )
