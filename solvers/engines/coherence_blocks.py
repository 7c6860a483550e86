"""Permutation-invariant density matrices with coherences |S,M><S,M'|, as imperfect pulses make them.

The start is diagonal and everything between the pulses commutes with a turn about z, so that a pulse about x may be
taken about y: then all elements are real, and q = M - M' is conserved except by pulses. One array R_q[n, k] (as in
`solvers.engines.populations`, n = N/2 + M) for each q = 0..N; the elements with q < 0 are the mirror image.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import expm


def rotation(twice_S: int, angle: float) -> NDArray[np.float64]:
    """Wigner's d = exp(-i angle S_y) (2S+1, 2S+1), index S+M."""
    M = np.arange(twice_S) - 0.5 * twice_S
    S = 0.5 * twice_S
    raising = np.diag(np.sqrt((S - M) * (S + M + 1.0)), -1)  # <M+1|S_+|M>
    return np.asarray(expm(-0.5 * angle * (raising - raising.T)))


def rotations(N: int, angle: float) -> list[NDArray[np.float64]]:
    """The matrices of `rotation` for k = 0 ... N//2."""
    return [rotation(N - 2 * k, angle) for k in range(N // 2 + 1)]


def rotate(blocks: list[NDArray[np.float64]], turns: list[NDArray[np.float64]]) -> list[NDArray[np.float64]]:
    """All blocks R_q (q = 0..N) after a pulse with the matrices of `rotations`."""
    N = len(blocks) - 1
    result = [np.zeros_like(block) for block in blocks]
    for k, turn in enumerate(turns):
        size = N - 2 * k + 1
        rho = np.zeros((size, size))
        for q in range(size):
            diagonal = blocks[q][k + q : k + size, k]
            index = np.arange(size - q)
            rho[index + q, index] = diagonal
            rho[index, index + q] = diagonal
        rho = turn @ rho @ turn.T
        for q in range(size):
            result[q][k + q : k + size, k] = np.diagonal(rho, -q)
    return result
