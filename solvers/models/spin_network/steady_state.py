"""spin_network.steady_state: where a network comes to rest.

    exact       L rho = 0, with the residual |L rho| and the spectral gap, N <= 6
    cumulant    state of rest of the second-order equations reached from the start
    mean_field  the same in first order

The exact steady state is unique when the gap is open; if not, it is the one reached from the start (status 1). The moment
equations may have several states of rest, unstable ones among them (a start that is one stays there: status 1), or none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.batch import Batch, pointwise
from solvers.declarations import AXIS, AXIS2, SITE, SITE2, Check, Output
from solvers.engines.literal import density_matrix_moments, liouvillian_matrix
from solvers.engines.master_equation.generator import build_generator
from solvers.engines.master_equation.states import moment_indices, purity, split_moments
from solvers.engines.master_equation.steady_state import steady_state
from solvers.engines.moments.fixed_point import settle
from solvers.engines.pair_states import first_unphysical, smallest_pair_eigenvalue
from solvers.engines.validity import judge
from solvers.model import Method, Model
from solvers.models.spin_network.network import (
    CUMULANT,
    MEAN_FIELD,
    NETWORK,
    SOURCE,
    UNIT_OF_TIME,
    build_system,
    check_start,
    exact_limit,
    random_network,
    start_moments,
    start_state,
)
from solvers.numerics.outcome import DONE, OUTCOME_TEXT
from solvers.outcome import FAILED, OK, WARNED, Remark
from solvers.shared_parameters import tolerances


def solve_one(method: str, parameters: dict[str, Any], wants: Callable[..., bool]) -> Mapping[str, Any]:
    """The steady state at one point."""
    if method == "exact":
        return _exact(parameters, wants)
    system = build_system(parameters)
    rest = settle(
        system,
        1 if method == "mean_field" else 2,
        *start_moments(parameters),
        rtol=parameters["rtol"],
        atol=parameters["atol"],
        max_steps=parameters["max_steps"],
    )
    smallest = smallest_pair_eigenvalue(rest.spins[None], rest.correlations[None])
    outputs = {"spins": rest.spins, "correlations": rest.correlations, "min_pair_eigenvalue": smallest[0]}
    if rest.code != DONE or not rest.at_rest:
        text = "it does not come to rest" if rest.code == DONE else OUTCOME_TEXT[rest.code]
        message = f"no state of rest by t = {rest.time:.6g}: {text}; largest derivative {rest.derivative:.3g}"
        return outputs | {"status": FAILED, "remark": Remark(kind="NotAtRest", message=message)}
    bad, reason = first_unphysical(np.zeros(1), rest.spins[None], smallest)
    status, remark = judge(system)
    if not np.isnan(bad):
        status, remark = WARNED, Remark(kind="ClosureOutOfPhysics", message=f"the state of rest is no state: {reason}")
    elif not rest.stable and status == OK:
        status = WARNED
        remark = Remark(kind="Unstable", message="the state of rest is unstable; another start leads elsewhere")
    return outputs | {"status": status, "remark": remark}


def _exact(parameters: dict[str, Any], wants: Callable[..., bool]) -> Mapping[str, Any]:
    n = parameters["N"]
    system = build_system(parameters)
    # kept or not, the gap decides the status
    found = steady_state(
        build_generator(system), start_state(parameters), max_applications=5.0 * parameters["max_steps"]
    )
    spins, correlations = split_moments(found.r[moment_indices(n)], n)
    status, remark = judge(system)
    if not found.converged:
        status = WARNED
        remark = Remark(
            kind="NotConverged",
            message=f"residual {found.residual:.3g}, gap {found.gap:.3g}: not converged to the usual accuracy",
        )
    elif not found.unique:
        status = WARNED
        remark = Remark(
            kind="NotUnique",
            message=f"the gap is closed ({found.gap:.3g}): the steady state is not unique; given is the one reached from the start",
        )
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


def cost(batch: Batch) -> NDArray[Any]:
    """Relative cost of each point, by size alone."""
    n = float(batch["N"])
    return np.full(batch.size, {"exact": 4.0**n, "cumulant": n**3, "mean_field": n**2}[batch.method])


def reference(method: str, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """exact: null vector of the Liouvillian matrix built of Kronecker products, one row replaced by the trace; {} else."""
    if method != "exact":
        return {}
    size = 2 ** parameters["N"]
    matrix = liouvillian_matrix(build_system(parameters))
    values = np.sort(np.linalg.eigvals(matrix).real)
    matrix[0] = np.eye(size).ravel()
    right = np.zeros(size * size, dtype=np.complex128)
    right[0] = 1.0
    rho = np.linalg.solve(matrix, right).reshape(size, size).astype(np.complex128)
    spins, correlations = density_matrix_moments(rho)
    return {
        "spins": spins,
        "correlations": correlations,
        "purity": np.trace(rho @ rho).real,
        "gap": -values[-2],
    }


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
                meaning="L rho = 0 in the real Pauli basis: dense up to N = 4, GMRES on exp(tau L) above",
                source="Eqs. (1), (28)",
                limit=exact_limit(6),
            ),
            CUMULANT,
            MEAN_FIELD,
        ),
        parameters=(*NETWORK, *tolerances(rtol=1e-10, atol=1e-12, max_steps=200_000)),
        outputs=(
            Output(name="spins", meaning="<s_i^a>", dims=("site", "axis"), symbol=r"\langle\vec{s}_i\rangle"),
            Output(
                name="correlations",
                meaning="raw <s_i^a s_j^b>, zero for i = j",
                dims=("site", "site2", "axis", "axis2"),
                symbol=r"C_{ij}^{ab}",
            ),
            Output(
                name="min_pair_eigenvalue",
                meaning="smallest eigenvalue of all pair density matrices (N = 1: of the spin's)",
                symbol=r"\lambda_{\min}",
            ),
            Output(name="purity", meaning="Tr rho^2", symbol=r"\mathrm{Tr}\rho^2", methods=("exact",)),
            Output(
                name="gap",
                meaning="minus the largest real part of the other eigenvalues of L",
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
        run=pointwise(solve_one),
        validate=validate,
        cost=cost,
        example={
            "N": 2,
            "h": [[0.8, 0.0, 0.0], [0.8, 0.0, 0.0]],
            "A": _BOND.tolist(),
            "gamma_minus": 2.0,
        },
        checks=(
            Check(
                parameters={"N": 1, "gamma_minus": 0.72, "gamma_plus": 0.24},
                expect={"spins": [[0.0, 0.0, -0.5]], "gap": 0.48},
                origin="closed form: (gamma_+ - gamma_-)/(gamma_+ + gamma_-); slowest rate (gamma_+ + gamma_-)/2",
                method="exact",
                atol=1e-12,
            ),
        ),
        reference=reference,
        reference_tolerance=(1e-8, 1e-10),
        random_parameters=random_parameters,
        unit_of_time=UNIT_OF_TIME,
    ),
)
