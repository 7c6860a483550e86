"""spin_network.dynamics: spins, pair correlations and their validity in time, from a given start.

    mean_field     first order; any N; conserves |s_i| without dissipation
    cumulant       second order, Eq. (30); exact for N <= 2 (then solved as such) and disjoint pairs; errors from product states O(t^4) in s, O(t^3) in C
    exact          density matrix in the real Pauli basis, N <= 12; a wave function if closed and pure, N <= 16; status 1 where
                   rounding is amplified beyond rtol
    quantum_jumps  wave functions with jumps, N <= 16, for Gamma >= 0

Second order is not positive: |s_i| > 1 or a negative pair eigenvalue says that the closure has left physics. Such a point
keeps its numbers, with status 1 and the first bad time (the end of an integrator's step); a divergence has status 2. Where
all sites, pairs and spins of a product start are equal, third-order cumulants are computed as well: status 1 from when on
they change a spin or a correlation by more than 0.01. Else nothing tells where a closure is wrong while its pairs stay
states, as in one-axis twisting with couplings that are not quite equal (`spin_lattice.dynamics` says how much). Where the step budget of a
moment method is spent, the output times before are kept: status 1, later ones NaN.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.batch import Point
from solvers.declarations import AXIS, AXIS2, SITE, SITE2, TIME, Check, Output, Starter
from solvers.engines.limits import WAVE_FUNCTION_LIMIT, exact_limit
from solvers.engines.master_equation.exact import evolve_exactly, judged
from solvers.engines.master_equation.states import split_moments
from solvers.engines.moments.integration import CUMULANTS
from solvers.engines.moments.integration import MEAN_FIELD as FIRST_ORDER
from solvers.engines.moments.propagation import propagate
from solvers.engines.pair_states import first_unphysical, smallest_pair_eigenvalue
from solvers.engines.spin_system import product_correlations
from solvers.engines.symmetric.path import follow
from solvers.engines.symmetric.system import all_alike
from solvers.engines.trajectories import sample
from solvers.engines.validity import AFTER_BUDGET, earliest, judge
from solvers.model import Method, Model
from solvers.models.spin_network import reference
from solvers.models.spin_network.bulk import cumulants_in_bulk, exact_in_bulk, mean_field_in_bulk
from solvers.models.spin_network.network import (
    CUMULANT,
    MEAN_FIELD,
    MOST_EXACT,
    NETWORK,
    SOURCE,
    UNIT_OF_TIME,
    build_system,
    check_start,
    closed_and_pure,
    exact_start,
    product_start,
    random_network,
    size_cost,
    start_moments,
    surely_valid,
)
from solvers.shared_parameters import seed, times, tolerances, trajectories


def solve_exact(parameters: Point) -> dict[str, Any]:
    """By the density matrix, or the wave function of a closed system."""
    n = parameters["N"]
    system = build_system(parameters)
    found = evolve_exactly(
        system,
        exact_start(parameters),
        parameters["times"],
        rtol=parameters["rtol"],
        max_steps=parameters["max_steps"],
        purity=parameters.wants("purity"),
    )
    spins, correlations = split_moments(found.observed, n)
    outputs = _outputs(parameters, system, spins, correlations, positive=system.positive)
    outputs["status"], outputs["remark"] = judged(found, parameters["rtol"], outputs["status"], outputs["remark"])
    return outputs | {"purity": found.purity}


def solve_jumps(parameters: Point) -> Mapping[str, Any]:
    """Means over trajectories, with standard errors."""
    n = parameters["N"]
    system = build_system(parameters)
    drawn = sample(
        system,
        product_start(parameters),
        parameters["times"],
        key=parameters.key,
        trajectories=parameters["trajectories"],
        collective=False,
        max_steps=parameters["max_steps"],
    )
    spins, correlations = split_moments(drawn.mean, n)
    spins_sem, correlations_sem = split_moments(drawn.sem, n)
    return _outputs(parameters, system, spins, correlations, positive=True) | {
        "spins_sem": spins_sem,
        "correlations_sem": correlations_sem,
    }


def solve_moments(order: int, parameters: Point) -> Mapping[str, Any]:
    """By moments of first or second order; without a spin to leave out they are the master equation, and linear."""
    n, when = parameters["N"], parameters["times"]
    if n <= order:
        outputs = solve_exact(parameters)
        del outputs["purity"]
        return outputs
    system = build_system(parameters)
    spins = np.full((len(when), n, 3), np.nan)
    correlations = np.full((len(when), n, n, 3, 3), np.nan)

    def receive(first: int, s: NDArray[np.float64], c: NDArray[np.float64] | None) -> None:
        spins[first : first + len(s)] = s
        correlations[first : first + len(s)] = product_correlations(s) if c is None else c

    spins0, correlations0 = start_moments(parameters)
    tuning = {name: parameters[name] for name in ("rtol", "atol", "max_steps")}
    path = propagate(system, order, spins0, correlations0, when, receive, **tuning)
    alike = all_alike(system, spins0) if order == CUMULANTS and correlations0 is None else None
    first_apart, untrusted = np.nan, ""
    if alike is not None:  # then the third order costs little
        watched = follow(alike, order, spins0[0], when, **tuning)
        first_apart, untrusted = watched.first_apart, watched.untrusted
    ended = {"first_bad": path.first_bad, "code": path.code, "reached": path.reached, "first_left": path.first_left}
    return _outputs(parameters, system, spins, correlations, **ended, first_apart=first_apart, untrusted=untrusted)


def _outputs(
    parameters: Point,
    system,
    spins,
    correlations,
    *,
    first_bad=np.nan,
    code=0,
    reached=np.nan,
    first_left=np.nan,
    first_apart=np.nan,
    untrusted="",
    positive=False,
) -> dict[str, Any]:
    """Outputs with status and remark; a positive, exact evolution needs no monitor but the wanted one."""
    smallest, at_output, reason = None, np.nan, ""
    if parameters.wants("min_pair_eigenvalue") or not positive:
        smallest = smallest_pair_eigenvalue(spins, correlations)
        if code == 0:
            at_output, reason = first_unphysical(parameters["times"], spins, smallest)
    first = earliest(first_bad, at_output)
    ended = {"code": code, "reached": reached, "first_left": first_left}
    status, remark = judge(system, first_bad=first, reason=reason, untrusted=untrusted, **ended)
    return {
        "spins": spins,
        "correlations": correlations,
        "min_pair_eigenvalue": smallest,
        "first_bad_time": earliest(first, first_apart, first_left),
        "status": status,
        "remark": remark,
    }


def validate(parameters: Mapping[str, Any]) -> None:
    """ValueError for input that is no network or no state."""
    build_system(parameters)
    check_start(parameters)


def random_parameters(rng: np.random.Generator) -> dict[str, Any]:
    """A network of two or three spins with every kind of term."""
    return random_network(rng, int(rng.integers(2, 4))) | {"times": np.sort(rng.uniform(0.0, 1.0, 3))}


OUTPUTS = (
    Output(
        name="spins",
        meaning="<s_i^a>",
        label="spin",
        dims=("time", "site", "axis"),
        symbol=r"\langle\vec{s}_i\rangle",
        nan_if_warned=AFTER_BUDGET,
    ),
    Output(
        name="correlations",
        meaning="raw <s_i^a s_j^b>, zero for i = j",
        label="raw correlation",
        dims=("time", "site", "site2", "axis", "axis2"),
        symbol=r"C_{ij}^{ab}",
        nan_if_warned=AFTER_BUDGET,
    ),
    Output(
        name="min_pair_eigenvalue",
        meaning="smallest eigenvalue of all pair density matrices (N = 1: of the spin's)",
        label="smallest pair eigenvalue",
        dims=("time",),
        symbol=r"\lambda_{\min}",
        nan_if_warned=AFTER_BUDGET,
    ),
    Output(
        name="first_bad_time",
        meaning="first time with |s_i| > 1 or a negative pair eigenvalue, from which cumulants are not to be trusted where all spins "
        "are alike, or not reached within the step budget",
        label="first bad time",
        nan="the moments never left physics",
        unit=UNIT_OF_TIME,
    ),
    Output(
        name="purity",
        meaning="Tr rho^2",
        label="purity",
        dims=("time",),
        symbol=r"\mathrm{Tr}\rho^2",
        methods=("exact",),
    ),
    Output(
        name="spins_sem",
        meaning="standard error of spins",
        dims=("time", "site", "axis"),
        methods=("quantum_jumps",),
        nan="a single trajectory has none",
    ),
    Output(
        name="correlations_sem",
        meaning="standard error of correlations",
        dims=("time", "site", "site2", "axis", "axis2"),
        methods=("quantum_jumps",),
        nan="a single trajectory has none",
    ),
)

_CHAIN_A = np.zeros((3, 3, 3, 3))
_CHAIN_A[0, 1, 2, 2] = _CHAIN_A[1, 2, 2, 2] = 1.0

MODELS = (
    Model(
        id="spin_network.dynamics",
        title="Spins and pair correlations of a spin network in time",
        source=SOURCE,
        methods=(
            CUMULANT(
                solve=partial(solve_moments, CUMULANTS),
                bulk=cumulants_in_bulk,
                reference=partial(reference.moment_dynamics, True),
                cost=size_cost(lambda n: n**3),
            ),
            MEAN_FIELD(
                solve=partial(solve_moments, FIRST_ORDER),
                bulk=mean_field_in_bulk,
                reference=partial(reference.moment_dynamics, False),
                cost=size_cost(lambda n: n**2),
            ),
            Method(
                name="exact",
                meaning="density matrix in the real Pauli basis, Chebyshev series of the propagator",
                source="Eqs. (1), (28)",
                solve=solve_exact,
                bulk=exact_in_bulk,
                reference=reference.exact_dynamics,
                cost=size_cost(lambda n: 4.0**n),
                limit=exact_limit(MOST_EXACT, closed_and_pure),
            ),
            Method(
                name="quantum_jumps",
                meaning="wave functions with random jumps, for Gamma >= 0 and product starts; means with standard errors",
                solve=solve_jumps,
                reference=reference.exact_dynamics,
                draws_numbers=True,
                cost=size_cost(lambda n: 2.0**n),
                limit=WAVE_FUNCTION_LIMIT,
            ),
        ),
        parameters=(
            *NETWORK,
            times([0.0, 0.5, 1.0], UNIT_OF_TIME),
            trajectories(),
            seed(),
            *tolerances(rtol=1e-10, atol=1e-12),
        ),
        outputs=OUTPUTS,
        dimensions=(TIME, SITE, SITE2, AXIS, AXIS2),
        validate=validate,
        surely_valid=surely_valid,
        example={
            "N": 3,
            "h": [[0.8, 0.0, 0.0]] * 3,
            "A": _CHAIN_A.tolist(),
            "gamma_minus": 2.0,
            "times": [0.5, 1.0, 2.0, 4.0],
        },
        starter=Starter(
            axes={"gamma_minus": {"values": [0.2, 0.6, 2.0]}}, parameters={"times": np.linspace(0.0, 6.0, 61).tolist()}
        ),
        checks=(
            Check(
                parameters={
                    "N": 1,
                    "h": [[0.0, 0.0, 0.5]],
                    "gamma_minus": 0.3,
                    "gamma_z": 0.1,
                    "spins0": [[1.0, 0.0, 0.0]],
                    "times": [2.0],
                },
                expect={
                    "spins": [
                        [
                            [
                                np.exp(-0.7) * np.cos(2.0),
                                np.exp(-0.7) * np.sin(2.0),
                                np.exp(-0.6) - 1.0,
                            ]
                        ]
                    ]
                },
                origin="closed form: precession at 2 h_z, transverse decay gamma_-/2 + 2 gamma_z, s^z -> -1 at gamma_-",
                method="exact",
                atol=1e-9,
            ),
        ),
        reference_tolerance=(1e-6, 1e-8),
        random_parameters=random_parameters,
        unit_of_time=UNIT_OF_TIME,
    ),
)
