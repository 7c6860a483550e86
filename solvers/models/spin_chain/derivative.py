"""spin_chain.derivative: the classical equations of motion of a ring of collective spins, at any spins of length S.

    ds_n/dt = B_n x s_n + (Gamma/S)(s_x s_z, s_y s_z, -s_x^2 - s_y^2),   B_n = (1/2S)(J_x X_n, J_y Y_n, J_z Z_n)

X_n = s^x_{n+1} + s^x_{n-1} and so on; a ring of two has its bond twice. At product coherent states the couplings' part is
the exact d<S>/dt.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.batch import Point
from solvers.declarations import AXIS, SITE, Check, Output, Parameter, Starter
from solvers.engines.classical_lattice import derivative
from solvers.model import Method, Model
from solvers.models.spin_chain import declarations as declare
from solvers.outcome import InvalidInput


def start(p: Mapping[str, Any]) -> NDArray[np.float64]:
    """The spins (N, 3) of a point."""
    return np.tile([0.0, 0.0, -p["S"]], (p["N"], 1)) if p["spins0"] is None else np.asarray(p["spins0"])


def mean_field(p: Point) -> dict[str, Any]:
    """Eqs. (34)-(37) without noise."""
    spins = start(p)
    return {"d_spins": derivative(spins, declare.physical(p), p["Gamma"], p["S"], p["N"])}


def reference(p: Mapping[str, Any]) -> dict[str, Any]:
    """Site by site, component by component."""
    n, S = p["N"], p["S"]
    J, s = declare.physical(p), start(p)
    result = np.zeros((n, 3))
    for i in range(n):
        for a in range(3):
            b, c = (a + 1) % 3, (a + 2) % 3
            # ds_a = B_b s_c - B_c s_b
            for j in ((i + 1) % n, (i - 1) % n):
                result[i, a] += (J[b] * s[j, b] * s[i, c] - J[c] * s[j, c] * s[i, b]) / (2 * S)
        x, y, z = s[i]
        result[i] += p["Gamma"] / S * np.array([x * z, y * z, -x * x - y * y])
    return {"d_spins": result}


def validate(p: Mapping[str, Any]) -> None:
    """InvalidInput for spins that are not of length S."""
    declare.check_chain({**p, "lattice": "ring"})
    lengths = np.linalg.norm(start(p), axis=-1)
    if np.any(np.abs(lengths - p["S"]) > 1e-6 * p["S"]):
        raise InvalidInput(
            f"parameter spins0 (classical spins): allowed are vectors of length S = {p['S']:g}; given were lengths from "
            f"{lengths.min():.6g} to {lengths.max():.6g}; scale them"
        )


def random_parameters(rng: np.random.Generator) -> dict[str, Any]:
    n, S = int(rng.integers(2, 7)), 2.0
    spins = rng.normal(size=(n, 3))
    return {
        "N": n,
        "S": S,
        **{f"J_{a}": float(rng.normal()) for a in "xyz"},
        "Gamma": float(rng.uniform(0.0, 1.0)),
        "couplings": str(rng.choice(["physical", "paper"])),
        "spins0": S * spins / np.linalg.norm(spins, axis=1, keepdims=True),
    }


MODELS = (
    Model(
        id="spin_chain.derivative",
        title="Classical equations of motion of a ring of collective spins",
        source=declare.SOURCE,
        methods=(
            Method(
                name="mean_field",
                meaning="classical spins",
                source="Eqs. (34)-(37) corrected, without noise",
                solve=mean_field,
                reference=reference,
            ),
        ),
        parameters=(
            Parameter(name="N", meaning="number of sites", default=3, kind="integer", bounds=(2, 1e6), shape=True),
            Parameter(name="S", meaning="length of each spin, whole or half", default=1.0, bounds=(0.5, 1e9)),
            *declare.COUPLINGS,
            declare.GAMMA,
            declare.CONVENTION,
            Parameter(
                name="spins0",
                meaning="classical spins, vectors of length S; default: all down",
                default=None,
                dims=("N", 3),
            ),
        ),
        outputs=(
            Output(
                name="d_spins",
                meaning="ds_n/dt",
                label="derivative of a spin",
                dims=("site", "axis"),
                unit="rate",
                symbol=r"\dot{\mathbf{s}}_n",
            ),
        ),
        dimensions=(SITE, AXIS),
        validate=validate,
        example={
            "N": 3,
            "S": 2.0,
            "J_x": 0.5,
            "J_y": -1.2,
            "Gamma": 1.0,
            "spins0": [[2.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, -2.0]],
        },
        starter=Starter(
            axes={"J_y": {"linspace": [-2.0, 2.0, 11]}},
            parameters={"spins0": [[1.2, 0.0, -1.6], [0.0, 1.2, -1.6], [-0.96, 0.72, -1.6]]},
        ),
        checks=(
            Check(
                parameters={"N": 4, "S": 2.0, "J_z": 1.5, "spins0": [[2.0, 0.0, 0.0], [0.0, 0.0, 2.0]] * 2},
                expect={"d_spins": [[0.0, 3.0, 0.0], [0.0, 0.0, 0.0]] * 2},
                origin="by hand: a spin along x between two along z turns about z at 2 J_z S/2S",
                atol=1e-12,
            ),
        ),
        random_parameters=random_parameters,
        reference_tolerance=(1e-10, 1e-10),
        unit_of_time=declare.UNIT_OF_TIME,
    ),
)
