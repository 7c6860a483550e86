"""Bit strings of one parity, and which of them two flips of the same direction join.

Bit i of a string says whether spin i is excited. All non-zero elements of S_-^2 are 2, one for every pair of excited
spins, so a table of neighbours is the whole operator.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

PARITIES = ("even", "odd")


class ParityBasis(NamedTuple):
    """States (d,) in ascending number of excitations; for every state the places of those two excitations above and below.

    `above[above_from[r]:above_from[r + 1]]` are the places of the states that S_-^2 takes to state r, `below` those that
    S_+^2 takes there.
    """

    N: int
    states: NDArray[np.int64]
    excitations: NDArray[np.float64]
    above_from: NDArray[np.int64]
    above: NDArray[np.int64]
    below_from: NDArray[np.int64]
    below: NDArray[np.int64]

    def energies(self, detunings: NDArray[np.float64]) -> NDArray[np.float64]:
        """sum_n +-delta_n (d,), + for an excited spin."""
        spins = (self.states[:, None] >> np.arange(self.N)) & 1
        return np.asarray((2.0 * spins - 1.0) @ detunings)


@functools.lru_cache(maxsize=8)
def parity_basis(n: int, parity: str) -> ParityBasis:
    """The basis of `n` spins of parity `even` or `odd` (2^(n-1) states), or of `both` (2^n)."""
    states = np.arange(2**n, dtype=np.int64)
    count = np.bitwise_count(states).astype(np.int64)
    if parity != "both":
        states = states[count % 2 == PARITIES.index(parity)]
        count = np.bitwise_count(states).astype(np.int64)
    order = np.lexsort((states, count))
    states, count = states[order], count[order]
    place = np.zeros(2**n, dtype=np.int64)
    place[states] = np.arange(len(states))
    pairs = np.array([(1 << i) | (1 << j) for i in range(n) for j in range(i)], dtype=np.int64)
    tables = []
    for wanted in (np.zeros_like(pairs), pairs):
        joined = (states[:, None] & pairs) == wanted
        neighbours = place[states[:, None] ^ pairs][joined]
        tables.append((np.concatenate([[0], np.cumsum(joined.sum(axis=1))]), neighbours))
    return ParityBasis(n, states, count.astype(np.float64), *tables[0], *tables[1])


def coherent_amplitudes(excitations: NDArray[np.float64], tangent: float) -> NDArray[np.float64]:
    """Normalised amplitudes proportional to tangent^k over the given states of k excitations.

    Over all states this is the spin coherent state tan(theta/2) = `tangent` of azimuth 0, over those of one parity its
    even or odd cat. For `tangent` = 0 it is the limit: the fewest excitations, in equal parts.
    """
    fewest, most = excitations.min(), excitations.max()
    if tangent <= 1.0:
        amplitudes = np.power(tangent, excitations - fewest)
    else:
        amplitudes = np.power(1.0 / tangent, most - excitations)
    return np.asarray(amplitudes / np.linalg.norm(amplitudes))
