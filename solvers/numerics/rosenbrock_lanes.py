"""Many stiff points of three variables at once by Rodas5P: SIMD lanes, each with its own time, step and status.

While a point is not stiff, in its first transient and where it collapses, it takes explicit steps of order 8
(`explicit_lanes`), which are several times as long. A point goes from one way to the other when its own steps say so:
explicit ones that are limited by stability, implicit ones that have become so short that they are not. Output inside a step
is the implicit method's: before an event, or where the monitor falls, an explicit step is taken back.

The arithmetic of a step runs over all lanes of a block without a branch, so that it vectorises; a lane whose point has
ended is given the next point at once. Every point takes the same instructions whatever its lane and its neighbours
are, so its bits do not depend on the batch it is in.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from solvers.numerics.compile import FASTMATH, kernel
from solvers.numerics.crossing import crossing
from solvers.numerics.explicit_lanes import explicit_lanes
from solvers.numerics.lanes import (
    ATOL,
    BEFORE,
    CROSSED,
    END,
    ERROR,
    FACTOR,
    FASTEST,
    LANES,
    MONITOR,
    NEW,
    NEW_SLOPE,
    OLD,
    ROWS,
    RTOL,
    SLOPE,
    STEP,
    TIME,
    K,
    P,
    Y,
    largest_row,
    rough_power,
)
from solvers.numerics.outcome import DONE, EVENT, MAX_STEPS, NOT_FINITE, STEP_TOO_SMALL
from solvers.numerics.rodas5p import GAMMA, STAGES, A, C, H
from solvers.numerics.step_control import ROUNDING, predicted_factor, refused_factor, vanishes
from solvers.numerics.three_by_three import product, resolvent

EXPLICIT, IMPLICIT, ENDED = range(3)
SMOOTH, HARD, NEVER = range(3)
"""Of implicit steps since the last explicit one: all short; some long, so that explicit ones may come again; never again."""
STIFF, SOFT, LONGER, PATIENCE = 4.0, 8.0, 1.5, 20
"""Step times fastest rate from which on an explicit step counts as limited by stability (that limit is 5 to 6 of the true
rate, of which this is a bound, so that none goes unnoticed), and below which an implicit one may as well be explicit; by what
the first explicit step is then longer, and how many of them may be so limited. Measured: of the steps of a batch of 64 points
of `spin_cat.two_ensembles` a third is saved, and they cost the same."""

_, (A21, *_), (A31, A32, *_), (A41, A42, A43, *_), (A51, A52, A53, A54, *_), (A61, A62, A63, A64, A65, *_), *_ = (
    A.tolist()
)
_, (C21, *_), (C31, C32, *_), (C41, C42, C43, *_), (C51, C52, C53, C54, *_), *_late = C.tolist()
(C61, C62, C63, C64, C65, *_), (C71, C72, C73, C74, C75, C76, *_), (C81, C82, C83, C84, C85, C86, C87, _) = _late


@kernel
def loudness(watched, quiet):
    """How far a monitor is above `quiet`, as a logarithm, because it decays exponentially."""
    return math.log(max(watched, 1e-300) / max(quiet, 1e-300))


def rosenbrock_lanes(
    rhs: Callable[..., Any], jacobian: Callable[..., Any], event: Callable[..., Any], monitor: Callable[..., Any]
) -> Any:
    """Make `integrate(start, p, t_end, rtol, atol, max_steps, quiet, rest, final, reached, settled, code)`.

    Parameters
    ----------
    rhs : kernel `rhs(y0, y1, y2, p0, p1, p2, p3) -> (f0, f1, f2)`, autonomous, without branches and calls.
    jacobian : kernel with the same arguments, returns the nine entries row by row.
    event : kernel with the same arguments -> float; the point stops where it falls from positive to <= 0.
    monitor : kernel `monitor(y0, y1, y2, f0, f1, f2) -> float`, >= 0, of a state and its derivative.

    The kernel made takes `start` (3, P), `p` (4, P), `t_end`, `rtol`, `atol`, `max_steps`, `quiet` (P,) and writes the
    `final` state (3, P), the time `reached` (P,), the time `settled` (P,) at which the monitor last fell to `quiet` or
    below (NaN: it is above at the end) and the `code` of `outcome` (P,). With `rest` true, a point is DONE as soon as
    the monitor is at or below `quiet`.
    """

    attempt_explicit = explicit_lanes(rhs, jacobian, event, monitor)

    @kernel(fastmath=FASTMATH, wide=True)
    def advance(work):
        """One step attempt of every lane: the new state and its error, what watches it, and the stages."""
        for i in range(LANES):
            x0, x1, x2 = work[Y + i], work[Y + LANES + i], work[Y + 2 * LANES + i]
            p0, p1 = work[P + i], work[P + LANES + i]
            p2, p3 = work[P + 2 * LANES + i], work[P + 3 * LANES + i]
            h = work[STEP + i]
            # all is multiplied by the step, which saves a division: (1/GAMMA - h J) k = h f + sum C k
            j00, j01, j02, j10, j11, j12, j20, j21, j22 = jacobian(x0, x1, x2, p0, p1, p2, p3)
            work[FASTEST + i] = largest_row((j00, j01, j02, j10, j11, j12, j20, j21, j22))
            scaled = h * j00, h * j01, h * j02, h * j10, h * j11, h * j12, h * j20, h * j21, h * j22
            inverse = resolvent(1.0 / GAMMA, scaled)

            f0, f1, f2 = rhs(x0, x1, x2, p0, p1, p2, p3)
            a1, b1, c1 = product(inverse, h * f0, h * f1, h * f2)

            n0 = x0 + A21 * a1
            n1 = x1 + A21 * b1
            n2 = x2 + A21 * c1
            f0, f1, f2 = rhs(n0, n1, n2, p0, p1, p2, p3)
            f0 = h * f0 + (C21 * a1)
            f1 = h * f1 + (C21 * b1)
            f2 = h * f2 + (C21 * c1)
            a2, b2, c2 = product(inverse, f0, f1, f2)

            n0 = x0 + A31 * a1 + A32 * a2
            n1 = x1 + A31 * b1 + A32 * b2
            n2 = x2 + A31 * c1 + A32 * c2
            f0, f1, f2 = rhs(n0, n1, n2, p0, p1, p2, p3)
            f0 = h * f0 + (C31 * a1 + C32 * a2)
            f1 = h * f1 + (C31 * b1 + C32 * b2)
            f2 = h * f2 + (C31 * c1 + C32 * c2)
            a3, b3, c3 = product(inverse, f0, f1, f2)

            n0 = x0 + A41 * a1 + A42 * a2 + A43 * a3
            n1 = x1 + A41 * b1 + A42 * b2 + A43 * b3
            n2 = x2 + A41 * c1 + A42 * c2 + A43 * c3
            f0, f1, f2 = rhs(n0, n1, n2, p0, p1, p2, p3)
            f0 = h * f0 + (C41 * a1 + C42 * a2 + C43 * a3)
            f1 = h * f1 + (C41 * b1 + C42 * b2 + C43 * b3)
            f2 = h * f2 + (C41 * c1 + C42 * c2 + C43 * c3)
            a4, b4, c4 = product(inverse, f0, f1, f2)

            n0 = x0 + A51 * a1 + A52 * a2 + A53 * a3 + A54 * a4
            n1 = x1 + A51 * b1 + A52 * b2 + A53 * b3 + A54 * b4
            n2 = x2 + A51 * c1 + A52 * c2 + A53 * c3 + A54 * c4
            f0, f1, f2 = rhs(n0, n1, n2, p0, p1, p2, p3)
            f0 = h * f0 + (C51 * a1 + C52 * a2 + C53 * a3 + C54 * a4)
            f1 = h * f1 + (C51 * b1 + C52 * b2 + C53 * b3 + C54 * b4)
            f2 = h * f2 + (C51 * c1 + C52 * c2 + C53 * c3 + C54 * c4)
            a5, b5, c5 = product(inverse, f0, f1, f2)

            n0 = x0 + A61 * a1 + A62 * a2 + A63 * a3 + A64 * a4 + A65 * a5
            n1 = x1 + A61 * b1 + A62 * b2 + A63 * b3 + A64 * b4 + A65 * b5
            n2 = x2 + A61 * c1 + A62 * c2 + A63 * c3 + A64 * c4 + A65 * c5
            f0, f1, f2 = rhs(n0, n1, n2, p0, p1, p2, p3)
            f0 = h * f0 + (C61 * a1 + C62 * a2 + C63 * a3 + C64 * a4 + C65 * a5)
            f1 = h * f1 + (C61 * b1 + C62 * b2 + C63 * b3 + C64 * b4 + C65 * b5)
            f2 = h * f2 + (C61 * c1 + C62 * c2 + C63 * c3 + C64 * c4 + C65 * c5)
            a6, b6, c6 = product(inverse, f0, f1, f2)

            n0 += a6
            n1 += b6
            n2 += c6
            f0, f1, f2 = rhs(n0, n1, n2, p0, p1, p2, p3)
            f0 = h * f0 + (C71 * a1 + C72 * a2 + C73 * a3 + C74 * a4 + C75 * a5 + C76 * a6)
            f1 = h * f1 + (C71 * b1 + C72 * b2 + C73 * b3 + C74 * b4 + C75 * b5 + C76 * b6)
            f2 = h * f2 + (C71 * c1 + C72 * c2 + C73 * c3 + C74 * c4 + C75 * c5 + C76 * c6)
            a7, b7, c7 = product(inverse, f0, f1, f2)

            n0 += a7
            n1 += b7
            n2 += c7
            f0, f1, f2 = rhs(n0, n1, n2, p0, p1, p2, p3)
            f0 = h * f0 + (C81 * a1 + C82 * a2 + C83 * a3 + C84 * a4 + C85 * a5 + C86 * a6 + C87 * a7)
            f1 = h * f1 + (C81 * b1 + C82 * b2 + C83 * b3 + C84 * b4 + C85 * b5 + C86 * b6 + C87 * b7)
            f2 = h * f2 + (C81 * c1 + C82 * c2 + C83 * c3 + C84 * c4 + C85 * c5 + C86 * c6 + C87 * c7)
            a8, b8, c8 = product(inverse, f0, f1, f2)

            n0 += a8
            n1 += b8
            n2 += c8
            work[NEW + i], work[NEW + LANES + i], work[NEW + 2 * LANES + i] = n0, n1, n2
            rtol, atol = work[RTOL + i], work[ATOL + i]
            s0 = atol + rtol * max(abs(x0), abs(n0))
            s1 = atol + rtol * max(abs(x1), abs(n1))
            s2 = atol + rtol * max(abs(x2), abs(n2))
            # one division for three: a division takes as long as thirty additions
            e0, e1, e2 = a8 * (s1 * s2), b8 * (s0 * s2), c8 * (s0 * s1)
            unit = 1.0 / (s0 * s1 * s2)
            f0, f1, f2 = rhs(n0, n1, n2, p0, p1, p2, p3)
            # the sum of the derivatives is there for the step to fail when one of them is not a number
            work[ERROR + i] = (e0 * e0 + e1 * e1 + e2 * e2) * (unit * unit) * (1.0 / 3.0) + 0.0 * (f0 + f1 + f2)
            work[MONITOR + i] = monitor(n0, n1, n2, f0, f1, f2)
            work[CROSSED + i] = event(n0, n1, n2, p0, p1, p2, p3)
            work[K + 0 * LANES + i] = a1
            work[K + 3 * LANES + i] = a2
            work[K + 6 * LANES + i] = a3
            work[K + 9 * LANES + i] = a4
            work[K + 12 * LANES + i] = a5
            work[K + 15 * LANES + i] = a6
            work[K + 18 * LANES + i] = a7
            work[K + 21 * LANES + i] = a8
            work[K + 1 * LANES + i] = b1
            work[K + 4 * LANES + i] = b2
            work[K + 7 * LANES + i] = b3
            work[K + 10 * LANES + i] = b4
            work[K + 13 * LANES + i] = b5
            work[K + 16 * LANES + i] = b6
            work[K + 19 * LANES + i] = b7
            work[K + 22 * LANES + i] = b8
            work[K + 2 * LANES + i] = c1
            work[K + 5 * LANES + i] = c2
            work[K + 8 * LANES + i] = c3
            work[K + 11 * LANES + i] = c4
            work[K + 14 * LANES + i] = c5
            work[K + 17 * LANES + i] = c6
            work[K + 20 * LANES + i] = c7
            work[K + 23 * LANES + i] = c8

    @kernel(fastmath=FASTMATH, wide=True)
    def control(work):
        """The factor by which each lane's step changes (as in `rosenbrock`, with rough powers); 0.1 after a NaN."""
        for i in range(LANES):
            error = work[ERROR + i]
            squared = max(error, 1e-20)
            # error is squared, hence 0.1 for 1/5
            gain = rough_power(squared, -0.1)
            change = rough_power(work[OLD + i] / (squared * squared), 0.1)
            accepted = predicted_factor(gain, change, work[STEP + i], work[BEFORE + i])
            work[FACTOR + i] = accepted if error <= 1.0 else refused_factor(error, gain)

    @kernel(fastmath=FASTMATH)
    def dense_coefficients(work, lane, q):
        """The three vectors (3, 3) of a lane's dense output."""
        for m in range(3):
            for c in range(3):
                total = 0.0
                for s in range(STAGES):
                    total += H[m, s] * work[K + (3 * s + c) * LANES + lane]
                q[m, c] = total

    @kernel(fastmath=FASTMATH)
    def inside(work, lane, q, x, y, slope):
        """State and derivative by the dense output at a fraction x of a lane's step."""
        rest = 1.0 - x
        h = work[STEP + lane]
        for c in range(3):
            y0, y1 = work[Y + c * LANES + lane], work[NEW + c * LANES + lane]
            inner = q[0, c] + x * (q[1, c] + x * q[2, c])
            y[c] = rest * y0 + x * (y1 + rest * inner)
            slope[c] = (y1 - y0 + (1.0 - 2.0 * x) * inner + x * rest * (q[1, c] + 2.0 * x * q[2, c])) / h

    @kernel
    def event_inside(x, work, lane, q, y, slope, quiet):
        """The event at a fraction x of a lane's step, `y` the state there."""
        inside(work, lane, q, x, y, slope)
        p0, p1 = work[P + lane], work[P + LANES + lane]
        p2, p3 = work[P + 2 * LANES + lane], work[P + 3 * LANES + lane]
        return event(y[0], y[1], y[2], p0, p1, p2, p3)

    @kernel
    def loudness_inside(x, work, lane, q, y, slope, quiet):
        """The loudness of the dense output's derivative at a fraction x of a lane's step."""
        inside(work, lane, q, x, y, slope)
        return loudness(monitor(y[0], y[1], y[2], slope[0], slope[1], slope[2]), quiet)

    event_fraction = crossing(event_inside)
    quiet_fraction = crossing(loudness_inside)

    @kernel
    def first_step(y0, y1, y2, p0, p1, p2, p3, rtol, t_end):
        """The shortest scale of a state over its derivative."""
        fastest = largest_row(jacobian(y0, y1, y2, p0, p1, p2, p3))
        return min(t_end, 2.0 * rtol ** (1.0 / 6.0) / fastest) if fastest > 0.0 else t_end

    @kernel
    def load(work, lane, point, start, p, t_end, rtol, atol, y, t, step):
        """Put a point that has got to the state y (3, P) at the time t (P,) into a lane."""
        for c in range(3):
            work[Y + c * LANES + lane] = y[c, point]
        for c in range(4):
            work[P + c * LANES + lane] = p[c, point]
        largest = max(abs(start[0, point]), max(abs(start[1, point]), abs(start[2, point])))
        work[RTOL + lane] = rtol[point]
        work[ATOL + lane] = max(atol[point], 1e-16 * min(1.0, largest))
        work[TIME + lane] = t[point]
        work[END + lane] = t_end[point]
        left = t_end[point] - t[point]
        work[STEP + lane] = left if 1.01 * step[point] >= left else step[point]
        work[BEFORE + lane] = 0.0  # there was no step before
        work[OLD + lane] = 1e-4
        f0, f1, f2 = rhs(y[0, point], y[1, point], y[2, point], p[0, point], p[1, point], p[2, point], p[3, point])
        work[SLOPE + lane], work[SLOPE + LANES + lane], work[SLOPE + 2 * LANES + lane] = f0, f1, f2

    @kernel
    def unload(work, lane, point, y, t, step, wanted):
        """Write down how far a point has got."""
        for c in range(3):
            y[c, point] = work[Y + c * LANES + lane]
        t[point] = work[TIME + lane]
        step[point] = wanted

    @kernel
    def follow(
        explicit,
        work,
        start,
        p,
        t_end,
        rtol,
        atol,
        max_steps,
        quiet,
        rest,
        y,
        t,
        step,
        way,
        past,
        patience,
        count,
        above,
        before,
        settled,
        code,
    ):
        """All points that go the explicit, or the implicit, way: to their end, or to where the other way is the better one."""
        points = t_end.size
        mine = EXPLICIT if explicit else IMPLICIT
        point_of = np.empty(LANES, dtype=np.int64)
        for lane in range(LANES):
            point_of[lane] = -1
            work[STEP + lane] = work[BEFORE + lane] = work[RTOL + lane] = work[ATOL + lane] = 1.0
        q, inner, slope = np.empty((3, 3)), np.empty(3), np.empty(3)
        following = active = 0
        while True:
            for lane in range(LANES):
                while point_of[lane] < 0 and following < points:
                    if way[following] == mine:
                        load(work, lane, following, start, p, t_end, rtol, atol, y, t, step)
                        point_of[lane] = following
                        active += 1
                    following += 1
            if active == 0:
                return
            if explicit:
                attempt_explicit(work)
            else:
                advance(work)
                control(work)
            for lane in range(LANES):
                point = point_of[lane]
                if point < 0:
                    continue
                count[point] += 1
                now, h = work[TIME + lane], work[STEP + lane]
                wanted = h * work[FACTOR + lane]
                outcome, changes = -1, False
                if work[ERROR + lane] <= 1.0:
                    watched, after = work[MONITOR + lane], work[CROSSED + lane]
                    stopped = above[point] > 0.0 and after <= 0.0
                    settles = watched <= quiet[point] and not settled[point] >= 0.0
                    if explicit and (stopped or settles):
                        # where in the step is for the method that has a dense output
                        changes, wanted, past[point] = True, 0.25 * h, NEVER
                    else:
                        then = now + h
                        # the last step was cut to end there
                        if work[END + lane] - then <= 4.0 * ROUNDING * work[END + lane]:
                            then = work[END + lane]
                            outcome = DONE
                        if stopped or settles:
                            dense_coefficients(work, lane, q)
                        if settles:
                            loud, low = loudness(before[point], quiet[point]), loudness(watched, quiet[point])
                            x = quiet_fraction(loud, low, 1e-9, work, lane, q, inner, slope, quiet[point])
                            settled[point] = now + h * x
                            if rest:
                                outcome = DONE
                        elif watched > quiet[point]:
                            settled[point] = math.nan
                        for c in range(3):
                            inner[c] = work[NEW + c * LANES + lane]
                            work[SLOPE + c * LANES + lane] = work[NEW_SLOPE + c * LANES + lane]
                        if stopped:
                            x = event_fraction(above[point], after, 4e-15, work, lane, q, inner, slope, quiet[point])
                            inside(work, lane, q, x, inner, slope)
                            then = now + h * x
                            settled[point] = math.nan
                            outcome = EVENT
                        for c in range(3):
                            work[Y + c * LANES + lane] = inner[c]
                        above[point], before[point] = after, watched
                        now = work[TIME + lane] = then
                        work[BEFORE + lane] = h
                        work[OLD + lane] = max(work[ERROR + lane], 1e-4)
                        if explicit:
                            if h * work[FASTEST + lane] > STIFF:
                                changes = patience[point] == 0
                                patience[point] -= 1
                        elif past[point] == SMOOTH and h * work[FASTEST + lane] > 10.0 * SOFT:
                            past[point] = HARD
                        elif past[point] == HARD and wanted * work[FASTEST + lane] < SOFT:
                            changes, wanted = True, LONGER * wanted
                            past[point], patience[point] = SMOOTH, PATIENCE
                elif vanishes(wanted, now):
                    if explicit:
                        changes, wanted, past[point] = True, h, NEVER
                    else:
                        outcome = STEP_TOO_SMALL if math.isfinite(work[ERROR + lane]) else NOT_FINITE
                left = work[END + lane] - now
                work[STEP + lane] = left if 1.01 * wanted >= left else wanted
                if outcome < 0 and count[point] >= max_steps[point]:
                    outcome = MAX_STEPS
                if outcome >= 0:
                    code[point], way[point] = outcome, ENDED
                elif changes:
                    way[point] = IMPLICIT if explicit else EXPLICIT
                if way[point] != mine:
                    unload(work, lane, point, y, t, step, wanted)
                    point_of[lane] = -1
                    active -= 1
                    work[STEP + lane] = 1.0

    @kernel
    def integrate(start, p, t_end, rtol, atol, max_steps, quiet, rest, final, reached, settled, code):
        points = t_end.size
        work = np.zeros(ROWS)
        step, above, before = np.empty(points), np.empty(points), np.empty(points)
        way, past = np.empty(points, dtype=np.int64), np.empty(points, dtype=np.int64)
        count, patience = np.zeros(points, dtype=np.int64), np.zeros(points, dtype=np.int64)
        for i in range(points):
            y0, y1, y2 = start[0, i], start[1, i], start[2, i]
            p0, p1, p2, p3 = p[0, i], p[1, i], p[2, i], p[3, i]
            f0, f1, f2 = rhs(y0, y1, y2, p0, p1, p2, p3)
            before[i], above[i] = monitor(y0, y1, y2, f0, f1, f2), event(y0, y1, y2, p0, p1, p2, p3)
            step[i] = first_step(y0, y1, y2, p0, p1, p2, p3, rtol[i], t_end[i])
            final[0, i], final[1, i], final[2, i], reached[i] = y0, y1, y2, 0.0
            settled[i] = 0.0 if before[i] <= quiet[i] else math.nan
            way[i], past[i] = EXPLICIT, SMOOTH
            if not math.isfinite(before[i] + above[i]):
                way[i], code[i] = ENDED, NOT_FINITE
            elif not t_end[i] > 0.0 or (rest and before[i] <= quiet[i]):
                way[i], code[i] = ENDED, DONE
        moving = True
        while moving:
            moving = False
            for explicit in (True, False):
                follow(
                    explicit,
                    work,
                    start,
                    p,
                    t_end,
                    rtol,
                    atol,
                    max_steps,
                    quiet,
                    rest,
                    final,
                    reached,
                    step,
                    way,
                    past,
                    patience,
                    count,
                    above,
                    before,
                    settled,
                    code,
                )
            for i in range(points):
                moving = moving or way[i] != ENDED

    return integrate
