"""Steady states and gaps of many systems of up to three spins at once, where nothing about them is delicate.

In the Pauli basis r = (1, x) with dx/dt = A x + b, so that x = -A^-1 b, and minus the largest real part of the eigenvalues
of A is the gap. Taken are points whose Gamma is positive, whose gap is wide beside |A| and whose x is known to nearly all
digits; rates decades apart and closed gaps are for `steady_state`.

Eigenvalues take most of the time. The gap is no less than minus the largest eigenvalue of (A + A^T)/2, which no Hamiltonian
enters, and an elimination tells whether that is wide: where every spin decays by itself it is. Eigenvalues are then for the
gap alone, and not computed where nobody wants it. That eigenvalue bounds |A^-1| as well, and with it what rounding may do to
x, and then no pivot of A itself vanishes, so that it is eliminated as it is. Other points need the inverse, and where the
eigenvalues must decide, degenerate slowest modes are left too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solvers.engines.master_equation.side_by_side import LARGEST, SMALLEST, are_positive
from solvers.engines.master_equation.structure import coefficients, structure_of
from solvers.numerics.compile import FASTMATH, entry, kernel

MOST_SPINS = 3
_WIDE = 1e-3
"""Of the norm of A, from which a gap is known to all digits that matter."""
_APART = 1e-4
"""Of the norm of A: eigenvalues closer to the slowest may be a defective one, which is known to half the digits."""
_NORMAL = 1e-13
_ERROR = 1e-12
_EPS = float(np.finfo(float).eps)


@dataclass(frozen=True)
class Rests:
    """r (P, 4^N), the gap (P,) and the residual |L rho| (P,) of the points that are `treated` (P,); NaN at others.

    The gap is NaN as well where it was not asked for, and at `delicate` (P,) points, whose slowest mode may be a defective
    one: for them `steady_state` has it.
    """

    r: NDArray[np.float64]
    gap: NDArray[np.float64]
    residual: NDArray[np.float64]
    treated: NDArray[np.bool_]
    delicate: NDArray[np.bool_]


def rests_side_by_side(
    field: NDArray[np.float64], coupling: NDArray[np.float64], Gamma: NDArray[np.complex128], gaps: bool = True
) -> Rests:
    """The unique steady states of P systems: field, coupling, Gamma of shapes (P, N, 3), (P, N, N, 3, 3), (P, 3N, 3N).

    With `gaps` the gaps as well; what else is found does not depend on it.
    """
    count, n = field.shape[:2]
    x = coefficients(field, coupling, Gamma)
    scale = np.abs(x).max(axis=1)
    treated = (scale > SMALLEST) & (scale < LARGEST)
    treated &= np.asarray(are_positive(np.ascontiguousarray(Gamma)))
    delicate = np.zeros(count, dtype=bool)
    found = Rests(np.full((count, 4**n), np.nan), np.full(count, np.nan), np.full(count, np.nan), treated, delicate)
    which = np.flatnonzero(treated)
    x = np.ascontiguousarray(x[which] / scale[which, None])
    structure = structure_of(n, (x != 0.0).any(axis=0).tobytes())
    r, residual, error = np.full((len(which), 4**n), np.nan), np.full(len(which), np.nan), np.full(len(which), np.inf)
    damped = damped_rests(x, structure, _WIDE, r, residual, error)
    gap = np.full(len(which), np.nan)
    asked = np.arange(len(which)) if gaps else np.flatnonzero(~damped)
    if len(asked):
        L = np.zeros((len(asked), 4**n, 4**n))
        fill_matrices(x[asked], structure, L)
        gap[asked], decide = _gaps(L[:, 1:, 1:])
        delicate[which[asked]] = damped[asked] & ~decide
        inverted = np.flatnonzero(~damped[asked] & decide)
        r[asked[inverted]], residual[asked[inverted]], error[asked[inverted]] = _by_inverse(L[inverted])
    found.r[which] = r
    found.gap[which] = gap * scale[which] if gaps else np.nan
    found.gap[delicate] = np.nan
    found.residual[which] = residual * scale[which] / 2 ** (n / 2)
    treated[which[~(error <= _ERROR)]] = False
    return found


def _by_inverse(L: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """r (P, 4^N), |L r| (P,) and the error of r (P,) that belong to matrices (P, 4^N, 4^N)."""
    A, b = L[:, 1:, 1:], L[:, 1:, 0]
    inverse = np.asarray(np.linalg.inv(A), dtype=np.float64)
    rest = -_times(inverse, b)
    correction = _times(inverse, _times(A, rest) + b)
    rest = rest - correction
    # rounding of single elements, which a small residual would hide
    hidden = _EPS * _times(np.abs(inverse), _times(np.abs(A), np.abs(rest)) + np.abs(b))
    error = np.maximum(np.abs(correction), hidden).max(axis=1)
    r = np.concatenate([np.ones((len(L), 1)), rest], axis=1)
    return r, np.linalg.norm(_times(L, r), axis=1), error


def _gaps(A: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Minus the largest real parts (P,) of the eigenvalues of A (P, n, n), and whether they are wide and known to all digits."""
    size = np.linalg.norm(A, axis=(1, 2))
    values = np.linalg.eigvals(A).astype(np.complex128)
    slowest = values.real.argmax(axis=1)
    distance = np.abs(values - np.take_along_axis(values, slowest[:, None], axis=1))
    np.put_along_axis(distance, slowest[:, None], np.inf, axis=1)
    turned = np.swapaxes(A, 1, 2)
    normal = np.linalg.norm(A @ turned - turned @ A, axis=(1, 2)) <= _NORMAL * size**2
    gap = -values.real.max(axis=1)
    return gap, (gap >= _WIDE * size) & ((distance.min(axis=1) >= _APART * size) | normal)


@entry(fastmath=FASTMATH)
def damped_rests(x, s, wide, r, residual, error):
    """Whether (P,) the symmetric part of A is below -wide |A|; r (P, 4^N), |L r| and the error of r (P,) where it is."""
    count, size = r.shape
    damped = np.empty(count, dtype=np.bool_)
    L, C = np.empty((size, size)), np.empty((size, size))
    inverses, rest, correction = np.empty(size), np.empty(size), np.empty(size)
    for p in range(count):
        L[:] = 0.0
        fill_matrix(x[p], s, L)
        squares = 0.0
        for i in range(1, size):
            for j in range(1, size):
                squares += L[i, j] * L[i, j]
        least = wide * math.sqrt(squares)
        damped[p] = is_damped(L, least, C, inverses)
        if not damped[p]:
            continue
        eliminate(L, C, inverses)
        for i in range(1, size):
            rest[i] = -L[i, 0]
        substitute(C, inverses, rest)
        rest[0] = 1.0
        largest = 0.0
        for i in range(1, size):
            correction[i] = product(L, i, rest)
        substitute(C, inverses, correction)
        for i in range(1, size):
            largest = max(largest, abs(correction[i]))
            rest[i] -= correction[i]
        moved, rounded = 0.0, 0.0
        for i in range(size):
            left, all_of_it = 0.0, 0.0
            for j in range(size):
                left += L[i, j] * rest[j]
                all_of_it += abs(L[i, j] * rest[j])
            moved += left * left
            rounded += all_of_it * all_of_it
            r[p, i] = rest[i]
        residual[p] = math.sqrt(moved)
        # no element of A^-1 v is larger than |v| / least
        error[p] = max(largest, _EPS * math.sqrt(rounded) / least)
    return damped


@kernel(fastmath=FASTMATH)
def is_damped(L, least, C, inverses):
    """Whether the symmetric part of L without its first row and column is below -least: whether all pivots are positive."""
    size = L.shape[0]
    for i in range(1, size):
        row = C[i, i:]
        for j in range(row.size):
            row[j] = -0.5 * (L[i, i + j] + L[i + j, i])
        row[0] -= least
        k = 1
        while k + 3 < i:
            # slices from 0 on, because loops over them vectorise
            a, b, c, d = C[k, i:], C[k + 1, i:], C[k + 2, i:], C[k + 3, i:]
            f, g = a[0] * inverses[k], b[0] * inverses[k + 1]
            h, m = c[0] * inverses[k + 2], d[0] * inverses[k + 3]
            subtract(row, a, b, c, d, f, g, h, m)
            k += 4
        while k < i:
            a = C[k, i:]
            f = a[0] * inverses[k]
            for j in range(row.size):
                row[j] -= f * a[j]
            k += 1
        if not row[0] > 0.0:
            return False
        inverses[i] = 1.0 / row[0]
    return True


@kernel(fastmath=FASTMATH)
def eliminate(L, C, inverses):
    """The triangular factors, in C, of L without its first row and column; every row is reduced by four others at a time."""
    size = L.shape[0]
    for i in range(1, size):
        row = C[i]
        for j in range(size):
            row[j] = L[i, j]
        k = 1
        while k + 3 < i:
            a, b, c, d = C[k], C[k + 1], C[k + 2], C[k + 3]
            f = row[k] * inverses[k]
            g = (row[k + 1] - f * a[k + 1]) * inverses[k + 1]
            h = (row[k + 2] - f * a[k + 2] - g * b[k + 2]) * inverses[k + 2]
            m = (row[k + 3] - f * a[k + 3] - g * b[k + 3] - h * c[k + 3]) * inverses[k + 3]
            row[k], row[k + 1], row[k + 2], row[k + 3] = f, g, h, m
            k += 4
            subtract(row[k:], a[k:], b[k:], c[k:], d[k:], f, g, h, m)
        while k < i:
            f = row[k] * inverses[k]
            row[k] = f
            k += 1
            left, a = row[k:], C[k - 1, k:]
            for j in range(left.size):
                left[j] -= f * a[j]
        inverses[i] = 1.0 / row[i]


@kernel(fastmath=FASTMATH)
def subtract(row, a, b, c, d, f, g, h, m):
    """Four others, so many times each, from a row."""
    for j in range(row.size):
        row[j] -= f * a[j] + g * b[j] + h * c[j] + m * d[j]


@kernel(fastmath=FASTMATH)
def substitute(C, inverses, vector):
    """The solution in place of a right-hand side; element 0 of the vector is not touched."""
    size = C.shape[0]
    for i in range(1, size):
        total = vector[i]
        for j in range(1, i):
            total -= C[i, j] * vector[j]
        vector[i] = total
    for i in range(size - 1, 0, -1):
        total = vector[i]
        for j in range(i + 1, size):
            total -= C[i, j] * vector[j]
        vector[i] = total * inverses[i]


@kernel(fastmath=FASTMATH)
def product(L, i, vector):
    """Element i of L times the vector."""
    total = 0.0
    for j in range(L.shape[0]):
        total += L[i, j] * vector[j]
    return total


def _times(matrices: NDArray[np.float64], vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Products (P, n) of matrices (P, n, n) and vectors (P, n), each as if it were alone."""
    return np.asarray((matrices @ vectors[..., None])[..., 0])


@entry
def fill_matrices(x, s, out):
    """L (P, 4^N, 4^N) from the coefficients (P, C), into zeros."""
    for p in range(x.shape[0]):
        fill_matrix(x[p], s, out[p])


@kernel
def fill_matrix(x, s, out):
    """L (4^N, 4^N) from the coefficients (C,), into zeros."""
    for r in range(s.starts.size - 1):
        for e in range(s.starts[r], s.starts[r + 1]):
            total = 0.0
            for k in range(s.first[e], s.first[e + 1]):
                total += s.weights[k, 0] * x[s.sources[k]]
            out[r, s.columns[e]] += total
