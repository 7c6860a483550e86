"""The mean-field derivative of any product state, Eqs. (22)-(23), for both closures of `spin_cat.mean_field`.

With Gamma2 = 1, c_1m = (1/N) sum_{j != m} s_j, c_2m = (1/2N) sum_{j != m} (1 + z_j):

    s_m' = i delta_m s_m - 2 i eta exp(i phi) z_m c_1m* - 2 s_m D_m + z_m B_m
    z_m' = 8 eta Im(exp(-i phi) s_m c_1m) - 4 (1 + z_m) D_m - 4 Re(s_m B_m*)

`paper`: D = c_2/N + |c_1|^2, B = c_1 (2 c_2 + N |c_1|^2). `exact`: the derivative of the exact Lindblad equation, with a density matrix that is a product of the given Bloch vectors, pure or mixed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.batch import Point
from solvers.declarations import SITE, Check, Dimension, Output, Parameter
from solvers.model import Method, Model
from solvers.models.spin_cat.mean_field_equations import derivatives
from solvers.models.spin_cat.reference import Derivative, exact_derivative, paper_derivative
from solvers.numerics.compile import entry


@entry
def derivative_of(spins, detunings, eta, phi, exact):
    """d_s (N,) complex and d_z (N,) of N Bloch vectors (N, 3); the squeezing phase is put into the spins and taken out again."""
    size = detunings.size
    y, dy = np.empty(3 * size), np.empty(3 * size)
    angle = 0.25 * math.pi + 0.5 * phi
    c, s = math.cos(angle), math.sin(angle)
    for k in range(size):
        a, b = 0.5 * spins[k, 0], 0.5 * spins[k, 1]
        y[k], y[size + k], y[2 * size + k] = c * a + s * b, c * b - s * a, spins[k, 2]
    derivatives(0.0, y, (detunings, np.ones(size), float(size), eta, exact, 0.0), dy)
    d_s = np.empty(size, dtype=np.complex128)
    for k in range(size):
        a, b = dy[k], dy[size + k]
        d_s[k] = complex(c * a - s * b, c * b + s * a)
    return d_s, dy[2 * size :]


def start_spins(p: Mapping[str, Any]) -> NDArray[np.float64]:
    """Bloch vectors (N, 3), all down where none are given."""
    if p["spins0"] is not None:
        return np.asarray(p["spins0"])
    spins = np.zeros((p["N"], 3))
    spins[:, 2] = -1.0
    return spins


def solve(exact: bool, p: Point) -> Mapping[str, Any]:
    """One point."""
    spins, detunings = np.ascontiguousarray(start_spins(p)), np.ascontiguousarray(p["detunings"])
    d_s, d_z = derivative_of(spins, detunings, p["eta"], p["phi"], float(exact))
    return {"d_s": d_s, "d_z": d_z}


def reference(derivative: Derivative, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The equations letter by letter."""
    spins = start_spins(parameters)
    s = 0.5 * (spins[:, 0] + 1j * spins[:, 1])
    d_s, d_z = derivative(parameters["eta"], parameters["phi"], parameters["detunings"], s, spins[:, 2])
    return {"d_s": d_s, "d_z": d_z}


def random_parameters(rng: np.random.Generator) -> dict[str, Any]:
    """A mixed product state of a few spins."""
    n = int(rng.integers(2, 9))
    spins = rng.normal(size=(n, 3))
    spins *= (rng.uniform(size=n) / np.linalg.norm(spins, axis=1))[:, None]
    return {
        "N": n,
        "eta": rng.uniform(0, 3),
        "phi": rng.uniform(-3, 3),
        "detunings": rng.normal(size=n),
        "spins0": spins,
    }


_SOURCE = "Mok, Kwek and Touzard, Eqs. (22)-(23)"

MODELS = (
    Model(
        id="spin_cat.derivative",
        title="Mean-field derivative of a product state of detuned spins",
        source=_SOURCE,
        methods=(
            Method(
                name="paper",
                meaning="the paper's closure",
                source=_SOURCE,
                solve=partial(solve, False),
                reference=partial(reference, paper_derivative),
            ),
            Method(
                name="exact",
                meaning="the exact master equation's derivative",
                source="derived",
                solve=partial(solve, True),
                reference=partial(reference, exact_derivative),
            ),
        ),
        dimensions=(SITE, Dimension(name="axis", size=3, labels=("x", "y", "z"), meaning="spin axis")),
        parameters=(
            Parameter(
                name="N",
                meaning="number of spins",
                default=4,
                kind="integer",
                bounds=(2, 1e7),
                symbol="N",
                shape=True,
            ),
            Parameter(
                name="eta", meaning="squeezing", default=0.2, unit="Gamma2", symbol=r"\eta", bounds=(0.0, math.inf)
            ),
            Parameter(name="phi", meaning="squeezing phase", default=0.0, unit="rad", symbol=r"\varphi"),
            Parameter(
                name="detunings",
                meaning="detuning of every spin",
                default=0.0,
                unit="Gamma2",
                symbol=r"\delta_n",
                dims=("N",),
            ),
            Parameter(
                name="spins0",
                meaning="Bloch vectors (x, y, z) of the spins, all down if not given; <sigma^+> = (x + i y)/2",
                default=None,
                dims=("N", 3),
            ),
        ),
        outputs=(
            Output(
                name="d_s",
                meaning="d<sigma^+>/dt",
                label="derivative of the amplitude",
                dims=("site",),
                unit="Gamma2",
                kind="complex",
            ),
            Output(
                name="d_z", meaning="d<sigma^z>/dt", label="derivative of the inversion", dims=("site",), unit="Gamma2"
            ),
        ),
        example={
            "N": 4,
            "eta": 0.2,
            "phi": 0.3,
            "detunings": [0.1, -0.2, 0.05, 0.3],
            "spins0": [[0.6, 0.0, -0.8], [0.0, 0.6, -0.8], [0.3, 0.3, -0.7], [0.0, 0.0, -1.0]],
        },
        checks=(
            Check(
                parameters={"N": 2, "eta": 0.5, "spins0": [[0.0, 0.0, 1.0], [0.0, 0.0, 1.0]]},
                method="exact",
                expect={"d_z": [-2.0, -2.0], "d_s": [0.0, 0.0]},
                atol=1e-14,
                origin="both up: S_-^2 |uu> = 2 |dd>, so |uu> decays at 4/N^2 = 1 and each z falls at 2",
            ),
        ),
        reference_tolerance=(1e-10, 1e-12),
        random_parameters=random_parameters,
    ),
)
