"""Fig. 4 of Mok, Kwek and Touzard: where two detuned ensembles synchronise, and what their mean-field equations give besides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sweep.papers.drawing import legend_below
from sweep.papers.figures import REFERENCE, Claim, Data, Figure, Found, Sweep
from sweep.pictures.colours import CYCLE

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

PAPER_A, PAPER_B = 0.03125, 2.2077
"""Axes of the ellipse of Fig. 4, in units of N."""

HEIGHTS = {0.004: 0.0358, 0.007: 0.0458, 0.01: 0.0530, 0.014: 0.0599, 0.018: 0.0646, 0.022: 0.0676, 0.026: 0.0693, 0.03: 0.0697, 0.034: 0.0689, 0.038: 0.0670, 0.042: 0.0639, 0.046: 0.0594, 0.05: 0.0534, 0.054: 0.0451, 0.057: 0.0369, 0.06: 0.0250}  # fmt: skip


def ellipse(h: Any, a: float, b: float) -> Any:
    """Eq. (30): delta = b sqrt(a^2 - (h - a)^2) in units of Gamma2, h = eta/N, a and b in units of N."""
    return b * np.sqrt(np.maximum(a**2 - (h - a) ** 2, 0.0))


def _edge(method: str) -> Any:
    def find(data: Data) -> Any:
        one = data["spin_cat_boundary"].delta_critical.sel(solver=method)
        return one.sel(eta=[1e4 * h for h in HEIGHTS], method="nearest").values

    return find


def _fitted_b(data: Data) -> float:
    delta, shape = _edge("dynamic")(data), ellipse(np.array(list(HEIGHTS)), PAPER_A, 1.0)
    return float(shape @ delta / (shape @ shape))


def _elliptical(data: Data) -> Found:
    off = _edge("dynamic")(data) - ellipse(np.array(list(HEIGHTS)), PAPER_A, PAPER_B)
    rms, most = float(np.sqrt(np.mean(off**2))), float(np.abs(off).max())
    return Found(most < 0.005, text=f"misfit rms {rms:.4f}, at most {most:.4f}")


def _end(data: Data) -> float:
    one = data["spin_cat_fig4"].A.isel(delta=0)
    return float(one.eta.values[one.values > 0.01].max())


def _sizes(method: str, first: int) -> Any:
    return lambda data: data["spin_cat_boundary_sizes"].delta_critical.sel(solver=method).values[first : first + 4]


def _fixed_amplitude(method: str) -> Any:
    return lambda data: (
        data["spin_cat_scaling_fixed_amplitude"]
        .delta_critical.sel(solver=method, eta=5.0)
        .sel(N=[1000, 10_000, 100_000])
        .values
    )


def _power(data: Data) -> float:
    first, _, last = _fixed_amplitude("existence")(data)
    return float(np.log(last / first) / np.log(100))


def _gaussian(method: str) -> Any:
    return lambda data: data["spin_cat_boundary_gaussian"].delta_critical.sel(solver=method).values


def _draw_4(canvas: Canvas, data: Data) -> None:
    axes = canvas.subplots()
    one, edge = data["spin_cat_fig4"], data["spin_cat_boundary"].delta_critical
    N = float(one.N)
    mesh = axes.pcolormesh(one.eta / N, one.delta, one.zeta.transpose("delta", "eta"), cmap="viridis", rasterized=True)
    canvas.colorbar(mesh, ax=axes, label=r"phase spread $\zeta$ [rad]")
    h = edge.eta / N
    axes.plot(h, edge.sel(solver="dynamic"), "k-", marker="o", ms=3, label="locks from equal phases")
    axes.plot(h, edge.sel(solver="existence"), color="0.45", label="a locked state exists")
    fine = np.linspace(0, 2 * PAPER_A, 200)
    axes.plot(fine, ellipse(fine, PAPER_A, PAPER_B), "--", color=CYCLE[1], label="the paper's ellipse")
    axes.set(xlabel=r"squeezing $\eta/N\Gamma_2$", ylabel=r"detuning $\delta$ [$\Gamma_2$]")
    axes.grid(False)
    legend_below(canvas, axes, 3)


_TIGHT = {"t_end": 1e6, "rtol": 1e-12, "atol": 1e-14}


def _second_term(data: Data) -> float:
    """Phase spread at delta = 1e-6 and eta/N = .01 without the first term of Eq. (49)."""
    h, delta = 0.01, 1e-6
    return float(data["spin_cat_spread"].zeta.squeeze()) - delta * float(1 + np.sqrt(1 - 16 * h)) / (32 * h**2)


def _uniform(eta: float, *methods: str) -> Any:
    """Mean z of equal spins at rest."""
    return lambda data: data["spin_cat_fig4_uniform"].z.isel(time=-1).sel(eta=eta, solver=list(methods)).values


def _beyond_leading(data: Data) -> float:
    """N A^2 - 2 eta of equal spins at rest, eta = 600, N = 1e4."""
    one = data["spin_cat_fig4_uniform"].c1.isel(time=-1).sel(eta=600.0, solver="paper")
    return float(1e4 * abs(one) ** 2) - 1200.0


def _growth(data: Data) -> list[float]:
    """A'/A at A^2 = 2 eta/N, z = -sqrt(1 - 4 A^2), phase pi/4, for both closures."""
    one = data["spin_cat_start"].d_s.isel(site=0).squeeze()
    s = 0.25 * np.exp(0.25j * np.pi)
    return [float((complex(one.sel(solver=name)) / s).real) for name in ("paper", "exact")]


def _last_locked(locked: Any, axis: str) -> Any:
    """The largest value of an axis up to which all points are locked, for every other dimension in turn."""
    values = np.append(locked[axis].values, np.nan)
    rest = [d for d in locked.dims if d != axis]
    flags = locked.transpose(*rest, axis).values.reshape(-1, locked.sizes[axis]) == 1
    firsts = np.where(flags.all(axis=1), flags.shape[1], np.argmin(flags, axis=1))
    return [float(values[first - 1]) if first else np.nan for first in firsts]


def _locked(name: str, axis: str = "delta") -> Any:
    return lambda data: _last_locked(data[name].locked.squeeze(drop=True), axis)


def _reduced_and_full(name: str, *quantities: str) -> Any:
    """Phase spread, or phase spread and z, at t = 30 by (22)-(23) and by (26)-(28)."""

    def find(data: Data) -> list[float]:
        full = data[f"spin_cat_{name}"].isel(time=-1).squeeze()
        reduced = data[f"spin_cat_{name}_reduced"].squeeze()
        found = {"zeta": (full.spread, reduced.zeta), "z": (full.z, reduced.z)}
        return [float(value) for quantity in quantities for value in found[quantity]]

    return find


def _collapse(data: Data) -> Found:
    """Whether widths of .080 and .082 stay locked, and the times at which .083 and .086 have collapsed."""
    c1 = abs(data["spin_cat_sixty"].c1.squeeze()).transpose("delta", "time")
    gone = [float(c1.time.values[int(np.argmax(np.isnan(row)))]) for row in c1.values[2:]]
    return Found([*c1.values[:2, -1].tolist(), *gone])


def _turned(solver: str) -> Any:
    """phi' over -2 eta z cos(2 phi), times N/(N - 1): the part of it that is not of the closure, of s = A exp(i phi)."""

    def find(data: Data) -> float:
        rate = data["spin_cat_leaning"].d_s.sel(solver=solver).isel(site=0).squeeze()
        s = _AMPLITUDE * np.exp(1j * _PHASE)
        turning = float((complex(rate) / s).imag)
        without_amplitude = -2 * float(data["spin_cat_leaning"].eta.squeeze()) * -0.8 * float(np.cos(2 * _PHASE))
        return turning / without_amplitude * 32 / 31

    return find


_AMPLITUDE, _PHASE = 0.25, 0.5
_LEANING = [[2 * _AMPLITUDE * float(np.cos(_PHASE)), 2 * _AMPLITUDE * float(np.sin(_PHASE)), -0.8]] * 32
_COHERENT = [[0.25 * float(np.sqrt(2)), 0.25 * float(np.sqrt(2)), -float(np.sqrt(0.75))]] * 1000
_MEAN_FIELD = "spin_cat_gaussian"
_HALVES = {"distribution": "two", "classes": 2}
_OTHER_SWEEPS = (
    Sweep("spin_cat_fig4_uniform", _MEAN_FIELD, values={"delta": 0.0, "method": ["paper", "exact"]}, axes={"eta": {"values": [500.0, 600.0]}}),
    Sweep("spin_cat_start", "spin_cat_turning", values={"N": 1000, "spins0": _COHERENT}, axes={"eta": {"values": [31.25]}}),
    Sweep("spin_cat_short", "spin_cat_fig4", values={"eta": 20.0, "t_end": 100.0}, axes={"delta": {"linspace": [0.02, 0.1, 81]}}),
    Sweep("spin_cat_long", "spin_cat_fig4", values={"eta": 20.0}, axes={"delta": {"linspace": [0.024, 0.0264, 13]}}),
    Sweep("spin_cat_thousand", _MEAN_FIELD, values={**_HALVES, "N": 1000, "eta": 31.25, "times": [30.0]}, axes={"delta": {"values": [0.05]}}),
    Sweep("spin_cat_thousand_reduced", "spin_cat_fig4", values={"N": 1000, "eta": 31.25, "t_end": 30.0}, axes={"delta": {"values": [0.05]}}),
    Sweep("spin_cat_few", _MEAN_FIELD, values={**_HALVES, "N": 100, "eta": 3.0, "times": [30.0]}, axes={"delta": {"values": [0.02]}}),
    Sweep("spin_cat_few_reduced", "spin_cat_fig4", values={"N": 100, "eta": 3.0, "t_end": 30.0}, axes={"delta": {"values": [0.02]}}),
    Sweep("spin_cat_edges", _MEAN_FIELD, values={**_HALVES, "eta": "N/32"}, axes={"N": {"values": [100, 1000, 10_000]}, "delta": {"linspace": [0.067, 0.071, 9]}}),
    Sweep("spin_cat_edge", _MEAN_FIELD, values={**_HALVES, "eta": 200.0}, axes={"delta": {"linspace": [0.0645, 0.068, 8]}}),
    Sweep("spin_cat_forty", _MEAN_FIELD, values={"classes": 40, "eta": 312.5}, axes={"delta": {"values": [0.07, 0.081]}}),
    Sweep("spin_cat_sixty", _MEAN_FIELD, values={"eta": 312.5, "times": {"linspace": [0.0, 400.0, 401]}}, axes={"delta": {"values": [0.08, 0.082, 0.083, 0.086]}}),
    Sweep("spin_cat_hundred", _MEAN_FIELD, values={"N": 100, "delta": 0.0, "method": ["paper", "exact"], "times": [1e5]}, axes={"eta": {"linspace": [6.35, 6.7, 36]}}),
    Sweep("spin_cat_leaning", "spin_cat_turning", values={"N": 32, "spins0": _LEANING}, axes={"eta": {"values": [10.0]}}),
)  # fmt: skip
_WITHOUT_ONE_OVER_N = "(25) drops terms of the order of those that it keeps; N A^2 = 2 eta - u (1 + u), u = 1 + z"

FIGURE_4 = Figure(
    "spin_cat-fig4",
    "Synchronisation of two detuned ensembles",
    {"": "phase spread over squeezing and detuning, 10^4 spins, with its boundary"},
    (
        Sweep("spin_cat_fig4", smoke_axes={"eta": {"linspace": [5.0, 650.0, 44]}, "delta": {"linspace": [0.0, 0.08, 21]}}),
        Sweep("spin_cat_boundary"),
        Sweep("spin_cat_boundary_sizes"),
        Sweep("spin_cat_boundary_gaussian", "spin_cat_boundary", values={"distribution": "gaussian", "classes": 60, "method": ["dynamic", "existence"]}, axes={"eta": {"values": [100.0, 200.0, 10_000 / 36, 312.5]}}, smoke_axes={"eta": {"values": [100.0, 200.0, 10_000 / 36, 312.5]}}),
        Sweep("spin_cat_scaling_fixed_amplitude", smoke_axes={"eta": {"values": [5.0]}, "N": {"values": [1000, 10_000, 100_000]}}),
        Sweep("spin_cat_spread", "spin_cat_fig4", values={**_TIGHT, "N": 10_000}, axes={"eta": {"values": [100.0]}, "delta": {"values": [1e-6]}}),
        Sweep("spin_cat_spread_small", "spin_cat_fig4", values={**_TIGHT, "N": 1000}, axes={"eta": {"values": [10.0]}, "delta": {"values": [1e-6]}}),
        *_OTHER_SWEEPS,
    ),
    (
        Claim("", "without detuning it ends at eta = N/16 = 625", 625.0, _end, 15.0),
        Claim("", "the boundary is an ellipse with a = N/32, b = 2.2077 N (least-squares b)", PAPER_B, _fitted_b, 0.05),
        Claim("", "it appears elliptical", True, _elliptical),
        Claim("", "largest detuning", 0.0689, lambda data: float(_edge("dynamic")(data).max()), 0.001),
        Claim("", "boundary from equal phases at 16 ratios eta/N from .004 to .06", tuple(HEIGHTS.values()), _edge("dynamic"), 5e-4, REFERENCE),
        Claim("", "fitted b", 2.221, _fitted_b, 3e-3, REFERENCE),
        Claim("", "largest detuning with a locked state, N to infinity: 2/27", 2 / 27, lambda data: float(data["spin_cat_boundary"].delta_critical.sel(solver="closed_form").max()), 1e-5, REFERENCE),
        Claim("", "mean z at eta = 500 without detuning", -0.7236, _uniform(500.0, "paper"), 3e-4),
        Claim("", "the same, and with every coincidence of indices right", (-0.72376, -0.72363), _uniform(500.0, "paper", "exact"), 1e-5, REFERENCE),
        Claim("", "N A^2 - 2 eta at eta = 600 by (25)", (np.sqrt(1 - 0.96) - 1) / 2, _beyond_leading, 5e-3, why=_WITHOUT_ONE_OVER_N),
        Claim("", "the same by (22)-(23)", -0.5590, _beyond_leading, 6e-4, REFERENCE),
        Claim("", "(24): phi' over -2 eta z cos(2 phi) at A = .25 (a factor A is printed)", 0.25, _turned("paper"), 1e-3, why="there is no factor A; states of rest do not depend on it, rates do"),
        Claim("", "the same by (22) (1 but for 1/N)", 1.0, _turned("paper"), 0.02, REFERENCE),
        Claim("", "A'/A of the spin coherent state with A^2 = 2 eta/N, eta = N/32: closure of the paper, and exact (1000 spins; 1e4 there)", (-0.1328, 0.0296), _growth, 3e-4, REFERENCE),
        Claim("", "equal spins, N = 100: largest eta with a state of rest, closure of the paper, and exact (6.25 for large N)", (6.63, 6.44), _locked("spin_cat_hundred", "eta"), 0.011, REFERENCE),
        Claim("", "t = 30, eta = N/32, delta = .05, N = 1000: phase spread and z by (22)-(23), by (26)-(28)", (0.76107, 0.76123, -0.65397, -0.65386), _reduced_and_full("thousand", "zeta", "z"), 6e-6, REFERENCE),
        Claim("", "the same, N = 100, eta = 3, delta = .02: phase spread", (0.4494, 0.4455), _reduced_and_full("few", "zeta"), 6e-5, REFERENCE),
        Claim("", "(22)-(23) of two classes: boundary at eta = N/32, N = 100, 1e3, 1e4 (steps of 5e-4)", (0.0685, 0.0695, 0.0695), _locked("spin_cat_edges"), 5.1e-4, REFERENCE),
        Claim("", "the same at eta = N/50, N = 1e4", 0.0663, _locked("spin_cat_edge"), 5.1e-4, REFERENCE),
        Claim("", "caption: some points fail to converge; eta/N = .002 looks locked after T = 100 up to (.0252 after 2000)", 0.085, _locked("spin_cat_short"), 1.1e-3, REFERENCE),
        Claim("", "the same after T = 2000", 0.0252, _locked("spin_cat_long"), 2.1e-4, REFERENCE),
        Claim("", "edge of what exists at eta = N/32 by (26)-(28), and for N to infinity; the latter at N/100", (0.07355, 0.07359, 0.0579), lambda data: [float(data["spin_cat_boundary"].delta_critical.sel(solver=name).sel(eta=eta, method="nearest")) for name, eta in (("existence", 312.5), ("closed_form", 312.5), ("closed_form", 100.0))], 6e-5, REFERENCE),
        Claim("", "the fixed point is unstable from a little below that edge: delta = .0728 to .0735, and .0562", "", by=REFERENCE, cannot="no method gives the eigenvalues about a state that is not reached; the edge from equal phases, below, is lower still"),
        Claim("", "phase spread at eta/N = .01, delta = 1e-6, N = 1e4: second term of (49) as printed", 1.031e-6, _second_term, 1e-8, why="its coefficient at small eta/N is 2, not 1"),
        Claim("", "the same: what (26)-(28) have beyond the first term", 1.826e-6, _second_term, 6e-10, REFERENCE),
        Claim("", "the whole spread at N = 1000, eta = 10 by (47) as printed", 5.2e-8, lambda data: float(data["spin_cat_spread_small"].zeta.squeeze()), 1e-9, why="(47) lacks an N in its second line and has an A^2 too many in its third"),
        Claim("", "the same by (26)-(28)", 6.1766e-4, lambda data: float(data["spin_cat_spread_small"].zeta.squeeze()), 6e-9, REFERENCE),
        Claim("", "critical detuning at fixed amplitude falls as N to the power", -2.0, _power, 0.1, why="1/N^2 holds for a constant phase spread; the transition itself falls as N^(-1/2), closed form 0.65 sqrt(eta/N)"),
        Claim("", "existence at eta = 5, N = 1e3, 1e4, 1e5", (0.03926, 0.01296, 0.00412), _fixed_amplitude("existence"), 1e-5, REFERENCE),
        Claim("", "closed form there", (0.04346, 0.01445, 0.00459), _fixed_amplitude("closed_form"), 1e-5, REFERENCE),
        Claim("", "boundary at eta = N/32, N = 100, 300, 1e3, 1e4", (0.0641, 0.0682, 0.0692, 0.0696), _sizes("dynamic", 0), 1.5e-4, REFERENCE),
        Claim("", "boundary at eta = N/100, the same N", (0.0246, 0.0445, 0.0507, 0.0529), _sizes("dynamic", 4), 1.5e-4, REFERENCE),
        Claim("", "existence at eta = N/32, the same N", (0.0681, 0.0722, 0.0732, 0.0736), _sizes("existence", 0), 1e-4, REFERENCE),
        Claim("", "normal detunings, eta = N/100, N/50, N/36, N/32: width that locks", (0.0787, 0.0869, 0.0850, 0.0826), _gaussian("dynamic"), 1e-3, REFERENCE),
        Claim("", "the same, width with a locked state, N/50 and N/32", (0.0886, 0.0842), lambda data: _gaussian("existence")(data)[[1, 3]], 3e-4, REFERENCE),
        Claim("", "N = 1e4, 40 classes of normal detunings, width .07: mean z by (22)-(23)", -0.53966, lambda data: float(data["spin_cat_forty"].z.sel(delta=0.07).squeeze()), 3e-5, REFERENCE),
        Claim("", "the same, width .081, next to the edge, where z changes by .014 per 1e-3 of the width", -0.44387, lambda data: float(data["spin_cat_forty"].z.sel(delta=0.081).squeeze()), 1.4e-3, REFERENCE),
        Claim("", "N = 1e4, 60 classes, eta = N/32: |c_1| at widths .080 and .082; time of collapse at .083 and .086", (0.2498, 0.2498, 77.0, 54.0), _collapse, 1.1, REFERENCE),
        Claim("", "(32), (34): a pair of spins with the printed coupling to the cavity never decays: .4507 is left of .4493 by (35)", "", by=REFERENCE, cannot="no model here has the cavity; with a^+ s- s- and a s+ s+ it decays"),
        Claim("", "(44): dissipative part of a spin's derivative, -.1092 as printed, -.0765 exactly", "", by=REFERENCE, cannot="for a random state that is not stated; `spinsweep check spin_cat.derivative` compares both closures with the exact generator"),
    ),
    _draw_4,
    (8.2, 5.2),
)  # fmt: skip
