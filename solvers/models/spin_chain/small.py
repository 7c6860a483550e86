"""Tiny chains exactly: the density matrix of (2S+1)^N levels, its Liouvillian as a sparse matrix, Taylor steps of order 8."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from solvers.engines.classical_lattice import neighbour_sum
from solvers.engines.ladder import ORDER, STABLE, coherent_amplitudes, phase_of, raising

LARGEST = 300
"""(2S+1)^N up to which a chain is tiny."""


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
) -> tuple[NDArray[np.float64], NDArray[np.float64], float] | None:
    """Site averages <S_a> (T, 3) and <S_a S_b> (T, 3, 3) from the product coherent state, and the worst trace; None when the steps are spent."""
    s = site_operators(S, N)
    size = s[0][0].shape[0]
    H: Any = sparse.csr_matrix(np.zeros((size, size), dtype=np.complex128))
    for n, m, count in bonds(N // height, height):
        for a in range(3):
            if J[a] != 0.0:
                H = H + count * J[a] / (2 * S) * (s[n][a] @ s[m][a])
    one = sparse.identity(size, format="csr")
    damped = H.astype(np.complex128)
    jumps: Any = 0 * sparse.kron(H, H)
    for n in range(N if Gamma > 0 else 0):
        lower = s[n][0] - 1j * s[n][1]
        damped = damped - 1j * Gamma / (2 * S) * (lower.getH() @ lower)
        jumps = jumps + Gamma / S * sparse.kron(lower, lower.conj())
    L = sparse.csr_matrix(jumps - 1j * sparse.kron(damped, one) + 1j * sparse.kron(one, damped.conj()))
    spread = float(np.ptp(np.linalg.eigvalsh(H.toarray()))) if H.nnz else 0.0
    bound = 1.1 * math.hypot(spread, 2 * N * Gamma * (S + 0.5) ** 2 / S)
    if len(times) and not times[-1] * bound / STABLE <= max_steps:
        return None
    amplitudes = coherent_amplitudes(S, theta) * np.exp(-1j * phase_of(theta, phi) * np.arange(round(2 * S) + 1))
    psi: NDArray[np.complexfloating[Any, Any]] = np.ones(1, dtype=np.complex128)
    for _ in range(N):
        psi = np.kron(psi, amplitudes)
    state = np.outer(psi, psi.conj()).ravel()
    total: list[Any] = [sum(s[n][a] for n in range(N)) / N for a in range(3)]
    pairs: list[list[Any]] = [
        [sum(s[n][a] @ s[n][b] + s[n][b] @ s[n][a] for n in range(N)) / (2 * N) for b in range(3)] for a in range(3)
    ]
    # <A> = sum_ij A_ji rho_ij
    readers = sparse.vstack(
        [sparse.csr_matrix(A.T.reshape(1, -1)) for A in (*total, *(x for row in pairs for x in row), one)]
    )
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
    return out[:, :3], out[:, 3:12].reshape(-1, 3, 3), float(np.abs(out[:, 12] - 1).max(initial=0.0))
