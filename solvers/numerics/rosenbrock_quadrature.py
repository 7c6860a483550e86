"""Rodas5P for three stiff variables and quadratures over them, with everything unrolled: for loops over many short runs.

The same method and step control as `solvers.numerics.rosenbrock`, autonomous, without dense output: a run ends exactly
on each output time. The quadratures (variables whose derivative depends on the three alone) stay out of the matrix that
is inverted. Several times faster than the general integrator, whose loops do not know their lengths.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from solvers.numerics.compile import FASTMATH, kernel
from solvers.numerics.outcome import DONE, MAX_STEPS, NOT_FINITE, STEP_TOO_SMALL
from solvers.numerics.rodas5p import GAMMA, ORDER, STAGES, A, C
from solvers.numerics.step_control import (
    allowed,
    attainable,
    following_step,
    predicted_factor,
    refused_factor,
    vanishes,
)
from solvers.numerics.three_by_three import product, resolvent

FIRST_GAIN = 1e-2 ** (-1.0 / ORDER)
"""err^(-1/5) of the largest error that the prediction takes seriously, as in `rosenbrock`."""


@kernel
def block(J):
    """The upper left block, row by row."""
    return J[0, 0], J[0, 1], J[0, 2], J[1, 0], J[1, 1], J[1, 2], J[2, 0], J[2, 1], J[2, 2]


def rosenbrock_three(rhs: Callable[..., Any], jacobian: Callable[..., Any], quadratures: int) -> Any:
    """Make `integrate(p, y, times, out, rtol, atol, max_steps, h) -> (code, t_reached, steps)`.

    Parameters
    ----------
    rhs : kernel `rhs(t, y, p, dy)`, writes dy (3 + quadratures,); t is always 0.
    jacobian : kernel `jacobian(t, y, p, J)`, writes J[i, j] = d dy_i / d y_j for j < 3; all other entries are zero.
    quadratures : how many variables follow the three.

    The kernel made is called like that of `rosenbrock`, with the first step `h` besides (0: it is guessed).
    """
    size = 3 + quadratures
    exponent = 1.0 / ORDER

    @kernel(fastmath=FASTMATH)
    def stages(p, y, step, J, inverted, k, y_new, dy):
        """All stages; y_new is the state after the step, the last row of k its error estimate."""
        rate = 1.0 / step
        held = step * GAMMA
        for s in range(STAGES):
            ks = k[s]
            # sums in registers: through memory every term would wait for the one before
            for i in range(size):
                total, change = y[i], 0.0
                for j in range(s):
                    total += A[s, j] * k[j, i]
                    change += C[s, j] * k[j, i]
                y_new[i] = total
                ks[i] = rate * change
            rhs(0.0, y_new, p, dy)
            r0, r1, r2 = ks[0] + dy[0], ks[1] + dy[1], ks[2] + dy[2]
            x0, x1, x2 = product(inverted, r0, r1, r2)
            ks[0], ks[1], ks[2] = x0, x1, x2
            for i in range(3, size):
                ks[i] = held * (ks[i] + dy[i] + J[i, 0] * x0 + J[i, 1] * x1 + J[i, 2] * x2)
        last = k[STAGES - 1]
        for i in range(size):
            y_new[i] += last[i]

    @kernel(fastmath=FASTMATH)
    def error_of(error, y, y_new, rtol, atol):
        total = 0.0
        for i in range(size):
            scaled = error[i] / allowed(y[i], y_new[i], rtol, atol)
            total += scaled * scaled
        return math.sqrt(total / size)

    @kernel(fastmath=FASTMATH)
    def first_step(y, dy, longest):
        """A hundredth of the time in which something changes by its own size."""
        fastest = 0.0
        for i in range(3):
            fastest = max(fastest, abs(dy[i]) / (abs(y[i]) + 1e-3))
        return min(longest, 0.01 / fastest) if fastest > 0.0 else longest

    @kernel(fastmath=FASTMATH)
    def integrate(p, y, times, out, rtol, atol, max_steps, h):
        atol = attainable(atol, y)
        k = np.empty((STAGES, size))
        y_new, dy = np.empty(size), np.empty(size)
        J = np.zeros((size, size))
        t, h_old, gain_old, steps = 0.0, 0.0, FIRST_GAIN, 0
        out[:, :] = np.nan
        for row in range(times.size):
            t_end = times[row]
            rejected = False
            while t < t_end:
                if steps >= max_steps:
                    return MAX_STEPS, t, steps
                if not rejected:
                    jacobian(0.0, y, p, J)
                if h == 0.0:
                    rhs(0.0, y, p, dy)
                    h = first_step(y, dy, t_end)
                steps += 1
                last = t + 1.01 * h >= t_end
                step = t_end - t if last else h
                inverted = resolvent(1.0 / (step * GAMMA), block(J))
                stages(p, y, step, J, inverted, k, y_new, dy)
                err = error_of(k[STAGES - 1], y, y_new, rtol, atol)
                if not err <= 1.0:
                    h = step * refused_factor(err, err**-exponent)
                    rejected = True
                    if vanishes(h, t):
                        return (STEP_TOO_SMALL if math.isfinite(err) else NOT_FINITE), t, steps
                    continue
                # the power of the error before is kept, not taken again
                gain = max(err, 1e-10) ** -exponent
                h = following_step(h, step, predicted_factor(gain, gain * gain / gain_old, step, h_old), rejected, last)
                h_old = step
                gain_old = min(gain, FIRST_GAIN)
                rejected = False
                t = t_end if last else t + step
                for i in range(size):
                    y[i] = y_new[i]
            for i in range(size):
                out[row, i] = y[i]
        return DONE, t, steps

    return integrate
