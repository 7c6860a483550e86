"""The largest detuning that the start state stands: the edge of its basin under (26)-(28), or of (22)-(23) with classes.

Procedure: see `boundary`.
"""

from __future__ import annotations

import math

import numpy as np

from solvers.models.spin_cat.boundary_pinned import MOST_LOCKED
from solvers.models.spin_cat.detunings import class_detunings
from solvers.models.spin_cat.mean_field_equations import integrate_from_start
from solvers.models.spin_cat.reduced_equations import integrate_until_inverted, start_state
from solvers.numerics.compile import entry
from solvers.numerics.outcome import DONE, EVENT, MAX_STEPS

BISECTIONS = 20
RESOLUTION = 1e-5
# a trial is at rest when its largest rate is below this share of delta, and given up at so many 1/h^2
REST, PATIENCE = 1e-7, 1e5
ROUNDING = 1e-14  # share of eta below which a rate is rounding
RTOL, ATOL, BUDGET = 1e-9, 1e-11, 20_000
UNRESOLVED, BEYOND = -1, 2.0
"""Code of a search that met a trial which spent its budget at a detuning so many times the existence edge: no locked state is
there, so that spent budgets say nothing at this point, and no edge is given."""


def dynamic_gaussian(n: float, eta: float, existence: float, classes: int) -> tuple[float, float, int]:
    """Edge, z there and code of the basin of (22)-(23) with equal classes; the search begins at the existence edge."""
    if not 0.0 < eta < MOST_LOCKED * n:
        return 0.0, math.nan, DONE
    standard, weights = class_detunings("gaussian", classes), np.full(classes, n / classes)
    slowness = n / eta
    times, y, out = (
        np.array([min(PATIENCE * slowness * slowness, 1e300)]),
        np.empty(3 * classes),
        np.empty((1, 3 * classes)),
    )

    def outcome(sigma: float) -> int:
        """Of a run from the start state, which ends in y; EVENT where the order is lost."""
        code = int(integrate_from_start(sigma * standard, weights, n, eta, 0.0, times, RTOL, ATOL, BUDGET, y, out))
        return EVENT if code in (DONE, MAX_STEPS) and not y[2 * classes :].mean() < 0.0 else code

    low, high = 0.0, max(1.1 * existence, 0.01)
    width = RESOLUTION * high
    z, worst = math.nan, DONE
    high_unlocks = False
    if outcome(0.0) == EVENT:
        return 0.0, math.nan, DONE
    while high - low > width:
        trial = 0.5 * (low + high) if high_unlocks else high
        end = outcome(trial)
        if end == EVENT:
            high, high_unlocks = trial, True
            continue
        if end != DONE:
            worst = end
            if end == MAX_STEPS and trial > BEYOND * existence:
                return math.nan, math.nan, UNRESOLVED
            if end != MAX_STEPS:
                break
        low, z = trial, float(y[2 * classes :].sum()) / classes
        if not high_unlocks:
            high *= 1.5
    return low, z, worst


@entry
def dynamic_two(n, eta, delta, z, code):
    """The edge of the basin for arrays (P,); all points bisect in step. What collapses or lets z rise to 0 is unlocked. `code` is that of the last trial that neither came to rest nor unlocked."""
    points = n.size
    start = np.empty((3, points))
    p = np.empty((4, points))
    final = np.empty((3, points))
    reached, settled = np.empty(points), np.empty(points)
    outcome = np.empty(points, dtype=np.int64)
    rtol, atol = np.full(points, RTOL), np.full(points, ATOL)
    budget = np.full(points, BUDGET)
    quiet, patience = np.empty(points), np.empty(points)
    low, high = np.zeros(points), np.empty(points)
    for i in range(points):
        high[i], z[i] = delta[i], math.nan
        start[0, i], start[2, i] = start_state(n[i], eta[i])
        start[1, i] = 0.0
        p[0, i], p[1, i], p[2, i] = n[i], 1.0 / n[i], eta[i]
        h = eta[i] / n[i]
        # where there is no locked state there is nothing to run
        patience[i] = PATIENCE / (h * h) if high[i] > 0.0 else 0.0
        code[i] = DONE
    for _ in range(BISECTIONS):
        for i in range(points):
            p[3, i] = 0.5 * (low[i] + high[i])
            quiet[i] = max(REST * p[3, i], ROUNDING * eta[i]) ** 2
        integrate_until_inverted(start, p, patience, rtol, atol, budget, quiet, True, final, reached, settled, outcome)
        for i in range(points):
            if not high[i] > 0.0:
                continue
            if outcome[i] == EVENT or not final[2, i] < 0.0:
                high[i] = p[3, i]
                continue
            low[i] = p[3, i]
            z[i] = final[2, i]
            if outcome[i] != DONE:
                code[i] = outcome[i]
    for i in range(points):
        delta[i] = low[i]
