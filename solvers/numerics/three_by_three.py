"""(d - J)^-1 for a Jacobian J of three variables, by cofactors: what an implicit step of a small system needs.

Where that loses digits the error estimate of the step notices. Scalars in and out, so that it vectorises over systems.
"""

from __future__ import annotations

from solvers.numerics.compile import FASTMATH, kernel


@kernel(fastmath=FASTMATH)
def resolvent(d, jacobian):
    """The nine entries of (d - J)^-1 row by row, J given alike; not finite where it is singular."""
    j00, j01, j02, j10, j11, j12, j20, j21, j22 = jacobian
    a, b, c = d - j00, -j01, -j02
    e, f, g = -j10, d - j11, -j12
    h, i, j = -j20, -j21, d - j22
    c0, c1, c2 = f * j - g * i, g * h - e * j, e * i - f * h
    scale = 1.0 / (a * c0 + b * c1 + c * c2)
    return (
        c0 * scale,
        (c * i - b * j) * scale,
        (b * g - c * f) * scale,
        c1 * scale,
        (a * j - c * h) * scale,
        (c * e - a * g) * scale,
        c2 * scale,
        (b * h - a * i) * scale,
        (a * f - b * e) * scale,
    )


@kernel(fastmath=FASTMATH)
def product(matrix, x, y, z):
    """matrix (x, y, z)."""
    m00, m01, m02, m10, m11, m12, m20, m21, m22 = matrix
    return m00 * x + m01 * y + m02 * z, m10 * x + m11 * y + m12 * z, m20 * x + m21 * y + m22 * z
