"""landau_lifshitz.hysteresis: M(B_z) of the Landau-Lifshitz equation with one easy axis, swept down and up.

    dM/dt = -M x B_eff - alpha M x (M x B_eff),   B_eff = (B_x, B_y, B_z + V_z M_z),   |M| = 1            Eq. (2)

At every field M is followed until it rests, |dM/dt| <= rest_rate times the field scale B_max + |V_z| + |B_perp|, from

    continuation  where it came to rest at the field before; a state (nearly) along B_eff is tilted by 3e-4 towards phi0,
                  since exactly on the axis even an unstable state stays
    fixed_start   the tilt (theta0, phi0) from +z on the way down and from -z on the way up, the same at every field: the
                  procedure of the paper, which overshoots and switches at other fields than continuation

It is followed only until its place of rest is beyond doubt: mostly at once, else until its
energy is above the saddle. So weak damping costs no more than what the choice between two places of rest needs.

The coercive field is located between the two fields where M_z of the way down changes sign, to 1e-5 of the field scale; in
continuation by ever smaller steps, so that a coarse grid of fields does not make an underdamped M switch early.
Continuation switches at V_z for B_perp = 0 and at (V_z^(2/3) - B_perp^(2/3))^(3/2) for 0 < B_perp < V_z (the astroid of
Stoner and Wohlfarth with E = -B.M - V_z M_z^2/2; the printed V_z M_z^2 is a factor 2 too large), independently of alpha.

Just beyond switching the motion slows down without bound. A field where M is not at rest after alpha t scale = `t_max`
keeps what was reached, and the loop has status 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from scipy.optimize import brentq, root

from solvers.batch import Batch
from solvers.declarations import AXIS, Check, Dimension, Output, Parameter, Starter
from solvers.engines.easy_axis import relax_on_easy_axis
from solvers.engines.macrospin import FIELD, REST, normalise, polar, row
from solvers.model import Method, Model
from solvers.models.landau_lifshitz.trajectory import SOURCE, UNIT_OF_FIELD, vector_parameters
from solvers.numerics.compile import entry, kernel
from solvers.numerics.dense_output import copy
from solvers.numerics.outcome import DONE, EVENT, OUTCOME_TEXT
from solvers.outcome import FAILED, KIND_OF_CODE, WARNED, Kind, Remark, Results
from solvers.shared_parameters import tolerances

NUDGE = 3e-4
"""Tilt of a state along the field in continuation; it moves the switching field by less than 1e-7 V_z."""
RESOLUTION = 1e-5
"""Width to which the coercive field is located, in units of the field scale."""


@kernel
def nudge(p, m, towards):
    """Tilt m (3,) by NUDGE towards a direction perpendicular to it, if it is closer than that to the line of B_eff."""
    fz = p[FIELD + 2] + p[FIELD + 5] * m[2]
    fx, fy = p[FIELD], p[FIELD + 1]
    cx, cy, cz = m[1] * fz - m[2] * fy, m[2] * fx - m[0] * fz, m[0] * fy - m[1] * fx
    if cx * cx + cy * cy + cz * cz > NUDGE * NUDGE * (fx * fx + fy * fy + fz * fz):
        return
    ex, ey, ez = towards[0], towards[1], 0.0
    along = ex * m[0] + ey * m[1]
    if abs(along) > 0.9:
        ex, ey, ez, along = 0.0, 0.0, 1.0, m[2]
    ex, ey, ez = ex - along * m[0], ey - along * m[1], ez - along * m[2]
    size = NUDGE / math.sqrt(ex * ex + ey * ey + ez * ez)
    m[0] += size * ex
    m[1] += size * ey
    m[2] += size * ez
    normalise(m)


@kernel
def settle(p, m, B_z, start, fixed, towards, duration, rtol, atol, max_steps, end, out):
    """Move m (3,) to rest at the field B_z; the outcome code: EVENT at rest, DONE not yet, else failed."""
    p[FIELD + 2] = B_z
    if fixed:
        copy(start, m)
    else:
        nudge(p, m, towards)
    code, _ = relax_on_easy_axis(p, m, duration, rtol, atol, max_steps, end, out)
    return code


@kernel
def approach(p, m, before, high, low, start, fixed, towards, resolution, sign, tuning):
    """Where between the fields `high` (sign M_z > 0, state `before`) and `low` M_z changes sign; m becomes the state at `low`.

    Continuation goes on in steps that are halved whenever M_z changes sign: a large step makes an underdamped M overshoot
    and switch too early. It may thus reach `low` without switching: then NaN. `fixed_start` is bisected.
    """
    after = m.copy()
    step = 0.5 * (low - high)
    switched = True
    while abs(step) > 0.5 * resolution:
        field = high + step
        copy(before, m)
        settle(p, m, field, start, fixed, towards, *tuning)
        if sign * m[2] > 0.0:
            high = field
            copy(m, before)
            if not fixed and abs(low - high) <= 0.5 * resolution:
                switched = False
                break
            if fixed:
                step *= 0.5
            elif abs(step) > abs(low - high):
                step = low - high
        else:
            step *= 0.5
    if fixed:
        copy(after, m)
    elif not switched:
        copy(before, m)
        settle(p, m, low, start, fixed, towards, *tuning)
        if sign * m[2] > 0.0:
            return np.nan
    else:
        settle(p, m, low, start, fixed, towards, *tuning)
        if sign * m[2] > 0.0:  # the last trial kept its sign: switch from beyond
            copy(after, m)
    return high + 0.5 * step


@entry
def loops(
    points, starts, fields, fixed, towards, durations, resolution, rtol, atol, max_steps, down, up, coercive, slow
):
    """Both ways of every point (P, WIDTH) over its `fields` (P, F), from `starts` (P, 2, 3), into `down` and `up` (P, F, 3).

    `coercive` (P,), NaN if M_z keeps its sign; `slow` (P, 2) is the field where M was first not at rest (NaN: none) and
    the code of a failure (0: none).
    """
    end, out = np.empty(1), np.empty((1, 3))
    for i in range(points.shape[0]):
        p, count = points[i], fields.shape[1]
        coercive[i], slow[i, 0], slow[i, 1] = np.nan, np.nan, 0.0
        tuning = (durations[i], rtol[i], atol[i], max_steps[i], end, out)
        before = np.empty(3)
        for way in range(2):
            start = starts[i, way]
            m = start.copy()
            sign = 1.0 if way == 0 else -1.0
            switched = False
            for n in range(count):
                k = count - 1 - n if way == 0 else n
                copy(m, before)
                code = settle(p, m, fields[i, k], start, fixed, towards[i], *tuning)
                if code == DONE and np.isnan(slow[i, 0]):
                    slow[i, 0] = fields[i, k]
                elif code != DONE and code != EVENT:
                    slow[i, 1] = code
                    break
                # the way up only needs its switching where a step could overshoot
                if not switched and n > 0 and sign * m[2] <= 0.0 and (way == 0 or not fixed):
                    last = fields[i, k + 1] if way == 0 else fields[i, k - 1]
                    field = approach(
                        p, m, before, last, fields[i, k], start, fixed, towards[i], resolution[i], sign, tuning
                    )
                    switched = not np.isnan(field)
                    if switched and way == 0:
                        coercive[i] = -field
                if way == 0:
                    copy(m, down[i, k])
                else:
                    copy(m, up[i, k])
            if slow[i, 1] != 0.0:
                break


def run(fixed_start: bool, batch: Batch) -> Results:
    """Loops of all points; each is sequential inside."""
    count = batch.size
    B, V = np.stack([batch["B_x"], batch["B_y"]], axis=1), batch["V_z"]
    scale = batch["B_max"] + np.abs(V) + np.hypot(B[:, 0], B[:, 1])
    points = np.empty((count, len(row(0.0, 0.0))))
    for i in range(count):
        points[i] = row([*B[i], 0.0], [0.0, 0.0, V[i]], damping=batch["alpha"][i])
    points[:, REST] = batch["rest_rate"] * scale
    theta, phi = batch["theta0"], batch["phi0"]
    starts = np.stack([polar(theta, phi), polar(np.pi - theta, phi)], axis=1)
    fields = batch["B_max"][:, None] * np.linspace(-1.0, 1.0, batch["n_fields"])
    down, up = np.full((count, fields.shape[1], 3), np.nan), np.full((count, fields.shape[1], 3), np.nan)
    coercive, slow = np.empty(count), np.empty((count, 2))
    loops(
        points,
        starts,
        fields,
        fixed_start,
        np.stack([np.cos(phi), np.sin(phi)], axis=1),
        batch["t_max"] / (batch["alpha"] * scale),
        RESOLUTION * scale,
        batch["rtol"],
        batch["atol"],
        batch["max_steps"],
        down,
        up,
        coercive,
        slow,
    )
    height = down[:, :, 2] - up[:, :, 2]
    area = (0.5 * (height[:, 1:] + height[:, :-1]) * np.diff(fields, axis=1)).sum(axis=1)
    status = np.zeros(count, dtype=np.int64)
    remarks: dict[int, Remark] = {}
    for i in range(count):
        if slow[i, 1]:
            status[i] = FAILED
            code = int(slow[i, 1])
            remarks[i] = Remark(kind=KIND_OF_CODE[code], message=f"at one field: {OUTCOME_TEXT[code]}")
        elif np.isfinite(slow[i, 0]):
            status[i] = WARNED
            text = (
                f"critical slowing: M is not at rest at B_z = {slow[i, 0]:.6g} after alpha t scale = t_max; raise t_max"
            )
            remarks[i] = Remark(kind=Kind.NOT_AT_REST, message=text)
    found = {"field": fields, "M_down": down, "M_up": up, "coercive_field": coercive, "loop_area": area}
    return Results({name: found[name] for name in batch.empty()}, status, remarks)


def reference_continuation(p: Mapping[str, Any]) -> Mapping[str, Any]:
    """By statics: the local maximum of W = B.M + V_z M_z^2/2 in the plane of B that the branch belongs to."""
    fields = np.linspace(-p["B_max"], p["B_max"], p["n_fields"])
    perpendicular, V = float(np.hypot(p["B_x"], p["B_y"])), p["V_z"]

    def highest(B_z: float, sign: float) -> float:
        """M_z of the maximum of W with the largest sign M_z: M_z = (B_z + V M_z)/sqrt(B_perp^2 + (B_z + V M_z)^2)."""

        def excess(u):
            return (B_z + V * u) / np.hypot(perpendicular, B_z + V * u) - u

        grid = np.linspace(sign, -sign, 4001)
        values = np.array([excess(u) for u in grid])
        k = int(np.flatnonzero(np.sign(values[:-1]) != np.sign(values[1:]))[0])
        return float(brentq(excess, grid[k], grid[k + 1], xtol=1e-14))

    return {
        "field": fields,
        "M_down": _with_height([highest(b, 1.0) for b in fields], p),
        "M_up": _with_height([highest(b, -1.0) for b in fields], p),
    }


def reference_fixed_start(p: Mapping[str, Any]) -> Mapping[str, Any]:
    """Every field by itself: SciPy's LSODA from the tilted start, then a root of M x B_eff, |M| = 1 nearby."""
    fields = np.linspace(-p["B_max"], p["B_max"], p["n_fields"])
    alpha, V, tilt = p["alpha"], np.array([0.0, 0.0, p["V_z"]]), p["theta0"]
    out: dict[str, list[NDArray[np.float64]]] = {"M_down": [], "M_up": []}
    for name, theta in (("M_down", tilt), ("M_up", np.pi - tilt)):
        for b in fields:
            B = np.array([p["B_x"], p["B_y"], b])

            def slope(_, m, B=B):
                turn = np.cross(m, B + V * m)
                return -turn - alpha * np.cross(m, turn)

            def at_rest(m, B=B):  # M along B_eff, as every stable state is
                field = B + V * m
                return field / np.linalg.norm(field) - m

            sin, cos = np.sin(theta), np.cos(theta)
            start = [sin * np.cos(p["phi0"]), sin * np.sin(p["phi0"]), cos]
            end = solve_ivp(slope, (0.0, 300.0 / alpha), start, method="LSODA", rtol=1e-9, atol=1e-11).y[:, -1]
            out[name].append(root(at_rest, end / np.linalg.norm(end), tol=1e-13).x)
    return {"field": fields} | {name: np.array(value) for name, value in out.items()}


def _with_height(height: list[float], p: Mapping[str, Any]) -> NDArray[np.float64]:
    u = np.array(height)
    direction = np.array([p["B_x"], p["B_y"]]) / np.hypot(p["B_x"], p["B_y"])
    return np.concatenate([np.sqrt(1 - u**2)[:, None] * direction, u[:, None]], axis=1)


def random_parameters(rng: np.random.Generator) -> dict[str, Any]:
    """Loops with a perpendicular field, away from switching exactly on a field of the grid."""
    return {
        "V_z": float(rng.uniform(-1.0, 3.0)),
        "B_x": float(rng.uniform(0.2, 1.0)),
        "B_y": float(rng.uniform(-1.0, 1.0)),
        "alpha": float(rng.uniform(0.3, 1.0)),
        "B_max": float(rng.uniform(1.0, 3.0)),
        "n_fields": 24,
    }


def length_is_one(parameters: Mapping[str, Any], outputs: Mapping[str, Any]) -> float:
    """Largest | |M| - 1 |."""
    both = np.concatenate([outputs["M_down"], outputs["M_up"]])
    return float(np.abs(np.linalg.norm(both, axis=-1) - 1).max())


FIELD_DIMENSION = Dimension(
    name="step", size="n_fields", meaning="number of the field, from -B_max to B_max", symbol="k", along="field"
)

MODELS = (
    Model(
        id="landau_lifshitz.hysteresis",
        title="Hysteresis loops of the Landau-Lifshitz equation",
        source=SOURCE,
        methods=(
            Method(
                name="continuation",
                meaning="every field from the state of rest at the field before",
                batch=partial(run, False),
                reference=reference_continuation,
            ),
            Method(
                name="fixed_start",
                meaning="every field from the same tilted state",
                source="section III A",
                batch=partial(run, True),
                reference=reference_fixed_start,
            ),
        ),
        parameters=(
            *vector_parameters("V", "easy-axis anisotropy field", "V", "z"),
            *vector_parameters("B", "constant field", "B", "xy"),
            Parameter(
                name="alpha",
                meaning="dimensionless damping",
                default=0.5,
                symbol=r"\alpha",
                bounds=(0.0, float("inf")),
                open_below=True,
            ),
            Parameter(
                name="theta0",
                meaning="tilt of the start from +z (down) or -z (up)",
                default=float(np.pi / 40),
                unit="rad",
                symbol=r"\theta_0",
                bounds=(0.0, float(np.pi)),
            ),
            Parameter(
                name="phi0", meaning="azimuth of the start", default=float(np.pi / 4), unit="rad", symbol=r"\phi_0"
            ),
            Parameter(
                name="B_max",
                meaning="largest field along z",
                default=1.5,
                unit=UNIT_OF_FIELD,
                symbol=r"B_{\max}",
                bounds=(0.0, float("inf")),
                open_below=True,
            ),
            Parameter(
                name="n_fields", meaning="number of fields", default=121, kind="integer", bounds=(2, 1e6), shape=True
            ),
            Parameter(
                name="rest_rate",
                meaning="|dM/dt| at rest, in units of gamma times the field scale",
                label="rate at rest",
                default=1e-9,
                bounds=(1e-13, 1e-3),
                physical=False,
            ),
            Parameter(
                name="t_max",
                meaning="longest time at one field, in 1/(alpha gamma field scale)",
                default=1e7,
                bounds=(1.0, float("inf")),
                physical=False,
            ),
            *tolerances(1e-11, 1e-13),
        ),
        outputs=(
            Output(name="field", meaning="field along z", dims=("step",), unit=UNIT_OF_FIELD, symbol="B_z"),
            Output(
                name="M_down",
                meaning="magnetisation at rest, swept down",
                dims=("step", "axis"),
                symbol=r"\mathbf{M}_\downarrow",
                bounds=(-1.0, 1.0),
            ),
            Output(
                name="M_up",
                meaning="magnetisation at rest, swept up",
                dims=("step", "axis"),
                symbol=r"\mathbf{M}_\uparrow",
                bounds=(-1.0, 1.0),
            ),
            Output(
                name="coercive_field",
                meaning="minus the field where M_z changes sign on the way down",
                label="coercive field",
                unit=UNIT_OF_FIELD,
                symbol="H_c",
                nan="M_z keeps its sign down to -B_max",
            ),
            Output(
                name="loop_area",
                meaning="area between M_z down and up (trapezoid over the fields)",
                label="area of the loop",
                unit=UNIT_OF_FIELD,
                symbol=r"\oint{M_z}dB_z",
            ),
        ),
        dimensions=(FIELD_DIMENSION, AXIS),
        example={"V_z": 1.0, "B_x": 0.2, "B_y": 0.2, "alpha": 0.5, "B_max": 1.5, "n_fields": 62},
        starter=Starter(axes={"V_z": {"values": [0.5, 0.75, 1.0, 1.25]}}, parameters={"n_fields": 151}),
        checks=(
            Check(
                parameters={"V_z": 2.0, "B_x": 1.0, "B_y": 1.0, "B_max": 3.0, "n_fields": 120},
                expect={"coercive_field": (2.0 ** (2 / 3) - 2.0 ** (1 / 3)) ** 1.5},
                origin="astroid of Stoner and Wohlfarth",
                method="continuation",
                atol=1e-4,
            ),
            Check(
                parameters={"V_z": 0.7, "alpha": 0.2, "B_max": 1.0, "n_fields": 40},
                expect={"coercive_field": 0.7},
                origin="du/dt = alpha (1 - u^2)(B_z + V_z u) at u = 1",
                method="continuation",
                atol=1e-4,
            ),
            Check(
                parameters={"V_z": 0.7, "alpha": 0.2, "B_max": 1.0, "n_fields": 40},
                expect={"coercive_field": 0.7 * np.cos(np.pi / 40)},
                origin="du/dt = alpha (1 - u^2)(B_z + V_z u) at u = cos(theta0)",
                method="fixed_start",
                atol=1e-4,
            ),
        ),
        reference_tolerance=(0.0, 1e-7),
        random_parameters=random_parameters,
        conserved={"length of M": (length_is_one, 1e-14)},
    ),
)
