"""battery.cycles: pulse, storage and discharge again and again, from the ground state (section IV, Fig. 3).

released counts the discharge alone (what leaks at `Gamma_storage` is not useful), charged is what the pulse adds,
efficiency is their ratio. In a steady cycle without pump: charged = released + individual losses + leakage.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from solvers.batch import pointwise
from solvers.declarations import Check, Output
from solvers.model import Model
from solvers.models.battery import declarations as declare
from solvers.models.battery.cumulants import IntegrationStopped, Moments
from solvers.models.battery.exact import Phase, Pulse, polarised, read
from solvers.models.battery.points import failure, left_physics, rates, ratio
from solvers.models.battery.reference import dense_cycles
from solvers.shared_parameters import tolerances

MOMENTS = ("after_pulse", "after_storage", "after_discharge")


def solve_exact(p: Mapping[str, Any]) -> dict[str, Any]:
    """One point by populations, or by coherence blocks where the pulse is imperfect."""
    N, cycles = p["N"], p["cycles"]
    pulse = Pulse(N, p["pulse_angle"])
    individual = (p["dephasing"], p["pump"])
    storage = Phase(N, p["gamma"], p["Gamma_storage"], *individual, p["tau_s"], pulse.coherent)
    discharge = Phase(N, p["gamma"], p["Gamma"], *individual, p["tau_d"], pulse.coherent)
    state = polarised(N, up=False, coherent=pulse.coherent)
    names = [f"{name}_{when}" for when in MOMENTS for name in ("M", "S")]
    names += [*(f"meanS_{when}" for when in MOMENTS), "released", "charged"]
    names += ["individual_loss_storage", "individual_loss_discharge"]
    outputs = {name: np.empty(cycles) for name in names}
    before = read(state)
    for cycle in range(cycles):
        state = pulse.apply(state)
        charged = read(state)
        _, lost_storage = storage.advance(state)
        stored = read(state)
        released, lost_discharge = discharge.advance(state)
        after = read(state)
        values = [charged.M, charged.S, stored.M, stored.S, after.M, after.S]
        values += [
            charged.mean_S,
            stored.mean_S,
            after.mean_S,
            released,
            charged.M - before.M,
            lost_storage,
            lost_discharge,
        ]
        for name, value in zip(names, values, strict=True):
            outputs[name][cycle] = value
        before = after
    return outputs | {"efficiency": ratio(outputs["released"], outputs["charged"])}


def solve_cumulants(p: Mapping[str, Any], printed: bool) -> dict[str, Any]:
    """One point by nine (three, where coherences vanish) moments."""
    out = np.full((p["cycles"], 10), math.nan)
    storage, discharge = (rates(p, collective, printed) for collective in (p["Gamma_storage"], p["Gamma"]))
    moments = Moments(p["N"], False, p["rtol"], p["atol"], p["max_steps"])
    stopped: dict[str, Any] = {}
    try:
        for row in out:
            before = moments.M
            moments.pulse(p["pulse_angle"])
            row[0], row[1], row[7] = moments.M, moments.S, moments.M - before
            _, row[8] = moments.evolve(storage, p["tau_s"])
            row[2], row[3] = moments.M, moments.S
            row[6], row[9] = moments.evolve(discharge, p["tau_d"])
            row[4], row[5] = moments.M, moments.S
    except IntegrationStopped as stop:
        stopped = failure(stop.code)
    outputs: dict[str, Any] = {}
    for i, when in enumerate(MOMENTS):
        outputs[f"M_{when}"], outputs[f"S_{when}"] = out[:, 2 * i], out[:, 2 * i + 1]
    outputs["released"], outputs["charged"] = out[:, 6], out[:, 7]
    outputs["individual_loss_storage"], outputs["individual_loss_discharge"] = out[:, 8], out[:, 9]
    outputs["efficiency"] = ratio(out[:, 6], out[:, 7])
    return outputs | (stopped or left_physics(outputs))


def solve_one(method: str, p: dict[str, Any], wants: Callable[..., bool]) -> dict[str, Any]:
    return solve_exact(p) if method == "exact" else solve_cumulants(p, method == "printed")


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
        methods=(declare.COHERENT_EXACT, declare.CUMULANT, declare.PRINTED),
        parameters=(
            declare.N,
            declare.GAMMA_COLLECTIVE,
            declare.GAMMA_STORAGE,
            declare.GAMMA,
            declare.DEPHASING,
            declare.PUMP,
            declare.TAU_S,
            declare.TAU_D,
            declare.PULSE_ANGLE,
            declare.CYCLES,
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
                name="efficiency", meaning="efficiency released/charged", dims=PER_CYCLE, nan=declare.NOTHING_CHARGED
            ),
        ),
        run=pointwise(solve_one),
        example={"N": 140, "Gamma": 1600.0, "tau_s": 0.0187, "tau_d": 0.0187, "cycles": 80},
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
        reference=dense_cycles,
        reference_tolerance=(1e-6, 2e-8),
        random_parameters=random_parameters,
        conserved={"energy balance of the discharge": (balance, 1e-8)},
        unit_of_time="1/gamma",
    ),
)
