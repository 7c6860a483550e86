"""battery.limit_cycle: what the cycle of pulse, storage and discharge converges to (section IV, Eq. 8).

Methods: `chain` takes the flash as instantaneous (Gamma to infinity) and finds the Perron vector of a Markov chain on S;
`exact` and `cumulant` are fixed points at finite Gamma. For comparison the S after discharge that Eq. (8) gives, to linear
order in the times: s = 2S/N solves

    s^2 - s [(tau_d - tau_s)/(tau_d + tau_s) - (2/N) tau_d/(tau_d + tau_s)] - 2/N = 0      corrected
    s^2 - s [(tau_d - tau_s)/(tau_d + tau_s) - 4/N] - 4/N = 0                              printed

The corrected one follows from Eqs. (5) and (7) for M = +-S without spread of S; the printed one mixes normalisations and
turns S = sqrt(N/2) at equal times into sqrt(N) (physics document, section 6).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from solvers.batch import Point
from solvers.declarations import Check, Output, Parameter, Starter
from solvers.model import Method, Model
from solvers.models.battery import chain as on_S
from solvers.models.battery import cumulant_limit, exact_limit
from solvers.models.battery import declarations as declare
from solvers.models.battery.points import ratio
from solvers.models.battery.reference import DenseBattery, MomentBattery, Start
from solvers.outcome import WARNED, InvalidInput, Kind, Remark
from solvers.shared_parameters import tolerances

CONVERGED_SHARE = 0.01
"""cycles_to_converge counts until the released energy is this close to its limit, relatively."""


PERIOD_2 = "there is an orbit of period 2 instead of a limit cycle"


def equation_8(N: int, tau_s: float, tau_d: float, printed: bool) -> float:
    """S after discharge from Eq. (8), corrected or printed; NaN without any time."""
    if tau_s + tau_d == 0.0:
        return math.nan
    share = tau_d / (tau_s + tau_d)
    linear = 2.0 * share - 1.0 - (4.0 / N if printed else 2.0 * share / N)
    constant = (4.0 if printed else 2.0) / N
    return 0.25 * N * (linear + math.sqrt(linear * linear + 4.0 * constant))


def solve_chain(p: Point) -> dict[str, Any]:
    """The limit of the chain on S."""
    chain = on_S.build(p["N"], p["gamma"], p["dephasing"], p["tau_s"], p["tau_d"])
    distribution = chain.limit()
    square = chain.S * (chain.S + 1.0)
    released = float(chain.released @ distribution)
    outputs = {
        "S_after_discharge": math.sqrt(float(square @ distribution) + 0.25) - 0.5,
        "meanS_after_discharge": float(chain.S @ distribution),
        "S_after_storage": math.sqrt(float(square @ chain.storage @ distribution) + 0.25) - 0.5,
        "released": released,
        "charged": 2.0 * float(chain.S @ distribution),
        "second_eigenvalue": math.nan,
        "cycles_to_converge": math.nan,
    }
    if p.wants("second_eigenvalue"):
        outputs["second_eigenvalue"] = chain.second_eigenvalue()
    if p.wants("cycles_to_converge"):
        outputs["cycles_to_converge"] = chain.cycles_until(released, CONVERGED_SHARE)
    return outputs


def doubts(p: Point, missed: float, first: float, last: float) -> dict[str, Any]:
    """Status 1 where the search ended before the tolerance was met, or the cycles were not counted."""
    notes = []
    if not missed <= 1.0:
        notes.append(
            f"the limit cycle was not found to the tolerance: the last correction was {missed:.2g} times as large"
        )
    elif p.wants("cycles_to_converge"):
        if math.isnan(first):
            notes.append(f"cycles_to_converge is beyond max_cycles = {p['max_cycles']}")
        elif last != first:
            until = "max_cycles" if math.isnan(last) else f"{last:.0f}"
            notes.append(f"rounding hides which cycle from {first:.0f} to {until} is cycles_to_converge")
    if not notes:
        return {}
    return {"status": WARNED, "remark": Remark(kind=Kind.NOT_CONVERGED, message="; ".join(notes))}


def for_ever(p: Point) -> dict[str, Any] | None:
    """The orbit of period 2 of emitters that are never emptied, at finite Gamma; None where there is a limit cycle."""
    if p["gamma"] > 0.0 or p["Gamma"] * p["tau_d"] > 0.0:
        return None
    message = (
        "neither loss nor discharge: the pulses turn all emitters up and down for ever, an orbit of period 2 and no limit "
        f"cycle; a pulse adds {p['N']} and -{p['N']} in turn, charged and efficiency are NaN"
    )
    S = 0.5 * p["N"]
    return {
        "S_after_discharge": S,
        "meanS_after_discharge": S,
        "S_after_storage": S,
        "released": 0.0,
        "charged": math.nan,
        "cycles_to_converge": 1.0,
        "status": WARNED,
        "remark": Remark(kind=Kind.NOT_AT_REST, message=message),
    }


def solve_exact(p: Point) -> dict[str, Any]:
    """The limit of the populations."""
    if (orbit := for_ever(p)) is not None:
        return orbit
    chain = on_S.build(p["N"], p["gamma"], p["dephasing"], p["tau_s"], p["tau_d"])
    cycle = exact_limit.CycleMap(p)
    found = exact_limit.find(p, chain, cycle)
    first = last = math.nan
    if p.wants("cycles_to_converge") and found.missed <= 1.0:
        first, last = exact_limit.cycles_until(cycle, p["N"], found, CONVERGED_SHARE, p["max_cycles"])
    return {
        "S_after_discharge": found.discharged.S,
        "meanS_after_discharge": found.discharged.mean_S,
        "S_after_storage": found.stored.S,
        "released": found.released,
        "charged": -2.0 * found.discharged.M,
        "cycles_to_converge": first,
    } | doubts(p, found.missed, first, last)


def too_many(p: Point) -> bool:
    """Whether running all of max_cycles would be in vain: the price is known before.

    Not one lifetime of an emitter fits in, or the flash is over within tau_d and the chain needs twice as many.
    """
    most, individual = p["max_cycles"], p["gamma"] + 4.0 * p["dephasing"]
    if 0.0 < individual * (p["tau_s"] + p["tau_d"]) * most < 1.0:
        return True
    if p["N"] > declare.LARGEST_EXACT or p["dephasing"] > 0.0 or not p["Gamma"] * p["N"] * p["tau_d"] > 10.0:
        return False
    chain = on_S.build(p["N"], p["gamma"], 0.0, p["tau_s"], p["tau_d"])
    return not chain.cycles_until(float(chain.released @ chain.limit()), CONVERGED_SHARE) <= 2.0 * most


def solve_cumulant(p: Point) -> dict[str, Any]:
    """The fixed point of the cumulants."""
    if (orbit := for_ever(p)) is not None:
        return orbit
    found = cumulant_limit.find(p)
    count = math.nan
    if p.wants("cycles_to_converge") and found.missed <= 1.0 and not too_many(p):
        count = cumulant_limit.cycles_until(p, found.cycle.released, CONVERGED_SHARE, p["max_cycles"])
    return {
        "S_after_discharge": found.S,
        "S_after_storage": found.cycle.S_stored,
        "released": found.cycle.released,
        "charged": 2.0 * found.cycle.M_pulse,
        "cycles_to_converge": count,
    } | doubts(p, found.missed, count, count)


def solve(find: Callable[[Point], dict[str, Any]], p: Point) -> dict[str, Any]:
    """What `find` finds of the limit cycle, what follows from it, and Eq. (8)."""
    outputs = find(p)
    times = p["tau_s"], p["tau_d"]
    outputs["efficiency"] = ratio(outputs["released"], outputs["charged"])
    outputs["power"] = outputs["released"] / sum(times)
    outputs["S_equation_8"] = equation_8(p["N"], *times, printed=False)
    outputs["S_equation_8_printed"] = equation_8(p["N"], *times, printed=True)
    return outputs


def validate(p: Mapping[str, Any]) -> None:
    if p["tau_s"] + p["tau_d"] == 0.0:
        raise InvalidInput(
            "parameters tau_s and tau_d of battery.limit_cycle: a cycle needs some time; "
            "allowed is tau_s + tau_d > 0; given was 0 and 0"
        )


def reference_chain(p: Mapping[str, Any]) -> dict[str, float]:
    """The flash is made fast, and what is left of 1/Gamma is extrapolated away."""
    fast = 3e3 * (p["gamma"] + 4.0 * p["dephasing"] + 1.0 / p["tau_d"])
    slower, faster = (run_until_steady(DenseBattery, 1e-12, {**p, "Gamma": Gamma}) for Gamma in (fast, 2.0 * fast))
    return {name: 2.0 * faster[name] - slower[name] for name in slower}


def run_until_steady(start: Start, noise: float, p: Mapping[str, Any]) -> dict[str, float]:
    """Readings of the last of up to 2000 cycles of dense matrices or complex moments, of which `noise` remains."""
    battery = start(p["N"], False)
    found: dict[str, float] = {}
    for _ in range(2000):
        at_start = battery.read()["M"]
        battery.pulse(math.pi)
        found["charged"] = 2.0 * battery.read()["M"]
        battery.evolve(p["tau_s"], p["gamma"], 0.0, p["dephasing"])
        found["S_after_storage"] = battery.read()["S"]
        before = found.get("released", math.nan)
        found["released"], _ = battery.evolve(p["tau_d"], p["gamma"], p["Gamma"], p["dephasing"])
        after = battery.read()
        change = max(abs(battery.read()["M"] - at_start), abs(found["released"] - before))
        if change < noise:
            break
    return found | {f"{name}_after_discharge": value for name, value in after.items() if name != "M"}


def random_parameters(rng: np.random.Generator) -> dict[str, Any]:
    return {
        "N": int(rng.integers(1, 4)),
        "Gamma": float(rng.choice([0.0, rng.uniform(0.1, 50.0)])),
        "gamma": float(rng.uniform(1.0, 2.0)),
        "dephasing": float(rng.choice([0.0, rng.uniform(0.0, 3.0)])),
        "tau_s": float(rng.uniform(0.7, 2.0)),
        "tau_d": float(rng.uniform(0.7, 2.0)),
    }


A, B = math.exp(-0.3), math.exp(-0.2)
"""Survival of one emitter in the storage and in the discharge of the checks below."""

MODELS = (
    Model(
        id="battery.limit_cycle",
        title="Limit cycle of the quantum battery",
        source=f"{declare.SOURCE}, section IV, Eq. (8)",
        methods=(
            Method(
                name="chain",
                meaning="Perron vector of the Markov chain on S for an instantaneous flash",
                source="exact populations for Gamma to infinity",
                solve=partial(solve, solve_chain),
                reference=reference_chain,
                limit=declare.EXACT_LIMIT,
            ),
            declare.EXACT(
                solve=partial(solve, solve_exact),
                reference=partial(run_until_steady, DenseBattery, 1e-12),
                limit=declare.EXACT_LIMIT,
            ),
            declare.CUMULANT(
                solve=partial(solve, solve_cumulant),
                reference=partial(run_until_steady, MomentBattery, 1e-10),  # LSODA's own noise is 1e-11
            ),
        ),
        parameters=(
            declare.N,
            declare.GAMMA_COLLECTIVE,
            declare.GAMMA,
            declare.DEPHASING,
            declare.TAU_S,
            declare.TAU_D,
            Parameter(
                name="tolerance",
                meaning="relative tolerance of the limit cycle (exact, cumulant)",
                default=1e-7,
                bounds=(1e-12, 0.1),
                physical=False,
            ),
            Parameter(
                name="max_cycles",
                meaning="up to which cycles_to_converge is counted (exact, cumulant)",
                default=100_000,
                kind="integer",
                bounds=(1, 1e7),
                physical=False,
            ),
            *tolerances(rtol=1e-8, atol=1e-11),
        ),
        outputs=(
            declare.length("after_discharge"),
            declare.mean_length("after_discharge", ("chain", "exact")),
            declare.length("after_storage"),
            declare.energy("released", "energy released collectively per cycle", symbol="E"),
            replace(declare.energy("charged", "energy that a pulse adds"), nan=PERIOD_2),
            Output(
                name="efficiency",
                label="efficiency",
                meaning="efficiency released/charged",
                nan=f"{declare.NOTHING_CHARGED}, or {PERIOD_2}",
            ),
            Output(
                name="power",
                label="power",
                meaning="power released/(tau_s+tau_d)",
                unit="hbar*omega_s*gamma",
                symbol="P",
            ),
            Output(
                name="cycles_to_converge",
                label="cycles to converge",
                meaning="first cycle, from the ground state, whose released energy is within 1 % of the limit",
                nan="more than max_cycles, or the limit was not found to the tolerance",
                bounds=(1.0, math.inf),
            ),
            Output(
                name="second_eigenvalue",
                meaning="modulus by which deviations shrink per cycle (0 if S has one value only)",
                label="contraction per cycle",
                symbol=r"\lambda_2",
                methods=("chain",),
            ),
            Output(
                name="S_equation_8", label="S by Eq. (8)", meaning="S after discharge by Eq. (8), corrected", symbol="S"
            ),
            Output(
                name="S_equation_8_printed",
                label="S by Eq. (8) as printed",
                meaning="S after discharge by Eq. (8) as printed",
                symbol="S",
            ),
        ),
        example={"N": 140, "Gamma": 1600.0, "tau_s": 0.0187, "tau_d": 0.0375},
        starter=Starter(axes={"tau_d": {"logspace": [0.004, 1.0, 41]}}),
        checks=(
            Check(
                parameters={"N": 140, "tau_s": 1e-4, "tau_d": 1e-4},
                expect={"S_equation_8_printed": 10.87434, "S_equation_8": 8.12033},
                origin="quadratic formula by hand: 35 (-4/N + sqrt(16/N^2 + 16/N)), 35 (-1/N + sqrt(1/N^2 + 8/N))",
                atol=1e-5,
            ),
            Check(
                parameters={"N": 1, "tau_s": 0.3, "tau_d": 0.2},
                expect={"released": math.exp(-0.3), "charged": 1.0, "S_after_discharge": 0.5},
                origin="one emitter, always emptied by the discharge",
                atol=1e-12,
            ),
            Check(
                parameters={"N": 2, "tau_s": 0.3, "tau_d": 0.2},
                expect={"meanS_after_discharge": (1.0 - B * A) / (1.0 - B * A + B * A * (1.0 - A))},
                origin="two emitters: singlet -> singlet with b a, triplet -> singlet with b a (1-a), a = exp(-gamma tau_s), "
                "b = exp(-gamma tau_d)",
                atol=1e-12,
            ),
        ),
        reference_tolerance=(2e-6, 2e-7),
        random_parameters=random_parameters,
        validate=validate,
        unit_of_time="1/gamma",
    ),
)
