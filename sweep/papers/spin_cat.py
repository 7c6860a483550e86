"""Spin cats and synchronised spin ensembles of Mok, Kwek and Touzard: Figs. 1 to 4 (Fig. 4 is in `synchronisation`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sweep.papers.drawing import legend, letter, points
from sweep.papers.figures import REFERENCE, Claim, Data, Figure, Found, Paper, Sweep
from sweep.papers.synchronisation import FIGURE_4
from sweep.pictures.colours import CYCLE

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

STATES = {"coherent": "spin coherent", "even": "even cat", "odd": "odd cat"}
ALPHA_SQUARED = 0.25

# Fig. 1


def _free(state: str, *times: float) -> Any:
    def find(data: Data) -> Any:
        one = data["spin_cat_fig1"][f"fidelity_{state}"].sel(solver="analytic").isel(theta=0)
        return one.sel(time=list(times), method="nearest").values

    return find


def _odd_is_lost(data: Data) -> Found:
    last = float(_free("odd", 6.0)(data)[0])
    return Found(last < 0.01, text=f"{last:.4f}, a floor of 1/N = {1 / 200:g}")


def _sampled(data: Data) -> Found:
    one = data["spin_cat_fig1"].isel(theta=0)
    exact, drawn = one.sel(solver="analytic"), one.sel(solver="sampled")
    off = [abs(drawn[f"fidelity_{s}"] - exact[f"fidelity_{s}"]) / drawn[f"fidelity_{s}_sem"] for s in STATES]
    worst = max(float(one.isel(time=slice(1, None)).max()) for one in off)
    return Found(worst < 5.0, text=f"10 draws are within {worst:.1f} standard errors")


def _variance(data: Data) -> list[float]:
    one = data["spin_cat_fig1_variance"].variance_coherent.sel(solver="analytic")
    return [float(one.isel(theta=0, time=0)), float(one.isel(theta=1, time=1))]


def _variance_formula(power: int) -> list[float]:
    """Eq. (14) as printed (power 1) and with its bracket squared, at |alpha| = 0.1, delta t = 0.2 and at 0.5, 1."""
    return [2 * a**4 / 200 * (1 - np.exp(-(t**2))) ** power for a, t in ((0.1, 0.2), (0.5, 1.0))]


def _draw_1(canvas: Canvas, data: Data) -> None:
    axes = canvas.subplots()
    one = data["spin_cat_fig1"].isel(theta=0)
    exact, drawn = one.sel(solver="analytic"), one.sel(solver="sampled").isel(time=slice(None, None, 8))
    for k, (state, label) in enumerate(STATES.items()):
        axes.plot(exact.time, exact[f"fidelity_{state}"], color=CYCLE[k], label=label)
        points(axes, drawn.time, drawn[f"fidelity_{state}"], drawn[f"fidelity_{state}_sem"], color=CYCLE[k])
    axes.axhline(np.cosh(ALPHA_SQUARED) ** -2, color="0.5", ls=":", label=r"sech$^2|\alpha|^2$")
    axes.set(xlabel=r"time $\delta t$", ylabel="mean fidelity", ylim=(-0.03, 1.03))
    letter(axes, "", "lines: all detunings; points: 10 draws of them")
    legend(axes)


FIGURE_1 = Figure(
    "spin_cat-fig1",
    "Free dephasing of spin coherent states and cats",
    {"": "mean fidelity in time, 200 spins, |alpha| = 0.5"},
    (
        Sweep("spin_cat_fig1"),
        Sweep("spin_cat_fig1_variance", "spin_cat_fig1", values={"method": ["analytic"], "times": [0.2, 1.0]}, axes={"theta": {"values": [2 * float(np.arctan(a / np.sqrt(200))) for a in (0.1, 0.5)]}}),
    ),
    (
        Claim("", "spin coherent state decays to exp(-2|alpha|^2)", np.exp(-0.5), _free("coherent", 6.0), 2e-3),
        Claim("", "even cat saturates near sech^2(|alpha|^2)", 0.940, _free("even", 6.0), 1e-3),
        Claim("", "text after (20): the even cat keeps 1 - |alpha|^2", 0.75, _free("even", 6.0), 0.005, why="1 - |alpha|^4 = 0.9375, as the text says after (19)"),
        Claim("", "odd cat is lost", True, _odd_is_lost),
        Claim("", "means of 10 draws lie on the averages", True, _sampled),
        Claim("", "spin coherent state at delta t = 0.5, 1, 2, large", (0.9430, 0.8216, 0.6492, 0.6067), _free("coherent", 0.5, 1.0, 2.0, 6.0), 6e-5, REFERENCE),
        Claim("", "even cat at the same times", (0.98657, 0.96193, 0.94129, 0.94021), _free("even", 0.5, 1.0, 2.0, 6.0), 6e-6, REFERENCE),
        Claim("", "odd cat at the same times", (0.77642, 0.36631, 0.02276, 0.00490), _free("odd", 0.5, 1.0, 2.0, 6.0), 6e-6, REFERENCE),
        Claim("", "variance of the fidelity by Eq. (14), |alpha| = .1 at delta t = .2", _variance_formula(1)[0], lambda data: _variance(data)[0], 2e-11, why="the bracket of Eq. (14) must be squared"),
        Claim("", "the same with the bracket squared", _variance_formula(2)[0], lambda data: _variance(data)[0], 2e-11, REFERENCE),
        Claim("", "variance at |alpha| = .5, delta t = 1 (higher orders matter)", 1.681e-4, lambda data: _variance(data)[1], 1e-6, REFERENCE),
    ),
    _draw_1,
    (8.0, 4.2),
)  # fmt: skip

# Fig. 2


def _undisturbed(data: Data) -> Any:
    one = data["spin_cat_fig2_pure"].fidelity.isel(delta=0, realisation=0, time=-1)
    return one.sel(parity=["even", "odd"]).values


def _at_rest(data: Data) -> list[float]:
    found = data["spin_cat_rest"].fidelity.sel(eta=0.2, method="nearest").sel(parity=["even", "odd"]).values
    return [*found.tolist(), *np.sqrt(found).tolist()]


def _kept(delta: float, parity: str) -> Any:
    def find(data: Data) -> Found:
        one = data["spin_cat_fig2"].fidelity.sel(delta=delta, parity=parity).isel(time=-1)
        return Found(float(one.mean()), float(one.std(ddof=1)) / np.sqrt(one.size))

    return find


def _draw_2(canvas: Canvas, data: Data) -> None:
    axes = canvas.subplots()
    one = data["spin_cat_fig2"].fidelity
    k = 0
    for parity in ("even", "odd"):
        for delta in (0.001, 0.01):
            part = one.sel(parity=parity, delta=delta)
            mean, sem = part.mean("realisation"), part.std("realisation", ddof=1) / np.sqrt(part.sizes["realisation"])
            axes.plot(part.time, mean, color=CYCLE[k], label=rf"{parity}, $\delta = {delta:g}\,\Gamma_2$")
            axes.fill_between(part.time, mean - sem, mean + sem, color=CYCLE[k], alpha=0.2, lw=0)
            k += 1
        pure = data["spin_cat_fig2_pure"].fidelity.sel(parity=parity).isel(delta=0, realisation=0)
        axes.plot(pure.time, pure, ":", color="0.3" if parity == "even" else "0.6", label=rf"{parity}, $\delta = 0$")
    axes.set(xlabel=r"time $\Gamma_2 t$", ylabel="mean fidelity", ylim=(-0.03, 1.03))
    letter(axes, "", "bands: one standard error of 10 draws")
    legend(axes)


FIGURE_2 = Figure(
    "spin_cat-fig2",
    "Cats of eight spins under pair loss, squeezing and detunings",
    {"": "mean fidelity in time, even and odd, two widths"},
    (
        Sweep("spin_cat_fig2", smoke={"times": [0.0, 100.0, 200.0], "rtol": 1e-5, "atol": 1e-7}, smoke_axes={"realisation": {"values": [0, 1]}}),
        Sweep("spin_cat_rest", smoke_axes={"eta": {"values": [0.2]}}),
        Sweep("spin_cat_fig2_pure", "spin_cat_fig2", axes={"delta": {"values": [0.0]}, "realisation": {"values": [0]}}, smoke={"times": [0.0, 200.0], "rtol": 1e-6, "atol": 1e-8}),
    ),
    (
        Claim("", "without detunings: even, odd", (0.998, 0.995), _undisturbed, 5e-4),
        Claim("", "without detunings: even, odd", (0.99790, 0.99480), _undisturbed, 1e-5, REFERENCE),
        Claim("", "the same of the states at rest, and the root of it, which the paper does not mean", (0.99790, 0.99480, 0.9989, 0.9974), _at_rest, 6e-5, REFERENCE),
        Claim("", "the even state at rest is slightly mixed: purity", 0.999997, lambda data: float(data["spin_cat_rest"].purity.sel(eta=0.2, method="nearest").sel(parity="even")), 6e-7, REFERENCE),
        Claim("", "the same with theta = 2 |alpha|/sqrt(N) in the place of tan(theta/2): .99850, .99541", "", by=REFERENCE, cannot="the models here start from tan(theta/2) = |alpha|/sqrt(N)"),
        Claim("", "strength of interference cos^(4N)(theta)", "", cannot="a property of two states, not of a run; correct is cos^(2N): .20867 for N = 6, theta = 0.5"),
        Claim("", "width 1e-2, even, at Gamma2 t = 200 (10 draws; 3 of its standard errors)", 0.74, _kept(0.01, "even"), 0.09),
        Claim("", "width 1e-2, odd (the same)", 0.1, _kept(0.01, "odd"), 0.12),
        Claim("", "width 1e-2, even, mean of 10 other draws", 0.792, _kept(0.01, "even"), 0.076, REFERENCE),
        Claim("", "width 1e-2, odd, mean of 10 other draws", 0.155, _kept(0.01, "odd"), 0.123, REFERENCE),
        Claim("", "width 1e-3, even, mean of 10 other draws", 0.9931, _kept(0.001, "even"), 0.0033, REFERENCE),
        Claim("", "width 1e-3, odd, mean of 10 other draws", 0.9611, _kept(0.001, "odd"), 0.024, REFERENCE),
    ),
    _draw_2,
    (8.0, 4.2),
)  # fmt: skip

# Fig. 3


def _mean_field(eta: Any, N: float) -> Any:
    """sqrt(N) A of Eq. (25): A^2 = (4 eta - 1 + sqrt(1 - 16 eta/N))/2N; NaN beyond eta = N/16."""
    with np.errstate(invalid="ignore"):
        return np.sqrt((4 * eta - 1 + np.sqrt(1 - 16 * eta / N)) / 2)


def _plateau(*eta: float) -> Any:
    return lambda data: data["spin_cat_fig3"].plateau.sel(eta=list(eta), method="nearest").values


def _half_heights(data: Data) -> list[float]:
    one = data["spin_cat_fig3"].amplitude
    found = []
    for k in range(one.sizes["time"]):
        y, eta = one.isel(time=k).values, one.eta.values
        top = int(np.argmax(y))
        found.append(float(np.interp(-y[top] / 2, -y[top:], eta[top:])))
    return found


def _small_eta(data: Data) -> Found:
    one = data["spin_cat_fig3"].amplitude.sel(time=1000.0).sel(eta=[1.0, 2.0, 3.0], method="nearest")
    off = np.abs(_mean_field(one.eta.values, 100) / one.values - 1)
    return Found(bool(off.max() < 0.06), text=f"within {100 * off.max():.1f} % up to eta = 3")


def _maxima(data: Data, picture: int) -> list[tuple[float, float]]:
    """Height and radius |alpha| of the largest value on either side of the line p = x."""
    one = data["spin_cat_wigner"].isel(picture=picture)
    W, x = one.wigner.values, one.position.values
    if one.wigner.dims != ("x", "p"):
        W = one.wigner.transpose("x", "p").values
    side = x[:, None] - x[None, :]
    found = []
    for sign in (1, -1):
        here = np.where(sign * side > 0, W, -np.inf)
        i, j = np.unravel_index(int(np.argmax(here)), here.shape)
        found.append((float(W[i, j]), float(np.hypot(x[i], x[j]) / np.sqrt(2))))
    return found


def _quanta(data: Data, picture: int) -> float:
    """<a^dagger a> = integral of W (x^2 + p^2)/2, minus 1/2."""
    one = data["spin_cat_wigner"].isel(picture=picture)
    x, W = one.position.values, one.wigner.values
    step = x[1] - x[0]
    return float(np.sum(W * (x[:, None] ** 2 + x[None, :] ** 2) / 2) * step**2 - 0.5)


def _classical(data: Data) -> Found:
    one = data["spin_cat_fig3"].plateau.sel(eta=[0.5, 1.0, 2.0, 5.0, 6.25, 8.0, 10.0], method="nearest")
    off = np.abs(np.sqrt(50 * (1 - np.sqrt(1 - 0.08 * one.eta.values))) / one.values - 1)
    text = f"off by at most {100 * off[:-1].max():.2f} %, and by {100 * off[-1]:.2f} % at eta = 10"
    return Found(bool(off[:-1].max() < 0.0025 and off[-1] < 0.0075), text=text)


_COARSE = Sweep(
    "spin_cat_wigner_coarse",
    "spin_cat_wigner",
    values={"x_max": 6.5, "n_x": 53},
)


def _on_the_ray(data: Data) -> float:
    """W where a = |alpha| exp(-i pi/4), |alpha| = 3.25: at x = -p = 3.25, up to a step of the grid."""
    W = data["spin_cat_wigner_coarse"].wigner.isel(picture=0).transpose("x", "p").values
    return float(W[39, 13])


def _blobs(data: Data) -> Found:
    (one, other), (two, too) = _maxima(data, 0), _maxima(data, 2)
    text = f"eta = 5: {one[0]:.3f} and {abs(other[0]):.0e}; eta = 12: {two[0]:.3f} and {too[0]:.3f}"
    return Found(other[0] < 1e-6 < one[0] and abs(two[0] - too[0]) < 1e-3, text=text)


def _draw_3(canvas: Canvas, data: Data) -> None:
    grid = canvas.add_gridspec(2, 3, height_ratios=(1.2, 1))
    axes = canvas.add_subplot(grid[0, :])
    one, wigner = data["spin_cat_fig3"], data["spin_cat_wigner"]
    for k, time in enumerate(one.time.values.tolist()):
        axes.plot(
            one.eta, one.amplitude.sel(time=time), color=CYCLE[k], label=rf"$\Gamma_2 T = 10^{np.log10(time):.0f}$"
        )
    fine = np.linspace(0.25, 6.25, 200)
    axes.plot(fine, _mean_field(fine, 100), "k--", label="mean field, Eq. (25)")
    axes.set(xlabel=r"squeezing $\eta$ [$\Gamma_2$]", ylabel=r"amplitude $|\langle a\rangle|$")
    letter(axes, "top")
    axes.legend(loc="upper left", ncols=2, fontsize="small", frameon=False)
    most = float(np.abs(wigner.wigner).max())
    panels = []
    for k in range(3):
        panel, here = canvas.add_subplot(grid[1, k]), wigner.isel(picture=k)
        x, W = here.position.values, here.wigner.transpose("p", "x").values
        mesh = panel.pcolormesh(x, x, W, cmap="RdBu_r", vmin=-most, vmax=most, rasterized=True)
        panel.set(aspect="equal", xlabel="$x$", ylabel="$p$")
        panel.grid(False)
        letter(panel, "bottom" if k == 0 else "", rf"$\eta = {float(here.eta):g}$, $T = {float(here.t):g}$")
        panels.append(panel)
    canvas.colorbar(mesh, ax=panels, shrink=0.8, label="$W(x, p)$")


FIGURE_3 = Figure(
    "spin_cat-fig3",
    "Amplitude of symmetric spins, and Wigner functions",
    {"top": "amplitude over the squeezing at five times, with the mean field", "bottom": "Wigner functions at eta = 5 and 12"},
    (
        Sweep("spin_cat_fig3", smoke_axes={"eta": {"values": [0.5, 1.0, 2.0, 3.0, 5.0, 6.25, 8.0, 9.0, 9.25, 9.5, 9.75, 10.0, 10.25, 10.5, 10.75, 11.0, 11.25, 12.0, 12.5, 12.75, 13.0]}}),
        Sweep("spin_cat_wigner", smoke={"n_x": 161}),
        _COARSE,
    ),
    (
        Claim("top", "mean field ends at eta = N/16 = 6.25", 6.25, lambda data: 100 / 16 if np.isnan(_mean_field(6.2501, 100)) and not np.isnan(_mean_field(6.25, 100)) else np.nan, 1e-12),
        Claim("top", "it agrees with the quantum amplitude at small eta", True, _small_eta),
        Claim("top", "the amplitude drops near eta = 10 (at T = 1e3)", 10.0, lambda data: _half_heights(data)[2], 0.6),
        Claim("top", "half of the largest amplitude is left at, T = 10 to 1e5", (12.6, 11.2, 10.5, 9.9, 9.5), _half_heights, 0.1, REFERENCE),
        Claim("top", "plateau at eta = .5, 1, 2, 5, 6.25, 8, 9, 10", (1.005, 1.429, 2.044, 3.360, 3.831, 4.483, 4.871, 5.294), _plateau(0.5, 1.0, 2.0, 5.0, 6.25, 8.0, 9.0, 10.0), 6e-4, REFERENCE),
        Claim("top", "its decay rate at eta = 8, 9, 10, 10.5, 11, 12, 13", (5.9e-10, 5.0e-7, 9.09e-5, 7.13e-4, 3.88e-3, 3.74e-2, 0.109), lambda data: np.abs(data["spin_cat_fig3"].coherence_rate.sel(eta=[8.0, 9.0, 10.0, 10.5, 11.0, 12.0, 13.0], method="nearest").values), 0.0, REFERENCE, share=0.01),
        Claim("top", "sqrt(N n), n = (1 - sqrt(1 - 8 eta/N))/2, of a classical spin of conserved length: within 0.25 % up to eta = 8, 0.7 % at 10", True, _classical, by=REFERENCE),
        Claim("top", "excited share of the spins at eta = 5, exact and by (25)", (0.1129, 0.138), lambda data: [_quanta(data, 0) / 100, (1 - np.sqrt(1 - 16 * 0.05)) / 4], 6e-4, REFERENCE),
        Claim("top", "mean field at its end", 3.464, lambda data: float(_mean_field(6.25, 100)), 6e-4, REFERENCE),
        Claim("bottom", "one blob at eta = 5, two, pi apart, at eta = 12", True, _blobs),
        Claim("bottom", "eta = 5: W at |alpha| = 3.25 on the ray of phase -pi/4, where a coarse grid has its largest", 0.3117, _on_the_ray, 6e-5, REFERENCE),
        Claim("bottom", "radius of the maximum, eta = 5; eta = 12, both sides", (3.25, 6.25, 6.25), lambda data: [_maxima(data, 0)[0][1], *(m[1] for m in _maxima(data, 2))], 0.15, REFERENCE),
        Claim("bottom", "quanta at eta = 5 and 12", (11.292, 41.26), lambda data: [_quanta(data, 0), _quanta(data, 2)], 0.05, REFERENCE),
        Claim("bottom", "eta = 12: T = 20: largest W and that opposite; T = 1000: both", (0.185, 0.065, 0.125, 0.125), lambda data: [*sorted((m[0] for m in _maxima(data, 1)), reverse=True), *(m[0] for m in _maxima(data, 2))], 0.004, REFERENCE),
    ),
    _draw_3,
    (10.5, 7.6),
)  # fmt: skip

PAPER = Paper(
    "spin_cat",
    "W.-K. Mok, L.-C. Kwek and S. Touzard, Stability of macroscopic spin ensembles against inhomogeneous dephasing, arXiv:2403.16491",
    (FIGURE_1, FIGURE_2, FIGURE_3, FIGURE_4),
)
