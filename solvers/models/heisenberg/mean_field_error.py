"""heisenberg.mean_field_error: how far a mean field is from the exact chain, in time and on average.

    deviation(t) = |M_MF(t) - M_exact(t)|^2,   mean_deviation = (1/t_end) integral_0^t_end deviation dt  (trapezoid)

for V_x = V + anisotropy, V_y = V_z = V, with the open chain and the mean fields

    site     product states, site by site, averaged over the sites
    uniform  a bulk site (Eqs. 12-14 corrected)
    printed  Eqs. (12)-(14) letter by letter

The exact M is that of `heisenberg.dynamics`, method exact.

The paper's Fig. 4 (monotonic growth with the anisotropy of a closed chain) holds for |anisotropy| < 0.05 only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.batch import Batch, Point
from solvers.declarations import Check, Dimension, Output, Parameter, Starter
from solvers.engines.chain_mean_field import longest_spin
from solvers.engines.concurrence import concurrence
from solvers.engines.limits import exact_limit
from solvers.engines.master_equation.exact import ExactEvolution, evolve_exactly, judged
from solvers.model import Method, Model
from solvers.models.heisenberg import chain
from solvers.models.heisenberg.chain import MOST_EXACT, SOURCE, UNIT, UNIT_OF_TIME
from solvers.outcome import Kind, PointFailed
from solvers.references.spin_systems import exact_moments as slow_moments
from solvers.references.spin_systems import moment_path, product_density_matrix
from solvers.shared_parameters import tolerances

DIVERGED = 1e3
"""Expectation values are at most 1; beyond this rho is called diverged."""


def couplings(p: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters with V_x, V_y, V_z instead of V and the anisotropy."""
    return dict(p) | {"V_x": p["V"] + p["anisotropy"], "V_y": p["V"], "V_z": p["V"]}


MeanField = Callable[[Mapping[str, Any], NDArray[np.float64]], tuple[NDArray[np.float64], int, float, float]]
"""From a chain and times: M (T, 3), the outcome of the integration, the time reached, the first unphysical time."""


def solve(mean_field: MeanField, point: Point) -> Mapping[str, Any]:
    """Deviation of one mean field at one point."""
    p = couplings(point)
    when = np.linspace(0.0, p["t_end"], p["n_times"])
    spins, pair, evolution = exact_moments(p, when)  # first: it refuses what is too much before it begins
    M, code, reached, first_bad = mean_field(p, when)
    status, remark = chain.judged(p, first_bad=first_bad, code=code, reached=reached)
    status, remark = judged(evolution, p["rtol"], status, remark)
    deviation = ((M - spins.mean(axis=1)) ** 2).sum(axis=1)
    outputs: dict[str, Any] = {
        "deviation": deviation,
        "mean_deviation": time_average(deviation),
        "t": when,
        "C12_xx": np.full(len(when), np.nan),
        "concurrence_12": np.full(len(when), np.nan),
        "status": status,
        "remark": remark,
    }
    if p["N"] > 1:
        outputs["C12_xx"] = pair[:, 0, 0] - spins[:, 0, 0] * spins[:, 1, 0]
        if point.wants("concurrence_12"):
            outputs["concurrence_12"] = concurrence(spins[:, 0], spins[:, 1], pair)
    return outputs


def time_average(values: NDArray[np.float64]) -> float:
    """Average over a uniform grid by the trapezoid rule."""
    if len(values) == 1:
        return float(values[0])
    return float((values.sum() - 0.5 * (values[0] + values[-1])) / (len(values) - 1))


def exact_moments(
    p: Mapping[str, Any], when: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], ExactEvolution]:
    """Spins (T, N, 3), raw correlations (T, 3, 3) of the first two sites (NaN for one spin), and all of the evolution."""
    n = p["N"]
    pairs = np.array([[0, 1]] if n > 1 else np.empty((0, 2)), dtype=np.int64)
    found = evolve_exactly(
        chain.build_system(p), chain.start(p), when, rtol=p["rtol"], max_steps=p["max_steps"], pairs=pairs
    )
    spins = found.observed[:, : 3 * n].reshape(len(when), n, 3)
    pair = found.observed[:, 3 * n :].reshape(-1, 3, 3) if n > 1 else np.full((len(when), 3, 3), np.nan)
    largest = np.abs(found.observed).max(axis=1)
    if not largest.max() < DIVERGED:
        k = int((~(largest < DIVERGED)).argmax())
        raise PointFailed(Kind.DIVERGED, chain.divergence(p, float(largest.max()), float(when[k])))
    return spins, pair, found


def site_by_site(p: Mapping[str, Any], when: NDArray[np.float64]) -> tuple[NDArray[np.float64], int, float, float]:
    """The mean of product states."""
    spins, code, reached = chain.mean_field_path(p, when)
    return spins.mean(axis=1), code, reached, _first_too_long(spins, when)


def bulk_site(
    row: Callable[[Mapping[str, Any]], chain.Row], p: Mapping[str, Any], when: NDArray[np.float64]
) -> tuple[NDArray[np.float64], int, float, float]:
    """A bulk site, with the row that a method makes of a point."""
    M, code, reached = chain.uniform_path(row(p), p, when)
    return M, code, reached, _first_too_long(M[:, None], when)


def _first_too_long(spins: NDArray[np.float64], when: NDArray[np.float64]) -> float:
    row, _ = longest_spin(spins)
    return float(when[row]) if row >= 0 else float("nan")


def cost(batch: Batch) -> NDArray[Any]:
    """Relative cost of each point: the exact chain, dense up to four spins or closed."""
    n = batch["N"].astype(np.float64)
    return np.asarray(batch["n_times"] * 4.0**n + 8.0 ** np.minimum(n, 10) + 100.0 * batch["t_end"], dtype=np.float64)


def sites_reference(p: Mapping[str, Any], when: NDArray[np.float64]) -> NDArray[np.float64]:
    """M (T, 3) of product states by Pauli algebra."""
    return moment_path(chain.build_system(p), False, chain.start(p), None, when)[0].mean(axis=1)


def reference(
    mean_field: Callable[[Mapping[str, Any], NDArray[np.float64]], NDArray[np.float64]], parameters: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Exponentials of the Liouvillian matrix against a literal mean field."""
    p = couplings(parameters)
    when = np.linspace(0.0, p["t_end"], p["n_times"])
    spins, raw, _ = slow_moments(chain.build_system(p), product_density_matrix(chain.start(p)), when)
    deviation = ((mean_field(p, when) - spins.mean(axis=1)) ** 2).sum(axis=1)
    return {
        "deviation": deviation,
        "mean_deviation": np.trapezoid(deviation, when) / p["t_end"],
        "t": when,
        "C12_xx": raw[:, 0, 1, 0, 0] - spins[:, 0, 0] * spins[:, 1, 0],
    }


def random_parameters(rng: np.random.Generator) -> dict[str, Any]:
    """Chains of two or three spins, closed or with the thermal bath."""
    names = [f"B_{a}" for a in "xyz"] + ["V", "anisotropy"]
    return {name: float(rng.normal() * 0.7) for name in names} | {
        "N": int(rng.integers(2, 4)),
        "Gamma": float(rng.choice([0.0, rng.uniform(0.05, 0.3)])),
        "n_b": float(rng.uniform(0.0, 1.0)),
        "g_ratio": float(rng.uniform(-0.5, 0.5)),
        "theta0": float(rng.uniform(0.0, np.pi)),
        "phi0": float(rng.uniform(-np.pi, np.pi)),
        "t_end": 4.0,
        "n_times": 9,
    }


TIMES = Dimension(name="time", size="n_times", meaning="number of the time, from 0 to t_end", symbol="k", along="t")
_FIG4 = {"B_x": 0.25, "B_y": 0.25, "B_z": -0.5, "V": 0.1, "anisotropy": 0.02}

MODELS = (
    Model(
        id="heisenberg.mean_field_error",
        title="Deviation of mean field from the exact open Heisenberg chain",
        source=SOURCE + ", section IV, Figs. 4 and 5",
        methods=(
            Method(
                name="site",
                meaning="site-resolved mean field against exact",
                source="Eqs. (12)-(14) corrected",
                solve=partial(solve, site_by_site),
                reference=partial(reference, sites_reference),
                cost=cost,
                limit=exact_limit(MOST_EXACT, chain.closed_and_pure),
            ),
            Method(
                name="uniform",
                meaning="bulk site against exact",
                source="Eqs. (12)-(14), (18) corrected",
                solve=partial(solve, partial(bulk_site, chain.uniform_row)),
                reference=partial(reference, chain.uniform_reference),
                cost=cost,
                limit=exact_limit(MOST_EXACT, chain.closed_and_pure),
            ),
            Method(
                name="printed",
                meaning="printed bulk equations against exact",
                source="Eqs. (12)-(14)",
                solve=partial(solve, partial(bulk_site, chain.printed_row)),
                reference=partial(reference, chain.printed_reference),
                cost=cost,
                limit=exact_limit(MOST_EXACT, chain.closed_and_pure),
            ),
        ),
        parameters=(
            chain.sites(shape=False),
            *chain.FIELDS,
            Parameter(
                name="V",
                meaning="isotropic coupling of neighbours",
                label="isotropic coupling",
                default=0.0,
                unit=UNIT,
                symbol="V",
            ),
            Parameter(
                name="anisotropy",
                meaning="anisotropy shift V_x - V",
                label="anisotropy shift",
                default=0.0,
                unit=UNIT,
                symbol=r"\Delta",
            ),
            *chain.BATH,
            *chain.START,
            Parameter(
                name="t_end",
                meaning="last time",
                default=1000.0,
                unit=UNIT_OF_TIME,
                symbol=r"t_f",
                bounds=(0.0, float("inf")),
                physical=False,
            ),
            Parameter(
                name="n_times",
                meaning="number of times from 0 to t_end",
                label="number of times",
                default=10001,
                kind="integer",
                bounds=(1, 1e6),
                shape=True,
                physical=False,
            ),
            *tolerances(1e-10, 1e-12),
        ),
        outputs=(
            Output(
                name="mean_deviation",
                meaning="|M_MF - M_exact|^2, averaged over 0 to t_end",
                label="mean deviation",
                symbol=r"\overline{D}",
            ),
            Output(
                name="deviation",
                meaning="|M_MF - M_exact|^2",
                label="deviation of mean field",
                dims=("time",),
                symbol="D",
            ),
            Output(
                name="C12_xx",
                meaning="<s_1^x s_2^x> - <s_1^x><s_2^x> of the exact chain",
                label="connected correlation",
                dims=("time",),
                symbol="C_{xx}^{12}",
                nan="one spin has no pair",
            ),
            Output(
                name="concurrence_12",
                meaning="concurrence of the first two sites of the exact chain",
                label="concurrence",
                dims=("time",),
                symbol="C_{12}",
                nan="one spin has no pair",
            ),
            Output(name="t", meaning="time", dims=("time",), unit=UNIT_OF_TIME, symbol="t"),
        ),
        dimensions=(TIMES,),
        validate=chain.validate,
        example=_FIG4 | {"N": 3, "t_end": 100.0, "n_times": 501},
        starter=Starter(axes={"anisotropy": {"values": [0.05, 0.1, 0.2, 0.4]}}),
        checks=(
            Check(
                parameters=_FIG4 | {"anisotropy": 0.0, "t_end": 200.0, "n_times": 2001},
                expect={"mean_deviation": 0.0},
                origin="exact: an isotropic closed chain in an aligned start stays a product state",
                method="site",
                atol=1e-14,
            ),
            Check(
                parameters=_FIG4,
                expect={"mean_deviation": 0.29969377134},
                origin="diagonalised closed chain against the projected mean field (Fig. 4)",
                method="site",
                atol=2e-5,
            ),
            Check(
                parameters=_FIG4,
                expect={"mean_deviation": 0.255145142998},
                origin="diagonalised closed chain against the projected mean field (Fig. 4)",
                method="uniform",
                atol=2e-5,
            ),
        ),
        reference_tolerance=(1e-6, 1e-8),
        random_parameters=random_parameters,
        unit_of_time=UNIT_OF_TIME,
    ),
)
