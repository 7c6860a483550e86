"""Inverses and eigenvalues of dense matrices whose entries span many decades, as those of fast and slow rates do.

Elimination that begins with the large pivots keeps small Schur complements to relative accuracy, where orthogonal
methods lose everything below rounding of the largest entry (N. J. Higham, Accuracy and Stability of Numerical
Algorithms, 2nd ed., chapters 7 and 9).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigvals, get_lapack_funcs, lu_solve

EPS = float(np.finfo(float).eps)
SINGULAR = 0.01
"""From this times rounding on, relative changes of the entries make a matrix singular: it counts as singular."""


ROUNDING = 100 * EPS
"""Uncertainty of eigenvalues relative to the largest: normwise rounding, with a margin for what is not normal."""

SHARPENINGS = 12
"""Most inverse iterations for a cluster of eigenvalues."""


@dataclass(frozen=True)
class Inverse:
    """A^-1, A's factors, and eps times the spectral radius of |A^-1| (|A| + |L| |U|).

    Without the factors L and U, the reciprocal of that radius is, up to the order of the matrix, the relative change of
    single entries that makes A singular (S. M. Rump, SIAM Rev. 41, 102 (1999)); it does not depend on the units of the
    unknowns. The factors stand for the rounding of the elimination itself, which also falls where A has zeros.
    """

    matrix: NDArray[Any]
    closeness: float
    order: NDArray[np.int64]
    factors: Any

    @property
    def singular(self) -> bool:
        """Whether A cannot be told from a singular matrix."""
        return not self.closeness < SINGULAR

    def solve(self, b: NDArray[Any]) -> NDArray[Any]:
        """A^-1 b with a small residual, which the product with the inverse would not give."""
        x = np.empty_like(b)
        x[self.order] = lu_solve(self.factors, b[self.order], check_finite=False)
        return x


def invert(A: NDArray[Any]) -> Inverse:
    """The inverse of A (n, n), real or complex, by elimination from the largest diagonal elements downwards."""
    n = len(A)
    order = np.argsort(-np.abs(np.diag(A)), kind="stable")
    ordered = A[np.ix_(order, order)]
    with np.errstate(all="ignore"):
        factorise: Any = get_lapack_funcs("getrf", (ordered,))
        factors, pivots, info = factorise(ordered)
        if info != 0:  # a pivot is exactly zero
            return Inverse(np.full((n, n), np.inf), float("inf"), order, None)
        solved = lu_solve((factors, pivots), np.eye(n, dtype=A.dtype), check_finite=False)
        inverse = np.empty_like(solved)
        inverse[np.ix_(order, order)] = solved
        rounded = np.abs(A)
        rounded[np.ix_(order[_permutation(pivots)], order)] += np.abs(np.tril(factors, -1) + np.eye(n)) @ np.abs(
            np.triu(factors)
        )
        return Inverse(inverse, EPS * _perron(np.abs(inverse), rounded), order, (factors, pivots))


def sharpened(
    A: NDArray[Any], values: NDArray[np.complex128], errors: NDArray[np.float64]
) -> tuple[NDArray[np.complex128], NDArray[np.float64]]:
    """Neighbouring eigenvalues `values` (k,) of A, known to `errors` (k,), to the rounding of their two-sided Rayleigh quotients.

    Left and right invariant subspaces X and Y come from inverse iteration by elimination from large diagonal elements, which
    keeps the small components of slow modes in fast directions; (Y^+ X)^-1 Y^+ A X then has an error of second order in
    theirs, and the rounding eps |Y|^T |A| |X|, small where A is large but the modes are not. What does not converge is returned as it came.
    """
    n, k = len(A), len(values)
    order = np.argsort(-np.abs(np.diag(A)), kind="stable")
    ordered = A[np.ix_(order, order)].astype(np.complex128)
    shift = complex(values.mean()) + 0.25 * float(errors.max())
    start = np.random.default_rng(0).standard_normal((n, k)) + 0j
    with np.errstate(all="ignore"):
        factorise: Any = get_lapack_funcs("getrf", (ordered,))
        factors, pivots, info = factorise(ordered - shift * np.eye(n))
        if info != 0:
            return values, errors
        right = left = start
        found = before = np.full(k, np.inf, dtype=np.complex128)
        doubt = np.full((k, k), np.inf)
        for _ in range(SHARPENINGS):
            right = lu_solve((factors, pivots), right, check_finite=False)
            left = lu_solve((factors, pivots), left, trans=2, check_finite=False)
            if not (np.isfinite(right).all() and np.isfinite(left).all()):
                return values, errors
            right, left = np.linalg.qr(right)[0], np.linalg.qr(left)[0]
            overlap = left.conj().T @ right
            if not np.linalg.cond(overlap) < 1e8:
                return values, errors
            across = np.linalg.inv(overlap)
            ritz = np.linalg.eigvals(across @ (left.conj().T @ ordered @ right))
            before, found = found, np.array(sorted(ritz, key=lambda z: (z.real, z.imag)), dtype=np.complex128)
            doubt = np.abs(across) @ (np.abs(left).T @ (np.abs(ordered) @ np.abs(right)))
            error = 10 * EPS * float(doubt.sum(axis=1).max())
            if np.abs(found - before).max() <= error:
                return found, np.full(k, error)
    return values, errors


def _permutation(pivots: NDArray[np.int64]) -> NDArray[np.int64]:
    """Which row of A each row of L U is, from the exchanges of the elimination."""
    rows = np.arange(len(pivots))
    for k, other in enumerate(pivots.tolist()):
        rows[k], rows[other] = rows[other], rows[k]
    return rows


def _perron(left: NDArray[np.float64], right: NDArray[np.float64]) -> float:
    """The spectral radius of left @ right, entries not negative, by power iteration.

    Two steps at a time: beside a vanishing diagonal large and small steps alternate for ever.
    """
    vector = np.ones(len(left))
    radius = before = float("inf")
    for _ in range(30):
        image = left @ (right @ vector)
        size = float(image.max())
        if not np.isfinite(size) or size == 0.0:
            return size if size == 0.0 else float("inf")
        image /= size
        both = (size * before) ** 0.5
        if abs(both - radius) < 0.05 * both:
            return both
        radius, before, vector = both, size, np.maximum(image, 1e-300)
    return radius


def eigenvalues(A: NDArray[Any], inverse: Inverse | None = None) -> tuple[NDArray[np.complex128], NDArray[np.float64]]:
    """All eigenvalues of A and their uncertainties by rounding, the small ones from A's inverse where its norm would drown them."""
    if len(A) == 1:
        return np.array([A[0, 0]], dtype=np.complex128), np.zeros(1)
    values = np.asarray(eigvals(A, check_finite=False), dtype=np.complex128)
    large = float(np.abs(values).max())
    errors = np.full(len(values), ROUNDING * large)
    if inverse is None or inverse.singular or large * np.abs(inverse.matrix).max() < 1e4:
        return values, errors
    small = 1.0 / np.asarray(eigvals(inverse.matrix, check_finite=False), dtype=np.complex128)
    values, small = values[np.argsort(np.abs(values))], small[np.argsort(np.abs(small))]
    sharper = (ROUNDING + inverse.closeness) * np.abs(small) ** 2 / np.abs(small[0])
    inner = sharper < errors
    return np.where(inner, small, values), np.where(inner, sharper, errors)
