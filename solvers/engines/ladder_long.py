"""One spin S on its ladder with drive or squeezing, over times that are long in units of its fastest motion.

`solvers.engines.ladder` takes steps, whose number grows with the time and whose errors add up. Where that is more work, a
closed spin is followed by the eigenvectors of H, and a short ladder with jumps by exponentials of its generator.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from solvers.engines.few_levels import MOST_LEVELS, Complex, follow_matrix, follow_wave, work
from solvers.engines.ladder import ORDER, STABLE, Path, Rates, build_ladder, coherent_amplitudes, phase_of, raising
from solvers.numerics.outcome import DONE

PER_ELEMENT = 100.0
"""Multiply-adds per element of rho and application of the generator, of steps five times shorter than stability asks for."""
PER_EIGENVECTOR = 15.0
"""Multiply-adds of all eigenvectors, in units of n^3."""


def evolve_long(
    r: Rates, theta: float, phi: float, times: NDArray[np.float64], *, rtol: float
) -> tuple[Path, float] | None:
    """The same as `ladder.evolve`, and the error of an element of rho; None where steps are less work."""
    if not len(times):
        return None
    levels = round(2 * r.S) + 1
    bound = build_ladder(r).bound + r.Gamma_phi * (levels - 1) ** 2
    stepping = times[-1] * bound / STABLE * ORDER * PER_ELEMENT * levels**2
    closed = r.Gamma == r.Gamma_up == r.Gamma_phi == 0.0
    if closed:
        needed = PER_EIGENVECTOR * levels**3 + 4.0 * len(times) * levels**2
    else:
        needed = work(levels, times, bound) if levels <= MOST_LEVELS else np.inf
    if not needed < stepping:
        return None
    up: Complex = np.diag(raising(levels)[:-1], -1).astype(np.complex128)  # level k = S + m
    S: list[Complex] = [(up + up.T) / 2, (up - up.T) / 2j, np.diag(np.arange(levels) - r.S).astype(np.complex128)]
    H = r.Omega * S[0] + r.delta * S[2] + r.g / (2 * r.S) * (S[0] @ S[0])
    phases: Complex = np.exp(-1j * phase_of(theta, phi) * np.arange(levels)).astype(np.complex128)
    psi: Complex = coherent_amplitudes(r.S, theta).astype(np.complex128) * phases
    if closed:
        states, error = follow_wave(H, psi, times)
        states /= np.linalg.norm(states, axis=1)[:, None]
        turned = np.stack([states @ a.T for a in S], axis=1)  # S_a psi
        mean = np.einsum("tk,tak->ta", states.conj(), turned).real
        second = np.einsum("tak,tbk->tab", turned.conj(), turned).real
        smallest = np.zeros(len(times))
    else:
        jumps: list[tuple[float, Complex]] = [(r.Gamma / r.S, up.T), (r.Gamma_up / r.S, up), (2 * r.Gamma_phi, S[2])]
        pairs = [(S[a] @ S[b] + S[b] @ S[a]) / 2 for a in range(3) for b in range(3)]
        populations: list[Complex] = [np.diag(row).astype(np.complex128) for row in np.eye(levels)]
        found, error = follow_matrix(H, jumps, psi, times, [*S, *pairs, *populations], rtol)
        mean, second = found[:, :3], found[:, 3:12].reshape(-1, 3, 3)
        smallest = found[:, 12:].min(axis=1)
    return Path(mean, second, np.ones(len(times)), smallest, DONE, float(times[-1]), levels), error
