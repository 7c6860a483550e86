"""Fig. 4 of Mok, Kwek and Touzard with its boundaries: python examples/spin_cat_fig4.py [RUN] [PICTURE].

RUN is the folder that `spinsweep run examples/spin_cat_fig4.toml` made. Over its map of the phase spread this draws

* the boundary of what synchronises from equal phases (`spin_cat.boundary`, method `dynamic`),
* the ellipse of the paper, Eq. (30), with its a = 0.03125 N and b = 2.2077 N,
* the same ellipse fitted to our boundary, b free and a = N/32,
* the fold, up to which a locked state exists (method `existence`), and the same for N to infinity (`closed_form`),
  which is no ellipse.

Between the boundary and the fold a locked state exists but is not reached from equal phases. Slightly below the fold it
loses its stability in a Hopf bifurcation, for eta/N up to between 0.04 and 0.05 (at N/32 between delta = 0.0728 and
0.0735, the fold being at 0.0736); above that the boundary and the fold run together.
"""

import sys
from pathlib import Path

import numpy as np

import sweep
from solvers import solve_many
from sweep.pictures.plot import picture

PAPER_A, PAPER_B = 0.03125, 2.2077
"""In units of N."""


def ellipse(eta, spins, a, b):
    """Eq. (30) as a detuning in units of Gamma2: delta = b sqrt(a^2 - (eta - a)^2) / N^2, for a and b in units of N."""
    return b * np.sqrt(np.maximum(a**2 - (eta / spins - a) ** 2, 0.0))


def fitted_b(eta, delta, spins, a=1 / 32):
    """Least-squares b of Eq. (30) at fixed a; the ellipse is linear in b."""
    shape = ellipse(eta, spins, a, 1.0)
    return float(shape @ delta / (shape @ shape))


def main(folder="results/spin_cat_fig4", output="spin_cat_fig4.png"):
    data = sweep.open(folder)
    spins = int(data.N)
    eta = np.linspace(0.002, 0.0624, 120) * spins
    dynamic = solve_many("spin_cat.boundary", "dynamic", points={"eta": eta}, N=spins)["delta_critical"]
    fold = solve_many("spin_cat.boundary", "existence", points={"eta": eta}, N=spins)["delta_critical"]
    existence = solve_many("spin_cat.boundary", "closed_form", points={"eta": eta}, N=spins)["delta_critical"]
    b = fitted_b(eta, dynamic, spins)
    top = int(np.argmax(dynamic))

    figure = picture(data, "zeta")
    axes = figure.axes[0]
    axes.plot(eta, dynamic, "k-", label="boundary from equal phases")
    axes.plot(eta, ellipse(eta, spins, PAPER_A, PAPER_B), "r--", label=f"paper's ellipse, b = {PAPER_B} N")
    axes.plot(eta, ellipse(eta, spins, 1 / 32, b), "r:", label=f"our fit, b = {b:.4g} N")
    axes.plot(eta, fold, color="0.45", label="fold: a locked state exists")
    axes.plot(eta, existence, color="0.45", linestyle=":", label="fold for N to infinity")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize="small")
    figure.savefig(output, dpi=150)

    print(f"top of the boundary: delta = {dynamic[top]:.5f} Gamma2 at eta = {eta[top] / spins:.4f} N (paper: 0.0689)")
    print(f"ellipse with a = N/32: b = {b:.4f} N (paper: {PAPER_B} N)")
    print(f"existence for N to infinity: at most {existence.max():.5f} Gamma2 (2/27 = {2 / 27:.5f})")
    print(Path(output).resolve())


if __name__ == "__main__":
    main(*sys.argv[1:3])
