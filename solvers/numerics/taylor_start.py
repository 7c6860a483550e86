"""Taylor series of high order as long as their steps are the better ones, then an implicit method for the rest.

Where the right-hand side is a polynomial, the coefficients of a solution's series follow from one another by recurrence, exact
but for rounding, and order 20 costs about as much as two steps of order 5 that are a fiftieth as long. The step is chosen before
it is made, from the last two coefficients (A. Jorba and M. Zou, "A software package for the numerical integration of ODEs by
means of high-order Taylor methods", Exp. Math. 14, 99 (2005)), so that none is refused. Fast modes that have died out keep it
at a few of their times, as in any explicit method; an implicit step of order 5 is then longer, which the fifth coefficient
tells: the rest is the implicit method's, statuses included.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from solvers.numerics.compile import FASTMATH, kernel
from solvers.numerics.lanes import rough_power
from solvers.numerics.outcome import DONE, MAX_STEPS
from solvers.numerics.step_control import SAFETY, SHRINK, allowed, attainable

TAYLOR_ORDER = 20
"""With it, 16 and 12 a cumulant cycle of N = 140 at rtol 1e-9 takes 14, 16 and 19 us."""
DEARER = 2.0
"""What a series costs in implicit steps."""
_GAIN = -0.5 / (TAYLOR_ORDER - 1)
_TRIALS = 10


def taylor_start(expand: Callable[..., Any], implicit: Callable[..., Any], leading: int, size: int) -> Any:
    """Make `integrate(p, y, times, out, rtol, atol, max_steps) -> (code, t_reached, steps)`.

    Parameters
    ----------
    expand : kernel `expand(p, y, c)`, writes the coefficients c (size, TAYLOR_ORDER + 1) of the solution from y (size,):
        y(t) = sum_k c[:, k] t^k; autonomous.
    implicit : what `rosenbrock_three` makes, for the same equations.
    leading : how many variables drive the others.
    size : how many there are.

    The kernel made is called like that of `rosenbrock`.
    """

    @kernel(fastmath=FASTMATH)
    def evaluate(c, t, y):
        for i in range(size):
            y[i] = c[i, TAYLOR_ORDER]
        for k in range(TAYLOR_ORDER - 1, -1, -1):
            for i in range(size):
                y[i] = y[i] * t + c[i, k]

    @kernel(fastmath=FASTMATH)
    def longest(c, y, rtol, atol, left):
        """The step at which the last term but one of the leading variables is what is allowed."""
        total = 0.0
        for i in range(leading):
            scaled = c[i, TAYLOR_ORDER - 1] / (atol + rtol * abs(y[i]))
            total += scaled * scaled
        return min(left, 0.95 * rough_power(total / leading, _GAIN)) if total > 0.0 else left

    @kernel(fastmath=FASTMATH)
    def errors(c, h, y, y_new, rtol, atol):
        """Squares of the last two terms, and of the fifth coefficient, in units of what is allowed."""
        power = h ** (TAYLOR_ORDER - 1)
        last = fifth = 0.0
        for i in range(size):
            unit = 1.0 / allowed(y[i], y_new[i], rtol, atol)
            term = unit * power * (abs(c[i, TAYLOR_ORDER - 1]) + abs(c[i, TAYLOR_ORDER]) * h)
            last += term * term
            fifth += (unit * c[i, 5]) ** 2
        return last / size, fifth / size

    @kernel(fastmath=FASTMATH)
    def step_of(c, y, y_new, rtol, atol, left):
        """A step and the state after it, and that of the implicit method; the step is 0 where the latter is the better one."""
        h = longest(c, y, rtol, atol, left)
        for _ in range(_TRIALS):
            evaluate(c, h, y_new)
            error, fifth = errors(c, h, y, y_new, rtol, atol)
            if not math.isfinite(error):
                return 0.0, 0.0
            if error <= 1.0:
                other = rough_power(fifth, -0.1) if fifth > 0.0 else left
                return (0.0 if h < left and DEARER * other > h else h), other
            h *= max(SHRINK, SAFETY * rough_power(error, _GAIN))
        return 0.0, 0.0

    @kernel(fastmath=FASTMATH)
    def integrate(p, y, times, out, rtol, atol, max_steps):
        noise = attainable(atol, y)
        c, y_new = np.zeros((size, TAYLOR_ORDER + 1)), np.empty(size)
        out[:, :] = np.nan
        t, t_end, row, steps = 0.0, times[-1] if times.size > 0 else 0.0, 0, 0
        while t < t_end:
            if steps >= max_steps:
                return MAX_STEPS, t, steps
            expand(p, y, c)
            h, other = step_of(c, y, y_new, rtol, noise, t_end - t)
            if h == 0.0 or not t + h > t:
                code, reached, more = implicit(p, y, times[row:] - t, out[row:], rtol, atol, max_steps - steps, other)
                return code, t + reached, steps + more
            steps += 1
            t_new = t_end if h == t_end - t else t + h
            while row < times.size and times[row] < t_new:
                evaluate(c, times[row] - t, out[row])
                row += 1
            t = t_new
            for i in range(size):
                y[i] = y_new[i]
        while row < times.size:
            for i in range(size):
                out[row, i] = y[i]
            row += 1
        return DONE, t, steps

    return integrate
