"""Site-resolved mean field of an open chain with equal sites and bonds: O(N) per evaluation, for any number of sites.

    dm_j/dt = [B + V o s_j/2 + g x s_j/2] x m_j - R o m_j - source,   s_j = m_{j-1} + m_{j+1}

(o: component by component; the missing neighbour of an edge counts as zero). `p` is a row of `macrospin` with its torque
equal to -g; a bulk site, s = 2m, obeys the equation there. State: y = m (N, 3), raveled.
"""

from __future__ import annotations

import math

from solvers.engines.macrospin import COUPLING, DECAY, FIELD, SOURCE, TORQUE
from solvers.engines.pair_states import TOLERANCE
from solvers.numerics.compile import FASTMATH, entry, kernel
from solvers.numerics.runge_kutta import runge_kutta


@kernel(fastmath=FASTMATH)
def chain_rhs(t, y, p, dy):
    """dy at y, both (3N,)."""
    last = y.size - 3
    vx, vy, vz = 0.5 * p[COUPLING], 0.5 * p[COUPLING + 1], 0.5 * p[COUPLING + 2]
    gx, gy, gz = -0.5 * p[TORQUE], -0.5 * p[TORQUE + 1], -0.5 * p[TORQUE + 2]
    for j in range(0, y.size, 3):
        sx, sy, sz = 0.0, 0.0, 0.0
        if j > 0:
            sx, sy, sz = y[j - 3], y[j - 2], y[j - 1]
        if j < last:
            sx, sy, sz = sx + y[j + 3], sy + y[j + 4], sz + y[j + 5]
        fx = p[FIELD] + vx * sx + gy * sz - gz * sy
        fy = p[FIELD + 1] + vy * sy + gz * sx - gx * sz
        fz = p[FIELD + 2] + vz * sz + gx * sy - gy * sx
        x, y_, z = y[j], y[j + 1], y[j + 2]
        dy[j] = fy * z - fz * y_ - p[DECAY] * x - p[SOURCE]
        dy[j + 1] = fz * x - fx * z - p[DECAY + 1] * y_ - p[SOURCE + 1]
        dy[j + 2] = fx * y_ - fy * x - p[DECAY + 2] * z - p[SOURCE + 2]


_integrate = runge_kutta(chain_rhs)


@entry
def integrate_chain(p, y, times, out, rtol, atol, max_steps):
    """Integrate y (3N,) over `times` into `out` (T, 3N); (code, time reached, steps)."""
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
