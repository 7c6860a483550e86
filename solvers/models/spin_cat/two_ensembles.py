"""Two sub-ensembles of spins detuned by +-delta, in mean field: the synchronisation diagram of Fig. 4.

Equations (26)-(28) of the paper, which are right as printed, with Gamma2 = 1, c = cos^2(zeta) and
W = 1 + z + N A^2 (1 - 2/N) c:

    A'/A   = -2 eta z (c - cos(2 zeta)/N) + z (c - 1/N) W - 2 A^2 c
    zeta'  = delta + eta z (1 - 2/N) sin(2 zeta) - (1/2) z W sin(2 zeta)
    z'/A^2 = 8 eta (c - cos(2 zeta)/N) - 4 (c - 1/N) W - 4 (1 + z) c

Start: the spin coherent state with tan(theta/2) = sqrt(2 eta/N), zeta = 0. They are integrated in their polynomial form,
whose fast rate is 4 eta |z|, with implicit steps, which three variables make as cheap as explicit ones, and
explicit steps of high order where it is not stiff: at first and when it unlocks.

Locked means that cos(zeta) stays above zero to the end. The integration ends where the order parameter u = A cos(zeta)
falls below 1e-3 of its start value; A then is negligible beside what it drives, z is frozen, and what is left,
zeta' = delta + K sin(2 zeta) with K = z (eta (1 - 2/N) - (1 + z)/2), is solved in closed form. K > 0 drives any zeta other
than 0 on to pi/2, exponentially: beyond the tongue a point of delta = 0 stays locked, with an amplitude that vanishes.
K < 0 (a few spins at eta below about 1) pulls zeta back: it may come to rest at sin(2 zeta) = -delta/K, locked.
Where it unlocks, `zeta` and `settle_time` are NaN, and `z` and `A` are those where u fell below that share. At eta = 0
there is no amplitude and no phase: not locked.

At rest: max(|A'|, |zeta'|, |z'|) is below 1e-6 and, so that drifting at the detuning is not taken for it, below |delta|/10.

Validity: relative O(1/N) of the full mean field (22)-(23), e.g. 6 % in the critical detuning at N = 100, below 1e-4 at
N = 10^4. Mean field itself neglects correlations of relative order 1/N on which its slow dynamics depends: the limit
eta = N/16 belongs to it, exact dynamics of identical spins collapses near N/8.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from solvers.batch import Batch
from solvers.declarations import Check, Output, Parameter, Starter
from solvers.model import Method, Model
from solvers.models.spin_cat.reduced_equations import integrate_lanes, start_state
from solvers.models.spin_cat.reference import printed_run
from solvers.numerics.compile import entry, kernel
from solvers.numerics.outcome import DONE, EVENT, NOT_FINITE, OUTCOME_TEXT
from solvers.outcome import FAILED, KIND_OF_CODE, OK, WARNED, Kind, Remark, Results
from solvers.shared_parameters import tolerances

REST = 1e-6
"""Largest of |A'|, |zeta'|, |z'| (in Gamma2) of a state that counts as being at rest."""

DRIFT = 0.1
"""Share of |delta| that a rate at rest does not exceed either."""
ROUNDING = 1e-14
"""Share of eta below which a rate is rounding."""

_MOVING = Remark(
    kind=Kind.NOT_AT_REST,
    message=f"locked, but not at rest at t_end: the largest derivative of A, zeta and z is above {REST:g} or above "
    "a tenth of |delta|; raise t_end",
)


@kernel
def time_to_unlock(s, K, delta):
    """When zeta' = delta + K sin(2 zeta), K > 0, delta > 0, has carried zeta from arccot(s) > 0 to pi/2.

    The integral of ds/(delta (1 + s^2) + 2 K s) from 0 to s.
    """
    if delta >= K:
        E = math.sqrt(delta * delta - K * K)
        return (math.atan((delta * s + K) / E) - math.atan(K / E)) / E if E > 0.0 else s / (delta * (1.0 + s))
    D = math.sqrt(K * K - delta * delta)
    return (math.log1p(s * ((K + D) / delta)) - math.log1p(s * (delta / (K + D)))) / (2.0 * D)


@kernel
def turned_back(u, v, K, delta, mean, t):
    """(u, v, log of what they are multiplied by) after t of (u, v)' = ((mean - K, -delta), (delta, mean + K)) (u, v), delta >= 0.

    Zero once u has been that.
    """
    along_u, along_v = -K * u - delta * v, delta * u + K * v
    square = K * K - delta * delta
    root = math.sqrt(abs(square))
    if root * t < 1e-8:
        c, s, growth = 1.0, t, mean * t
    elif square > 0.0:
        c, s = 1.0, math.tanh(root * t) / root
        growth = (mean + root) * t + math.log(0.5 + 0.5 * math.exp(-2.0 * root * t))
    else:
        if root * t >= math.atan2(root * u, -along_u):
            return 0.0, 0.0, 0.0
        c, s, growth = math.cos(root * t), math.sin(root * t) / root, mean * t
    return max(0.0, c * u + s * along_u), c * v + s * along_v, growth


@kernel
def slope_of_z(u, v, w, n, eta):
    """z' at small u and v."""
    return ((1.0 - 1.0 / n) * (8.0 * eta - 4.0 * w) - 4.0 * w) * u * u + (8.0 * eta + 4.0 * w) / n * v * v


@kernel
def pulled_back(u, v, z, n, eta, decay, delta, left):
    """`without_order` where K <= 0, which pulls zeta to sin(2 zeta) = -delta/K if that exists and zeta is not beyond it."""
    pull = abs(delta)
    v = -abs(v) if v * delta < 0.0 else abs(v)  # zeta has the sign of delta, but for rounding
    before, duration, panels, w, mean = z, min(left, 20.0 / decay), 200, 1.0 + z, 0.0
    for _ in range(2):  # the second time with the z that it comes to
        w = 1.0 + z
        K = z * (eta * (1.0 - 2.0 / n) - 0.5 * w)
        mean = 0.5 * z * ((1.0 - 2.0 / n) * w - 2.0 * eta)
        change = 0.0
        for k in range(panels + 1):  # Simpson
            x, y, growth = turned_back(u, v, K, pull, mean, duration * k / panels)
            share = 1.0 if k in (0, panels) else (4.0 if k % 2 else 2.0)
            change += share * math.exp(2.0 * growth) * slope_of_z(x, y, w, n, eta)
        z = before + change * duration / (3.0 * panels)
    end_u, end_v, growth = turned_back(u, v, K, pull, mean, left)
    if not end_u > 0.0:
        return 0.0, math.nan, before, math.hypot(u, v), math.nan
    amplitude, locked_at = math.hypot(end_u, end_v) * math.exp(growth), math.copysign(math.atan2(end_v, end_u), delta)
    quiet = max(min(REST, DRIFT * pull) if pull > 0.0 else REST, min(REST, ROUNDING * eta))
    low, high = 0.0, left
    for k in range(100):
        t = left if k == 0 else 0.5 * (low + high)
        x, y, growth = turned_back(u, v, K, pull, mean, t)
        size = math.exp(growth)
        moving = abs(pull + K * math.sin(2.0 * math.atan2(y, x))) > quiet
        moving |= size * math.hypot(x, y) * (2.0 * abs(mean) + abs(K)) > quiet
        moving |= size * size * abs(slope_of_z(x, y, w, n, eta)) > quiet
        if moving and k == 0:
            return 1.0, locked_at, z, amplitude, math.nan
        if moving:
            low = t
        else:
            high = t
    return 1.0, locked_at, z, amplitude, high


@kernel
def without_order(u, v, z, n, eta, delta, left):
    """(locked, zeta, z, A, when it comes to rest from now on or NaN) after a time `left` from a state of small u."""
    amplitude = math.hypot(u, v)
    w = 1.0 + z
    K = z * (eta * (1.0 - 2.0 / n) - 0.5 * w)
    decay = -z * (1.0 - 1.0 / n) * (w - 2.0 * eta)
    if not (decay > 0.0 and u > 0.0):
        return 0.0, math.nan, z, amplitude, math.nan
    if K <= 0.0:
        return pulled_back(u, v, z, n, eta, decay, delta, left)
    slope = slope_of_z(u, 0.0, w, n, eta)  # it decays at twice the rate
    fallen = math.exp(-decay * left)
    end = z + slope * (1.0 - fallen * fallen) / (2.0 * decay)
    if delta == 0.0:
        rest = math.log(max(1.0, max(decay * u / REST, math.sqrt(abs(slope) / REST)))) / decay
        return 1.0, 0.0, end, u * fallen, rest if rest <= left else math.nan
    s = u / abs(v) if v != 0.0 else math.inf
    whole = time_to_unlock(s, K, abs(delta)) if s < math.inf else math.inf
    if whole <= left:
        return 0.0, math.nan, z, amplitude, math.nan
    low, high = 0.0, s
    for _ in range(200):
        middle = 0.5 * (low + high)
        if whole - time_to_unlock(middle, K, abs(delta)) > left:
            low = middle
        else:
            high = middle
    zeta = math.atan2(1.0, 0.5 * (low + high))
    return 1.0, math.copysign(zeta, delta), end, amplitude * fallen, math.nan


@kernel
def longest_first(n, eta, delta):
    """The order of points (P,) in which the lanes end about together: those that unlock take thrice as many steps.

    They are those beyond the fold of many spins, delta^2 = 4 h u^2 (u (1 - u) - 4 h) with h = eta/N and
    u = (3 + sqrt(9 - 128 h))/8, and some below it: nine tenths of it is where the line is drawn.
    """
    points = n.size
    order = np.empty(points, dtype=np.int64)
    first, last = 0, points
    for i in range(points):
        h = eta[i] / n[i]
        u = (3.0 + math.sqrt(max(0.0, 9.0 - 128.0 * h))) / 8.0
        if delta[i] * delta[i] > 0.81 * 4.0 * h * u * u * (u * (1.0 - u) - 4.0 * h):
            order[first] = i
            first += 1
        else:
            last -= 1
            order[last] = i
    return order


@entry
def integrate_points(n, eta, delta, t_end, rtol, atol, max_steps, zeta, z, amplitude, locked, settle_time, code):
    """All points of a batch; every argument is an array (P,)."""
    points = n.size
    order = longest_first(n, eta, delta)
    start, p, final = np.empty((3, points)), np.empty((4, points)), np.empty((3, points))
    ends, relative, absolute, quiet = np.empty(points), np.empty(points), np.empty(points), np.empty(points)
    reached, settled = np.empty(points), np.empty(points)
    steps, outcome = np.empty(points, dtype=np.int64), np.empty(points, dtype=np.int64)
    for k in range(points):
        i = order[k]
        rate = min(REST, DRIFT * abs(delta[i])) if delta[i] != 0.0 else REST
        quiet[k] = max(rate, min(REST, ROUNDING * eta[i])) ** 2
        start[0, k], start[2, k] = start_state(n[i], eta[i])
        start[1, k] = 0.0
        p[0, k], p[1, k], p[2, k], p[3, k] = n[i], 1.0 / n[i], eta[i], delta[i]
        ends[k], relative[k], absolute[k], steps[k] = t_end[i], rtol[i], atol[i], max_steps[i]
    integrate_lanes(start, p, ends, relative, absolute, steps, quiet, False, final, reached, settled, outcome)
    for k in range(points):
        i = order[k]
        settle_time[i], code[i] = settled[k], outcome[k]
        if eta[i] == 0.0:
            zeta[i], z[i], amplitude[i], locked[i], settle_time[i] = math.nan, -1.0, 0.0, 0.0, math.nan
            code[i] = EVENT
            continue
        z[i] = final[2, k]
        amplitude[i] = math.hypot(final[0, k], final[1, k])
        if code[i] == DONE:
            zeta[i] = math.atan2(final[1, k], final[0, k])
            locked[i] = 1.0
        elif code[i] == EVENT:
            state = final[0, k], final[1, k], final[2, k], n[i], eta[i], delta[i]
            left = t_end[i] - reached[k]
            locked[i], zeta[i], z[i], amplitude[i], rest = without_order(*state, left)
            settle_time[i] = reached[k] + rest
            if locked[i] == 1.0:
                code[i] = DONE
        if not math.isfinite(z[i] + amplitude[i]):
            code[i] = NOT_FINITE


def run(batch: Batch) -> Results:
    """Integrate every point; failed are those whose step budget was spent or that stopped being finite."""
    found = {name: np.empty(batch.size) for name in ("zeta", "z", "A", "locked", "settle_time")}
    code = np.empty(batch.size, dtype=np.int64)
    integrate_points(
        batch["N"].astype(np.float64),
        batch["eta"],
        batch["delta"],
        batch["t_end"],
        batch["rtol"],
        batch["atol"],
        batch["max_steps"],
        *found.values(),
        code,
    )
    moving = (code == DONE) & np.isnan(found["settle_time"])
    failed = (code != DONE) & (code != EVENT)
    status = np.where(failed, FAILED, np.where(moving, WARNED, OK))
    remarks = dict.fromkeys(np.flatnonzero(moving).tolist(), _MOVING)
    for i in np.flatnonzero(failed).tolist():
        remarks[i] = Remark(kind=KIND_OF_CODE[int(code[i])], message=OUTCOME_TEXT[int(code[i])])
    return Results({o.name: found[o.name] for o in batch.wanted}, status, remarks)


def reference(parameters: Mapping[str, Any]) -> dict[str, float]:
    """(26)-(28) as printed with SciPy's Radau."""
    n, eta, delta = float(parameters["N"]), parameters["eta"], parameters["delta"]
    if eta == 0.0:
        return {}
    solution = printed_run(n, eta, delta, parameters["t_end"], method="Radau", rtol=1e-10, atol=1e-12)
    a, zeta, z = solution.y[:, -1]
    if solution.status == 1:
        return {"locked": 0.0, "zeta": math.nan}
    return {"locked": 1.0, "zeta": zeta, "z": z, "A": a}


def random_parameters(rng: np.random.Generator) -> dict[str, Any]:
    """Points away from the edge of the tongue, where a rounding decides."""
    n = int(10 ** rng.uniform(2.5, 5))
    h = rng.uniform(0.008, 0.045)
    fold = math.sqrt(27 * h / 64)
    delta = fold * (rng.uniform(0, 0.6) if rng.random() < 0.7 else rng.uniform(1.15, 1.5))
    return {"N": n, "eta": h * n, "delta": delta, "t_end": rng.uniform(20, 2000)}


def _rest_identity(parameters: Mapping[str, Any], outputs: Mapping[str, Any]) -> float | None:
    """A^2 + z (1 + z)/2, zero at rest with an amplitude."""
    if not math.isfinite(float(outputs["settle_time"])) or outputs["A"] < 1e-3 * parameters["eta"] / parameters["N"]:
        return None
    return float(outputs["A"] ** 2 + outputs["z"] * (1 + outputs["z"]) / 2)


_SOURCE = "Mok, Kwek and Touzard, Eqs. (26)-(28), Fig. 4"

MODELS = (
    Model(
        id="spin_cat.two_ensembles",
        title="Two detuned sub-ensembles of spins, mean field",
        source=_SOURCE,
        methods=(
            Method(
                name="mean_field",
                meaning="integrate Eqs. (26)-(28)",
                source=_SOURCE,
                batch=run,
                reference=reference,
            ),
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
                name="delta",
                meaning="detuning of the halves, +delta and -delta",
                default=0.0,
                unit="Gamma2",
                symbol=r"\delta",
            ),
            Parameter(
                name="t_end",
                meaning="how long to integrate",
                default=2000.0,
                unit="1/Gamma2",
                symbol=r"t_\mathrm{end}",
                bounds=(0.0, math.inf),
                physical=False,
            ),
            *tolerances(),
        ),
        outputs=(
            Output(name="zeta", meaning="phase spread", symbol=r"\zeta", unit="rad", nan="not locked"),
            Output(name="z", meaning="inversion of a spin; when not locked, at the moment of unlocking", symbol="z"),
            Output(
                name="A",
                meaning="amplitude |<sigma+>| of a spin; likewise",
                label="amplitude",
                symbol="A",
                bounds=(0.0, math.inf),
            ),
            Output(
                name="locked",
                meaning="1 when cos zeta > 0 all the way to t_end, else 0",
                bounds=(0.0, 1.0),
                codes=("not locked", "locked"),
                label="locking",
            ),
            Output(
                name="settle_time",
                label="settling time",
                meaning=f"last time at which max(|A'|, |zeta'|, |z'|) fell below {REST:g}",
                nan="not at rest at the end",
                # 1e-6 is a few hundred tolerances of the state, over the rate of the decay, about .05
                sensitivity=1e3,
                unit="1/Gamma2",
                symbol=r"t_\mathrm{settle}",
                bounds=(0.0, math.inf),
            ),
        ),
        example={"N": 10_000, "eta": 312.5, "delta": 0.05, "t_end": 2000.0},
        starter=Starter(axes={"eta": {"linspace": [25.0, 650.0, 26]}, "delta": {"linspace": [0.0, 0.08, 17]}}),
        checks=(
            Check(
                parameters={"N": 1000, "eta": 31.25, "delta": 0.05, "t_end": 30.0},
                expect={"zeta": 0.76123, "z": -0.65386},
                atol=1e-5,
                origin="(26)-(28) at t = 30 by SciPy; physics notes, section 5.2",
            ),
            Check(
                parameters={"N": 100, "eta": 3.0, "delta": 0.02, "t_end": 30.0},
                expect={"zeta": 0.4455},
                atol=5e-5,
                origin="(26)-(28) at t = 30 by SciPy; physics notes, section 5.2",
            ),
            Check(
                parameters={"N": 10_000_000, "eta": 1e7 / 32, "delta": 1e-4, "t_end": 2e4},
                expect={"zeta": 1e-4 * 32 * (1 + math.sqrt(0.5)), "z": -0.5 * (1 + math.sqrt(0.5))},
                atol=1e-5,
                origin="(29): zeta = delta (1 + sqrt(1 - 16 h))/(32 h^2) at h = eta/N = 1/32, z by section 5.1",
            ),
            Check(
                parameters={"eta": 312.5, "delta": 0.08},
                expect={"locked": 0.0, "zeta": math.nan, "settle_time": math.nan},
                origin="beyond the fold at delta = .0736 no locked state exists",
            ),
        ),
        reference_tolerance=(1e-6, 1e-6),
        random_parameters=random_parameters,
        conserved={"A^2 + z (1 + z)/2 at rest": (_rest_identity, 1e-5)},
        unit_of_time="1/Gamma2",
    ),
)
