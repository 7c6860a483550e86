"""spin_chain.steady_state: fluctuations and correlations of a dissipative XYZ chain at rest (Fig. 7).

For weak couplings every spin points down; at J_x J_y = -Gamma^2 (physical couplings, J_z = 0) that becomes unstable. `holstein_
primakoff` is the linear theory about it, exact for S to infinity on the stable side. `twoqs` averages trajectories from
down and holds on both sides, if t_relax and t_average exceed the slow time 1/(Gamma (1 - sqrt r)), r = -J_x J_y/Gamma^2.
`mean_field` is the polarised state where it is stable; else a classical trajectory from down, tilted by the size of the
quantum noise along its fastest growing wave, averaged as the others are.

Excitations are n = <S_z> + S, in TWOQS E|alpha|^2 - 1/2: far quieter than E s_z + S, which also has the noise of the length;
likewise Var S_z from |alpha|^2. C(s) = <S_n^+ S_{n+s}^->/<S_n^+ S_n^->, along a row of a square lattice.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_continuous_lyapunov

from solvers.batch import Batch, Point
from solvers.declarations import Check, Dimension, Output, Parameter, Starter
from solvers.engines.phase_space.lattice import Sites
from solvers.engines.phase_space.lattice_sample import (
    Stationary,
    correlation_length,
    run_average,
    stationary,
)
from solvers.engines.phase_space.sample import GROWN
from solvers.model import Method, Model
from solvers.models.spin_chain import declarations as declare
from solvers.models.spin_chain import holstein_primakoff as linear
from solvers.outcome import OK, WARNED, Kind, Remark
from solvers.shared_parameters import step_error, tolerances

MOMENTS = ("Sz_over_S", "excitations", "Sxx_over_S", "Syy_over_S", "Sxy_over_S", "Szz_variance", "correlation")
WITH_ERROR = (*MOMENTS, "correlation_length")
SMALLEST_CORRELATION = 0.005
"""C(s) below this, or below twice its standard error, is left out of the fit of the correlation length."""


def nothing(p: Mapping[str, Any]) -> dict[str, Any]:
    """NaN for every output."""
    names = (
        *WITH_ERROR,
        *(f"{name}_sem" for name in WITH_ERROR),
        "length_mean",
        "length_variance",
        "step_error",
        "samples",
    )
    return dict.fromkeys(names, math.nan)


def undamped(p: Mapping[str, Any]) -> dict[str, Any] | None:
    """A failure without decay."""
    if p["Gamma"] > 0.0:
        return None
    return nothing(p) | declare.failed(
        Kind.NOT_UNIQUE, "without decay (Gamma = 0) there is no unique steady state; take Gamma > 0"
    )


def distances(p: Mapping[str, Any], width: int) -> NDArray[np.int64]:
    """Distances 0 ... max_distance, once round the lattice and on."""
    return np.arange(p["max_distance"] + 1) % width


def holstein_primakoff(p: Point) -> dict[str, Any]:
    """Linear theory."""
    if stop := undamped(p):
        return stop
    width, height = declare.shape(p)
    J = declare.physical(p)
    least = linear.damping(J, p["Gamma"], width, height)
    if not least > 0.0:
        message = (
            f"the polarised state is unstable (smallest 1 + j_x j_y/Gamma^2 over momenta: {least:.4g}), and the linear theory "
            "holds about it alone; methods twoqs and mean_field go beyond"
        )
        return nothing(p) | declare.failed(Kind.UNSTABLE, message)
    found = linear.solve(J, p["Gamma"], width, height)
    return {
        "Sz_over_S": -1.0 + found.excitations / p["S"],
        "excitations": found.excitations,
        "Sxx_over_S": found.Sxx,
        "Syy_over_S": found.Syy,
        "Sxy_over_S": found.Sxy,
        "Szz_variance": found.Szz_variance,
        "correlation": found.correlation[distances(p, width)],
        "correlation_length": linear.infinite_length(J, p["Gamma"]) if height == 1 else math.nan,
    }


def moments_of(averages: NDArray[np.float64], S: float) -> dict[str, NDArray[np.float64]]:
    """Rows of site averages (trajectories, AVERAGES) as symmetrised moments per trajectory, each linear in them.

    Wigner: n <-> |alpha|^2 - 1/2, n^2 <-> |alpha|^4 - |alpha|^2, S_a^2 <-> s_a^2 - 1/8; "onsite" is <S^+ S^->.
    """
    a2, a4, xx, yy, xy, _, _, extra, _ = averages.T
    # |beta|^2 = 2S + 1 - |alpha|^2 for the length that S has, so that its artificial spread stays out
    return {
        "n": a2 - 0.5,
        "n2": a4 - a2,
        "Sxx_over_S": (xx - 0.125) / S,
        "Syy_over_S": (yy - 0.125) / S,
        "Sxy_over_S": xy / S,
        "onsite": xx + yy - 0.25 + a2 - 0.5 - 0.5 * (extra + 2 * S),
    }


def summarised(p: Mapping[str, Any], rows: Stationary) -> dict[str, Any]:
    """All outputs from trajectories."""
    S, width = p["S"], rows.correlation.shape[1]
    m = moments_of(rows.averages, S)
    mean, sem = rows.mean, rows.sem
    n, n2 = mean(m["n"]), mean(m["n2"])
    found: dict[str, Any] = {"Sz_over_S": -1.0 + n / S, "Sz_over_S_sem": sem(m["n"]) / S}
    found |= {"excitations": n, "excitations_sem": sem(m["n"])}
    for name in ("Sxx_over_S", "Syy_over_S", "Sxy_over_S"):
        found |= {name: mean(m[name]), f"{name}_sem": sem(m[name])}
    found |= {"Szz_variance": n2 - n * n, "Szz_variance_sem": sem(m["n2"] - 2 * n * m["n"])}
    F, F0 = mean(rows.correlation), mean(m["onsite"])
    C = F / F0
    C[0] = 1.0
    C_sem = sem((rows.correlation - C * m["onsite"][:, None]) / F0)
    groups = len(rows.counts)
    C_sem[0] = 0.0 if groups > 1 else math.nan
    chosen = distances(p, width)
    found |= {"correlation": C[chosen], "correlation_sem": C_sem[chosen]}
    floor = np.maximum(SMALLEST_CORRELATION, 2 * np.nan_to_num(C_sem))
    found |= {"correlation_length": correlation_length(C, floor), "correlation_length_sem": math.nan}
    count = rows.counts.sum()
    if groups > 2:
        # the jackknife over groups, over the same distances as far as they stay positive
        without = [
            correlation_length((count * F - c * f) / (count * F0 - c * o), floor)
            for c, f, o in zip(rows.counts, rows.correlation, m["onsite"], strict=True)
        ]
        found["correlation_length_sem"] = math.sqrt((groups - 1) * float(np.var(without)))
    extra, extra2 = mean(rows.averages[:, 7]), mean(rows.averages[:, 8])
    return found | {
        "length_mean": extra + 2 * S,
        "length_variance": max(extra2 - extra * extra, 0.0),
        "samples": count,
    }


def twoqs(p: Point) -> dict[str, Any]:
    """Trajectories from down, averaged over sites, time and one another."""
    if stop := undamped(p):
        return stop
    if stop := declare.too_many_steps(p["t_relax"] + p["t_average"], p):
        return nothing(p) | stop
    point = declare.lattice(p, math.pi, 0.0)
    relax, steps = round(p["t_relax"] / p["step"]), max(1, round(p["t_average"] / p["step"]))

    def error_of(count: int) -> float:
        few = stationary(point, p.key, relax, steps, count, 0.0)
        return float(few.sem(few.averages)[0])

    most = declare.trajectories_to_draw(p, p["t_relax"] + p["t_average"], error_of)
    rows = stationary(point, p.key, relax, steps, most, p["target_error"])
    if not (np.isfinite(rows.averages).all() and np.isfinite(rows.correlation).all()):
        return nothing(p) | declare.failed(
            Kind.NOT_FINITE, f"the trajectories are not finite; a step of {p['step']:g} is too long for these rates"
        )
    found = summarised(p, rows) | {"step_error": math.nan, "status": OK}
    if p["check_step"] == "yes":
        halved = stationary(point._replace(refined=1), p.key, relax, steps, int(found["samples"]), 0.0)
        found["step_error"] = abs(float(summarised(p, halved)["Sz_over_S"] - found["Sz_over_S"]))
    at_start = 0.25 if p["sampling"] == "ring" else 2 * p["S"] + 0.5
    reasons = []
    grown = p["variant"] != "conserving" and found["length_variance"] - at_start > GROWN * found["length_mean"] ** 2
    if grown:
        reasons.append(
            f"the variance of N = |alpha|^2 + |beta|^2 has grown by more than {GROWN:g} of N^2 on average over t_average: "
            "the positive diffusion no longer holds S; variant conserving keeps it"
        )
    if reason := declare.coarse(p):
        reasons.append(reason)
    if p["target_error"] > 0.0 and not found["excitations_sem"] <= p["target_error"]:
        reasons.append(f"target_error was not reached with trajectories = {found['samples']}")
    if reasons:
        found |= {
            "status": WARNED,
            "remark": Remark(kind=Kind.LENGTH_SPREAD if grown else Kind.INACCURATE, message="; ".join(reasons)),
        }
    return found


def mean_field(p: Point) -> dict[str, Any]:
    """The polarised state, or a classical trajectory away from it."""
    if stop := undamped(p):
        return stop
    width, height = declare.shape(p)
    J = declare.physical(p)
    S, chosen = p["S"], distances(p, width)
    if linear.damping(J, p["Gamma"], width, height) > 0.0:
        down: dict[str, Any] = dict.fromkeys(MOMENTS[1:-1], 0.0)
        C = np.where(chosen == 0, 1.0, math.nan)
        return {"Sz_over_S": -1.0, **down, "correlation": C}
    if stop := declare.too_many_steps(p["t_relax"] + p["t_average"], p):
        return nothing(p) | stop
    sites = tilted(J, S, width, height)
    relax, steps = round(p["t_relax"] / p["step"]), max(1, round(p["t_average"] / p["step"]))
    point = declare.lattice(p, math.pi, 0.0, classical=True)
    averages, F = run_average(point, 0, 0, sites, relax, steps)
    if not np.isfinite(averages).all():
        return nothing(p) | declare.failed(
            Kind.NOT_FINITE, f"not finite; a step of {p['step']:g} is too long for these rates"
        )
    a2, _, xx, yy, xy, z, zz, _, _ = averages
    with np.errstate(divide="ignore", invalid="ignore"):
        C = F / F[0]
    C[0] = 1.0
    return {
        "Sz_over_S": z / S,
        "excitations": a2,
        "Sxx_over_S": xx / S,
        "Syy_over_S": yy / S,
        "Sxy_over_S": xy / S,
        "Szz_variance": max(zz - z * z, 0.0),
        "correlation": C[chosen],
    }


def tilted(J: NDArray[np.float64], S: float, width: int, height: int) -> Sites:
    """Down, with the transverse spin of the fastest growing wave, of size sqrt(S/2).

    Its growth is sqrt(-j_x j_y) - Gamma, along s_x/s_y = -j_y/sqrt(-j_x j_y).
    """
    c, q, z = linear.momenta(width, height)
    jx, jy = J[0] * c - z * J[2], J[1] * c - z * J[2]
    at = np.unravel_index(int(np.argmax(-jx * jy)), c.shape)
    rate = math.sqrt(max(float(-jx[at] * jy[at]), 0.0))
    x, y = -float(jy[at]), rate
    size = math.hypot(x, y)
    qy = 2 * np.pi * at[0] / height
    rows, columns = np.divmod(np.arange(width * height), width)
    wave = math.sqrt(S / 2) * np.cos(float(q[at]) * columns + qy * rows)
    # s_x - i s_y = alpha beta*, beta real
    tilt = np.clip(np.abs(wave) / S, 0.0, 1.0)
    alpha = np.sign(wave) * np.sqrt(2 * S) * np.sin(0.5 * np.arcsin(tilt))
    beta = np.sqrt(2 * S) * np.cos(0.5 * np.arcsin(tilt))
    return Sites(alpha * x / size, -alpha * y / size, beta, np.zeros(width * height))


def holstein_primakoff_reference(p: Mapping[str, Any]) -> dict[str, Any]:
    """The Lyapunov equation of all sites together: drift of (S_x, S_y) of every site about down, noise Gamma S."""
    N, Gamma = p["N"], p["Gamma"]
    J = declare.physical(p)
    joined = np.zeros((N, N))
    for i in range(N):
        joined[i, (i + 1) % N] += 0.5
        joined[i, (i - 1) % N] += 0.5
    one = np.eye(N)
    drift = np.block([[-Gamma * one, -(J[1] * joined - J[2] * one)], [J[0] * joined - J[2] * one, -Gamma * one]])
    if np.linalg.eigvals(drift).real.max() >= 0:
        return {}
    V = solve_continuous_lyapunov(drift, -Gamma * np.eye(2 * N))  # in units of S
    xx, yy, xy = V[:N, :N], V[N:, N:], V[:N, N:]
    n = (xx[0, 0] + yy[0, 0] - 1) / 2
    m2 = ((xx[0, 0] - yy[0, 0]) / 2) ** 2 + xy[0, 0] ** 2
    normal = (xx[0] + yy[0]) / 2  # <b_0^+ b_s>, real by symmetry, without the commutator on site
    normal[0] -= 0.5
    with np.errstate(divide="ignore", invalid="ignore"):
        C = normal[distances(p, N)] / (n if n > 1e-12 else 0.0)
    C[~np.isfinite(C)] = math.nan
    C[distances(p, N) == 0] = 1.0
    return {
        "excitations": n,
        "Sxx_over_S": xx[0, 0],
        "Syy_over_S": yy[0, 0],
        "Sxy_over_S": xy[0, 0],
        "Szz_variance": n * n + n + m2,
        "correlation": C,
    }


def random_parameters(rng: np.random.Generator) -> dict[str, Any]:
    return {
        "N": int(rng.integers(3, 9)),
        "S": float(rng.choice([20.0, 1000.0])),
        **{f"J_{a}": float(rng.uniform(-0.6, 0.6)) for a in "xyz"},
        "Gamma": float(rng.uniform(1.0, 2.0)),
        "max_distance": 3,
        "t_relax": 2.0,
        "t_average": 2.0,
        "trajectories": 4,
    }


def cost(batch: Batch) -> NDArray[Any]:
    """Relative cost of trajectories: sites times steps."""
    return batch["N"] * batch["trajectories"] * (batch["t_relax"] + batch["t_average"]) / batch["step"]


def _output(name: str, meaning: str, symbol: str, dims: tuple[str, ...] = (), nan: str = "") -> Output:
    return Output(name=name, meaning=meaning, symbol=symbol, dims=dims, nan=nan)


MODELS = (
    Model(
        id="spin_chain.steady_state",
        title="A dissipative XYZ chain of collective spins at rest",
        source=f"{declare.SOURCE}, Fig. 7",
        methods=(
            Method(
                name="twoqs",
                meaning="trajectories of Schwinger modes from down, averaged over t_average after t_relax",
                source="Eqs. (34)-(37) corrected, with (22)-(23)",
                solve=twoqs,
                cost=cost,
                draws_numbers=True,
            ),
            Method(
                name="holstein_primakoff",
                meaning="linear theory about the polarised state; correlation_length of the infinite chain",
                source="section 4, Eq. (38) on with the boundary corrected",
                solve=holstein_primakoff,
                reference=holstein_primakoff_reference,
            ),
            Method(
                name="mean_field",
                meaning="polarised where that is stable, else a classical trajectory averaged over t_average after t_relax",
                solve=mean_field,
            ),
        ),
        parameters=(
            declare.N,
            declare.S,
            *declare.COUPLINGS,
            declare.GAMMA,
            declare.CONVENTION,
            declare.LATTICE,
            declare.MAX_DISTANCE,
            Parameter(
                name="t_relax",
                meaning="time before averaging begins",
                default=60.0,
                unit=declare.UNIT_OF_TIME,
                bounds=(0.0, 1e9),
                physical=False,
            ),
            Parameter(
                name="t_average",
                meaning="time over which each trajectory is averaged",
                label="averaging time",
                default=300.0,
                unit=declare.UNIT_OF_TIME,
                bounds=(0.0, 1e9),
                physical=False,
            ),
            *declare.twoqs_parameters(8),
            tolerances()[2],
        ),
        outputs=(
            _output("Sz_over_S", "<S_z>/S per site", r"\langle{S_z}\rangle/S"),
            _output("excitations", "n = <S_z> + S per site", "n"),
            _output("Sxx_over_S", "<S_x^2>/S per site", r"\langle{S_x^2}\rangle/S"),
            _output("Syy_over_S", "<S_y^2>/S per site", r"\langle{S_y^2}\rangle/S"),
            _output("Sxy_over_S", "<S_x S_y + S_y S_x>/2S per site", r"\langle{S_xS_y}\rangle/S"),
            _output("Szz_variance", "<S_z^2> - <S_z>^2 per site", r"\mathrm{Var}S_z"),
            _output(
                "correlation",
                "C(s) = <S_n^+ S_{n+s}^->/<S_n^+ S_n^->",
                "C(s)",
                ("distance",),
                nan="there are no excitations",
            ),
            Output(
                name="correlation_length",
                label="correlation length",
                meaning="xi of C(s) ~ exp(-s/xi); trajectories: fitted to even s >= 2 where C is above its noise",
                methods=("twoqs", "holstein_primakoff"),
                symbol=r"\xi",
                nan="J_z or a square lattice (linear theory), or fewer than two distances above the noise",
            ),
            *(
                declare.sem(name, ("distance",) if name == "correlation" else (), nan="a single trajectory has none")
                for name in WITH_ERROR
            ),
            Output(
                name="length_mean",
                label="mean length",
                meaning="mean of N = |alpha|^2 + |beta|^2 per site",
                methods=("twoqs",),
            ),
            Output(
                name="length_variance",
                meaning="variance of N over sites, times and trajectories; its growth is an error of the method",
                methods=("twoqs",),
            ),
            step_error("<S_z>/S"),
            Output(
                name="samples",
                meaning="number of trajectories that were averaged",
                label="trajectories averaged",
                methods=("twoqs",),
            ),
        ),
        dimensions=(
            Dimension(name="distance", size="max_distance+1", symbol="s", meaning="distance along a row, in sites"),
        ),
        validate=declare.check_chain,
        example={
            "N": 20,
            "S": 5000.0,
            "J_x": 0.125,
            "J_y": -0.3,
            "Gamma": 1.0,
            "couplings": "paper",
            "max_distance": 6,
            "t_relax": 20.0,
            "t_average": 40.0,
            "trajectories": 8,
        },
        starter=Starter(
            axes={"J_y": {"linspace": [-0.45, -0.05, 9]}},
            parameters={"S": 100.0},
            methods=("twoqs", "holstein_primakoff"),
        ),
        checks=(
            Check(
                method="holstein_primakoff",
                parameters={
                    "N": 4000,
                    "J_x": 0.125,
                    "J_y": -0.3,
                    "Gamma": 1.0,
                    "couplings": "paper",
                    "max_distance": 2,
                },
                expect={
                    "excitations": (1.7**2 / (8 * 0.6)) * (1 / np.sqrt(0.4) - 1),
                    "correlation_length": 1 / np.arccosh(1 / np.sqrt(0.6)),
                },
                origin="closed form of the infinite chain, r = -J_x J_y/Gamma^2 = 0.6, physical J = (1/2, -6/5)",
                atol=1e-9,
            ),
            Check(
                method="mean_field",
                parameters={"N": 8, "J_x": 0.125, "J_y": -0.3, "Gamma": 1.0, "couplings": "paper"},
                expect={"Sz_over_S": -1.0, "excitations": 0.0},
                origin="below the transition the polarised state is the classical state of rest",
                atol=1e-12,
            ),
        ),
        random_parameters=random_parameters,
        reference_tolerance=(1e-9, 1e-9),
        unit_of_time=declare.UNIT_OF_TIME,
    ),
)
