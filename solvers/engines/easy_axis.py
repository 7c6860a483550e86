"""Where a damped magnetisation with one easy axis comes to rest, told from its energy before it has moved there.

dM/dt = -M x F - alpha M x (M x F) with F = B + V M_z e_z climbs W = B.M + V M_z^2/2: dW/dt = alpha |M x F|^2. Everything
stationary lies in the plane of e_z and B (Stoner and Wohlfarth); at the angle theta from e_z towards B_perp = b

    dW/dtheta = b cos - (B_z + V cos) sin = sin(theta) q(theta),   q = b cot - B_z - V cos,   dq/dtheta = -b/sin^2 + V sin

so that for V > b the turning points of q, sin^3 = b/V, separate its zeros: either a maximum, a saddle and a maximum, or one
maximum alone. At a given M_z, W is largest in that plane. Hence where W is above the saddle, M can never pass the saddle's
M_z, and rests at the maximum of its own side; and a single maximum is reached from everywhere.

How long that takes at most is known as well: near stationary points from the linear equations, whose rates are the roots of
l^2 + alpha (h1 + h2) l + (1 + alpha^2) h1 h2 = 0 with h1 = B.F - V sin^2, h2 = B.F (F along M); where a pair of them has
just vanished, from the slope of W that is left. All in units of the field |B| + |V| and of 1/(alpha times this field).
"""

from __future__ import annotations

import math

import numpy as np

from solvers.engines.macrospin import BARRIER, COUPLING, DAMPING, FIELD, integrate_to_rest, motion, normalise
from solvers.numerics.compile import kernel
from solvers.numerics.dense_output import copy
from solvers.numerics.outcome import EVENT

NEAR = 50.0
"""Lifetimes that a motion spends near one stationary point, at most: exp(-50) is beyond rounding."""
CROSSING = 10.0
"""Time to climb past a weak slope g, in units of the height of W over g^2, with the turns beside the plane counted in."""
FREE, BEYOND = 0.1, 0.01
"""A slope that is not weak, and the share of the height of W from which on the slope beyond a weak one is not."""
MARGIN = 1e-12
"""By how much W must be above a saddle to be so beyond rounding."""


@kernel
def slope_of_energy(b, B_z, V, theta):
    """dW/dtheta in the plane of the field."""
    return b * math.cos(theta) - (B_z + V * math.cos(theta)) * math.sin(theta)


@kernel
def energy(b, B_z, V, theta):
    """W in the plane of the field."""
    u = math.cos(theta)
    return b * math.sin(theta) + B_z * u + 0.5 * V * u * u


@kernel
def zero_between(b, B_z, V, low, high):
    """The angle between `low` and `high` where dW/dtheta changes sign, by bisection."""
    up = slope_of_energy(b, B_z, V, low) > 0.0
    while True:
        middle = 0.5 * (low + high)
        if not low < middle < high:
            return middle
        if (slope_of_energy(b, B_z, V, middle) > 0.0) == up:
            low = middle
        else:
            high = middle


@kernel
def lifetime(b, B_z, V, theta, alpha):
    """1/|Re l| of the slowest motion to or from a stationary point; of the fastest away from a saddle."""
    F = b * math.sin(theta) + (B_z + V * math.cos(theta)) * math.cos(theta)
    h1, h2 = F - V * math.sin(theta) ** 2, F
    product, mean = h1 * h2 / (alpha * alpha), 0.5 * abs(h1 + h2)
    D = 0.25 * (h1 - h2) ** 2 - product
    if h1 * h2 < 0.0:
        away = math.sqrt(D) - 0.5 * (h1 + h2)
        return 1.0 / away if away > 0.0 else np.inf
    if D <= 0.0:
        return 1.0 / mean if mean > 0.0 else np.inf
    slow = (h1 * h2 + product) / (mean + math.sqrt(D))
    return 1.0 / slow if slow > 0.0 else np.inf


@kernel
def branches(b, B_z, V, angles):
    """Stationary angles 0 <= theta <= pi of V > 0 into `angles` (3,), maximum, saddle, maximum; how many there are: 3 or 1.

    With one, it stands first, then the slope of W where the other two have vanished (infinite: nowhere) and that angle.
    """
    if b >= V:
        angles[0], angles[1] = zero_between(b, B_z, V, 0.0, math.pi), np.inf
        return 1
    turn = math.asin((b / V) ** (1.0 / 3.0))
    left, right = slope_of_energy(b, B_z, V, turn), slope_of_energy(b, B_z, V, math.pi - turn)
    if b == 0.0:  # the turning points are the poles: their slopes, over theta
        left, right = -(B_z + V), V - B_z
        if not left < 0.0 < right:
            angles[0], angles[1] = (0.0 if B_z > 0.0 else math.pi), np.inf
            return 1
        angles[0], angles[1], angles[2] = 0.0, math.acos(-B_z / V), math.pi
        return 3
    if left < 0.0 < right:
        angles[0] = zero_between(b, B_z, V, 0.0, turn)
        angles[1] = zero_between(b, B_z, V, turn, math.pi - turn)
        angles[2] = zero_between(b, B_z, V, math.pi - turn, math.pi)
        return 3
    if left >= 0.0:
        angles[0], angles[1] = zero_between(b, B_z, V, math.pi - turn, math.pi), left
        angles[2] = turn
    else:
        angles[0], angles[1] = zero_between(b, B_z, V, 0.0, turn), -right
        angles[2] = math.pi - turn
    return 1


@kernel
def longest_time(b, B_z, V, alpha, place, passed):
    """How long it takes at most to come to rest at the angle `place`, from anywhere from where M gets there.

    `passed`: M is already above where a maximum and a saddle have vanished.
    """
    angles = np.empty(3)
    time = NEAR * lifetime(b, B_z, V, place, alpha)
    if V <= 0.0:  # mirrored: W(-theta) is -W of -B_z and -V, whose maxima are the lowest points
        if V == 0.0:
            return time + NEAR * lifetime(b, B_z, V, place - math.pi, alpha)
        count = branches(b, -B_z, -V, angles)
        for i in range(count):
            time += NEAR * lifetime(b, B_z, V, -angles[i], alpha)
        return time + (CROSSING / angles[1] ** 2 if count == 1 else 0.0)
    count = branches(b, B_z, V, angles)
    if count == 3 and b == 0.0:  # the saddle is a circle, and nothing is lower
        return time + NEAR / (V * math.sin(angles[1]) ** 2)
    if count == 3:
        time += NEAR * lifetime(b, B_z, V, angles[1], alpha)
    else:
        time += CROSSING / max(angles[1], FREE if passed else 0.0) ** 2
    return time + NEAR * lifetime(
        b, B_z, V, zero_between(b, B_z, V, -math.pi, 0.0) if b > 0.0 else math.pi - place, alpha
    )


@kernel
def resting_place(p, m, place):
    """Where m (3,) of the point p (see `macrospin`) will rest, into `place` (3,): (an energy, the longest time until then).

    The time is infinite where nothing is known; the energy is where more will be known, infinite where nothing will. p must have one easy axis, z, and neither torque nor decay, sources or centre.
    """
    unit = abs(p[FIELD]) + abs(p[FIELD + 1]) + abs(p[FIELD + 2]) + abs(p[COUPLING + 2])
    alpha = p[DAMPING]
    if not (0.0 < unit < np.inf and 0.0 < alpha * unit < np.inf):
        return np.inf, np.inf
    Bx, By, B_z, V = p[FIELD] / unit, p[FIELD + 1] / unit, p[FIELD + 2] / unit, p[COUPLING + 2] / unit
    b = math.hypot(Bx, By)
    angles = np.empty(3)
    count = 1
    if b == 0.0 and abs(B_z) <= -V:  # a cone of maxima: the azimuth is left to history
        return np.inf, np.inf
    if V > 0.0:
        count = branches(b, B_z, V, angles)
    elif b > 0.0:
        angles[0] = zero_between(b, B_z, V, 0.0, math.pi)
    else:
        angles[0] = 0.0 if B_z > 0.0 else math.pi
    theta, own = angles[0], Bx * m[0] + By * m[1] + B_z * m[2] + 0.5 * V * m[2] * m[2]
    passed, barrier = True, np.inf
    if count == 3:
        saddle = energy(b, B_z, V, angles[1])
        if m[2] < math.cos(angles[1]):
            theta = angles[2]
        if energy(b, B_z, V, theta) - saddle < 1e3 * MARGIN:
            return np.inf, np.inf
        if own < saddle + MARGIN:
            return unit * (saddle + 10.0 * MARGIN), np.inf
    elif V > 0.0 and angles[1] < FREE:
        weak = energy(b, B_z, V, angles[2])
        enough = weak + BEYOND * (energy(b, B_z, V, theta) - weak)
        passed = own >= enough
        if not passed:
            barrier = unit * (enough + MARGIN)
    side = math.sin(theta)
    place[0] = side * (Bx / b) if b > 0.0 else 0.0
    place[1] = side * (By / b) if b > 0.0 else 0.0
    place[2] = math.cos(theta)
    return barrier, longest_time(b, B_z, V, alpha, theta, passed) / (alpha * unit)


@kernel
def relax_on_easy_axis(p, m, duration, rtol, atol, max_steps, end, out):
    """`macrospin.relax` for one easy axis, z: M is followed only until its place of rest is known to be reached in time."""
    place = np.empty(3)
    taken, steps = 0.0, 0
    while motion(0.0, m, p) > 0.0:
        barrier, time = resting_place(p, m, place)
        if time <= duration - taken:
            copy(place, m)
            break
        if taken > 0.0:  # nothing more can be known
            barrier = np.inf
        p[BARRIER], end[0] = barrier, duration - taken
        code, passed, more = integrate_to_rest(p, m, end, out, rtol, atol, max_steps - steps)
        p[BARRIER] = np.inf
        normalise(m)
        taken, steps = taken + passed, steps + more
        if code != EVENT or barrier == np.inf:
            return code, steps
    return EVENT, steps
