"""Steady states and gaps of many systems of up to three spins at once, where nothing about them is delicate.

In the Pauli basis r = (1, x) with dx/dt = A x + b, so that x = -A^-1 b, and minus the largest real part of the eigenvalues
of A is the gap. Taken are points whose Gamma is positive, whose gap is wide beside |A| and whose x is known to nearly all
digits; rates decades apart and closed gaps are for `steady_state`.

Eigenvalues take most of the time. The gap is no less than minus the largest eigenvalue of (A + A^T)/2, which no Hamiltonian
enters, and an elimination tells whether that is wide: where every spin decays by itself it is. Eigenvalues are then for the
gap alone, and not computed where nobody wants it. Where the eigenvalues must decide, degenerate slowest modes are left too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solvers.engines.master_equation.side_by_side import LARGEST, SMALLEST, are_positive
from solvers.engines.master_equation.structure import coefficients, structure_of
from solvers.numerics.compile import FASTMATH, entry

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
    L = np.zeros((len(which), 4**n, 4**n))
    fill_matrices(x, structure_of(n, (x != 0.0).any(axis=0).tobytes()), L)
    A, b = L[:, 1:, 1:], L[:, 1:, 0]
    size = np.linalg.norm(A, axis=(1, 2))
    fine = are_damped(L, _WIDE * size)
    undecided = np.flatnonzero(~fine)
    gap = np.full(len(which), np.nan)
    asked = np.arange(len(which)) if gaps else undecided
    if len(asked):
        gap[asked], apart = _gaps(A[asked], size[asked])
        wide = gap[asked] >= _WIDE * size[asked]
        decides = ~fine[asked]
        fine[asked] |= wide & apart
        delicate[which[asked]] = ~decides & ~(wide & apart)
    if not fine.all():
        treated[which[~fine]] = False
        which, A, b, L, gap = which[fine], A[fine], b[fine], L[fine], gap[fine]
    inverse = np.linalg.inv(A)
    rest = -_times(inverse, b)
    correction = _times(inverse, _times(A, rest) + b)
    rest = rest - correction
    # rounding of single elements, which a small residual would hide
    hidden = _EPS * _times(np.abs(inverse), _times(np.abs(A), np.abs(rest)) + np.abs(b))
    error = np.maximum(np.abs(correction), hidden).max(axis=1)
    r = np.concatenate([np.ones((len(which), 1)), rest], axis=1)
    found.r[which], found.gap[which] = r, gap * scale[which] if gaps else np.nan
    found.gap[delicate] = np.nan
    found.residual[which] = np.linalg.norm(_times(L, r), axis=1) * scale[which] / 2 ** (n / 2)
    treated[which[~(error <= _ERROR)]] = False
    return found


def _gaps(A: NDArray[np.float64], size: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Minus the largest real parts (P,) of the eigenvalues of A (P, n, n) of norms `size`, and whether they are known to all digits."""
    values = np.linalg.eigvals(A).astype(np.complex128)
    slowest = values.real.argmax(axis=1)
    distance = np.abs(values - np.take_along_axis(values, slowest[:, None], axis=1))
    np.put_along_axis(distance, slowest[:, None], np.inf, axis=1)
    turned = np.swapaxes(A, 1, 2)
    normal = np.linalg.norm(A @ turned - turned @ A, axis=(1, 2)) <= _NORMAL * size**2
    return -values.real.max(axis=1), (distance.min(axis=1) >= _APART * size) | normal


@entry(fastmath=FASTMATH)
def are_damped(L, least):
    """Whether (P,) the symmetric part of L without its first row and column is below -least (P,), by Cholesky's elimination."""
    count, n = L.shape[0], L.shape[1] - 1
    found = np.empty(count, dtype=np.bool_)
    C = np.empty((n, n))
    for p in range(count):
        damped = True
        for i in range(n):
            for j in range(i + 1):
                total = -0.5 * (L[p, i + 1, j + 1] + L[p, j + 1, i + 1])
                for k in range(j):
                    total -= C[i, k] * C[j, k]
                if j < i:
                    C[i, j] = total * C[j, j]
            total -= least[p]
            damped = total > 0.0
            if not damped:
                break
            C[i, i] = 1.0 / math.sqrt(total)
        found[p] = damped
    return found


def _times(matrices: NDArray[np.float64], vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Products (P, n) of matrices (P, n, n) and vectors (P, n), each as if it were alone."""
    return np.asarray((matrices @ vectors[..., None])[..., 0])


@entry
def fill_matrices(x, s, out):
    """L (P, 4^N, 4^N) from the coefficients (P, C), into zeros."""
    for p in range(x.shape[0]):
        for r in range(s.starts.size - 1):
            for e in range(s.starts[r], s.starts[r + 1]):
                total = 0.0
                for k in range(s.first[e], s.first[e + 1]):
                    total += s.weights[k, 0] * x[p, s.sources[k]]
                out[p, r, s.columns[e]] += total
