"""Figs. 5 to 7 of the phase-space paper: squeezing with decay and with dephasing, and a chain of collective spins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sweep.papers.drawing import legend, letter, points
from sweep.papers.figures import REFERENCE, Claim, Data, Figure, Found, Sweep
from sweep.pictures.colours import CYCLE

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

RATES = (0.0, 0.125, 0.25, 0.5)
DEPHASING = (0.0, 0.25, 0.5, 1.0)
J_SHOWN = (-0.3, -0.45, -0.49)
FEW = {"trajectories": 800}


def _least(name: str, rate: str, values: tuple[float, ...], solver: str, **where: Any) -> Any:
    """Smallest xi^2 in time at each rate, with the standard error there."""

    def find(data: Data) -> Found:
        one = data[name].sel({"solver": solver, **where})
        least, errors = [], []
        for value in values:
            part = one.sel({rate: value}, method="nearest")
            xi2 = part.xi2.values
            at = int(np.nanargmin(xi2))
            least.append(float(xi2[at]))
            errors.append(float(part.xi2_sem.values[at]) if solver == "twoqs" else 0.0)
        return Found(least, errors)

    return find


def _early(data: Data) -> Found:
    one = data["phase_space_fig5"].sel(distribution="wigner").sel(time=slice(0, 2))
    off = float(np.abs(one.xi2.sel(solver="twoqs") - one.xi2.sel(solver="exact")).max())
    return Found(off < 0.1, text=f"xi^2 within {off:.3f} up to gt = 2")


def _p_is_one(data: Data) -> Found:
    one = data["phase_space_fig5"].xi2.sel(solver="twoqs", distribution="P")
    return Found(bool(one.min() > 0.97), text=f"xi^2 between {float(one.min()):.3f} and {float(one.max()):.3f}")


def _tenth(data: Data) -> Any:
    """xi^2 at gt = 3 without decay."""
    one = data["phase_space_fig5"].xi2.sel(solver="exact", distribution="wigner", Gamma=0.0)
    return float(one.sel(time=3.0, method="nearest"))


def _deepest(S: float, solver: str) -> Any:
    def find(data: Data) -> Found:
        one = data["phase_space_fig5b"].sel(S=S, solver=solver).sel(Gamma=list(RATES), method="nearest")
        xi = np.sqrt(one.xi2_min.values)
        return Found(xi, one.xi2_min_sem.values / (2 * xi) if solver == "twoqs" else 0.0)

    return find


def _deepest_squared(S: float, solver: str, name: str = "phase_space_fig5b", *rates: float) -> Any:
    def find(data: Data) -> Found:
        one = data[name].sel(S=S, solver=solver).sel(Gamma=list(rates or RATES), method="nearest")
        return Found(one.xi2_min.values, one.xi2_min_sem.values if solver == "twoqs" else 0.0)

    return find


def _when(S: float) -> Any:
    """Times of the deepest squeezing, exact."""
    return lambda data: (
        data["phase_space_fig5b"].t_min.sel(S=S, solver="exact").sel(Gamma=list(RATES), method="nearest").values
    )


def _negative(data: Data) -> Found:
    """Corrected xi^2 of Q: at gt = 10 without decay, the least of all times at Gamma/g = .125."""
    late = data["phase_space_fig5_late"].squeeze().isel(time=-1)
    least = _least("phase_space_fig5", "Gamma", (0.125,), "twoqs", distribution="Q")(data)
    return Found([float(late.xi2), *least.value], [float(late.xi2_sem), *least.error])


def _doubled_time(data: Data) -> float:
    one = data["phase_space_fig5_doubled"].xi2.sel(solver="twoqs", distribution="wigner", Gamma=0.0)
    return float(one.time.values[int(np.argmin(one.values))])


def _draw_5(canvas: Canvas, data: Data) -> None:
    one, best = data["phase_space_fig5"], data["phase_space_fig5b"]
    panels = canvas.subplots(1, 4)
    for panel, way in zip(panels, ("P", "wigner", "Q"), strict=False):
        for k, rate in enumerate(RATES):
            part = one.sel(Gamma=rate, distribution=way)
            panel.plot(
                part.time, np.sqrt(part.xi2.sel(solver="exact")), color=CYCLE[k], label=rf"$\Gamma = {rate:g}\,g$"
            )
            source = data["phase_space_fig5_raw"].sel(Gamma=rate, distribution="Q") if way == "Q" else part
            drawn = source.sel(solver="twoqs").isel(time=slice(0, None, 2))
            xi = np.sqrt(drawn.xi2)
            points(panel, drawn.time, xi, drawn.xi2_sem / (2 * xi), color=CYCLE[k])
        panel.set(xlabel="time $gt$", ylim=(0, 1.5))
        letter(panel, "a" if way == "P" else "", f"{way.capitalize()}{' uncorrected' if way == 'Q' else ''}, $S = 100$")
    panels[0].set_ylabel(r"squeezing $\xi$")
    panels[1].legend(loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=2, fontsize="small", frameon=False)
    for k, S in enumerate((10.0, 100.0)):
        part = best.sel(S=S)
        panels[3].plot(part.Gamma, np.sqrt(part.xi2_min.sel(solver="exact")), color=CYCLE[4 + k], label=f"$S = {S:g}$")
        xi = np.sqrt(part.xi2_min.sel(solver="twoqs"))
        points(panels[3], part.Gamma, xi, part.xi2_min_sem.sel(solver="twoqs") / (2 * xi), color=CYCLE[4 + k])
    panels[3].set(xlabel=r"decay $\Gamma/g$", ylabel=r"$\xi_{opt}$", ylim=(0, 1))
    panels[3].legend(loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=2, fontsize="small", frameon=False)
    letter(panels[3], "b")


FIGURE_5 = Figure(
    "phase_space-fig5",
    "Squeezing with decay",
    {"a": "squeezing in time for three distributions and four rates", "b": "deepest squeezing over the rate"},
    (
        Sweep("phase_space_fig5", smoke=FEW),
        Sweep("phase_space_fig5_raw", "phase_space_fig5", values={"ordering": "none", "method": ["twoqs"]}, axes={"distribution": {"values": ["Q"]}}, smoke=FEW),
        Sweep("phase_space_fig5b", smoke=FEW, smoke_axes={"Gamma": {"values": list(RATES)}}),
        Sweep("phase_space_fig5_conserving", "phase_space_fig5", values={"S": 10.0, "variant": "conserving", "sampling": "ring", "method": ["twoqs"]}, axes={"distribution": {"values": ["wigner"]}, "Gamma": {"values": [0.125]}}),
        Sweep("phase_space_fig5_late", "phase_space_fig5", values={"times": [0.0, 10.0], "method": ["twoqs"]}, axes={"distribution": {"values": ["Q"]}, "Gamma": {"values": [0.0]}}, smoke=FEW),
        Sweep("phase_space_fig5_doubled", "phase_space_fig5", values={"g": 2.0, "method": ["twoqs"], "times": {"linspace": [0.0, 4.0, 17]}}, axes={"distribution": {"values": ["wigner"]}, "Gamma": {"values": [0.0, 0.125]}}, smoke=FEW),
    ),
    (
        Claim("a", "Wigner: very accurate at short times", True, _early),
        Claim("a", "P: xi >= 1 at all times", True, _p_is_one),
        Claim("a", "xi^2 about 0.1 at S = 100, for the plotted decay rates", 0.1, lambda data: _least("phase_space_fig5", "Gamma", (0.125,), "exact", distribution="wigner")(data), 0.02, why="with the plotted Gamma > 0 the exact xi^2 never falls below .293; 0.1 is reached without decay (next row)"),
        Claim("a", "xi^2 about 0.1 at S = 100, without decay, gt = 3", 0.1, _tenth, 0.01),
        Claim("a", "the same, exact", 0.0968, _tenth, 1e-4, REFERENCE),
        Claim("a", "least xi^2 at Gamma/g = 0, .125, .25, .5, exact", (0.038, 0.293, 0.410, 0.546), _least("phase_space_fig5", "Gamma", RATES, "exact", distribution="wigner"), 1e-3, REFERENCE),
        Claim("a", "the same, Wigner", (0.040, 0.296, 0.417, 0.530), _least("phase_space_fig5", "Gamma", RATES, "twoqs", distribution="wigner"), 0.03, REFERENCE),
        Claim("a", "Q without the correction of its ordering: least xi^2 at Gamma/g = 0, .125, .5", (0.143, 0.592, 1.035), _least("phase_space_fig5_raw", "Gamma", (0.0, 0.125, 0.5), "twoqs", distribution="Q"), 0.06, REFERENCE),
        Claim("a", "Q with the correction goes negative: xi^2 at gt = 10 without decay, least xi^2 at Gamma/g = .125", (-1.76, -0.47), _negative, 0.02, REFERENCE),
        Claim("a", "Eqs. (31)-(32) as printed, g/4S for g/8S, which is twice g: least xi^2 at Gamma/g = 0, .125, Wigner", (0.0397, 0.208), lambda data: _least("phase_space_fig5_doubled", "Gamma", (0.0, 0.125), "twoqs", distribution="wigner")(data), 0.005, REFERENCE),
        Claim("a", "the same: gt of the least at Gamma = 0, half of the exact one (at times 0.25 apart)", 3.25, _doubled_time, 0.25, REFERENCE),
        Claim("a", "gt of the least xi^2 at Gamma/g = 0, .125, .25, .5, exact, S = 100 (0.25 apart there)", (6.5, 2.75, 2.25, 1.75), _when(100.0), 0.25, REFERENCE),
        Claim("a", "the same of S = 10", (2.75, 2.25, 2.0, 1.75), _when(10.0), 0.25, REFERENCE),
        Claim("a", "least xi^2 of S = 10, exact", (0.198, 0.348, 0.443, 0.563), _deepest_squared(10.0, "exact"), 6e-4, REFERENCE),
        Claim("a", "the same, Wigner", (0.199, 0.374, 0.475, 0.578), _deepest_squared(10.0, "twoqs"), 0.01, REFERENCE),
        Claim("a", "the same, conserving variant from a ring, Gamma/g = .125: not better here", 0.305, lambda data: _least("phase_space_fig5_conserving", "Gamma", (0.125,), "twoqs", distribution="wigner")(data), 0.005, REFERENCE),
        Claim("b", "Wigner matches: xi_opt of S = 10 at Gamma/g = 0, .125, .25, .5", (0.445, 0.590, 0.665, 0.750), _deepest(10.0, "twoqs"), 0.03),
        Claim("b", "xi_opt of S = 10, exact", (0.445, 0.590, 0.665, 0.750), _deepest(10.0, "exact"), 1e-3, REFERENCE),
        Claim("b", "xi_opt of S = 100, exact", (0.195, 0.541, 0.640, 0.739), _deepest(100.0, "exact"), 1e-3, REFERENCE),
    ),
    _draw_5,
    (15.0, 4.4),
)  # fmt: skip


def _better(data: Data) -> Found:
    """Mean relative error of xi^2 of S = 10 at the time where the exact one is least, with dephasing and with decay."""
    found = []
    for name, rate, rates in (("dephasing", "Gamma_phi", DEPHASING[1:]), ("decay", "Gamma", RATES[1:])):
        off = []
        for value in rates:
            one = data[f"phase_space_accuracy_{name}"].xi2.sel({rate: value}).squeeze()
            exact = one.sel(solver="exact").values
            at = int(np.argmin(exact))
            off.append(abs(float(one.sel(solver="twoqs").values[at]) / exact[at] - 1))
        found.append(100 * float(np.mean(off)))
    return Found(
        found[0] < found[1], text=f"least xi^2 of S = 10 is off by {found[0]:.1f} %, with decay by {found[1]:.1f} %"
    )


def _draw_6(canvas: Canvas, data: Data) -> None:
    one = data["phase_space_fig6"]
    panels = canvas.subplots(1, 2, sharey=True)
    for panel, S in zip(panels, (10.0, 100.0), strict=True):
        for k, rate in enumerate(DEPHASING):
            part = one.sel(S=S, Gamma_phi=rate)
            panel.plot(
                part.time, np.sqrt(part.xi2.sel(solver="exact")), color=CYCLE[k], label=rf"$\Gamma_\phi = {rate:g}\,g$"
            )
            drawn = part.sel(solver="twoqs").isel(time=slice(0, None, 2))
            xi = np.sqrt(drawn.xi2)
            points(panel, drawn.time, xi, drawn.xi2_sem / (2 * xi), color=CYCLE[k])
        panel.set(xlabel="time $gt$", ylim=(0, 2.5))
        letter(panel, "", f"$S = {S:g}$")
    panels[0].set_ylabel(r"squeezing $\xi$")
    legend(panels[1])


_MANY = {"trajectories": 20_000, "times": {"linspace": [0.0, 4.0, 21]}}
FIGURE_6 = Figure(
    "phase_space-fig6",
    "Squeezing with dephasing",
    {"": "squeezing in time, S = 10 and 100, four rates of dephasing"},
    (
        Sweep("phase_space_fig6", smoke=FEW),
        Sweep("phase_space_accuracy_decay", "phase_space_fig5", values={**_MANY, "S": 10.0}, axes={"distribution": {"values": ["wigner"]}, "Gamma": {"values": list(RATES[1:])}}),
        Sweep("phase_space_accuracy_dephasing", "phase_space_fig6", values=_MANY, axes={"S": {"values": [10.0]}, "Gamma_phi": {"values": list(DEPHASING[1:])}}),
    ),
    (
        Claim("", "dephasing is captured more accurately than decay", True, _better),
        Claim("", "least xi^2 of S = 10 at Gamma_phi/g = 0, .25, .5, 1, exact (at times 0.2 apart; 0.25 there)", (0.198, 0.680, 0.779, 0.857), _least("phase_space_fig6", "Gamma_phi", DEPHASING, "exact", S=10.0), 6e-3, REFERENCE),
        Claim("", "least xi^2 of S = 100, exact", (0.038, 0.662, 0.768, 0.850), _least("phase_space_fig6", "Gamma_phi", DEPHASING, "exact", S=100.0), 6e-3, REFERENCE),
        Claim("", "the same of S = 10, Wigner", (0.204, 0.659, 0.776, 0.877), _least("phase_space_fig6", "Gamma_phi", DEPHASING, "twoqs", S=10.0), 0.04, REFERENCE),
        Claim("", "the same of S = 100, Wigner", (0.042, 0.649, 0.766, 0.873), _least("phase_space_fig6", "Gamma_phi", DEPHASING, "twoqs", S=100.0), 0.04, REFERENCE),
    ),
    _draw_6,
    (9.6, 4.2),
)  # fmt: skip


def _chain(solver: str, J_y: float, *names: str) -> Any:
    def find(data: Data) -> Found:
        one = data["phase_space_fig7"].sel(solver=solver).sel(J_y=J_y, method="nearest")
        errors = [float(one[f"{name}_sem"]) if solver == "twoqs" else 0.0 for name in names]
        return Found([float(one[name]) for name in names], errors)

    return find


FLUCTUATIONS = ("excitations", "Sxx_over_S", "Syy_over_S")


def _theory(J_y: float) -> Any:
    return _chain("holstein_primakoff", J_y, *FLUCTUATIONS)


def _drawn(J_y: float) -> Any:
    return _chain("twoqs", J_y, *FLUCTUATIONS)


def _match(data: Data) -> Found:
    off = 0.0
    for J_y in J_SHOWN[:2]:
        theory, drawn = np.array(_theory(J_y)(data).value), np.array(_drawn(J_y)(data).value)
        off = max(off, float(np.abs(drawn / theory - 1).max()))
    return Found(off < 0.1, text=f"within {100 * off:.1f} % at J_y = -0.3 and -0.45")


def _where(scale: float) -> Any:
    """Largest |J_y| up to which the polarised state is stable, in units of Gamma, times a scale."""

    def find(data: Data) -> float:
        one = data["phase_space_fig7"].excitations.sel(solver="holstein_primakoff")
        return scale * float(one.J_y.values[np.isfinite(one.values)].min())

    return find


def _correlations(solver: str) -> Any:
    def find(data: Data) -> Found:
        one = data["phase_space_fig7"].sel(solver=solver).sel(J_y=-0.49, method="nearest").sel(distance=[2, 4, 6])
        return Found(one.correlation.values, one.correlation_sem.values if solver == "twoqs" else 0.0)

    return find


def _lengths(data: Data) -> Any:
    one = data["phase_space_fig7"].correlation_length.sel(solver="holstein_primakoff")
    return one.sel(J_y=[-0.11, -0.2, -0.3, -0.4, -0.45, -0.49], method="nearest").values[1:]


def _diverges(data: Data) -> Found:
    values = _lengths(data)
    return Found(
        bool(np.all(np.diff(values) > 0) and values[-1] > 5 * values[0]), text=", ".join(f"{v:.2f}" for v in values)
    )


def _beyond(data: Data) -> Any:
    return _chain("twoqs", -0.6, "Sz_over_S")(data)


def _beyond_squared(data: Data) -> Found:
    """S_x^2, S_y^2, S_z^2 over S^2 beyond the transition, the last as variance and mean."""
    one = data["phase_space_fig7"].sel(solver="twoqs").sel(J_y=-0.6, method="nearest")
    S, z, z_sem = float(one.S), float(one.Sz_over_S), float(one.Sz_over_S_sem)
    values = [float(one.Sxx_over_S) / S, float(one.Syy_over_S) / S, float(one.Szz_variance) / S**2 + z**2]
    errors = [
        float(one.Sxx_over_S_sem) / S,
        float(one.Syy_over_S_sem) / S,
        float(one.Szz_variance_sem) / S**2 + 2 * abs(z) * z_sem,
    ]
    return Found(values, errors)


def _pair(name: str) -> Any:
    return lambda data: [float(data[name].squeeze()[one]) for one in FLUCTUATIONS]


def _odd(data: Data) -> float:
    one = data["phase_space_fig7"].correlation.sel(solver="holstein_primakoff").sel(J_y=-0.49, method="nearest")
    return float(np.abs(one.sel(distance=[1, 3, 5])).max())


def _draw_7(canvas: Canvas, data: Data) -> None:
    one = data["phase_space_fig7"]
    theory, drawn = one.sel(solver="holstein_primakoff"), one.sel(solver="twoqs")
    left, middle, right = canvas.subplots(1, 3)
    for k, (name, label) in enumerate(
        zip(FLUCTUATIONS, ("$n$", r"$\langle S_x^2\rangle/S$", r"$\langle S_y^2\rangle/S$"), strict=True)
    ):
        left.plot(one.J_y, theory[name], color=CYCLE[k], label=label)
        points(left, one.J_y, drawn[name], drawn[f"{name}_sem"], color=CYCLE[k])
    left.set(yscale="log", xlabel=r"$J_y/\Gamma$")
    letter(left, "a", "fluctuations of a site")
    for k, J_y in enumerate(J_SHOWN):
        curve, mean = (part.sel(J_y=J_y, method="nearest") for part in (theory, drawn))
        middle.plot(one.distance, curve.correlation, color=CYCLE[k], label=rf"$J_y = {J_y:g}\,\Gamma$")
        points(middle, one.distance, mean.correlation, mean.correlation_sem, color=CYCLE[k])
    middle.set(xlabel="distance $s$ [sites]", ylabel="$C(s)$")
    letter(middle, "b", "correlations")
    right.plot(one.J_y, theory.correlation_length, color=CYCLE[0], label="Holstein-Primakoff")
    points(right, one.J_y, drawn.correlation_length, drawn.correlation_length_sem, color=CYCLE[0], label="trajectories")
    right.set(xlabel=r"$J_y/\Gamma$", ylabel=r"length $\xi$ [sites]", ylim=(0, 12))
    letter(right, "c", "correlation length")
    for panel in (left, right):
        panel.axvline(-0.5, color="0.4", lw=0.8, ls=":")
    for panel in (left, middle, right):
        panel.legend(
            loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=3, fontsize="small", frameon=False, columnspacing=1.0
        )


# A ring of two counts its bond twice, so that it has half the couplings of the pair that is meant.
def _carried(name: str) -> Any:
    """n, S_x^2/S and S_y^2/S of a site at rest, exact for S = 2 and 4, by a straight line in 1/S at S to infinity."""

    def find(data: Data) -> list[float]:
        one = data[name].isel(time=-1).squeeze()
        rows = []
        for S in (2.0, 4.0):
            at = one.sel(S=S)
            moments = [float(at.second.sel(axis=a, axis2=a)) / S for a in "xy"]
            rows.append([S + float(at["mean"].sel(axis="z")), *moments])
        return [2 * late - early for early, late in zip(*rows, strict=True)]

    return find


_LENGTHS = {"S": {"values": [2.0, 4.0]}}
_PAIR = {"method": ["holstein_primakoff"], "N": 2, "couplings": "physical", "max_distance": 1}
FIGURE_7 = Figure(
    "phase_space-fig7",
    "XY chain of collective spins across its transition",
    {"a": "fluctuations of a site", "b": "correlations over the distance", "c": "correlation length"},
    (
        Sweep("phase_space_fig7", smoke={"trajectories": 2, "t_average": 60.0}, smoke_axes={"J_y": {"values": [-0.6, -0.51, -0.49, -0.45, -0.4, -0.3, -0.2, -0.11]}}),
        Sweep("phase_space_fig7_weak", "phase_space_fig7", values={"method": ["holstein_primakoff"]}, axes={"J_y": {"values": [-0.1]}}),
        Sweep("phase_space_fig7_pair", "phase_space_fig7", values={**_PAIR, "J_x": 0.0625}, axes={"J_y": {"values": [-0.25]}}),
        Sweep("phase_space_fig7_exact", "spin_chain_pair", values={"J_x": 0.0625, "J_y": -0.25}, axes=_LENGTHS),
        Sweep("phase_space_fig7_exact_strong", "spin_chain_pair", axes=_LENGTHS),
        Sweep("phase_space_fig7_pair_strong", "phase_space_fig7", values={**_PAIR, "J_x": 0.25}, axes={"J_y": {"values": [-0.6]}}),
    ),
    (
        Claim("a", "trajectories match Holstein-Primakoff (within 10 %)", True, _match),
        Claim("a", "a transition at J_y = -Gamma/2 for J_x = Gamma/8", -0.5, _where(1.0), 0.015),
        Claim("a", "a transition at J_y = -Gamma/2, with the couplings as Eqs. (34)-(35) define them", -0.5, _where(4.0), 0.06, why="by its equations the chain is unstable at J_x J_y = -Gamma^2, so at -2 Gamma; the axis is right for couplings four times larger"),
        Claim("a", "stable for J_x J_y < -Gamma^2/16, as printed", "", cannot="the inequality is the wrong way round: the polarised state is stable for larger J_x J_y"),
        Claim("a", "J_y = -.3: n, S_x^2/S, S_y^2/S, Holstein-Primakoff", (0.350, 0.994, 0.706), _theory(-0.3), 6e-4, REFERENCE),
        Claim("a", "J_y = -.45: the same", (1.589, 2.987, 1.191), _theory(-0.45), 6e-4, REFERENCE),
        Claim("a", "J_y = -.49: the same", (4.686, 7.967, 2.405), _theory(-0.49), 6e-4, REFERENCE),
        Claim("a", "J_y = -.3: the same, trajectories", (0.346, 0.990, 0.703), _drawn(-0.3), 0.02, REFERENCE),
        Claim("a", "J_y = -.45: the same, trajectories", (1.554, 2.932, 1.176), _drawn(-0.45), 0.1, REFERENCE),
        Claim("a", "J_y = -.49: the same, trajectories", (4.589, 7.809, 2.368), _drawn(-0.49), 0.6, REFERENCE),
        Claim("a", "beyond, J_y = -.6: S_z/S", -0.63, _beyond, 0.05, REFERENCE),
        Claim("a", "the same: S_x^2/S^2, S_y^2/S^2, S_z^2/S^2", (0.355, 0.081, 0.55), _beyond_squared, 0.006, REFERENCE),
        Claim("a", "two spins, J_x = 1/8, J_y = -1/2 of Eqs. (34)-(35): n, S_x^2/S, S_y^2/S, far from critical", (0.0124, 0.51984, 0.50496), _pair("phase_space_fig7_pair"), 6e-5, REFERENCE),
        Claim("a", "the same, exact for S = 2 and 4, carried to long spins", (0.0124, 0.5199, 0.5050), _carried("phase_space_fig7_exact"), 6e-5, REFERENCE),
        Claim("a", "two spins, J_x = 1/2, J_y = -6/5: the same", (0.10625, 0.65, 0.5625), _pair("phase_space_fig7_pair_strong"), 6e-6, REFERENCE),
        Claim("a", "the same, exact for S = 2 and 4, carried to long spins", (0.10667, 0.65219, 0.56161), _carried("phase_space_fig7_exact_strong"), 6e-6, REFERENCE),
        Claim("a", "Eqs. (36)-(37) as printed: twice the couplings, and N changes", "", cannot="no method has the printed factor -i/2 and alpha_n of the last term; derived: -i/4 and beta_n"),
        Claim("b", "C(1), C(3), C(5) at J_y = -.49 are zero, Holstein-Primakoff", 0.0, _odd, 1e-9, REFERENCE),
        Claim("b", "C(2), C(4), C(6) at J_y = -.49, Holstein-Primakoff", (0.876, 0.659, 0.496), _correlations("holstein_primakoff"), 6e-4, REFERENCE),
        Claim("b", "the same, trajectories", (0.870, 0.643, 0.470), _correlations("twoqs"), 0.08, REFERENCE),
        Claim("c", "the correlation length diverges at the transition", True, _diverges),
        Claim("c", "correlation length at J_y = -.1", 0.69, lambda data: float(data["phase_space_fig7_weak"].correlation_length.squeeze()), 6e-3, REFERENCE),
        Claim("c", "correlation length at J_y = -.2, -.3, -.4, -.45, -.49", (0.97, 1.34, 2.08, 3.05, 7.02), _lengths, 6e-3, REFERENCE),
    ),
    _draw_7,
    (13.5, 4.6),
)  # fmt: skip
