"""battery.release by truncated Wigner trajectories: what `solvers.engines.truncated_wigner` makes of N emitters from all up.

Storage is exact (no emitter knows of another). In the discharge the first moments of individual decay, dephasing and pump
are exact, and collective emission has the vacuum noise that starts its flash.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.batch import Point
from solvers.declarations import Limit, Output, Parameter
from solvers.engines.rare_events import allowing_for_unseen, unseen
from solvers.engines.sampling_price import trajectories_to_draw
from solvers.engines.truncated_wigner.channels import channel
from solvers.engines.truncated_wigner.emitters import EMISSION_PER_STEP, QUANTITIES, release
from solvers.engines.truncated_wigner.parameters import sampling
from solvers.outcome import OK, WARNED, Kind, PointFailed, Remark
from solvers.shared_parameters import seed, trajectories

LARGEST = 1_000_000
FIRST_LOOK = 64
"""Trajectories before and between looks at the standard error."""
NAMES = ("M_before", "S_before", "M_after", "S_after", "released", "individual_loss")
LIMIT = Limit(text=f"N <= {LARGEST:.0e} (24 N bytes)", holds=lambda p: np.asarray(p["N"]) <= LARGEST)


def parameters() -> tuple[Parameter, ...]:
    """What tunes the trajectories."""
    return (trajectories(1000), seed(), *sampling("1/gamma"))


def errors() -> tuple[Output, ...]:
    """Standard errors, and the number of trajectories."""
    return (
        *(
            Output(
                name=f"{name}_sem",
                meaning=f"standard error of {name}",
                methods=("twa",),
                unit="hbar*omega_s" if name in NAMES[4:] else "1",
                nan="a single trajectory has none",
            )
            for name in NAMES
        ),
        Output(name="samples", meaning="number of trajectories that were averaged", methods=("twa",)),
    )


def estimates(mean: NDArray[np.float64], sem: NDArray[np.float64]) -> dict[str, float]:
    """Outputs and their errors from those of the QUANTITIES; S from <S^2> = S(S+1)."""
    found = {}
    for name, value, error in zip(NAMES, mean, sem, strict=True):
        if name[0] == "S":
            root = math.sqrt(value + 0.25)
            value, error = root - 0.5, error / (2.0 * root)
        found[name], found[f"{name}_sem"] = float(value), float(error)
    return found


def price(p: Point) -> float:
    """About the seconds of one trajectory: starts and channels of every emitter, then steps and jumps of 0.2 us."""
    events = (p["gamma"] + p["pump"] + p["dephasing"]) * p["N"] + p["Gamma"] / EMISSION_PER_STEP
    steps = max(events * p["window"], p["window"] / p["step"] if p["step"] > 0.0 else 0.0)
    return 1e-5 + 5e-8 * p["N"] + 2e-7 * min(steps, p["max_steps"])


def averages(p: Point, most: int, target_error: float) -> tuple[dict[str, float], int, float]:
    """Means with standard errors over trajectories 0, 1, ..., how many, and the largest error that is wanted.

    They are `most`, or fewer where that error is at most `target_error` before.
    """
    N = p["N"]
    collective, minus = p["Gamma"], p["gamma"]
    together = 0.0
    if N == 1 and collective > 0.0:
        # the collective channel of a lone emitter is one more individual one
        together = collective / (collective + minus)
        collective, minus = 0.0, collective + minus
    rates = np.array([collective, minus, p["pump"], p["dephasing"], together])
    storage = channel(p["gamma"], p["pump"], p["dephasing"], p["tau_s"])
    discharge = channel(minus, p["pump"], p["dephasing"], p["window"])

    def happens(*rates_and_times: tuple[float, float]) -> float:
        return -math.expm1(-N * sum(rate * time for rate, time in rates_and_times))

    quanta, flips = p["gamma"] + p["pump"], p["dephasing"] if N > 1 else 0.0
    before, after = happens((quanta, p["tau_s"])), happens((quanta, p["tau_s"]), (minus + p["pump"], p["window"]))
    # S of one emitter is 1/2 for ever
    happened = (
        before,
        happens((quanta + flips, p["tau_s"])) if N > 1 else 0.0,
        after,
        happens((quanta + flips, p["tau_s"] + p["window"])) if N > 1 else 0.0,
        after if p["Gamma"] > 0.0 else 0.0,
        after if p["gamma"] > 0.0 else 0.0,
    )
    s, out = np.empty((3, N)), np.empty(QUANTITIES)
    total, spread = np.zeros(QUANTITIES), np.zeros(QUANTITIES)
    wanted = [k for k, name in enumerate(NAMES) if p.wants(name, f"{name}_sem")] or list(range(QUANTITIES))
    done, found = 0, {}
    error = math.nan
    for number in range(most):
        which = np.uint64(p.key), np.uint64(number)
        steps = release(*which, N, storage, discharge, rates, p["window"], p["step"], p["max_steps"], s, out)
        if steps < 0:
            raise PointFailed(
                Kind.STEP_BUDGET_SPENT,
                f"a window of {p['window']:g} takes more than max_steps = {p['max_steps']} steps and jumps; raise it",
            )
        done += 1
        change = out - total
        total += change / done
        spread += change * (out - total)
        if done == most or (target_error > 0.0 and done % FIRST_LOOK == 0):
            found = estimates(total, np.sqrt(spread / (done * (done - 1))) if done > 1 else np.full(QUANTITIES, np.nan))
            for name, event in zip(NAMES, happened, strict=True):
                # a quantum more or less moves M, S and the energies by about one
                one = np.array([found[f"{name}_sem"]])
                found[f"{name}_sem"] = float(allowing_for_unseen(one, 1.0, unseen(np.array([event]), done))[0])
            error = max(found[f"{NAMES[k]}_sem"] for k in wanted)
            if error <= target_error:
                break
    return found, done, error


def solve_twa(p: Point) -> dict[str, Any]:
    """Means over trajectories with standard errors."""
    most = trajectories_to_draw(
        p["trajectories"],
        price(p),
        paid=p["max_steps"] / 1e6,
        target_error=p["target_error"],
        first_look=FIRST_LOOK,
        error_of=lambda count: averages(p, count, 0.0)[2],
    )
    found, done, error = averages(p, most, p["target_error"])
    result: dict[str, Any] = found | {"samples": done, "status": OK}
    if p["target_error"] > 0.0 and not error <= p["target_error"]:
        message = f"target_error was not reached with trajectories = {done}"
        result |= {"status": WARNED, "remark": Remark(kind=Kind.INACCURATE, message=message)}
    return result
