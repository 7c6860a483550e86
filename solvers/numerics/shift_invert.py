"""Slow modes and exponentials of a large sparse real matrix from a few sparse factorisations.

The Krylov space of (1 - gamma A)^-1 and v holds what is slow in exp(t A) v to an accuracy that does not depend on how
stiff A is: with V an orthonormal basis of it and H the projection of the inverse,

    exp(t A) v = |v| V exp(t (1 - H^-1)/gamma) e_1

(I. Moret and P. Novati, BIT 44, 595 (2004); J. van den Eshof and M. Hochbruck, SIAM J. Sci. Comput. 27, 1438 (2006)).
One space serves many times. The same space for (A - sigma)^-1 holds the eigenvectors nearest to sigma.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import expm
from scipy.sparse import csc_matrix, eye_array
from scipy.sparse.linalg import splu

from solvers.outcome import Kind, PointFailed

Vector = NDArray[np.float64]

_SIZES = {16: 4.0, 24: 4.0, 36: 2.0, 54: 1.2}
"""Dimensions of the space at which convergence is looked at, by comparison with the one before; how much longer the next step is."""
_POLE = 10.0
"""The longest time over gamma."""
_SHARES = np.array([1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0])
"""Where a space that does not reach its end may be left."""
_DENSE = 256
"""Up to this dimension matrices are dense."""
_SEPARATE = 1e7
"""Product of the norms of left and right eigenvector, of product 1, up to which an eigenvalue stands alone."""


def arnoldi(solver: Any, transposed: str, v: Vector, size: int, basis: Vector | None = None, h: Vector | None = None):
    """Orthonormal basis (m + 1, n) and projection (m + 1, m) of the inverse that `solver` applies, m <= size.

    `basis` and `h` of a smaller space are extended. A space that is invariant ends early.
    """
    done = 0 if h is None else h.shape[1]
    V, H = np.zeros((size + 1, len(v))), np.zeros((size + 1, size))
    if basis is None or h is None:
        V[0] = v / np.linalg.norm(v)
    else:
        V[: done + 1], H[: done + 1, :done] = basis, h
    for j in range(done, size):
        w = solver.solve(V[j], transposed)
        before = float(np.linalg.norm(w))
        for _ in range(2):  # once more, so that rounding does not spoil the orthogonality
            overlap = V[: j + 1] @ w
            H[: j + 1, j] += overlap
            w -= overlap @ V[: j + 1]
        H[j + 1, j] = np.linalg.norm(w)
        if not H[j + 1, j] > 1e-14 * before:
            return V[: j + 2], H[: j + 2, : j + 1]
        V[j + 1] = w / H[j + 1, j]
    return V, H


@dataclass(frozen=True)
class Mode:
    """An eigenvalue with its right and left eigenvector (n,), left . right = 1, and the eigenvalue nearest to it.

    `rounding` is the error of the value. For a complex pair the one with positive imaginary part is meant. Where two
    eigenvalues coincide and share their eigenvector, `alone` is False, and the vectors are NaN.
    """

    value: complex
    right: NDArray[Any]
    left: NDArray[Any]
    rounding: float
    next_value: complex
    alone: bool

    def part(self, v: Vector) -> NDArray[Any]:
        """The share of this mode in v, of a complex pair the half."""
        return np.asarray(self.right * (self.left @ v))


def nearest_mode(A: csc_matrix, shift: float) -> Mode:
    """The eigenvalue of A nearest to `shift`, itself no eigenvalue."""
    n = A.shape[0]
    scale = float(abs(A).sum(axis=0).max())
    if n == 1:
        value = complex(A[0, 0])
        return Mode(value, np.ones(1), np.ones(1), 1e-15 * scale, complex(-np.inf), True)
    solver = splu(csc_matrix(A - shift * eye_array(n)))
    start = 1.0 + 0.5 * np.cos(np.arange(n) * 1.0)  # no symmetry, so that no mode is absent
    _, H = arnoldi(solver, "N", start, min(n, 40))
    m = H.shape[1]
    inverse = np.linalg.eigvals(H[:m, :m])
    inverse = inverse[np.argsort(-np.abs(inverse), kind="stable")]
    values = shift + 1.0 / inverse[np.abs(inverse) > 0]
    value = complex(values[0].real, abs(values[0].imag))
    if value.imag < 1e-9 * max(abs(value.real), 1e-9 * scale):
        value = complex(value.real)
        right, left = (_inverse_iteration(solver, mode, start) for mode in ("N", "T"))
    else:
        nearby = splu(csc_matrix(A - (value + 1e-9 * abs(value)) * eye_array(n, dtype=np.complex128)))
        right, left = (_inverse_iteration(nearby, mode, start.astype(np.complex128)) for mode in ("N", "T"))
    others = [complex(v) for v in values if min(abs(v - value), abs(v - value.conjugate())) > 1e-6 * abs(v)]
    following = others[0] if others else complex(-np.inf)
    overlap = left @ right
    refined = complex(left @ (A @ right) / overlap) if overlap else value
    error = float(np.linalg.norm(A @ right - refined * right))
    if not (abs(overlap) * _SEPARATE > 1.0 and error < 1e-9 * scale):  # both vectors have length 1
        absent = np.full(n, np.nan)
        return Mode(value, absent, absent, 1e-8 * scale, following, False)
    return Mode(refined, right, left / overlap, 4e-16 * scale / float(abs(overlap)), following, True)


def _inverse_iteration(solver: Any, transposed: str, start: NDArray[Any]) -> NDArray[Any]:
    v = start / np.linalg.norm(start)
    for _ in range(60):
        new = solver.solve(v, transposed)
        new /= np.linalg.norm(new)
        overlap = np.vdot(v, new)
        change = float(np.linalg.norm(new - overlap * v))
        v = new
        if change < 1e-15:
            break
    return np.asarray(v)


class Exponential:
    """exp(t A) v for a sparse A whose spectrum lies in the left half plane.

    `tolerance` is the error of a step beside |v|; `most` bounds how many steps (Krylov spaces) a call may take.
    """

    def __init__(self, A: csc_matrix, tolerance: float, most: int) -> None:
        self._A = A
        self._tolerance = tolerance
        self._most = most

    @property
    def dense(self) -> bool:
        """Whether the matrix is small enough for dense exponentials."""
        return int(self._A.shape[0]) <= _DENSE

    def probe(self, v: Vector, step: float, within: float) -> float:
        """The time up to `step` that one space reaches from v to an error `within`; 0 if not even its first share."""
        offered = step * _SHARES
        _, converged, _ = self._space(v, offered, within)
        reached = len(offered) if converged.all() else int(np.argmin(converged))
        return float(offered[reached - 1]) if reached else 0.0

    def __call__(self, v: Vector, times: Vector, within: float | None = None, first: float = 0.0) -> Vector:
        """exp(t A) v (T, n) at `times` (T,) >= 0, ascending; PointFailed where `most` steps do not suffice.

        `within` is the error of a step, by default `tolerance` beside |v|; `first` is a first step known to suffice.
        """
        out = np.zeros((len(times), len(v)))
        within = self._tolerance * float(np.linalg.norm(v)) if within is None else within
        done = int(np.searchsorted(times, 0.0, side="right"))
        out[:done] = v
        if self.dense:
            return self._dense(v, times, done, out)
        now, step, steps, limited = 0.0, first, 0, first > 0.0
        while done < len(times):
            if float(np.linalg.norm(v)) <= 0.01 * within:
                break  # what is left stays zero
            if steps == self._most:
                raise PointFailed(
                    Kind.STEP_BUDGET_SPENT,
                    f"{steps} Krylov spaces reached t = {now:.3g} of {times[-1]:.3g}; raise max_steps or rtol",
                )
            steps += 1
            if not limited:  # nothing speaks against reaching the next output time at once
                step = max(step, 4.0 * (times[done] - now))
            step = min(step, times[-1] - now)
            wanted = times[done : np.searchsorted(times, now + step, side="right")] - now
            offered = np.unique(np.concatenate([wanted, step * _SHARES]))
            states, converged, growth = self._space(v, offered, within)
            reached = len(offered) if converged.all() else int(np.argmin(converged))
            if reached == 0:
                step, limited = step / (8.0 if limited else 64.0), True
                continue
            until = offered[reached - 1]
            inside = wanted[wanted <= until]
            out[done : done + len(inside)] = states[np.searchsorted(offered, inside)]
            done += len(inside)
            v, now = states[reached - 1], now + until
            limited = limited or until < step
            step = growth * until
        return out

    def _dense(self, v: Vector, times: Vector, done: int, out: Vector) -> Vector:
        dense, before, last, now = self._A.toarray(), np.eye(len(v)), math.nan, 0.0
        for row in range(done, len(times)):
            step = times[row] - now
            if step != last:
                before, last = expm(step * dense), step
            v, now = before @ v, times[row]
            out[row] = v
        if not np.isfinite(out).all():
            raise PointFailed(Kind.NOT_FINITE, f"the exponential of the generator is not finite at t = {times[-1]:.3g}")
        return out

    def _space(self, v: Vector, times: Vector, tolerance: float) -> tuple[Vector, NDArray[np.bool_], float]:
        """States at ascending times, which of them have converged, and growth of the step, from one factorisation."""
        size, n = float(np.linalg.norm(v)), len(v)
        gamma = times[-1] / _POLE
        solver = splu(csc_matrix(eye_array(n) - gamma * self._A))
        V: Any = None
        H: Any = None
        before, converged = np.zeros((len(times), 0)), np.zeros(len(times), dtype=bool)
        for size_now in _SIZES:
            V, H = arnoldi(solver, "N", v, size_now, V, H)
            m = H.shape[1]
            projected = (np.eye(m) - np.linalg.inv(H[:m, :m])) / gamma
            coefficients = np.array([expm(t * projected)[:, 0] for t in times])
            changed = coefficients.copy()
            changed[:, : before.shape[1]] -= before
            invariant = not H[m, m - 1] > 1e-14 * abs(H[:m, :m]).max()
            converged = invariant | (size * np.linalg.norm(changed, axis=1) <= tolerance)
            before = coefficients
            if converged.all():
                break
        growth = _SIZES[size_now]
        return size * before @ V[: before.shape[1]], converged & np.isfinite(before).all(axis=1), growth
