"""Linear algebra of implicit steps of the moment equations: a full Jacobian for few unknowns, GMRES for many.

The right-hand sides are polynomials of degree three at most in the state, so that differences of fourth order,

    J v = (8 (f(y + v) - f(y - v)) - (f(y + 2 v) - f(y - 2 v))) / 12,

are exact but for rounding at any size of v: no Jacobian is written down. What makes many spins stiff is mostly what acts
on each of them by itself: M_k = [Omega_k + F_k]_x - R_k. GMRES on d - J is preconditioned (on the left, so that it measures
errors and not residuals, which the fast rows dominate) by d - M_k for spins and d - M_k (x) 1 - 1 (x) M_l for pairs.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from solvers.engines.moments.equations import multiply_vector
from solvers.engines.moments.second_order import position
from solvers.numerics import small_lu
from solvers.numerics.compile import kernel
from solvers.numerics.polynomial_jacobian import polynomial_jacobian
from solvers.numerics.rosenbrock import LinearAlgebra, dense_algebra

lu_factor, lu_solve = small_lu.factor, small_lu.solve

LARGEST_SPACE = 60
"""Iterations of GMRES; where they do not suffice the step is tried again with a smaller size."""
ACCURACY = 1e-11
"""Relative error to which GMRES solves."""


def full_jacobian(rhs):
    """Linear algebra with the Jacobian of a cubic `rhs` as a full matrix."""
    return dense_algebra(polynomial_jacobian(rhs))


def derivatives_on_site(multiply_vector) -> Any:
    """The kernel that fills M (N, 3, 3), the derivative of each spin's equation by that spin itself in the field of the others."""

    @kernel
    def site_matrices(y, p, M):
        n = p.Omega.shape[1]
        force = np.empty(3 * n)
        multiply_vector(p, y[: 3 * n], force)
        for k in range(n):
            b0, b1, b2 = p.Omega[0, k] + force[k], p.Omega[1, k] + force[n + k], p.Omega[2, k] + force[2 * n + k]
            for a in range(3):
                for b in range(3):
                    M[k, a, b] = -p.R[a, b, k]
            M[k, 0, 1] -= b2
            M[k, 1, 0] += b2
            M[k, 0, 2] += b1
            M[k, 2, 0] -= b1
            M[k, 1, 2] -= b0
            M[k, 2, 1] += b0

    return site_matrices


@kernel
def factor_sites(d, M, lu, pivots):
    """LU factors of d - M_k."""
    for k in range(M.shape[0]):
        for a in range(3):
            for b in range(3):
                lu[k, a, b] = -M[k, a, b]
            lu[k, a, a] += d
        if not lu_factor(lu[k], pivots[k]):
            return False
    return True


@kernel
def factor_pairs(d, M, lu, pivots):
    """LU factors of d - M_k (x) 1 - 1 (x) M_l for pairs k < l, in their order."""
    n = M.shape[0]
    pair = 0
    for k in range(n):
        for m in range(k + 1, n):
            one = lu[pair]
            one[:] = 0.0
            for a in range(3):
                for b in range(3):
                    for c in range(3):
                        one[3 * a + c, 3 * b + c] -= M[k, a, b]
                        one[3 * c + a, 3 * c + b] -= M[m, a, b]
            for a in range(9):
                one[a, a] += d
            if not lu_factor(one, pivots[pair]):
                return False
            pair += 1
    return True


@kernel
def solve_sites(n, lu, pivots, b):
    """Overwrite the spins of b with the solutions of their 3 x 3 systems."""
    small = np.empty(3)
    for k in range(n):
        for a in range(3):
            small[a] = b[a * n + k]
        lu_solve(lu[k], pivots[k], small)
        for a in range(3):
            b[a * n + k] = small[a]


@kernel
def solve_pairs(n, d, lu, pivots, b):
    """Overwrite the pairs of b with the solutions of their 9 x 9 systems; what stands for a site itself only decays."""
    small = np.empty(9)
    pair = 0
    for k in range(n):
        for m in range(k + 1, n):
            for a in range(3):
                for c in range(3):
                    small[3 * a + c] = b[position(3 * n, a * n + k, c * n + m)]
            lu_solve(lu[pair], pivots[pair], small)
            for a in range(3):
                for c in range(3):
                    b[position(3 * n, a * n + k, c * n + m)] = small[3 * a + c]
            pair += 1
        for a in range(3):
            for c in range(a + 1, 3):
                b[position(3 * n, a * n + k, c * n + k)] /= d


def iterative(rhs, pairs: bool, multiply_vector=multiply_vector) -> LinearAlgebra:
    """Linear algebra by preconditioned GMRES for a cubic `rhs` of spins, and of `pairs` of them."""
    site_matrices = derivatives_on_site(multiply_vector)

    @kernel
    def workspace(y, p):
        n = p.Omega.shape[1]
        many = n * (n - 1) // 2 if pairs else 0
        space = LARGEST_SPACE
        return (
            p,
            np.zeros(y.size),  # the state
            np.zeros(2),  # d; the norm
            np.zeros((n, 3, 3)),
            np.empty((n, 3, 3)),
            np.empty((n, 3), dtype=np.int64),
            np.empty((many, 9, 9)),
            np.empty((many, 9), dtype=np.int64),
            np.empty((space + 1, y.size)),
            np.empty((5, y.size)),
        )

    @kernel
    def differentiate(t, y, p, work):
        state, numbers, M = work[1], work[2], work[3]
        for i in range(y.size):
            state[i] = y[i]
        site_matrices(y, p, M)
        largest = 0.0
        for k in range(M.shape[0]):
            for a in range(3):
                largest = max(largest, abs(M[k, a, 0]) + abs(M[k, a, 1]) + abs(M[k, a, 2]))
        numbers[1] = 2.0 * largest if pairs else largest

    @kernel
    def factor(d, work):
        numbers = work[2]
        numbers[0] = d
        if not math.isfinite(d):
            return False
        regular = factor_sites(d, work[3], work[4], work[5])
        if pairs:
            regular = regular and factor_pairs(d, work[3], work[6], work[7])
        return regular

    @kernel
    def precondition(work, b):
        n = work[3].shape[0]
        solve_sites(n, work[4], work[5], b)
        if pairs:
            solve_pairs(n, work[2][0], work[6], work[7], b)

    @kernel
    def multiply(work, v, out):
        """out = (d - J) v."""
        p, y, d, scratch = work[0], work[1], work[2][0], work[9]
        shifted, value = scratch[0], scratch[1]
        largest = 0.0
        for i in range(v.size):
            largest = max(largest, abs(v[i]))
        for i in range(v.size):
            out[i] = d * v[i]
        if largest == 0.0:
            return
        size = 1.0 / largest
        for which in range(4):
            shift = (1.0, -1.0, 2.0, -2.0)[which] * size
            weight = (8.0, -8.0, -1.0, 1.0)[which] / (12.0 * size)
            for i in range(v.size):
                shifted[i] = y[i] + shift * v[i]
            rhs(0.0, shifted, p, value)
            for i in range(v.size):
                out[i] -= weight * value[i]

    @kernel
    def solve(work, b):
        """Overwrite b with the solution of (d - J) x = b, with NaN where GMRES does not find it."""
        basis, w = work[8], work[9][2]
        space = basis.shape[0] - 1
        precondition(work, b)
        size = np.sqrt(np.dot(b, b))
        if size == 0.0:
            return
        H = np.zeros((space + 1, space))
        cosines, sines, g = np.empty(space), np.empty(space), np.zeros(space + 1)
        g[0] = size
        for i in range(b.size):
            basis[0, i] = b[i] / size
        used = 0
        found = False
        while used < space:
            j = used
            multiply(work, basis[j], w)
            precondition(work, w)
            for _ in range(2):  # once more, so that rounding does not spoil the orthogonality
                for m in range(j + 1):
                    overlap = np.dot(basis[m], w)
                    H[m, j] += overlap
                    for i in range(b.size):
                        w[i] -= overlap * basis[m, i]
            rest = np.sqrt(np.dot(w, w))
            H[j + 1, j] = rest
            for m in range(j):  # the rotations so far
                upper = cosines[m] * H[m, j] + sines[m] * H[m + 1, j]
                H[m + 1, j] = -sines[m] * H[m, j] + cosines[m] * H[m + 1, j]
                H[m, j] = upper
            radius = math.hypot(H[j, j], H[j + 1, j])
            if not radius > 0.0 or not math.isfinite(radius):
                break
            cosines[j], sines[j] = H[j, j] / radius, H[j + 1, j] / radius
            H[j, j], H[j + 1, j] = radius, 0.0
            g[j + 1] = -sines[j] * g[j]
            g[j] = cosines[j] * g[j]
            used += 1
            if abs(g[used]) <= ACCURACY * size:
                found = True
                break
            for i in range(b.size):
                basis[used, i] = w[i] / rest
        if not found:
            b[:] = np.nan
            return
        for j in range(used - 1, -1, -1):
            for m in range(j + 1, used):
                g[j] -= H[j, m] * g[m]
            g[j] /= H[j, j]
        b[:] = 0.0
        for j in range(used):
            for i in range(b.size):
                b[i] += g[j] * basis[j, i]

    @kernel
    def norm(work):
        return work[2][1]

    return LinearAlgebra(workspace, differentiate, factor, solve, norm)
