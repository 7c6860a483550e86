"""The battery in first order: product states, C -> abs(p)^2 and P -> p z in Eq. (6).

    dz = -(g+G)(1+z) - 2G(N-1)p^2 + w(1-z),   dp = -(g+G)p/2 + (G/2)(N-1) z p - (2phi+w/2)p

p may be taken real. p = 0 stays 0: without a tilt (`seed_angle`) the inverted ensemble never flashes and traps nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from solvers.models.battery.cumulants import length
from solvers.models.battery.points import must_have_ended, rates
from solvers.numerics.compile import FASTMATH, entry, kernel
from solvers.numerics.rosenbrock import rosenbrock


@kernel(fastmath=FASTMATH)
def d_product(t, y, p, dy):
    """dz, dp, then the energies lost individually (per gamma) and released collectively; p as in `cumulants.RATES`."""
    N, g, G, phi, w = p[0], p[1], p[2], p[3], p[4]
    z, s = y[0], y[1]
    dy[0] = -(g + G) * (1.0 + z) - 2.0 * G * (N - 1.0) * s * s + w * (1.0 - z)
    dy[1] = (-0.5 * (g + G) + 0.5 * G * (N - 1.0) * z - 2.0 * phi - 0.5 * w) * s
    dy[2] = 0.5 * N * (1.0 + z)
    dy[3] = G * (0.5 * N * (1.0 + z) + N * (N - 1.0) * s * s)


@kernel
def product_jacobian(t, y, p, J):
    N, g, G, phi, w = p[0], p[1], p[2], p[3], p[4]
    z, s = y[0], y[1]
    J[0, 0] = -(g + G) - w
    J[0, 1] = -4.0 * G * (N - 1.0) * s
    J[1, 0] = 0.5 * G * (N - 1.0) * s
    J[1, 1] = -0.5 * (g + G) + 0.5 * G * (N - 1.0) * z - 2.0 * phi - 0.5 * w
    J[2, 0] = 0.5 * N
    J[3, 0] = 0.5 * G * N
    J[3, 1] = 2.0 * G * N * (N - 1.0) * s


integrate = rosenbrock(d_product, product_jacobian)


@entry
def evolve_product(y, p, tau, rtol, atol, max_steps):
    """y (4,) as in `d_product` over the time tau, in place; (code, steps)."""
    code, _, steps = integrate(p, y, np.array([tau]), np.empty((1, 4)), rtol, atol, max_steps)
    return code, steps


def release_product(p: Mapping[str, Any]) -> tuple[float, ...]:
    """battery.release from a start tilted by `seed_angle`: M and S before, M and S after, released, lost in the window.

    Raises PointFailed.
    """
    N, left = p["N"], p["max_steps"]
    y = np.array([math.cos(p["seed_angle"]), 0.5 * math.sin(p["seed_angle"]), 0.0, 0.0])
    readings = []
    for collective, tau in ((0.0, p["tau_s"]), (p["Gamma"], p["window"])):
        y[2:] = 0.0
        code, steps = evolve_product(y, rates(p, collective), tau, p["rtol"], p["atol"], left)
        must_have_ended(code)
        left -= steps
        readings += [0.5 * N * y[0], length(y[1] ** 2, y[0] ** 2, N)]
    return (*readings, y[3], p["gamma"] * y[2])
