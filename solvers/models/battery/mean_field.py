"""The battery in first order: product states, C -> abs(p)^2 and P -> p z in Eq. (6).

    dz = -(g+G)(1+z) - 2G(N-1)p^2 + w(1-z),   dp = -(g+G)p/2 + (G/2)(N-1) z p - (2phi+w/2)p

p may be taken real. p = 0 stays 0: without a tilt (`seed_angle`) the inverted ensemble never flashes and traps nothing.
"""

from __future__ import annotations

import math

import numpy as np

from solvers.numerics.compile import FASTMATH, entry, kernel
from solvers.numerics.outcome import DONE
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


@kernel
def product_length(z, s, N):
    """S from <S^2> of the product state, Eq. (7) with C = p^2 and Z = z^2."""
    return math.sqrt(0.75 * N + 0.25 * N * (N - 1.0) * (4.0 * s * s + z * z) + 0.25) - 0.5


@entry
def release_product(N, p_storage, p_discharge, tau_s, window, seed_angle, rtol, atol, max_steps, out):
    """As `cumulants.release`, from a start tilted by `seed_angle` off the inverted state."""
    y = np.zeros(4)
    y[0], y[1] = math.cos(seed_angle), 0.5 * math.sin(seed_angle)
    sample = np.empty((1, 4))
    code, _, spent = integrate(p_storage, y, np.array([tau_s]), sample, rtol, atol, max_steps)
    out[0], out[1] = 0.5 * N * y[0], product_length(y[0], y[1], N)
    y[2:] = 0.0
    if code == DONE:
        code, _, _ = integrate(p_discharge, y, np.array([window]), sample, rtol, atol, max_steps - spent)
    out[2], out[3] = 0.5 * N * y[0], product_length(y[0], y[1], N)
    out[4], out[5] = y[3], p_discharge[1] * y[2]
    return code
