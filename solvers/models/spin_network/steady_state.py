"""spin_network.steady_state: where a network comes to rest.

    exact       L rho = 0, with the residual |L rho| and the spectral gap, N <= 8
    cumulant    state of rest of the second-order equations reached from the start
    mean_field  the same in first order

The exact steady state is unique when the gap is open; if not, it is the one reached from the start (status 1). The moment
equations may have several states of rest, unstable ones among them (a start that is one stays there: status 1), or none.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from solvers.batch import Point
from solvers.declarations import AXIS, AXIS2, SITE, SITE2, Check, Output, Starter
from solvers.engines.limits import density_matrix_limit
from solvers.engines.master_equation.states import moment_indices, purity, split_moments
from solvers.engines.master_equation.steady_state import MOST_SPINS, steady_state
from solvers.engines.moments.fixed_point import settle
from solvers.engines.moments.integration import CUMULANTS
from solvers.engines.moments.integration import MEAN_FIELD as FIRST_ORDER
from solvers.engines.pair_states import first_unphysical, smallest_pair_eigenvalue
from solvers.engines.validity import judge, judge_steady, must_rest
from solvers.model import Method, Model
from solvers.models.spin_network import reference
from solvers.models.spin_network.bulk import rests_in_bulk
from solvers.models.spin_network.network import (
    CUMULANT,
    MEAN_FIELD,
    NETWORK,
    SOURCE,
    UNIT_OF_TIME,
    build_system,
    check_start,
    random_network,
    size_cost,
    start_moments,
    start_state,
    surely_valid,
)
from solvers.outcome import OK, WARNED, Kind, Remark
from solvers.shared_parameters import tolerances


def solve_moments(order: int, parameters: Point) -> Mapping[str, Any]:
    """The state of rest of the moment equations that is reached from the start."""
    system = build_system(parameters)
    rest = settle(
        system,
        order,
        *start_moments(parameters),
        rtol=parameters["rtol"],
        atol=parameters["atol"],
        max_steps=parameters["max_steps"],
    )
    must_rest(rest.code, rest.at_rest, rest.time, rest.derivative)
    smallest = smallest_pair_eigenvalue(rest.spins[None], rest.correlations[None])
    bad, reason = first_unphysical(np.zeros(1), rest.spins[None], smallest)
    status, remark = judge(system)
    if not np.isnan(bad):
        status, remark = WARNED, Remark(kind=Kind.OUT_OF_PHYSICS, message=f"the state of rest is no state: {reason}")
    elif not rest.stable and status == OK:
        status = WARNED
        remark = Remark(kind=Kind.UNSTABLE, message="the state of rest is unstable; another start leads elsewhere")
    return {
        "spins": rest.spins,
        "correlations": rest.correlations,
        "min_pair_eigenvalue": smallest[0],
        "status": status,
        "remark": remark,
    }


def solve_exact(parameters: Point) -> Mapping[str, Any]:
    """The null vector of L."""
    n = parameters["N"]
    system = build_system(parameters)
    # kept or not, the gap decides the status
    found = steady_state(system, start_state(parameters), budget=5.0 * parameters["max_steps"])
    doubt = judge_steady(found)
    status, remark = judge(system) if doubt is None else (WARNED, doubt)
    spins, correlations = split_moments(found.r[moment_indices(n)], n)
    return {
        "spins": spins,
        "correlations": correlations,
        "min_pair_eigenvalue": smallest_pair_eigenvalue(spins[None], correlations[None])[0],
        "purity": purity(found.r),
        "gap": found.gap,
        "residual": found.residual,
        "status": status,
        "remark": remark,
    }


def validate(parameters: Mapping[str, Any]) -> None:
    """ValueError for input that is no network or no state."""
    build_system(parameters)
    check_start(parameters)


def random_parameters(rng: np.random.Generator) -> dict[str, Any]:
    """A network of two or three spins with every kind of term."""
    return random_network(rng, int(rng.integers(2, 4)))


_BOND = np.zeros((2, 2, 3, 3))
_BOND[0, 1, 2, 2] = 1.0

MODELS = (
    Model(
        id="spin_network.steady_state",
        title="Steady state of a spin network",
        source=SOURCE,
        methods=(
            Method(
                name="exact",
                meaning="L rho = 0 and the spectrum by invariant blocks of L: elimination, or secular iterations where a block is large",
                source="Eqs. (1), (28)",
                solve=solve_exact,
                bulk=rests_in_bulk,
                reference=reference.exact_steady_state,
                cost=size_cost(lambda n: 4.0**n),
                limit=density_matrix_limit(MOST_SPINS),
            ),
            CUMULANT(
                solve=partial(solve_moments, CUMULANTS),
                reference=partial(reference.moment_steady_state, True),
                cost=size_cost(lambda n: n**3),
            ),
            MEAN_FIELD(
                solve=partial(solve_moments, FIRST_ORDER),
                reference=partial(reference.moment_steady_state, False),
                cost=size_cost(lambda n: n**2),
            ),
        ),
        parameters=(*NETWORK, *tolerances(rtol=1e-10, atol=1e-12, max_steps=200_000)),
        outputs=(
            Output(
                name="spins", meaning="<s_i^a>", label="spin", dims=("site", "axis"), symbol=r"\langle\vec{s}_i\rangle"
            ),
            Output(
                name="correlations",
                meaning="raw <s_i^a s_j^b>, zero for i = j",
                label="raw correlation",
                dims=("site", "site2", "axis", "axis2"),
                symbol=r"C_{ij}^{ab}",
            ),
            Output(
                name="min_pair_eigenvalue",
                meaning="smallest eigenvalue of all pair density matrices (N = 1: of the spin's)",
                label="smallest pair eigenvalue",
                symbol=r"\lambda_{\min}",
            ),
            Output(name="purity", meaning="Tr rho^2", label="purity", symbol=r"\mathrm{Tr}\rho^2", methods=("exact",)),
            Output(
                name="gap",
                meaning="minus the largest real part of the other eigenvalues of L",
                label="dissipative gap",
                unit="1/time",
                symbol=r"\Delta",
                methods=("exact",),
                nan="the eigenvalues did not converge",
            ),
            Output(
                name="residual",
                meaning="Frobenius norm of L rho",
                unit="1/time",
                symbol=r"\|\mathcal{L}\rho\|",
                methods=("exact",),
            ),
        ),
        dimensions=(SITE, SITE2, AXIS, AXIS2),
        validate=validate,
        surely_valid=surely_valid,
        example={
            "N": 2,
            "h": [[0.8, 0.0, 0.0], [0.8, 0.0, 0.0]],
            "A": _BOND.tolist(),
            "gamma_minus": 2.0,
        },
        starter=Starter(
            axes={"gamma_minus": {"logspace": [0.1, 10.0, 21]}}, parameters={"h": [[0.8, 0.0, 0.0], [0.4, 0.0, 0.0]]}
        ),
        checks=(
            Check(
                parameters={"N": 1, "gamma_minus": 0.72, "gamma_plus": 0.24},
                expect={"spins": [[0.0, 0.0, -0.5]], "gap": 0.48},
                origin="closed form: (gamma_+ - gamma_-)/(gamma_+ + gamma_-); slowest rate (gamma_+ + gamma_-)/2",
                method="exact",
                atol=1e-12,
            ),
        ),
        reference_tolerance=(1e-8, 1e-10),
        random_parameters=random_parameters,
        unit_of_time=UNIT_OF_TIME,
    ),
)
