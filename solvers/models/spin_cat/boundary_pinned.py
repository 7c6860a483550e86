"""The edge of the basin of the start state for many spins, where the order parameter is pinned: N to infinity.

At large eta the fast rate 4 eta |z| holds <s> at c = sqrt(g), g = 2 eta/N, and what is left is slow and not stiff
(physics notes, section 5.4). In the frame of the phase of c, with u = 1 + z and Gamma2 = 1,

    s' = i delta s - 2 g u s + z X c,   z' = -4 g u + 8 g |s|^2 - 4 X c Re s,   X = -<(i delta - 2 g u) s>/(c <z>)

from s = c, z = -(1 - 4 g)^(1/2), where the fast motion leaves the spin coherent state. X diverges where <z> vanishes: there
the order is lost. What is neglected is of relative order 1/eta.
"""

from __future__ import annotations

import math

import numpy as np

from solvers.models.spin_cat.detunings import class_detunings
from solvers.numerics.compile import FASTMATH, entry, kernel
from solvers.numerics.outcome import DONE, EVENT, MAX_STEPS
from solvers.numerics.runge_kutta import runge_kutta

LOST = -0.01
"""Mean inversion above which the order counts as lost; it then grows without bound."""
REST, NOISE = 1e-6, 1e-3
"""Largest z' and s'/c at rest, in units of the standard deviation of the detunings; s' of the farthest spins is rough."""
RTOL, ATOL, BUDGET = 1e-8, 1e-10, 1_000_000
RESOLUTION = 2e-5
MOST_LOCKED = 0.125
"""eta/N from which the start state has no stretch to hold: 4 g = 1."""


@kernel(fastmath=FASTMATH)
def pinned_rhs(t, y, p, dy):
    """s' and z' of classes of equal weight; y = (Re s, Im s, z)."""
    detunings, g, _ = p
    size = detunings.size
    total, inversion = 0.0, 0.0
    for k in range(size):
        total += -detunings[k] * y[size + k] - 2.0 * g * (1.0 + y[2 * size + k]) * y[k]
        inversion += y[2 * size + k]
    force = -total / inversion  # X c
    for k in range(size):
        a, b, z, delta = y[k], y[size + k], y[2 * size + k], detunings[k]
        loss = 2.0 * g * (1.0 + z)
        dy[k] = -delta * b - loss * a + z * force
        dy[size + k] = delta * a - loss * b
        dy[2 * size + k] = -2.0 * loss + 8.0 * g * (a * a + b * b) - 4.0 * force * a


@kernel(fastmath=FASTMATH)
def undecided(t, y, p):
    """Falls to zero where the order is lost or everything is at rest."""
    detunings, g, quiet = p
    size = detunings.size
    inversion = 0.0
    for k in range(size):
        inversion += y[2 * size + k]
    inversion /= size
    if not inversion < LOST:
        return inversion - LOST if inversion < LOST else -1.0
    dy = np.empty(y.size)
    pinned_rhs(t, y, p, dy)
    fastest, root = 0.0, math.sqrt(g)
    for k in range(size):
        fastest = max(fastest, max(abs(dy[k]), abs(dy[size + k])) * (REST / NOISE) / root)
        fastest = max(fastest, abs(dy[2 * size + k]))
    return min(LOST - inversion, fastest - quiet)


_integrate = runge_kutta(pinned_rhs, undecided)


@entry
def pinned_run(detunings, g, quiet, times, y, out):
    """Carry the start state until the order is lost, all is at rest, or the budget is spent; the outcome's code."""
    size = detunings.size
    for k in range(size):
        y[k], y[size + k], y[2 * size + k] = math.sqrt(g), 0.0, -math.sqrt(1.0 - 4.0 * g)
    code, _, _ = _integrate((detunings, g, quiet), y, times, out, RTOL, ATOL, BUDGET)
    return code


def dynamic_pinned(h: float, existence: float, classes: int) -> tuple[float, float, int]:
    """Edge, mean z there and outcome code for eta/N = `h`; the search begins at the existence edge.

    A run whose budget is spent before it is decided counts as locked: code MAX_STEPS.
    """
    g = 2.0 * h
    if not 0.0 < h < MOST_LOCKED or existence == 0.0:
        return 0.0, math.nan, DONE
    standard = class_detunings("gaussian", classes)
    y, out, times = np.empty(3 * classes), np.empty((1, 3 * classes)), np.array([1e300])
    low, high, z, worst, bounded = 0.0, existence, math.nan, DONE, False
    trial = 0.97 * existence
    while high - low > RESOLUTION * existence or not bounded:
        code = int(pinned_run(trial * standard, g, REST * trial, times, y, out))
        mean = float(y[2 * classes :].mean())
        if code == EVENT and mean >= 2.0 * LOST:
            high, bounded = trial, True
        elif code in (EVENT, DONE, MAX_STEPS):
            worst = max(worst, code if code == MAX_STEPS else DONE)
            low, z = trial, mean
        else:
            return low, z, code
        if not bounded and low >= high:
            high *= 1.1
        trial = 0.5 * (low + high) if bounded else high
    return low, z, worst
