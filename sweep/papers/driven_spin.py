"""Fig. 4 of Huber, Kirton and Rabl: a driven collective spin at rest, next to its transition and beyond."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sweep.papers.drawing import letter, points
from sweep.papers.figures import REFERENCE, Claim, Data, Figure, Found, Sweep
from sweep.pictures.colours import CYCLE

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

WAYS = {"P": CYCLE[0], "wigner": CYCLE[1], "Q": CYCLE[2]}
FEW = {"trajectories": 400}


def _rest(variable: str, axis: str, solver: str, start: str, *Omega: float) -> Any:
    def find(data: Data) -> Found:
        one = data["phase_space_fig4"].sel(solver=solver, start=start).sel(Omega=list(Omega), method="nearest")
        power = 1 if variable == "mean" else 2
        where = {"axis": axis} if power == 1 else {"axis": axis, "axis2": axis}
        scale = float(one.S) ** power
        values = (one[variable].sel(where) / scale).values
        error = (one[f"{variable}_sem"].sel(where) / scale).values if solver == "twoqs" else 0.0
        return Found(values, error)

    return find


def _near(
    start: str, solver: str, Omega: float, axes: str, moments: str = "", ways: tuple[str, ...] = ("wigner",)
) -> Any:
    """Means S_a/S and then moments S_a^2/S^2 next to the transition, for each distribution in turn."""

    def find(data: Data) -> Found:
        one = data["phase_space_fig4_near"].sel(solver=solver, start=start, Omega=Omega)
        S = float(one.S)
        values, errors = [], []
        for way in ways:
            part = one.sel(distribution=way)
            for name, chosen, scale in (("mean", axes, S), ("second", moments, S**2)):
                for a in chosen:
                    where = {"axis": a} if name == "mean" else {"axis": a, "axis2": a}
                    values.append(float(part[name].sel(where)) / scale)
                    errors.append(float(part[f"{name}_sem"].sel(where)) / scale if solver == "twoqs" else 0.0)
        return Found(values, errors)

    return find


def _kept(data: Data) -> Found:
    one = data["phase_space_fig4_conserving"].sel(solver="twoqs", axis=["y", "z"]).squeeze()
    return Found(one["mean"].values / float(one.S), one.mean_sem.values / float(one.S))


def _diagonal(one: Any, axes: str) -> list[float]:
    return [float(one.sel(axis=a, axis2=a)) / float(one.S) ** 2 for a in axes]


def _late(variant: str) -> Any:
    """S_x^2/S^2 and S_z^2/S^2 of a short spin after a long time."""

    def find(data: Data) -> Found:
        one = data["phase_space_fig4_late"].sel(solver="twoqs", variant=variant).squeeze()
        return Found(_diagonal(one.second, "xz"), _diagonal(one.second_sem, "xz"))

    return find


def _late_exact(data: Data) -> list[float]:
    return _diagonal(data["phase_space_fig4_late_exact"].second.isel(time=-1).squeeze(), "xz")


def _late_spread(data: Data) -> float:
    one = data["phase_space_fig4_late"].sel(variant="positive_diffusion").squeeze()
    return float(one.length_variance) / (2 * float(one.S)) ** 2


def _wandering(data: Data) -> list[float]:
    """Least and largest Var N/N^2 over four drives beyond the transition, N = 2S."""
    one = data["phase_space_fig4_fifty"]
    found = one.length_variance.values / (2 * float(one.S)) ** 2
    return [float(found.min()), float(found.max())]


def _matches(start: str, fields: tuple[float, ...], most: float) -> Any:
    """Whether second moments are within `most` S^2 of the exact ones."""

    def check(data: Data) -> Found:
        off = 0.0
        for axis in "xyz":
            exact = _rest("second", axis, "analytic", "down", *fields)(data).value
            off = max(off, float(np.abs(_rest("second", axis, "twoqs", start, *fields)(data).value - exact).max()))
        return Found(off < most, text=f"off by at most {off:.3f} S^2")

    return check


def _third(data: Data) -> Found:
    values = [_rest("second", axis, "analytic", "down", 1.5, 3.0)(data).value for axis in "xyz"]
    off = float(np.abs(np.array(values) - 1 / 3).max())
    return Found(
        off < 0.05,
        text="; ".join(f"<S_{a}^2> {v[0]:.3f}, {v[1]:.3f}" for a, v in zip("xyz", values, strict=True))
        + " at Omega = 1.5, 3",
    )


def _transition(data: Data) -> Found:
    one = data["phase_space_fig4"]["mean"].sel(solver="mean_field", axis="z", start="down") / float(
        data["phase_space_fig4"].S
    )
    below = one.sel(Omega=slice(0.0, 0.95))
    off = float(np.abs(below.values + np.sqrt(1 - below.Omega.values**2)).max())
    return Found(off < 1e-3, text=f"-sqrt(1 - (Omega/Gamma)^2) below Omega = Gamma within {off:.0e}")


def _draw_4(canvas: Canvas, data: Data) -> None:
    one = data["phase_space_fig4"]
    S = float(one.S)
    left, *right = canvas.subplots(1, 4)
    exact = one.sel(solver="analytic", start="down")
    for k, a in enumerate("xyz"):
        left.plot(exact.Omega, exact["mean"].sel(axis=a) / S, color=CYCLE[k], label=rf"$\langle S_{a}\rangle/S$")
        part = one.sel(solver="twoqs", start="down", axis=a)
        points(left, part.Omega, part["mean"] / S, part.mean_sem / S, color=CYCLE[k])
        for panel, start in zip(right, ("down", "ramp", "isotropic"), strict=True):
            panel.plot(
                exact.Omega,
                exact.second.sel(axis=a, axis2=a) / S**2,
                color=CYCLE[k],
                label=rf"$\langle S_{a}^2\rangle/S^2$",
            )
            part = one.sel(solver="twoqs", start=start, axis=a, axis2=a)
            points(panel, part.Omega, part.second / S**2, part.second_sem / S**2, color=CYCLE[k])
            letter(panel, "b" if start == "down" else "", f"start: {start}")
    letter(left, "a", "start: down")
    for panel in (left, *right):
        panel.set_xlabel(r"drive $\Omega/\Gamma$")
    for panel in (left, right[1]):
        panel.legend(loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=3, fontsize="medium", frameon=False)
    left.set_ylabel("mean spin")
    right[0].set_ylabel("second moments")


_MIXED = (1.5, 2.0, 3.0)

_SLOW = "beyond the transition the exact gap is 0.5 to 0.75 Gamma/S, so that at t = 50 moments are not relaxed; starts in random directions give the claim"

FIGURE_4 = Figure(
    "phase_space-fig4",
    "Driven spin at rest, S = 1000, t = 40 to 50",
    {"a": "mean spin over the drive", "b": "second moments over the drive, from three starts"},
    (
        Sweep("phase_space_fig4", smoke_axes={"Omega": {"values": [0.0, 0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 3.0]}}),
        Sweep("phase_space_fig4_near", "phase_space_fig4", values={"method": ["analytic", "twoqs"], "trajectories": 1000}, axes={"Omega": {"values": [0.8, 0.95, 1.1]}, "start": {"values": ["down", "isotropic"]}, "distribution": {"values": list(WAYS)}}, smoke=FEW),
        Sweep("phase_space_fig4_conserving", "phase_space_fig4", values={"method": ["twoqs"], "variant": "conserving"}, axes={"Omega": {"values": [1.0]}, "start": {"values": ["down"]}}, smoke=FEW),
        Sweep("phase_space_fig4_fifty", "phase_space_fig4", values={"method": ["twoqs"], "t_relax": 49.5, "t_average": 0.5}, axes={"Omega": {"values": [1.1, 1.5, 2.0, 3.0]}, "start": {"values": ["down"]}}, smoke=FEW),
        Sweep("phase_space_fig4_late", "phase_space_fig4", values={"method": ["twoqs"], "S": 30.0, "t_relax": 100.0, "t_average": 1.0}, axes={"Omega": {"values": [2.0]}, "start": {"values": ["down"]}, "variant": {"values": ["positive_diffusion", "conserving"]}}),
        Sweep("phase_space_fig4_late_exact", "phase_space_fig3", values={"method": ["exact"], "times": [0.0, 100.0]}, axes={"S": {"values": [30.0]}, "Omega": {"values": [2.0]}, "distribution": {"values": ["wigner"]}}, keep=("second",)),
    ),
    (
        Claim("a", "mean field: a transition at Omega = Gamma", True, _transition),
        Claim("a", "below it the trajectories match: S_y/S at Omega = .8", 0.8, _rest("mean", "y", "twoqs", "down", 0.8), 0.02),
        Claim("a", "some inaccuracies at Omega = Gamma (S_y off by more than 5 %)", True, lambda data: Found(abs(float(_rest("mean", "y", "twoqs", "down", 1.0)(data).value[0]) - float(_rest("mean", "y", "analytic", "down", 1.0)(data).value[0])) > 0.05, text=f"{float(_rest('mean', 'y', 'twoqs', 'down', 1.0)(data).value[0]):.2f} against {float(_rest('mean', 'y', 'analytic', 'down', 1.0)(data).value[0]):.3f}")),
        Claim("a", "exact S_z/S at Omega = .5, 1, 1.5", (-0.866, -0.040, -0.0003), _rest("mean", "z", "analytic", "down", 0.5, 1.0, 1.5), 6e-4, REFERENCE),
        Claim("a", "trajectories at Omega = 1: S_y/S; S_z/S", (0.80, -0.21), lambda data: Found([float(_rest("mean", a, "twoqs", "down", 1.0)(data).value[0]) for a in "yz"]), 0.04, REFERENCE),
        Claim("a", "Omega = .8: S_y/S, S_z/S, exact", (0.800, -0.600), _near("down", "analytic", 0.8, "yz"), 6e-4, REFERENCE),
        Claim("a", "the same, trajectories, P, Wigner, Q", (0.795, -0.596, 0.792, -0.577, 0.800, -0.598), _near("down", "twoqs", 0.8, "yz", ways=tuple(WAYS)), 0.01, REFERENCE),
        Claim("a", "Omega = .95: S_y/S, exact", 0.950, _near("down", "analytic", 0.95, "y"), 6e-4, REFERENCE),
        Claim("a", "the same, trajectories: .84 to .87 for P, Wigner, Q", (0.855,) * 3, _near("down", "twoqs", 0.95, "y", ways=tuple(WAYS)), 0.02, REFERENCE),
        Claim("a", "Omega = 1, conserving variant: S_y/S, S_z/S (at t = 50)", (0.938, -0.094), _kept, 0.015, REFERENCE),
        Claim("a", "Omega = 1.1: S_y/S, exact", 0.736, _near("down", "analytic", 1.1, "y"), 6e-4, REFERENCE),
        Claim("a", "the same from random directions, Wigner", 0.800, _near("isotropic", "twoqs", 1.1, "y"), 0.02, REFERENCE),
        Claim("a", "exact S_y/S at Omega = 1.5, 2, 3", (0.479, 0.346, 0.226), _rest("mean", "y", "analytic", "down", *_MIXED), 6e-4, REFERENCE),
        Claim("a", "from random directions: S_y/S", (0.499, 0.337, 0.223), _rest("mean", "y", "twoqs", "isotropic", *_MIXED), 0.03, REFERENCE),
        Claim("b", "from down: minor deviations beyond the transition (0.05 S^2)", True, _matches("down", _MIXED, 0.05), why=_SLOW),
        Claim("b", "from random directions: minor deviations (0.06 S^2)", True, _matches("isotropic", _MIXED, 0.06), by=REFERENCE),
        Claim("b", "all second moments are about S^2/3 beyond the transition (within 0.05)", True, _third, why="only asymptotically in the drive"),
        Claim("b", "exact S_x^2/S^2 at Omega = 1.5, 2, 3", (0.227, 0.276, 0.309), _rest("second", "x", "analytic", "down", *_MIXED), 6e-4, REFERENCE),
        Claim("b", "exact S_y^2/S^2", (0.492, 0.417, 0.369), _rest("second", "y", "analytic", "down", *_MIXED), 6e-4, REFERENCE),
        Claim("b", "exact S_z^2/S^2", (0.282, 0.308, 0.323), _rest("second", "z", "analytic", "down", *_MIXED), 6e-4, REFERENCE),
        Claim("b", "from down: S_x^2/S^2 of trajectories", (0.06, 0.045, 0.04), _rest("second", "x", "twoqs", "down", *_MIXED), 0.015, REFERENCE),
        Claim("b", "from down: S_y^2/S^2", (0.56, 0.545, 0.515), _rest("second", "y", "twoqs", "down", *_MIXED), 0.03, REFERENCE),
        Claim("b", "from down: S_z^2/S^2", (0.38, 0.46, 0.48), _rest("second", "z", "twoqs", "down", *_MIXED), 0.03, REFERENCE),
        Claim("b", "from random directions: S_x^2/S^2", (0.222, 0.284, 0.313), _rest("second", "x", "twoqs", "isotropic", *_MIXED), 0.03, REFERENCE),
        Claim("b", "from random directions: S_y^2/S^2", (0.533, 0.419, 0.377), _rest("second", "y", "twoqs", "isotropic", *_MIXED), 0.03, REFERENCE),
        Claim("b", "from random directions: S_z^2/S^2", (0.275, 0.300, 0.323), _rest("second", "z", "twoqs", "isotropic", *_MIXED), 0.03, REFERENCE),
        Claim("b", "Omega = 1.1: S_x^2/S^2, S_y^2/S^2, S_z^2/S^2, exact", (0.110, 0.699, 0.192), _near("down", "analytic", 1.1, "", "xyz"), 6e-4, REFERENCE),
        Claim("b", "the same from random directions, Wigner", (0.077, 0.800, 0.192), _near("isotropic", "twoqs", 1.1, "", "xyz"), 0.03, REFERENCE),
        Claim("b", "from down: Var N/N^2 at t = 50, least and largest for Omega = 1.1 to 3", (0.014, 0.018), _wandering, 0.002, REFERENCE),
        Claim("b", "S = 30, Omega = 2, t = 100: S_x^2/S^2, S_z^2/S^2, exact", (0.277, 0.312), _late_exact, 6e-4, REFERENCE),
        Claim("b", "the same, conserving variant", (0.271, 0.320), _late("conserving"), 0.01, REFERENCE),
        Claim("b", "the same, the paper's equations", (0.144, 1.782), _late("positive_diffusion"), 0.02, REFERENCE),
        Claim("b", "the same: Var N/N^2, N = 2S", 1.6, _late_spread, 0.25, REFERENCE),
        Claim("b", "the exact gap beyond the transition: 0.743, 0.606, 0.541 Gamma/S at Omega = 1.5, 2, 3", "", by=REFERENCE, cannot="no method gives the spectrum of a collective spin; the closed form is of the state at rest alone"),
        Claim("b", "Var N/N^2 at t = 1000: 0.26 to 0.59", "", by=REFERENCE, cannot="twenty times as long as the figure; at t = 50 it is compared above"),
        Claim("a", "Euler-Maruyama steps, as in the paper, lengthen the spin: N by 7 % at steps of .01, Omega = 2, t = 10", "", by=REFERENCE, cannot="no method here steps so; turns are exact in every step"),
    ),
    _draw_4,
    (14.0, 4.4),
)  # fmt: skip
