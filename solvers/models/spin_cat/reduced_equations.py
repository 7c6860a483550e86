"""Mean-field equations (26)-(28) of two sub-ensembles detuned by +-delta, without trigonometric functions.

With s_+- = A exp(i (pi/4 +- zeta)) and a common z, the variables u = A cos(zeta), v = A sin(zeta) make (26)-(28)
polynomial (Gamma2 = 1, W = 1 + z + (N - 2) u^2):

    u' =  z u (1 - 1/N) (W - 2 eta) - 2 u^3 - delta v
    v' = -z v (2 eta + W) / N - 2 u^2 v + delta u
    z' =  8 eta (u^2 - (u^2 - v^2)/N) - 4 (u^2 - (u^2 + v^2)/N) W - 4 (1 + z) u^2

u = |c_1| is the order parameter. At rest A^2 = -z (1 + z)/2 for any N.
"""

from __future__ import annotations

import math

from solvers.numerics.compile import FASTMATH, kernel
from solvers.numerics.rosenbrock_lanes import rosenbrock_lanes

COLLAPSED = 1e-3
"""Share of its start value to which u falls only on the way to zero: the end state has u = 0 and a frozen z."""


@kernel(fastmath=FASTMATH)
def derivatives(u, v, z, n, inverse_n, eta, delta):
    """u', v', z'."""
    u2 = u * u
    e = 1.0 + z
    w = (n - 2.0) * u2 + e
    gain = (1.0 - inverse_n) * (w - 2.0 * eta)
    loss = inverse_n * (w + 2.0 * eta)
    return (
        u * (z * gain - 2.0 * u2) - delta * v,
        delta * u - v * (z * loss + 2.0 * u2),
        4.0 * (v * (v * loss) - u2 * (gain + e)),
    )


@kernel(fastmath=FASTMATH)
def jacobian(u, v, z, n, inverse_n, eta, delta):
    """The nine derivatives of u', v', z' by u, v, z, row by row."""
    u2, v2 = u * u, v * v
    e = 1.0 + z
    w = (n - 2.0) * u2 + e
    k = 1.0 - inverse_n
    gain = k * (w - 2.0 * eta)
    loss = inverse_n * (w + 2.0 * eta)
    gain_u2, loss_u2 = k * (n - 2.0), inverse_n * (n - 2.0)  # their derivatives by u^2
    uv = u * v
    return (
        z * (gain + 2.0 * u2 * gain_u2) - 6.0 * u2,
        -delta,
        u * (gain + z * k),
        delta - uv * (2.0 * z * loss_u2 + 4.0),
        -z * loss - 2.0 * u2,
        -v * (loss + z * inverse_n),
        8.0 * u * (v2 * loss_u2 - gain - e - u2 * gain_u2),
        8.0 * v * loss,
        4.0 * (v2 * inverse_n - u2 * (k + 1.0)),
    )


@kernel(fastmath=FASTMATH)
def order_left(u, v, z, n, inverse_n, eta, delta):
    """u above the value that counts as collapsed: the event that ends a run is that this falls to zero."""
    h = eta * inverse_n
    return u * u * (1.0 + 2.0 * h) * (1.0 + 2.0 * h) - COLLAPSED * COLLAPSED * 2.0 * h if u > 0.0 else -1.0


@kernel(fastmath=FASTMATH)
def order_without_inversion(u, v, z, n, inverse_n, eta, delta):
    """The same, and z below 0: an ensemble that inverts has let go, even where it swings back for ever."""
    return min(order_left(u, v, z, n, inverse_n, eta, delta), -z)


@kernel(fastmath=FASTMATH)
def unrest(u, v, z, d_u, d_v, d_z):
    """The largest of A'^2, zeta'^2 and z'^2."""
    inverse = 1.0 / (u * u + v * v)
    along, across = u * d_u + v * d_v, (u * d_v - v * d_u) * inverse
    return max(max(along * along * inverse, across * across), d_z * d_z)


@kernel
def start_state(n, eta):
    """u and z of the spin coherent state with tan(theta/2) = sqrt(2 eta/N), zeta = 0."""
    g = 2.0 * eta / n
    return math.sqrt(g) / (1.0 + g), -(1.0 - g) / (1.0 + g)


integrate_lanes = rosenbrock_lanes(derivatives, jacobian, order_left, unrest)
integrate_until_inverted = rosenbrock_lanes(derivatives, jacobian, order_without_inversion, unrest)
