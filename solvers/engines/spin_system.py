"""Spins 1/2 with fields, pair couplings and any dissipator linear in the Pauli matrices: the input of every engine.

With Pauli matrices s_i^a (eigenvalues +-1), times in the inverse unit of the rates and hbar = 1,

    H = sum_i field_i . s_i + sum_{i<j} s_i . coupling_ij s_j
    L[rho] = -i [H, rho] + sum_{ia,jb} Gamma_{ia,jb} (s_i^a rho s_j^b - {s_j^b s_i^a, rho} / 2)

A jump operator sum_{ia} u_{ia} s_i^a at rate kappa adds kappa u u^+ to Gamma, whose index is 3 i + a.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

LOWERING = np.array([0.5, -0.5j, 0.0])
"""sigma_- = |down><up| as a vector over (s^x, s^y, s^z)."""
RAISING = np.array([0.5, 0.5j, 0.0])
PAULI_Z = np.array([0.0, 0.0, 1.0 + 0j])

SIGMA = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])
"""s^x, s^y, s^z as matrices, up first."""

EPSILON = np.zeros((3, 3, 3))
"""The Levi-Civita symbol."""
for _a, _b, _c in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
    EPSILON[_a, _b, _c], EPSILON[_a, _c, _b] = 1.0, -1.0


@dataclass(frozen=True)
class SpinSystem:
    """Fields (N, 3), couplings (N, N, 3, 3) with coupling_ij = coupling_ji^T and none on site, Gamma (3N, 3N) Hermitian."""

    field: NDArray[np.float64]
    coupling: NDArray[np.float64]
    Gamma: NDArray[np.complex128]

    def __post_init__(self) -> None:
        n = len(self.field)
        if self.field.shape != (n, 3) or self.coupling.shape != (n, n, 3, 3) or self.Gamma.shape != (3 * n, 3 * n):
            raise ValueError(
                f"field, coupling and Gamma must have shapes (N, 3), (N, N, 3, 3) and (3N, 3N); "
                f"given were {self.field.shape}, {self.coupling.shape}, {self.Gamma.shape}"
            )

    @property
    def N(self) -> int:
        """Number of spins."""
        return len(self.field)

    def smallest_rate(self) -> float:
        """The smallest eigenvalue of Gamma; the dynamics is completely positive if it is not negative."""
        return float(min(np.linalg.eigvalsh(block)[..., 0].min() for block in self._rate_blocks()))

    @functools.cached_property
    def positive(self) -> bool:
        """Whether Gamma is positive up to rounding."""
        largest = float(np.abs(self.Gamma).max(initial=0.0))
        try:
            for block in self._rate_blocks():
                np.linalg.cholesky(block + (1e-10 * largest + 1e-300) * np.eye(block.shape[-1]))
        except np.linalg.LinAlgError:
            return False
        return True

    def _rate_blocks(self) -> Iterator[NDArray[np.complex128]]:
        """Gamma without its zeros: one (N, 3, 3) stack if all rates are local, else one matrix per connected cluster."""
        n = self.N
        blocks = self.Gamma.reshape(n, 3, n, 3).transpose(0, 2, 1, 3)
        linked = (blocks != 0).any(axis=(2, 3))
        linked[np.arange(n), np.arange(n)] = True
        if linked.sum() == n:
            yield blocks[np.arange(n), np.arange(n)]
            return
        for sites in clusters(linked):
            index = np.array([3 * i + a for i in sites for a in range(3)])
            yield self.Gamma[np.ix_(index, index)]


def correlated(vector: NDArray[np.complex128], rates: NDArray[np.float64]) -> NDArray[np.complex128]:
    """Gamma (3N, 3N) of sum_ij rates_ij (L_i rho L_j^+ - {L_j^+ L_i, rho}/2) with L_i = `vector` . s_i and `rates` (N, N)."""
    return np.kron(rates, np.outer(vector, vector.conj())).astype(np.complex128)


def local_dissipator(
    gamma_minus: NDArray[np.float64], gamma_plus: NDArray[np.float64], gamma_z: NDArray[np.float64]
) -> NDArray[np.complex128]:
    """Gamma (3N, 3N) of D[sigma_-], D[sigma_+] and D[sigma_z] with the rates (N,) of each site."""
    n = len(gamma_minus)
    Gamma = np.zeros((n, 3, n, 3), dtype=np.complex128)
    Gamma[np.arange(n), :, np.arange(n), :] = local_blocks(gamma_minus, gamma_plus, gamma_z)
    return Gamma.reshape(3 * n, 3 * n)


def local_blocks(
    gamma_minus: NDArray[np.float64], gamma_plus: NDArray[np.float64], gamma_z: NDArray[np.float64]
) -> NDArray[np.complex128]:
    """The same for each site by itself, (..., 3, 3)."""
    blocks = np.zeros((*np.shape(gamma_minus), 3, 3), dtype=np.complex128)
    for vector, rates in ((LOWERING, gamma_minus), (RAISING, gamma_plus), (PAULI_Z, gamma_z)):
        blocks += np.asarray(rates)[..., None, None] * np.outer(vector, vector.conj())
    return blocks


def product_correlations(spins: NDArray[np.float64]) -> NDArray[np.float64]:
    """<s_i^a s_j^b> (..., N, N, 3, 3) of product states with Bloch vectors (..., N, 3); zero for i = j."""
    pairs = np.einsum("...ia,...jb->...ijab", spins, spins)
    n = spins.shape[-2]
    pairs[..., np.arange(n), np.arange(n), :, :] = 0.0
    return pairs


def bonded_pairs(system: SpinSystem) -> list[tuple[int, int]]:
    """The pairs i < j that a coupling or a common channel joins."""
    n = system.N
    cross = np.abs(system.Gamma.reshape(n, 3, n, 3)).max(axis=(1, 3))
    joined = (np.abs(system.coupling).max(axis=(2, 3)) > 0) | (cross > 0)
    return [(i, j) for i in range(n) for j in range(i + 1, n) if joined[i, j]]


def clusters(linked: NDArray[np.bool_]) -> list[list[int]]:
    """Connected components of a symmetric relation (N, N), each in rising order."""
    count, label = connected_components(linked, directed=False)
    return [np.flatnonzero(label == k).tolist() for k in range(count)]
