"""Where one large invariant block of L comes to rest, and how fast: Krylov and Davidson iterations with approximate inverses."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lu_factor, lu_solve
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigs

from solvers.engines.master_equation.matrix_units import Block, mirror, real_form, to_real_part
from solvers.engines.master_equation.rest_of_block import GROWS, RESTS, Rest
from solvers.engines.master_equation.secular import Secular
from solvers.numerics.graded import EPS
from solvers.numerics.krylov import gmres
from solvers.numerics.rightmost import WATCHED, Rightmost, rightmost

Vector = NDArray[np.complex128]


class Inverse(Protocol):
    """(v, z) -> nearly (L - z)^-1 v."""

    def __call__(self, v: Vector, z: complex) -> Vector: ...


SPACE = 60
CYCLES = 24
MOST_DENSE = 4200
"""Blocks up to this size are solved by elimination where iterations fail: 0.3 GiB and a few seconds."""
GAP_TOLERANCE, GAP_BUDGET = 1e-6, 500
STARTS = 60
DEPTH = 40


def _gmres(
    apply: Callable[[Vector], Vector], precondition: Callable[[Vector], Vector], b: Vector, tolerance: float, space: int
) -> tuple[Vector, float, int]:
    """GMRES for complex vectors as real ones of twice the length, since real combinations of Hermitian matrices are Hermitian."""

    def real(f: Callable[[Vector], Vector]) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
        return lambda v: np.ascontiguousarray(f(v.view(np.complex128))).view(np.float64)

    x, residual, steps = gmres(real(apply), real(precondition), b.view(np.float64), tolerance, space)
    return x.view(np.complex128), residual, steps


class LargeBlock:
    """L on an invariant block, as a sparse matrix on the block's units."""

    def __init__(self, matrix: csr_matrix, block: Block, secular: Secular, size: int, budget: float) -> None:
        self.matrix, self.block, self.size, self._secular = matrix, block, size, secular
        self.norm = float(abs(matrix).sum(axis=1).max())
        self._diagonal = matrix.diagonal()
        self._shift = 0.2 * float(np.abs(self._diagonal.real).mean()) + EPS * self.norm
        self._budget = budget
        self._spent = 0
        self._factors: Any = None
        self._upper = self._lower = np.zeros(0, dtype=np.int64)
        self.inverses: list[Inverse] = [self._secularly, self._locally]

    def apply(self, v: Vector) -> Vector:
        """L v."""
        self._spent += 1
        return np.asarray(self.matrix @ v)

    def trace(self, v: Vector) -> complex:
        """Tr rho."""
        return complex(v[: self.block.populations].sum())

    def _secularly(self, v: Vector, z: complex) -> Vector:
        rho = np.zeros(self.size**2, dtype=np.complex128)
        rho[self.block.units] = v
        return self._secular.divide(rho.reshape(self.size, self.size), z).ravel()[self.block.units]

    def _locally(self, v: Vector, z: complex) -> Vector:
        difference = self._diagonal - z
        near = np.abs(difference) < self._shift
        difference[near] = -self._shift
        return v / difference

    def _eliminated(self, v: Vector, z: complex) -> Vector:
        """L'^-1 v on traceless matrices, from a dense factorisation; z is taken as 0."""
        if self._factors is None:
            self._factors = self._factorise()
        p, upper, lower = self.block.populations, self._upper, self._lower
        if not self.block.mirrored:
            return np.asarray(lu_solve(self._factors, v, check_finite=False))

        def solve(hermitian: Vector) -> Vector:
            right = to_real_part(hermitian, p, upper)
            if p:
                right[0] = 0.0
            x = lu_solve(self._factors, right, check_finite=False)
            out = np.empty(len(v), dtype=np.complex128)
            out[:p] = x[:p]
            out[upper] = x[p::2] + 1j * x[p + 1 :: 2]
            out[lower] = out[upper].conj()
            return out

        mirrored = np.empty_like(v)
        mirrored[:p], mirrored[upper], mirrored[lower] = v[:p].conj(), v[lower].conj(), v[upper].conj()
        return solve((v + mirrored) / 2) + 1j * solve((v - mirrored) / 2j)

    def _factorise(self) -> Any:
        dense: NDArray[Any] = self.matrix.toarray()
        if self.block.mirrored:
            dense, self._upper = real_form(dense, self.block, self.size)
            place = {unit: k for k, unit in enumerate(self.block.units.tolist())}
            lower = mirror(self.block.units[self._upper], self.size).tolist()
            self._lower = np.array([place[unit] for unit in lower], dtype=np.int64)
            p = self.block.populations
            if p:  # rows of populations add up to zero: the trace takes the place of one
                dense[0] = 0.0
                dense[0, :p] = self.norm
        return lu_factor(dense, check_finite=False, overwrite_a=True)

    def _correct(
        self,
        apply: Callable[[Vector], Vector],
        b: Vector,
        floor: float,
        choose: Callable[[Inverse], Callable[[Vector], Vector]],
    ) -> tuple[Vector, float]:
        """x with apply(x) = b up to `floor`, by restarted GMRES; the approximate inverse that gains most goes on."""
        x = np.zeros_like(b)
        residual, size = b, float(np.linalg.norm(b))
        gains: list[float | None] = [None] * len(self.inverses)
        for _ in range(CYCLES):
            if size <= floor or self._spent > self._budget:
                break
            untried = [k for k, gain in enumerate(gains) if gain is None]
            best = min(
                (k for k in range(len(gains)) if gains[k] is not None), key=lambda k: gains[k] or 0.0, default=None
            )
            if best is not None and (gains[best] or 0.0) < 1e-2:
                use = best
            elif untried:
                use = untried[0]
            else:
                assert best is not None
                use = best
                if (gains[best] or 0.0) > 0.9:
                    break
            precondition = choose(self.inverses[use])
            found, _, steps = _gmres(apply, precondition, residual, max(0.3 * floor, 1e-13 * size), SPACE)
            tried = x + found
            after = b - apply(tried)
            new = float(np.linalg.norm(after))
            gains[use] = max(new / size, 1e-300) ** (SPACE / max(steps, 1))
            if new < size:
                x, residual, size = tried, after, new
            elif size <= 100 * floor:
                break
        known = [gain if gain is not None else 1.0 for gain in gains]
        self.inverses = [self.inverses[k] for k in sorted(range(len(known)), key=lambda k: known[k])]
        return x, size

    def _rank(self) -> None:
        """Put the approximate inverse that serves this block best first."""
        noise = np.exp(1j * np.arange(len(self.block.units)) ** 2 * 0.7)
        gains = [_gmres(self.apply, partial(inverse, z=0.0), noise, 0.0, SPACE // 2)[1] for inverse in self.inverses]
        self.inverses = [self.inverses[k] for k in np.argsort(gains, kind="stable")]

    def rest(self, start: Vector, above: float) -> Rest:
        """The block's rest from the part of the start rho (4^N,); eigenvalues left of `above` do not matter."""
        begin = start[self.block.units]
        unique = bool(self.block.populations)
        x = np.zeros_like(begin)
        residual = 0.0
        if unique:
            x, residual = self._stationary()
        else:
            self._rank()
        found = self._rightmost(x, above)
        floor = 20 * EPS * self.norm
        if not len(found.values):
            return Rest(x, unique, -np.inf, floor, int(unique), 0.0)
        largest, near = float(found.values[0].real), max(floor, float(found.residuals[0]))
        closed = np.abs(found.values) <= 10 * max(floor, 1e-12 * self.norm)
        if closed.any():
            others = np.abs(found.values[~closed])
            slow = float(others.min()) if len(others) else 0.01 * self.norm
            y, error = self._what_stays(begin, 0.02 * slow)
            state = GROWS if not error < 1e-6 else RESTS
            return Rest(y, False, max(largest, 0.0), near, int(unique) + int(closed.sum()), error, state)
        slowest = max(abs(largest), near)
        error = residual / slowest / max(float(np.linalg.norm(x)), 1e-300) if unique else 0.0
        if not found.converged:
            return Rest(x, unique, float("nan"), near, int(unique), error)
        return Rest(x, unique, largest, near, int(unique), error)

    def _stationary(self) -> tuple[Vector, float]:
        """The state of trace 1 with L rho = 0, and the norm of L rho: the correction to a secular guess."""
        guess = self._secular.stationary().ravel()[self.block.units]
        if not abs(self.trace(guess)) > 1e-8:
            guess = np.zeros_like(guess)
            guess[: self.block.populations] = 1.0
        guess = np.ascontiguousarray(guess / self.trace(guess))

        def traceless(inverse: Inverse) -> Callable[[Vector], Vector]:
            def precondition(v: Vector) -> Vector:
                found = inverse(v, 0.0)
                return found - self.trace(found) * guess

            return precondition

        floor = 4 * EPS * self.norm * float(np.linalg.norm(guess))
        x, size = self._correct(self.apply, -self.apply(guess), floor, traceless)
        if size > 1e4 * floor and len(guess) <= MOST_DENSE and self.block.mirrored:
            self.inverses.insert(0, self._eliminated)
            x, size = self._correct(self.apply, -self.apply(guess), floor, traceless)
        return guess + x, size

    def _rightmost(self, rest: Vector, above: float) -> Rightmost:
        def project(v: Vector) -> Vector:
            return v - self.trace(v) * rest if self.block.populations else v

        units = self.block.units
        slowest = [m.ravel()[units] for m in self._secular.slowest(STARTS, units)]
        noise = np.exp(1j * np.arange(len(units)) ** 2 * 0.7)
        local = []
        for k in np.argsort(-self._diagonal.real, kind="stable")[: STARTS // 2].tolist():
            unit = np.zeros(len(units), dtype=np.complex128)
            unit[k] = 1.0
            local.append(unit)
        best: Rightmost | None = None
        for inverse in self.inverses:
            if inverse == self._eliminated:
                continue
            found = rightmost(
                self.apply,
                inverse,
                project,
                [*slowest, noise] if inverse == self._secularly else [*local, noise],
                tolerance=GAP_TOLERANCE,
                floor=20 * EPS * self.norm,
                budget=GAP_BUDGET,
                above=above,
            )
            if found.converged:
                return found
            if best is None or found.residuals[0] < best.residuals[0]:
                best = found
        assert best is not None
        return self._nearest() if len(units) <= MOST_DENSE else best

    def _nearest(self) -> Rightmost:
        """The eigenvalues nearest to 0, by elimination: the rightmost ones unless others decay slower while they oscillate.

        That is not excluded, so that their residual is given as large as they are.
        """
        size = len(self.block.units)
        operator = LinearOperator((size, size), matvec=lambda v: self._eliminated(v, 0.0), dtype=np.complex128)
        start = np.exp(1j * np.arange(size) ** 2 * 0.7)
        start[: self.block.populations] -= start[: self.block.populations].mean()
        try:
            inverse = np.asarray(eigs(operator, k=WATCHED, v0=start, tol=1e-9, return_eigenvectors=False))
        except ArpackNoConvergence as error:
            inverse = np.asarray(error.eigenvalues)
        values = 1.0 / inverse[np.abs(inverse) > 0]
        values = values[np.argsort(-values.real)]
        return Rightmost(values, np.abs(values.real), bool(len(values)))

    def _what_stays(self, y: Vector, s: float) -> tuple[Vector, float]:
        """The limit, or average in time, of exp(t L) y: s (s - L)^-1 applied until nothing changes."""
        size = max(float(np.linalg.norm(y)), 1e-300)
        change = np.inf

        def shifted(inverse: Inverse) -> Callable[[Vector], Vector]:
            return lambda v: -inverse(v, s)

        for _ in range(DEPTH):
            correction, _ = self._correct(lambda v: s * v - self.apply(v), self.apply(y), 1e-14 * size * s, shifted)
            change = float(np.linalg.norm(correction)) / size
            y = y + correction
            if change < 1e-11:
                break
        return y, change


def rest_by_iteration(
    matrix: csr_matrix, block: Block, secular: Secular, start: Vector, size: int, budget: float, above: float
) -> Rest:
    """Rest of a block with L = matrix (n, n), sparse, from the part of the start rho (4^N,), with `size` = 2^N.

    Eigenvalues with a real part left of `above`, which another block has, need not be found.
    """
    return LargeBlock(matrix, block, secular, size, budget).rest(start, above)
