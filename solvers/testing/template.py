"""A complete model file to begin with: a driven, decaying spin. It passes the suite as it is."""

from __future__ import annotations

_TEMPLATE = '''"""SYSTEM.dynamics: a driven spin that decays (say here: system, equations with their source, conventions, validity).

H = (Omega/2) sigma_x + (Delta/2) sigma_z and gamma D[sigma_-] are, for the Bloch vector s, the Bloch equations
    x' = -gamma x/2 - Delta y,   y' = Delta x - gamma y/2 - Omega z,   z' = Omega y - gamma (1 + z)
"""

import numpy as np
from scipy.integrate import solve_ivp
from scipy.linalg import expm

from solvers.declarations import AXIS, TIME, Check, Output, Parameter
from solvers.model import Method, Model
from solvers.shared_parameters import times


def solve(point):  # what else a model can declare, and many points at once: the docstring of solvers/model.py
    """One point: `point["Omega"]` is a number, `point["times"]` an array. Returns every output by name."""
    Omega, Delta, gamma = point["Omega"], point["Delta"], point["gamma"]
    bloch = np.array(  # acts on (x, y, z, 1)
        [[-gamma / 2, -Delta, 0, 0], [Delta, -gamma / 2, -Omega, 0], [0, Omega, -gamma, -gamma], [0, 0, 0, 0]]
    )
    return {"spin": np.array([(expm(bloch * t) @ [0.0, 0.0, 1.0, 1.0])[:3] for t in point["times"]])}


def reference(p):
    """The same by an independent way, however slow: the master equation of the 2 x 2 density matrix."""
    x, y, z = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])
    H, L = p["Omega"] / 2 * x + p["Delta"] / 2 * z, np.sqrt(p["gamma"]) * (x - 1j * y) / 2

    def rhs(_, rho):
        rho, LL = rho.reshape(2, 2), L.conj().T @ L
        return (-1j * (H @ rho - rho @ H) + L @ rho @ L.conj().T - (LL @ rho + rho @ LL) / 2).ravel()

    up, when = np.array([1, 0, 0, 0], dtype=complex), p["times"]
    rho = solve_ivp(rhs, (0, when[-1]), up, t_eval=when, method="DOP853", rtol=1e-11, atol=1e-12).y.T.reshape(-1, 2, 2)
    return {"spin": np.stack([np.trace(rho @ a, axis1=1, axis2=2).real for a in (x, y, z)], axis=1)}


def random_parameters(rng):
    """A random point that `reference` can treat."""
    return {"Omega": rng.normal(), "Delta": rng.normal(), "gamma": rng.uniform(0, 2), "times": [0.0, 0.7, 2.0]}


MODELS = (  # all models of this file; their ids begin with its name
    Model(
        id="SYSTEM.dynamics",
        title="A driven spin that decays",
        source="Bloch equations",
        methods=(Method(name="exact", meaning="matrix exponential", solve=solve, reference=reference),),
        parameters=(  # bounds are what is allowed; what only tunes a computation says physical=False
            Parameter(name="Omega", meaning="Rabi frequency", default=2.0, unit="gamma_0", bounds=(-1e6, 1e6)),
            Parameter(name="Delta", meaning="detuning", default=0.0, unit="gamma_0", bounds=(-1e6, 1e6)),
            Parameter(name="gamma", meaning="decay rate", default=1.0, unit="gamma_0", bounds=(0, 1e6)),
            times([0.0, 0.5, 1.0], "1/gamma_0"),  # output times, with their unit
        ),
        dimensions=(TIME, AXIS),  # every name in an output's dims is declared here; TIME is as long as `times`
        outputs=(Output(name="spin", meaning="Bloch vector", dims=("time", "axis"), bounds=(-1, 1)),),
        example={"Omega": 2.0, "Delta": 0.5, "gamma": 1.0, "times": [0.0, 1.0, 2.0, 4.0]},
        checks=(
            Check(
                parameters={"Omega": 0.0, "times": [0.0, 1.5]},
                expect={"spin": [[0, 0, 1], [0, 0, 2 * np.exp(-1.5) - 1]]},
                origin="closed form without drive: z = 2 exp(-gamma t) - 1",
                atol=1e-12,
            ),
        ),
        random_parameters=random_parameters,
    ),
)
'''


def template(system: str) -> str:
    """The text of a model file `SYSTEM.py`; `system` is the file's name without `.py`, and its models' ids begin with it."""
    if not system.isidentifier():
        raise ValueError(f"{system!r} cannot be the name of a model file: it must be a Python name, like my_spin")
    return _TEMPLATE.replace("SYSTEM", system)
