"""Pauli strings as bit masks, and the adjoint generator acting on them: the slow, literal derivation of moment equations.

A string is (x, z): bit i of x is set where site i holds s^x or s^y, bit i of z where it holds s^z or s^y. A product of
two strings is a string times a power of i, found by counting bits; no matrix is formed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from solvers.engines.spin_system import SpinSystem

String = tuple[int, int]
_BITS = ((1, 0), (1, 1), (0, 1))


def single(site: int, axis: int) -> String:
    """s_site^axis."""
    x, z = _BITS[axis]
    return x << site, z << site


def multiply(left: String, right: String) -> tuple[complex, String]:
    """left right = phase string, with y = i x z per site."""
    (x1, z1), (x2, z2) = left, right
    x, z = x1 ^ x2, z1 ^ z2
    # i^(y count left + right - result) (-1)^(z of left past x of right)
    power = (x1 & z1).bit_count() + (x2 & z2).bit_count() - (x & z).bit_count() + 2 * (z1 & x2).bit_count()
    return 1j ** (power % 4), (x, z)


def sites(string: String) -> list[tuple[int, int]]:
    """(site, axis) of every Pauli matrix in the string."""
    x, z = string
    found = []
    site = 0
    while (x | z) >> site:
        bits = (x >> site & 1, z >> site & 1)
        if bits != (0, 0):
            found.append((site, _BITS.index(bits)))
        site += 1
    return found


def hamiltonian_terms(system: SpinSystem) -> Iterator[tuple[float, String]]:
    """The Hamiltonian as (coefficient, string)."""
    for i in range(system.N):
        for a in range(3):
            if system.field[i, a]:
                yield float(system.field[i, a]), single(i, a)
        for j in range(i + 1, system.N):
            for a in range(3):
                for b in range(3):
                    if system.coupling[i, j, a, b]:
                        yield float(system.coupling[i, j, a, b]), multiply(single(i, a), single(j, b))[1]


def adjoint_generator(system: SpinSystem, string: String) -> dict[String, complex]:
    """d<P>/dt as a sum of strings: i[H, P] + sum Gamma_{ia,jb} (s_jb P s_ia - {s_jb s_ia, P}/2)."""
    total: dict[String, complex] = defaultdict(complex)

    def add(value: complex, *factors: String) -> None:
        phase, product = 1 + 0j, (0, 0)
        for factor in factors:
            more, product = multiply(product, factor)
            phase *= more
        total[product] += value * phase

    for value, term in hamiltonian_terms(system):
        add(1j * value, term, string)
        add(-1j * value, string, term)
    for p, q in np.argwhere(system.Gamma != 0).tolist():
        rate = complex(system.Gamma[p, q])
        left, right = single(*divmod(p, 3)), single(*divmod(q, 3))
        add(rate, right, string, left)
        add(-rate / 2, right, left, string)
        add(-rate / 2, string, right, left)
    return {s: v for s, v in total.items() if abs(v) > 1e-15}


Moments = Callable[[String], float]


def factorised(spins: NDArray[np.float64]) -> Moments:
    """Moments of a product state."""
    return lambda string: float(np.prod([spins[i, a] for i, a in sites(string)]))


def without_third_cumulant(spins: NDArray[np.float64], correlations: NDArray[np.float64]) -> Moments:
    """Moments of up to three sites with zero third cumulant."""

    def moment(string: String) -> float:
        where = sites(string)
        if len(where) == 1:
            return float(spins[where[0]])
        if len(where) == 2:
            (i, a), (j, b) = where
            return float(correlations[i, j, a, b])
        if len(where) != 3:
            return 1.0 if not where else float("nan")
        (i, a), (j, b), (k, c) = where
        s, p, q = spins[i, a], spins[j, b], spins[k, c]
        return float(
            s * correlations[j, k, b, c] + p * correlations[i, k, a, c] + q * correlations[i, j, a, b] - 2 * s * p * q
        )

    return moment
