"""Fig. 2 of the magnet paper: a magnetisation that switches, and hysteresis, by the Landau-Lifshitz equation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sweep.papers.drawing import legend, letter
from sweep.papers.figures import REFERENCE, Claim, Data, Figure, Found, Sweep
from sweep.pictures.colours import CYCLE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

_QUOTED = (0.31, 0.31, -0.89)
_TILT = float(np.cos(np.pi / 40))


def _final(name: str, V_z: float) -> Any:
    return lambda data: data[name].M_final.sel(V_z=V_z).values


def _flips(data: Data) -> Found:
    M = data["heisenberg_fig2a"].M.isel(time=-1).sel(V_z=1.0).values
    return Found(bool(np.abs(M - (0, 0, -1)).max() < 1e-3), text=f"M = ({M[0]:.4f}, {M[1]:.4f}, {M[2]:.4f}) at the end")


def _conserved(data: Data) -> Found:
    length = np.sqrt((data["heisenberg_fig2a"].M ** 2).sum("axis")).values
    return Found(bool(np.abs(length - 1).max() < 1e-9), text=f"within {np.abs(length - 1).max():.0e}")


def _coercive(name: str, solver: str, *V_z: float) -> Any:
    return lambda data: data[name].coercive_field.sel(solver=solver, V_z=list(V_z)).values


def _wider(data: Data) -> Found:
    fields = data["heisenberg_fig2b"].coercive_field.sel(solver="fixed_start")
    return Found(bool((fields.diff("V_z") > 0).all()), text=", ".join(f"{v:.3f}" for v in fields.values))


def _closed(data: Data) -> Found:
    fields = data["heisenberg_fig2d"].coercive_field.sel(V_z=[0.5, 1.0])
    return Found(bool(np.abs(fields).max() < 0.01), text=f"at most {float(np.abs(fields).max()):.1g}")


def _edge(name: str) -> Any:
    """The field between the last and the first that lead to either sign of M_z at t = 160 from near the pole."""

    def find(data: Data) -> float:
        M = data[name].M_final.sel(axis="z").squeeze().sortby("B_z")
        first = int(np.argmax(M.values > 0))
        return float(M.B_z.values[first - 1 : first + 1].mean())

    return find


def _restarted(name: str, V_z: float, low: float, high: float, across: float = 0.0) -> Sweep:
    return Sweep(
        f"heisenberg_fig2_{name}",
        "heisenberg_fig2a",
        values={"V_z": V_z, "B_x": across, "B_y": across, "phi0": 0.0, "times": [160.0]},
        axes={"B_z": {"linspace": [low, high, 31]}},
    )


_RESTARTS = (
    _restarted("finite", 0.5, -0.53, -0.50),
    _restarted("kept_1", 1.5, 0.0, 0.03, 1.0),
    _restarted("kept_2", 2.0, -0.136, -0.106, 1.0),
    _restarted("kept_3", 3.0, -0.67, -0.64, 1.0),
)
_GILBERT = Sweep(
    "heisenberg_fig2a_gilbert",
    "heisenberg_fig2a",
    values={"method": ["landau_lifshitz_gilbert"], "times": {"linspace": [0.0, 10.0, 101]}},
    axes={"V_z": {"values": [1.0]}},
)
_SLOWER = Sweep(
    "heisenberg_fig2a_slower",
    "heisenberg_fig2a",
    values={"times": {"linspace": [0.0, 8.0, 101]}},
    axes={"V_z": {"values": [1.0]}},
)
"""The Landau-Lifshitz equation at 0.8 times the times of `_GILBERT`."""


def _mapped(data: Data) -> Found:
    one, other = (data[name.name].M.squeeze(drop=True).values for name in (_GILBERT, _SLOWER))
    off = float(np.abs(one - other).max())
    return Found(off < 1e-7, text=f"M differs by at most {off:.0e} up to t = 10")


def _in_time(axes: Axes, one: Any, panel: str, title: str) -> None:
    for k, a in enumerate("xyz"):
        axes.plot(one.time, one.M.sel(axis=a, V_z=1.0), color=CYCLE[k], label=f"$M_{a}$, $V_z = 1$")
    for k, a in enumerate("xyz"):
        axes.plot(one.time, one.M.sel(axis=a, V_z=0.5), ":", color=CYCLE[k], label=f"$M_{a}$, $V_z = 0.5$")
    length = np.sqrt((one.M.sel(V_z=1.0) ** 2).sum("axis"))
    axes.plot(one.time, length, "--", color="0.5", label="$|M|$")
    axes.set(xlabel=r"time $\gamma t$", ylabel="magnetisation")
    letter(axes, panel, title)


def _loops(axes: Axes, one: Any, panel: str, title: str) -> None:
    part = one.sel(solver="fixed_start")
    for k, V_z in enumerate(part.V_z.values.tolist()):
        here = part.sel(V_z=V_z)
        axes.plot(here.field, here.M_down.sel(axis="z"), color=CYCLE[k], label=f"$V_z = {V_z:g}$")
        axes.plot(here.field, here.M_up.sel(axis="z"), "--", color=CYCLE[k])
    axes.set(xlabel="field $B_z$", ylabel="$M_z$ at rest")
    letter(axes, panel, title)


def _draw(canvas: Canvas, data: Data) -> None:
    (a, b), (c, d) = canvas.subplots(2, 2)
    _in_time(a, data["heisenberg_fig2a"], "a", "switching")
    _loops(b, data["heisenberg_fig2b"], "b", r"$B_\perp = 0$; solid: down, dashed: up")
    _in_time(c, data["heisenberg_fig2c"], "c", "with $B_x = B_y = 1$")
    _loops(d, data["heisenberg_fig2d"], "d", r"$B_\perp = \sqrt{2}$")
    for axes in (a, b):
        legend(axes)


FIGURE_2 = Figure(
    "heisenberg-fig2",
    "Switching and hysteresis in mean field",
    {
        "a": "magnetisation in time, field along -z",
        "b": "hysteresis for several V_z, no perpendicular field",
        "c": "magnetisation in time with a perpendicular field",
        "d": "hysteresis with a perpendicular field",
    },
    (
        Sweep("heisenberg_fig2a"),
        Sweep("heisenberg_fig2b", smoke={"rtol": 1e-9}),
        Sweep("heisenberg_fig2c"),
        Sweep("heisenberg_fig2d", smoke={"rtol": 1e-9}),
        *_RESTARTS,
        _GILBERT,
        _SLOWER,
        Sweep("heisenberg_fig2c_long", "heisenberg_fig2c", values={"times": [400.0]}),
    ),
    (
        Claim("a", "M goes to (0, 0, -1)", True, _flips),
        Claim("a", "|M| is constant", True, _conserved),
        Claim("a", "time of M_z = 0 at V_z = 0.5 and 1", (4.0548, 5.5524), lambda data: data["heisenberg_fig2a"].flip_time.values, 1e-4, REFERENCE),
        Claim("b", "the field that flips is -m_z V_z, at V_z = 0.5 and 1", (0.5 * _TILT, _TILT), _coercive("heisenberg_fig2b", "fixed_start", 0.5, 1.0), 0.011),
        Claim("a", "Gilbert's equation at gamma = 1, alpha = .5 is that of Landau and Lifshitz with gamma/(1 + alpha^2) and the same alpha (the printed map is another)", True, _mapped, by=REFERENCE),
        Claim("a", "(20), Bloch and Bloembergen, from (18): exact for V = 0 only, off by 0.29 at V_z = 0.8", "", by=REFERENCE, cannot="for a random state that is not stated; the method bloch_bloembergen has the printed equation"),
        Claim("b", "the field that flips within t = 160, V_z = 0.5 (steps of 1e-3): lower, as the flip is slow", -0.5155, _edge("heisenberg_fig2_finite"), 1e-3, REFERENCE),
        Claim("b", "the loop is wider for larger V_z", True, _wider),
        Claim("b", "coercive field by restarts, V_z = 0.5 and 1", (0.49846, 0.99692), _coercive("heisenberg_fig2b", "fixed_start", 0.5, 1.0), 0.011, REFERENCE),
        Claim("b", "coercive field followed adiabatically, V_z = 0.5 and 1", (0.5, 1.0), _coercive("heisenberg_fig2b", "continuation", 0.5, 1.0), 0.011, REFERENCE),
        Claim("b", "Stoner and Wohlfarth with the energy V_z M_z^2: coercive field at V_z = 1", 2.0, _coercive("heisenberg_fig2b", "continuation", 1.0), 0.02, why="the printed energy V_z M_z^2 has its spinodal at 2 V_z; the Landau-Lifshitz equation belongs to V_z M_z^2/2"),
        Claim("c", "state of rest at the stated V_z = 0.5", _QUOTED, _final("heisenberg_fig2c_long", 0.5), 0.01, why="the quoted state is that of V_z = 1, as in the caption of (a); the next row"),
        Claim("c", "state of rest at V_z = 1", _QUOTED, _final("heisenberg_fig2c_long", 1.0), 0.01),
        Claim("c", "state of rest at V_z = 0.5 and 1", (0.3554, 0.3554, -0.8645, 0.3100, 0.3100, -0.8987), lambda data: data["heisenberg_fig2c_long"].M_final.sel(V_z=[0.5, 1.0]).values.ravel(), 1e-4, REFERENCE),
        Claim("d", "no coercive field at V_z = 0.5 and 1", True, _closed),
        Claim("d", "coercive field followed adiabatically, V_z = 1.5, 2, 3", (0.0113, 0.1874, 0.7428), _coercive("heisenberg_fig2d", "continuation", 1.5, 2.0, 3.0), 0.011, REFERENCE),
        Claim("d", "coercive field by restarts, V_z = 2 and 3", (0.1212, 0.6559), _coercive("heisenberg_fig2d", "fixed_start", 2.0, 3.0), 0.02, REFERENCE),
        Claim("d", "M_z stays up to t = 160 from near the pole above B_z, V_z = 1.5, 2, 3 (steps of 1e-3)", (0.0118, -0.1212, -0.6559), lambda data: [_edge(f"heisenberg_fig2_kept_{k}")(data) for k in (1, 2, 3)], 1e-3, REFERENCE),
    ),
    _draw,
    (11.0, 7.0),
)  # fmt: skip
