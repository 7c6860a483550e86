"""The generator of one or two spins and its steady state in exact rational arithmetic: the judge of stiff steady states."""

import itertools
from fractions import Fraction

import numpy as np

# 1, x, y, z: P_a P_b = i^power P_c
PRODUCTS = {(a, a): (0, 0) for a in range(4)} | {(0, a): (a, 0) for a in range(4)} | {(a, 0): (a, 0) for a in range(4)}
for a, b, c in ((1, 2, 3), (2, 3, 1), (3, 1, 2)):
    PRODUCTS |= {(a, b): (c, 1), (b, a): (c, 3)}
POWERS = ((1, 0), (0, 1), (-1, 0), (0, -1))


def multiply(*strings):
    """(product of Pauli strings, power of i)."""
    found, power = strings[0], 0
    for string in strings[1:]:
        digits = [PRODUCTS[pair] for pair in zip(found, string, strict=True)]
        found, power = tuple(c for c, _ in digits), power + sum(p for _, p in digits)
    return found, power


def generator_in_fractions(system):
    """L on Tr(rho P), site 0 leading, as rows of Fractions; the floats of `system` are taken as exact."""
    n = system.N
    strings = list(itertools.product(range(4), repeat=n))
    place = {string: k for k, string in enumerate(strings)}

    def single(p):
        return tuple(p % 3 + 1 if k == p // 3 else 0 for k in range(n))

    H = [(single(3 * i + a), system.field[i, a]) for i in range(n) for a in range(3)]
    for i, j in itertools.combinations(range(n), 2):
        for a, b in itertools.product(range(3), repeat=2):
            H.append((multiply(single(3 * i + a), single(3 * j + b))[0], system.coupling[i, j, a, b]))
    rows = [[Fraction(0)] * len(strings) for _ in strings]
    for column, C in enumerate(strings):

        def add(product, re, im, column=column):
            string, power = product
            a, b = POWERS[power % 4]
            rows[place[string]][column] += re * a - im * b  # imaginary parts cancel in pairs

        for string, value in H:
            add(multiply(string, C), Fraction(0), -Fraction(value))
            add(multiply(C, string), Fraction(0), Fraction(value))
        for p, q in np.argwhere(system.Gamma != 0).tolist():
            re, im = Fraction(system.Gamma[p, q].real), Fraction(system.Gamma[p, q].imag)
            add(multiply(single(p), C, single(q)), re, im)
            add(multiply(single(q), single(p), C), -re / 2, -im / 2)
            add(multiply(C, single(q), single(p)), -re / 2, -im / 2)
    return rows


def inverse_in_fractions(matrix):
    """The exact inverse, None where there is none."""
    n = len(matrix)
    M = [[*row, *(Fraction(int(i == j)) for j in range(n))] for i, row in enumerate(matrix)]
    for k in range(n):
        pivot = next((i for i in range(k, n) if M[i][k] != 0), None)
        if pivot is None:
            return None
        M[k], M[pivot] = M[pivot], M[k]
        scale = 1 / M[k][k]
        M[k] = [scale * v for v in M[k]]
        for i in range(n):
            if i != k and M[i][k] != 0:
                factor = M[i][k]
                M[i] = [u - factor * v for u, v in zip(M[i], M[k], strict=True)]
    return [row[n:] for row in M]


def exact_rest(system):
    """(r (4^N,), smallest |eigenvalue| of L on traceless operators) to double precision; None if L' is singular."""
    rows = generator_in_fractions(system)
    inverse = inverse_in_fractions([row[1:] for row in rows[1:]])
    if inverse is None:
        return None
    constant = [row[0] for row in rows[1:]]
    r = [1.0] + [float(-sum(a * b for a, b in zip(row, constant, strict=True))) for row in inverse]
    slowest = np.abs(np.linalg.eigvals([[float(v) for v in row] for row in inverse])).max()
    return np.array(r), 1.0 / slowest
