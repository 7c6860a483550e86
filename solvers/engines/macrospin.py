"""One classical magnetisation vector in a field that depends on it linearly: Landau-Lifshitz and mean-field equations.

With F = B + V o m (o: component by component), the equation of both is

    dm/dt = -gyro m x F + c x F + [G m^2 - m (m.G)] - R o m - s,    G = damping F + torque

because -m x (m x D) = D m^2 - m (m.D) turns m towards D at constant length. A point is a row of `WIDTH` numbers; `row`
makes one. With `conserving`, for R = s = c = 0, the right-hand side is taken at m/|m| and multiplied by |m|: the direction
then does not depend on |m|, whose drift from 1 no longer feeds back, and results are divided by |m| (Neumann's projection
method of micromagnetics without its jumps).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from solvers.numerics.automatic import automatic
from solvers.numerics.compile import FASTMATH, entry, kernel
from solvers.numerics.outcome import EVENT
from solvers.numerics.runge_kutta import runge_kutta

FIELD, COUPLING, GYRO, DAMPING, TORQUE, DECAY, SOURCE, CENTRE, CONSERVING, SIGN, REST, BARRIER = (
    0,
    3,
    6,
    7,
    8,
    11,
    14,
    17,
    20,
    21,
    22,
    23,
)
WIDTH = 24


def row(
    field: ArrayLike,
    coupling: ArrayLike,
    *,
    gyro: ArrayLike = 1.0,
    damping: ArrayLike = 0.0,
    torque: ArrayLike = 0.0,
    decay: ArrayLike = 0.0,
    source: ArrayLike = 0.0,
    centre: ArrayLike = 0.0,
) -> NDArray[np.float64]:
    """The numbers (..., WIDTH) of points: B, V, gyro, damping, torque, R, s, c, whether |m| is conserved.

    The sign of m_z, the rate at rest and the energy that ends a relaxation (infinite: none) are left to who needs them.

    Vectors (..., 3), the first of them with all points in front.
    """
    p = np.zeros((*np.shape(field)[:-1], WIDTH))
    for place, vector in (
        (FIELD, field),
        (COUPLING, coupling),
        (TORQUE, torque),
        (DECAY, decay),
        (SOURCE, source),
        (CENTRE, centre),
    ):
        p[..., place : place + 3] = vector
    p[..., GYRO], p[..., DAMPING] = gyro, damping
    p[..., CONSERVING] = ~p[..., DECAY : CENTRE + 3].any(axis=-1)
    p[..., BARRIER] = np.inf
    return p


@kernel(fastmath=FASTMATH)
def derivative(x, y, z, p):
    """dm/dt (three numbers) at m = (x, y, z), with the meaning of `conserving` included."""
    scale = 1.0
    if p[CONSERVING] > 0.0:
        scale = math.sqrt(x * x + y * y + z * z)
        x, y, z = x / scale, y / scale, z / scale
    fx = p[FIELD] + p[COUPLING] * x
    fy = p[FIELD + 1] + p[COUPLING + 1] * y
    fz = p[FIELD + 2] + p[COUPLING + 2] * z
    gx = p[DAMPING] * fx + p[TORQUE]
    gy = p[DAMPING] * fy + p[TORQUE + 1]
    gz = p[DAMPING] * fz + p[TORQUE + 2]
    # -gyro m x F + c x F = (c - gyro m) x F
    ax = p[CENTRE] - p[GYRO] * x
    ay = p[CENTRE + 1] - p[GYRO] * y
    az = p[CENTRE + 2] - p[GYRO] * z
    length2 = x * x + y * y + z * z
    along = x * gx + y * gy + z * gz
    dx = ay * fz - az * fy + gx * length2 - x * along - p[DECAY] * x - p[SOURCE]
    dy = az * fx - ax * fz + gy * length2 - y * along - p[DECAY + 1] * y - p[SOURCE + 1]
    dz = ax * fy - ay * fx + gz * length2 - z * along - p[DECAY + 2] * z - p[SOURCE + 2]
    return scale * dx, scale * dy, scale * dz


@kernel(fastmath=FASTMATH)
def macrospin_rhs(t, y, p, dy):
    """`derivative` as a right-hand side."""
    dy[0], dy[1], dy[2] = derivative(y[0], y[1], y[2], p)


@kernel(fastmath=FASTMATH)
def macrospin_jacobian(t, y, p, J):
    """d(dm/dt)/dm into J (3, 3), column by column; d F/d m_b = V_b e_b and d G/d m_b = damping V_b e_b.

    With `conserving`, for |m| f(m/|m|) with the direction n, it is f'(n) (1 - n n^T) + f(n) n^T.
    """
    x, y_, z = y[0], y[1], y[2]
    conserving = p[CONSERVING] > 0.0
    if conserving:
        scale = math.sqrt(x * x + y_ * y_ + z * z)
        x, y_, z = x / scale, y_ / scale, z / scale
    m = (x, y_, z)
    F = (p[FIELD] + p[COUPLING] * x, p[FIELD + 1] + p[COUPLING + 1] * y_, p[FIELD + 2] + p[COUPLING + 2] * z)
    G = (p[DAMPING] * F[0] + p[TORQUE], p[DAMPING] * F[1] + p[TORQUE + 1], p[DAMPING] * F[2] + p[TORQUE + 2])
    turned = (p[CENTRE] - p[GYRO] * x, p[CENTRE + 1] - p[GYRO] * y_, p[CENTRE + 2] - p[GYRO] * z)
    length2 = x * x + y_ * y_ + z * z
    along = x * G[0] + y_ * G[1] + z * G[2]
    for b in range(3):
        after, before = (b + 1) % 3, (b + 2) % 3
        V = p[COUPLING + b]
        stretched = G[b] + p[DAMPING] * V * m[b]  # d (m.G)/d m_b
        for a in range(3):
            J[a, b] = 2.0 * m[b] * G[a] - m[a] * stretched
        J[b, b] += p[DAMPING] * V * length2 - along - p[DECAY + b]
        # -gyro e_b x F + (c - gyro m) x V_b e_b
        J[after, b] += p[GYRO] * F[before] + turned[before] * V
        J[before, b] -= p[GYRO] * F[after] + turned[after] * V
    if conserving:
        f = derivative(x, y_, z, p)
        for a in range(3):
            radial = J[a, 0] * x + J[a, 1] * y_ + J[a, 2] * z - f[a]
            for b in range(3):
                J[a, b] -= radial * m[b]


@kernel
def height(t, y, p):
    """m_z with the sign it has at the start: falls to zero where m_z first vanishes."""
    return p[SIGN] * y[2]


@kernel
def motion(t, y, p):
    """|dm/dt| minus p[REST]."""
    dx, dy, dz = derivative(y[0], y[1], y[2], p)
    return math.sqrt(dx * dx + dy * dy + dz * dz) - p[REST]


@kernel
def arrival(t, y, p):
    """Falls to zero where m comes to rest, or B.m + (V o m).m/2 reaches p[BARRIER]."""
    if p[BARRIER] == np.inf:
        return motion(t, y, p)
    work = 0.0
    for a in range(3):
        work += (p[FIELD + a] + 0.5 * p[COUPLING + a] * y[a]) * y[a]
    return min(motion(t, y, p), p[BARRIER] - work)


_integrate = automatic(macrospin_rhs, macrospin_jacobian)
_integrate_to_equator = automatic(macrospin_rhs, macrospin_jacobian, height)
integrate_to_rest = runge_kutta(macrospin_rhs, arrival)


@kernel
def normalise(m):
    """Divide m (3,) by its length."""
    m /= math.sqrt(m[0] * m[0] + m[1] * m[1] + m[2] * m[2])


@entry
def paths(points, starts, times, out, rtol, atol, max_steps, codes, reached):
    """Every point (P, WIDTH) from its start (P, 3) to `times`, into `out` (P, T, 3); outcome codes and times reached (P,)."""
    for i in range(points.shape[0]):
        y = starts[i].copy()
        codes[i], reached[i], _ = _integrate(points[i], y, times, out[i], rtol[i], atol[i], max_steps[i])
        if points[i, CONSERVING] > 0.0:
            for k in range(times.size):
                normalise(out[i, k])


@entry
def first_crossings(points, starts, duration, rtol, atol, max_steps, crossings):
    """The first time at which m_z = 0 (P,), up to `duration`; NaN if there is none. Uses p[SIGN]."""
    end = np.array([duration])
    out = np.empty((1, 3))
    for i in range(points.shape[0]):
        z = starts[i, 2]
        crossings[i] = np.nan
        if z == 0.0:
            crossings[i] = 0.0
            continue
        points[i, SIGN] = 1.0 if z > 0.0 else -1.0
        y = starts[i].copy()
        code, t, _ = _integrate_to_equator(points[i], y, end, out, rtol[i], atol[i], max_steps[i])
        if code == EVENT:
            crossings[i] = t


@kernel
def relax(p, m, duration, rtol, atol, max_steps, end, out):
    """Follow m (3,) until |dm/dt| <= p[REST] or for `duration`: (code, steps), EVENT when at rest. `end` (1,), `out` (1, 3) are scratch."""
    if motion(0.0, m, p) <= 0.0:
        return EVENT, 0
    end[0] = duration
    code, _, steps = integrate_to_rest(p, m, end, out, rtol, atol, max_steps)
    if p[CONSERVING] > 0.0:
        normalise(m)
    return code, steps


@entry
def come_to_rest(p, m, duration, rtol, atol, max_steps):
    """`relax` for Python: m (3,) is overwritten; (code, steps)."""
    return relax(p, m, duration, rtol, atol, max_steps, np.empty(1), np.empty((1, 3)))


@entry
def slope(p, m):
    """dm/dt (3,)."""
    out = np.empty(3)
    out[0], out[1], out[2] = derivative(m[0], m[1], m[2], p)
    return out


@entry
def jacobian(p, m):
    """d(dm/dt)/dm (3, 3)."""
    J = np.empty((3, 3))
    macrospin_jacobian(0.0, m, p, J)
    return J


def polar(theta: Any, phi: Any) -> NDArray[np.float64]:
    """Unit vectors (..., 3) at polar angle theta from +z and azimuth phi."""
    return np.stack(
        np.broadcast_arrays(np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta) + 0.0 * phi),
        axis=-1,
    )
