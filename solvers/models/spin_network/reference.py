"""Slow solutions of networks: Kronecker products and Pauli algebra on strings, from the start that the parameters say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.engines.master_equation.states import density_matrix
from solvers.engines.pair_states import smallest_pair_eigenvalue
from solvers.engines.spin_system import product_correlations
from solvers.models.spin_network.network import build_system, start_moments, start_state
from solvers.references.spin_systems import (
    density_matrix_moments,
    exact_moments,
    lindblad_action,
    moment_equations,
    moment_path,
    moments_at_rest,
    product_density_matrix,
    steady_density_matrix,
)


def start_density_matrix(parameters: Mapping[str, Any]) -> NDArray[np.complex128]:
    """The start as a matrix (2^N, 2^N)."""
    if parameters["rho0"] is not None:
        return np.asarray(parameters["rho0"])
    spins, correlations = start_moments(parameters)
    return product_density_matrix(spins) if correlations is None else density_matrix(start_state(parameters))


def exact_dynamics(parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """Exponentials of the Liouvillian matrix."""
    system, when = build_system(parameters), np.asarray(parameters["times"])
    spins, correlations, rho = exact_moments(system, start_density_matrix(parameters), when)
    return {
        "spins": spins,
        "correlations": correlations,
        "min_pair_eigenvalue": smallest_pair_eigenvalue(spins, correlations),
        "purity": np.einsum("txy,tyx->t", rho, rho).real,
    }


def moment_dynamics(pairs: bool, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """Pauli algebra on strings, closed with or without pairs, with DOP853."""
    system, when = build_system(parameters), np.asarray(parameters["times"])
    spins, correlations = moment_path(system, pairs, *start_moments(parameters), when)
    return {
        "spins": spins,
        "correlations": correlations,
        "min_pair_eigenvalue": smallest_pair_eigenvalue(spins, correlations),
    }


def exact_derivative(parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """The Lindblad equation, term by term."""
    rho = start_density_matrix(parameters)
    d_spins, d_pairs = density_matrix_moments(lindblad_action(build_system(parameters), rho))
    return {"d_spins": d_spins, "d_correlations": d_pairs}


def moment_derivative(pairs: bool, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """Pauli algebra on strings, closed with or without pairs."""
    spins, correlations = start_moments(parameters)
    correlations = product_correlations(spins) if correlations is None else correlations
    d_spins, d_pairs = moment_equations(build_system(parameters), pairs)(spins, correlations)
    return {"d_spins": d_spins, "d_correlations": d_pairs}


def moment_steady_state(pairs: bool, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """A run by Pauli algebra on strings, and the root of the derivative near its end."""
    spins, correlations = moments_at_rest(build_system(parameters), pairs, *start_moments(parameters))
    return {"spins": spins, "correlations": correlations}


def exact_steady_state(parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """The null vector of the Liouvillian matrix."""
    rho, gap = steady_density_matrix(build_system(parameters))
    spins, correlations = density_matrix_moments(rho)
    return {"spins": spins, "correlations": correlations, "purity": np.trace(rho @ rho).real, "gap": gap}
