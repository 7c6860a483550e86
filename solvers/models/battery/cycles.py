"""battery.cycles: pulse, storage and discharge again and again, from the ground state (section IV, Fig. 3).

released counts the discharge alone (what leaks at `Gamma_storage` is not useful), charged is what the pulse adds,
efficiency is their ratio. In a steady cycle without pump: charged = released + individual losses + leakage.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.batch import Point
from solvers.declarations import Check, Output, Starter
from solvers.model import Model
from solvers.models.battery import declarations as declare
from solvers.models.battery.cumulants import Moments
from solvers.models.battery.exact import Phase, Pulse, Readings, State, polarised, read
from solvers.models.battery.points import left_physics, rates, ratio
from solvers.models.battery.reference import DenseBattery, MomentBattery, cycled, printed_moments
from solvers.shared_parameters import tolerances

MOMENTS = ("after_pulse", "after_storage", "after_discharge")
ENERGIES = ("released", "charged", "individual_loss_storage", "individual_loss_discharge")


def tables(cycles: int, readings: tuple[str, ...]) -> dict[str, NDArray[np.float64]]:
    """NaN for every reading (M, S, meanS) at every moment of a cycle, and for the energies."""
    names = [f"{name}_{when}" for name in readings for when in MOMENTS]
    return {name: np.full(cycles, math.nan) for name in (*names, *ENERGIES)}


def solve_exact(p: Point) -> dict[str, Any]:
    """One point by populations, or by coherence blocks where the pulse is imperfect."""
    N, cycles = p["N"], p["cycles"]
    pulse = Pulse(N, p["pulse_angle"])
    individual = (p["dephasing"], p["pump"])
    storage = Phase(N, p["gamma"], p["Gamma_storage"], *individual, p["tau_s"], pulse.coherent)
    discharge = Phase(N, p["gamma"], p["Gamma"], *individual, p["tau_d"], pulse.coherent)
    state = polarised(N, up=False, coherent=pulse.coherent)
    outputs = tables(cycles, ("M", "S", "meanS"))
    before = read(state)
    for cycle in range(cycles):

        def look(state: State, when: str, cycle: int = cycle) -> Readings:
            reading = read(state)
            outputs[f"M_{when}"][cycle] = reading.M
            outputs[f"S_{when}"][cycle] = reading.S
            outputs[f"meanS_{when}"][cycle] = reading.mean_S
            return reading

        state = pulse.apply(state)
        outputs["charged"][cycle] = look(state, "after_pulse").M - before.M
        _, outputs["individual_loss_storage"][cycle] = storage.advance(state)
        look(state, "after_storage")
        outputs["released"][cycle], outputs["individual_loss_discharge"][cycle] = discharge.advance(state)
        before = look(state, "after_discharge")
    return outputs | {"efficiency": ratio(outputs["released"], outputs["charged"])}


def solve_cumulants(p: Point, printed: bool = False) -> dict[str, Any]:
    """One point by nine (three, where coherences vanish) moments."""
    storage, discharge = (rates(p, collective, printed) for collective in (p["Gamma_storage"], p["Gamma"]))
    moments = Moments(p["N"], False, p["rtol"], p["atol"], p["max_steps"])
    outputs = tables(p["cycles"], ("M", "S"))
    for cycle in range(p["cycles"]):

        def look(when: str, cycle: int = cycle) -> None:
            outputs[f"M_{when}"][cycle], outputs[f"S_{when}"][cycle] = moments.M, moments.S

        before = moments.M
        moments.pulse(p["pulse_angle"])
        look("after_pulse")
        outputs["charged"][cycle] = moments.M - before
        _, outputs["individual_loss_storage"][cycle] = moments.evolve(storage, p["tau_s"])
        look("after_storage")
        outputs["released"][cycle], outputs["individual_loss_discharge"][cycle] = moments.evolve(discharge, p["tau_d"])
        look("after_discharge")
    found = outputs | {"efficiency": ratio(outputs["released"], outputs["charged"])}
    return found | left_physics(found)


def random_parameters(rng: np.random.Generator) -> dict[str, Any]:
    return {
        "N": int(rng.integers(1, 6)),
        "Gamma": float(rng.choice([0.0, rng.uniform(0.1, 50.0)])),
        "Gamma_storage": float(rng.choice([0.0, rng.uniform(0.0, 2.0)])),
        "gamma": float(rng.uniform(0.0, 2.0)),
        "dephasing": float(rng.choice([0.0, rng.uniform(0.0, 3.0)])),
        "pump": float(rng.choice([0.0, rng.uniform(0.0, 2.0)])),
        "tau_s": float(rng.choice([0.0, rng.uniform(0.0, 1.0)])),
        "tau_d": float(rng.choice([0.0, rng.uniform(0.0, 1.0)])),
        "pulse_angle": float(rng.choice([math.pi, rng.uniform(-math.pi, 2 * math.pi)])),
        "cycles": 3,
    }


def balance(p: Mapping[str, Any], outputs: Mapping[str, Any]) -> float:
    """Per cycle and emitter: what the discharge takes from M is released or lost, where nothing pumps."""
    if p["pump"] > 0.0:
        return 0.0
    taken = outputs["M_after_storage"] - outputs["M_after_discharge"]
    gap = taken - outputs["released"] - outputs["individual_loss_discharge"]
    return float(np.max(np.abs(gap))) / p["N"]


PER_CYCLE = ("cycle",)

MODELS = (
    Model(
        id="battery.cycles",
        title="Charging, storage and discharge cycles of the quantum battery",
        source=f"{declare.SOURCE}, section IV, Fig. 3",
        methods=(
            declare.EXACT(solve=solve_exact, reference=partial(cycled, DenseBattery), limit=declare.COHERENT_LIMIT),
            declare.CUMULANT(solve=solve_cumulants, reference=partial(cycled, MomentBattery)),
            declare.PRINTED(solve=partial(solve_cumulants, printed=True), reference=partial(cycled, printed_moments)),
        ),
        parameters=(
            *declare.PROTOCOL,
            *tolerances(rtol=1e-8, atol=1e-11),
        ),
        dimensions=(declare.CYCLE,),
        outputs=(
            *(declare.inversion(when, PER_CYCLE) for when in MOMENTS),
            *(declare.length(when, PER_CYCLE) for when in MOMENTS),
            *(declare.mean_length(when, ("exact",), PER_CYCLE) for when in MOMENTS),
            declare.energy("released", "energy released collectively during discharge", PER_CYCLE, "E"),
            declare.energy("charged", "energy that the pulse adds", PER_CYCLE),
            declare.energy("individual_loss_storage", "energy lost by individual decay during storage", PER_CYCLE),
            declare.energy("individual_loss_discharge", "energy lost by individual decay during discharge", PER_CYCLE),
            Output(
                name="efficiency",
                label="efficiency",
                meaning="efficiency released/charged",
                dims=PER_CYCLE,
                nan=declare.NOTHING_CHARGED,
            ),
        ),
        example={"N": 140, "Gamma": 1600.0, "tau_s": 0.0187, "tau_d": 0.0187, "cycles": 80},
        starter=Starter(axes={"tau_d": {"values": [0.0187, 0.025, 0.0375, 0.075]}}),
        checks=(
            Check(
                parameters={"N": 140, "Gamma": 1600.0, "tau_s": 0.0187, "tau_d": 0.0375, "cycles": 1},
                expect={
                    "M_after_pulse": [70.0],
                    "M_after_storage": [70 * (2 * np.exp(-0.0187) - 1)],
                    "charged": [140.0],
                },
                origin="independent decay of every emitter from the inverted state",
                atol=1e-9,
            ),
            Check(
                parameters={"N": 3, "Gamma": 0.0, "tau_s": 0.2, "tau_d": 0.3, "cycles": 1, "pulse_angle": 1.0},
                expect={"M_after_discharge": [-1.5 + 1.5 * (1 - np.cos(1.0)) * np.exp(-0.5)], "released": [0.0]},
                origin="independent emitters turned by 1 rad: excited fraction (1 - cos 1)/2 exp(-t)",
                atol=1e-10,
            ),
        ),
        reference_tolerance=(1e-6, 2e-8),
        random_parameters=random_parameters,
        conserved={"energy balance of the discharge": (balance, 1e-8)},
        unit_of_time="1/gamma",
    ),
)
