"""Mean-field equations (22)-(23) of detuned spins, for both closures, with their Jacobian as blocks plus a low rank.

With sums over the other spins j, n = (1 + z)/2 and s = <sigma^+> = exp(i (phi/2 + pi/4)) sigma, which takes the squeezing
phase out of the equations (Gamma2 = 1):

    sigma' = i delta sigma - 2 eta z T*/N - 2 sigma D + z B
    z'     = 8 eta Re(sigma T)/N - 4 (1 + z) D - 4 Re(sigma B*)
    D = (E + |T|^2)/N^2,   B = (2 E T + T |T|^2 - T* Q + 2 Y)/N^2,   T = sum sigma

* closure `paper` (22)-(23): E = sum n, Q = Y = 0. There D = c_2/N + |c_1|^2, B = c_1 (2 c_2 + N |c_1|^2).
* closure `exact`: E = sum (n - |sigma|^2), Q = sum sigma^2, Y = -sum (n - |sigma|^2) sigma: every coincidence of indices
  is treated as a product state requires, and this is the exact master equation's derivative (physics notes, section 5).

Loops run over the classes and vectorise there. Measured with closure `paper`: 76 ns per class and step for 240 classes
and more, 108 ns for 60, 1700 ns for two; so lanes over points, as `two_ensembles` has them, could gain 1.4 at 60 classes
and are not used.

Spins of equal detuning stay equal, so they are one class with a weight; a class sees w - 1 copies of itself. The state
y (3 K,) holds Re sigma, Im sigma, z of the K classes; p = (detunings (K,), weights (K,), N, eta, exact 0. or 1., half of
the start value of |c_1|).
"""

from __future__ import annotations

import math

from solvers.numerics.compile import FASTMATH, entry, kernel
from solvers.numerics.coupled_blocks import coupled_blocks
from solvers.numerics.rosenbrock import structured_rosenbrock


@kernel(fastmath=FASTMATH)
def totals(y, weights, exact):
    """T, E, Q, Y summed over all spins, itself included: seven real numbers."""
    size = weights.size
    xs, ys, zs = y[:size], y[size : 2 * size], y[2 * size :]
    a = b = e = p = q = f = g = 0.0
    for k in range(size):
        w, x, v = weights[k], xs[k], ys[k]
        own = 0.5 * (1.0 + zs[k]) - exact * (x * x + v * v)
        a += w * x
        b += w * v
        e += w * own
        p += w * (x * x - v * v)
        q += w * (2.0 * x * v)
        f -= w * (own * x)
        g -= w * (own * v)
    return a, b, e, exact * p, exact * q, exact * f, exact * g


@kernel(fastmath=FASTMATH)
def others(x, v, z, sums, exact):
    """The totals without one spin of the state (x, v, z)."""
    a, b, e, p, q, f, g = sums
    own = 0.5 * (1.0 + z) - exact * (x * x + v * v)
    return (
        a - x,
        b - v,
        e - own,
        p - exact * (x * x - v * v),
        q - exact * (2.0 * x * v),
        f + exact * (own * x),
        g + exact * (own * v),
    )


@kernel(fastmath=FASTMATH)
def derivatives(t, y, parameters, dy):
    """dy (3 K,) of the state y (3 K,)."""
    detunings, weights, n, eta, exact, _ = parameters
    size = weights.size
    xs, ys, zs = y[:size], y[size : 2 * size], y[2 * size :]
    d_x, d_y, d_z = dy[:size], dy[size : 2 * size], dy[2 * size :]
    sums = totals(y, weights, exact)
    drive, square = 2.0 * eta / n, 1.0 / (n * n)
    for k in range(size):
        x, v, z = xs[k], ys[k], zs[k]
        a, b, e, p, q, f, g = others(x, v, z, sums, exact)
        length = a * a + b * b
        loss = (e + length) * square
        b_r = (a * (2.0 * e + length - p) - b * q + 2.0 * f) * square
        b_i = (b * (2.0 * e + length + p) - a * q + 2.0 * g) * square
        d_x[k] = -detunings[k] * v - drive * z * a - 2.0 * x * loss + z * b_r
        d_y[k] = detunings[k] * x + drive * z * b - 2.0 * v * loss + z * b_i
        d_z[k] = 4.0 * drive * (x * a - v * b) - 4.0 * (1.0 + z) * loss - 4.0 * (x * b_r + v * b_i)


@kernel
def rank(parameters):
    """Number of totals that act: T and E, and with the exact closure Q and Y."""
    return 7 if parameters[4] != 0.0 else 3


@kernel(fastmath=FASTMATH)
def differentiate(t, y, parameters, local, left, right):
    """The Jacobian in the form of `coupled_blocks`; totals in the order Re T, Im T, E, Re Q, Im Q, Re Y, Im Y."""
    detunings, weights, n, eta, exact, _ = parameters
    size = weights.size
    xs, ys, zs = y[:size], y[size : 2 * size], y[2 * size :]
    sums = totals(y, weights, exact)
    drive, square = 2.0 * eta / n, 1.0 / (n * n)
    for k in range(size):
        x, v, z = xs[k], ys[k], zs[k]
        a, b, e, p, q, f, g = others(x, v, z, sums, exact)
        length = a * a + b * b
        loss = (e + length) * square
        b_r = (a * (2.0 * e + length - p) - b * q + 2.0 * f) * square
        b_i = (b * (2.0 * e + length + p) - a * q + 2.0 * g) * square
        local[0, k] = -2.0 * loss
        local[1, k] = -detunings[k]
        local[2, k] = -drive * a + b_r
        local[3, k] = detunings[k]
        local[4, k] = -2.0 * loss
        local[5, k] = drive * b + b_i
        local[6, k] = 4.0 * (drive * a - b_r)
        local[7, k] = -4.0 * (drive * b + b_i)
        local[8, k] = -4.0 * loss
        # by Re T, Im T and E: first of the loss D, then of B
        loss_a, loss_b = 2.0 * a * square, 2.0 * b * square
        cross = (2.0 * a * b - q) * square
        br_a, bi_b = (2.0 * e + length + 2.0 * a * a - p) * square, (2.0 * e + length + 2.0 * b * b + p) * square
        left[0, k] = -drive * z - 2.0 * x * loss_a + z * br_a
        left[1, k] = -2.0 * v * loss_a + z * cross
        left[2, k] = 4.0 * drive * x - 4.0 * (1.0 + z) * loss_a - 4.0 * (x * br_a + v * cross)
        left[3, k] = -2.0 * x * loss_b + z * cross
        left[4, k] = drive * z - 2.0 * v * loss_b + z * bi_b
        left[5, k] = -4.0 * drive * v - 4.0 * (1.0 + z) * loss_b - 4.0 * (x * cross + v * bi_b)
        left[6, k] = (-2.0 * x + 2.0 * z * a) * square
        left[7, k] = (-2.0 * v + 2.0 * z * b) * square
        left[8, k] = (-4.0 * (1.0 + z) - 8.0 * (x * a + v * b)) * square
        right[0, k], right[1, k], right[2, k] = 1.0, 0.0, 0.0
        right[3, k], right[4, k], right[5, k] = 0.0, 1.0, 0.0
        right[6, k], right[7, k], right[8, k] = -2.0 * exact * x, -2.0 * exact * v, 0.5
    if exact != 0.0:
        _differentiate_exact(y, n, sums, left, right)
    r = left.shape[0] // 3
    # what a spin does to itself through the totals it is not part of is taken out of its block
    for m in range(r):
        for i in range(3):
            for j in range(3):
                u, own, block = left[3 * m + i], right[3 * m + j], local[3 * i + j]
                for k in range(size):
                    block[k] -= u[k] * own[k]
    for m in range(3 * r):
        for k in range(size):
            right[m, k] *= weights[k]


@kernel(fastmath=FASTMATH)
def _differentiate_exact(y, n, sums, left, right):
    """The part by Q and Y, which only the exact closure has."""
    size = y.size // 3
    xs, ys, zs = y[:size], y[size : 2 * size], y[2 * size :]
    square = 1.0 / (n * n)
    for k in range(size):
        x, v, z = xs[k], ys[k], zs[k]
        a, b = (sums[0] - x) * square, (sums[1] - v) * square
        own = 0.5 * (1.0 + z) - (x * x + v * v)
        left[9, k] = -z * a
        left[10, k] = z * b
        left[11, k] = 4.0 * (x * a - v * b)
        left[12, k] = -z * b
        left[13, k] = -z * a
        left[14, k] = 4.0 * (x * b + v * a)
        left[15, k], left[16, k], left[17, k] = 2.0 * z * square, 0.0, -8.0 * x * square
        left[18, k], left[19, k], left[20, k] = 0.0, 2.0 * z * square, -8.0 * v * square
        right[9, k], right[10, k], right[11, k] = 2.0 * x, -2.0 * v, 0.0
        right[12, k], right[13, k], right[14, k] = 2.0 * v, 2.0 * x, 0.0
        right[15, k], right[16, k], right[17, k] = 2.0 * x * x - own, 2.0 * x * v, -0.5 * x
        right[18, k], right[19, k], right[20, k] = 2.0 * x * v, 2.0 * v * v - own, -0.5 * v


@kernel(fastmath=FASTMATH)
def order_parameter(y, weights, n):
    """Real and imaginary part of c_1 = sum sigma / N."""
    size = weights.size
    a = b = 0.0
    for k in range(size):
        a += weights[k] * y[k]
        b += weights[k] * y[size + k]
    return a / n, b / n


@kernel
def above_half(t, y, parameters):
    """|c_1| above half its start value: the run ends where this falls to zero."""
    _, weights, n, _, _, half = parameters
    a, b = order_parameter(y, weights, n)
    return math.hypot(a, b) - half


integrate_classes = structured_rosenbrock(derivatives, coupled_blocks(rank, differentiate), above_half)


@entry
def integrate_from_start(detunings, weights, n, eta, exact, times, rtol, atol, max_steps, y, out):
    """Integrate classes from the spin coherent state tan(theta/2) = sqrt(2 eta/N); the outcome's code.

    `y` (3 K,) receives the state at the end, `out` (T, 3 K) those at `times`, NaN after a collapse.
    """
    size = detunings.size
    g = 2.0 * eta / n
    amplitude = math.sqrt(g) / (1.0 + g)
    for k in range(size):
        y[k], y[size + k], y[2 * size + k] = amplitude, 0.0, -(1.0 - g) / (1.0 + g)
    p = (detunings, weights, n, eta, exact, 0.5 * amplitude)
    code, _, _ = integrate_classes(p, y, times, out, rtol, atol, max_steps)
    return code
