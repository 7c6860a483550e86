"""Mean field of N detuned spins, Eqs. (22)-(23): ten thousand spins, or classes of equal detuning.

With sums over the other spins j, n = (1 + z)/2 and <sigma^+> = exp(i (phi/2 + pi/4)) sigma, for closure `paper` (Gamma2 = 1):

    sigma' = i delta sigma - 2 eta z T*/N - 2 sigma D + z B
    z'     = 8 eta Re(sigma T)/N - 4 (1 + z) D - 4 Re(sigma B*)
    D = (sum n + |T|^2)/N^2,   B = (2 T sum n + T |T|^2)/N^2,   T = sum sigma

Each spin sees the sums over all others, so a right-hand side costs O(N); the
fast rate 4 eta |z| (about 1000 at N = 10^4, eta = N/32) against slow rates of .02 makes them stiff; the Jacobian is
3 x 3 blocks plus rank 3 (closure `paper`) or 7 (`exact`), so an implicit step is O(N) too. Spins of equal detuning stay
equal and are integrated once, which is exact; the order of the spins does not matter, to the last bit.

Closures: `paper` is (22)-(23) as printed (with the index m on c_2 that (23) lacks), which the paper's figures used: it
double-counts coincident indices. `exact` treats them all as a product state requires and equals the derivative of the exact
master equation. Both have the same large-N limit; at eta proportional to N the difference shifts N A^2 by O(1).

Start: every spin in the coherent state tan(theta/2) = sqrt(2 eta/N), <sigma^+> of phase pi/4 + phi/2.

Detunings: `detunings` (N,) where given; else drawn (`classes` = 0) or set at quantiles (`classes` > 0) of

* gaussian: standard deviation delta; classes at the quantiles (k + 1/2)/classes, rescaled to standard deviation delta;
* two: the first half has +delta, the others -delta (of an odd number the one in the middle has -delta); never drawn;
* lorentzian: half width at half maximum delta;
* uniform: between -delta and delta.

Spin number i of (`seed`, `realisation`) is the same standard deviate at every N, eta and delta.

Drawn Lorentzian detunings reach some N times their width. Spins further out than `follow_beyond` follow their field instead
of precessing about it: ten thousand to t = 100 take seconds and not minutes. Steady states stay exact;
until then, at eta = N/32, delta = 0.02 and the default 3, c_1 was found off by at most 5e-4 (300 spins) and 2e-4 (1000), z
by 4e-3 and 1e-3, the phase spread by .02 and .009. `follow_beyond` = 0 integrates every spin as it is.

After a collapse (|c_1| below half its start) the run stops: what follows is stiff, slow and without order.

Validity: correlations of relative order 1/N are neglected although the slow dynamics is of that order; parity is not seen.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.batch import Batch, Point
from solvers.declarations import TIME, Check, Output, Parameter, Starter
from solvers.model import Method, Model
from solvers.models.spin_cat.detunings import DISTRIBUTIONS, class_detunings, standard_detunings
from solvers.models.spin_cat.mean_field_equations import integrate_from_start
from solvers.models.spin_cat.mean_field_far import integrate_following, precession
from solvers.models.spin_cat.reference import Derivative, exact_derivative, paper_derivative
from solvers.numerics.outcome import DONE, EVENT, OUTCOME_TEXT
from solvers.outcome import KIND_OF_CODE, InvalidInput, PointFailed
from solvers.shared_parameters import seed, times, tolerances


def detuning_classes(parameters: Mapping[str, Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The different detunings (K,) of a point in ascending order, and how many spins have each (K,)."""
    n = parameters["N"]
    if parameters["detunings"] is not None:
        every, weight = parameters["detunings"], 1.0
    elif parameters["classes"]:
        every = parameters["delta"] * class_detunings(parameters["distribution"], parameters["classes"])
        weight = n / parameters["classes"]
    else:
        drawn = standard_detunings(parameters["distribution"], n, parameters["seed"], parameters["realisation"])
        every, weight = parameters["delta"] * drawn, 1.0
    values, counts = np.unique(np.asarray(every, dtype=np.float64) + 0.0, return_counts=True)
    return values, weight * counts.astype(np.float64)


def validate(parameters: Mapping[str, Any]) -> None:
    """InvalidInput for classes that cannot stand for the distribution: one has no width, an odd number no two halves."""
    classes, two = parameters["classes"], parameters["distribution"] == "two"
    if parameters["detunings"] is not None or not classes or parameters["delta"] == 0.0:
        return
    if classes == 1 or (two and classes % 2):
        why = "distribution two has two halves" if two else "a single class has no width"
        raise InvalidInput(
            f"parameter classes ({why}): allowed is {'an even number' if two else '2 or more'}, or 0 for single spins; "
            f"given was {classes}; take {classes + 1}"
        )


def far_spins(parameters: Mapping[str, Any], detunings: NDArray[np.float64]) -> NDArray[np.float64]:
    """Signs (K,) of the detunings of those Lorentzian spins that follow their field, 0 for all others."""
    beyond = parameters["follow_beyond"]
    lorentzian = parameters["detunings"] is None and parameters["distribution"] == "lorentzian"
    if not (lorentzian and beyond > 0.0):
        return np.zeros_like(detunings)
    return np.where(np.abs(detunings) > beyond, np.sign(detunings), 0.0)


def solve(exact: bool, parameters: Point) -> Mapping[str, Any]:
    """One point with either closure."""
    detunings, weights = detuning_classes(parameters)
    size, n = len(detunings), float(parameters["N"])
    y, out = np.empty(3 * size), np.empty((len(parameters["times"]), 3 * size))
    times = np.ascontiguousarray(parameters["times"])
    integration = (times, parameters["rtol"], parameters["atol"], parameters["max_steps"], y, out)
    followers = far_spins(parameters, detunings)
    if followers.any():
        equations = (detunings, weights, n, parameters["eta"], float(exact), followers)
        code = integrate_following(*equations, *integration)
    else:
        code = integrate_from_start(detunings, weights, n, parameters["eta"], float(exact), *integration)
    if code not in (DONE, EVENT):
        raise PointFailed(KIND_OF_CODE[code], OUTCOME_TEXT[code])

    def mean(values: NDArray[Any]) -> Any:
        return (weights * values).sum(axis=-1) / n

    def order_and_inversion(states: NDArray[Any]) -> tuple[NDArray[Any], Any, Any]:
        sigma = states[..., :size] + 1j * states[..., size : 2 * size]
        return sigma, mean(sigma), mean(states[..., 2 * size :])

    sigma, c1, z = order_and_inversion(out)
    g = 2 * parameters["eta"] / n
    if followers.any():
        start, lowest = math.sqrt(g) / (1 + g), (1 - g) / (1 + g)
        sigma = sigma + precession(detunings, followers, start, 1 - lowest, times, out[:, 2 * size :])
    angles = np.angle(sigma * c1.conj()[:, None])
    spread = np.sqrt(np.maximum(0.0, mean(angles**2) - mean(angles) ** 2))
    _, c1_end, z_end = order_and_inversion(y)
    locked = code == DONE and z_end < 0 and abs(c1_end) > 0.5 * math.sqrt(g) / (1 + g)
    return {
        "c1": c1 * np.exp(1j * (np.pi / 4 + parameters["phi"] / 2)),
        "z": z,
        "spread": spread if g > 0 else np.full(len(out), np.nan),
        "locked": float(locked),
    }


def reference(derivative: Derivative, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Every spin by itself, sums over the others taken literally, in the paper's variables, with SciPy's Radau."""
    from scipy.integrate import solve_ivp

    n, eta, phi = parameters["N"], parameters["eta"], parameters["phi"]
    values, weights = detuning_classes(parameters)
    if np.any(weights != np.round(weights)):
        raise ValueError("the reference treats whole spins: N must be a multiple of classes")
    detunings = np.repeat(values, weights.astype(int))
    g = 2 * eta / n
    s0 = math.sqrt(g) / (1 + g) * np.exp(1j * (np.pi / 4 + phi / 2))
    start = np.concatenate([np.full(n, s0.real), np.full(n, s0.imag), np.full(n, -(1 - g) / (1 + g))])

    def rates(t: float, y: NDArray[Any]) -> NDArray[Any]:
        d_s, d_z = derivative(eta, phi, detunings, y[:n] + 1j * y[n : 2 * n], y[2 * n :])
        return np.concatenate([d_s.real, d_s.imag, d_z])

    last = float(parameters["times"][-1])
    y = solve_ivp(rates, (0, last), start, method="Radau", t_eval=parameters["times"], rtol=1e-9, atol=1e-11).y
    s, z = y[:n] + 1j * y[n : 2 * n], y[2 * n :]
    c1 = s.mean(axis=0)
    if np.any(np.abs(c1) < abs(s0) / 2):
        return {"locked": 0.0}
    return {"c1": c1, "z": z.mean(axis=0), "spread": np.angle(s / c1).std(axis=0)}


def random_parameters(rng: np.random.Generator) -> dict[str, Any]:
    """A few spins, detuned by less than what unlocks them."""
    distribution = str(rng.choice(DISTRIBUTIONS))
    classes = int(rng.integers(2, 7))
    if distribution == "two":
        classes += classes % 2
    n = classes * int(rng.integers(5, 12))
    return {
        "N": n,
        "eta": rng.uniform(0.02, 0.05) * n,
        "phi": rng.uniform(-3, 3),
        "delta": rng.uniform(0, 0.04),
        "distribution": distribution,
        "classes": classes,
        "times": [3.0, 20.0],
    }


def cost(batch: Batch) -> NDArray[np.float64]:
    """Proportional to the number of classes, or of spins where every one has a detuning of its own."""
    if batch["detunings"] is not None:
        return np.full(batch.size, float(np.unique(batch["detunings"][0]).size))
    drawn = np.where(batch["distribution"] == "two", 2.0, batch["N"])
    return np.where(batch["classes"] > 0, batch["classes"], drawn) + 10.0  # an overhead of about ten classes


_AFTER = "after a collapse"
_SOURCE = "Mok, Kwek and Touzard, Eqs. (22)-(23)"

MODELS = (
    Model(
        id="spin_cat.mean_field",
        title="Detuned spins under two-spin loss and squeezing, mean field",
        source=_SOURCE,
        methods=(
            Method(
                name="paper",
                meaning="the paper's closure, which double-counts coincident indices",
                source=_SOURCE,
                solve=partial(solve, False),
                reference=partial(reference, paper_derivative),
                cost=cost,
            ),
            Method(
                name="exact",
                meaning="the product state's closure, all coincidences right",
                source="derived",
                solve=partial(solve, True),
                reference=partial(reference, exact_derivative),
                cost=cost,
            ),
        ),
        dimensions=(TIME,),
        parameters=(
            Parameter(
                name="N", meaning="number of spins", default=10_000, kind="integer", bounds=(2, 1e10), symbol="N"
            ),
            Parameter(
                name="eta", meaning="squeezing", default=312.5, unit="Gamma2", symbol=r"\eta", bounds=(0.0, math.inf)
            ),
            Parameter(name="phi", meaning="squeezing phase", default=0.0, unit="rad", symbol=r"\varphi"),
            Parameter(
                name="detunings",
                meaning="detuning of every spin, instead of delta and its distribution",
                default=None,
                unit="Gamma2",
                symbol=r"\delta_n",
                dims=("N",),
            ),
            Parameter(
                name="delta",
                meaning="width of the distribution of detunings",
                label="width of detunings",
                default=0.0,
                unit="Gamma2",
                symbol=r"\delta",
                bounds=(0.0, math.inf),
            ),
            Parameter(
                name="distribution",
                meaning="of the detunings; delta is the standard deviation (gaussian), half the splitting (two) "
                "or the half width (lorentzian, uniform)",
                default="gaussian",
                kind="choice",
                choices=DISTRIBUTIONS,
            ),
            Parameter(
                name="classes",
                meaning="number of equal classes at the distribution's quantiles; 0: every spin drawn",
                label="classes of detunings",
                default=0,
                kind="integer",
                bounds=(0, 1e7),
            ),
            seed(),
            Parameter(
                name="realisation",
                meaning="which sample of drawn detunings",
                label="realisation",
                default=0,
                kind="integer",
                bounds=(0, 2.0**53),
            ),
            Parameter(
                name="follow_beyond",
                label="far detuning",
                meaning="Lorentzian spins detuned by more than this follow their field instead of precessing; 0: none",
                default=3.0,
                unit="Gamma2",
                bounds=(0.0, math.inf),
                physical=False,
            ),
            times([0.0, 50.0, 100.0, 150.0, 200.0], "1/Gamma2"),
            *tolerances(),
        ),
        outputs=(
            Output(
                name="c1",
                meaning="mean of <sigma^+>",
                label="mean amplitude",
                dims=("time",),
                symbol="c_1",
                kind="complex",
                nan=_AFTER,
            ),
            Output(
                name="z",
                meaning="mean inversion",
                dims=("time",),
                symbol=r"\langle{z}\rangle",
                bounds=(-2.0, 2.0),
                nan=_AFTER,
            ),
            Output(
                name="spread",
                meaning="phase spread",
                dims=("time",),
                unit="rad",
                symbol=r"\Delta\phi",
                bounds=(0.0, math.pi),
                nan=_AFTER + ", or no amplitude (eta = 0)",
            ),
            Output(
                name="locked",
                meaning="1 if at the last time mean z < 0 and |c1| is above half its start",
                bounds=(0.0, 1.0),
                codes=("not locked", "locked"),
                label="locking",
            ),
        ),
        example={
            "N": 10_000,
            "eta": 312.5,
            "delta": 0.07,
            "distribution": "gaussian",
            "classes": 60,
            "times": [0.0, 50.0, 100.0, 150.0, 200.0],
        },
        starter=Starter(
            axes={"eta": {"linspace": [60.0, 640.0, 15]}, "delta": {"linspace": [0.0, 0.1, 11]}},
            parameters={"classes": 20, "times": [400.0]},
        ),
        checks=(
            Check(
                method="paper",
                parameters={"eta": 500.0, "distribution": "two", "classes": 2, "times": [1000.0]},
                expect={"z": -0.72376, "locked": 1.0},
                atol=1e-5,
                origin="root of the steady state of identical spins; physics notes, section 5",
            ),
            Check(
                method="exact",
                parameters={"eta": 500.0, "distribution": "two", "classes": 2, "times": [1000.0]},
                expect={"z": -0.72363, "locked": 1.0},
                atol=1e-5,
                origin="physics notes, section 5, exact closure",
            ),
            Check(
                method="paper",
                parameters={"delta": 0.07, "classes": 40, "times": [2000.0]},
                expect={"z": -0.53966},
                atol=1e-4,
                origin="(22)-(23) with 40 gaussian classes by SciPy; physics notes, section 5.4",
            ),
            Check(
                method="paper",
                parameters={"delta": 0.082, "classes": 60, "times": [400.0]},
                expect={"locked": 1.0},
                origin="critical standard deviation between .082 and .083; physics notes, figures",
            ),
            Check(
                method="paper",
                parameters={"delta": 0.083, "classes": 60, "times": [76.0, 78.0, 400.0]},
                expect={"locked": 0.0, "z": ((2,), math.nan)},
                origin="collapses at t = 77; physics notes, figures",
            ),
        ),
        reference_tolerance=(1e-6, 1e-6),
        random_parameters=random_parameters,
        validate=validate,
        unit_of_time="1/Gamma2",
    ),
)
