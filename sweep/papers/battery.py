"""The ageing quantum battery of Pirmoradian and Mølmer: Figs. 1 to 3 (Fig. 2 is in
`release_after_storage`), and what its conclusion suggests. Exact populations beside second-order cumulants.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sweep.papers.drawing import legend, legend_below, letter, look
from sweep.papers.figures import REFERENCE, Claim, Data, Figure, Found, Paper, Sweep
from sweep.papers.release_after_storage import BLUE, FIGURE_2, RED

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

COUNTED = (1, 2, 5, 10, 20, 40, 80, 150)
"""Cycles whose released energy is compared."""
DEPHASED = (0.0, 1.0, 5.0, 25.0)
SHORT, LONG = 0.0187, 0.0375
"""Discharge times of Fig. 3 (a, b) and (c, d)."""


def _cycles(tau_d: float, solver: str, cycles: tuple[int, ...]) -> Any:
    return lambda data: data["battery_cycles"].released.sel(solver=solver, tau_d=tau_d).values[[c - 1 for c in cycles]]


def _limit(name: str, tau_d: float, solver: str = "exact") -> Any:
    return lambda data: float(data["battery_limits"][name].sel(solver=solver, tau_d=tau_d))


def _to_limit(tau_d: float) -> Any:
    def cycles(data: Data) -> list[int]:
        released = data["battery_cycles"].released.sel(solver="exact", tau_d=tau_d).values
        limit = _limit("released", tau_d)(data)
        return [1 + int(np.argmax(np.abs(released / limit - 1) < share)) for share in (0.1, 0.05, 0.01)]

    return cycles


def _settles(data: Data) -> Found:
    released = data["battery_cycles"].released.sel(solver="exact", tau_d=SHORT).values
    limit = _limit("released", SHORT)(data)
    falls = bool(np.all(np.diff(released) < 0))
    return Found(falls and limit > 5, text=f"{released[0]:.1f} per cycle falls to {limit:.1f}")


def _larger(name: str) -> Any:
    def compare(data: Data) -> Found:
        short, long = (_limit(name, tau_d)(data) for tau_d in (SHORT, LONG))
        return Found(long > short, text=f"{long:.1f} against {short:.1f}")

    return compare


def _equation_8(name: str, tau_d: float) -> Any:
    return lambda data: float(data["battery_limits"][name].sel(solver="exact", tau_d=tau_d))


def _large_n(data: Data) -> Any:
    one = data["battery_short_cycles"].sel(solver="chain")
    return [float(one.S_after_discharge.sel(tau_d=t, method="nearest")) for t in (1e-4, 2e-4, 3e-4)]


def _dephased(name: str) -> Any:
    return lambda data: data["battery_dephasing"][name].sel(solver="exact", dephasing=list(DEPHASED)).values


def _dephasing_helps(data: Data) -> Found:
    one = data["battery_dephasing"].sel(solver="exact", dephasing=list(DEPHASED))
    rises = bool((one.S_after_discharge.diff("dephasing") > 0).all() and (one.released.diff("dephasing") > 0).all())
    first, last = one.released.values[[0, -1]]
    return Found(rises, text=f"released energy {first:.1f} to {last:.1f}")


def _own_losses(data: Data) -> list[float]:
    """Individual losses within a discharge of the first cycle, and within those of cycle 150."""
    one = data["battery_cycles"].individual_loss_discharge.sel(solver="exact")
    return [float(one.sel(tau_d=SHORT)[0]), *(float(one.sel(tau_d=t)[-1]) for t in (SHORT, LONG))]


def _fast(data: Data) -> list[float]:
    """S of an instant release, and by what share that of Gamma = 1600 and 16000 is below it."""
    one = data["battery_fast"].S_after_discharge
    exact, instant = one.sel(solver="exact").values, float(one.sel(solver="chain").values[0])
    return [instant, *(1 - exact / instant).tolist()]


def _sum_rule(data: Data) -> float:
    """E[S^2] + E[S]/2 of equal, very short cycles, where S (S + 1) stands for <S^2> = E[S^2] + E[S]."""
    one = data["battery_short_cycles"].sel(solver="chain").sel(tau_d=1e-4, method="nearest")
    S = float(one.S_after_discharge)
    return S * (S + 1) - float(one.meanS_after_discharge) / 2


def _draw_3(canvas: Canvas, data: Data) -> None:
    ageing = data["battery_ageing"]
    panels = canvas.subplots(2, 2, sharex="col")
    for column, tau_d, letters in ((0, SHORT, "ab"), (1, LONG, "cd")):
        exact, cumulant = (ageing.sel(solver=name, tau_d=tau_d) for name in ("exact", "cumulant"))
        upper, lower = panels[:, column]
        upper.plot(exact.t, exact.M, color=BLUE, lw=0.5)
        upper.set(ylabel="$M$", ylim=(-72, 72))
        lower.plot(exact.t, exact.S, color="k", lw=0.9, label="exact")
        lower.plot(cumulant.t[::12], cumulant.S[::12], ".", ms=3, color=RED, label="2nd cumulants")
        limit = data["battery_limits"].sel(solver="exact", tau_d=tau_d)
        lower.axhline(float(limit.S_equation_8_printed), color="#CC79A7", ls=":", label="Eq. (8) as printed")
        lower.axhline(float(limit.S_equation_8), color="#009E73", ls="--", label="Eq. (8) corrected")
        lower.set(xlabel=r"time $t$ [$1/\gamma$]", ylabel="$S$", ylim=(0, 72))
        letter(upper, letters[0], rf"$\tau_d = {tau_d}/\gamma$")
        letter(lower, letters[1])
    legend_below(canvas, panels[1, 0], 4)


def _draw_dephasing(canvas: Canvas, data: Data) -> None:
    one = data["battery_dephasing"]
    left, right = canvas.subplots(1, 2)
    for axes, name, label in (
        (left, "S_after_discharge", "$S$ after discharge"),
        (right, "released", r"released energy [$\hbar\omega_s$]"),
    ):
        for solver in ("exact", "cumulant"):
            axes.plot(one.dephasing, one[name].sel(solver=solver), marker="o", ms=3, **look(solver))
        axes.set(xlabel=r"dephasing $\phi$ [$\gamma$]", ylabel=label)
        axes.set_xscale("symlog", linthresh=0.1)
    legend(right)


_LIMITS = Sweep(
    "battery_limits",
    "battery_dephasing",
    values={"N": 140, "Gamma": 1600.0, "dephasing": 0.0, "method": ["exact", "cumulant"]},
    axes={"tau_d": {"values": [SHORT, LONG]}},
)
_SHORT = Sweep(
    "battery_short_cycles",
    "battery_storage",
    values={"method": ["chain"], "tau_s": 1e-4},
    axes={"tau_d": {"values": [1e-4, 2e-4, 3e-4]}},
)
_REFRESHED = Sweep(
    "battery_refreshed",
    "battery_dephasing",
    values={"tau_s": 0.3, "dephasing": 0.0, "method": ["exact", "cumulant"]},
    axes={"tau_d": {"values": [0.3, 8.0]}},
)
_FAST = Sweep(
    "battery_fast",
    "battery_dephasing",
    values={"N": 140, "dephasing": 0.0, "method": ["chain", "exact"]},
    axes={"Gamma": {"values": [1600.0, 16000.0]}},
)
_MIXED = "printed with 4/N where the derivation from Eqs. (5) and (7) gives 2/N: two normalisations of s± are mixed"

FIGURE_1 = Figure(
    "battery-fig1",
    "The battery and its cycle",
    {"": "drawing of emitters in a lossy cavity, and of a cycle"},
    (),
    (
        Claim("", "a drawing", "", cannot="it shows no data"),
        Claim(
            "",
            "values of N Gamma reached with calcium ions and other emitters",
            "",
            cannot="quoted from experiments of others",
        ),
    ),
    None,
)


FIGURE_3 = Figure(
    "battery-fig3",
    "Ageing to a limit cycle",
    {
        "a": "M over the cycles, equal times",
        "b": "spin length S over the cycles, equal times",
        "c": "M, discharge twice as long as storage",
        "d": "S, discharge twice as long as storage",
    },
    (
        Sweep("battery_ageing", smoke={"cycles": 40}),
        Sweep("battery_cycles"),
        _LIMITS,
        _SHORT,
        _FAST,
    ),
    (
        Claim("a", "the released energy decreases to that of a limit cycle", True, _settles),
        Claim("a", "released in cycles 1, 2, 5, 10, 20, 40, 80, 150, exact", (134.83, 129.86, 116.04, 96.22, 66.27, 32.30, 14.54, 13.31), _cycles(SHORT, "exact", COUNTED), 0.01, REFERENCE),
        Claim("a", "released in the limit, exact; cycle 150, cumulants", (13.30, 14.19), lambda data: [_limit("released", SHORT)(data), float(_cycles(SHORT, "cumulant", (150,))(data)[0])], 0.01, REFERENCE),
        Claim("a", "cycles until within 10, 5, 1 % of the limit", (80, 89, 110), _to_limit(SHORT), 0.0, REFERENCE),
        Claim("a", "efficiency at the limit", 0.836, _limit("efficiency", SHORT), 1e-3, REFERENCE),
        Claim("b", "equal times: S = sqrt(N) in the limit", np.sqrt(140), _limit("S_after_discharge", SHORT), 0.5, why=f"Eq. (8) is {_MIXED}; corrected, S is near sqrt(N/2) = 8.4"),
        Claim("b", "Eq. (8) as printed gives the computed limit of S", 10.87, _limit("S_after_discharge", SHORT), 0.5, printed=_equation_8("S_equation_8_printed", SHORT), why=_MIXED),
        Claim("b", "Eq. (8): as printed, corrected", (10.87, 8.12), lambda data: [_equation_8(name, SHORT)(data) for name in ("S_equation_8_printed", "S_equation_8")], 0.005, REFERENCE),
        Claim("b", "S after discharge exact, <S> exact, S cumulants", (8.76, 7.96, 8.81), lambda data: [_limit("S_after_discharge", SHORT)(data), _limit("meanS_after_discharge", SHORT)(data), _limit("S_after_discharge", SHORT, "cumulant")(data)], 0.01, REFERENCE),
        Claim("b", "S after storage, exact and cumulants", (7.68, 7.67), lambda data: [_limit("S_after_storage", SHORT, solver)(data) for solver in ("exact", "cumulant")], 0.01, REFERENCE),
        Claim("b", "S for very short cycles, tau_d = 1, 2, 3 tau_s", (8.10, 24.97, 35.91), _large_n, 0.05, REFERENCE),
        Claim("b", "the same by Eq. (8) as printed", (10.87, 26.60, 36.80), lambda data: data["battery_short_cycles"].S_equation_8_printed.sel(solver="chain").values, 6e-3, REFERENCE),
        Claim("b", "the same by Eq. (8) corrected", (8.12, 25.42, 36.18), lambda data: data["battery_short_cycles"].S_equation_8.sel(solver="chain").values, 6e-3, REFERENCE),
        Claim("b", "S of an instant release", 8.95, lambda data: _fast(data)[0], 6e-3, REFERENCE),
        Claim("b", "by what share it is lower at Gamma = 1600 and 16000 (from values of three digits)", (0.02, 0.0014), lambda data: _fast(data)[1:], 2e-3, REFERENCE),
        Claim("b", "equal times: modulus by which deviations shrink per cycle", 0.927, lambda data: float(data["battery_fast"].second_eigenvalue.sel(solver="chain").values[0]), 6e-4, REFERENCE),
        Claim("b", "sum rule of very short equal cycles: E[S^2] + E[S]/2 (N/2 = 70)", 70.075, _sum_rule, 6e-3, REFERENCE),
        Claim("b", "individual losses within a discharge: first cycle; limit, equal times and longer discharge", (0.05, 1.2, 1.7), _own_losses, 0.06, REFERENCE),
        Claim("c", "longer discharge, larger capacity", True, _larger("released")),
        Claim("c", "released in cycles 1, 2, 5, 10, 20, 40, 80, 150, exact", (134.83, 129.95, 116.88, 99.47, 76.49, 56.17, 47.79, 46.91), _cycles(LONG, "exact", COUNTED), 0.01, REFERENCE),
        Claim("c", "released in the limit, exact and cumulants", (46.895, 47.902), lambda data: [_limit("released", LONG, solver)(data) for solver in ("exact", "cumulant")], 0.005, REFERENCE),
        Claim("c", "cycles until within 10, 5, 1 % of the limit", (52, 64, 91), _to_limit(LONG), 0.0, REFERENCE),
        Claim("c", "efficiency at the limit", 0.931, _limit("efficiency", LONG), 1e-3, REFERENCE),
        Claim("c", "efficiency of the first cycle", 0.963, lambda data: float(data["battery_cycles"].efficiency.sel(solver="exact", tau_d=LONG)[0]), 1e-3, REFERENCE),
        Claim("d", "longer discharge, larger S", True, _larger("S_after_discharge")),
        Claim("d", "S = (N/2)(tau_d - tau_s)/(tau_d + tau_s) for large N, at N = 140", 70 * (LONG - SHORT) / (LONG + SHORT), _limit("S_after_discharge", LONG), 2.5),
        Claim("d", "S for large N beyond first order in the times, (N/2)(1 - 2b + ab)/(1 - ab) with a, b = exp(-tau_s), exp(-tau_d), at N = 140", 24.29, _limit("S_after_discharge", LONG), 1.6, REFERENCE),
        Claim("d", "Eq. (8): as printed, corrected", (26.67, 25.49), lambda data: [_equation_8(name, LONG)(data) for name in ("S_equation_8_printed", "S_equation_8")], 0.01, REFERENCE),
        Claim("d", "S after discharge exact, <S> exact, S cumulants", (25.742, 25.19, 25.994), lambda data: [_limit("S_after_discharge", LONG)(data), _limit("meanS_after_discharge", LONG)(data), _limit("S_after_discharge", LONG, "cumulant")(data)], 0.01, REFERENCE),
        Claim("d", "S after storage, exact and cumulants", (24.09, 24.32), lambda data: [_limit("S_after_storage", LONG, solver)(data) for solver in ("exact", "cumulant")], 0.015, REFERENCE),
    ),
    _draw_3,
    (9.6, 5.6),
)  # fmt: skip

CONCLUSION = Figure(
    "battery-dephasing",
    "What the conclusion suggests: dephasing and rest",
    {"": "limit cycle over the rate of dephasing, N = 40"},
    (Sweep("battery_dephasing", smoke_axes={"dephasing": {"values": list(DEPHASED)}}), _REFRESHED),
    (
        Claim("", "dephasing may raise S and improve the limit cycle", True, _dephasing_helps),
        Claim("", "S after discharge at dephasing 0, 1, 5, 25", (4.403, 6.77, 10.43, 14.67), _dephased("S_after_discharge"), 0.01, REFERENCE),
        Claim("", "released at dephasing 0, 1, 5, 25", (7.178, 12.11, 19.65, 28.35), _dephased("released"), 0.01, REFERENCE),
        Claim("", "efficiency at dephasing 0, 1, 5, 25", (0.906, 0.942, 0.963, 0.974), _dephased("efficiency"), 1e-3, REFERENCE),
        Claim("", "a long rest regains the full capacity: S of 20 after tau_d = 8", 19.997, lambda data: float(data["battery_refreshed"].S_after_discharge.sel(solver="exact", tau_d=8.0)), 1e-3, REFERENCE),
    ),
    _draw_dephasing,
    (9.6, 3.6),
)  # fmt: skip

PAPER = Paper(
    "battery",
    "F. Pirmoradian and K. Mølmer, Aging of a quantum battery, Phys. Rev. A 100, 043833 (2019)",
    (FIGURE_1, FIGURE_2, FIGURE_3, CONCLUSION),
)
