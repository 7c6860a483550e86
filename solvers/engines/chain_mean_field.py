"""Site-resolved mean field of an open chain with equal sites and bonds: O(N) per evaluation, for any number of sites.

    dm_j/dt = [B + V o s_j/2 + g x s_j/2] x m_j - R o m_j - source,   s_j = m_{j-1} + m_{j+1}

(o: component by component; the missing neighbour of an edge counts as zero). `p` is a row of `macrospin` with its torque
equal to -g; a bulk site, s = 2m, obeys the equation there. State: y = m (N, 3), raveled.
"""

from __future__ import annotations

import math

import numpy as np

from solvers.engines.macrospin import COUPLING, DECAY, FIELD, SOURCE, TORQUE
from solvers.engines.pair_states import TOLERANCE
from solvers.numerics import small_lu
from solvers.numerics.automatic import structured_automatic
from solvers.numerics.compile import FASTMATH, entry, kernel
from solvers.numerics.rosenbrock import LinearAlgebra

lu_factor, lu_solve = small_lu.factor, small_lu.solve


@kernel(fastmath=FASTMATH)
def field_at(y, j, p):
    """F (three numbers) on the site whose spin begins at y[j]: B, and what its neighbours add."""
    vx, vy, vz = 0.5 * p[COUPLING], 0.5 * p[COUPLING + 1], 0.5 * p[COUPLING + 2]
    gx, gy, gz = -0.5 * p[TORQUE], -0.5 * p[TORQUE + 1], -0.5 * p[TORQUE + 2]
    sx, sy, sz = 0.0, 0.0, 0.0
    if j > 0:
        sx, sy, sz = y[j - 3], y[j - 2], y[j - 1]
    if j < y.size - 3:
        sx, sy, sz = sx + y[j + 3], sy + y[j + 4], sz + y[j + 5]
    return (
        p[FIELD] + vx * sx + gy * sz - gz * sy,
        p[FIELD + 1] + vy * sy + gz * sx - gx * sz,
        p[FIELD + 2] + vz * sz + gx * sy - gy * sx,
    )


@kernel(fastmath=FASTMATH)
def chain_rhs(t, y, p, dy):
    """dy at y, both (3N,)."""
    for j in range(0, y.size, 3):
        fx, fy, fz = field_at(y, j, p)
        x, y_, z = y[j], y[j + 1], y[j + 2]
        dy[j] = fy * z - fz * y_ - p[DECAY] * x - p[SOURCE]
        dy[j + 1] = fz * x - fx * z - p[DECAY + 1] * y_ - p[SOURCE + 1]
        dy[j + 2] = fx * y_ - fy * x - p[DECAY + 2] * z - p[SOURCE + 2]


@kernel
def workspace(y, p):
    """Of the block-tridiagonal Jacobian: diagonal blocks, neighbour blocks, LU factors, pivots, what couples back."""
    n = y.size // 3
    blocks = np.zeros((4, n, 3, 3))
    return blocks, np.empty((n, 3), dtype=np.int64), np.empty(3)


@kernel
def differentiate(t, y, p, work):
    """[F_j]_x - R on site j, and -[m_j]_x W for either neighbour, where F = W s is what the field owes to them."""
    own, neighbour = work[0][0], work[0][1]
    vx, vy, vz = 0.5 * p[COUPLING], 0.5 * p[COUPLING + 1], 0.5 * p[COUPLING + 2]
    gx, gy, gz = -0.5 * p[TORQUE], -0.5 * p[TORQUE + 1], -0.5 * p[TORQUE + 2]
    for j in range(0, y.size, 3):
        fx, fy, fz = field_at(y, j, p)
        x, y_, z = y[j], y[j + 1], y[j + 2]
        a, b = own[j // 3], neighbour[j // 3]
        a[0, 0], a[0, 1], a[0, 2] = -p[DECAY], -fz, fy
        a[1, 0], a[1, 1], a[1, 2] = fz, -p[DECAY + 1], -fx
        a[2, 0], a[2, 1], a[2, 2] = -fy, fx, -p[DECAY + 2]
        # columns of W: (vx, gz, -gy), (-gz, vy, gx), (gy, -gx, vz), each crossed with m
        b[0, 0], b[1, 0], b[2, 0] = gz * z + gy * y_, -gy * x - vx * z, vx * y_ - gz * x
        b[0, 1], b[1, 1], b[2, 1] = vy * z - gx * y_, gx * x + gz * z, -gz * y_ - vy * x
        b[0, 2], b[1, 2], b[2, 2] = -gx * z - vz * y_, vz * x - gy * z, gy * y_ + gx * x


@kernel
def factor(d, work):
    """Block elimination from the first site to the last of d - J."""
    blocks, pivots, column = work
    own, neighbour, lu, back = blocks[0], blocks[1], blocks[2], blocks[3]
    for j in range(own.shape[0]):
        for a in range(3):
            for b in range(3):
                value = -own[j, a, b]
                if a == b:
                    value += d
                if j > 0:
                    for c in range(3):
                        value += neighbour[j, a, c] * back[j - 1, c, b]
                lu[j, a, b] = value
        if not lu_factor(lu[j], pivots[j]):
            return False
        for b in range(3):
            for a in range(3):
                column[a] = -neighbour[j, a, b]
            lu_solve(lu[j], pivots[j], column)
            for a in range(3):
                back[j, a, b] = column[a]
    return True


@kernel
def solve(work, b):
    """Overwrite b (3N,) with the solution of (d - J) x = b."""
    blocks, pivots, column = work
    neighbour, lu, back = blocks[1], blocks[2], blocks[3]
    n = lu.shape[0]
    for j in range(n):
        for a in range(3):
            column[a] = b[3 * j + a]
            if j > 0:
                for c in range(3):
                    column[a] += neighbour[j, a, c] * b[3 * j - 3 + c]
        lu_solve(lu[j], pivots[j], column)
        for a in range(3):
            b[3 * j + a] = column[a]
    for j in range(n - 2, -1, -1):
        for a in range(3):
            for c in range(3):
                b[3 * j + a] -= back[j, a, c] * b[3 * j + 3 + c]


@kernel
def norm(work):
    """An upper bound of the spectral radius of J."""
    own, neighbour = work[0][0], work[0][1]
    largest = 0.0
    for j in range(own.shape[0]):
        for a in range(3):
            total = 0.0
            for b in range(3):
                total += abs(own[j, a, b]) + 2.0 * abs(neighbour[j, a, b])
            largest = max(largest, total)
    return largest


_integrate = structured_automatic(chain_rhs, LinearAlgebra(workspace, differentiate, factor, solve, norm))


@entry
def integrate_chain(p, y, times, out, rtol, atol, max_steps):
    """Integrate y (3N,) over `times` into `out` (T, 3N), stiff or not; (code, time reached, steps)."""
    return _integrate(p, y, times, out, rtol, atol, max_steps)


@entry
def longest_spin(path):
    """The first row of `path` (T, N, 3) with a spin longer than 1 (-1: none), and the largest length up to it."""
    longest = 0.0
    for k in range(path.shape[0]):
        for j in range(path.shape[1]):
            x, y, z = path[k, j, 0], path[k, j, 1], path[k, j, 2]
            longest = max(longest, math.sqrt(x * x + y * y + z * z))
        if longest > 1.0 + TOLERANCE:
            return k, longest
    return -1, longest
