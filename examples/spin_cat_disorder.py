"""Disorder averages of spin cats: python examples/spin_cat_disorder.py [RUN] [PICTURE].

RUN is the folder that `spinsweep run examples/spin_cat_disorder.toml` made. Mean fidelity at the last time against the width
of the detunings, one panel per squeezing, bands of one standard error over the realisations. The odd cat is lost at widths
that the even one survives; the larger the squeezing, and with it the amplitude, the smaller the difference.
"""

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import sweep


def half_width(delta, fidelity):
    """The width at which half of the fidelity at the smallest one is left, in words; monotone or not, the first one."""
    below = np.flatnonzero(fidelity < fidelity[0] / 2)
    if not below.size:
        return f"more than {delta[-1]:g}"
    k = below[0]
    return f"{np.exp(np.interp(-fidelity[0] / 2, -fidelity[k - 1 : k + 1], np.log(delta[k - 1 : k + 1]))):.4f}"


def main(folder="results/spin_cat_disorder", output="spin_cat_disorder.png"):
    data = sweep.open(folder).load().isel(time=-1)
    mean = data.fidelity.mean("realisation")
    error = data.fidelity.std("realisation", ddof=1) / np.sqrt(data.fidelity.notnull().sum("realisation"))
    figure = Figure(figsize=(3.0 * data.sizes["eta"], 3.6), layout="constrained")
    panels = figure.subplots(1, data.sizes["eta"], sharey=True)
    for axes, eta in zip(panels, data.eta.values, strict=True):
        widths = {}
        for parity, colour in (("even", "C0"), ("odd", "C3")):
            middle, half = mean.sel(eta=eta, parity=parity), error.sel(eta=eta, parity=parity)
            axes.plot(data.delta, middle, ".-", color=colour, label=f"{parity} cat")
            axes.fill_between(data.delta, middle - half, middle + half, color=colour, alpha=0.25, linewidth=0)
            widths[parity] = half_width(data.delta.values, middle.values)
        axes.set_xscale("log")
        axes.set_title(rf"$\eta = {eta:g}\,\Gamma_2$", fontsize="medium")
        axes.set_xlabel(r"width $\delta$ [$\Gamma_2$]")
        print(f"eta = {eta:g}: half is left at delta = {widths['even']} (even), {widths['odd']} (odd)")
    panels[0].set_ylabel(rf"mean fidelity at $\Gamma_2 t = {float(data.time):g}$")
    panels[0].legend(fontsize="small")
    figure.savefig(output, dpi=150)
    print(f"largest standard error: {float(error.max()):.4f}")
    print(Path(output).resolve())


if __name__ == "__main__":
    main(*sys.argv[1:3])
