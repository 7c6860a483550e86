"""The chain: its parameters, and the only place where the source's operators become those of the engines.

The equations are stated in the docstring of this folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from solvers.declarations import Parameter
from solvers.engines import macrospin
from solvers.engines.chain_mean_field import integrate_chain
from solvers.engines.master_equation.closed import is_pure
from solvers.engines.master_equation.generator import build_generator
from solvers.engines.master_equation.growth import growth_rate
from solvers.engines.spin_system import SpinSystem
from solvers.engines.validity import unfinished
from solvers.model import Method
from solvers.numerics.outcome import DONE, OUTCOME_TEXT
from solvers.outcome import KIND_OF_CODE, OK, WARNED, InvalidInput, Kind, PointFailed, Remark

SOURCE = "Landau-Lifshitz theory from an open Heisenberg chain, Eqs. (3), (9), (12)-(14)"
UNIT, UNIT_OF_TIME = "field", "1/(gamma field)"
MOST_EXACT = 10

JUMPS = np.array(
    [
        [[0, 1j, -1], [0, -1j, -1]],
        [[1j, 0, 1], [-1j, 0, 1]],
        [[1, 1j, 0], [1, -1j, 0]],
    ]
)
"""S_{a,+}, S_{a,-} as vectors over (S_x, S_y, S_z): [axis][+,-]."""

COUPLINGS = tuple(
    Parameter(
        name=f"V_{a}",
        meaning=f"coupling of neighbours along {a}, each bond once",
        default=0.0,
        unit=UNIT,
        symbol=f"V_{a}",
    )
    for a in "xyz"
)
FIELDS = tuple(
    Parameter(name=f"B_{a}", meaning=f"magnetic field, {a}", default=0.0, unit=UNIT, symbol=f"B_{a}") for a in "xyz"
)


def sites(shape: bool) -> Parameter:
    """The number of spins."""
    return Parameter(
        name="N", meaning="number of spins", default=3, kind="integer", bounds=(1, 4096 if shape else 64), shape=shape
    )


BATH: tuple[Parameter, ...] = (
    Parameter(
        name="Gamma",
        meaning="on-site rate gamma_z+ + gamma_z-",
        label="on-site rate",
        default=0.0,
        unit=UNIT,
        symbol=r"\Gamma",
        bounds=(0.0, float("inf")),
    ),
    Parameter(name="n_b", meaning="bosons of the bath", default=0.08, symbol=r"\bar{n}", bounds=(0.0, float("inf"))),
    Parameter(
        name="g_ratio",
        meaning="neighbour rates over on-site rates",
        label="neighbour over on-site rate",
        default=0.1,
        symbol=r"g/\gamma",
    ),
    Parameter(
        name="on_site",
        meaning="rates gamma [axis][+,-], instead of Gamma, n_b and g_ratio",
        default=None,
        unit=UNIT,
        symbol=r"\gamma_{a\eta}",
        dims=(3, 2),
    ),
    Parameter(
        name="neighbour",
        meaning="rates g [axis][+,-] of neighbours, instead of Gamma, n_b and g_ratio",
        default=None,
        unit=UNIT,
        symbol=r"g_{a\eta}",
        dims=(3, 2),
    ),
)
START: tuple[Parameter, ...] = (
    Parameter(
        name="spins0", meaning="Bloch vectors of the start, instead of theta0 and phi0", default=None, dims=("N", 3)
    ),
    Parameter(
        name="theta0",
        meaning="polar angle of all spins at the start",
        label="polar angle of the start",
        default=float(np.pi / 2),
        unit="rad",
        symbol=r"\theta_0",
    ),
    Parameter(
        name="phi0",
        meaning="azimuth of all spins at the start",
        label="azimuth of the start",
        default=0.0,
        unit="rad",
        symbol=r"\phi_0",
    ),
)

# The methods that several models have; each model gives its own functions.
MEAN_FIELD = partial(
    Method, name="mean_field", meaning="product states, site by site", source="Eqs. (12)-(14) corrected"
)
MEAN_FIELD_UNIFORM = partial(
    Method,
    name="mean_field_uniform",
    meaning="bulk site of a uniform chain",
    source="Eqs. (12)-(14), (18) corrected",
)
PRINTED = partial(
    Method,
    name="printed",
    meaning="bulk site, with the misprints in the terms of g and in the noise",
    source="Eqs. (12)-(14)",
)


def rates(p: Mapping[str, Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """On-site and neighbour rates (..., 3, 2) = [axis][+,-], points in front; a table given alone leaves the other one zero."""
    given = [None if p[name] is None else np.asarray(p[name]) for name in ("on_site", "neighbour")]
    if given[0] is not None or given[1] is not None:
        on_site = np.zeros_like(given[1]) if given[0] is None else given[0]
        return on_site, np.zeros_like(on_site) if given[1] is None else given[1]
    Gamma, n_b = np.asarray(p["Gamma"]), np.asarray(p["n_b"])
    on_site = np.zeros((*Gamma.shape, 3, 2))
    on_site[..., 2, :] = (Gamma / (2 * n_b + 1))[..., None] * np.stack([n_b, n_b + 1], axis=-1)
    return on_site, np.asarray(p["g_ratio"])[..., None, None] * on_site


def build_system(p: Mapping[str, Any]) -> SpinSystem:
    """The chain in Pauli matrices: B/2, V/4, and the Kossakowski matrix over 4."""
    return SpinSystem(*build_systems(p))


def build_systems(p: Mapping[str, Any]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.complex128]]:
    """Fields (..., N, 3), couplings (..., N, N, 3, 3) and Gamma (..., 3N, 3N) of one point, or with the points in front."""
    n = p["N"]
    adjacency = np.eye(n, k=1) + np.eye(n, k=-1)
    on_site, neighbour = rates(p)
    lead = on_site.shape[:-2]
    coupling = np.zeros((*lead, n, n, 3, 3))
    for a, name in enumerate("xyz"):
        coupling[..., a, a] = np.asarray(p[f"V_{name}"])[..., None, None] / 4 * adjacency
    Gamma = np.zeros((*lead, n, 3, n, 3), dtype=np.complex128)
    for a in range(3):
        for eta in range(2):
            if on_site[..., a, eta].any() or neighbour[..., a, eta].any():
                jump = np.outer(JUMPS[a, eta], JUMPS[a, eta].conj()) / 4
                strength = on_site[..., a, eta, None, None] * np.eye(n)
                strength = strength + neighbour[..., a, eta, None, None] * adjacency
                Gamma += strength[..., :, None, :, None] * jump[:, None, :]
    fields = np.repeat(field(p)[..., None, :] / 2, n, axis=-2)
    return fields, coupling, Gamma.reshape(*lead, 3 * n, 3 * n)


def min_kossakowski(p: Mapping[str, Any]) -> float:
    """Smallest eigenvalue of the Kossakowski matrix in the basis S_a^j."""
    return float(kossakowski_range(p)[0])


def kossakowski_range(p: Mapping[str, Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Smallest and largest eigenvalue (...,) of the Kossakowski matrix in the basis S_a^j, of a point or points.

    It is sum_{a,eta} (gamma 1 + g A) x u u^+ with the adjacency A of the chain, whose eigenvalues are 2 cos(k pi/(N+1)).
    """
    on_site, neighbour = rates(p)
    n = p["N"]
    adjacency = 2 * np.cos(np.pi * np.arange(1, n + 1) / (n + 1))
    strength = on_site[..., None, :, :] + adjacency[:, None, None] * neighbour[..., None, :, :]
    blocks = np.einsum("...kae,aei,aej->...kij", strength, JUMPS, JUMPS.conj())
    values = np.linalg.eigvalsh(blocks)
    return values.min(axis=(-2, -1)), values.max(axis=(-2, -1))


def completely_positive(p: Mapping[str, Any]) -> NDArray[np.bool_]:
    """Whether the Kossakowski matrix is positive up to rounding, (...,)."""
    return is_positive(*kossakowski_range(p))


def is_positive(least: NDArray[np.float64], largest: NDArray[np.float64]) -> NDArray[np.bool_]:
    """The same from the smallest and the largest eigenvalue."""
    return np.asarray(least >= -1e-10 * np.maximum(largest, -least))


def judged(
    p: Mapping[str, Any],
    *,
    first_bad: float = np.nan,
    reason: str = "",
    code: int = DONE,
    reached: float = np.nan,
    first_left: float = np.nan,
) -> tuple[int, Remark | None]:
    """Status and remark: 1 if it left physics or is not completely positive, else 0; PointFailed if it did not end."""
    notes = []
    if not np.isnan(first_bad):
        notes.append(f"the moments belong to no state from t = {first_bad:.6g} on" + (f": {reason}" if reason else ""))
    kind = Kind.OUT_OF_PHYSICS
    if code != DONE:
        text = f"stopped at t = {reached:.6g}: {OUTCOME_TEXT[code]}"
        if not np.isnan(first_left):
            return WARNED, Remark(kind=KIND_OF_CODE[code], message="; ".join([unfinished(text, first_left), *notes]))
        raise PointFailed(Kind.DIVERGED if notes else KIND_OF_CODE[code], "; ".join([text, *notes]))
    if not completely_positive(p):
        kind = Kind.NOT_COMPLETELY_POSITIVE
        notes.append(
            f"the Kossakowski matrix has the eigenvalue {min_kossakowski(p):.6g} < 0: solved all the same, but the evolution is not "
            "completely positive"
        )
    return (WARNED, Remark(kind=kind, message="; ".join(notes))) if notes else (OK, None)


def divergence(p: Mapping[str, Any], largest: float, time: float) -> str:
    """What is said of expectation values that grow far beyond 1."""
    return (
        f"rho diverges: an expectation value is {largest:.3g} at t = {time:.6g}; L has an eigenvalue with the real part "
        f"{growth_rate(build_generator(build_system(p))):.6g} > 0; the rates are not completely positive, their smallest "
        f"Kossakowski eigenvalue is {min_kossakowski(p):.6g}"
    )


def closed_and_pure(p: Mapping[str, Any]) -> NDArray[np.bool_]:
    """Whether there is no dissipation and a pure start, for one point or with the points (P,) in front."""
    tables = [np.abs(p[name]).sum(axis=(-2, -1)) for name in ("on_site", "neighbour") if p[name] is not None]
    closed = np.asarray((sum(tables) if tables else np.asarray(p["Gamma"])) == 0.0)
    return closed if p["spins0"] is None else closed & is_pure(np.asarray(p["spins0"]))


def couplings(p: Mapping[str, Any]) -> NDArray[np.float64]:
    """V (..., 3)."""
    return np.stack([p["V_x"], p["V_y"], p["V_z"]], axis=-1)


def field(p: Mapping[str, Any]) -> NDArray[np.float64]:
    """B (..., 3)."""
    return np.stack([p["B_x"], p["B_y"], p["B_z"]], axis=-1)


def start(p: Mapping[str, Any]) -> NDArray[np.float64]:
    """Bloch vectors (..., N, 3) of the start."""
    if p["spins0"] is not None:
        return np.array(p["spins0"], dtype=np.float64)
    return np.repeat(macrospin.polar(p["theta0"], p["phi0"])[..., None, :], p["N"], axis=-2)


def validate(p: Mapping[str, Any]) -> None:
    """ValueError for a start that is no state."""
    if p["spins0"] is not None:
        length = np.linalg.norm(p["spins0"], axis=1)
        if length.max() > 1 + 1e-8:
            j = int(length.argmax())
            raise InvalidInput(
                f"parameter spins0: site {j} has length {length[j]:.9g}; a Bloch vector is at most 1 long; divide by its length"
            )


Row = NDArray[np.float64]
"""What `solvers.engines.macrospin` takes of a point, (..., WIDTH)."""


def site_row(p: Mapping[str, Any]) -> Row:
    """The row of one site, corrected: between two neighbours like itself, the bulk site."""
    on_site, _ = rates(p)
    total = on_site.sum(axis=-1)
    decay = 0.5 * (total.sum(axis=-1, keepdims=True) + total)
    return _row(p, torque=-_torque(p), decay=decay, source=on_site[..., 1] - on_site[..., 0])


def uniform_row(p: Mapping[str, Any]) -> Row:
    """The row of a bulk site; PointFailed where the start is not uniform."""
    if not is_uniform(p):
        text = "this method describes one bulk site of a uniform chain, but spins0 differs from site to site"
        raise PointFailed(Kind.OUTSIDE_LIMIT, text)
    return site_row(p)


def printed_row(p: Mapping[str, Any]) -> Row:
    """The same by Eqs. (12)-(14) as printed; PointFailed also where these do not apply."""
    row = uniform_row(p)
    if not is_printed(p):
        text = "Eqs. (12)-(14) are printed for gamma_x = gamma_y = 0; take mean_field_uniform, or on-site rates along z only"
        raise PointFailed(Kind.OUTSIDE_LIMIT, text)
    return as_printed(p, row)


def as_printed(p: Mapping[str, Any], row: Row) -> Row:
    """The row of a bulk site with the misprints."""
    total = rates(p)[0][..., 2, :].sum(axis=-1)
    row[..., macrospin.TORQUE : macrospin.TORQUE + 3] = _torque(p) / 2
    row[..., macrospin.DECAY : macrospin.DECAY + 3] = np.multiply.outer(total, [0.5, 0.5, 1.0])
    row[..., macrospin.SOURCE : macrospin.SOURCE + 3] = np.multiply.outer(total, [0.0, 0.0, 1.0])
    return row


def is_uniform(p: Mapping[str, Any]) -> NDArray[np.bool_]:
    """Whether the start is the same on all sites (...,)."""
    spins = start(p)
    return np.asarray(np.abs(spins - spins[..., :1, :]).max(axis=(-2, -1)) <= 1e-12)


def is_printed(p: Mapping[str, Any]) -> NDArray[np.bool_]:
    """Whether rates are along z alone (...,)."""
    return np.asarray(~rates(p)[0][..., :2, :].any(axis=(-2, -1)))


def _torque(p: Mapping[str, Any]) -> NDArray[np.float64]:
    """g_a = g_a- - g_a+."""
    _, neighbour = rates(p)
    return np.asarray(neighbour[..., 1] - neighbour[..., 0])


def _row(p: Mapping[str, Any], **terms: Any) -> Row:
    row = macrospin.row(field(p), couplings(p), **terms)
    # which keeps |m| = 1, not the length of a mixed state
    row[..., macrospin.CONSERVING] *= np.abs(np.linalg.norm(start(p)[..., 0, :], axis=-1) - 1) <= 1e-12
    return row


def uniform_path(row: Row, p: Mapping[str, Any], when: NDArray[np.float64]) -> tuple[NDArray[np.float64], int, float]:
    """M of a bulk site (T, 3) at `when`, the outcome of the integration and the time reached."""
    path = np.empty((1, len(when), 3))
    code, reached = np.empty(1, dtype=np.int64), np.empty(1)
    tuning = (np.full(1, p["rtol"]), np.full(1, p["atol"]), np.full(1, p["max_steps"]))
    macrospin.paths(row[None], start(p)[:1], when, path, *tuning, code, reached)
    return path[0], int(code[0]), float(reached[0])


def mean_field_path(p: Mapping[str, Any], when: NDArray[np.float64]) -> tuple[NDArray[np.float64], int, float]:
    """Site-resolved mean field (T, N, 3) at `when`, the outcome of the integration and the time reached."""
    out = np.empty((len(when), 3 * p["N"]))
    code, reached, _ = integrate_chain(site_row(p), start(p).ravel(), when, out, p["rtol"], p["atol"], p["max_steps"])
    return out.reshape(len(when), -1, 3), int(code), float(reached)


def uniform_reference(p: Mapping[str, Any], when: NDArray[np.float64]) -> NDArray[np.float64]:
    """M (T, 3) of a bulk site: the middle one of three alike, by the formula above and SciPy's DOP853."""
    V, B, g, (on_site, _) = couplings(p), field(p), _torque(p), rates(p)
    total = on_site.sum(axis=1)

    def slope(_, m):
        s = 2 * m
        turn = np.cross(B + V * s / 2 + np.cross(g, s) / 2, m)
        loss = sum(total[a] * np.where(np.arange(3) == a, 1.0, 0.5) * m for a in range(3))
        return turn - loss - (on_site[:, 1] - on_site[:, 0])

    return _by_scipy(slope, p, when)


def printed_reference(p: Mapping[str, Any], when: NDArray[np.float64]) -> NDArray[np.float64]:
    """M (T, 3) by Eqs. (12)-(14) letter by letter and SciPy's DOP853."""
    V, B, (gx, gy, gz), G = couplings(p), field(p), _torque(p), rates(p)[0].sum(axis=1)[2]

    def slope(_, m):
        (x, y, z), (bx, by, bz) = m, B + V * m
        return np.array(
            [
                z * by - y * bz + 0.5 * (-gz * x * z - gy * x * y + gx * (y * y + z * z)) - 0.5 * G * x,
                x * bz - z * bx + 0.5 * (-gz * y * z - gx * x * y + gy * (x * x + z * z)) - 0.5 * G * y,
                y * bx - x * by + 0.5 * (-gy * y * z - gx * x * z + gz * (x * x + y * y)) - G * (z + 1),
            ]
        )

    return _by_scipy(slope, p, when)


def _by_scipy(slope, p: Mapping[str, Any], when: NDArray[np.float64]) -> NDArray[np.float64]:
    end = max(float(when[-1]), 1e-12)
    found = solve_ivp(slope, (0.0, end), start(p)[0], method="DOP853", t_eval=when, rtol=1e-11, atol=1e-12)
    return np.asarray(found.y.T)


def random_chain(rng: np.random.Generator, n: int) -> dict[str, Any]:
    """Random couplings, fields and rates on all axes, completely positive more often than not."""
    on_site = rng.uniform(0.05, 0.3, (3, 2))
    on_site[:2] *= rng.integers(0, 2)
    neighbour = on_site * rng.uniform(-0.5, 0.5, (3, 2))
    names = [f"{v}_{a}" for v in "BV" for a in "xyz"]
    return {name: float(rng.normal() * 0.7) for name in names} | {
        "N": n,
        "on_site": on_site,
        "neighbour": neighbour,
        "theta0": float(rng.uniform(0.0, np.pi)),
        "phi0": float(rng.uniform(-np.pi, np.pi)),
    }
