"""The largest detuning at which the ensemble stays synchronised (the edge of Fig. 4), for given N and eta.

With h = eta/N, Gamma2 = 1 and u = 1 + z:

* `closed_form`, two sub-ensembles, N to infinity: the locked states are delta^2 = 4 h u^3 (1 - u) - 16 h^2 u^2; their
  largest delta is the fold at u = (3 + sqrt(9 - 128 h))/8. It peaks with 2/27 at h = 1/36 and ends at h = 1/16. It is
  not an ellipse. (Derived in the physics notes, section 5.3; not in the paper.)
* `existence`, two: the same fold of (26)-(28) at finite N. At rest A^2 = -z (1 + z)/2 exactly, cos^2(zeta) is the
  positive root of a quadratic, and delta follows from zeta' = 0; the maximum over u is found by golden section.
* `existence`, gaussian (delta is the standard deviation), N to infinity: every spin obeys
  u (4 g^2 u^2 + delta_m^2) = 2 g X^2 (1 - u), g = 2 h, with the common X fixed by -X = <u^2> (section 5.4). The average is
  taken over the normal distribution itself. N does not enter.
* `dynamic`, gaussian: the same for (22)-(23) with `classes` equal classes at the quantiles, whose finite number lowers
  the edge a little (60 classes: by 1 %); unlocked is what lets |c_1| fall below half its start.
* `dynamic`, two: the edge of the basin of the spin coherent state with zeta = 0 under (26)-(28), by bisection to 1e-6 of
  the existence boundary; every trial runs until it is at rest or unlocked, however long that takes.

`dynamic` is below `existence` where the locked state loses its stability by a Hopf bifurcation before the fold (two
sub-ensembles: up to h of .04 to .05), and where the start lies outside the basin of what is left.

Beyond the end of the tongue (eta/N above about 1/16) there is no locked state at any detuning: `delta_critical` is 0 and
`z_critical` is NaN. The same holds at eta = 0.

Validity: as for `spin_cat.two_ensembles`. At eta below about 1 (whatever N) the fixed points of (26)-(28) owe their
existence to the 1/N terms of a factorised closure; nothing synchronises to them, and `existence` says more than is so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.batch import Batch
from solvers.declarations import Check, Limit, Output, Parameter
from solvers.model import Method, Model
from solvers.models.spin_cat.detunings import class_detunings
from solvers.models.spin_cat.mean_field_equations import integrate_from_start
from solvers.models.spin_cat.reduced_equations import integrate_lanes, start_state
from solvers.numerics.compile import FASTMATH, entry, kernel
from solvers.numerics.golden_section import golden_section
from solvers.numerics.outcome import DONE, EVENT, MAX_STEPS, OUTCOME_TEXT
from solvers.outcome import FAILED, OK, WARNED, Remark, Results

BISECTIONS = 20
RESOLUTION = 1e-5
# a trial is at rest when its largest rate is below this share of delta, and given up at so many 1/h^2
REST, PATIENCE = 1e-7, 1e5
ROUNDING = 1e-14  # share of eta below which a rate is rounding
RTOL, ATOL, BUDGET = 1e-9, 1e-11, 20_000


def closed_form(eta: NDArray[Any], n: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The fold for N to infinity: delta and z."""
    h = eta / n
    with np.errstate(invalid="ignore"):
        u = (3.0 + np.sqrt(9.0 - 128.0 * h)) / 8.0
        square = 4.0 * h * u * u * (u * (1.0 - u) - 4.0 * h)
        exists = (h > 0.0) & (square > 0.0)
        return np.where(exists, np.sqrt(square), 0.0), np.where(exists, u - 1.0, np.nan)


@kernel(fastmath=FASTMATH)
def detuning_squared(u, p):
    """delta^2 at which (26)-(28) have a fixed point with z = u - 1; negative where cos^2(zeta) would be above 1."""
    n, eta = p
    z = u - 1.0
    square = -0.5 * z * u
    k = 1.0 - 2.0 / n
    a = n * k * square
    b = 2.0 * eta * k - 2.0 * u + k * square
    d = (2.0 * eta + u) / n
    root = math.sqrt(b * b + 4.0 * a * d)
    # the positive root of a c^2 - b c - d = 0, without cancellation for either sign of b
    c = 2.0 * d / (root - b) if b < 0.0 else (b + root) / (2.0 * a)
    # W - 2 eta (1 - 2/N), by the quadratic written as a c = b + d/c: no difference of large numbers
    pull = z * (d / c + k * square - u)
    return c * (1.0 - c) * pull * pull


maximise_detuning = golden_section(detuning_squared)


@entry
def existence_two(n, eta, delta, z):
    """The fold of (26)-(28) for arrays (P,)."""
    for i in range(n.size):
        best, u = 0.0, math.nan
        if eta[i] > 0.0:
            u, best = maximise_detuning((n[i], eta[i]), 1e-9, 1.0 - 1e-9)
        delta[i] = math.sqrt(best) if best > 0.0 else 0.0
        z[i] = u - 1.0 if best > 0.0 else math.nan


# An average over the normal distribution of even functions that are narrow or wide: the trapezoidal rule in the variable
# asinh(1000 xi), whose error is below 1e-12 for widths above 1e-3 (compared with twice as many nodes).
_SPACING = 0.125
_NODES = 1e-3 * np.sinh(_SPACING * np.arange(79))
_WEIGHTS = np.exp(-0.5 * _NODES**2) * np.sqrt(1e-6 + _NODES**2) * np.where(_NODES == 0.0, 0.5, 1.0)
_WEIGHTS /= _WEIGHTS.sum()
# below this <u^2> the boundary of any N that is not astronomic lies in the 1/N terms left out
_SMALLEST_X = 1e-3


@kernel(fastmath=FASTMATH)
def single_spin(g, x, square):
    """u of one spin at rest: the root in (0, 1) of u (4 g^2 u^2 + delta_m^2) = 2 g X^2 (1 - u), by Newton from above."""
    cubic, linear, right = 4.0 * g * g, square + 2.0 * g * x * x, 2.0 * g * x * x
    u = min(1.0, right / linear)  # without the cubic term: not below the root, and convex from there
    for _ in range(60):
        step = (u * (cubic * u * u + linear) - right) / (3.0 * cubic * u * u + linear)
        u -= step
        if abs(step) <= 1e-15 * u:
            break
    return u


@kernel(fastmath=FASTMATH)
def mean_square(g, x, sigma):
    """<u^2> over normal detunings, and its derivative by sigma^2."""
    total = 0.0
    slope = 0.0
    for k in range(_NODES.size):
        t = _NODES[k] * _NODES[k]
        u = single_spin(g, x, sigma * sigma * t)
        total += _WEIGHTS[k] * u * u
        d_u = -t * u / (12.0 * g * g * u * u + sigma * sigma * t + 2.0 * g * x * x)
        slope += _WEIGHTS[k] * 2.0 * u * d_u
    return total, slope


@kernel(fastmath=FASTMATH)
def variance_at(x, g):
    """sigma^2 at which -X = x solves the self-consistency, negative where even sigma = 0 leaves <u^2> below x."""
    start, slope = mean_square(g, x, 0.0)
    if start <= x:
        return start - x
    low, high = 0.0, math.inf
    square = (start - x) / -slope
    for _ in range(100):
        mean, slope = mean_square(g, x, math.sqrt(square))
        if mean > x:
            low = square
        else:
            high = square
        change = (mean - x) / -slope
        following = square + change
        if not low < following < high:
            following = 0.5 * (low + high) if high < math.inf else 4.0 * square
        if abs(following - square) <= 1e-14 * square:
            return following
        square = following
    return square


maximise_variance = golden_section(variance_at)


@entry
def existence_gaussian(n, eta, delta, z):
    """The largest standard deviation with a locked state, N to infinity, for arrays (P,)."""
    for i in range(n.size):
        g = 2.0 * eta[i] / n[i]
        delta[i], z[i] = 0.0, math.nan
        if g > 0.0 and g < 0.125:
            x, best = maximise_variance(g, _SMALLEST_X, 1.0 - 1e-9)
            if best > 0.0:
                delta[i] = math.sqrt(best)
                mean = 0.0
                for k in range(_NODES.size):
                    mean += _WEIGHTS[k] * single_spin(g, x, best * _NODES[k] * _NODES[k])
                z[i] = mean - 1.0


def dynamic_gaussian(n: float, eta: float, existence: float, classes: int) -> tuple[float, float, int]:
    """Edge, z there and code of the basin of (22)-(23) with equal classes; the search begins at the existence edge."""
    if not eta > 0.0:
        return 0.0, math.nan, DONE
    standard, weights = class_detunings("gaussian", classes), np.full(classes, n / classes)
    times, y, out = np.array([PATIENCE * (n / eta) ** 2]), np.empty(3 * classes), np.empty((1, 3 * classes))

    def outcome(sigma: float) -> int:
        """Of a run from the start state, which ends in y."""
        return int(integrate_from_start(sigma * standard, weights, n, eta, 0.0, times, RTOL, ATOL, BUDGET, y, out))

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
            if end != MAX_STEPS:
                break
        low, z = trial, float(y[2 * classes :].sum()) / classes
        if not high_unlocks:
            high *= 1.5
    return low, z, worst


@entry
def dynamic_two(n, eta, delta, z, code):
    """The edge of the basin for arrays (P,); all points bisect in step. `code` is that of the last trial that neither came to rest nor unlocked."""
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
        integrate_lanes(start, p, patience, rtol, atol, budget, quiet, True, final, reached, settled, outcome)
        for i in range(points):
            if not high[i] > 0.0:
                continue
            if outcome[i] == EVENT:
                high[i] = p[3, i]
                continue
            low[i] = p[3, i]
            z[i] = final[2, i]
            if outcome[i] != DONE:
                code[i] = outcome[i]
    for i in range(points):
        delta[i] = low[i]


_RESTLESS = Remark(
    kind="NotAtRest",
    message=f"a trial neither came to rest nor unlocked within {BUDGET} steps and was counted as locked",
)


def run(batch: Batch) -> Results:
    """The boundary of every point by the batch's method."""
    n, eta = batch["N"].astype(np.float64), batch["eta"]
    two = batch["distribution"] == "two"
    delta, z = np.zeros(batch.size), np.full(batch.size, np.nan)
    status = np.full(batch.size, OK)
    remarks: dict[int, Remark] = {}
    if batch.method == "closed_form":
        delta, z = closed_form(eta, n)
    else:
        for distribution, chosen in (("two", two), ("gaussian", ~two)):
            index = np.flatnonzero(chosen)
            if not len(index):
                continue
            part = n[index], eta[index], np.zeros(len(index)), np.full(len(index), np.nan)
            code = np.full(len(index), DONE)
            (existence_two if distribution == "two" else existence_gaussian)(*part)
            if batch.method == "dynamic" and distribution == "two":
                dynamic_two(*part, code)
            elif batch.method == "dynamic":
                for k, i in enumerate(index.tolist()):
                    part[2][k], part[3][k], code[k] = dynamic_gaussian(
                        float(n[i]), float(eta[i]), float(part[2][k]), int(batch["classes"][i])
                    )
            delta[index], z[index] = part[2], part[3]
            for i, c in zip(index[code != DONE].tolist(), code[code != DONE].tolist(), strict=True):
                status[i] = WARNED if c == MAX_STEPS else FAILED
                remarks[i] = _RESTLESS if c == MAX_STEPS else Remark(kind="Integration", message=OUTCOME_TEXT[c])
    outputs = batch.empty()
    for name, values in (("delta_critical", delta), ("z_critical", z)):
        if name in outputs:
            outputs[name] = values
    return Results(outputs, status, remarks)


def reference(method: str, parameters: Mapping[str, Any]) -> dict[str, float]:
    """Slow ways: a scan over u; a scan over X with root finding and Gauss-Hermite; bisection with SciPy's LSODA.

    None for the dynamic edge of Gaussian classes, which a check and a comparison with integrated points stand for.
    """
    from scipy.optimize import brentq, minimize_scalar

    n, eta = float(parameters["N"]), parameters["eta"]
    h = eta / n

    def two_large(u: float) -> float:
        return 4 * h * u**3 * (1 - u) - 16 * h * h * u * u

    def fixed_point(u: float) -> float:
        """delta^2 of the fixed point of (26)-(28) with z = u - 1, by a root of A' = 0 in c."""
        z, square = u - 1, u * (1 - u) / 2

        def rate(c: float) -> float:
            w = u + n * square * (1 - 2 / n) * c
            return -2 * eta * z * (c - (2 * c - 1) / n) + z * (c - 1 / n) * w - 2 * square * c

        if rate(1e-12) * rate(1.0) > 0:
            return -1.0
        c = float(brentq(rate, 1e-12, 1.0, xtol=1e-15))
        w = u + n * square * (1 - 2 / n) * c
        sine = 2 * math.sqrt(c * (1 - c))
        return float((eta * z * (1 - 2 / n) * sine - 0.5 * z * w * sine) ** 2)

    def gaussian(x: float) -> float:
        """Minus sigma for which <u^2> = x."""
        nodes, weights = np.polynomial.hermite_e.hermegauss(120)
        weights = weights / weights.sum()
        g = 2 * h

        def mean(sigma: float) -> float:
            u = [
                brentq(lambda u, d=d: u * (4 * g * g * u * u + (sigma * d) ** 2) - 2 * g * x * x * (1 - u), 0, 1)
                for d in nodes
            ]
            return float(weights @ np.square(u)) - x

        return -float(brentq(mean, 0.0, 1.0)) if mean(0.0) > 0 else 1.0

    if method == "existence" and parameters["distribution"] == "gaussian":
        best = minimize_scalar(gaussian, bounds=(0.05, 0.8), method="bounded", options={"xatol": 1e-6})
        return {"delta_critical": -best.fun}
    if method in ("closed_form", "existence"):
        curve = two_large if method == "closed_form" else fixed_point
        grid = np.linspace(1e-4, 1 - 1e-4, 4001)
        top = grid[np.argmax([curve(u) for u in grid])]
        best = minimize_scalar(lambda u: -curve(u), bounds=(top - 5e-4, top + 5e-4), method="bounded")
        return {"delta_critical": math.sqrt(max(0.0, -best.fun))}
    if parameters["distribution"] == "gaussian":
        return {}
    return {"delta_critical": _bisect_by_scipy(n, eta)}


def _bisect_by_scipy(n: float, eta: float) -> float:
    """Bisection of (26)-(28) as printed."""
    from scipy.integrate import solve_ivp

    h = eta / n
    start = [math.sqrt(2 * h) / (1 + 2 * h), 0.0, -(1 - 2 * h) / (1 + 2 * h)]

    def unlocks(t, y):
        return math.cos(y[1])

    unlocks.terminal = True  # type: ignore[attr-defined]

    def locked(delta):
        def printed(t, y):
            a, zeta, z = y
            c = math.cos(zeta) ** 2
            w = 1 + z + n * a * a * (1 - 2 / n) * c
            pair = c - math.cos(2 * zeta) / n
            return (
                a * (-2 * eta * z * pair + z * (c - 1 / n) * w - 2 * a * a * c),
                delta + eta * z * (1 - 2 / n) * math.sin(2 * zeta) - 0.5 * z * w * math.sin(2 * zeta),
                a * a * (8 * eta * pair - 4 * (c - 1 / n) * w - 4 * (1 + z) * c),
            )

        end = min(20 / h**2, 1500.0)
        return solve_ivp(printed, (0, end), start, "LSODA", rtol=1e-9, atol=1e-11, events=unlocks).status == 0

    low, high = 0.0, 0.08
    while high - low > 4e-6:
        middle = 0.5 * (low + high)
        low, high = (middle, high) if locked(middle) else (low, middle)
    return low


def random_parameters(rng: np.random.Generator) -> dict[str, Any]:
    """Points well inside the tongue."""
    n = int(10 ** rng.uniform(2.5, 5))
    distribution = "two" if rng.random() < 0.7 else "gaussian"
    return {"N": n, "eta": rng.uniform(0.01, 0.045) * n, "distribution": distribution}


_TWO = Limit(text="distribution = two", holds=lambda p: np.asarray(p["distribution"]) == "two")

MODELS = (
    Model(
        id="spin_cat.boundary",
        title="Largest detuning at which the ensemble stays synchronised",
        source="Mok, Kwek and Touzard, Eqs. (26)-(28), Fig. 4",
        methods=(
            Method(name="existence", meaning="the largest detuning with a locked state", source="Eqs. (26)-(28)"),
            Method(
                name="dynamic",
                meaning="the largest detuning that the spin coherent state with zeta = 0 stands",
                source="Eqs. (26)-(28), Fig. 4",
            ),
            Method(name="closed_form", meaning="existence for N to infinity", source="derived", limit=_TWO),
        ),
        parameters=(
            Parameter(
                name="N", meaning="number of spins", default=10_000, kind="integer", bounds=(2, 1e10), symbol="N"
            ),
            Parameter(
                name="eta",
                meaning="squeezing",
                default=312.5,
                unit="Gamma2",
                symbol=r"\eta",
                bounds=(0.0, math.inf),
            ),
            Parameter(
                name="distribution",
                meaning="of the detunings: two halves with +-delta, or normal with standard deviation delta",
                default="two",
                kind="choice",
                choices=("two", "gaussian"),
            ),
            Parameter(
                name="classes",
                meaning="number of equal classes that stand for a normal distribution (dynamic)",
                default=60,
                kind="integer",
                bounds=(1, 1e6),
            ),
        ),
        outputs=(
            Output(
                name="delta_critical",
                meaning="largest detuning that is still locked, 0 if none is",
                unit="Gamma2",
                symbol=r"\delta_c",
                bounds=(0.0, math.inf),
            ),
            Output(
                name="z_critical",
                meaning="mean inversion of the locked state there",
                nan="no locked state",
                symbol="z_c",
                bounds=(-1.0, 0.0),
            ),
        ),
        run=run,
        example={"N": 10_000, "eta": 312.5, "distribution": "two"},
        checks=(
            Check(
                method="closed_form",
                parameters={"N": 3600, "eta": 100.0},
                expect={"delta_critical": 2 / 27, "z_critical": -1 / 3},
                rtol=1e-12,
                origin="the maximum of the closed form, by hand",
            ),
            Check(
                method="closed_form",
                parameters={"N": 1600, "eta": 100.1},
                expect={"delta_critical": 0.0, "z_critical": math.nan},
                origin="beyond eta = N/16 the square root of section 5.3 is imaginary",
            ),
            Check(
                method="existence",
                parameters={"N": 1_000_000_000, "eta": 1e9 / 36},
                expect={"delta_critical": 2 / 27, "z_critical": -1 / 3},
                atol=1e-6,
                origin="N to infinity: the closed form",
            ),
            Check(
                method="existence",
                parameters={"N": 10_000, "eta": 5.0},
                expect={"delta_critical": 0.01296},
                atol=1e-5,
                origin="fold of (26)-(28) at eta = 5; physics notes, table of scaling with N",
            ),
            Check(
                method="dynamic",
                parameters={"N": 100, "eta": 3.125},
                expect={"delta_critical": 0.0641},
                atol=1e-4,
                origin="bisection of (26)-(28) by SciPy; physics notes, scaling with N",
            ),
            Check(
                method="dynamic",
                parameters={"eta": 312.5, "distribution": "gaussian"},
                expect={"delta_critical": 0.0826},
                atol=2e-4,
                origin="large-N equations with 60 classes, bisection; physics notes, figures",
            ),
            Check(
                method="existence",
                parameters={"eta": 200.0, "distribution": "gaussian"},
                expect={"delta_critical": 0.0886},
                atol=5e-4,
                origin="self-consistency over 400 quantile classes; physics notes, last table",
            ),
        ),
        reference=reference,
        reference_tolerance=(1e-4, 1e-5),
        random_parameters=random_parameters,
    ),
)
