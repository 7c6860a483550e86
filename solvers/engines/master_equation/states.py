"""States in the real Pauli basis: from Bloch vectors and density matrices, and back; their moments and monitors."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator, eigsh

from solvers.outcome import InvalidInput


def product_state(spins: NDArray[np.float64]) -> NDArray[np.float64]:
    """r (4^N,) of the product state with Bloch vectors (N, 3)."""
    r = np.ones(1)
    for spin in spins:
        r = np.multiply.outer(r, np.concatenate([[1.0], spin])).ravel()
    return r


def pauli_vector(rho: NDArray[np.complex128]) -> NDArray[np.float64]:
    """r_P = Tr(P rho) (4^N,) of a Hermitian matrix (2^N, 2^N)."""
    n = len(rho).bit_length() - 1
    # digits (row bit, column bit) of every site, site by site
    order = [k for i in range(n) for k in (i, n + i)]
    r: NDArray[np.complex128] = rho.reshape((2,) * (2 * n)).transpose(order).reshape(-1)
    for i in range(n):
        r = r.reshape(4**i, 4, -1)
        uu, ud, du, dd = r[:, 0], r[:, 1], r[:, 2], r[:, 3]
        r = np.stack([uu + dd, ud + du, 1j * (ud - du), uu - dd], axis=1)
    return np.ascontiguousarray(r.reshape(-1).real)


def density_matrix(r: NDArray[np.float64]) -> NDArray[np.complex128]:
    """rho (..., 2^N, 2^N) = 2^-N sum_P r_P P of states (..., 4^N)."""
    n = (r.shape[-1].bit_length() - 1) // 2
    lead = r.shape[:-1]
    rho = r.reshape(-1, 1, r.shape[-1]).astype(np.complex128)
    count = len(rho)
    for i in range(n):
        digits = rho.reshape(count, 4**i, 4, -1)
        one, x, y, z = (0.5 * digits[:, :, k] for k in range(4))
        rho = np.stack([one + z, x - 1j * y, x + 1j * y, one - z], axis=2)
    order = [1 + 2 * i for i in range(n)] + [2 + 2 * i for i in range(n)]
    matrices = rho.reshape((count,) + (2,) * (2 * n)).transpose(0, *order)
    return np.ascontiguousarray(matrices.reshape(*lead, 2**n, 2**n))


@functools.cache
def moment_indices(n: int) -> NDArray[np.int64]:
    """Indices into r of s_i^a, (3N) in the order 3i+a, then of s_i^a s_j^b for i < j, (9 N(N-1)/2) in the order (i,j), a, b."""
    place = 4 ** np.arange(n - 1, -1, -1, dtype=np.int64)
    axis = np.arange(1, 4)
    singles = (place[:, None] * axis).ravel()
    first, second = np.triu_indices(n, 1)
    pairs = place[first][:, None, None] * axis[:, None] + place[second][:, None, None] * axis
    return np.concatenate([singles, pairs.ravel()]).astype(np.int64)


def split_moments(values: NDArray[np.float64], n: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Spins (..., N, 3) and pair correlations (..., N, N, 3, 3) from the entries at `moment_indices`; zero for i = j."""
    lead = values.shape[:-1]
    spins = values[..., : 3 * n].reshape(*lead, n, 3).copy()
    first, second = np.triu_indices(n, 1)
    blocks = values[..., 3 * n :].reshape(*lead, len(first), 3, 3)
    correlations = np.zeros((*lead, n, n, 3, 3))
    correlations[..., first, second, :, :] = blocks
    correlations[..., second, first, :, :] = np.swapaxes(blocks, -1, -2)
    return spins, correlations


def purity(r: NDArray[np.float64]) -> NDArray[np.float64]:
    """Tr(rho^2) of states (..., 4^N)."""
    return np.einsum("...p,...p->...", r, r) / np.sqrt(r.shape[-1])


def smallest_eigenvalue(r: NDArray[np.float64]) -> float:
    """The smallest eigenvalue of rho: dense up to seven spins, by Lanczos above (an upper bound, good to about 1e-9)."""
    rho = density_matrix(r)
    size = len(rho)
    if size <= 128:
        return float(np.linalg.eigvalsh(rho)[0])
    operator = LinearOperator((size, size), matvec=lambda v: rho @ v, dtype=np.complex128)
    start = np.cos(np.arange(size) ** 2.0) + 0j
    return float(eigsh(operator, k=1, which="SA", v0=start, tol=1e-9, maxiter=20000, return_eigenvectors=False)[0])


def smallest_dense_eigenvalue(r: NDArray[np.float64]) -> float:
    """The same, always dense: the eigenvalues of a weakly mixed state crowd at zero, where iterations crawl."""
    return float(np.linalg.eigvalsh(density_matrix(r))[0]) if np.all(np.isfinite(r)) else float("nan")


def smallest_dense_eigenvalues(r: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same (...,) of many states (..., 4^N) of few spins."""
    if r.shape[-1] == 4:
        return np.asarray((r[..., 0] - np.linalg.norm(r[..., 1:], axis=-1)) / 2)
    return np.asarray(np.linalg.eigvalsh(density_matrix(r))[..., 0])


def check_density_matrix(rho: NDArray[np.complex128], tolerance: float = 1e-8, positive: bool = True) -> None:
    """ValueError unless rho is Hermitian with trace 1 and, if asked, positive up to `tolerance`."""
    skew = np.abs(rho - rho.conj().T)
    if skew.max() > tolerance:
        k, m = np.unravel_index(int(skew.argmax()), skew.shape)
        raise InvalidInput(
            f"rho0 is not Hermitian: element [{k}, {m}] = {rho[k, m]:.6g}, [{m}, {k}] = {rho[m, k]:.6g}; "
            "they must be complex conjugates"
        )
    trace = np.trace(rho).real
    if abs(trace - 1) > tolerance:
        raise InvalidInput(f"rho0 has trace {trace:.10g}; a density matrix has trace 1; divide it by its trace")
    if positive and (smallest := float(np.linalg.eigvalsh(rho)[0])) < -tolerance:
        raise InvalidInput(
            f"rho0 has the eigenvalue {smallest:.6g}; a density matrix has none below 0 (rounding up to {tolerance:g})"
        )
