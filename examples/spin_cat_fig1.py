"""Fig. 1 of Mok, Kwek and Touzard: python examples/spin_cat_fig1.py [RUN] [PICTURE].

RUN is the folder that `spinsweep run examples/spin_cat_fig1.toml` made. Lines are means over all detunings, dots with bars
those over 10 samples. At |alpha| = 0.5 the odd cat is lost, down to a floor of 1/N, while the even one stays near
sech^2(|alpha|^2); at |alpha| = 1.4 all three are close together: dephasing is sensitive to parity at small amplitudes only.
"""

import math
import sys
from pathlib import Path

from matplotlib.figure import Figure

import sweep

STATES = (("coherent", "spin coherent state", "C0"), ("even", "even cat", "C2"), ("odd", "odd cat", "C3"))
NOTES = {"coherent": 0.6067, "even": 0.94021, "odd": 0.00490}
"""What the closed forms reach at |alpha| = 0.5 for long times."""


def main(folder="results/spin_cat_fig1", output="spin_cat_fig1.png"):
    data = sweep.open(folder).load()
    figure = Figure(figsize=(10, 4.4), layout="constrained")
    panels = figure.subplots(1, data.sizes["theta"], sharey=True)
    for axes, theta in zip(panels, data.theta.values, strict=True):
        exact, drawn = (data.sel(solver=method, theta=theta) for method in ("analytic", "sampled"))
        alpha = math.sqrt(int(data.N)) * math.tan(theta / 2)
        for name, text, colour in STATES:
            axes.plot(data.time, exact[f"fidelity_{name}"], color=colour, label=text)
            dots = drawn.isel(time=slice(None, None, 8))
            axes.errorbar(
                dots.time, dots[f"fidelity_{name}"], dots[f"fidelity_{name}_sem"], fmt=".", color=colour, markersize=4
            )
        four = exact["fidelity_four_component"]
        axes.plot(data.time, four, color="0.5", linestyle="--", label="four components, even")
        axes.axhline(1 / math.cosh(alpha**2) ** 2, color="C2", linestyle=":", linewidth=1)
        axes.set_title(rf"$|\alpha| = {alpha:.2g}$", fontsize="medium")
        axes.set_xlabel(r"time $t$ [$1/\delta$]")
    panels[0].set_ylabel(r"mean fidelity $\overline{F}$")
    panels[1].legend(fontsize="small", loc="upper right")
    figure.savefig(output, dpi=150)

    last = data.sel(solver="analytic").isel(theta=0, time=-1)
    for name, text, _ in STATES:
        print(
            f"{text}: {float(last[f'fidelity_{name}']):.5f} at t = 6/delta (closed form for long times {NOTES[name]})"
        )
    print(f"sech^2(|alpha|^2) = {1 / math.cosh(0.25) ** 2:.5f}; 1/N = {1 / int(data.N):.5f}")
    print(Path(output).resolve())


if __name__ == "__main__":
    main(*sys.argv[1:3])
