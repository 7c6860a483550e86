"""Samples of a spin coherent state: alpha and beta of one trajectory.

Along n = (sin T cos P, sin T sin P, cos T), from the empty mode u and the full mode v of the polarised spin,

    alpha = cos(T/2) v - exp(-iP) sin(T/2) u,   beta = exp(iP) sin(T/2) v + cos(T/2) u

(not Eqs. (19)-(20), which turn the other way). Q: |v|^2 is Gamma distributed with shape 2S+1 and |u|^2 exponential, both
phases uniform: exact. Wigner: v = sqrt(2S) plus a complex normal of variance 1/2, u such a normal (the coherent
substitute, which spreads the length N = |alpha|^2 + |beta|^2 by sqrt(2S)). Ring: v = sqrt(2S + 1/2) with a uniform phase,
which does not. P: u = 0, v = sqrt(2S).
"""

from __future__ import annotations

import math

import numpy as np

from solvers.numerics.compile import kernel
from solvers.numerics.random import normal_pair, uniform_pair

COHERENT_P, COHERENT_WIGNER, COHERENT_Q, RING_WIGNER = range(4)
START = 0xFFFFFFFF
"""The `step` of the numbers that a start is made of; no time step comes that far."""


@kernel
def gamma_variate(key, trajectory, draw, shape):
    """A Gamma variate of shape >= 1 (G. Marsaglia and W. W. Tsang, ACM Trans. Math. Softw. 26, 363 (2000))."""
    d = shape - 1.0 / 3.0
    c = 1.0 / math.sqrt(9.0 * d)
    while True:
        x, _ = normal_pair(key, trajectory, START, draw)
        u, _ = uniform_pair(key, trajectory, START, draw + 1)
        draw += 2
        v = (1.0 + c * x) ** 3
        if v > 0.0 and math.log(u) < 0.5 * x * x + d - d * v + d * math.log(v):
            return d * v


@kernel
def draw_spin(key, trajectory, site, kind, S, theta, phi):
    """alpha and beta of a trajectory, numbers from draws 2^16 site + 0, 1, ... of its START."""
    draw = site << 16
    if kind == COHERENT_P:
        u, v = 0.0j, complex(math.sqrt(2.0 * S), 0.0)
    elif kind == COHERENT_Q:
        size, _ = uniform_pair(key, trajectory, START, draw)
        turn_u, turn_v = uniform_pair(key, trajectory, START, draw + 1)
        short, long = math.sqrt(-math.log(size)), math.sqrt(gamma_variate(key, trajectory, draw + 2, 2.0 * S + 1.0))
        u = short * complex(math.cos(2 * math.pi * turn_u), math.sin(2 * math.pi * turn_u))
        v = long * complex(math.cos(2 * math.pi * turn_v), math.sin(2 * math.pi * turn_v))
    else:
        g1, g2 = normal_pair(key, trajectory, START, draw)
        u = 0.5 * complex(g1, g2)
        if kind == RING_WIGNER:
            turn, _ = uniform_pair(key, trajectory, START, draw + 1)
            long = math.sqrt(2.0 * S + 0.5)
            v = long * complex(math.cos(2 * math.pi * turn), math.sin(2 * math.pi * turn))
        else:
            g3, g4 = normal_pair(key, trajectory, START, draw + 1)
            v = math.sqrt(2.0 * S) + 0.5 * complex(g3, g4)
    c, s = math.cos(0.5 * theta), math.sin(0.5 * theta)
    turn_p = complex(math.cos(phi), math.sin(phi))
    return c * v - np.conj(turn_p) * s * u, turn_p * s * v + c * u


@kernel
def draw_direction(key, trajectory):
    """Polar angle and azimuth of a direction uniform on the sphere."""
    u, turn = uniform_pair(key, trajectory, START, 0xFFFFFFFF)
    return math.acos(1.0 - 2.0 * u), 2.0 * math.pi * turn
