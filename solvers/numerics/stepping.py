"""The loop of an adaptive integration: try a step, refuse or accept it, write output rows, stop at an event.

One loop for all methods that step from state to state; a method is a set of kernels (`Method`), data for this file. It
carries a point over a *segment* of time and may hand over to another method.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from solvers.numerics.compile import FASTMATH, kernel
from solvers.numerics.dense_output import copy, fill_rows, locate_event, start_rows
from solvers.numerics.outcome import DONE, EVENT, MAX_STEPS, NOT_FINITE, STEP_TOO_SMALL
from solvers.numerics.step_control import attainable, following_step, refused_factor, vanishes

DENSE_ROWS = 5


class Method(NamedTuple):
    """A method of integration, as kernels.

    They work on `k` (rows, n), the stages of a step and whatever else it is made of; `dy` (n,), where right-hand sides put
    their result; and `own`, a tuple that the method makes for a segment. (To take a row of `k`, or to unpack a tuple, counts
    a reference each time, which costs as much as a small right-hand side: `k` is read by element.)

    rows : of `k`.
    workspace : `workspace(y, p) -> own`.
    begin : `begin(t, h, y, p, t_end, rtol, atol, y_new, k, dy, own) -> h`, prepares the first step; guesses its size if h is 0.
    attempt : `attempt(t, step, y, p, repeated, watch, rtol, atol, y_new, k, dy, own) -> error`, one step into y_new;
        `repeated`: from the same state as the one before. The error is in units of what is allowed, NaN where the step fails.
    describe : `describe(t, step, y, y_new, p, rtol, atol, dense, k, dy, own) -> error`, the rows (5, n) for `interpolate` of
        the step just made, and the error of what lies inside it (0 where that needs no test).
    interpolate : `interpolate(x, dense, y)`, the state at the fraction x of that step.
    resize : `resize(error, step, step_before, error_before) -> factor` by which the next step may change.
    suggests : `suggests(step, y_new, k, own) -> bool`, whether the step speaks for the other kind of method.
    advance : `advance(y, y_new, k, dy)`, goes on to the end of the step.
    exponent : of the error in the size of a step after a refusal.
    least_error : what smaller errors count for in the prediction from one step to the next, and before the first.
    hand_over : code with which a segment ends for the other kind of method,
    after : when so many steps spoke for it,
    exceptions : with no more than so many others in a row in between; a refused step is one where none is allowed.
    every : while no step spoke for it, only every so many are looked at.
    """

    rows: int
    workspace: Callable[..., Any]
    begin: Callable[..., Any]
    attempt: Callable[..., Any]
    describe: Callable[..., Any]
    interpolate: Callable[..., Any]
    resize: Callable[..., Any]
    suggests: Callable[..., Any]
    advance: Callable[..., Any]
    exponent: float
    least_error: float
    hand_over: int
    after: int
    exceptions: int
    every: int


def make_segment(method: Method, event: Callable[..., Any]) -> Any:
    """Make `segment(p, y, times, out, rtol, atol, max_steps, t, h, row, watch) -> (code, t, h, row, steps)`.

    It goes on from state `y` at `t` with step `h` (0: guess one) and output row `row`, and with `watch` it hands over
    when the steps speak for the other kind of method.
    """
    locate = locate_event(method.interpolate, event)
    fill = fill_rows(method.interpolate)
    workspace, begin, attempt, describe = method.workspace, method.begin, method.attempt, method.describe
    resize, suggests, advance = method.resize, method.suggests, method.advance
    rows, exponent, least_error = method.rows, method.exponent, method.least_error
    hand_over, enough, too_many, every = method.hand_over, method.after, method.exceptions + 1, method.every

    @kernel(fastmath=FASTMATH)
    def segment(p, y, times, out, rtol, atol, max_steps, t, h, row, watch):
        n, t_end = y.size, times[-1]
        atol = attainable(atol, y)
        y_new, k, dy, dense = np.empty(n), np.empty((rows, n)), np.empty(n), np.empty((DENSE_ROWS, n))
        own = workspace(y, p)
        h = begin(t, h, y, p, t_end, rtol, atol, y_new, k, dy, own)
        if not math.isfinite(h):
            return NOT_FINITE, t, h, row, 0
        above = event(t, y, p)
        step_before, error_before = 0.0, least_error
        rejected = False
        spoke_for = others = steps = 0
        while t < t_end:
            if steps >= max_steps:
                return MAX_STEPS, t, h, row, steps
            steps += 1
            last = t + 1.01 * h >= t_end
            step = t_end - t if last else h
            err = attempt(t, step, y, p, rejected, watch, rtol, atol, y_new, k, dy, own)
            refused_by = err
            t_new = t_end if last else t + step
            after = above
            stopped = False
            if err <= 1.0:
                after = event(t_new, y_new, p)
                stopped = above > 0.0 and after <= 0.0
                if stopped or (row < times.size and times[row] < t_new):
                    refused_by = describe(t, step, y, y_new, p, rtol, atol, dense, k, dy, own)
            if not refused_by <= 1.0:  # too large, or not a number
                h = step * refused_factor(refused_by, refused_by**-exponent)
                rejected = True
                if too_many == 1:
                    spoke_for = 0
                if vanishes(h, t):
                    return (STEP_TOO_SMALL if math.isfinite(refused_by) else NOT_FINITE), t, h, row, steps
                continue

            err = max(err, 1e-10)
            h = following_step(h, step, resize(err, step, step_before, error_before), rejected, last)
            step_before, error_before = step, max(err, least_error)
            rejected = False

            if stopped:
                x = locate(t, step, dense, p, y_new)
                t_new = t + x * step
                row = fill(t, t_new, step, dense, y_new, times, row, out)
                copy(y_new, y)
                return EVENT, t_new, h, row, steps
            row = fill(t, t_new, step, dense, y_new, times, row, out)

            if watch and (spoke_for > 0 or steps % every == 0):
                if suggests(step, y_new, k, own):
                    spoke_for += 1
                    others = 0
                else:
                    others += 1
                    if others == too_many:
                        spoke_for = 0
            above = after
            t = t_new
            advance(y, y_new, k, dy)
            if spoke_for >= enough and t < t_end:
                return hand_over, t, h, row, steps
        return DONE, t, h, row, steps

    return segment


def whole(segment: Any) -> Any:
    """Make `integrate(p, y, times, out, rtol, atol, max_steps) -> (code, t_reached, steps)` of one method from its segment."""

    @kernel(inline="always")
    def integrate(p, y, times, out, rtol, atol, max_steps):
        row = start_rows(y, times, out)
        if row == times.size:
            return DONE, 0.0, 0
        code, t, _, row, steps = segment(p, y, times, out, rtol, atol, max_steps, 0.0, 0.0, row, False)
        return code, t, steps

    return integrate
