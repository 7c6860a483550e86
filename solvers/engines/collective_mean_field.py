"""The classical equations of one collective spin.

    ds/dt = b x s + ((Gamma - Gamma_up)/S) (s_x s_z, s_y s_z, -s_x^2 - s_y^2) - Gamma_phi (s_x, s_y, 0)
    b = (Omega + (g/S) s_x, 0, delta)

the drift of the phase-space trajectories without the constants of the ordering; doubled D, as everywhere in these models.
Without dephasing |s| = S is kept.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from solvers.numerics.compile import FASTMATH, entry, kernel
from solvers.numerics.outcome import DONE
from solvers.numerics.runge_kutta import runge_kutta


@kernel(fastmath=FASTMATH)
def classical_spin(t, y, p, dy):
    """Right-hand side for y = s/S, p = (Omega, delta, g, Gamma - Gamma_up, Gamma_phi)."""
    x, z = p[0] + p[2] * y[0], p[1]
    dy[0] = -z * y[1] + p[3] * y[0] * y[2] - p[4] * y[0]
    dy[1] = z * y[0] - x * y[2] + p[3] * y[1] * y[2] - p[4] * y[1]
    dy[2] = x * y[1] - p[3] * (y[0] * y[0] + y[1] * y[1])


_integrate = runge_kutta(classical_spin)


@entry
def follow_classical(p, y, times, out, rtol, atol, max_steps):
    """s/S from y (3,), overwritten, at `times` into out (T, 3): (code, t reached, steps)."""
    return _integrate(p, y, times, out, rtol, atol, max_steps)


def driven_average(Omega: float, Gamma: float) -> tuple[NDArray[np.float64], NDArray[np.float64], bool]:
    """s/S and s s/S^2 at rest under drive and decay, from down; beyond |Omega| = Gamma the mean over the orbit, and True.

    The spin stays in the plane of y and z, at an angle with dA/dt = Omega - Gamma sin A from down: at rest sin A =
    Omega/Gamma; else it turns for ever, and stays at an angle as long as dA/dt is small.
    """
    ratio = Omega / Gamma
    if abs(ratio) <= 1.0:
        y, z = ratio, -math.sqrt((1.0 - ratio) * (1.0 + ratio))
        return np.array([0.0, y, z]), np.array([[0.0, 0.0, 0.0], [0.0, y * y, y * z], [0.0, y * z, z * z]]), False
    # ratio - sqrt(ratio^2 - 1) = 1/(ratio + sqrt(ratio^2 - 1)), without the cancellation
    size = abs(ratio)
    y = 1.0 / (size + math.sqrt(size - 1.0) * math.sqrt(size + 1.0))
    yy = min(1.0, size * y)
    return (
        np.array([0.0, math.copysign(y, ratio), 0.0]),
        np.array([[0.0, 0.0, 0.0], [0.0, yy, 0.0], [0.0, 0.0, 1.0 - yy]]),
        True,
    )


def path(
    S: float,
    coefficients: tuple[float, float, float, float, float],
    theta: float,
    phi: float,
    times: NDArray[np.float64],
    *,
    rtol: float,
    atol: float,
    max_steps: int,
) -> tuple[NDArray[np.float64], int, float]:
    """Classical spin (T, 3) from the direction (theta, phi), how the integration ended, and the time it reached."""
    y = np.array([math.sin(theta) * math.cos(phi), math.sin(theta) * math.sin(phi), math.cos(theta)])
    out = np.empty((len(times), 3))
    code, reached, _ = follow_classical(np.array(coefficients, dtype=np.float64), y, times, out, rtol, atol, max_steps)
    return S * out, int(code), float(reached) if code != DONE else float(times[-1])
