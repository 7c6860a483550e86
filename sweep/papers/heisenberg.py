"""The open Heisenberg magnet and its mean field: Figs. 1 to 6 (Fig. 2 is in `landau_lifshitz`, Figs. 5 and 6 in `open_magnet`).

Three readings of the mean field stand beside the exact chain: site by site and for a bulk site, both corrected, and as printed
(noise of n_b = 0, opposite sign of the neighbour rates).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sweep.papers.drawing import legend, legend_below, letter, look
from sweep.papers.figures import REFERENCE, Claim, Data, Figure, Found, Paper, Sweep
from sweep.papers.landau_lifshitz import FIGURE_2
from sweep.papers.open_magnet import FIGURE_5, FIGURE_6

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

_NOISE = "the printed noise -Gamma(M_z + 1) is that of n_b = 0, where n_b = 0.08 has -Gamma(M_z + 1/(2 n_b + 1))"

# Fig. 3


def _at_times(solver: str, *times: float) -> Any:
    return lambda data: (
        data["heisenberg_fig3ab"]
        .M.sel(solver=solver)
        .isel(V_x=0)
        .sel(time=list(times), method="nearest")
        .values.ravel()
    )


def _short_times(data: Data) -> Found:
    one = data["heisenberg_fig3ab"].M.isel(V_x=0)
    off = np.abs(one - one.sel(solver="exact")).max(("solver", "axis"))
    early, late = float(off.sel(time=slice(0, 1)).max()), float(off.isel(time=-1))
    return Found(early < 0.05 < late, text=f"off by at most {early:.3f} up to t = 1 and by {late:.3f} at t = 150")


def _steady(solver: str, axis: str, *fields: float) -> Any:
    return lambda data: (
        data["heisenberg_fig3cd"].M.sel(solver=solver, axis=axis).sel(B_z=list(fields), method="nearest").values
    )


def _turns(values: Any) -> int:
    slopes = np.sign(np.diff(values))
    return int(np.sum(slopes[1:] != slopes[:-1]))


def _shape(data: Data) -> Found:
    one = data["heisenberg_fig3cd"].M.sel(axis="x")
    turns = [_turns(one.sel(solver=name).values) for name in one.solver.values]
    least = min(float(np.corrcoef(one.sel(solver="exact"), one.sel(solver=name))[0, 1]) for name in one.solver.values)
    return Found(
        turns[0] >= 2 and least > 0.9, text=f"exact M_x turns {turns[0]} times; mean fields correlate by {least:.3f}"
    )


def _mismatch(data: Data, solver: str) -> Any:
    """|dM| at B_z = -10, -5, -2.5, -1, 0, 1, 2.5, 5, 10."""
    found = []
    for name, fields in (
        ("heisenberg_fig3cd_wide", [-10.0]),
        ("heisenberg_fig3cd", [-5.0, -2.5, -1.0, 0.0, 1.0, 2.5, 5.0]),
        ("heisenberg_fig3cd_wide", [10.0]),
    ):
        M = data[name].M.sel(B_z=fields, method="nearest")
        found.extend(np.sqrt(((M.sel(solver=solver) - M.sel(solver="exact")) ** 2).sum("axis")).values.tolist())
    return found


def _grows_inside(data: Data) -> Found:
    found = [(_mismatch(data, name)[3:6]) for name in ("mean_field", "mean_field_uniform", "printed")]
    holds = all(middle < low and middle < high for low, middle, high in found)
    return Found(holds, text="; ".join(", ".join(f"{v:.3f}" for v in three) for three in found))


def _grows_outside(data: Data) -> Found:
    far, near = _mismatch(data, "mean_field")[-1], _mismatch(data, "mean_field")[5]
    return Found(far > near, text=f"corrected mean field: {near:.3f} at B_z = 1, {far:.3f} at 10")


def _draw_3(canvas: Canvas, data: Data) -> None:
    panels = canvas.subplots(2, 2)
    time, field = data["heisenberg_fig3ab"].isel(V_x=0), data["heisenberg_fig3cd"]
    for column, axis in enumerate("xz"):
        upper, lower = panels[:, column]
        for solver in time.solver.values.tolist():
            upper.plot(time.time, time.M.sel(solver=solver, axis=axis), **look(solver))
            lower.plot(field.B_z, field.M.sel(solver=solver, axis=axis), **look(solver))
        four = data["heisenberg_fig3cd_four"].M.sel(solver="exact", axis=axis)
        lower.plot(four.B_z, four, color="0.6", lw=1, label="exact, $N = 4$")
        upper.set(xlabel=r"time $\gamma t$", ylabel=f"$M_{axis}$", xlim=(0, 60))
        lower.set(xlabel="field $B_z$", ylabel=f"steady $M_{axis}$")
        letter(upper, "ab"[column])
        letter(lower, "cd"[column])
    legend_below(canvas, panels[1, 0], 5)


_STEADY = (
    Sweep("heisenberg_fig3cd", smoke_axes={"B_z": {"linspace": [-5.0, 5.0, 21]}}),
    Sweep("heisenberg_fig3cd_four", "heisenberg_fig3cd", values={"N": 4, "method": ["exact", "mean_field"]}, axes={"B_z": {"linspace": [-5.0, 5.0, 41]}}, smoke_axes={"B_z": {"linspace": [-5.0, 5.0, 11]}}),
    Sweep("heisenberg_fig3cd_wide", "heisenberg_fig3cd", axes={"B_z": {"values": [-10.0, 10.0]}}),
)  # fmt: skip
_INSTANT = 1e-6
_NOISE_ALONE = Sweep(
    "heisenberg_fig3ab_noise",
    "heisenberg_fig3ab",
    values={"B_x": 0.0, "B_y": 0.0, "B_z": 0.0, "V_y": 0.0, "V_z": 0.0, "Gamma": 0.4, "g_ratio": 0.0, "theta0": float(np.arccos(-0.6)), "times": [0.0, _INSTANT], "rtol": 1e-13, "atol": 1e-15},
    axes={"V_x": {"values": [0.0]}},
)  # fmt: skip


_NEIGHBOURS_ALONE = Sweep(
    "heisenberg_torque",
    "heisenberg_fig3ab",
    values={"N": 5, "B_x": 0.0, "B_y": 0.0, "B_z": 0.0, "V_y": 0.0, "V_z": 0.0, "on_site": [[0.0, 0.0]] * 3, "neighbour": [[0.0, 0.0], [0.0, 0.0], [0.0, 1.0]], "theta0": 0.3, "times": [0.0, _INSTANT], "rtol": 1e-13, "atol": 1e-15},
    axes={"V_x": {"values": [0.0]}},
    keep=("spins",),
)  # fmt: skip
_GAPS = tuple(
    Sweep(
        f"heisenberg_gap_{N}",
        "heisenberg_fig3cd",
        values={"N": N, "B_x": 0.25, "B_y": 0.25, "V_x": 0.5, "V_y": 0.1, "V_z": 0.1, "method": ["exact"]},
        axes={"B_z": {"values": [-0.5]}},
        keep=("gap",),
    )
    for N in (2, 3, 4)
)


def _torque(solver: str, site: int) -> Any:
    """dm_z/dt of a site at the start, by the rates of neighbours alone."""

    def find(data: Data) -> float:
        m = data["heisenberg_torque"].spins.sel(solver=solver, axis="z").isel(site=site).squeeze().values
        return float(m[1] - m[0]) / _INSTANT

    return find


def _slope(solver: str) -> Any:
    """dM_z/dt at the start of the noise alone."""

    def find(data: Data) -> float:
        M = data["heisenberg_fig3ab_noise"].M.sel(solver=solver, axis="z").squeeze().values
        return float(M[1] - M[0]) / _INSTANT

    return find


FIGURE_3 = Figure(
    "heisenberg-fig3",
    "Mean field and exact chain, in time and at rest",
    {"a": "M_x in time", "b": "M_z in time", "c": "steady M_x over B_z", "d": "steady M_z over B_z"},
    (Sweep("heisenberg_fig3ab"), _NOISE_ALONE, _NEIGHBOURS_ALONE, *_GAPS, *_STEADY),
    (
        Claim("a", "good at short times, different steady states", True, _short_times),
        Claim("a", "exact M at t = 1, 10 and 150", (0.802, -0.356, -0.401, 0.626, 0.376, -0.290, 0.379, 0.345, -0.609), _at_times("exact", 1.0, 10.0, 150.0), 6e-4, REFERENCE),
        Claim("b", "Eq. (14), noise alone at Gamma = .4, M_z = -.6: dM_z/dt", -0.16, _slope("exact"), 6e-6, printed=_slope("printed"), why=_NOISE),
        Claim("b", "the same, exact", -0.10483, _slope("exact"), 6e-6, REFERENCE),
        Claim("b", "(12)-(14), neighbour rates g_z- = 1 alone on a site within the chain, m = (sin .3, 0, cos .3): dm_z/dt", 0.0437, _torque("exact", 2), 6e-5, printed=_torque("printed", 2), why="the terms of g are printed with the opposite sign and with 1/2, which is right at the edges only"),
        Claim("b", "the same, exact and by the corrected mean field", (-0.0873, -0.0873), lambda data: [_torque(name, 2)(data) for name in ("exact", "mean_field")], 6e-5, REFERENCE),
        Claim("b", "the same: a site at the edge over one within (only V is halved there in the text)", 0.5, lambda data: _torque("exact", 0)(data) / _torque("exact", 2)(data), 1e-3, REFERENCE),
        Claim("b", "slowest rate towards rest, N = 2, 3, 4", (0.063, 0.072, 0.073), lambda data: [float(data[one.name].gap.squeeze()) for one in _GAPS], 6e-4, REFERENCE),
        Claim("b", "appendix B, (B1)-(B4), and (8): signs, sums and normalisation", "", cannot="the generator in use is the corrected one; (B4) as printed loses the trace (residual 0.19), (8) is off by 2.0 for random couplings: identities of operators, not numbers of a run"),
        Claim("b", "mean field site by site at t = 150", (0.412, 0.356, -0.623), _at_times("mean_field", 150.0), 6e-4, REFERENCE),
        Claim("b", "mean field of a bulk site at t = 150", (0.464, 0.339, -0.575), _at_times("mean_field_uniform", 150.0), 6e-4, REFERENCE),
        Claim("b", "mean field as printed at t = 150", (0.571, 0.371, -0.634), _at_times("printed", 150.0), 6e-4, REFERENCE),
        Claim("c", "M_x is not monotonic, and mean field recovers its shape", True, _shape),
        Claim("c", "exact M_x at B_z = -5, -1.5, 0, 1, 5", (0.162, 0.325, -0.032, -0.398, -0.167), _steady("exact", "x", -5.0, -1.5, 0.0, 1.0, 5.0), 6e-4, REFERENCE),
        Claim("d", "the mismatch grows away from B_z = 0, up to |B_z| = 1 (at -1, 0, 1, three readings)", True, _grows_inside),
        Claim("d", "a large field amplifies correlations, so the mismatch is larger there", True, _grows_outside, why=f"with the corrected equations it vanishes at large fields; what stays at 0.138 there is misprinted: {_NOISE}"),
        Claim("d", "|dM| as printed at B_z = -10, -5, -2.5, -1, 0, 1, 2.5, 5, 10", (0.139, 0.142, 0.154, 0.143, 0.018, 0.304, 0.160, 0.142, 0.139), lambda data: _mismatch(data, "printed"), 6e-4, REFERENCE),
        Claim("d", "|dM| of a bulk site at the same fields", (0.003, 0.013, 0.042, 0.063, 0.015, 0.175, 0.029, 0.008, 0.002), lambda data: _mismatch(data, "mean_field_uniform"), 6e-4, REFERENCE),
        Claim("d", "|dM| site by site at the same fields", (0.001, 0.003, 0.010, 0.053, 0.014, 0.097, 0.018, 0.003, 0.001), lambda data: _mismatch(data, "mean_field"), 6e-4, REFERENCE),
    ),
    _draw_3,
    (9.6, 6.6),
)  # fmt: skip

# Fig. 4

SHIFTS = {"site": ((0.0, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0), (0.0, 0.041, 0.300, 0.695, 1.459, 0.990, 1.083, 0.857, 0.450, 0.183)), "uniform": ((0.01, 0.02, 0.05, 0.1, 0.3, 0.5, 1.0), (0.053, 0.255, 1.151, 1.371, 0.416, 0.764, 0.416))}  # fmt: skip


def _shifted(solver: str, shifts: tuple[float, ...]) -> Any:
    return lambda data: data["heisenberg_fig4_points"].mean_deviation.sel(solver=solver, anisotropy=list(shifts)).values


def _monotonic(name: str, low: float, high: float) -> Any:
    def check(data: Data) -> Found:
        one = data[name].mean_deviation
        one = one.sel(N=3) if "N" in one.dims else one
        one = one.sel(solver="site", anisotropy=slice(low, high))
        return Found(
            bool((one.diff("anisotropy") > -1e-9).all()),
            text=", ".join(f"{v:.2f}" for v in one.values[:: max(1, one.size // 6)]),
        )

    return check


def _draw_4(canvas: Canvas, data: Data) -> None:
    axes = canvas.subplots()
    one, points = data["heisenberg_fig4"], data["heisenberg_fig4_points"]
    for solver in ("site", "uniform"):
        axes.plot(
            one.anisotropy,
            one.mean_deviation.sel(solver=solver, N=3),
            **{**look(solver), "label": f"{look(solver)['label']}, $N = 3$"},
        )
    axes.plot(
        one.anisotropy, one.mean_deviation.sel(solver="site", N=4), color="0.6", lw=1, label="mean field, $N = 4$"
    )
    here = points.mean_deviation.sel(solver="site", anisotropy=slice(-0.1, 0.5))
    axes.plot(here.anisotropy, here, "o", ms=4, color="k", label="points of the table")
    axes.set(xlabel=r"anisotropy shift $\Delta$", ylabel=r"mean of $|M_{MF} - M_{exact}|^2$")
    legend(axes)


FIGURE_4 = Figure(
    "heisenberg-fig4",
    "Deviation of mean field over the anisotropy, closed chain",
    {"": "time average of the squared deviation over the anisotropy shift"},
    (
        Sweep("heisenberg_fig4", smoke={"n_times": 1001}, smoke_axes={"N": {"values": [3, 4]}, "anisotropy": {"linspace": [-0.1, 0.5, 13]}}),
        Sweep("heisenberg_fig4_points", "heisenberg_fig4", values={"N": 3}, axes={"anisotropy": {"values": [-0.02, 0.0, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0]}}),
        Sweep("heisenberg_fig4_open", "heisenberg_fig4", values={"N": 3, "Gamma": 0.1}, axes={"anisotropy": {"linspace": [0.0, 1.5, 16]}}, smoke={"t_end": 200.0, "n_times": 2001}, smoke_axes={"anisotropy": {"linspace": [0.0, 1.5, 7]}}),
    ),
    (
        Claim("", "it grows monotonically with the shift, up to 0.05", True, _monotonic("heisenberg_fig4_points", 0.0, 0.051)),
        Claim("", "it grows monotonically with the shift, up to 0.5 (the range of the figure is not known)", True, _monotonic("heisenberg_fig4_points", 0.0, 0.51), why="beyond 0.05 it oscillates and falls; with Gamma = 0.1 it would be monotonic, see below"),
        Claim("", "site by site at 0, .01, .02, .03, .05, .1, .2, .5, 1, 2", SHIFTS["site"][1], _shifted("site", SHIFTS["site"][0]), 0.02, REFERENCE),
        Claim("", "bulk site at .01, .02, .05, .1, .3, .5, 1", SHIFTS["uniform"][1], _shifted("uniform", SHIFTS["uniform"][0]), 0.02, REFERENCE),
        Claim("", "negative shift -.02, site and bulk", (0.332, 0.292), lambda data: data["heisenberg_fig4_points"].mean_deviation.sel(solver=["site", "uniform"], anisotropy=-0.02).values, 0.01, REFERENCE),
        Claim("", "with losses, Gamma = 0.1, it is monotonic up to 1.5", True, _monotonic("heisenberg_fig4_open", 0.0, 1.5), by=REFERENCE),
    ),
    _draw_4,
    (8.4, 4.2),
)  # fmt: skip

FIGURE_1 = Figure(
    "heisenberg-fig1",
    "The open chain",
    {"a": "drawing of the chain and its bath", "b": "drawing of the exchange of energy between neighbours"},
    (),
    tuple(Claim(panel, "a drawing", "", cannot="it shows no data") for panel in "ab"),
    None,
)

PAPER = Paper(
    "heisenberg",
    "A. Norambuena, A. Franco and R. Coto, From the open generalized Heisenberg model to the Landau-Lifshitz equation, "
    "New J. Phys. 22, 103029 (2020)",
    (FIGURE_1, FIGURE_2, FIGURE_3, FIGURE_4, FIGURE_5, FIGURE_6),
)
