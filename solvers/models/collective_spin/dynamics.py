"""collective_spin.dynamics: a spin coherent state in time, with first and second moments and squeezing (Figs. 1-3, 5, 6).

`exact` is the density matrix on the ladder of 2S+1 levels; without drive and squeezing its diagonals one by one.
`twoqs` are trajectories of Schwinger modes: biased in what is not linear. For decay from up (Fig. 1; 200,000 trajectories) the
largest error of <S_z> is 8, 9, 6 % of S (P, Wigner, Q) at S = 10, 2, 2, 1 % at S = 100, 0.3, 0.3, 0.2 % at S = 1000; 1 % and 0.1 %
at S = 10 and 100 for the conserving variant from a ring. With the paper's noise the bias grows in time, as the variance of the length
does. Twisting far beyond the best squeezing is out of reach (S = 100, Gamma = 1, t = 1: 0.03 S off at g = 5, 0.07 S at 10, 0.19 S
at 20). Dephasing alone is exact for every distribution. Squeezing needs Wigner. `mean_field` is the classical spin, whose
second moments are products.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import expm

from solvers.batch import Batch, Point
from solvers.declarations import AXIS, AXIS2, TIME, Check, Output, Starter
from solvers.engines import collective_mean_field, ladder, ladder_jumps
from solvers.engines.few_levels import inaccuracy
from solvers.engines.ladder_long import evolve_long
from solvers.engines.phase_space.sample import Sampled, sample_path, spin
from solvers.engines.spin_squeezing import squeezing
from solvers.model import Method, Model
from solvers.models.collective_spin import declarations as declare
from solvers.models.collective_spin.outcomes import of_ladder, of_samples, sampled_with_check, too_many_steps
from solvers.numerics.outcome import DONE, OUTCOME_TEXT
from solvers.outcome import KIND_OF_CODE, OK, WARNED, PointFailed
from solvers.shared_parameters import times, tolerances


def rates(p: Mapping[str, Any]) -> ladder.Rates:
    """The coefficients of a point."""
    return ladder.Rates(*(p[name] for name in ("S", "Omega", "delta", "g", "Gamma", "Gamma_up", "Gamma_phi")))


def exact(p: Point) -> dict[str, Any]:
    """The density matrix."""
    remark = None
    if p["Omega"] == 0.0 and p["g"] == 0.0:
        path = ladder_jumps.evolve(rates(p), p["theta"], p["phi"], p["times"], rtol=p["rtol"], max_steps=p["max_steps"])
    elif long := evolve_long(rates(p), p["theta"], p["phi"], p["times"], rtol=p["rtol"]):
        path, remark = long[0], inaccuracy(long[1], p["rtol"])
    else:
        path = ladder.evolve(
            rates(p), p["theta"], p["phi"], p["times"], rtol=p["rtol"], atol=p["atol"], max_steps=p["max_steps"]
        )
    found = {"mean": path.mean, "second": path.second, "xi2": squeezing(p["S"], path.mean, path.second)}
    judged = of_ladder(path, p["times"])
    return found | ({**judged, "status": WARNED, "remark": remark} if remark and judged["status"] == OK else judged)


def mean_field(p: Point) -> dict[str, Any]:
    """The classical spin."""
    mean, code, reached = collective_mean_field.path(
        p["S"],
        (p["Omega"], p["delta"], p["g"], p["Gamma"] - p["Gamma_up"], p["Gamma_phi"]),
        p["theta"],
        p["phi"],
        p["times"],
        rtol=p["rtol"],
        atol=p["atol"],
        max_steps=p["max_steps"],
    )
    found = {"mean": mean, "second": mean[:, :, None] * mean[:, None, :], "first_bad_time": math.nan}
    if code != DONE:
        raise PointFailed(KIND_OF_CODE[code], f"stopped at t = {reached:.6g}: {OUTCOME_TEXT[code]}")
    return found


def twoqs(p: Point) -> dict[str, Any]:
    """Trajectories."""
    when: NDArray[np.float64] = p["times"]
    names = ("S", "Omega", "delta", "g", "Gamma", "Gamma_up", "Gamma_phi", "theta", "phi")
    tuning = ("distribution", "variant", "sampling", "ordering", "step")
    one = spin(**{name: p[name] for name in (*names, *tuning)})
    if stop := too_many_steps(float(when[-1]) if len(when) else 0.0, p):
        shapes = dict.fromkeys(("mean", "second", "xi2", "mean_sem", "second_sem", "xi2_sem"), math.nan)
        return (
            shapes
            | dict.fromkeys(("length_mean", "length_variance", "step_error", "samples", "first_bad_time"), math.nan)
            | stop
        )

    def draw(which: Any, count: int, target: float, error_of: Any) -> Sampled:
        return sample_path(which, p.key, when, count, target, error_of)

    sampled, step_error = sampled_with_check(
        p, one, float(when[-1]) if len(when) else 0.0, ("mean", "second", "xi2"), draw
    )
    return sampled.values._asdict() | of_samples(sampled, one, when, step_error)


def reference(p: Mapping[str, Any]) -> dict[str, Any]:
    """exp(L t) of the Liouvillian matrix."""
    S = p["S"]
    n = round(2 * S) + 1
    m = S - np.arange(n)  # up first
    up = np.diag(np.sqrt(S * (S + 1) - m[1:] * (m[1:] + 1)), 1)
    x, y, z = (up + up.T) / 2, (up - up.T) / 2j, np.diag(m)
    H = p["Omega"] * x + p["delta"] * z + p["g"] / (2 * S) * x @ x
    one = np.eye(n)
    L = -1j * (np.kron(H, one) - np.kron(one, H.T))
    for rate, c in ((p["Gamma"] / (2 * S), up.T), (p["Gamma_up"] / (2 * S), up), (p["Gamma_phi"], z)):
        product = c.T @ c
        L = L + rate * (2 * np.kron(c, c.conj()) - np.kron(product, one) - np.kron(one, product.T))
    angle = expm(-1j * p["phi"] * z) @ expm(-1j * p["theta"] * y)
    start = angle[:, :1] @ angle[:, :1].conj().T
    operators = (x, y, z)
    mean, second = [], []
    for t in p["times"]:
        rho = (expm(L * t) @ start.ravel()).reshape(n, n)
        mean.append([np.trace(a @ rho).real for a in operators])
        second.append([[np.trace((a @ b + b @ a) @ rho).real / 2 for b in operators] for a in operators])
    return {"mean": np.array(mean), "second": np.array(second)}


def mean_field_reference(p: Mapping[str, Any]) -> dict[str, Any]:
    """Eqs. of motion of <S_a> with products factorised, written with vector products, by SciPy."""
    from scipy.integrate import solve_ivp

    S, theta, phi = p["S"], p["theta"], p["phi"]

    def rhs(_, s):
        field = np.array([p["Omega"] + p["g"] / S * s[0], 0.0, p["delta"]])
        damping = np.cross(s, np.cross(s, [0.0, 0.0, 1.0]))
        return np.cross(field, s) + (p["Gamma"] - p["Gamma_up"]) / S * damping - p["Gamma_phi"] * s * [1.0, 1.0, 0.0]

    start = S * np.array([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)])
    when = np.asarray(p["times"])
    end = max(float(when[-1]), 1e-9)
    found = solve_ivp(rhs, (0.0, end), start, method="DOP853", t_eval=when, rtol=1e-12, atol=1e-13)
    return {"mean": found.y.T}


def random_parameters(rng: np.random.Generator) -> dict[str, Any]:
    """A small spin with every kind of term, or with jumps alone."""
    coherent = rng.uniform() < 0.6
    return {
        "S": float(rng.choice([0.5, 1.0, 1.5, 2.0, 3.0])),
        **{name: float(rng.normal()) if coherent else 0.0 for name in ("Omega", "g")},
        "delta": float(rng.normal()),
        "Gamma": float(rng.choice([0.0, rng.uniform(0.1, 2.0)])),
        "Gamma_up": float(rng.choice([0.0, rng.uniform(0.1, 2.0)])),
        "Gamma_phi": float(rng.choice([0.0, rng.uniform(0.1, 2.0)])),
        "theta": float(rng.uniform(0.0, np.pi)),
        "phi": float(rng.uniform(-3.0, 3.0)),
        "times": [0.0, 0.3, 1.0],
        "trajectories": 100,
    }


def sum_rule(p: Mapping[str, Any], outputs: Mapping[str, Any]) -> float:
    """<S_x^2 + S_y^2 + S_z^2> - S(S+1), or - S^2 for the classical spin without dephasing, over S^2; 0 for trajectories."""
    S = p["S"]
    if "mean_sem" in outputs:
        return 0.0
    total = np.trace(outputs["second"], axis1=-2, axis2=-1)
    if "xi2" in outputs:
        return float(np.abs(total - S * (S + 1)).max() / S**2)
    return 0.0 if p["Gamma_phi"] > 0 else float(np.abs(total - S * S).max() / S**2)


def cost(batch: Batch) -> NDArray[Any]:
    """Relative cost: elements of the density matrix times steps."""
    S = batch["S"]
    return S**3 * (1.0 + np.abs(batch["Omega"]) + batch["Gamma"])


MODELS = (
    Model(
        id="collective_spin.dynamics",
        title="A collective spin in time",
        source=declare.SOURCE,
        methods=(
            Method(
                name="twoqs",
                meaning="trajectories of Schwinger modes; means with standard errors",
                source="Eqs. (22)-(23), (27)-(28), (31)-(32) corrected",
                solve=twoqs,
                draws_numbers=True,
            ),
            Method(
                name="exact",
                meaning="density matrix on the ladder of 2S+1 levels",
                source="Eq. (1) and the master equations of sections 2 and 3",
                solve=exact,
                reference=reference,
                cost=cost,
                limit=declare.LADDER_LIMIT,
            ),
            Method(
                name="mean_field",
                meaning="classical spin, products factorised",
                source="drift of Eqs. (22)-(23) for large S",
                solve=mean_field,
                reference=mean_field_reference,
            ),
        ),
        parameters=(
            declare.S,
            declare.OMEGA,
            declare.DELTA,
            declare.G,
            declare.GAMMA,
            declare.GAMMA_UP,
            declare.GAMMA_PHI,
            declare.THETA,
            declare.PHI,
            times([0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0], declare.UNIT_OF_TIME),
            *declare.twoqs_parameters(),
            *tolerances(rtol=1e-9, atol=1e-12),
        ),
        outputs=(
            *declare.moments(),
            Output(
                name="xi2",
                label="squeezing parameter",
                meaning="squeezing 2S min Var(S_perp)/|<S>|^2",
                dims=("time",),
                methods=("twoqs", "exact"),
                symbol=r"\xi^2",
                nan="the mean spin vanishes and has no direction",
            ),
            declare.FIRST_BAD_TIME,
            declare.sem("mean", ("time", "axis")),
            declare.sem("second", ("time", "axis", "axis2")),
            declare.sem("xi2", ("time",), nan="a single trajectory has none, and where the mean spin vanishes"),
            *declare.monitors(),
        ),
        dimensions=(TIME, AXIS, AXIS2),
        validate=declare.check_spin,
        example={
            "S": 10.0,
            "Gamma": 1.0,
            "theta": 0.0,
            "times": [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0],
            "trajectories": 500,
        },
        starter=Starter(
            axes={"Gamma": {"values": [0.25, 0.5, 1.0]}},
            parameters={"S": 100.0, "theta": 1.0, "delta": 2.0, "times": np.linspace(0.0, 6.0, 61).tolist()},
        ),
        checks=(
            Check(
                method="exact",
                parameters={"S": 10.0, "Gamma_phi": 1.0, "theta": np.pi / 2, "times": [0.0, 1.0]},
                expect={"mean": ((slice(None), 0), [10.0, 10.0 * np.exp(-1.0)])},
                origin="closed form: <S_x> = S exp(-Gamma_phi t)",
                atol=1e-9,
            ),
            Check(
                method="exact",
                parameters={"S": 0.5, "Gamma": 1.0, "theta": 0.0, "times": [0.5]},
                expect={"mean": [[0.0, 0.0, np.exp(-1.0) - 0.5]]},
                origin="closed form: one two-level system decays at 2 Gamma in the doubled D, (Gamma/2S) D[S^-] at S = 1/2",
                atol=1e-10,
            ),
            Check(
                method="exact",
                parameters={"S": 100.0, "g": 1.0, "theta": np.pi, "times": [3.0]},
                expect={"xi2": [0.0968]},
                origin="one-axis twisting, Kitagawa and Ueda; quoted for S = 100 as about 0.1 in the text of Fig. 5",
                atol=1e-4,
            ),
            Check(
                method="mean_field",
                parameters={"S": 50.0, "Gamma": 1.0, "theta": 1.0, "phi": 0.4, "times": [1.0]},
                expect={"mean": ((0, 2), -50.0 * np.tanh(1.0 - np.arctanh(np.cos(1.0))))},
                origin="closed form: s_z = -S tanh(Gamma t - artanh cos theta)",
                atol=1e-6,
            ),
        ),
        random_parameters=random_parameters,
        reference_tolerance=(1e-7, 1e-7),
        conserved={"length of the spin": (sum_rule, 1e-8)},
        unit_of_time=declare.UNIT_OF_TIME,
    ),
)
