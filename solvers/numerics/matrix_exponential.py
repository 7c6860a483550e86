"""exp(A) of a dense real matrix with an error that grows with its slow eigenvalues alone, and an estimate of that error.

Scaling and squaring lets every rounding error grow with |A|, though a fast decay has long been over. Here

    exp(A) = r(A / 2^s)^(2^s),    r(z) = prod_k (1 + 2 Re g_k / (z - theta_k))

with the Pade approximant r of degrees 7 and 8 (B. L. Ehle, BIT 8, 276 (1968): |r| < 1 left of the imaginary axis, r = 0
at infinity; error 7e-18 z^16), whose poles and zeros are paired so that every factor is real and of order 1. s is the
smallest number for which r(z/2^s)^(2^s) = exp(z) at all eigenvalues z: it counts what has not decayed, not the norm.
Equations with A - theta are solved after scaling rows and columns, so that small elements beside large ones keep their
digits. Eigenvalues of all sizes come from inverses of 1 - A/sigma at some sigma, four decades each.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import expm, get_lapack_funcs, lu_solve

_POLES = np.array(
    [
        10.16944600665751510017 + 1.64920179682222769028j,
        9.40637121369074007380 + 4.96921728762329376542j,
        7.73868814683054800379 + 8.37087930623798295978j,
        4.68549463282119682225 + 12.01057859981379025661j,
    ]
)
_ZEROS = np.array(
    [
        -10.94900641193234711272,  # the only real one; its partner is at infinity
        -10.52039480178725333537 + 3.66541046337283264540j,
        -9.13963118938174503065 + 7.42267729457023601894j,
        -6.36547080286482807762 + 11.47343811703591725796j,
    ]
)
_EPS = float(np.finfo(float).eps)
NORM = 100.0
"""Up to this 1-norm SciPy's scaling and squaring serves; at 1e3 a rotation has lost 36 roundings of |A| with it, here 2."""
_TRUNCATION = 1e-14
_MOST_SQUARINGS = 34
_DECAYED = 50.0
_UNSURE = 1e-14
_DECADES = 1e4
_ROUNDINGS = 32.0
"""In exp(A), per 2^s, in units of 2.2e-16 (measured: 1 to 3 for rotations, up to 33 among 2000 random generators)."""
LARGEST_EXPONENT = 700.0


def _coefficients() -> tuple[NDArray[np.float64], NDArray[np.complex128]]:
    """Constants b and g of the factors b + 2 Re g/(z - theta), each 1 at z = 0."""
    b, g = np.zeros(4), np.zeros(4, dtype=np.complex128)
    for k, (pole, zero) in enumerate(zip(_POLES, _ZEROS, strict=True)):
        if k == 0:
            at_zero = abs(pole) ** 2 / -zero.real
            g[k] = at_zero * (pole - zero) / (2j * pole.imag)
        else:
            b[k] = abs(pole) ** 2 / abs(zero) ** 2
            g[k] = b[k] * (pole - zero) * (pole - zero.conjugate()) / (2j * pole.imag)
    return b, g


_B, _G = _coefficients()


class NotResolved(ArithmeticError):
    """The matrix, or its exponential, is not representable."""


@dataclass(frozen=True)
class Exponential:
    """exp(A) (n, n), and the same of A with its elements changed by rounding, computed with shorter steps.

    The difference of the two, applied to a state, estimates the error: that of the method, that of its rounding, and
    that of the rounding in A itself (a phase of 1e8 radians is known to 1e-8 at best).
    """

    value: NDArray[np.float64]
    again: NDArray[np.float64]

    roundings: float
    """The least error, in units of 2.2e-16 of the state."""


def exponential(matrix: NDArray[np.float64], stable: bool = False) -> Exponential:
    """exp(A) of `matrix` (n, n), twice; NotResolved when it overflows. `stable`: no eigenvalue has a positive real part."""
    norm = float(np.abs(matrix).sum(axis=0).max(initial=0.0))
    if not np.isfinite(norm):
        raise NotResolved("the matrix of the exponential is not finite")
    changed = _shaken(matrix)
    if norm <= NORM:
        half = expm(changed / 4)
        half = half @ half
        return Exponential(_finite(expm(matrix), matrix), _finite(half @ half, matrix), 0.0)
    spectrum = resolved_eigenvalues(matrix)
    if stable:
        spectrum.real = np.minimum(spectrum.real, 0.0)
    if spectrum.real.max() > LARGEST_EXPONENT:
        raise NotResolved(f"the exponential of an eigenvalue {spectrum.real.max():.6g} is no double-precision number")
    squarings = _squarings(spectrum)
    with np.errstate(all="ignore"):
        value, again = _rational(matrix, squarings), _rational(changed, squarings + 2)
    return Exponential(_finite(value, matrix), _finite(again, matrix), _ROUNDINGS * 2.0**squarings)


def _finite(value: NDArray[np.float64], matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """The exponential `value`, with the rows of what `matrix` conserves exact, not up to rounding."""
    if not np.isfinite(value).all():
        raise NotResolved("the exponential of the matrix is not finite")
    conserved = np.flatnonzero(~matrix.any(axis=1))
    value[conserved] = 0.0
    value[conserved, conserved] = 1.0
    return value


def _shaken(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Every element larger or smaller by one rounding; the pattern is fixed."""
    signs = np.sin(1.0 + np.arange(matrix.size) ** 1.5).reshape(matrix.shape)
    return np.asarray(matrix * (1.0 + _EPS * np.sign(signs)))


def _squarings(spectrum: NDArray[np.complex128]) -> int:
    """The smallest s with |r(z/2^s)^(2^s) - exp(z)| negligible at all eigenvalues z."""
    # the real part of a fast oscillation is known to some roundings of its frequency
    unsure = _UNSURE * len(spectrum) * np.abs(spectrum.imag)
    decay = np.where(spectrum.real > 0.0, spectrum.real, np.minimum(spectrum.real + unsure, 0.0))
    spectrum = decay + 1j * spectrum.imag
    lasting = decay > -_DECAYED
    with np.errstate(all="ignore"):
        expected = np.exp(spectrum)
        scale = np.maximum(1.0, np.abs(expected))
        for s in range(_MOST_SQUARINGS + 1):
            value = _scalar(spectrum / 2.0**s)
            for _ in range(s):
                value = value * value
            # 2^s roundings of r add up in what has not decayed
            allowed = np.where(lasting, max(_TRUNCATION, 64 * _EPS * 2.0**s), _TRUNCATION)
            if np.all(np.abs(value - expected) <= allowed * scale):
                return s
    # a phase that double precision does not know: steps that at least follow it
    return max(0, int(np.ceil(np.log2(np.abs(spectrum[lasting]).max(initial=1.0)))))


def _scalar(z: NDArray[np.complex128]) -> NDArray[np.complex128]:
    """r(z), factor by factor."""
    value = np.ones_like(z)
    for b, g, pole in zip(_B, _G, _POLES, strict=True):
        value *= b + g / (z - pole) + g.conjugate() / (z - pole.conjugate())
    return value


def _rational(matrix: NDArray[np.float64], squarings: int) -> NDArray[np.float64]:
    A = matrix / 2.0**squarings
    size = len(A)
    rows, columns = _equilibration(np.abs(A) + 10.0 * np.eye(size))
    scaled = rows[:, None] * A * columns
    shift = np.diag(rows * columns)
    value = np.eye(size)
    for b, g, pole in zip(_B, _G, _POLES, strict=True):
        factors = _lu(scaled - pole * shift)
        solved = columns[:, None] * lu_solve(factors, rows[:, None] * value, check_finite=False)
        value = b * value + 2 * (g * solved).real
    for _ in range(squarings):
        value = value @ value
    return value


def _lu(matrix):
    (getrf,) = get_lapack_funcs(("getrf",), (matrix,))
    factors, pivots, info = getrf(matrix)
    if info != 0:
        raise NotResolved("a shifted matrix of the rational exponential is singular")
    return factors, pivots


def _equilibration(sizes: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Powers of two for rows and columns that bring the largest element of each to about 1 (D. Ruiz, RAL-TR-2001-034)."""
    # in logarithms, so that products of extreme elements neither overflow nor vanish
    with np.errstate(divide="ignore"):
        logs = np.log2(sizes)
    row, column = np.zeros(len(sizes)), np.zeros(len(sizes))
    for _ in range(14):
        current = logs + row[:, None] + column
        row = row - 0.5 * current.max(axis=1)
        column = column - 0.5 * current.max(axis=0)
    return np.exp2(np.round(row)), np.exp2(np.round(column))


def resolved_eigenvalues(matrix: NDArray[np.float64]) -> NDArray[np.complex128]:
    """Eigenvalues of `matrix` (n, n), each with a small error relative to itself or to 1, however large others are.

    Where the eigenvalues of one size follow from cancellations between much larger elements, they are as good as these.
    """
    norm = float(np.abs(matrix).sum(axis=0).max(initial=0.0))
    size = len(matrix)
    found: list[NDArray[np.complex128]] = []
    sigma, low = 1.37, 0.0
    while True:
        high = sigma * _DECADES**0.5
        last = high >= norm
        shifted = np.eye(size) - matrix / sigma
        rows, columns = _equilibration(np.abs(shifted) + _EPS * np.eye(size))
        factors = _lu(rows[:, None] * shifted * columns)
        inverse = columns[:, None] * lu_solve(factors, np.diag(rows), check_finite=False)
        if not np.isfinite(inverse).all():
            raise NotResolved("the eigenvalues of the generator are not representable")
        values = np.linalg.eigvals(inverse).astype(np.complex128)
        with np.errstate(all="ignore"):
            z = sigma * (1.0 - 1.0 / values)
        z[~np.isfinite(z)] = -norm  # beyond what this shift resolves
        keep = np.abs(z) >= low if last else (np.abs(z) >= low) & (np.abs(z) < high)
        found.append(z[keep])
        if last:
            return np.concatenate(found)
        low, sigma = high, sigma * _DECADES
