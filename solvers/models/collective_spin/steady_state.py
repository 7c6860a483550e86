"""collective_spin.steady_state: the driven, collectively decaying spin at rest (Fig. 4).

    0 = -i Omega [S_x, rho] + (Gamma/2S) D[S^-] rho

`analytic` is the closed form of Puri and Lawande, for any S; `exact` eliminates the density matrix diagonal by diagonal.
`twoqs` averages trajectories after `t_relax`. Beyond |Omega| = Gamma that is not the steady state unless t_relax is many
times S/Gamma (the gap is about 0.5 to 0.75 Gamma/S), and the paper's noise cannot be followed that long (the variance of N
grows); a start in the middle of what is to come helps: `start` isotropic (random directions) is near the mixed phase
at once, ramp (Omega raised from 0 during t_relax) follows the branch below the transition, down keeps orbiting for S/Gamma.
The paper's Fig. 4(b) is what isotropic gives, not down. Variant conserving with a ring reaches it from anywhere.
`mean_field`: rest for |Omega| <= Gamma; beyond it the average over the orbit from down, with status 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from solvers.batch import Point
from solvers.declarations import AXIS, AXIS2, Check, Limit, Parameter, Starter
from solvers.engines import collective_mean_field, ladder_steady
from solvers.engines.phase_space.sample import Sampled, sample_average, spin
from solvers.engines.phase_space.single import DOWN, ISOTROPIC, RAMP
from solvers.model import Method, Model
from solvers.models.collective_spin import declarations as declare
from solvers.models.collective_spin.outcomes import of_samples, sampled_with_check, too_many_steps
from solvers.outcome import FAILED, OK, WARNED, Kind, Remark
from solvers.shared_parameters import tolerances

STARTS = {"down": DOWN, "isotropic": ISOTROPIC, "ramp": RAMP}


def undamped(p: Mapping[str, Any]) -> dict[str, Any] | None:
    """A failure without decay: every mixture of eigenstates of S_x is at rest."""
    if p["Gamma"] > 0.0:
        return None
    message = "without decay (Gamma = 0) the steady state is not unique; take Gamma > 0, as a rule 1"
    return dict.fromkeys(
        ("mean", "second", "mean_sem", "second_sem", "length_mean", "length_variance", "step_error", "samples"),
        math.nan,
    ) | {"status": FAILED, "remark": Remark(kind=Kind.NOT_UNIQUE, message=message)}


def analytic(p: Point) -> dict[str, Any]:
    """Closed form."""
    if stop := undamped(p):
        return stop
    mean, second = ladder_steady.closed_form(p["S"], p["Omega"], p["Gamma"])
    return {"mean": mean, "second": second}


def exact(p: Point) -> dict[str, Any]:
    """Block elimination."""
    if stop := undamped(p):
        return stop
    mean, second = ladder_steady.eliminated(p["S"], p["Omega"], p["Gamma"])
    return {"mean": mean, "second": second}


def mean_field(p: Point) -> dict[str, Any]:
    """The classical spin at rest, or its average over an orbit."""
    if stop := undamped(p):
        return stop
    mean, second, turning = collective_mean_field.driven_average(p["Omega"], p["Gamma"])
    message = (
        "beyond |Omega| = Gamma the classical spin never comes to rest; the average over its orbit from down is given"
    )
    return {
        "mean": p["S"] * mean,
        "second": p["S"] ** 2 * second,
        "status": WARNED if turning else OK,
        "remark": Remark(kind=Kind.NOT_AT_REST, message=message) if turning else None,
    }


def twoqs(p: Point) -> dict[str, Any]:
    """Trajectories, averaged over time and over one another."""
    nothing = undamped({"Gamma": 0.0})
    assert nothing is not None
    if stop := undamped(p):
        return stop
    tuning = {name: p[name] for name in ("distribution", "variant", "sampling", "ordering", "step")}
    one = spin(S=p["S"], Omega=p["Omega"], Gamma=p["Gamma"], start=STARTS[p["start"]], **tuning)
    if stop := too_many_steps(p["t_relax"] + p["t_average"], p):
        return nothing | stop
    relax, steps = (round(p[name] / p["step"]) for name in ("t_relax", "t_average"))

    def draw(which: Any, count: int, target: float, error_of: Any) -> Sampled:
        twice = 2**which.refined
        return sample_average(which, p.key, twice * relax, twice * steps, count, target, error_of)

    sampled, step_error = sampled_with_check(p, one, p["t_relax"] + p["t_average"], ("mean", "second"), draw)
    found = of_samples(sampled, one, None, step_error)
    return {name: value[0] for name, value in sampled.values._asdict().items()} | found


def reference(p: Mapping[str, Any]) -> dict[str, Any]:
    """The null vector of the Liouvillian matrix."""
    S = p["S"]
    n = round(2 * S) + 1
    m = S - np.arange(n)
    up = np.diag(np.sqrt(S * (S + 1) - m[1:] * (m[1:] + 1)), 1)
    x, y, z = (up + up.T) / 2, (up - up.T) / 2j, np.diag(m)
    one = np.eye(n)
    H, product = p["Omega"] * x, up @ up.T
    L = -1j * (np.kron(H, one) - np.kron(one, H.T))
    L = L + p["Gamma"] / (2 * S) * (2 * np.kron(up.T, up.T) - np.kron(product, one) - np.kron(one, product))
    rho = np.linalg.svd(L)[2][-1].conj().reshape(n, n)
    rho = rho / np.trace(rho)
    operators = (x, y, z)
    return {
        "mean": np.array([np.trace(a @ rho).real for a in operators]),
        "second": np.array([[np.trace((a @ b + b @ a) @ rho).real / 2 for b in operators] for a in operators]),
    }


def random_parameters(rng: np.random.Generator) -> dict[str, Any]:
    return {
        "S": float(rng.choice([0.5, 1.0, 1.5, 2.0, 3.5])),
        "Omega": float(rng.choice([0.0, rng.normal()])),
        "Gamma": float(rng.uniform(0.3, 2.0)),
        "t_relax": 2.0,
        "t_average": 1.0,
        "trajectories": 50,
    }


MODELS = (
    Model(
        id="collective_spin.steady_state",
        title="A driven collective spin with collective decay at rest",
        source=f"{declare.SOURCE}, section 2.6, Fig. 4",
        methods=(
            Method(
                name="analytic",
                meaning="closed form, any S",
                source="R. R. Puri and S. V. Lawande, Phys. Lett. A 72, 200 (1979)",
                solve=analytic,
                reference=reference,
                limit=Limit(
                    text=f"S <= {declare.LARGEST_CLOSED_FORM:.0e} (about 160 S bytes)",
                    holds=lambda p: np.asarray(p["S"]) <= declare.LARGEST_CLOSED_FORM,
                ),
            ),
            Method(
                name="exact",
                meaning="density matrix, eliminated diagonal by diagonal",
                solve=exact,
                reference=reference,
                limit=Limit(
                    text=(
                        f"S <= {declare.LARGEST_ELIMINATED} (about 8 S^4 operations) and |Omega| <= 1000 Gamma (the error is "
                        "about 1e-15 (Omega/Gamma)^2)"
                    ),
                    holds=lambda p: (
                        (np.asarray(p["S"]) <= declare.LARGEST_ELIMINATED)
                        & ((np.abs(p["Omega"]) <= 1000 * np.asarray(p["Gamma"])) | (np.asarray(p["Gamma"]) == 0))
                    ),
                ),
            ),
            Method(
                name="twoqs",
                meaning="trajectories of Schwinger modes, averaged over t_average after t_relax",
                source="Eqs. (22)-(23)",
                solve=twoqs,
                draws_numbers=True,
            ),
            Method(
                name="mean_field",
                meaning="classical spin from down: at rest, or beyond the transition the average over its orbit",
                solve=mean_field,
            ),
        ),
        parameters=(
            declare.S,
            declare.OMEGA,
            declare.GAMMA,
            Parameter(
                name="start",
                meaning="start of the trajectories: down, a random direction each, or down with Omega raised during t_relax",
                default="down",
                kind="choice",
                choices=tuple(STARTS),
                physical=False,
            ),
            *declare.twoqs_parameters(),
            *declare.averaging(),
            tolerances()[2],
        ),
        outputs=(
            *declare.moments(()),
            declare.sem("mean", ("axis",)),
            declare.sem("second", ("axis", "axis2")),
            *declare.monitors(()),
        ),
        dimensions=(AXIS, AXIS2),
        validate=declare.check_spin,
        example={"S": 50.0, "Omega": 0.6, "Gamma": 1.0, "t_relax": 10.0, "t_average": 5.0, "trajectories": 200},
        starter=Starter(axes={"Omega": {"linspace": [0.1, 2.0, 20]}}),
        checks=(
            Check(
                parameters={"S": 0.5, "Omega": 1.5, "Gamma": 1.0},
                expect={"mean": [0.0, 6.0 / 17.0, -4.0 / 17.0]},
                origin="optical Bloch equations of one two-level system with the decay rate 2 Gamma: s_y = 2 Omega Gamma/(4 Gamma^2 + 2 Omega^2)",
                atol=1e-12,
            ),
            Check(
                parameters={"S": 2e5, "Omega": 1e6, "Gamma": 1.0},
                expect={"second": ((2, 2), 2e5 * (2e5 + 1) / 3)},
                origin="a strong drive leaves the unpolarised state, <S_z^2> = S(S+1)/3",
                rtol=1e-6,
            ),
            Check(
                method="mean_field",
                parameters={"S": 1000.0, "Omega": 0.6, "Gamma": 1.0},
                expect={"mean": [0.0, 600.0, -800.0]},
                origin="closed form: s_y = S Omega/Gamma",
                atol=1e-9,
            ),
        ),
        random_parameters=random_parameters,
        reference_tolerance=(1e-8, 1e-8),
        unit_of_time=declare.UNIT_OF_TIME,
    ),
)
