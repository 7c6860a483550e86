"""battery.release: all emitters excited, stored for `tau_s`, then discharged for `window` (section III, Fig. 2).

Storage has Gamma = 0. After a complete release M stops at -<S>: what individual decay has made subradiant stays behind.

`twa` errs by less than a tenth of a quantum in M at any N (0.03 N of it at N = 2, 0.006 N at 10, below 0.001 N at 140 and 1000), also
at the height of a flash from full inversion, where cumulants are 0.04 N, 0.08 N and 0.09 N off at N = 20, 140 and 1000, and mean field
has no flash. With a pump emission goes on, and the error adds up in `released` (0.17 in a window of 1.4/gamma at N = 2). Without a
flash, and for two emitters, cumulants are better.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from solvers.batch import Point
from solvers.declarations import Check, Parameter, Starter
from solvers.model import Method, Model
from solvers.models.battery import declarations as declare
from solvers.models.battery import reference, twa
from solvers.models.battery.cumulants import Moments
from solvers.models.battery.exact import Phase, polarised, read
from solvers.models.battery.mean_field import release_product
from solvers.models.battery.points import left_physics, rates
from solvers.models.battery.reference import DenseBattery, MomentBattery
from solvers.shared_parameters import tolerances

TWA_BIAS = 0.25
"""More than the error of any output at 80 random points of up to five emitters (0.17), beyond its standard error."""
NAMES = ("M_before", "S_before", "M_after", "S_after", "released", "individual_loss")


def solve_exact(p: Point) -> dict[str, Any]:
    """One point by populations."""
    N = p["N"]
    state = polarised(N, up=True)
    Phase(N, p["gamma"], 0.0, p["dephasing"], p["pump"], p["tau_s"]).advance(state)
    before = read(state)
    released, lost = Phase(N, p["gamma"], p["Gamma"], p["dephasing"], p["pump"], p["window"]).advance(state)
    after = read(state)
    return dict(zip(NAMES, (before.M, before.S, after.M, after.S, released, lost), strict=True))


def solve_cumulants(p: Point, printed: bool = False) -> dict[str, Any]:
    """One point by three moments."""
    moments = Moments(p["N"], True, p["rtol"], p["atol"], p["max_steps"])
    moments.evolve(rates(p, 0.0, printed), p["tau_s"])
    before = moments.M, moments.S
    energies = moments.evolve(rates(p, p["Gamma"], printed), p["window"])
    outputs = dict(zip(NAMES, (*before, moments.M, moments.S, *energies), strict=True))
    return outputs | left_physics(outputs)


def solve_mean_field(p: Point) -> dict[str, Any]:
    """One point by a product state."""
    outputs = dict(zip(NAMES, release_product(p), strict=True))
    return outputs | left_physics(outputs)


def random_parameters(rng: np.random.Generator) -> dict[str, Any]:
    return {
        "N": int(rng.integers(1, 6)),
        "Gamma": float(rng.choice([0.0, rng.uniform(0.1, 50.0)])),
        "gamma": float(rng.uniform(0.0, 2.0)),
        "dephasing": float(rng.choice([0.0, rng.uniform(0.0, 3.0)])),
        "pump": float(rng.choice([0.0, rng.uniform(0.0, 2.0)])),
        "tau_s": float(rng.choice([0.0, rng.uniform(0.0, 1.0)])),
        "window": float(rng.choice([0.0, 10.0 ** rng.uniform(-3.0, 0.5)])),
        "seed_angle": float(rng.uniform(0.0, 1.0)),
    }


def balance(p: Mapping[str, Any], outputs: Mapping[str, Any]) -> float:
    """What the window takes from M without pump must be what left collectively and individually."""
    if p["pump"] > 0.0:
        return 0.0
    change = outputs["M_before"] - outputs["M_after"] - outputs["released"] - outputs["individual_loss"]
    return float(change) / p["N"]


MODELS = (
    Model(
        id="battery.release",
        title="Storage and one release of energy from an inverted ensemble",
        source=f"{declare.SOURCE}, section III, Fig. 2",
        methods=(
            declare.EXACT(
                solve=solve_exact, reference=partial(reference.released, DenseBattery), limit=declare.PUMPED_LIMIT
            ),
            declare.CUMULANT(solve=solve_cumulants, reference=partial(reference.released, MomentBattery)),
            Method(
                name="mean_field",
                meaning="product states; needs a seed_angle of about 2/sqrt(N) to flash",
                source="Eq. (6) in first order",
                solve=solve_mean_field,
                reference=reference.released_product,
            ),
            Method(
                name="twa",
                meaning="discrete truncated Wigner: classical spins from random starts with random jumps; means with standard errors",
                source="J. Huber, A. M. Rey and P. Rabl, Phys. Rev. A 105, 013716 (2022), with jumps for noise",
                solve=twa.solve_twa,
                reference=partial(reference.released, DenseBattery),
                reference_tolerance=(0.0, TWA_BIAS),
                draws_numbers=True,
                limit=twa.LIMIT,
            ),
            declare.PRINTED(
                solve=partial(solve_cumulants, printed=True),
                reference=partial(reference.released, reference.printed_moments),
            ),
        ),
        parameters=(
            *declare.RATES,
            declare.duration("tau_s", "storage time", 0.1, r"\tau_s"),
            declare.duration("window", "length of the release", 0.002, r"\tau_d"),
            Parameter(
                name="seed_angle",
                meaning="tilt of the inverted start away from +z (mean_field)",
                label="tilt of the start",
                default=0.0,
                unit="rad",
                bounds=(-10.0, 10.0),
            ),
            *twa.parameters(),
            *tolerances(rtol=1e-8, atol=1e-11),
        ),
        outputs=(
            declare.energy("released", "energy released collectively within the window", symbol="E"),
            declare.inversion("before"),
            declare.length("before"),
            declare.inversion("after"),
            declare.length("after"),
            declare.energy("individual_loss", "energy lost by individual decay within the window"),
            *twa.errors(),
        ),
        example={"N": 140, "Gamma": 1600.0, "tau_s": 0.2, "window": 0.002},
        starter=Starter(axes={"tau_s": {"linspace": [0.0, 1.2, 25]}}),
        checks=(
            Check(
                parameters={"N": 140, "Gamma": 1600.0, "tau_s": 0.2, "window": 0.002},
                expect={"M_before": 70 * (2 * np.exp(-0.2) - 1)},
                origin="independent decay of every emitter, M = N (exp(-t) - 1/2)",
                atol=1e-10,
            ),
            Check(
                parameters={"N": 2, "Gamma": 3.0, "gamma": 0.0, "tau_s": 0.0, "window": 0.25},
                expect={"M_after": 2.0 * np.exp(-1.5) + 1.5 * np.exp(-1.5) - 1.0, "S_after": 1.0},
                origin="two emitters: |1,1> -> |1,0> -> |1,-1> at 2 Gamma each, populations exp(-x), x exp(-x), x = 1.5",
                atol=1e-11,
            ),
            Check(
                method="cumulant",
                parameters={"N": 2, "Gamma": 3.0, "gamma": 0.0, "tau_s": 0.0, "window": 0.25},
                expect={"M_after": 2.0 * np.exp(-1.5) + 1.5 * np.exp(-1.5) - 1.0, "S_after": 1.0},
                origin="the same; second order is exact for two emitters",
                atol=1e-8,
            ),
        ),
        reference_tolerance=(1e-6, 2e-8),
        random_parameters=random_parameters,
        conserved={"energy balance of the window": (balance, 1e-8)},
        unit_of_time="1/gamma",
    ),
)
