"""Steps of order 8 in SIMD lanes, for as long as points of three variables are not stiff."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from solvers.numerics.compile import FASTMATH, kernel
from solvers.numerics.dormand_prince_8 import E3, E5, A, B
from solvers.numerics.lanes import (
    ATOL,
    CROSSED,
    ERROR,
    FACTOR,
    FASTEST,
    LANES,
    MONITOR,
    NEW,
    NEW_SLOPE,
    RTOL,
    SLOPE,
    STEP,
    P,
    Y,
    largest_row,
    rough_power,
)
from solvers.numerics.step_control import GROW, SAFETY, SHRINK, refused_factor

_none, (A2_1,), (A3_1, A3_2), (A4_1, _, A4_3), (A5_1, _, A5_3, A5_4), (A6_1, _, _, A6_4, A6_5), *_late = A
(A7_1, _, _, A7_4, A7_5, A7_6), (A8_1, _, _, A8_4, A8_5, A8_6, A8_7), *_late = _late
(A9_1, _, _, A9_4, A9_5, A9_6, A9_7, A9_8), (A10_1, _, _, A10_4, A10_5, A10_6, A10_7, A10_8, A10_9), *_late = _late
(A11_1, _, _, A11_4, A11_5, A11_6, A11_7, A11_8, A11_9, A11_10), _last = _late
A12_1, _, _, A12_4, A12_5, A12_6, A12_7, A12_8, A12_9, A12_10, A12_11 = _last
B1, _, _, _, _, B6, B7, B8, B9, B10, B11, B12 = B
E1, _, _, _, _, E6, E7, E8, E9, E10, E11, E12 = E5
Q1, Q9, Q12 = B1 - E3[0], B9 - E3[8], B12 - E3[11]


def explicit_lanes(
    rhs: Callable[..., Any], jacobian: Callable[..., Any], event: Callable[..., Any], monitor: Callable[..., Any]
) -> Any:
    """Make `attempt(work)`: one step of every lane as `lanes` lays it out, and the factor by which the next one changes.

    The kernels are those of `rosenbrock_lanes`. SLOPE holds the derivative at the start of the step.
    """

    @kernel(fastmath=FASTMATH, wide=True)
    def attempt(work):
        for i in range(LANES):
            x0, x1, x2 = work[Y + i], work[Y + LANES + i], work[Y + 2 * LANES + i]
            a1, b1, c1 = work[SLOPE + i], work[SLOPE + LANES + i], work[SLOPE + 2 * LANES + i]
            p0, p1 = work[P + i], work[P + LANES + i]
            p2, p3 = work[P + 2 * LANES + i], work[P + 3 * LANES + i]
            h = work[STEP + i]
            n0 = x0 + h * (A2_1 * a1)
            n1 = x1 + h * (A2_1 * b1)
            n2 = x2 + h * (A2_1 * c1)
            a2, b2, c2 = rhs(n0, n1, n2, p0, p1, p2, p3)
            n0 = x0 + h * (A3_1 * a1 + A3_2 * a2)
            n1 = x1 + h * (A3_1 * b1 + A3_2 * b2)
            n2 = x2 + h * (A3_1 * c1 + A3_2 * c2)
            a3, b3, c3 = rhs(n0, n1, n2, p0, p1, p2, p3)
            n0 = x0 + h * (A4_1 * a1 + A4_3 * a3)
            n1 = x1 + h * (A4_1 * b1 + A4_3 * b3)
            n2 = x2 + h * (A4_1 * c1 + A4_3 * c3)
            a4, b4, c4 = rhs(n0, n1, n2, p0, p1, p2, p3)
            n0 = x0 + h * (A5_1 * a1 + A5_3 * a3 + A5_4 * a4)
            n1 = x1 + h * (A5_1 * b1 + A5_3 * b3 + A5_4 * b4)
            n2 = x2 + h * (A5_1 * c1 + A5_3 * c3 + A5_4 * c4)
            a5, b5, c5 = rhs(n0, n1, n2, p0, p1, p2, p3)
            n0 = x0 + h * (A6_1 * a1 + A6_4 * a4 + A6_5 * a5)
            n1 = x1 + h * (A6_1 * b1 + A6_4 * b4 + A6_5 * b5)
            n2 = x2 + h * (A6_1 * c1 + A6_4 * c4 + A6_5 * c5)
            a6, b6, c6 = rhs(n0, n1, n2, p0, p1, p2, p3)
            n0 = x0 + h * (A7_1 * a1 + A7_4 * a4 + A7_5 * a5 + A7_6 * a6)
            n1 = x1 + h * (A7_1 * b1 + A7_4 * b4 + A7_5 * b5 + A7_6 * b6)
            n2 = x2 + h * (A7_1 * c1 + A7_4 * c4 + A7_5 * c5 + A7_6 * c6)
            a7, b7, c7 = rhs(n0, n1, n2, p0, p1, p2, p3)
            n0 = x0 + h * (A8_1 * a1 + A8_4 * a4 + A8_5 * a5 + A8_6 * a6 + A8_7 * a7)
            n1 = x1 + h * (A8_1 * b1 + A8_4 * b4 + A8_5 * b5 + A8_6 * b6 + A8_7 * b7)
            n2 = x2 + h * (A8_1 * c1 + A8_4 * c4 + A8_5 * c5 + A8_6 * c6 + A8_7 * c7)
            a8, b8, c8 = rhs(n0, n1, n2, p0, p1, p2, p3)
            n0 = x0 + h * (A9_1 * a1 + A9_4 * a4 + A9_5 * a5 + A9_6 * a6 + A9_7 * a7 + A9_8 * a8)
            n1 = x1 + h * (A9_1 * b1 + A9_4 * b4 + A9_5 * b5 + A9_6 * b6 + A9_7 * b7 + A9_8 * b8)
            n2 = x2 + h * (A9_1 * c1 + A9_4 * c4 + A9_5 * c5 + A9_6 * c6 + A9_7 * c7 + A9_8 * c8)
            a9, b9, c9 = rhs(n0, n1, n2, p0, p1, p2, p3)
            n0 = x0 + h * (A10_1 * a1 + A10_4 * a4 + A10_5 * a5 + A10_6 * a6 + A10_7 * a7 + A10_8 * a8 + A10_9 * a9)
            n1 = x1 + h * (A10_1 * b1 + A10_4 * b4 + A10_5 * b5 + A10_6 * b6 + A10_7 * b7 + A10_8 * b8 + A10_9 * b9)
            n2 = x2 + h * (A10_1 * c1 + A10_4 * c4 + A10_5 * c5 + A10_6 * c6 + A10_7 * c7 + A10_8 * c8 + A10_9 * c9)
            a10, b10, c10 = rhs(n0, n1, n2, p0, p1, p2, p3)
            n0 = x0 + h * (
                A11_1 * a1 + A11_4 * a4 + A11_5 * a5 + A11_6 * a6 + A11_7 * a7 + A11_8 * a8 + A11_9 * a9 + A11_10 * a10
            )
            n1 = x1 + h * (
                A11_1 * b1 + A11_4 * b4 + A11_5 * b5 + A11_6 * b6 + A11_7 * b7 + A11_8 * b8 + A11_9 * b9 + A11_10 * b10
            )
            n2 = x2 + h * (
                A11_1 * c1 + A11_4 * c4 + A11_5 * c5 + A11_6 * c6 + A11_7 * c7 + A11_8 * c8 + A11_9 * c9 + A11_10 * c10
            )
            a11, b11, c11 = rhs(n0, n1, n2, p0, p1, p2, p3)
            n0 = x0 + h * (
                A12_1 * a1
                + A12_4 * a4
                + A12_5 * a5
                + A12_6 * a6
                + A12_7 * a7
                + A12_8 * a8
                + A12_9 * a9
                + A12_10 * a10
                + A12_11 * a11
            )
            n1 = x1 + h * (
                A12_1 * b1
                + A12_4 * b4
                + A12_5 * b5
                + A12_6 * b6
                + A12_7 * b7
                + A12_8 * b8
                + A12_9 * b9
                + A12_10 * b10
                + A12_11 * b11
            )
            n2 = x2 + h * (
                A12_1 * c1
                + A12_4 * c4
                + A12_5 * c5
                + A12_6 * c6
                + A12_7 * c7
                + A12_8 * c8
                + A12_9 * c9
                + A12_10 * c10
                + A12_11 * c11
            )
            a12, b12, c12 = rhs(n0, n1, n2, p0, p1, p2, p3)
            s0 = B1 * a1 + B6 * a6 + B7 * a7 + B8 * a8 + B9 * a9 + B10 * a10 + B11 * a11 + B12 * a12
            n0 = x0 + h * s0
            v0 = E1 * a1 + E6 * a6 + E7 * a7 + E8 * a8 + E9 * a9 + E10 * a10 + E11 * a11 + E12 * a12
            w0 = s0 - (Q1 * a1 + Q9 * a9 + Q12 * a12)
            s1 = B1 * b1 + B6 * b6 + B7 * b7 + B8 * b8 + B9 * b9 + B10 * b10 + B11 * b11 + B12 * b12
            n1 = x1 + h * s1
            v1 = E1 * b1 + E6 * b6 + E7 * b7 + E8 * b8 + E9 * b9 + E10 * b10 + E11 * b11 + E12 * b12
            w1 = s1 - (Q1 * b1 + Q9 * b9 + Q12 * b12)
            s2 = B1 * c1 + B6 * c6 + B7 * c7 + B8 * c8 + B9 * c9 + B10 * c10 + B11 * c11 + B12 * c12
            n2 = x2 + h * s2
            v2 = E1 * c1 + E6 * c6 + E7 * c7 + E8 * c8 + E9 * c9 + E10 * c10 + E11 * c11 + E12 * c12
            w2 = s2 - (Q1 * c1 + Q9 * c9 + Q12 * c12)
            rtol, atol = work[RTOL + i], work[ATOL + i]
            t0 = atol + rtol * max(abs(x0), abs(n0))
            t1 = atol + rtol * max(abs(x1), abs(n1))
            t2 = atol + rtol * max(abs(x2), abs(n2))
            unit = 1.0 / (t0 * t1 * t2)  # one division for three
            t0, t1, t2 = t1 * t2 * unit, t0 * t2 * unit, t0 * t1 * unit
            fifth = (v0 * t0) ** 2 + (v1 * t1) ** 2 + (v2 * t2) ** 2
            third = (w0 * t0) ** 2 + (w1 * t1) ** 2 + (w2 * t2) ** 2
            f0, f1, f2 = rhs(n0, n1, n2, p0, p1, p2, p3)
            # the sum of the derivatives is there for the step to fail when one of them is not a number
            error = h * h * fifth * fifth / (3.0 * (fifth + 0.01 * third) + 1e-300) + 0.0 * (f0 + f1 + f2)
            work[NEW + i], work[NEW + LANES + i], work[NEW + 2 * LANES + i] = n0, n1, n2
            work[NEW_SLOPE + i], work[NEW_SLOPE + LANES + i], work[NEW_SLOPE + 2 * LANES + i] = f0, f1, f2
            work[ERROR + i] = error
            work[MONITOR + i] = monitor(n0, n1, n2, f0, f1, f2)
            work[CROSSED + i] = event(n0, n1, n2, p0, p1, p2, p3)
            work[FASTEST + i] = largest_row(jacobian(n0, n1, n2, p0, p1, p2, p3))
            gain = rough_power(max(error, 1e-20), -1.0 / 16.0)  # the error is squared
            work[FACTOR + i] = min(GROW, max(SHRINK, SAFETY * gain)) if error <= 1.0 else refused_factor(error, gain)

    return attempt
