"""spin_cat.free_evolution: dephasing of spin coherent states and cats by detunings alone (Fig. 1).

Start |theta, phi> = prod_n (cos(theta/2) |g> + e^{i phi} sin(theta/2) |e>), H_0 = (1/2) sum_n delta_n sigma_z^(n), normally
distributed delta_n of standard deviation delta. With C = cos^2(theta/2), S = sin^2(theta/2) and f_n, h_n = C +- S e^{-i delta_n t},

    F = prod |f_n|^2,   F_+- = |prod f_n +- prod h_n|^2 / (1 +- cos^N theta)^2                        (7), (15)

and the same for the superposition of four coherent states a quarter turn apart, the even part with a number of
excitations divisible by four (the sum of the basis states of the paper's alternative encoding). None depends on phi. Means
are (11) and (16); all come from a recurrence without differences, so that an odd cat of
|alpha| = 10^-4 is as good as any other.

The variance of the coherent state's fidelity is exact: with q = e^{-delta^2 t^2/2},

    Var F = mean(F)^2 ((1 + v)^N - 1),   v = (sin^4 theta/8) (1 - q^2)^2 / (1 - (1 - q) sin^2(theta)/2)^2

whose lowest order is (2 |alpha|^4/N) (1 - e^{-delta^2 t^2})^2; (14) as printed lacks the square, and at |alpha| = 0.1,
delta t = 0.2 is 25 times too large.

`sampled` averages over realisations 0, 1, ... of `seed`, spin by spin the same deviates as in `spin_cat.lindblad`, or
takes the given detunings as the only one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.batch import Batch, Point
from solvers.declarations import TIME, Check, Output, Parameter, Starter
from solvers.engines.residue_amplitudes import MEMBERS, mean_fidelities, precess, residue_probabilities, shares
from solvers.engines.sampling_price import trajectories_to_draw
from solvers.model import Method, Model
from solvers.models.spin_cat.quantum_parameters import UNIT_OF_TIME, given_detunings, spins, width
from solvers.numerics.random import standard_normals
from solvers.outcome import Kind, PointFailed
from solvers.shared_parameters import seed, times

FIDELITIES = ("coherent", "even", "odd", "four_component")

_AT_LEAST = 16
FARTHEST = 600.0
"""Exponents up to here are far from overflow."""


def analytic(point: Point) -> Mapping[str, Any]:
    """Means over the distribution of detunings, Eqs. (11) and (16), and the exact variance."""
    n, theta = point["N"], point["theta"]
    cosine, sine = shares(theta)
    with np.errstate(over="ignore", under="ignore"):
        square = np.square(point["delta"] * point["times"]) / 2
        q = np.exp(-square)
        lost = -np.expm1(-2 * square)  # 1 - q^2
    fidelities = mean_fidelities(n, cosine, sine, q)
    sine_squared = math.sin(theta) ** 2
    mean = 1 - (1 - q) * sine_squared / 2
    v = sine_squared**2 / 8 * (lost / mean) ** 2
    growth = n * np.log1p(v)
    with np.errstate(under="ignore", divide="ignore"):
        # F^2 (e^growth - 1); where that would be 0 times infinity, E[F^2] alone is left
        second = np.exp(2 * n * np.log(mean) + growth)
        variance = np.where(growth < FARTHEST, fidelities[:, 0] ** 2 * np.expm1(np.minimum(growth, FARTHEST)), second)
    found = {f"fidelity_{name}": fidelities[:, i] for i, name in enumerate(FIDELITIES)}
    return found | {
        "variance_coherent": variance,
        "first_bad_time": np.nan,
    }


def sampled(point: Point) -> Mapping[str, Any]:
    """Averages over realisations of the detunings with their standard errors."""
    n, when = point["N"], np.ascontiguousarray(point["times"])
    cosine, sine = shares(point["theta"])
    probabilities = residue_probabilities(n, cosine, sine)
    norms = np.array([probabilities[m].sum() for m in MEMBERS])
    one = point["detunings"] is not None
    most = 1 if one else point["realisations"]

    def averages(most: int, target_error: float) -> tuple[int, NDArray[np.float64], NDArray[np.float64]]:
        """How many realisations, means, and sums of powers 2, 3, 4 of the deviations from them."""
        count, mean, moments = 0, np.zeros((len(when), 4)), np.zeros((3, len(when), 4))
        out = np.empty_like(mean)
        while count < most:
            drawn = point["detunings"] if one else _draw(point, count)
            precess(cosine, sine, np.ascontiguousarray(drawn), when, norms, out)
            if not np.isfinite(out).all():
                raise PointFailed(Kind.NOT_FINITE, "a phase, detuning times t, is beyond the largest number")
            _update(count, mean, moments, out)
            count += 1
            if target_error > 0.0 and count >= _AT_LEAST and _error(moments[0], count).max(initial=0.0) <= target_error:
                break
        return count, mean, moments

    def error_of(few: int) -> float:
        count, _, moments = averages(few, 0.0)
        return float(_error(moments[0], count).max(initial=0.0))

    most = trajectories_to_draw(
        most,
        2e-5 + (1.5e-8 * len(when) + 1e-8) * n,
        target_error=point["target_error"],
        first_look=_AT_LEAST,
        error_of=error_of,
        budget="",
    )
    count, mean, moments = averages(most, point["target_error"])
    found: dict[str, Any] = {"first_bad_time": np.nan}
    sem = _error(moments[0], count) if count > 1 else np.full_like(mean, np.nan)
    for i, name in enumerate(FIDELITIES):
        found[f"fidelity_{name}"] = mean[:, i]
        found[f"fidelity_{name}_sem"] = sem[:, i]
    second, fourth = moments[0, :, 0], moments[2, :, 0] / count
    found["variance_coherent"] = second / (count - 1) if count > 1 else np.full(len(when), np.nan)
    spread = np.maximum(fourth - (second / count) ** 2, 0.0)
    found["variance_coherent_sem"] = np.sqrt(spread / count) if count > 1 else np.full(len(when), np.nan)
    return found


def _draw(point: Point, realisation: int) -> NDArray[np.float64]:
    with np.errstate(over="ignore"):
        return np.asarray(point["delta"] * standard_normals(point["seed"], realisation, point["N"]))


def _update(count: int, mean: NDArray[Any], moments: NDArray[Any], value: NDArray[Any]) -> None:
    """Take one more value into the mean and the sums of powers of the deviations from it (P. Pebay, SAND2008-6212)."""
    n = count + 1
    change = value - mean
    small = change / n
    second, third, fourth = moments
    fourth += change * small**3 * count * (n * n - 3 * n + 3) + 6 * small**2 * second - 4 * small * third
    third += change * small**2 * count * (n - 2) - 3 * small * second
    second += change * small * count
    mean += small


def _error(second: NDArray[Any], count: int) -> NDArray[Any]:
    """Standard error of the mean."""
    return np.asarray(np.sqrt(second / (count * (count - 1.0))))


def reference(parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """All 2^N amplitudes, spins precessing one by one; drawn detunings as in `sampled`; no cat where it is 0/0."""
    n, theta, phi = parameters["N"], parameters["theta"], parameters["phi"]
    if parameters["detunings"] is not None:
        samples = [parameters["detunings"]]
    else:
        drawn = [standard_normals(parameters["seed"], r, n) for r in range(parameters["realisations"])]
        samples = [parameters["delta"] * d for d in drawn]
    bits = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
    excited = bits.sum(axis=1)
    amplitudes = np.cos(theta / 2) ** (n - excited) * np.sin(theta / 2) ** excited * np.exp(1j * phi * excited)
    found = {}
    for name, keep in zip(
        FIDELITIES, (excited >= 0, excited % 2 == 0, excited % 2 == 1, excited % 4 == 0), strict=True
    ):
        state = np.where(keep, amplitudes, 0)
        norm = np.sum(np.abs(state) ** 2)
        if norm < np.finfo(float).tiny / np.finfo(float).eps:  # no such superposition, or too small to be normalised
            continue
        weights = np.abs(state) ** 2 / norm
        energies = [bits @ d for d in samples]
        found[f"fidelity_{name}"] = [
            np.mean([abs(weights @ np.exp(-1j * e * t)) ** 2 for e in energies]) for t in parameters["times"]
        ]
    return found


def analytic_reference(parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """The textbook differences (11), (16) and E[F^2] - E[F]^2 in 200-digit decimals; no cat where (16) is 0/0."""
    import decimal

    with decimal.localcontext() as context:
        context.prec = 200
        n, D = parameters["N"], decimal.Decimal
        # cos(theta) by its series, so that nothing is rounded before the subtraction
        theta = D(parameters["theta"])
        cosine, term, k = D(1), D(1), 0
        while abs(term) > D(10) ** -198:
            k += 2
            term *= -theta * theta / (k * (k - 1))
            cosine += term
        sine_squared = 1 - cosine * cosine
        norms = {name: 1 + sign * cosine**n for name, sign in (("even", 1), ("odd", -1))}
        signs = {name: sign for name, sign in (("even", 1), ("odd", -1)) if norms[name] != 0}
        found: dict[str, list[float]] = {"fidelity_coherent": [], "variance_coherent": []}
        found |= {f"fidelity_{name}": [] for name in signs}
        for t in parameters["times"]:
            q = (-((D(parameters["delta"]) * D(t)) ** 2) / 2).exp()
            straight = (1 - (1 - q) * sine_squared / 2) ** n
            crossed = (1 - (1 + q) * sine_squared / 2) ** n
            found["fidelity_coherent"].append(float(straight))
            for name, sign in signs.items():
                value = (straight + crossed + sign * 2 * cosine**n) / norms[name] ** 2
                found[f"fidelity_{name}"].append(float(value))
            second = 1 - (1 - q) * sine_squared + sine_squared**2 / 4 * (D("1.5") - 2 * q + q**4 / 2)
            found["variance_coherent"].append(float(second**n - straight**2))
    return found


def random_parameters(rng: np.random.Generator) -> dict[str, Any]:
    """A few spins and realisations."""
    return {
        "N": int(rng.integers(2, 8)),
        "theta": rng.uniform(0.1, 3.0),
        "phi": rng.uniform(-3, 3),
        "delta": rng.uniform(0, 2),
        "realisations": int(rng.integers(1, 5)),
        "times": [0.0, 0.5, 3.0],
    }


def cost(batch: Batch) -> NDArray[np.float64]:
    """A factor per spin and realisation."""
    return 1.0 + 1e-4 * batch["N"] * (1 if batch["detunings"] is not None else batch["realisations"])


_GAUSS_HERMITE = "Gauss-Hermite averages over one spin, to the N-th power"
_FIG1 = {"N": 200, "theta": 0.0707106781187, "delta": 1.0}
_ONE = "a single realisation has none"

MODELS = (
    Model(
        id="spin_cat.free_evolution",
        title="Dephasing of spin coherent states and spin cats by detunings alone",
        source="Mok, Kwek and Touzard, Eqs. (5)-(21), Fig. 1",
        methods=(
            Method(
                name="analytic",
                meaning="means over normally distributed detunings",
                source="Eqs. (11), (16); (14) corrected",
                solve=analytic,
                reference=analytic_reference,
            ),
            Method(
                name="sampled",
                meaning="averages over realisations, or the given detunings",
                source="Eqs. (7), (15)",
                solve=sampled,
                reference=reference,
                cost=cost,
            ),
        ),
        dimensions=(TIME,),
        parameters=(
            spins(200, 1e6, fewest=1),
            Parameter(
                name="theta",
                meaning="polar angle of the spins from the ground state, |alpha| = sqrt(N) tan(theta/2)",
                label="polar angle",
                default=0.0707106781187,
                unit="rad",
                symbol=r"\theta",
                bounds=(0.0, math.pi),
            ),
            Parameter(name="phi", meaning="azimuth of the spins", default=0.0, unit="rad", symbol=r"\phi"),
            given_detunings("sampling (method sampled)"),
            width(),
            Parameter(
                name="realisations",
                meaning="number of samples of the detunings",
                label="realisations",
                default=100,
                kind="integer",
                bounds=(1, 2.0**40),
                physical=False,
            ),
            Parameter(
                name="target_error",
                meaning="standard error of all fidelities at which sampling stops, `realisations` being the most; 0: off",
                default=0.0,
                bounds=(0.0, 1.0),
                physical=False,
            ),
            seed(),
            times([0.0, 0.2, 0.5, 1.0, 2.0, 4.0, 6.0], UNIT_OF_TIME),
        ),
        outputs=(
            *(
                Output(
                    name=f"fidelity_{name}",
                    meaning=f"mean fidelity of the {text} with its start",
                    label=f"fidelity, {name.replace('_', ' ')}",
                    dims=("time",),
                    symbol=symbol,
                    bounds=(0.0, 1.0),
                )
                for name, text, symbol in (
                    ("coherent", "spin coherent state", r"\overline{F}"),
                    ("even", "even cat", r"\overline{F}_+"),
                    ("odd", "odd cat", r"\overline{F}_-"),
                    ("four_component", "superposition of four coherent states", r"\overline{F}_4"),
                )
            ),
            Output(
                name="variance_coherent",
                meaning="variance of the coherent state's fidelity over realisations",
                label="variance of the fidelity",
                dims=("time",),
                symbol=r"\mathrm{Var}\,F",
                bounds=(0.0, 1.0),
                nan=_ONE,
            ),
            *(
                Output(
                    name=f"{name}_sem",
                    meaning=f"standard error of {name}",
                    dims=("time",),
                    methods=("sampled",),
                    nan=_ONE,
                )
                for name in (*(f"fidelity_{kind}" for kind in FIDELITIES), "variance_coherent")
            ),
            Output(
                name="first_bad_time",
                meaning="first time at which a monitor fails; there is none to fail",
                label="first bad time",
                nan="always: the methods are exact",
                unit=UNIT_OF_TIME,
            ),
        ),
        example={**_FIG1, "realisations": 50, "times": [0.0, 0.2, 0.5, 1.0, 2.0, 4.0, 6.0]},
        starter=Starter(
            axes={"theta": {"values": [0.0353, 0.0707, 0.1414]}},
            parameters={"times": np.linspace(0.0, 5.0, 51).tolist()},
        ),
        checks=(
            Check(
                method="analytic",
                parameters={**_FIG1, "times": [0.5, 1.0, 6.0]},
                expect={
                    "fidelity_coherent": [0.943025177786, 0.821598455697, 0.606657333156],
                    "fidelity_even": [0.986566870347, 0.961927177466, 0.940213065994],
                    "fidelity_odd": [0.776417239908, 0.366310981409, 0.00489848104334],
                },
                atol=1e-10,
                origin=_GAUSS_HERMITE,
            ),
            Check(
                method="analytic",
                parameters={**_FIG1, "times": [0.2, 1.0, 6.0]},
                expect={"variance_coherent": [9.39065492811e-07, 0.000168367582553, 0.000230475553525]},
                rtol=1e-7,
                origin=_GAUSS_HERMITE + ", less the square of the mean, which costs eight digits at t = 0.2",
            ),
            Check(
                method="sampled",
                parameters={"N": 6, "theta": 0.5, "detunings": [0.3, -0.7, 1.1, -0.2, 0.5, -1.4], "times": [0.5, 3.0]},
                expect={
                    "fidelity_coherent": [0.944662306364, 0.442763885491],
                    "fidelity_even": [0.984519273017, 0.883260127409],
                    "fidelity_odd": [0.842322419549, 0.0365088075442],
                },
                atol=1e-10,
                origin="2^N state vector",
            ),
        ),
        random_parameters=random_parameters,
        reference_tolerance=(1e-9, 1e-11),
        unit_of_time=UNIT_OF_TIME,
    ),
)
