"""spin_network.derivative: the right-hand sides of all methods at a given state.

mean_field  d s_k = (Omega_k + F_k) x s_k - R_k s_k + g_k, pairs by the product rule
cumulant    second order, closed by zero third cumulants of three different sites, Eq. (30)
exact       Tr(s_k L[rho]), Tr(s_k s_l L[rho])
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from solvers.batch import pointwise
from solvers.declarations import AXIS, AXIS2, SITE, SITE2, Check, Output
from solvers.engines.literal import density_matrix_moments, lindblad_action, moment_equations
from solvers.engines.master_equation.generator import build_generator
from solvers.engines.master_equation.states import moment_indices, split_moments
from solvers.engines.moments.equations import build_coefficients
from solvers.engines.moments.first_order import mean_field_derivative
from solvers.engines.moments.packing import pack, unpack_connected, unpack_spins
from solvers.engines.moments.propagation import refuse_beyond_memory
from solvers.engines.moments.second_order import cumulant_derivative
from solvers.engines.spin_system import product_correlations
from solvers.model import Method, Model
from solvers.models.spin_network.network import (
    CUMULANT,
    MEAN_FIELD,
    MOST_EXACT,
    NETWORK,
    SOURCE,
    UNIT_OF_TIME,
    build_system,
    check_start,
    exact_limit,
    random_network,
    start_density_matrix,
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


def solve_one(method: str, parameters: dict[str, Any], wants: Callable[..., bool]) -> Mapping[str, Any]:
    """The derivatives at one point."""
    n = parameters["N"]
    system = build_system(parameters)
    if method == "exact":
        indices = moment_indices(n)
        d_spins, d_pairs = split_moments(build_generator(system).apply(start_state(parameters))[indices], n)
        return {"d_spins": d_spins, "d_correlations": d_pairs}
    spins, correlations = start_moments(parameters)
    refuse_beyond_memory(n, 1 if method == "mean_field" else 2)
    if method == "mean_field":
        p = build_coefficients(system, 1)
        dy = np.empty(3 * n)
        mean_field_derivative(p, spins.T.ravel().copy(), dy)
        d_spins = unpack_spins(dy, n)
        return {"d_spins": d_spins, "d_correlations": product_rule(spins, d_spins)}
    p = build_coefficients(system, 2)
    y = pack(spins, correlations)
    dy = np.empty_like(y)
    cumulant_derivative(p, y, dy)
    d_spins = unpack_spins(dy, n)
    return {"d_spins": d_spins, "d_correlations": unpack_connected(dy, n) + product_rule(spins, d_spins)}


def validate(parameters: Mapping[str, Any]) -> None:
    """ValueError for input that is no network or no start."""
    build_system(parameters)
    check_start(parameters, physical=False)


def reference(method: str, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """The same by Kronecker products (exact) or Pauli algebra on strings (moments)."""
    system = build_system(parameters)
    if method == "exact":
        d_spins, d_pairs = density_matrix_moments(lindblad_action(system, start_density_matrix(parameters)))
    else:
        spins, correlations = start_moments(parameters)
        correlations = product_correlations(spins) if correlations is None else correlations
        d_spins, d_pairs = moment_equations(system, pairs=method == "cumulant")(spins, correlations)
    return {"d_spins": d_spins, "d_correlations": d_pairs}


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
            CUMULANT,
            MEAN_FIELD,
            Method(
                name="exact",
                meaning="moments of the Lindblad generator",
                source="Eq. (28)",
                limit=exact_limit(MOST_EXACT),
            ),
        ),
        parameters=NETWORK,
        outputs=(
            Output(
                name="d_spins", meaning="d<s_i^a>/dt", dims=("site", "axis"), unit="1/time", symbol=r"\dot{\vec{s}}_i"
            ),
            Output(
                name="d_correlations",
                meaning="d<s_i^a s_j^b>/dt, zero for i = j",
                dims=("site", "site2", "axis", "axis2"),
                unit="1/time",
                symbol=r"\dot{C}_{ij}^{ab}",
            ),
        ),
        dimensions=(SITE, SITE2, AXIS, AXIS2),
        run=pointwise(solve_one),
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
        reference=reference,
        reference_tolerance=(1e-11, 1e-12),
        random_parameters=random_parameters,
        unit_of_time=UNIT_OF_TIME,
    ),
)
