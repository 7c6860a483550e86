"""Closed systems in a pure product state: wave functions at any number of times from the eigenvectors of H.

psi(t) = sum_k exp(-i E_k t) |k><k|psi(0)>, exact at any time and cheap for thousands of them; up to about ten spins.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from solvers.engines.master_equation.generator import apply_hamiltonian
from solvers.engines.spin_system import SpinSystem
from solvers.numerics.compile import entry

MOST_SPINS = 10
_CHUNK_BYTES = 32 * 2**20


def is_closed_and_pure(system: SpinSystem, spins0: NDArray[np.float64]) -> bool:
    """Whether there is no dissipation and the product state with Bloch vectors (N, 3) is pure."""
    return not system.Gamma.any() and bool(np.all(np.abs(np.linalg.norm(spins0, axis=1) - 1) < 1e-14))


def product_wave(spins0: NDArray[np.float64]) -> NDArray[np.complex128]:
    """psi (2^N,) of the product state with Bloch vectors (N, 3) of length 1."""
    psi = np.ones(1, dtype=np.complex128)
    for x, y, z in spins0:
        spin = np.array([1 + z, x + 1j * y]) if z >= 0 else np.array([x - 1j * y, 1 - z])
        psi = np.kron(psi, spin / np.linalg.norm(spin))
    return psi


@entry
def hamiltonian_columns(field, coupling):
    """H (2^N, 2^N), transposed."""
    size = 1 << field.shape[0]
    columns = np.zeros((size, size), np.complex128)
    for k in range(size):
        unit = np.zeros(size, np.complex128)
        unit[k] = 1.0
        apply_hamiltonian(unit, columns[k], field, coupling)
    return columns


def closed_moments(
    system: SpinSystem, spins0: NDArray[np.float64], times: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Spins (T, N, 3), and raw correlations (T, 3, 3) of the first two sites (NaN for a single spin), at `times` (T,)."""
    n, count = system.N, len(times)
    H = hamiltonian_columns(np.ascontiguousarray(system.field), np.ascontiguousarray(system.coupling)).T
    energies, vectors = np.linalg.eigh(H)
    weights = vectors.conj().T @ product_wave(spins0)
    spins, pair = np.empty((count, n, 3)), np.full((count, 3, 3), np.nan)
    rows = max(1, _CHUNK_BYTES // (16 * len(energies)))
    for first in range(0, count, rows):
        part = slice(first, min(first + rows, count))
        psi = (np.exp(-1j * times[part, None] * energies) * weights) @ vectors.T
        spins[part] = _spins(psi, n)
        if n > 1:
            pair[part] = _first_pair(psi)
    return spins, pair


def _spins(psi: NDArray[np.complex128], n: int) -> NDArray[np.float64]:
    found = np.empty((len(psi), n, 3))
    for i in range(n):
        parts = psi.reshape(len(psi), 2**i, 2, -1)
        up, down = parts[:, :, 0], parts[:, :, 1]
        flip = 2 * np.einsum("tab,tab->t", up.conj(), down)
        found[:, i, 0], found[:, i, 1] = flip.real, flip.imag
        found[:, i, 2] = np.einsum("tab,tab->t", up.conj(), up).real - np.einsum("tab,tab->t", down.conj(), down).real
    return found


_PAIRS = np.array(
    [
        [np.kron(p, q) for q in (np.array([[0, 1], [1, 0]]), np.array([[0, -1j], [1j, 0]]), np.diag([1.0 + 0j, -1.0]))]
        for p in (np.array([[0, 1], [1, 0]]), np.array([[0, -1j], [1j, 0]]), np.diag([1.0 + 0j, -1.0]))
    ]
)


def _first_pair(psi: NDArray[np.complex128]) -> NDArray[np.float64]:
    amplitudes = psi.reshape(len(psi), 4, -1)
    rho = np.einsum("tax,tbx->tab", amplitudes, amplitudes.conj())
    return np.asarray(np.einsum("tab,pqba->tpq", rho, _PAIRS).real)
