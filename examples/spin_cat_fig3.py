"""Fig. 3 of Mok, Kwek and Touzard: python examples/spin_cat_fig3.py [RUN] [PICTURE].

RUN is the folder that `spinsweep run examples/spin_cat_fig3.toml` made. Above, |<a>| at five times with the mean field of
Eq. (25), which ends at eta = N/16, and the classical spin of conserved length, which ends at N/8. The exact steady |<a>| is
zero: what the figure shows is a plateau that decays at the rate of the even-odd coherence, so that the drop "near
eta = 10" depends on the time, which the paper does not give. Below, Wigner functions: one blob at eta = 5, two at eta = 12.
"""

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import sweep
from solvers import solve

WIGNER = ((5.0, 1000.0), (12.0, 20.0), (12.0, 1000.0))
"""eta and time of the pictures below."""


def mean_field(eta, spins):
    """sqrt(N) A of Eq. (25): A^2 = (4 eta - 1 + sqrt(1 - 16 eta/N)) / (2 N), NaN beyond eta = N/16."""
    with np.errstate(invalid="ignore"):
        return np.sqrt((4 * eta - 1 + np.sqrt(1 - 16 * eta / spins)) / 2)


def classical_spin(eta, spins):
    """sqrt(N n), n = (1 - sqrt(1 - 8 eta/N))/2: a collective spin of conserved length, NaN beyond eta = N/8."""
    with np.errstate(invalid="ignore"):
        return np.sqrt(spins * (1 - np.sqrt(1 - 8 * eta / spins)) / 2)


def half_height(eta, amplitude):
    """The squeezing at which half of the largest amplitude is left, on the falling side."""
    top = int(np.argmax(amplitude))
    return float(np.interp(-amplitude[top] / 2, -amplitude[top:], eta[top:]))


def main(folder="results/spin_cat_fig3", output="spin_cat_fig3.png"):
    data = sweep.open(folder).load()
    spins, eta = int(data.N), data.eta.values
    figure = Figure(figsize=(10, 7.6), layout="constrained")
    grid = figure.add_gridspec(2, len(WIGNER), height_ratios=(1.2, 1))
    axes = figure.add_subplot(grid[0, :])
    for k, time in enumerate(data.time.values):
        axes.plot(eta, data.amplitude.isel(time=k), color=f"C{k}", label=rf"$\Gamma_2 T = 10^{np.log10(time):.0f}$")
    fine = np.linspace(0.25, spins / 8, 400)
    axes.plot(fine, mean_field(fine, spins), "k--", label="mean field, Eq. (25)")
    axes.plot(fine, classical_spin(fine, spins), "k:", label="classical collective spin")
    axes.set_xlabel(r"squeezing $\eta$ [$\Gamma_2$]")
    axes.set_ylabel(r"amplitude $|\langle a\rangle|$")
    axes.legend(fontsize="small", ncols=2, loc="upper left")
    for k, (squeezing, time) in enumerate(WIGNER):
        found = solve("spin_cat.wigner", N=spins, eta=squeezing, t=time, x_max=10.0, n_x=161)
        panel = figure.add_subplot(grid[1, k])
        limit = float(np.abs(found["wigner"]).max())
        x = found["position"]
        mesh = panel.pcolormesh(x, x, found["wigner"].T, cmap="RdBu_r", vmin=-limit, vmax=limit, rasterized=True)
        panel.set_aspect("equal")
        panel.set_title(rf"$\eta = {squeezing:g}\,\Gamma_2$, $\Gamma_2 T = {time:g}$", fontsize="medium")
        panel.set_xlabel("position $x$")
        panel.set_ylabel("momentum $p$")
        figure.colorbar(mesh, ax=panel, label="$W(x, p)$", shrink=0.7)
    figure.savefig(output, dpi=150)

    for time, amplitude in zip(data.time.values, data.amplitude.values.T, strict=True):
        print(f"T = {time:g}: half of the largest amplitude is left at eta = {half_height(eta, amplitude):.2f}")
    print(
        f"mean field ends at eta = {spins / 16:g} with |<a>| = {mean_field(spins / 16, spins):.3f} (paper's line: 6.25)"
    )
    at_ten = data.sel(eta=10.0, method="nearest")
    print(f"eta = {float(at_ten.eta):g}: plateau {float(at_ten.plateau):.4f}, rate {float(at_ten.coherence_rate):.3g}")
    print(Path(output).resolve())


if __name__ == "__main__":
    main(*sys.argv[1:3])
