"""Tiny chains exactly: the density matrix of (2S+1)^N levels.

Its Liouvillian is a sparse matrix, applied in Taylor steps of order 8; where many would be needed and the levels are few, exponentials of it are less work.
Without decay a wave function is followed by the eigenvectors of H.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from solvers.engines.classical_lattice import neighbour_sum
from solvers.engines.few_levels import MOST_LEVELS, follow_matrix, follow_wave, inaccuracy, work
from solvers.engines.ladder import ORDER, STABLE, coherent_amplitudes, phase_of, raising
from solvers.outcome import Remark

LARGEST = 300
"""(2S+1)^N up to which a chain is tiny."""
PER_STEP = 1e6
"""Multiply-adds that a Taylor step of a sparse generator takes as long as, overheads included."""

Evolution = tuple[NDArray[np.float64], NDArray[np.float64], float, Remark | None]
"""Site averages <S_a> (T, 3) and <S_a S_b> (T, 3, 3), by how much the trace is off, and why they are inaccurate if they are."""


def site_operators(S: float, N: int) -> list[list[Any]]:
    """S^x, S^y, S^z of every site, level m = -S first, site 0 leftmost."""
    levels = round(2 * S) + 1
    up = sparse.diags(raising(levels)[:-1], -1)
    one = [(up + up.T) / 2, (up - up.T) / 2j, sparse.diags(np.arange(levels) - S)]
    return [
        [
            sparse.csr_matrix(
                sparse.kron(sparse.kron(sparse.identity(levels**n), s), sparse.identity(levels ** (N - 1 - n)))
            )
            for s in one
        ]
        for n in range(N)
    ]


def bonds(width: int, height: int) -> list[tuple[int, int, int]]:
    """Pairs of sites and how many bonds join them."""
    sites = width * height
    joined = neighbour_sum(np.eye(sites), width, height)
    return [(n, m, int(joined[n, m])) for n in range(sites) for m in range(n) if joined[n, m]]


def evolve(
    S: float,
    N: int,
    height: int,
    J: NDArray[np.float64],
    Gamma: float,
    theta: float,
    phi: float,
    times: NDArray[np.float64],
    *,
    rtol: float,
    max_steps: int,
) -> Evolution | None:
    """From the product coherent state; None when the steps are spent."""
    s = site_operators(S, N)
    size = s[0][0].shape[0]
    H: Any = sparse.csr_matrix(np.zeros((size, size), dtype=np.complex128))
    for n, m, count in bonds(N // height, height):
        for a in range(3):
            if J[a] != 0.0:
                H = H + count * J[a] / (2 * S) * (s[n][a] @ s[m][a])
    amplitudes = coherent_amplitudes(S, theta) * np.exp(-1j * phase_of(theta, phi) * np.arange(round(2 * S) + 1))
    psi: NDArray[np.complex128] = np.ones(1, dtype=np.complex128)
    for _ in range(N):
        psi = np.kron(psi, amplitudes).astype(np.complex128)
    if not len(times):
        return np.empty((0, 3)), np.empty((0, 3, 3)), 0.0, None
    if Gamma == 0.0:
        return _closed(s, H.toarray(), psi, times, rtol)
    dense = H.toarray()
    spread = float(np.ptp(np.linalg.eigvalsh(dense))) if H.nnz else 0.0
    bound = 1.1 * math.hypot(spread, 2 * N * Gamma * (S + 0.5) ** 2 / S)
    total: list[Any] = [sum(s[n][a] for n in range(N)) / N for a in range(3)]
    pairs: list[list[Any]] = [
        [sum(s[n][a] @ s[n][b] + s[n][b] @ s[n][a] for n in range(N)) / (2 * N) for b in range(3)] for a in range(3)
    ]
    observables = [*total, *(x for row in pairs for x in row)]
    lower = [s[n][0] - 1j * s[n][1] for n in range(N)]
    if size <= MOST_LEVELS and work(size, times, bound) < times[-1] * bound / STABLE * PER_STEP:
        jumps = [(Gamma / S, c.toarray()) for c in lower]
        found, error = follow_matrix(dense, jumps, psi, times, [A.toarray() for A in observables], rtol)
        return found[:, :3], found[:, 3:].reshape(-1, 3, 3), 0.0, inaccuracy(error, rtol)
    one = sparse.identity(size, format="csr")
    damped = H.astype(np.complex128)
    products: Any = 0 * sparse.kron(H, H)
    for c in lower:
        damped = damped - 1j * Gamma / (2 * S) * (c.getH() @ c)
        products = products + Gamma / S * sparse.kron(c, c.conj())
    L = sparse.csr_matrix(products - 1j * sparse.kron(damped, one) + 1j * sparse.kron(one, damped.conj()))
    if not times[-1] * bound / STABLE <= max_steps:
        return None
    state = np.outer(psi, psi.conj()).ravel()
    # <A> = sum_ij A_ji rho_ij
    readers = sparse.vstack([sparse.csr_matrix(A.T.reshape(1, -1)) for A in (*observables, one)])
    out = np.empty((len(times), 13))
    t, limit, steps = 0.0, math.inf, 0
    for row, when in enumerate(times):
        while t < when:
            full = min(limit, STABLE / bound if bound > 0 else math.inf)
            h = min(when - t, full)
            steps += 1
            if steps > max_steps:
                return None
            term, result = state, state.copy()
            for order in range(1, ORDER + 1):
                term = (h / order) * (L @ term)
                result += term
            error, allowed = float(np.abs(term).max()), rtol * float(np.abs(state).max())
            factor = 0.9 * (allowed / max(error, 1e-300)) ** (1 / ORDER)
            if error > allowed:
                limit = h * max(0.2, factor)
                continue
            limit = max(full if h < full else 0.0, h * min(2.0, factor))
            state = result
            t = when if when - t - h < 1e-14 * when else t + h
        out[row] = (readers @ state).real
    return out[:, :3], out[:, 3:12].reshape(-1, 3, 3), float(np.abs(out[:, 12] - 1).max(initial=0.0)), None


def _closed(
    s: list[list[Any]], H: NDArray[Any], psi: NDArray[Any], times: NDArray[np.float64], rtol: float
) -> Evolution:
    """The same without decay, by the eigenvectors of H."""
    states, error = follow_wave(H, psi, times)
    states /= np.linalg.norm(states, axis=1)[:, None]
    mean, second = np.zeros((len(times), 3)), np.zeros((len(times), 3, 3))
    for site in s:
        turned = np.stack([(a @ states.T).T for a in site], axis=1)
        mean += np.einsum("tk,tak->ta", states.conj(), turned).real / len(s)
        second += np.einsum("tak,tbk->tab", turned.conj(), turned).real / len(s)
    return mean, second, 0.0, inaccuracy(error, rtol)
