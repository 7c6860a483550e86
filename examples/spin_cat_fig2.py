"""Fig. 2 of Mok, Kwek and Touzard: python examples/spin_cat_fig2.py [RUN] [PICTURE].

RUN is the folder that `spinsweep run examples/spin_cat_fig2.toml` made. Lines are means over the realisations of the
detunings, bands their standard errors; dotted, no detunings. The paper gives .998 (even) and .995 (odd) without detunings, and about .74 and .1
at t = 200 for a width of 0.01; that mean of 10 draws has a standard error of .03 and .04 in either calculation.
"""

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import sweep
from solvers import solve

PAPER = {("even", 0.0): 0.998, ("odd", 0.0): 0.995, ("even", 0.01): 0.74, ("odd", 0.01): 0.1}


def mean_and_error(data, dim="realisation"):
    """Mean over a dimension and its standard error, from the points that are there."""
    count = data.notnull().sum(dim)
    return data.mean(dim), data.std(dim, ddof=1) / np.sqrt(count)


def main(folder="results/spin_cat_fig2", output="spin_cat_fig2.png"):
    data = sweep.open(folder).load()
    mean, error = mean_and_error(data.fidelity)
    figure = Figure(figsize=(6.4, 4.6), layout="constrained")
    axes = figure.subplots()
    styles = dict(zip(data.delta.values.tolist(), ("--", "-"), strict=True))
    for parity, colour in (("even", "C0"), ("odd", "C3")):
        common = {"N": int(data.N), "eta": float(data.eta), "parity": parity, "times": data.time.values}
        undisturbed = solve("spin_cat.lindblad", keep=["fidelity"], **common)["fidelity"]
        axes.plot(data.time, undisturbed, ":", color=colour, label=rf"{parity}, $\delta = 0$")
        print(f"{parity}, no detunings: {undisturbed[-1]:.4f} (paper: {PAPER[parity, 0.0]})")
        for delta, line in styles.items():
            middle, half = mean.sel(delta=delta, parity=parity), error.sel(delta=delta, parity=parity)
            axes.plot(data.time, middle, line, color=colour, label=rf"{parity}, $\delta = {delta:g}\,\Gamma_2$")
            axes.fill_between(data.time, middle - half, middle + half, color=colour, alpha=0.2, linewidth=0)
    axes.set_xlabel(r"time $t$ [$1/\Gamma_2$]")
    axes.set_ylabel(r"mean fidelity $\overline{F}$")
    axes.legend(fontsize="small")
    figure.savefig(output, dpi=150)

    for delta in styles:
        for parity in ("even", "odd"):
            at_end = (array.sel(delta=delta, parity=parity).isel(time=-1) for array in (mean, error))
            value, sem = (float(array) for array in at_end)
            paper = PAPER.get((parity, delta))
            beside = f" (paper: {paper})" if paper else ""
            print(f"{parity}, delta = {delta:g}: {value:.4f} +- {sem:.4f} at t = {float(data.time[-1]):g}{beside}")
    print(Path(output).resolve())


if __name__ == "__main__":
    main(*sys.argv[1:3])
