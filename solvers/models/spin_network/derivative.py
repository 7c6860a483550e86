"""spin_network.derivative: the right-hand sides of all methods at a given state.

mean_field  d s_k = (Omega_k + F_k) x s_k - R_k s_k + g_k, pairs by the product rule
cumulant    second order, closed by zero third cumulants of three different sites, Eq. (30)
exact       Tr(s_k L[rho]), Tr(s_k s_l L[rho])

They exist for an indefinite Gamma as well, and are given with the warning that the dynamics gives.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.batch import Point
from solvers.declarations import AXIS, AXIS2, SITE, SITE2, Check, Output
from solvers.engines.limits import density_matrix_limit
from solvers.engines.master_equation.generator import build_generator
from solvers.engines.master_equation.states import moment_indices, split_moments
from solvers.engines.moments.equations import build_coefficients
from solvers.engines.moments.first_order import mean_field_derivative
from solvers.engines.moments.integration import CUMULANTS
from solvers.engines.moments.integration import MEAN_FIELD as FIRST_ORDER
from solvers.engines.moments.packing import pack, unpack_connected, unpack_spins
from solvers.engines.moments.propagation import refuse_beyond_memory
from solvers.engines.moments.second_order import cumulant_derivative
from solvers.engines.spin_system import SpinSystem
from solvers.engines.validity import judge
from solvers.model import Method, Model
from solvers.models.spin_network import reference
from solvers.models.spin_network.network import (
    CUMULANT,
    MEAN_FIELD,
    MOST_EXACT,
    NETWORK,
    SOURCE,
    UNIT_OF_TIME,
    build_system,
    check_start,
    random_network,
    start_moments,
    start_state,
)


def product_rule(spins, d_spins):
    """d(s_i s_j^T)/dt (N, N, 3, 3) for i != j, zero on site."""
    n = len(spins)
    product = np.einsum("ia,jb->ijab", d_spins, spins)
    product = product + product.transpose(1, 0, 3, 2)
    product[np.arange(n), np.arange(n)] = 0.0
    return product


def judged(system: SpinSystem, d_spins: NDArray[np.float64], d_pairs: NDArray[np.float64]) -> Mapping[str, Any]:
    """The outputs, with status 1 where Gamma is indefinite."""
    status, remark = judge(system)
    return {"d_spins": d_spins, "d_correlations": d_pairs, "status": status, "remark": remark}


def solve_exact(parameters: Point) -> Mapping[str, Any]:
    """Moments of L rho."""
    n, system = parameters["N"], build_system(parameters)
    generator = build_generator(system)
    return judged(system, *split_moments(generator.apply(start_state(parameters))[moment_indices(n)], n))


def solve_mean_field(parameters: Point) -> Mapping[str, Any]:
    """First order; pairs by the product rule."""
    n, system = parameters["N"], build_system(parameters)
    spins, _ = start_moments(parameters)
    refuse_beyond_memory(n, FIRST_ORDER)
    dy = np.empty(3 * n)
    mean_field_derivative(build_coefficients(system, FIRST_ORDER), spins.T.ravel().copy(), dy)
    d_spins = unpack_spins(dy, n)
    return judged(system, d_spins, product_rule(spins, d_spins))


def solve_cumulant(parameters: Point) -> Mapping[str, Any]:
    """Second order."""
    n, system = parameters["N"], build_system(parameters)
    spins, correlations = start_moments(parameters)
    refuse_beyond_memory(n, CUMULANTS)
    y = pack(spins, correlations)
    dy = np.empty_like(y)
    cumulant_derivative(build_coefficients(system, CUMULANTS), y, dy)
    d_spins = unpack_spins(dy, n)
    return judged(system, d_spins, unpack_connected(dy, n) + product_rule(spins, d_spins))


def validate(parameters: Mapping[str, Any]) -> None:
    """ValueError for input that is no network or no start."""
    build_system(parameters)
    check_start(parameters, physical=False)


def random_parameters(rng: np.random.Generator) -> dict[str, Any]:
    """A network of two or three spins with every kind of term, in a random correlated state."""
    n = int(rng.integers(2, 4))
    parameters = random_network(rng, n)
    del parameters["spins0"]
    matrix = rng.normal(size=(2**n, 2**n)) + 1j * rng.normal(size=(2**n, 2**n))
    rho = matrix @ matrix.conj().T
    return parameters | {"rho0": rho / np.trace(rho).real}


MODELS = (
    Model(
        id="spin_network.derivative",
        title="Time derivatives of spins and pair correlations of a spin network",
        source=SOURCE,
        methods=(
            CUMULANT(solve=solve_cumulant, reference=partial(reference.moment_derivative, True)),
            MEAN_FIELD(solve=solve_mean_field, reference=partial(reference.moment_derivative, False)),
            Method(
                name="exact",
                meaning="moments of the Lindblad generator",
                source="Eq. (28)",
                solve=solve_exact,
                reference=reference.exact_derivative,
                limit=density_matrix_limit(MOST_EXACT),
            ),
        ),
        parameters=NETWORK,
        outputs=(
            Output(
                name="d_spins",
                meaning="d<s_i^a>/dt",
                label="derivative of a spin",
                dims=("site", "axis"),
                unit="1/time",
                symbol=r"\dot{\vec{s}}_i",
            ),
            Output(
                name="d_correlations",
                meaning="d<s_i^a s_j^b>/dt, zero for i = j",
                label="derivative of a correlation",
                dims=("site", "site2", "axis", "axis2"),
                unit="1/time",
                symbol=r"\dot{C}_{ij}^{ab}",
            ),
        ),
        dimensions=(SITE, SITE2, AXIS, AXIS2),
        validate=validate,
        example={
            "N": 2,
            "h": [[0.8, 0.0, 0.0], [0.8, 0.0, 0.0]],
            "gamma_minus": 0.72,
            "gamma_plus": 0.32,
            "spins0": [[0.6, 0.0, 0.8], [0.0, 0.6, 0.8]],
        },
        checks=(
            Check(
                parameters={
                    "N": 1,
                    "gamma_minus": 0.8,
                    "gamma_plus": 0.24,
                    "gamma_z": 0.1,
                    "spins0": [[0.5, 0.0, 0.25]],
                },
                expect={"d_spins": [[-0.36, 0.0, -0.82]]},
                origin="Eqs. (107), (174) corrected with source rates .1, .03, .05: -4(.18).5 and 8(-.07) - 8(.13).25",
                method="mean_field",
                atol=1e-14,
            ),
        ),
        reference_tolerance=(1e-11, 1e-12),
        random_parameters=random_parameters,
        unit_of_time=UNIT_OF_TIME,
    ),
)
