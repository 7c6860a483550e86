"""battery.derivative: the right-hand side of the nine cumulant equations at any moments (Eq. 6 and Appendix, corrected)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from solvers.batch import Point
from solvers.declarations import Check, Dimension, Output, Parameter
from solvers.model import Model
from solvers.models.battery import declarations as declare
from solvers.models.battery.moment_equations import ORDER, d_moments
from solvers.models.battery.reference import DenseBattery, liouvillian


def solve(p: Point, printed: bool = False) -> dict[str, Any]:
    """The right-hand side at the given moments."""
    rates = (p["N"], p["gamma"], p["Gamma"])
    return {"d_moments": d_moments(*rates, p["moments"], p["dephasing"], p["pump"], printed)}


def product_moments(x: float, y: float, z: float) -> np.ndarray[Any, Any]:
    """The nine moments of a product state with Bloch vector (x, y, z)."""
    p = 0.5 * (x + 1j * y)
    m = np.conj(p)
    return np.array([z, p, m, p * m, z * z, p * z, m * z, p * p, m * m])


def reference(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The dense generator on the product state with the given z, p, m; only product moments are closed exactly."""
    N, moments = parameters["N"], np.asarray(parameters["moments"])
    battery = DenseBattery(N, up=True)
    one = np.array([[0.5 * (1 + moments[0]), moments[2]], [moments[1], 0.5 * (1 - moments[0])]])
    rho = np.ones((1, 1))
    for _ in range(N):
        rho = np.kron(rho, one)
    jumps = [(parameters["Gamma"], battery.collective)]
    for lower, z in zip(battery.lower, battery.z, strict=True):
        jumps += [(parameters["gamma"], lower), (parameters["dephasing"], z), (parameters["pump"], lower.T)]
    d_rho = (liouvillian(jumps, battery.hamiltonian) @ rho.ravel()).reshape(rho.shape)
    lower, z = battery.lower, battery.z
    singles = {"z": z[0], "p": lower[0].T, "m": lower[0]}
    seconds = {"z": z[-1], "p": lower[-1].T, "m": lower[-1]}
    d = np.zeros(9, dtype=complex)
    for i, name in enumerate(ORDER):
        if len(name) == 1 or N > 1:
            operator = singles[name] if len(name) == 1 else singles[name[0]] @ seconds[name[1]]
            d[i] = np.sum(operator.T.multiply(d_rho))
    return {"d_moments": d}


def reference_printed(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The same, with the misprints put back as the differences they make."""
    N, moments = parameters["N"], np.asarray(parameters["moments"])
    d = reference(parameters)["d_moments"]
    if N > 1:
        G = parameters["Gamma"]
        zz, pz, mz = moments[4], moments[5], moments[6]
        pzz, mzz = pz * moments[0], mz * moments[0]
        d[3] += 0.5 * G * (moments[0] - zz)
        d[5] += 0.5 * G * (3 - N) * pzz
        d[6] += 0.5 * G * (3 - N) * mzz
    return {"d_moments": d}


def random_parameters(rng: np.random.Generator) -> dict[str, Any]:
    vector = rng.normal(size=3)
    vector *= rng.uniform(0.0, 1.0) / np.linalg.norm(vector)
    return {
        "N": int(rng.integers(1, 6)),
        "Gamma": float(rng.uniform(0.0, 5.0)),
        "gamma": float(rng.uniform(0.0, 2.0)),
        "dephasing": float(rng.uniform(0.0, 2.0)),
        "pump": float(rng.uniform(0.0, 2.0)),
        "moments": product_moments(*vector),
    }


MODELS = (
    Model(
        id="battery.derivative",
        title="Derivatives of the nine moments of the quantum battery",
        source=f"{declare.SOURCE}, Eq. (6), Appendix (corrected)",
        methods=(
            declare.CUMULANT(solve=solve, reference=reference),
            declare.PRINTED(solve=partial(solve, printed=True), reference=reference_printed),
        ),
        parameters=(
            *declare.RATES,
            Parameter(
                name="moments",
                meaning="moments in the order " + ", ".join(ORDER) + "; any complex numbers",
                default=product_moments(0.0, 0.0, 1.0).tolist(),
                kind="complex",
                dims=(9,),
            ),
        ),
        dimensions=(Dimension(name="moment", size=9, labels=ORDER, meaning="moment"),),
        outputs=(
            Output(
                name="d_moments",
                meaning="time derivatives of the moments",
                label="derivatives of moments",
                dims=("moment",),
                unit="gamma",
                kind="complex",
            ),
        ),
        example={"N": 140, "Gamma": 1600.0, "moments": product_moments(0.6, 0.0, 0.8)},
        checks=(
            Check(
                parameters={"N": 140, "Gamma": 1600.0, "moments": product_moments(0.0, 0.0, -1.0)},
                expect={"d_moments": np.zeros(9)},
                origin="the ground state is stationary",
                atol=1e-12,
            ),
            Check(
                parameters={"N": 140, "Gamma": 1600.0, "gamma": 0.0, "moments": product_moments(0.0, 0.0, 1.0)},
                expect={"d_moments": ((0,), -3200.0)},
                origin="dz = -2 Gamma of the inverted state, by hand",
                atol=1e-9,
            ),
            Check(
                method="printed",
                parameters={"N": 140, "Gamma": 1600.0, "moments": product_moments(0.0, 0.0, -1.0)},
                expect={"d_moments": ((3,), -1600.0)},
                origin="the misprint makes the ground state move, dC = -Gamma (physics document, erratum 1)",
                atol=1e-9,
            ),
        ),
        reference_tolerance=(1e-10, 1e-11),
        random_parameters=random_parameters,
        unit_of_time="1/gamma",
    ),
)
