"""Figs. 1-7 of Huber, Kirton and Rabl: python examples/phase_space_figures.py RUN [PICTURE].

RUN is a folder that `spinsweep run` made of one of examples/phase_space_fig*.toml. Lines: exact (Fig. 4: the closed form of
Puri and Lawande, Fig. 7: Holstein and Primakoff); points: trajectories with their standard errors. What is printed says how
far they are apart and what the paper says.
"""

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import sweep

COLOURS = {"P": "C0", "wigner": "C1", "Q": "C2"}


def points(axes, x, values, errors, colour, label=None, every=1):
    """Trajectories: points with error bars."""
    axes.errorbar(
        x[::every], values[::every], errors[::every], fmt="o", ms=3, color=colour, label=label, elinewidth=0.8, lw=0
    )


def zero(t, values):
    """Where values first pass 0, on a straight line between neighbours; NaN if nowhere."""
    at = np.flatnonzero((values[:-1] > 0) & (values[1:] <= 0))
    if not at.size:
        return np.nan
    i = at[0]
    return t[i] + values[i] * (t[i + 1] - t[i]) / (values[i] - values[i + 1])


def spin_in_time(data):
    """Figs. 1-3: one component of the mean spin above, its difference from the exact one below."""
    component = "x" if float(data.get("Gamma_phi", 0.0)) > 0 else "z"
    choices = [{}]
    for name in ("S", "Omega"):
        if name in data.dims:
            choices = [{**choice, name: value} for choice in choices for value in data[name].values.tolist()]
    figure = Figure(figsize=(3.6 * len(choices) + 0.6, 5.2), layout="constrained")
    rows = figure.subplots(2, len(choices), squeeze=False, sharex=True, height_ratios=(2, 1))
    for choice, above, below in zip(choices, *rows, strict=True):
        part = data.sel(choice).sel(axis=component)
        size, t = float(part.S), part.time.values
        where = ", ".join(f"{name} = {value:g}" for name, value in choice.items())
        exact = part["mean"].sel(solver="exact").isel(distribution=0).values / size
        above.plot(t, exact, "k", label="exact")
        if "Omega" not in choice and component == "z":
            print(f"{where}: exact <S_z> = 0 at t = {zero(t, exact):.3f}")
        for name in part.distribution.values.tolist():
            one = part.sel(solver="twoqs", distribution=name)
            values, error = one["mean"].values / size, one.mean_sem.values / size
            points(above, t, values, error, COLOURS[name], name, 2)
            points(below, t, values - exact, error, COLOURS[name])
            worst = np.argmax(np.abs(values - exact))
            print(
                f"{where or 'any S'}, {name}: largest difference from exact {values[worst] - exact[worst]:+.4f} S "
                f"+- {error[worst]:.4f} at t = {t[worst]:g}"
            )
        below.axhline(0.0, color="k", lw=0.8)
        above.set(title=where, ylabel=rf"$\langle S_{component}\rangle/S$")
        below.set(xlabel="$t$", ylabel="difference")
    rows[0, 0].legend(fontsize="small")
    return figure


def least(t, values):
    """The smallest value and its time."""
    at = np.nanargmin(values)
    return values[at], t[at]


def squeezing_in_time(data):
    """Figs. 5(a) and 6: xi^2."""
    across = "distribution" if "distribution" in data.dims else "S"
    rate, symbol = ("Gamma", r"\Gamma") if "Gamma" in data.dims else ("Gamma_phi", r"\Gamma_\phi")
    values = data[across].values.tolist()
    figure = Figure(figsize=(3.8 * len(values) + 0.6, 3.8), layout="constrained")
    all_axes = figure.subplots(1, len(values), squeeze=False, sharey=True)[0]
    low = -0.7 if across == "distribution" else 0.0
    for value, axes in zip(values, all_axes, strict=True):
        for k, strength in enumerate(data[rate].values.tolist()):
            part = data.sel({across: value, rate: strength})
            t, exact = part.time.values, part.xi2.sel(solver="exact").values
            axes.plot(t, exact, f"C{k}", label=f"${symbol} = {strength:g}\\,g$")
            one = part.sel(solver="twoqs")
            points(axes, t, one.xi2.values, one.xi2_sem.values, f"C{k}", None, 2)
            (true, when), (found, at) = least(t, exact), least(t, one.xi2.values)
            error = one.xi2_sem.values[t == at][0]
            print(
                f"{across} = {value}, {rate} = {strength:g}: least xi^2 {true:.3f} at gt = {when:.1f}, "
                f"trajectories {found:.3f} +- {error:.3f} at {at:.1f}"
            )
        axes.axhline(1.0, color="k", lw=0.6, ls=":")
        axes.set(xlabel="$gt$", title=f"{across} = {value}", ylim=(low, 2.2))
    all_axes[0].set_ylabel(r"$\xi^2$")
    all_axes[0].legend(fontsize="small")
    if across == "distribution":
        three = data.xi2.sel(solver="exact", Gamma=0.0).isel(distribution=0).sel(time=3.0, method="nearest")
        print(f"exact, Gamma = 0, gt = {float(three.time):g}: xi^2 = {float(three):.4f} (paper, S = 100: about 0.1)")
    return figure


def optimal_squeezing(data):
    """Fig. 5(b): xi against Gamma."""
    figure = Figure(figsize=(5.4, 4.0), layout="constrained")
    axes = figure.subplots()
    for k, S in enumerate(data.S.values.tolist()):
        part = data.sel(S=S)
        exact, one = np.sqrt(part.xi2_min.sel(solver="exact").values), part.sel(solver="twoqs")
        axes.plot(part.Gamma, exact, f"C{k}", label=f"$S = {S:g}$")
        xi = np.sqrt(one.xi2_min.values)
        error = one.xi2_min_sem.values / (2 * xi)
        points(axes, part.Gamma.values, xi, error, f"C{k}")
        for at, Gamma in enumerate(part.Gamma.values):
            if Gamma in (0.0, 0.125, 0.25, 0.5):
                print(
                    f"S = {S:g}, Gamma = {Gamma:g} g: xi_opt {exact[at]:.3f}, trajectories {xi[at]:.3f} +- {error[at]:.3f}"
                )
    axes.set(xlabel=r"$\Gamma/g$", ylabel=r"$\xi_\mathrm{opt}$")
    axes.legend()
    return figure


def driven_transition(data):
    """Fig. 4: mean spin and second moments from three starts."""
    starts, S = data.start.values.tolist(), float(data.S)
    figure = Figure(figsize=(3.8 * len(starts) + 0.6, 6.4), layout="constrained")
    rows = figure.subplots(2, len(starts), sharey="row", sharex=True, squeeze=False)
    exact = data.sel(solver="analytic").isel(start=0)
    for start, above, below in zip(starts, *rows, strict=True):
        one = data.sel(start=start, solver="twoqs")
        for k, a in enumerate("xyz"):
            first, square = {"axis": a}, {"axis": a, "axis2": a}
            above.plot(exact.Omega, exact["mean"].sel(first) / S, f"C{k}", label=f"${a}$")
            points(
                above, one.Omega.values, *(one[name].sel(first).values / S for name in ("mean", "mean_sem")), f"C{k}"
            )
            below.plot(exact.Omega, exact.second.sel(square) / S**2, f"C{k}")
            values = (one[name].sel(square).values / S**2 for name in ("second", "second_sem"))
            points(below, one.Omega.values, *values, f"C{k}")
        below.axhline(1 / 3, color="k", lw=0.6, ls=":")
        above.set(title=f"start: {start}")
        below.set(xlabel=r"$\Omega/\Gamma$")
    rows[0, 0].set_ylabel(r"$\langle S_a\rangle/S$")
    rows[1, 0].set_ylabel(r"$\langle S_a^2\rangle/S^2$")
    rows[0, 0].legend()
    for Omega in (0.8, 1.0, 1.5, 2.0, 3.0):
        names, parts = (
            ["exact", *starts],
            [exact, *(data.sel(start=s, solver="twoqs") for s in starts)],
        )
        for name, part in zip(names, parts, strict=True):
            here = part.sel(Omega=Omega, method="nearest")
            mean, squares = here["mean"].values / S, np.diagonal(here.second.values) / S**2
            print(
                f"Omega = {float(here.Omega):.1f} Gamma, {name}: S_y {mean[1]:+.3f}, S_z {mean[2]:+.3f}, "
                f"S_x^2, S_y^2, S_z^2 {squares[0]:.3f}, {squares[1]:.3f}, {squares[2]:.3f}"
            )
    print(
        "paper: a transition at Omega = Gamma; all second moments about S^2/3 beyond it, which is true for large Omega"
    )
    return figure


def chain(data):
    """Fig. 7: fluctuations, correlations and their length, with the physical couplings on the upper axis."""
    theory, found = data.sel(solver="holstein_primakoff"), data.sel(solver="twoqs")
    figure = Figure(figsize=(13.5, 4.4), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    labels = {
        "excitations": r"$n$",
        "Sxx_over_S": r"$\langle S_x^2\rangle/S$",
        "Syy_over_S": r"$\langle S_y^2\rangle/S$",
    }
    for k, (name, label) in enumerate(labels.items()):
        left.plot(data.J_y, theory[name], f"C{k}", label=label)
        points(left, data.J_y.values, found[name].values, found[f"{name}_sem"].values, f"C{k}")
    left.set(yscale="log", title="fluctuations of a site")
    left.legend()
    for k, J in enumerate((-0.3, -0.45, -0.49)):
        curve, one = (part.sel(J_y=J, method="nearest") for part in (theory, found))
        middle.plot(data.distance, curve.correlation, f"C{k}", label=f"$J_y = {float(curve.J_y):.3g}\\,\\Gamma$")
        points(middle, data.distance.values, one.correlation.values, one.correlation_sem.values, f"C{k}")
        for name in ("excitations", "Sxx_over_S", "Syy_over_S", "correlation_length"):
            print(
                f"J_y = {float(curve.J_y):.3g} Gamma, {name}: Holstein-Primakoff {float(curve[name]):.3f}, "
                f"trajectories {float(one[name]):.3f} +- {float(one[f'{name}_sem']):.3f}"
            )
    middle.set(xlabel="distance $s$", title="correlation function $C(s)$")
    middle.legend()
    right.plot(data.J_y, theory.correlation_length, "C0", label="infinite chain")
    length, error = found.correlation_length.values, found.correlation_length_sem.values
    points(right, data.J_y.values, length, error, "C0", "trajectories, ring")
    top = 1.2 * float(np.nanmax(theory.correlation_length.values, initial=1.0))
    right.set(title=r"correlation length $\xi$", ylim=(0, top))
    right.legend()
    for axes in (left, right):
        axes.axvline(-0.5, color="k", lw=0.6, ls=":")
        axes.set_xlabel(r"$J_y/\Gamma$, convention of the paper")
        upper = axes.secondary_xaxis("top", functions=(lambda J: 4 * J, lambda J: J / 4))
        upper.set_xlabel(r"$J_y/\Gamma$, physical")
    down = data.J_y.values[found.Sz_over_S.values < -0.9]
    if down.size:
        text = f"<S_z> below -0.9 S down to J_y = {down.min():.3g} Gamma, physical {4 * down.min():.3g} (paper: -0.5 Gamma)"
        print(text + "; just beyond it t_relax is too short for the waves to grow")
    beyond = found.isel(J_y=int(np.argmin(data.J_y.values)))
    value, error = float(beyond.Sz_over_S), float(beyond.Sz_over_S_sem)
    print(f"J_y = {float(beyond.J_y):.3g} Gamma: <S_z> = {value:.3f} S +- {error:.3f}")
    return figure


def main(folder, output=None):
    data = sweep.open(folder).load()
    if "J_y" in data.dims:
        figure = chain(data)
    elif "start" in data.dims:
        figure = driven_transition(data)
    elif "xi2_min" in data:
        figure = optimal_squeezing(data)
    elif "xi2" in data:
        figure = squeezing_in_time(data)
    else:
        figure = spin_in_time(data)
    output = output or f"{Path(folder).name}.png"
    figure.savefig(output, dpi=120)
    print(Path(output).resolve())


if __name__ == "__main__":
    main(*sys.argv[1:3])
