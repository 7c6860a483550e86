"""spin_chain.dynamics: a product of spin coherent states in time, averaged over the sites of a ring (or of a square torus).

`exact` is the density matrix of a tiny chain; `mean_field` one classical spin among equals; `twoqs` trajectories, each of
which already averages over all sites. Their bias is that of one spin: measured on exact rings of S = 2 to 8 at Gamma t = 0.8,
0.2 hbar in <S_a> whatever S (0.02 for the conserving variant from a ring), growing in time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from scipy.linalg import expm

from solvers.batch import Batch, Point
from solvers.declarations import AXIS, AXIS2, TIME, Check, Limit, Output, Parameter, Starter
from solvers.engines.classical_lattice import derivative, follow_uniform
from solvers.engines.phase_space.lattice_sample import lattice_path
from solvers.engines.phase_space.sample import GROWN
from solvers.model import Method, Model
from solvers.models.spin_chain import declarations as declare
from solvers.models.spin_chain import small
from solvers.numerics.outcome import DONE, OUTCOME_TEXT
from solvers.outcome import KIND_OF_CODE, OK, WARNED, Kind, PointFailed, Remark
from solvers.shared_parameters import step_error, times, tolerances

MEANS = ("mean", "second")
SAMPLED = ("mean_sem", "second_sem", "length_mean", "length_variance", "step_error", "samples")


def twoqs(p: Point) -> dict[str, Any]:
    """Trajectories."""
    when: NDArray[np.float64] = p["times"]
    nothing = dict.fromkeys((*MEANS, *SAMPLED, "first_bad_time"), math.nan)
    if stop := declare.too_many_steps(float(when[-1]) if len(when) else 0.0, p):
        return nothing | stop
    point = declare.lattice(p, p["theta"], p["phi"])

    def error_of(count: int) -> float:
        return float(lattice_path(point, p.key, when, count, 0.0).mean_sem.max(initial=0.0))

    most = declare.trajectories_to_draw(p, float(when[-1]) if len(when) else 0.0, error_of)
    path = lattice_path(point, p.key, when, most, p["target_error"])
    if not (np.isfinite(path.mean).all() and np.isfinite(path.length_variance).all()):
        first = when[np.argmin(np.isfinite(path.mean).all(axis=1))]
        message = (
            f"the trajectories are not finite from about t = {first:.6g} on: a step of {p['step']:g} is too long for these "
            "rates, or the noise of positive diffusion has run away (small S, long times); variant conserving cannot"
        )
        return nothing | declare.failed(Kind.NOT_FINITE, message)
    found: dict[str, Any] = path._asdict() | {
        "samples": path.trajectories,
        "step_error": math.nan,
        "first_bad_time": math.nan,
        "status": OK,
    }
    if p["check_step"] == "yes":
        halved = lattice_path(point._replace(refined=1), p.key, when, path.trajectories, 0.0)
        found["step_error"] = float(np.abs(halved.mean - path.mean).max(initial=0.0) / p["S"])
    at_start = 0.25 if p["sampling"] == "ring" else 2 * p["S"] + 0.5
    grown = path.length_variance - at_start > GROWN * path.length_mean**2
    if p["variant"] == "conserving":  # which keeps N on each trajectory: that is the scatter of the starts
        grown[:] = False
    reasons = []
    if grown.any():
        found["first_bad_time"] = float(when[np.argmax(grown)])
        reasons.append(
            f"the variance of N = |alpha|^2 + |beta|^2 has grown by more than {GROWN:g} of N^2 from "
            f"t = {found['first_bad_time']:.6g} on: the positive diffusion no longer holds S; variant conserving keeps it"
        )
    if reason := declare.coarse(p):
        reasons.append(reason)
    if p["target_error"] > 0.0 and not path.mean_sem.max(initial=0.0) <= p["target_error"]:
        reasons.append(f"target_error was not reached with trajectories = {path.trajectories}")
    if reasons:
        found |= {
            "status": WARNED,
            "remark": Remark(kind=Kind.LENGTH_SPREAD if grown.any() else Kind.INACCURATE, message="; ".join(reasons)),
        }
    return found


def mean_field(p: Point) -> dict[str, Any]:
    """One classical spin among equals."""
    _, height = declare.shape(p)
    neighbours = 2 if height == 1 else 4
    theta, phi, when = p["theta"], p["phi"], p["times"]
    y = np.array([math.sin(theta) * math.cos(phi), math.sin(theta) * math.sin(phi), math.cos(theta)])
    out = np.empty((len(when), 3))
    field = 0.5 * neighbours * declare.factor(p)
    coefficients = np.array([field * p["J_x"], field * p["J_y"], field * p["J_z"], p["Gamma"]])
    code, reached, _ = follow_uniform(coefficients, y, when, out, p["rtol"], p["atol"], p["max_steps"])
    mean = p["S"] * out
    found: dict[str, Any] = {"mean": mean, "second": mean[:, :, None] * mean[:, None, :], "first_bad_time": math.nan}
    if code != DONE:
        raise PointFailed(KIND_OF_CODE[int(code)], f"stopped at t = {reached:.6g}: {OUTCOME_TEXT[int(code)]}")
    return found


def exact(p: Point) -> dict[str, Any]:
    """The density matrix of a tiny chain."""
    _, height = declare.shape(p)
    solution = small.evolve(
        p["S"], p["N"], height, declare.physical(p), p["Gamma"], p["theta"], p["phi"], p["times"],
        rtol=p["rtol"], max_steps=p["max_steps"],
    )  # fmt: skip
    nothing = {"mean": math.nan, "second": math.nan, "first_bad_time": math.nan}
    if solution is None:
        return nothing | declare.failed(
            Kind.STEP_BUDGET_SPENT, "the step budget was spent; raise max_steps or loosen rtol"
        )
    mean, second, trace, remark = solution
    if not trace < 1e-6:
        return nothing | declare.failed(Kind.INACCURATE, f"the trace is off by {trace:.2g}; tighten rtol")
    found = nothing | {"mean": mean, "second": second}
    return found | {"status": WARNED, "remark": remark} if remark else found


def reference(p: Mapping[str, Any]) -> dict[str, Any]:
    """exp(L t) of the Liouvillian matrix, operators up first."""
    S, N = p["S"], p["N"]
    n = round(2 * S) + 1
    m = S - np.arange(n)
    up = np.diag(np.sqrt(S * (S + 1) - m[1:] * (m[1:] + 1)), 1)
    one = np.array([(up + up.T) / 2, (up - up.T) / 2j, np.diag(m)])
    s = [[np.kron(np.kron(np.eye(n**i), a), np.eye(n ** (N - 1 - i))) for a in one] for i in range(N)]
    size = n**N
    J = declare.physical(p)
    H = sum(J[a] / (2 * S) * s[i][a] @ s[(i + 1) % N][a] for i in range(N) for a in range(3))
    unit = np.eye(size)
    L = -1j * (np.kron(H, unit) - np.kron(unit, H.T))
    for i in range(N):
        c = s[i][0] - 1j * s[i][1]
        product = c.conj().T @ c
        L = L + p["Gamma"] / (2 * S) * (2 * np.kron(c, c.conj()) - np.kron(product, unit) - np.kron(unit, product.T))
    rotation = expm(-1j * p["phi"] * one[2]) @ expm(-1j * p["theta"] * one[1])
    psi = np.ones(1)
    for _ in range(N):
        psi = np.kron(psi, rotation[:, 0])
    start = np.outer(psi, psi.conj()).ravel()
    mean, second = [], []
    for t in p["times"]:
        rho = (expm(L * t) @ start).reshape(size, size)
        mean.append([sum(np.trace(s[i][a] @ rho).real for i in range(N)) / N for a in range(3)])
        second.append(
            [
                [
                    sum(np.trace((s[i][a] @ s[i][b] + s[i][b] @ s[i][a]) @ rho).real for i in range(N)) / (2 * N)
                    for b in range(3)
                ]
                for a in range(3)
            ]
        )
    return {"mean": np.array(mean), "second": np.array(second)}


def mean_field_reference(p: Mapping[str, Any]) -> dict[str, Any]:
    """All sites of the ring, by SciPy."""
    N, S, theta, phi = p["N"], p["S"], p["theta"], p["phi"]
    start = np.tile(S * np.array([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)]), (N, 1))
    J, when = declare.physical(p), np.asarray(p["times"])

    def rhs(_, y):
        return derivative(y.reshape(N, 3), J, p["Gamma"], S, N).ravel()

    end = max(float(when[-1]), 1e-9)
    found = solve_ivp(rhs, (0.0, end), start.ravel(), method="DOP853", t_eval=when, rtol=1e-12, atol=1e-13)
    return {"mean": found.y.T.reshape(len(when), N, 3).mean(axis=1)}


def random_parameters(rng: np.random.Generator) -> dict[str, Any]:
    S, N = [(0.5, 2), (0.5, 3), (1.0, 2), (1.5, 2)][int(rng.integers(4))]
    return {
        "N": N,
        "S": S,
        **{f"J_{a}": float(rng.normal()) for a in "xyz"},
        "Gamma": float(rng.choice([0.0, rng.uniform(0.2, 1.5)])),
        "couplings": str(rng.choice(["physical", "paper"])),
        "theta": float(rng.uniform(0.0, np.pi)),
        "phi": float(rng.uniform(-3.0, 3.0)),
        "times": [0.0, 0.4, 1.0],
        "trajectories": 20,
    }


def levels(p: Mapping[str, Any]) -> Any:
    """(2S+1)^N, at most 1e300."""
    return np.exp(np.minimum(np.asarray(p["N"]) * np.log(2 * np.asarray(p["S"]) + 1), 690.0))


def cost(batch: Batch) -> NDArray[Any]:
    """Relative cost: elements of the density matrix."""
    return np.asarray(levels(batch) ** 2)


MODELS = (
    Model(
        id="spin_chain.dynamics",
        title="A periodic chain of collective spins in time",
        source=declare.SOURCE,
        methods=(
            Method(
                name="twoqs",
                meaning="trajectories of Schwinger modes; means with standard errors",
                source="Eqs. (34)-(37) corrected, with (22)-(23)",
                solve=twoqs,
                draws_numbers=True,
            ),
            Method(
                name="mean_field",
                meaning="one classical spin among equals",
                source="drift of Eqs. (34)-(37) corrected",
                solve=mean_field,
                reference=mean_field_reference,
            ),
            Method(
                name="exact",
                meaning="density matrix",
                solve=exact,
                reference=reference,
                cost=cost,
                limit=Limit(
                    text=f"(2S+1)^N <= {small.LARGEST}", holds=lambda p: levels(p) <= small.LARGEST * (1 + 1e-9)
                ),
            ),
        ),
        parameters=(
            declare.N,
            declare.S,
            *declare.COUPLINGS,
            declare.GAMMA,
            declare.CONVENTION,
            declare.LATTICE,
            Parameter(
                name="theta",
                meaning="polar angle of the start, 0 is up",
                default=0.0,
                unit="rad",
                symbol=r"\theta",
                bounds=(-1e3, 1e3),
            ),
            Parameter(
                name="phi", meaning="azimuth of the start", default=0.0, unit="rad", symbol=r"\phi", bounds=(-1e3, 1e3)
            ),
            times([0.0, 1.0, 2.0, 4.0], declare.UNIT_OF_TIME),
            *declare.twoqs_parameters(100),
            *tolerances(rtol=1e-9, atol=1e-12),
        ),
        outputs=(
            Output(
                name="mean",
                meaning="site average of <S_a>",
                label="mean spin per site",
                dims=("time", "axis"),
                symbol=r"\langle{S_a}\rangle",
            ),
            Output(
                name="second",
                meaning="site average of the symmetrised <S_a S_b>",
                label="second moments per site",
                dims=("time", "axis", "axis2"),
                symbol=r"\langle{S_aS_b}\rangle",
            ),
            Output(
                name="first_bad_time",
                meaning="first output time at which the spread of the spin length was too large",
                label="first bad time",
                unit=declare.UNIT_OF_TIME,
                nan="never",
            ),
            declare.sem("mean", ("time", "axis")),
            declare.sem("second", ("time", "axis", "axis2")),
            Output(
                name="length_mean",
                label="mean length",
                meaning="mean of N = |alpha|^2 + |beta|^2 per site",
                dims=("time",),
                methods=("twoqs",),
            ),
            Output(
                name="length_variance",
                meaning="variance of N over sites and trajectories; its growth is an error of the method",
                label="variance of the spin length",
                dims=("time",),
                methods=("twoqs",),
            ),
            step_error("<S_a>/S"),
            Output(
                name="samples",
                meaning="number of trajectories that were averaged",
                label="trajectories averaged",
                methods=("twoqs",),
            ),
        ),
        dimensions=(TIME, AXIS, AXIS2),
        validate=declare.check_chain,
        example={
            "N": 3,
            "S": 1.0,
            "J_x": 0.5,
            "J_y": -1.2,
            "Gamma": 1.0,
            "theta": np.pi,
            "times": [0.0, 1.0, 4.0, 12.0],
            "variant": "conserving",
            "sampling": "ring",
            "trajectories": 200,
        },
        starter=Starter(
            axes={"J_y": {"values": [-0.3, -0.8, -1.2]}},
            parameters={"times": np.linspace(0.0, 8.0, 41).tolist(), "theta": 2.0, "trajectories": 1000},
        ),
        checks=(
            Check(
                method="twoqs",
                parameters={"N": 50, "S": 100.0, "Gamma": 1.0, "theta": 1.0, "times": [1.0], "trajectories": 40},
                expect={"mean": ((0, 2), -100.0 * np.tanh(1.0 - np.arctanh(np.cos(1.0))))},
                origin="without couplings 2,000 spins of decay, classical for large S: s_z = -S tanh(Gamma t - artanh cos theta)",
                atol=0.7,
            ),
            Check(
                method="exact",
                parameters={"N": 2, "S": 0.5, "J_z": 0.3, "theta": np.pi / 2, "times": [0.7]},
                expect={"mean": [[0.5 * np.cos(0.3 * 0.7 * 2 / 2), 0.0, 0.0]]},
                origin="closed form: two spins 1/2 with H = 2 (J_z/2S) S^z S^z, the bond of a ring of two counted twice",
                atol=1e-9,
            ),
        ),
        random_parameters=random_parameters,
        reference_tolerance=(1e-7, 1e-7),
        unit_of_time=declare.UNIT_OF_TIME,
    ),
)
