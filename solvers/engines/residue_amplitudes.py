"""Free precession of spin coherent states and of their superpositions, sorted by the number of excitations modulo four.

The overlap of a product state with itself after each spin has precessed by its own phase is a product of C + S e^{-i phi_n}
with C = cos^2(theta/2), S = sin^2(theta/2). Sorted by the number of excited spins modulo four it is four numbers,

    P_r <- C P_r + S e^{-i phi_n} P_{r-1},   P = (1, 0, 0, 0) at first,

one factor per spin. Coherent state: P_0 + P_1 + P_2 + P_3; even and odd cat: P_0 + P_2 and P_1 + P_3; the superposition
of four coherent states a quarter turn apart: P_0; each over the same numbers without phases. As sums of products of
positive numbers and phases these lose no digit, where differences of products (the textbook form of the odd cat) lose
all for small theta. The same recurrence for mean squares gives averages over independent phases.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from solvers.numerics.compile import FASTMATH, entry

_TINY = 1e-120
"""Stands for a vanishing share of one direction, so that the cats' limits come out of the same formula."""

COHERENT, EVEN, ODD, FOUR_COMPONENT = 0, 1, 2, 3
MEMBERS = (np.array([0, 1, 2, 3]), np.array([0, 2]), np.array([1, 3]), np.array([0]))
"""Which residues belong to which state."""


def shares(theta: float) -> tuple[float, float]:
    """cos^2(theta/2) and sin^2(theta/2), neither of them 0."""
    return max(math.cos(theta / 2) ** 2, _TINY), max(math.sin(theta / 2) ** 2, _TINY)


def residue_probabilities(n: int, cosine: float, sine: float) -> NDArray[np.float64]:
    """Probabilities (4,) of a number of excitations with residue 0 ... 3 modulo four, n independent spins."""
    return _power(np.eye(4) * cosine + np.roll(np.eye(4), 1, axis=0) * sine, n)[..., :, 0]


@entry(fastmath=FASTMATH)
def precess(cosine, sine, detunings, times, norms, out):
    """Fidelities (T, 4) of the four states with their start, spins detuned by `detunings` (n,), into `out`."""
    for t in range(times.size):
        a0, b0, a1, b1, a2, b2, a3, b3 = 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        for i in range(detunings.size):
            phase = detunings[i] * times[t]
            x, y = sine * math.cos(phase), -sine * math.sin(phase)
            c0, d0 = cosine * a0 + x * a3 - y * b3, cosine * b0 + x * b3 + y * a3
            c1, d1 = cosine * a1 + x * a0 - y * b0, cosine * b1 + x * b0 + y * a0
            c2, d2 = cosine * a2 + x * a1 - y * b1, cosine * b2 + x * b1 + y * a1
            c3, d3 = cosine * a3 + x * a2 - y * b2, cosine * b3 + x * b2 + y * a2
            a0, b0, a1, b1, a2, b2, a3, b3 = c0, d0, c1, d1, c2, d2, c3, d3
        a, b = (a0 + a2) + (a1 + a3), (b0 + b2) + (b1 + b3)
        out[t, 0] = a * a + b * b
        a, b = (a0 + a2) / norms[1], (b0 + b2) / norms[1]
        out[t, 1] = a * a + b * b
        a, b = (a1 + a3) / norms[2], (b1 + b3) / norms[2]
        out[t, 2] = a * a + b * b
        a, b = a0 / norms[3], b0 / norms[3]
        out[t, 3] = a * a + b * b


def mean_fidelities(n: int, cosine: float, sine: float, mean_cosine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean fidelities (T, 4) where every spin's phase is drawn independently, symmetrically, with E[cos phi] = `mean_cosine` (T,).

    The means of P_r P_s^* obey M_rs <- C^2 M_rs + S^2 M_{r-1,s-1} + C S E[cos phi] (M_{r-1,s} + M_{r,s-1}).
    """
    one, turn = np.eye(4), np.roll(np.eye(4), 1, axis=0)
    same = np.kron(one, one) * cosine**2 + np.kron(turn, turn) * sine**2
    mixed = (np.kron(turn, one) + np.kron(one, turn)) * (cosine * sine)
    moments = _power(same + mean_cosine[:, None, None] * mixed, n)[..., :, 0].reshape(-1, 4, 4)
    norms = residue_probabilities(n, cosine, sine)
    found = [moments[:, m[:, None], m].sum(axis=(1, 2)) / norms[m].sum() ** 2 for m in MEMBERS]
    return np.stack(found, axis=-1)


def _power(matrix: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """The n-th power (..., m, m) of matrices without negative elements, by squaring: relative errors stay near n eps."""
    return np.asarray(np.linalg.matrix_power(matrix, n))
