"""The Lindblad generator in the real Pauli basis as a list of one- and two-site terms.

d r_R/dt = sum_C 2^-N Tr(R L[C]) r_C. Every term of L acts on one or two sites, so its matrix is a 4 x 4 or 16 x 16 real
matrix on the digits of these sites and the identity on all others. How such terms are applied to a state is said in `terms`
and, for many spins, in `tiles`.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solvers.engines.master_equation.terms import Terms, apply_terms, assemble_terms
from solvers.engines.spin_system import EPSILON, SpinSystem, bonded_pairs
from solvers.numerics.block_product import aligned
from solvers.numerics.compile import FASTMATH, entry, kernel
from solvers.outcome import Kind, PointFailed

PAULI = np.array([[[1, 0], [0, 1]], [[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])
"""1, s^x, s^y, s^z with spin up first."""


def _matrix(action, strings) -> NDArray[np.float64]:
    """Matrix of a superoperator: Tr(R L[C]) / dimension over the given strings."""
    images = np.array([action(c) for c in strings])
    found = np.einsum("rij,cji->rc", strings, images) / len(strings[0])
    return np.ascontiguousarray(found.real)


@functools.cache
def site_terms() -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """4 x 4 matrices of -i[s^a, .], and of the real and imaginary part of Gamma_{ab} on one site."""
    s = PAULI[1:]
    commutator = np.array([_matrix(lambda c, a=a: -1j * (s[a] @ c - c @ s[a]), PAULI) for a in range(3)])

    def jump(a, b, c):
        return s[a] @ c @ s[b] - 0.5 * (s[b] @ s[a] @ c + c @ s[b] @ s[a])

    # Gamma_ab and Gamma_ba = conj(Gamma_ab) come in pairs, so that each sum is real.
    symmetric = np.array(
        [[_matrix(lambda c, a=a, b=b: (jump(a, b, c) + jump(b, a, c)) / 2, PAULI) for b in range(3)] for a in range(3)]
    )
    antisymmetric = np.array(
        [
            [_matrix(lambda c, a=a, b=b: 1j * (jump(a, b, c) - jump(b, a, c)) / 2, PAULI) for b in range(3)]
            for a in range(3)
        ]
    )
    return commutator, symmetric, antisymmetric


@functools.cache
def pair_terms() -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """16 x 16 matrices of -i[s_1^a s_2^b, .], and of Re and Im of Gamma_{1a,2b} together with its conjugate Gamma_{2b,1a}."""
    strings = np.array([np.kron(p, q) for p in PAULI for q in PAULI])
    one = [np.kron(p, PAULI[0]) for p in PAULI[1:]]
    two = [np.kron(PAULI[0], p) for p in PAULI[1:]]

    def jump(left, right, c):
        return left @ c @ right - 0.5 * (right @ left @ c + c @ right @ left)

    shape = (3, 3, 16, 16)
    commutator, symmetric, antisymmetric = np.empty(shape), np.empty(shape), np.empty(shape)
    for a in range(3):
        for b in range(3):
            p, q = one[a], two[b]
            commutator[a, b] = _matrix(lambda c, h=p @ q: -1j * (h @ c - c @ h), strings)
            symmetric[a, b] = _matrix(lambda c, p=p, q=q: jump(p, q, c) + jump(q, p, c), strings)
            antisymmetric[a, b] = _matrix(lambda c, p=p, q=q: 1j * (jump(p, q, c) - jump(q, p, c)), strings)
    return commutator, symmetric, antisymmetric


def site_matrices(system: SpinSystem) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The Hamiltonian and the dissipative 4 x 4 matrices (N, 4, 4) of every site."""
    commutator, symmetric, antisymmetric = site_terms()
    n = system.N
    blocks = system.Gamma.reshape(n, 3, n, 3)[np.arange(n), :, np.arange(n), :]
    coherent = np.einsum("ia,arc->irc", system.field, commutator)
    dissipative = np.einsum("iab,abrc->irc", blocks.real, symmetric) + np.einsum(
        "iab,abrc->irc", blocks.imag, antisymmetric
    )
    return coherent, dissipative


def pair_matrices(system: SpinSystem, pairs: list[tuple[int, int]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The Hamiltonian and the dissipative 16 x 16 matrices (pairs, 16, 16)."""
    if not pairs:
        return np.zeros((0, 16, 16)), np.zeros((0, 16, 16))
    commutator, symmetric, antisymmetric = pair_terms()
    first, second = np.array(pairs).T
    cross = system.Gamma.reshape(system.N, 3, system.N, 3)[first, :, second, :]
    flat = (len(pairs), 9)
    coherent = system.coupling[first, second].reshape(flat) @ commutator.reshape(9, 256)
    dissipative = cross.real.reshape(flat) @ symmetric.reshape(9, 256) + cross.imag.reshape(
        flat
    ) @ antisymmetric.reshape(9, 256)
    return coherent.reshape(-1, 16, 16), dissipative.reshape(-1, 16, 16)


@dataclass(frozen=True)
class Generator:
    """L in the Pauli basis.

    `real_range`, `imaginary_bound` enclose the field of values of L: Re in real_range, |Im| <= imaginary_bound.
    `sites` (N, 4, 4) and `bonds` (P, 16, 16) are the terms on one site and on the `pairs` (P, 2) of sites, first < second.
    `positive`: whether Gamma is, so that no eigenvalue of L has a positive real part.
    """

    N: int
    real_range: tuple[float, float]
    imaginary_bound: float
    sites: NDArray[np.float64]
    pairs: NDArray[np.int64]
    bonds: NDArray[np.float64]
    positive: bool

    @property
    def dimension(self) -> int:
        """4^N."""
        return 4**self.N

    @property
    def work(self) -> float:
        """Multiply-adds of one application."""
        on_sites, on_pairs = (
            int(np.count_nonzero(m)) - int(np.count_nonzero(np.diagonal(m, axis1=1, axis2=2)))
            for m in (self.sites, self.bonds)
        )
        return float(on_sites) * 4.0 ** (self.N - 1) + on_pairs * 4.0 ** (self.N - 2) + 2.0 * self.dimension

    @functools.cached_property
    def diagonal(self) -> NDArray[np.float64]:
        """The diagonal elements of L (4^N,)."""
        return sum_of_diagonals(self.N, self.sites, self.pairs, self.bonds)

    @functools.cached_property
    def terms(self) -> Terms:
        """L for the kernels of this file."""
        return assemble_terms(self.sites, self.pairs, self.bonds, self.diagonal)

    def apply(self, r: NDArray[np.float64]) -> NDArray[np.float64]:
        """L r (4^N,)."""
        out = np.zeros(self.dimension)
        apply_terms(np.ascontiguousarray(r), out, self.terms, 1.0, 0.0, 0.0)
        return out

    def dense(self) -> NDArray[np.float64]:
        """L as a (4^N, 4^N) matrix, for N <= 5."""
        return np.stack([self.apply(column) for column in np.eye(self.dimension)], axis=1)


def build_generator(system: SpinSystem) -> Generator:
    """The generator of a spin system, N <= 14 by memory (8 bytes x 4^N for a vector)."""
    n = system.N
    pairs = bonded_pairs(system)
    site_coherent, site_dissipative = site_matrices(system)
    pair_coherent, pair_dissipative = pair_matrices(system, pairs)
    sites, bonds = site_coherent + site_dissipative, pair_coherent + pair_dissipative
    real_range, imaginary = _field_of_values(system, site_dissipative, pair_dissipative)
    joined = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return Generator(n, real_range, imaginary, sites, joined, bonds, system.positive)


def sum_of_diagonals(
    n: int, sites: NDArray[np.float64], pairs: NDArray[np.int64], bonds: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The diagonal (4^n,) of terms (n, 4, 4) on every site and (P, 16, 16) on the `pairs` (P, 2)."""
    diagonal = aligned(4**n)
    for i in range(n):
        add = np.diagonal(sites[i])
        if add.any():
            diagonal.reshape(4**i, 4, -1)[:] += add[:, None]
    for (i, j), matrix in zip(pairs.tolist(), bonds, strict=True):
        add = np.diagonal(matrix).reshape(4, 4)
        if add.any():
            diagonal.reshape(4**i, 4, 4 ** (j - i - 1), 4, -1)[:] += add[:, None, :, None]
    return diagonal


def _field_of_values(system: SpinSystem, sites, bonds) -> tuple[tuple[float, float], float]:
    """Bounds of Re and |Im| of the field of values of L.

    Two bounds, of which the better counts: the sum over terms; and for Gamma >= 0, from
    |Tr(r L r L^+)| <= Tr(r^2 (L^+ L + L L^+)) / 2 with a sum over the jumps L implied,

        -max(3 L^+ L + L L^+)/2 <= Re <= max(L L^+ - L^+ L)/2,   |Im| <= max(L^+ L + L L^+)/2

    whose operators are again fields and couplings of spins. The width of the spectrum of H adds to |Im|.
    """
    low = high = imaginary = 0.0
    for matrices in (sites, bonds):
        if len(matrices):
            symmetric = np.linalg.eigvalsh((matrices + np.swapaxes(matrices, 1, 2)) / 2)
            low += symmetric[:, 0].sum()
            high += symmetric[:, -1].sum()
            imaginary += np.linalg.norm((matrices - np.swapaxes(matrices, 1, 2)) / 2, 2, axis=(1, 2)).sum()
    if len(bonds) and bonds.any() and system.positive:
        n = system.N
        blocks = system.Gamma.reshape(n, 3, n, 3).transpose(0, 2, 1, 3)
        local = blocks[np.arange(n), np.arange(n)]
        constant = np.trace(local, axis1=1, axis2=2).real.sum()
        pump = -2 * np.einsum("cab,iab->ic", EPSILON, local.imag)
        cross = 2 * blocks.real.copy()
        cross[np.arange(n), np.arange(n)] = 0.0
        # L^+ L = constant - pump.s/2 + s.cross.s and L L^+ = constant + pump.s/2 + s.cross.s
        low = max(low, -2 * constant + 2 * energy_range(pump / 4, -cross)[0])
        high = min(high, 0.5 * float(np.linalg.norm(pump, axis=1).sum()))
        imaginary = min(imaginary, constant + energy_range(0 * pump, cross)[1])
    lowest, highest = energy_range(system.field, system.coupling)
    return (float(low), float(high)), float(imaginary + highest - lowest)


def energy_range(field: NDArray[np.float64], coupling: NDArray[np.float64]) -> tuple[float, float]:
    """Outer estimates of the smallest and largest eigenvalue of sum_i field_i.s_i + sum_{i<j} s_i.coupling_ij s_j.

    Lanczos with a fixed start on 2^N amplitudes; the residuals and half a percent of the width are added, and the
    result never exceeds the sum of the norms of all terms.
    """
    n = len(field)
    pairs = [(i, j) for i in range(n) for j in range(i + 1, n) if coupling[i, j].any()]
    bound = float(np.linalg.norm(field, axis=1).sum())
    if pairs:
        # |s_1 . J s_2| is at most the sum of the singular values of J
        strengths = np.linalg.svd(np.array([coupling[p] for p in pairs]), compute_uv=False)
        bound += float(strengths.sum())
    if not pairs or n > 14:
        return -bound, bound
    steps = min(30, 2**n - 1)
    alpha, beta = hamiltonian_lanczos(np.ascontiguousarray(field), np.ascontiguousarray(coupling), steps)
    ended = np.flatnonzero(beta <= 1e-12 * bound)
    used = int(ended[0]) + 1 if len(ended) else steps
    tridiagonal = np.diag(alpha[:used]) + np.diag(beta[: used - 1], 1) + np.diag(beta[: used - 1], -1)
    if not np.isfinite(tridiagonal).all():
        raise PointFailed(Kind.NOT_FINITE, "the Hamiltonian is beyond the range of numbers")
    energies, vectors = np.linalg.eigh(tridiagonal)
    margin = 0.005 * (energies[-1] - energies[0])
    low = energies[0] - margin - beta[used - 1] * abs(vectors[-1, 0])
    high = energies[-1] + margin + beta[used - 1] * abs(vectors[-1, -1])
    return float(max(low, -bound)), float(min(high, bound))


@entry(fastmath=FASTMATH)
def hamiltonian_lanczos(field, coupling, steps):
    """Lanczos coefficients (alpha, beta) of H on 2^N amplitudes from a fixed, structureless start vector."""
    n = field.shape[0]
    size = 1 << n
    alpha, beta = np.zeros(steps), np.zeros(steps)
    before = np.zeros(size, np.complex128)
    now = np.empty(size, np.complex128)
    state = np.uint64(88172645463325252)
    norm = 0.0
    for b in range(size):
        state ^= state << np.uint64(13)
        state ^= state >> np.uint64(7)
        state ^= state << np.uint64(17)
        re = np.float64(state >> np.uint64(40)) / 2.0**24 - 0.5
        im = np.float64((state >> np.uint64(16)) & np.uint64(0xFFFFFF)) / 2.0**24 - 0.5
        now[b] = complex(re, im)
        norm += re * re + im * im
    now /= np.sqrt(norm)
    for k in range(steps):
        after = np.zeros(size, np.complex128)
        apply_hamiltonian(now, after, field, coupling)
        overlap = 0.0
        for b in range(size):
            overlap += (np.conj(now[b]) * after[b]).real
        alpha[k] = overlap
        norm = 0.0
        last = beta[k - 1] if k else 0.0
        for b in range(size):
            after[b] -= overlap * now[b] + last * before[b]
            norm += after[b].real ** 2 + after[b].imag ** 2
        beta[k] = np.sqrt(norm)
        if beta[k] < 1e-14:
            break
        before = now
        now = after / beta[k]
    return alpha, beta


@kernel(fastmath=FASTMATH)
def apply_hamiltonian(psi, out, field, coupling):
    """out += H psi by bit flips; site 0 is the most significant bit, a set bit is spin down."""
    n = field.shape[0]
    size = psi.shape[0]
    for i in range(n):
        flip_i = 1 << (n - 1 - i)
        if field[i, 0] != 0.0 or field[i, 1] != 0.0 or field[i, 2] != 0.0:
            for b in range(size):
                z = 1.0 if b & flip_i == 0 else -1.0
                # <b| x |b'> = 1, <b| y |b'> = -i for b up: here -i z
                out[b] += complex(field[i, 0], -z * field[i, 1]) * psi[b ^ flip_i] + field[i, 2] * z * psi[b]
        for j in range(i + 1, n):
            flip_j = 1 << (n - 1 - j)
            c = coupling[i, j]
            largest = 0.0
            for a in range(3):
                for d in range(3):
                    largest = max(largest, abs(c[a, d]))
            if largest == 0.0:
                continue
            for b in range(size):
                zi = 1.0 if b & flip_i == 0 else -1.0
                zj = 1.0 if b & flip_j == 0 else -1.0
                both = complex(c[0, 0] - zi * zj * c[1, 1], -zj * c[0, 1] - zi * c[1, 0])
                only_i = complex(c[0, 2] * zj, -zi * zj * c[1, 2])
                only_j = complex(c[2, 0] * zi, -zi * zj * c[2, 1])
                out[b] += (
                    both * psi[b ^ flip_i ^ flip_j]
                    + only_i * psi[b ^ flip_i]
                    + only_j * psi[b ^ flip_j]
                    + c[2, 2] * zi * zj * psi[b]
                )
