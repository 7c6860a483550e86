"""landau_lifshitz.trajectory: one magnetisation in time, by the generalised equation and its special cases.

With B_eff = B + V o M, gamma = 1, |M(0)| = 1 and the constant 1 for |M| in denominators:

    generalized              dM/dt = -M x B_eff - M x (M x D) - R M - R0,   D = alpha B_eff - g          Eq. (18) corrected
    landau_lifshitz          the same with g = 0, R = 0, R0 = 0                                          Eq. (2)
    landau_lifshitz_gilbert  dM/dt = -M x B_eff + alpha M x dM/dt, solved for dM/dt: landau_lifshitz with its right-hand
                             side divided by 1 + alpha^2
    bloch_bloembergen        dM/dt = -(M - M_SS) x B_eff(M) - R (M - M_SS)                               Eq. (20)
    callen                   generalized with R0 = 0

R = diag(Gamma/2, Gamma/2, Gamma), R0 = (0, 0, Gamma/(2 n_b + 1)), g_a = g_a- - g_a+. M_SS is the state of rest of Eq. (18)
with D = 0 that goes over into the only one for V = 0, through folds if there are any; for Gamma = 0, where any vector along
B_eff is one, it is 0.

Errata that matter here: the sign of D in g and a factor 2 (bulk), R0 at finite n_b, the map between the Landau-Lifshitz
and Gilbert forms; Eq. (20) follows from (18) only for V = 0. |M| is conserved to rounding where Gamma = 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import solve_ivp

from solvers.batch import Batch
from solvers.declarations import AXIS, TIME, Check, Output, Parameter, Starter
from solvers.engines.macrospin import first_crossings, paths, polar, row
from solvers.engines.validity import AFTER_BUDGET, earliest, first_not_reached, unfinished
from solvers.model import Method, Model
from solvers.numerics.continuation import follow
from solvers.numerics.outcome import DONE, OUTCOME_TEXT
from solvers.outcome import FAILED, KIND_OF_CODE, WARNED, Kind, PointFailed, Remark, Results, remark_of
from solvers.shared_parameters import times, tolerances

SOURCE = "Landau-Lifshitz theory from an open Heisenberg chain, Eqs. (2), (12)-(20)"
UNIT_OF_FIELD, UNIT_OF_TIME = "field", "1/(gamma field)"
Row = NDArray[np.float64]
BEYOND = 1e-6
"""By how much |M| may exceed 1 before it is called unphysical."""


def decay(Gamma: ArrayLike) -> NDArray[np.float64]:
    """Diagonal (..., 3) of the relaxation tensor R, Eq. (19)."""
    return np.multiply.outer(Gamma, [0.5, 0.5, 1.0])


def stationary(p: Mapping[str, Any]) -> NDArray[np.float64]:
    """M_SS (3,): root of -M x (B + V o M) - R M - R0 on the branch of the only one for V = 0, followed in s V, s = 0 to 1.

    M.R M = -R0_z M_z bounds every root, so that the branch reaches s = 1; it may fold back on the way, past which s falls
    for a while. Raises PointFailed where the branch is lost (kinks below the resolution).
    """
    if p["Gamma"] == 0.0:
        return np.zeros(3)
    B, V = _vector(p, "B"), _vector(p, "V")
    R, R0 = decay(p["Gamma"]), np.array([0.0, 0.0, p["Gamma"] / (2 * p["n_b"] + 1)])
    unit = max(float(np.abs(B).max()), float(np.abs(V).max()), p["Gamma"])
    B, V, R, R0 = B / unit, V / unit, R / unit, R0 / unit

    def residual(m, s):
        return np.cross(B + s * V * m, m) - R * m - R0

    def jacobian(m, s):
        by_m = _cross(B + s * V * m) - _cross(m) * (s * V) - np.diag(R)
        return np.column_stack([by_m, np.cross(V * m, m)])

    start = np.linalg.solve(_cross(B) - np.diag(R), R0)  # -M x B = B x M
    found = follow(residual, jacobian, start) if V.any() else start
    if found is None:
        raise PointFailed(
            Kind.NOT_CONVERGED, "the stationary state of the Bloch-Bloembergen equation was lost on the way from V = 0"
        )
    return found


def _vector(p: Mapping[str, Any], name: str) -> NDArray[np.float64]:
    return np.stack([p[f"{name}_{a}"] for a in "xyz"], axis=-1)


def _cross(b: NDArray[np.float64]) -> NDArray[np.float64]:
    """The matrix of m -> b x m."""
    return np.array([[0.0, -b[2], b[1]], [b[2], 0.0, -b[0]], [-b[1], b[0], 0.0]])


def row_landau_lifshitz(p: Mapping[str, Any]) -> Row:
    """The rows (..., WIDTH) of `solvers.engines.macrospin`, of one point or with the points in front."""
    return row(_vector(p, "B"), _vector(p, "V"), damping=p["alpha"])


def row_gilbert(p: Mapping[str, Any]) -> Row:
    """The same divided by 1 + alpha^2."""
    alpha = p["alpha"]
    return row(_vector(p, "B"), _vector(p, "V"), gyro=1 / (1 + alpha**2), damping=alpha / (1 + alpha**2))


def row_bloembergen(p: Mapping[str, Any]) -> Row:
    """Relaxation towards the stationary state, given as `centre`."""
    R, centre = decay(p["Gamma"]), p["centre"]
    return row(_vector(p, "B"), _vector(p, "V"), decay=R, source=-R * centre, centre=centre)


def row_generalized(p: Mapping[str, Any]) -> Row:
    """All terms of Eq. (18)."""
    return _relaxing(p, p["Gamma"] / (2 * p["n_b"] + 1))


def row_callen(p: Mapping[str, Any]) -> Row:
    """The same without noise."""
    return _relaxing(p, 0.0)


def _relaxing(p: Mapping[str, Any], noise: ArrayLike) -> Row:
    B, V, R = _vector(p, "B"), _vector(p, "V"), decay(p["Gamma"])
    return row(
        B, V, damping=p["alpha"], torque=-_vector(p, "g"), decay=R, source=np.multiply.outer(noise, [0.0, 0.0, 1.0])
    )


def run_centred(batch: Batch) -> Results:
    """`run` for the equation that needs the stationary state of every point first."""
    centres, failed = np.zeros((batch.size, 3)), {}
    for i in range(batch.size):
        try:
            centres[i] = stationary(batch.point(i))
        except (PointFailed, np.linalg.LinAlgError) as error:
            failed[i] = remark_of(error)
    return run(lambda p: row_bloembergen({**p, "centre": centres}), batch, failed)


def run(
    row_of: Callable[[Mapping[str, Any]], Row], batch: Batch, failed: Mapping[int, Remark] | None = None
) -> Results:
    """All points, one after the other in one kernel call, with the rows that a method makes of them."""
    when = batch["times"]
    remarks = dict(failed or {})
    status = np.zeros(batch.size, dtype=np.int64)
    status[list(remarks)] = FAILED
    points = row_of(batch)
    points[list(remarks)] = 0.0  # at rest, where there is no row
    starts = polar(batch["theta0"], batch["phi0"])
    path = np.empty((batch.size, len(when), 3))
    codes, reached = np.empty(batch.size, dtype=np.int64), np.empty(batch.size)
    tuning = (batch["rtol"], batch["atol"], batch["max_steps"])
    paths(points, starts, when, path, *tuning, codes, reached)
    length = np.linalg.norm(path, axis=-1)
    first_bad = np.full(batch.size, np.nan)
    too_long = length > 1 + BEYOND
    for i in np.flatnonzero((codes != DONE) | too_long.any(axis=1)).tolist():
        code, notes = int(codes[i]), []
        left = first_not_reached(code, when, int(np.isfinite(length[i]).sum()))
        if code != DONE:
            text = f"stopped at t = {reached[i]:.6g}: {OUTCOME_TEXT[code]}"
            status[i] = FAILED if np.isnan(left) else WARNED
            notes.append(text if np.isnan(left) else unfinished(text, left))
        if status[i] != FAILED and too_long[i].any():
            first_bad[i] = when[too_long[i].argmax()]
            status[i] = WARNED
            longest = np.nanmax(length[i])
            notes.append(f"|M| = {longest:.6g} > 1, from t = {first_bad[i]:.6g} on: M is no mean of spins")
        first_bad[i] = earliest(first_bad[i], left)
        if notes:
            kind = KIND_OF_CODE.get(code, Kind.OUT_OF_PHYSICS)
            remarks[i] = Remark(kind=kind, message="; ".join(notes))
    outputs: dict[str, NDArray[Any]] = {"M": path, "M_final": path[:, -1], "first_bad_time": first_bad}
    if batch.wants("flip_time"):
        outputs["flip_time"] = np.empty(batch.size)
        first_crossings(points, starts, float(when[-1]), *tuning, outputs["flip_time"])
    return Results(outputs, status, remarks)


Slope = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def slope_landau_lifshitz(p: Mapping[str, Any]) -> Slope:
    """Eq. (2) in vector products."""
    B, V, alpha = _vector(p, "B"), _vector(p, "V"), p["alpha"]

    def slope(m):
        field = B + V * m
        return -np.cross(m, field) - np.cross(m, np.cross(m, alpha * field))

    return slope


def slope_gilbert(p: Mapping[str, Any]) -> Slope:
    """A linear system for dM/dt."""
    B, V, alpha = _vector(p, "B"), _vector(p, "V"), p["alpha"]
    return lambda m: np.linalg.solve(np.eye(3) - alpha * _cross(m), -np.cross(m, B + V * m))


def slope_bloembergen(p: Mapping[str, Any]) -> Slope:
    """Eq. (20)."""
    B, V, R, rest = _vector(p, "B"), _vector(p, "V"), np.diag(decay(p["Gamma"])), stationary(p)
    return lambda m: -np.cross(m - rest, B + V * m) - R @ (m - rest)


def slope_generalized(p: Mapping[str, Any]) -> Slope:
    """Eq. (18) corrected."""
    callen, R0 = slope_callen(p), np.array([0.0, 0.0, p["Gamma"] / (2 * p["n_b"] + 1)])
    return lambda m: callen(m) - R0


def slope_callen(p: Mapping[str, Any]) -> Slope:
    """The same with R0 = 0."""
    turn, g, R = slope_landau_lifshitz(p), _vector(p, "g"), np.diag(decay(p["Gamma"]))
    return lambda m: turn(m) + np.cross(m, np.cross(m, g)) - R @ m


def reference(slope_of: Callable[[Mapping[str, Any]], Slope], p: Mapping[str, Any]) -> Mapping[str, Any]:
    """By SciPy's DOP853."""
    when, slope = np.asarray(p["times"]), slope_of(p)
    start = polar(p["theta0"], p["phi0"])
    found = solve_ivp(
        lambda _, m: slope(m), (0.0, float(when[-1])), start, method="DOP853", t_eval=when, rtol=1e-12, atol=1e-13
    )
    return {"M": found.y.T, "M_final": found.y[:, -1]}


def random_parameters(rng: np.random.Generator) -> dict[str, Any]:
    """Fields, anisotropies and rates of order one."""
    names = [f"{v}_{a}" for v in "BVg" for a in "xyz"]
    return {name: float(rng.normal() * (0.2 if name[0] == "g" else 0.7)) for name in names} | {
        "alpha": float(rng.uniform(0.0, 0.8)),
        "Gamma": float(rng.choice([0.0, rng.uniform(0.05, 0.5)])),
        "n_b": float(rng.uniform(0.0, 1.0)),
        "theta0": float(rng.uniform(0.1, 3.0)),
        "phi0": float(rng.uniform(-3.0, 3.0)),
        "times": [0.0, 0.7, 2.0, 5.0],
    }


def length_is_conserved(parameters: Mapping[str, Any], outputs: Mapping[str, Any]) -> float:
    """Largest | |M| - 1 | where nothing relaxes |M|."""
    if parameters["Gamma"] != 0.0:
        return 0.0
    return float(np.abs(np.linalg.norm(outputs["M"], axis=-1) - 1).max())


def vector_parameters(name: str, meaning: str, symbol: str, axes: str = "xyz") -> tuple[Parameter, ...]:
    """`NAME_x`, `NAME_y`, `NAME_z`."""
    return tuple(
        Parameter(
            name=f"{name}_{a}", meaning=f"{meaning}, {a}", default=0.0, unit=UNIT_OF_FIELD, symbol=f"{symbol}_{a}"
        )
        for a in axes
    )


MODELS = (
    Model(
        id="landau_lifshitz.trajectory",
        title="A magnetisation vector in time: Landau-Lifshitz and related equations",
        source=SOURCE,
        methods=(
            Method(
                name="generalized",
                meaning="precession, damping and torque at constant |M|, relaxation with noise",
                source="Eq. (18) corrected",
                batch=partial(run, row_generalized),
                reference=partial(reference, slope_generalized),
            ),
            Method(
                name="landau_lifshitz",
                meaning="D = alpha B_eff, no relaxation",
                source="Eq. (2)",
                batch=partial(run, row_landau_lifshitz),
                reference=partial(reference, slope_landau_lifshitz),
            ),
            Method(
                name="landau_lifshitz_gilbert",
                meaning="damping by dM/dt; equal to landau_lifshitz in a slower time",
                source="text after Eq. (2), map corrected",
                batch=partial(run, row_gilbert),
                reference=partial(reference, slope_gilbert),
            ),
            Method(
                name="bloch_bloembergen",
                meaning="relaxation towards the stationary state, D = 0",
                source="Eq. (20)",
                batch=run_centred,
                reference=partial(reference, slope_bloembergen),
            ),
            Method(
                name="callen",
                meaning="generalized without noise",
                source="Eq. (18) with R0 = 0, corrected",
                batch=partial(run, row_callen),
                reference=partial(reference, slope_callen),
            ),
        ),
        parameters=(
            *vector_parameters("B", "magnetic field", "B"),
            *vector_parameters("V", "anisotropy field, spin coupling of the chain", "V"),
            Parameter(
                name="alpha",
                meaning="dimensionless damping of Landau and Lifshitz",
                label="damping",
                default=0.0,
                symbol=r"\alpha",
            ),
            Parameter(
                name="Gamma",
                meaning="on-site relaxation rate gamma_z+ + gamma_z-",
                label="on-site relaxation rate",
                default=0.0,
                unit=UNIT_OF_FIELD,
                symbol=r"\Gamma",
                bounds=(0.0, float("inf")),
            ),
            Parameter(
                name="n_b", meaning="bosons of the bath", default=0.08, symbol=r"\bar{n}", bounds=(0.0, float("inf"))
            ),
            *vector_parameters("g", "correlated rates, g_a- minus g_a+", "g"),
            Parameter(name="theta0", meaning="polar angle of the start", default=0.0, unit="rad", symbol=r"\theta_0"),
            Parameter(name="phi0", meaning="azimuth of the start", default=0.0, unit="rad", symbol=r"\phi_0"),
            times([0.0, 2.0, 4.0, 6.0, 8.0], UNIT_OF_TIME),
            *tolerances(1e-10, 1e-13),
        ),
        outputs=(
            Output(
                name="M",
                meaning="magnetisation",
                dims=("time", "axis"),
                symbol=r"\mathbf{M}",
                nan_if_warned=AFTER_BUDGET,
            ),
            Output(
                name="M_final",
                meaning="magnetisation at the last time",
                dims=("axis",),
                symbol=r"\mathbf{M}(t_f)",
                nan_if_warned=AFTER_BUDGET,
            ),
            Output(
                name="flip_time",
                meaning="first time with M_z = 0",
                label="flip time",
                unit=UNIT_OF_TIME,
                symbol=r"t_\mathrm{flip}",
                nan="M_z does not vanish up to the last time",
            ),
            Output(
                name="first_bad_time",
                meaning="first output time with |M| > 1, or not reached within the step budget",
                label="first bad time",
                unit=UNIT_OF_TIME,
                nan="|M| is never above 1",
            ),
        ),
        dimensions=(TIME, AXIS),
        example={
            "B_z": -2.0,
            "V_z": 1.0,
            "alpha": 0.5,
            "theta0": float(np.pi / 40),
            "phi0": float(np.pi / 4),
            "times": np.linspace(0.0, 12.0, 121).tolist(),
        },
        starter=Starter(axes={"B_z": {"values": [-1.5, -2.0, -3.0]}}),
        checks=(
            Check(
                parameters={
                    "B_z": -2.0,
                    "V_z": 1.0,
                    "alpha": 0.5,
                    "theta0": float(np.pi / 40),
                    "phi0": float(np.pi / 4),
                    "times": [20.0],
                },
                expect={"flip_time": 5.55244910088, "M_final": [0.0, 0.0, -1.0]},
                origin="partial fractions of du/dt = alpha (1 - u^2)(B_z + V_z u), Fig. 2(a)",
                method="landau_lifshitz",
                atol=1e-6,
            ),
            Check(
                parameters={
                    "B_x": 1.0,
                    "B_y": 1.0,
                    "B_z": -2.0,
                    "V_z": 1.0,
                    "alpha": 0.5,
                    "theta0": 0.1,
                    "times": [100.0],
                },
                expect={"M_final": [0.310046253017, 0.310046253017, -0.89874503725]},
                origin="root of M parallel to B_eff; quoted in the text as (0.31, 0.31, -0.89), with V_z misprinted",
                method="landau_lifshitz",
                atol=1e-9,
            ),
            Check(
                parameters={"B_x": 0.7, "theta0": 0.0, "times": [1.3]},
                expect={"M": [[0.0, -np.sin(0.91), np.cos(0.91)]]},
                origin="closed form: precession dM/dt = -M x B",
                atol=1e-9,
            ),
        ),
        reference_tolerance=(1e-8, 1e-8),
        random_parameters=random_parameters,
        conserved={"length of M without relaxation": (length_is_conserved, 1e-14)},
        unit_of_time=UNIT_OF_TIME,
    ),
)
