"""Approximate inverses of L, for iterations: in the eigenbasis of H, where weak dissipation acts secularly, and site by site.

With H = sum_a E_a |a><a| and S_p = <a|s_p|b>, L takes |a><b| to itself with

    l_ab = -i (E_a - E_b) - (Q_a + Q_b)/2 + sum_pq Gamma_pq (S_p)_aa (S_q)_bb^*,   Q_a = sum_c W_ca

and moves populations with the rates W_ca = sum_pq Gamma_pq (S_p)_ca (S_q)_ca^*: the Pauli master equation. What is left out
joins elements of different frequency, which weak dissipation hardly does. Where dissipation is strong against H, the
diagonal of L on matrix units is the better guess.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from solvers.engines.spin_system import SpinSystem, bonded_pairs

Matrix = NDArray[np.complex128]


def pauli_action(n: int, site: int, axis: int) -> tuple[int, NDArray[np.complex128]]:
    """s^axis of a site as s|b> = phase_b |b xor flip>: (flip, phases (2^N,))."""
    flip = 1 << (n - 1 - site)
    sign = np.where(np.arange(2**n) & flip, -1.0, 1.0) + 0j
    return (flip, np.ones(2**n, dtype=np.complex128)) if axis == 0 else (flip, 1j * sign) if axis == 1 else (0, sign)


def hamiltonian(system: SpinSystem) -> Matrix:
    """H (2^N, 2^N)."""
    n = system.N
    states = np.arange(2**n)
    H = np.zeros((2**n, 2**n), dtype=np.complex128)
    actions = [[pauli_action(n, i, a) for a in range(3)] for i in range(n)]
    for i, a in np.argwhere(system.field != 0.0).tolist():
        flip, phase = actions[i][a]
        H[states ^ flip, states] += system.field[i, a] * phase
    for i, j in bonded_pairs(system):
        for a, b in np.argwhere(system.coupling[i, j] != 0.0).tolist():
            (flip, phase), (flip2, phase2) = actions[i][a], actions[j][b]
            H[states ^ flip ^ flip2, states] += system.coupling[i, j, a, b] * phase * phase2
    return H


def eigenbasis(H: Matrix) -> tuple[NDArray[np.float64], Matrix]:
    """Energies and eigenvectors of H that do not mix its invariant blocks."""
    pattern = csr_matrix((np.abs(H) > 0.0).astype(np.int8))
    count, label = connected_components(pattern, directed=False)
    energies, vectors = np.empty(len(H)), np.zeros_like(H)
    for k in range(count):
        mine = np.flatnonzero(label == k)
        energies[mine], vectors[np.ix_(mine, mine)] = np.linalg.eigh(H[np.ix_(mine, mine)])
    return energies, vectors


class Secular:
    """(L - z)^-1 in the eigenbasis of H, up to what is not secular."""

    def __init__(self, system: SpinSystem) -> None:
        n = system.N
        energies, self._V = eigenbasis(hamiltonian(system))
        used = np.flatnonzero(np.abs(system.Gamma).max(axis=0, initial=0.0))
        Gamma = system.Gamma[np.ix_(used, used)]
        S = np.empty((len(used), 2**n, 2**n), dtype=np.complex128)
        for k, p in enumerate(used.tolist()):
            flip, phase = pauli_action(n, p // 3, p % 3)
            moved = np.empty_like(self._V)
            moved[np.arange(2**n) ^ flip] = phase[:, None] * self._V
            S[k] = self._V.conj().T @ moved
        jumps = np.zeros((2**n, 2**n))
        for k in range(len(used)):
            jumps += (np.tensordot(Gamma[:, k], S, 1) * S[k].conj()).real
        local = np.diagonal(S, axis1=1, axis2=2)
        leave = jumps.sum(axis=0)
        self.diagonal = (
            -1j * (energies[:, None] - energies) - (leave[:, None] + leave) / 2 + local.T @ Gamma @ local.conj()
        )
        self.populations = jumps - np.diag(leave)
        self.scale = float(np.abs(np.diag(self.populations)).mean())
        rates, self._modes = np.linalg.eig(self.populations)
        self._rates = rates
        self._inverse_modes = np.linalg.pinv(self._modes)
        self._least = 1e-4 * self.scale + 1e-300

    def stationary(self) -> Matrix:
        """The density matrix (2^N, 2^N) that the Pauli master equation leaves alone."""
        size = len(self.populations)
        equations = np.vstack([self.populations, np.full(size, self.scale)])
        p = np.linalg.lstsq(equations, np.append(np.zeros(size), self.scale), rcond=None)[0]
        p = np.maximum(p, 0.0)
        p = p if p.sum() > 0.5 else np.ones(size)
        return np.asarray((self._V * (p / p.sum())) @ self._V.conj().T)

    def divide(self, rho: Matrix, z: complex) -> Matrix:
        """Nearly (L - z)^-1 rho for matrices (2^N, 2^N)."""
        least = self._least
        inside = self._V.conj().T @ rho @ self._V
        difference = self.diagonal - z
        difference[np.abs(difference) < least] = -least
        slow = self._rates - z
        slow[np.abs(slow) < least] = -least
        found = inside / difference
        np.fill_diagonal(found, self._modes @ ((self._inverse_modes @ np.diag(inside)) / slow))
        return np.asarray(self._V @ found @ self._V.conj().T)

    def slowest(self, count: int, units: NDArray[np.int64]) -> list[Matrix]:
        """First-order eigenvectors (2^N, 2^N) with the largest real parts, of the block of L with these matrix units.

        Eigenvectors of H do not leave its blocks, so that |a><b| has the same place among eigenvectors as among units.
        """
        size = len(self.populations)
        a, b = np.divmod(units, size)
        coherent = units[a != b]
        rates = self.diagonal.ravel()[coherent].real
        fastest = np.argsort(-rates, kind="stable")[:count]
        found: list[tuple[float, Any]] = [(float(rates[k]), divmod(int(coherent[k]), size)) for k in fastest]
        if (a == b).any():
            inside = np.zeros(size)
            inside[a[a == b]] = 1.0
            order = np.argsort(-self._rates.real, kind="stable")
            modes = [(float(self._rates[k].real), self._modes[:, k] * inside) for k in order[: 4 * count]]
            found += [(rate, mode) for rate, mode in modes if np.linalg.norm(mode) > 1e-3][:count]
        found.sort(key=lambda pair: -pair[0])
        V = self._V
        return [
            np.outer(V[:, what[0]], V[:, what[1]].conj()) if isinstance(what, tuple) else (V * what) @ V.conj().T
            for _, what in found[:count]
        ]
