"""The ageing quantum battery of Pirmoradian and Mølmer: Figs. 1 to 3, and what its conclusion suggests.

Exact populations beside second-order cumulants. The paper does not print the storage times of Fig. 2; six are chosen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sweep.papers.drawing import legend, legend_below, letter, look
from sweep.papers.figures import REFERENCE, Claim, Data, Figure, Found, Paper, Sweep

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

RED, BLUE = "#D55E00", "#0072B2"
STORED = (0.02, 0.1, 0.2, 0.4, 0.6, 0.8)
"""Storage times of Fig. 2."""
COUNTED = (1, 2, 5, 10, 20, 40, 80, 150)
"""Cycles whose released energy is compared."""
DEPHASED = (0.0, 1.0, 5.0, 25.0)
SHORT, LONG = 0.0187, 0.0375
"""Discharge times of Fig. 3 (a, b) and (c, d)."""


def _drops(solver: str) -> Any:
    def released(data: Data) -> Any:
        one = data["battery_release"].sel(solver=solver).sel(tau_s=list(STORED), method="nearest")
        return (one.released / one.N).values

    return released


def _at(name: str, tau_s: float, solver: str = "exact") -> Any:
    return lambda data: float(data["battery_release"][name].sel(solver=solver).sel(tau_s=tau_s, method="nearest"))


def _all_collective(data: Data) -> Found:
    one = data["battery_release"].sel(solver="exact").sel(tau_s=list(STORED), method="nearest")
    share = float((one.individual_loss / one.N).max())
    return Found(share < 1e-3, text=f"other losses within a drop are at most {share:.1g} N")


def _slope(data: Data) -> Any:
    """dS/dM of the storage curve, over times 0.1 apart."""
    one = data["battery_release"].sel(solver="exact")
    M, S = one.M_before, one.S_before
    found = []
    for low, high in ((0.0, 0.1), (0.2, 0.3), (0.4, 0.5), (0.6, 0.7)):
        a, b = ({"tau_s": t, "method": "nearest"} for t in (low, high))
        found.append(float((S.sel(**b) - S.sel(**a)) / (M.sel(**b) - M.sel(**a))))
    return found


def _bends(data: Data) -> Found:
    one = data["battery_release"].S_before.sel(solver="exact").sel(tau_s=slice(0.05, None))
    low = int(np.argmin(one.values))
    time, least = float(one.tau_s[low]), float(one[low])
    return Found(abs(time - np.log(2)) < 0.02 and least < float(one[-1]), text=f"least S {least:.2f} at t = {time:g}")


def _path(data: Data, tau_s: float) -> Any:
    return data["battery_storage_path"].sel(solver="exact").sel(tau_s=tau_s, method="nearest")


def _halts(data: Data) -> Found:
    one = data["battery_release"].sel(solver="exact").sel(tau_s=list(STORED[:4]), method="nearest")
    change = float(np.abs(one.S_after - one.S_before).max())
    gap = float(np.abs(one.M_after / one.S_after + 1).max())
    return Found(change < 0.3 and gap < 0.025, text=f"S changes by at most {change:.2f}, M/S = -1 within {gap:.1g}")


def _climbs(data: Data) -> Found:
    one = _path(data, 0.2)
    last = one.isel(sample=slice(-100, None))
    S, M = last.S.values, last.M.values
    start = int(np.argmax(M < -0.9 * S))
    return Found(
        S[-1] > S[start] and M[-1] < M[start],
        text=f"S {S[start]:.1f} to {S[-1]:.1f}, M {M[start]:.1f} to {M[-1]:.1f} for t_s = 0.2",
    )


def _trapped(data: Data) -> Any:
    """Energy kept after the release, N/2 + M, and energy lost in storage."""
    one = data["battery_release"].sel(solver="exact").sel(tau_s=[0.2, 0.4], method="nearest")
    half = float(one.N) / 2
    return [*(half + one.M_after).values.tolist(), *(half - one.M_before).values.tolist()]


def _trapped_is_lost(data: Data) -> Found:
    kept_a, kept_b, lost_a, lost_b = _trapped(data)
    worst = max(abs(1 - kept_a / lost_a), abs(1 - kept_b / lost_b))
    return Found(worst < 0.03, text=f"within {100 * worst:.1f} % at t_s = 0.2 and 0.4")


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


def _collapse(data: Data) -> Any:
    one = data["battery_release"].sel(solver="printed").sel(tau_s=0.1, method="nearest")
    return float(one.M_after)


def _mean_square(solver: str) -> Any:
    """<S^2> after the release at t_s = 0.1."""

    def find(data: Data) -> float:
        S = float(data["battery_release"].S_after.sel(solver=solver).sel(tau_s=0.1, method="nearest"))
        return S * (S + 1)

    return find


def _symmetric_share(data: Data) -> float:
    """Share of one loss from |N/2, N/2> that stays in the symmetric states: 1 - d<S>/dM while hardly anything is lost."""
    one = data["battery_first_loss"].squeeze()
    half = float(one.N) / 2
    return 1 - float((half - one.meanS_after_storage) / (half - one.M_after_storage))


def _flank(data: Data) -> Any:
    one = data["battery_flank"].M_after.squeeze() / 140
    return [float(one.sel(solver=name)) for name in ("exact", "cumulant")]


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


def _draw_2(canvas: Canvas, data: Data) -> None:
    release, path = data["battery_release"], data["battery_storage_path"]
    left, right = canvas.subplots(1, 2)
    exact, cumulant = (release.sel(solver=name) for name in ("exact", "cumulant"))
    N = float(release.N)
    left.plot(exact.tau_s, exact.M_before / N, color=RED, label="storage")
    for name, one, style in (("release, exact", exact, "-"), ("release, 2nd cumulants", cumulant, ":")):
        for k, tau_s in enumerate(STORED):
            at = one.sel(tau_s=tau_s, method="nearest")
            shift = 0.0 if style == "-" else 0.012
            ends = [float(at.M_before) / N, float(at.M_after) / N]
            left.plot([tau_s + shift] * 2, ends, style, color=BLUE, label=name if k == 0 else None)
    left.set(xlabel=r"time $t$ [$1/\gamma$]", ylabel=r"$\langle S_z\rangle/N$", ylim=(-0.52, 0.52))
    letter(left, "a", "energy and releases")
    right.plot(exact.S_before, exact.M_before, color=RED)
    for tau_s in STORED:
        one = path.sel(solver="exact").sel(tau_s=tau_s, method="nearest")
        after = one.isel(sample=slice(one.sizes["sample"] // 2, None))
        rests = int(np.argmax(after.M.values < -0.9 * after.S.values))
        right.plot(after.S[: rests + 1], after.M[: rests + 1], color=BLUE)
        right.plot(
            after.S[rests:],
            after.M[rests:],
            color=RED,
            linestyle="--",
            label="after the release" if tau_s == STORED[0] else None,
        )
    right.plot([0, N / 2, np.nan, 0, N / 2], [0, N / 2, np.nan, 0, -N / 2], color="0.6", lw=1, label=r"$M = \pm S$")
    right.set(xlabel="$S$", ylabel="$M$")
    letter(right, "b", "paths in the plane of $S$ and $M$")
    handles = [pair for axes in (left, right) for pair in zip(*axes.get_legend_handles_labels(), strict=True)]
    canvas.legend(*zip(*handles, strict=True), loc="outside lower center", ncols=5, fontsize="small", frameon=False)


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
_FIRST_LOSS = Sweep(
    "battery_first_loss",
    "battery_cycles",
    values={"method": ["exact"], "tau_s": 1e-7, "cycles": 1},
    axes={"tau_d": {"values": [0.0]}},
)
_FLANK = Sweep(
    "battery_flank",
    "battery_release",
    values={"method": ["exact", "cumulant"], "window": 6.7 / (140 * 1600)},
    axes={"tau_s": {"values": [0.2]}},
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

FIGURE_2 = Figure(
    "battery-fig2",
    "Release after storage",
    {"a": "energy per emitter in storage, and drops at six releases", "b": "the same as paths in the plane of S and M"},
    (
        Sweep("battery_release", smoke_axes={"tau_s": {"values": [0.0, 0.02, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.68, 0.7, 0.72, 0.8, 1.0, 1.2]}}),
        Sweep("battery_storage_path", smoke={"samples": 41}),
        _FIRST_LOSS,
        _FLANK,
    ),
    (
        Claim("a", "storage: M/N = -1/2 + exp(-gamma t), at t = 0.2", np.exp(-0.2) - 0.5, lambda data: _at("M_before", 0.2)(data) / 140, 1e-6),
        Claim("a", "energy released is all that the emitters lose in a drop", True, _all_collective),
        Claim("a", "heights of six drops E/N, t_s = 0.02, 0.1, 0.2, 0.4, 0.6, 0.8, exact", (0.96050, 0.81047, 0.63944, 0.34749, 0.12675, 0.02834), _drops("exact"), 5e-5, REFERENCE),
        Claim("a", "the same, second-order cumulants", (0.96049, 0.81053, 0.63977, 0.34930, 0.13028, 0.03190), _drops("cumulant"), 5e-5, REFERENCE),
        Claim("a", "individual loss per emitter within the drop at t_s = 0.1", 0.0002, lambda data: _at("individual_loss", 0.1)(data) / 140, 5e-5, REFERENCE),
        Claim("b", "S falls by about one per lost quantum at first: dS/dM over the 0.1/gamma before t = 0.1, 0.3, 0.5, 0.7", (0.983, 0.96, 0.88, 0.28), _slope, 0.005, REFERENCE),
        Claim("b", "then the curve bends: S is least at t = ln 2 and grows again", True, _bends),
        Claim("b", "least S", 9.76, lambda data: float(data["battery_release"].S_before.sel(solver="exact").min()), 0.02, REFERENCE),
        Claim("b", "release at constant S, down to M = -S", True, _halts),
        Claim("b", "t_s = 0.2: S before and after, M before and after", (45.131, 45.176, 44.62, -44.95), lambda data: [_at(name, 0.2)(data) for name in ("S_before", "S_after", "M_before", "M_after")], 0.01, REFERENCE),
        Claim("b", "after it, slowly to larger S and lower M along the edge", True, _climbs),
        Claim("b", "energy trapped equals energy lost in storage", True, _trapped_is_lost),
        Claim("b", "the same at t_s = 0.7: trapped, where 70.5 are lost", 140 * (1 - np.exp(-0.7)), lambda data: 70.0 + _at("M_after", 0.7)(data), 1.5, why="approximately so for early releases only"),
        Claim("b", "trapped at t_s = 0.7, by cumulants", 60.5, lambda data: 70.0 + _at("M_after", 0.7, "cumulant")(data), 0.06, REFERENCE),
        Claim("b", "trapped at t_s = 0.2, 0.4; lost at 0.2, 0.4", (25.05, 45.10, 25.38, 46.16), _trapped, 0.01, REFERENCE),
        Claim("b", "appendix, d<s+s->/dt as printed: M after the release at t_s = 0.1 (with the correct source: -56.8)", -0.65, _at("M_after", 0.1), 0.05, REFERENCE, _collapse, "the printed source of <s+s-> lacks <sz_i sz_j>, so the ground state is not stationary and the spin length is lost"),
        Claim("b", "the same: <S^2> after the release, with the correct source and as printed", (3297.0, 1.7), lambda data: [_mean_square(name)(data) for name in ("exact", "printed")], 0.05, REFERENCE, share=2e-4),
        Claim("b", "one loss from |N/2, N/2>: 1/N stays symmetric", 1 / 140, _symmetric_share, 1e-6),
        Claim("b", "the rest of it has S = (N-1)/2", "", cannot="that does not exist for even N; it is N/2 - 1, with which the row above was computed"),
        Claim("a", "N Gamma t = 6.7 (rounded) into the release at t_s = 0.2: M/N, exact and cumulants", (0.044, -0.003), _flank, 3e-3, REFERENCE),
        Claim("b", "the cavity eliminated: excitations of two emitters at Gamma t = .375 to 1.5 by the full model: 1.25314, .73327, .41735, .23837", "", by=REFERENCE, cannot="no model here has the cavity; `spinsweep check battery.release` compares the eliminated one with a dense one of its own"),
        Claim("b", "appendix, d<s+ sz> as printed, without its factor N - 2: off by .06 to .07 for 4 and 5 emitters", "", by=REFERENCE, cannot="for random states that are not stated; without coherences, as in all figures, it has no effect; `spinsweep check battery.derivative` compares both readings"),
        Claim("b", "below Eq. (5), S^- with a factor 1/2, and D[o] with its sign reversed", "", cannot="conventions of the text that Eqs. (6) and (7) contradict: with the first dz is a quarter, with the second an inverted ensemble would gain energy"),
    ),
    _draw_2,
    (9.6, 4.4),
)  # fmt: skip

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
