"""Closed systems: wave functions, or density matrices of up to eight spins, with phases from the eigenvectors of H.

    psi(t) = sum_k exp(-i E_k t) |k><k|psi(0)>,   rho_kl(t) = exp(-i (E_k - E_l) t) rho_kl(0)

at any time, so that norm, purity and eigenvalues of rho stay what they are however large |H| t; the phases have an error
of the rounding of E_k t, which is reported. H is diagonalised in each of its blocks (basis states that it joins) which
the start occupies; from nine spins on, short times are cheaper by Chebyshev's series for exp(-i t H) psi.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from solvers.engines.master_equation.chebyshev import Series, plan_series
from solvers.engines.master_equation.failures import StepBudgetSpent, TooLong
from solvers.engines.master_equation.generator import apply_hamiltonian, energy_range
from solvers.engines.master_equation.states import density_matrix, pauli_vector
from solvers.engines.spin_system import SpinSystem
from solvers.engines.trajectories import apply_effective, unravel
from solvers.engines.wave_moments import norm_squared, pair_moments, spin_moments
from solvers.numerics.compile import FASTMATH, entry, kernel

MOST_SPINS = 16
MOST_MIXED_SPINS = 8
_EIGENVECTOR_SPINS = 11
_ALWAYS_EIGENVECTORS = 8
_CHUNK_BYTES = 32 * 2**20
_WORK_OF_A_STEP = 1e5
_PURE = 1e-14
_EPS = float(np.finfo(float).eps)


@dataclass(frozen=True)
class ClosedEvolution:
    """Moments (T, K), purity (T,) and an estimate of the largest error of a moment."""

    observed: NDArray[np.float64]
    purity: NDArray[np.float64]
    error: float


def is_pure(spins0: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether product states with Bloch vectors (..., N, 3) are pure (...,)."""
    return np.asarray(np.all(np.abs(np.linalg.norm(spins0, axis=-1) - 1) < _PURE, axis=-1))


def product_wave(spins0: NDArray[np.float64]) -> NDArray[np.complex128]:
    """psi (2^N,) of the product state with Bloch vectors (N, 3) of length 1."""
    psi = np.ones(1, dtype=np.complex128)
    for x, y, z in spins0:
        spin = np.array([1 + z, x + 1j * y]) if z >= 0 else np.array([x - 1j * y, 1 - z])
        psi = np.kron(psi, spin / np.linalg.norm(spin))
    return psi


def pure_wave(r: NDArray[np.float64]) -> NDArray[np.complex128] | None:
    """psi (2^N,) of a state in the Pauli basis (4^N,); None if it is mixed."""
    size = round(np.sqrt(len(r)))
    if abs(float(r @ r) / size - 1) > 1e-12:
        return None
    rho = density_matrix(r)
    k = int(np.diagonal(rho).real.argmax())
    psi = rho[:, k] / np.sqrt(rho[k, k].real)
    return psi if np.abs(rho - np.outer(psi, psi.conj())).max() < 1e-13 else None


def watched_moments(n: int, pairs: NDArray[np.int64]) -> int:
    """How many moments there are: of every spin, and of the pairs (P, 2)."""
    return 3 * n + 9 * len(pairs)


def evolve_wave(
    system: SpinSystem,
    psi0: NDArray[np.complex128],
    times: NDArray[np.float64],
    pairs: NDArray[np.int64],
    *,
    rtol: float = 1e-8,
    max_applications: float = np.inf,
) -> ClosedEvolution:
    """Moments at `times` (T,) of the wave function that starts as psi0 (2^N,): <s_i^a> (3N), then the `pairs` (P, 2) i < j (9 P).

    Raises StepBudgetSpent or TooLong, before the work begins, when the series needs more than `max_applications` of H.
    """
    found = np.empty((len(times), watched_moments(system.N, pairs)))
    purity = np.empty(len(times))

    def receive(first: int, psi: NDArray[np.complex128]) -> None:
        wave_moments(np.ascontiguousarray(psi), system.N, pairs, found[first:], purity[first:])

    error = _by_eigenvectors(system, psi0, times, receive)
    if error is None:
        error = _by_series(system, psi0, times, receive, rtol, max_applications)
    return ClosedEvolution(found, purity, error)


def evolve_density_matrix(
    system: SpinSystem, r0: NDArray[np.float64], times: NDArray[np.float64], indices: NDArray[np.int64]
) -> ClosedEvolution:
    """The components `indices` (K,) at `times` (T,) of the closed evolution of r0 (4^N,), up to eight spins."""
    columns = _hamiltonian(system)
    energies, vectors = np.linalg.eigh(columns)
    start = vectors.conj().T @ density_matrix(r0) @ vectors
    found = np.empty((len(times), len(indices)))
    for k, t in enumerate(times.tolist()):
        phase = np.exp(-1j * energies * t)
        rho = vectors @ (phase[:, None] * start * phase.conj()) @ vectors.conj().T
        found[k] = pauli_vector((rho + rho.conj().T) / 2)[indices]
    purity = np.full(len(times), float(r0 @ r0) / np.sqrt(len(r0)))
    off = start - np.diag(np.diagonal(start))
    moving = np.abs(off).max() > 1e-15
    error = 2 * _EPS * float(np.abs(energies).max()) * float(times[-1]) if moving else 0.0
    return ClosedEvolution(found, purity, error)


def _hamiltonian(system: SpinSystem) -> NDArray[np.complex128]:
    return np.asarray(hamiltonian_columns(np.ascontiguousarray(system.field), np.ascontiguousarray(system.coupling)).T)


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


def _by_eigenvectors(system: SpinSystem, psi0, times, receive) -> float | None:
    """The error; None where the series is cheaper, or the only way."""
    n, end = system.N, float(times[-1])
    if n > _EIGENVECTOR_SPINS:
        return None
    H = _hamiltonian(system)
    _, labels = connected_components(csr_matrix(H != 0), directed=False)
    occupied = [np.flatnonzero(labels == k) for k in np.unique(labels[psi0 != 0])]
    cubes = float(sum(len(block) ** 3 for block in occupied))
    squares = float(sum(len(block) ** 2 for block in occupied))
    if n > _ALWAYS_EIGENVECTORS:
        low, high = energy_range(system.field, system.coupling)
        series = 0.6 * (high - low) * end * _work(system)
        if 12 * cubes + 2 * squares * len(times) > series:
            return None
    spectra = []
    for block in occupied:
        part = H[np.ix_(block, block)]
        energies, vectors = np.linalg.eigh(part.real if not part.imag.any() else part)
        spectra.append((block, energies, vectors, vectors.conj().T @ psi0[block]))
    rows = max(1, _CHUNK_BYTES // (16 * len(psi0)))
    for first in range(0, len(times), rows):
        when = times[first : first + rows]
        psi = np.zeros((len(when), len(psi0)), dtype=np.complex128)
        for block, energies, vectors, weights in spectra:
            psi[:, block] = (np.exp(-1j * when[:, None] * energies) * weights) @ vectors.T
        receive(first, psi)
    if sum(len(block) for block in occupied) == 1:
        return 0.0  # a basis state that H does not change has no phase to lose
    return _EPS * max(float(np.abs(energies).max()) for _, energies, _, _ in spectra) * end


def _work(system: SpinSystem) -> float:
    """Multiply-adds, in real numbers, of one application of H to a wave function."""
    n = system.N
    bonds = sum(int(system.coupling[i, j].any()) for i in range(n) for j in range(i + 1, n))
    return float(4 * 2**n * (1 + n + 2 * bonds))


def _by_series(system: SpinSystem, psi0, times, receive, rtol: float, most: float) -> float:
    end = float(times[-1])
    low, high = energy_range(system.field, system.coupling)
    radius = (high - low) / 2
    error = float(np.clip(0.1 * rtol, 1e-13, 1e-2))
    series = plan_series((0.0, 0.0), radius, max(end, 1e-300), error)
    price = np.ceil(end / series.length) * series.terms
    if price > most or price * _work(system) > _WORK_OF_A_STEP * most:
        raise (StepBudgetSpent if price > most else TooLong)(
            f"about {price:.3g} applications of H to a wave function of {len(psi0)} amplitudes are needed, max_steps allows "
            f"{most:.3g} and {_WORK_OF_A_STEP * most:.2g} multiply-adds; nothing was computed; raise max_steps or shorten times"
        )
    p = unravel(system)
    most_rows = max(1, 2 * _CHUNK_BYTES // (16 * len(psi0)))
    now, done, psi = 0.0, 0, psi0
    while done < len(times):
        until = min(now + series.length * (1 + 1e-12), end)
        inside = min(done + int(np.searchsorted(times[done:], until, side="right")), done + most_rows)
        if inside == done + most_rows:
            until = float(times[inside - 1])
        coefficients = series.coefficients(np.append(times[done:inside], until) - now)
        rows = _segment(p, psi, series, coefficients, 0.01 * error * series.length / max(end, 1e-300))
        if inside > done:
            receive(done, rows[:-1])
        psi, now, done = rows[-1], until, inside
    return float(error + _EPS * radius * end)


def _segment(p, psi, series: Series, coefficients, negligible: float) -> NDArray[np.complex128]:
    """psi at the times of the rows of `coefficients` (t, terms)."""
    return np.asarray(sum_wave_segment(p, psi, series.focus, coefficients, series.falling, negligible))


@entry(fastmath=FASTMATH)
def sum_wave_segment(p, psi, focus, coefficients, first_small, negligible):
    """sum_k a_k phi_k, phi_{k+1} = 2 B phi_k + phi_{k-1}, B = -iH/focus: one row (2^N,) for each of `coefficients`."""
    outputs, terms = coefficients.shape
    rows = np.zeros((outputs, psi.shape[0]), np.complex128)
    before, now, image = np.zeros_like(psi), psi.copy(), np.empty_like(psi)
    small = 0
    for k in range(terms):
        largest = 0.0
        norm = np.sqrt(norm_squared(now))
        for o in range(outputs):
            a = coefficients[o, k]
            largest = max(largest, abs(a) * norm)
            if abs(a) * norm > 1e-3 * negligible:
                for m in range(psi.shape[0]):
                    rows[o, m] += a * now[m]
        small = small + 1 if largest < negligible else 0
        if k >= first_small and small >= 3:
            break
        apply_effective(p, now, image, -1j / focus)
        factor = 1.0 if k == 0 else 2.0
        for m in range(psi.shape[0]):
            before[m] = factor * image[m] + before[m]
        before, now = now, before
    return rows


@kernel(fastmath=FASTMATH)
def moments_of_wave(psi, n, pairs, out):
    """<s_i^a> of all spins, then <s_i^a s_j^b> of the pairs; |psi|^2."""
    norm = norm_squared(psi)
    for i in range(n):
        spin_moments(psi, n, i, norm, out[3 * i :])
    for e in range(pairs.shape[0]):
        pair_moments(psi, n, pairs[e, 0], pairs[e, 1], norm, out[3 * n + 9 * e :])
    return norm


@entry(fastmath=FASTMATH)
def wave_moments(psi, n, pairs, out, purity):
    """Moments of the rows of psi (t, 2^N), normalised, and |psi|^4 as it is."""
    for t in range(psi.shape[0]):
        norm = moments_of_wave(psi[t], n, pairs, out[t])
        purity[t] = norm * norm
