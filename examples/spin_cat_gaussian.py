"""The synchronisation diagram under Gaussian broadening, with its boundaries: python examples/spin_cat_gaussian.py [RUN] [PICTURE].

RUN is the folder that `spinsweep run examples/spin_cat_gaussian.toml` made. Over its map of the phase spread this draws, from
`spin_cat.boundary` with `distribution = "gaussian"`,

* what 60 classes stand when they start from equal phases (`dynamic`),
* where locked states exist at all for infinitely many spins (`existence`),

and, for comparison, the two-ensemble boundary from equal phases, where delta is half the splitting. 60 classes lower the
Gaussian boundaries by about 1 % against a continuous distribution, which the second one is computed for.
"""

import sys
from pathlib import Path

import numpy as np

import sweep
from solvers import solve_many
from sweep.pictures.plot import picture


def main(folder="results/spin_cat_gaussian", output="spin_cat_gaussian.png"):
    data = sweep.open(folder)
    spins = int(data.N)
    eta = np.linspace(0.002, 0.0624, 60) * spins
    points = {"points": {"eta": eta}, "N": spins}
    dynamic = solve_many("spin_cat.boundary", "dynamic", distribution="gaussian", **points)["delta_critical"]
    existence = solve_many("spin_cat.boundary", "existence", distribution="gaussian", **points)["delta_critical"]
    two = solve_many("spin_cat.boundary", "dynamic", **points)["delta_critical"]

    figure = picture(data.isel(time=-1), "spread")
    axes = figure.axes[0]
    axes.plot(eta, dynamic, "k-", label="Gaussian, from equal phases")
    axes.plot(eta, existence, "k--", label="Gaussian, existence")
    axes.plot(eta, two, "r:", label="two ensembles, from equal phases")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize="small")
    figure.savefig(output, dpi=150)

    top = int(np.argmax(dynamic))
    print(f"largest standard deviation from equal phases: {dynamic[top]:.4f} Gamma2 at eta = {eta[top] / spins:.4f} N")
    print(f"largest with a locked state: {existence.max():.4f} Gamma2; two ensembles: {two.max():.4f} Gamma2")
    print(Path(output).resolve())


if __name__ == "__main__":
    main(*sys.argv[1:3])
