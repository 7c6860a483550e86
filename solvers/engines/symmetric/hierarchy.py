"""Third order of equal spins: moments of one, two and three spins, fourth cumulants zero; what the second order leaves out.

<s^a ... s^c> on k different sites depends only on how many letters x, y, z it has, so that the exact, open hierarchy is a
matrix over such counts. For one site with the letter a, and for pairs of sites (letters c and d, or c and none),

    a -> M^ab b + g^a,   c none -> (N-k) eps_cae K^ab (e b),
    c d -> eps_cae K^ad e + eps_dae K^ac e + 4 eps_cae eps_dbf S^ab (e f),   M = [Omega]_x - R

and it is closed by <abcd> = sum_4 <a><bcd> + sum_3 <ab><cd> - 2 sum_6 <a><b><cd> + 6 <a><b><c><d>.
"""

from __future__ import annotations

import functools
from itertools import combinations_with_replacement

import numpy as np
from numpy.typing import NDArray

from solvers.engines.spin_system import EPSILON
from solvers.engines.symmetric.moments import Coefficients
from solvers.numerics.compile import FASTMATH, kernel

WORDS = tuple(word for k in range(5) for word in combinations_with_replacement(range(3), k))
"""Letters (0 to 2 for x, y, z) on up to four sites, in rising order, beginning with none."""
PLACE = {word: i for i, word in enumerate(WORDS)}
KNOWN = sum(len(word) < 4 for word in WORDS)
"""Words of up to three letters."""

SECOND = np.array([[PLACE[tuple(sorted((a, b)))] for b in range(3)] for a in range(3)])
THIRD = np.array([[[PLACE[tuple(sorted((a, b, c)))] for c in range(3)] for b in range(3)] for a in range(3)])
FOURTH = np.array([word for word in WORDS if len(word) == 4])


@functools.cache
def _elements() -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Of each term: its place in the flattened matrix, the coefficient it takes, and u, v of its factor u N + v."""
    starts = np.cumsum([0, 3, 9, 27, 27])  # of g, turn, shared, reduced, damped
    found: list[tuple[int, int, float, float]] = []

    def add(word: tuple[int, ...], other: int, kind: int, index: tuple[int, ...], u: float, v: float) -> None:
        coefficient = int(starts[kind] + np.ravel_multi_index(index, (3,) * len(index)))
        found.append((PLACE[word] * len(WORDS) + other, coefficient, u, v))

    for word in WORDS[:KNOWN]:
        k = len(word)
        for i, c in enumerate(word):
            rest = word[:i] + word[i + 1 :]
            add(word, PLACE[rest], 0, (c,), 0.0, 1.0)
            for e in range(3):
                add(word, _place(rest, e), 1, (c, e), 0.0, 1.0)
                for b in range(3):
                    add(word, _place(rest, e, b), 2, (c, e, b), 1.0, -k)
            for j, d in enumerate(word):
                others = tuple(letter for m, letter in enumerate(word) if m not in (i, j))
                for e in range(3):
                    if i != j:
                        add(word, _place(others, e), 3, (c, d, e), 0.0, 1.0)
                    for f in range(3):
                        if i < j:
                            add(word, _place(others, e, f), 4, (c, d, e, f), 0.0, 1.0)
    place, coefficient, u, v = (np.array(column) for column in zip(*found, strict=True))
    return place, coefficient, u, v


def with_third_order(p: Coefficients) -> Coefficients:
    """The same with the equations of all words of up to three letters, of three spins at least."""
    place, coefficient, u, v = _elements()
    values = np.concatenate(
        [
            p.g,
            (np.einsum("cae,a->ce", EPSILON, p.Omega) - p.R).ravel(),
            np.einsum("cae,ab->ceb", EPSILON, p.K).ravel(),  # c none -> e b
            np.einsum("cae,ad->cde", EPSILON, p.K).ravel(),  # c d -> e
            4 * np.einsum("cae,dbf,ab->cdef", EPSILON, EPSILON, p.S).ravel(),  # c d -> e f
        ]
    )
    flat = np.bincount(place, weights=values[coefficient] * (u * p.N + v), minlength=KNOWN * len(WORDS))
    matrix = np.asarray(flat, dtype=np.float64).reshape(KNOWN, len(WORDS))
    return p._replace(matrix=matrix, words=np.ones(len(WORDS)))


def _place(letters: tuple[int, ...], *more: int) -> int:
    return PLACE[tuple(sorted((*letters, *more)))]


def product_moments(s: NDArray[np.float64]) -> NDArray[np.float64]:
    """All words of one to three letters in a product state, (KNOWN - 1,)."""
    return np.array([np.prod(s[list(word)]) for word in WORDS[1:KNOWN]])


@kernel(fastmath=FASTMATH)
def third_order_rhs(t, y, p, dy):
    """dy at the words y of one to three letters."""
    m = p.words
    known = y.size
    for i in range(known):
        m[1 + i] = y[i]
    for i in range(FOURTH.shape[0]):
        a, b, c, d = FOURTH[i, 0], FOURTH[i, 1], FOURTH[i, 2], FOURTH[i, 3]
        ma, mb, mc, md = m[1 + a], m[1 + b], m[1 + c], m[1 + d]
        ab, ac, ad = m[SECOND[a, b]], m[SECOND[a, c]], m[SECOND[a, d]]
        bc, bd, cd = m[SECOND[b, c]], m[SECOND[b, d]], m[SECOND[c, d]]
        value = ma * m[THIRD[b, c, d]] + mb * m[THIRD[a, c, d]] + mc * m[THIRD[a, b, d]] + md * m[THIRD[a, b, c]]
        value += ab * cd + ac * bd + ad * bc + 6.0 * ma * mb * mc * md
        value -= 2.0 * (ma * mb * cd + ma * mc * bd + ma * md * bc + mb * mc * ad + mb * md * ac + mc * md * ab)
        m[1 + known + i] = value
    for i in range(known):
        total = 0.0
        for j in range(m.size):
            total += p.matrix[1 + i, j] * m[j]
        dy[i] = total
