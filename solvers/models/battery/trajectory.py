"""battery.trajectory: M(t) and S(t) inside the cycles, for the path in the (S, M) plane (Figs. 2(b) and 3).

Each cycle gives `samples` points of its storage, then as many of its discharge, equally spaced, both ends included: the
first is the state just after the pulse, and t repeats where storage turns into discharge and where a pulse falls.
t = 0 is just after the first pulse on the ground state.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.batch import Point
from solvers.declarations import Check, Dimension, Output, Parameter, Starter
from solvers.model import Model
from solvers.models.battery import declarations as declare
from solvers.models.battery.cumulants import Moments
from solvers.models.battery.exact import Phase, Pulse, polarised, read
from solvers.models.battery.points import left_physics, rates
from solvers.models.battery.reference import DenseBattery, MomentBattery, Start
from solvers.shared_parameters import tolerances


def sample_times(p: Mapping[str, Any]) -> NDArray[np.float64]:
    """Times (cycles, 2, samples) of all samples."""
    within = np.stack(
        [np.linspace(0.0, p["tau_s"], p["samples"]), p["tau_s"] + np.linspace(0.0, p["tau_d"], p["samples"])]
    )
    return np.arange(p["cycles"])[:, None, None] * (p["tau_s"] + p["tau_d"]) + within


def path_exact(p: Mapping[str, Any]) -> NDArray[np.float64]:
    """M and S (cycles, 2, samples, 2) by populations or coherence blocks."""
    N, intervals = p["N"], p["samples"] - 1
    pulse = Pulse(N, p["pulse_angle"])
    individual = (p["dephasing"], p["pump"])
    phases = [
        Phase(N, p["gamma"], collective, *individual, tau / intervals, pulse.coherent)
        for collective, tau in ((p["Gamma_storage"], p["tau_s"]), (p["Gamma"], p["tau_d"]))
    ]
    state = polarised(N, up=False, coherent=pulse.coherent)
    out = np.empty((p["cycles"], 2, p["samples"], 2))
    for cycle in range(p["cycles"]):
        state = pulse.apply(state)
        for i, phase in enumerate(phases):
            for sample in range(p["samples"]):
                if sample > 0:
                    phase.advance(state)
                reading = read(state)
                out[cycle, i, sample] = reading.M, reading.S
    return out


def path_cumulants(p: Mapping[str, Any]) -> NDArray[np.float64]:
    """M and S (cycles, 2, samples, 2) by moments."""
    moments = Moments(p["N"], False, p["rtol"], p["atol"], p["max_steps"])
    phases = [
        (rates(p, collective), np.linspace(0.0, tau, p["samples"]))
        for collective, tau in ((p["Gamma_storage"], p["tau_s"]), (p["Gamma"], p["tau_d"]))
    ]
    out = np.empty((p["cycles"], 2, p["samples"], 2))
    for cycle in out:
        moments.pulse(p["pulse_angle"])
        for phase, samples in zip(phases, cycle, strict=True):
            samples[:] = moments.sample(*phase)
    return out


def solve(path: Callable[[Mapping[str, Any]], NDArray[np.float64]], p: Point) -> dict[str, Any]:
    """Times, M and S of the path that a method follows."""
    out = path(p)
    outputs = {"t": sample_times(p).ravel(), "M": out[..., 0].ravel(), "S": out[..., 1].ravel()}
    return outputs | left_physics(outputs)


def reference(start: Start, p: Mapping[str, Any]) -> dict[str, NDArray[np.float64]]:
    """By dense matrices or complex moments."""
    battery = start(p["N"], False)
    M, S = [], []
    for _ in range(p["cycles"]):
        battery.pulse(p["pulse_angle"])
        for collective, tau in ((p["Gamma_storage"], p["tau_s"]), (p["Gamma"], p["tau_d"])):
            for sample in range(p["samples"]):
                if sample > 0:
                    battery.evolve(tau / (p["samples"] - 1), p["gamma"], collective, p["dephasing"], p["pump"])
                reading = battery.read()
                M.append(reading["M"])
                S.append(reading["S"])
    return {"M": np.array(M), "S": np.array(S)}


def random_parameters(rng: np.random.Generator) -> dict[str, Any]:
    return {
        "N": int(rng.integers(1, 5)),
        "Gamma": float(rng.choice([0.0, rng.uniform(0.1, 50.0)])),
        "Gamma_storage": float(rng.choice([0.0, rng.uniform(0.0, 2.0)])),
        "gamma": float(rng.uniform(0.0, 2.0)),
        "dephasing": float(rng.choice([0.0, rng.uniform(0.0, 3.0)])),
        "pump": float(rng.choice([0.0, rng.uniform(0.0, 2.0)])),
        "tau_s": float(rng.uniform(0.0, 1.0)),
        "tau_d": float(rng.uniform(0.0, 1.0)),
        "pulse_angle": float(rng.choice([np.pi, rng.uniform(0.0, 2 * np.pi)])),
        "cycles": 2,
        "samples": 4,
    }


MODELS = (
    Model(
        id="battery.trajectory",
        title="M(t) and S(t) within the cycles of the quantum battery",
        source=f"{declare.SOURCE}, Figs. 2(b), 3",
        methods=(
            declare.EXACT(
                solve=partial(solve, path_exact),
                reference=partial(reference, DenseBattery),
                limit=declare.COHERENT_LIMIT,
            ),
            declare.CUMULANT(solve=partial(solve, path_cumulants), reference=partial(reference, MomentBattery)),
        ),
        parameters=(
            *declare.PROTOCOL,
            Parameter(
                name="samples",
                meaning="samples per phase, both ends included",
                default=21,
                kind="integer",
                bounds=(2, 1e6),
                shape=True,
                physical=False,
            ),
            *tolerances(rtol=1e-8, atol=1e-11),
        ),
        dimensions=(
            Dimension(
                name="sample",
                size="2*cycles*samples",
                meaning="sample: storage, then discharge of each cycle",
                along="t",
            ),
        ),
        outputs=(
            Output(name="t", meaning="time", dims=("sample",), unit="1/gamma", symbol="t"),
            Output(name="M", meaning="M = <S_z>", label="inversion", dims=("sample",), symbol="M"),
            Output(
                name="S",
                label="effective spin",
                meaning="S from S(S+1) = <S^2>, Eq. (7)",
                dims=("sample",),
                symbol="S",
                nan=declare.NO_LENGTH,
            ),
        ),
        example={"N": 140, "Gamma": 1600.0, "tau_s": 0.0187, "tau_d": 0.0187, "cycles": 10, "samples": 5},
        starter=Starter(axes={"tau_d": {"values": [0.0187, 0.0375]}}, parameters={"cycles": 4, "samples": 40}),
        checks=(
            Check(
                parameters={"N": 7, "tau_s": 0.5, "tau_d": 0.5, "cycles": 1, "samples": 3},
                expect={
                    "M": 7.0 * (np.exp(-np.array([0.0, 0.25, 0.5, 0.5, 0.75, 1.0])) - 0.5),
                    "t": np.array([0.0, 0.25, 0.5, 0.5, 0.75, 1.0]),
                },
                origin="independent decay of every emitter",
                atol=1e-11,
            ),
        ),
        reference_tolerance=(1e-6, 2e-8),
        random_parameters=random_parameters,
        unit_of_time="1/gamma",
    ),
)
