"""Figs. 1-7 of Huber, Kirton and Rabl: python examples/phase_space_figures.py RUN [PICTURE].

RUN is a folder that `spinsweep run` made of one of examples/phase_space_fig*.toml. Lines: exact (Holstein-Primakoff in
Fig. 7); points: trajectories with their standard errors.
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import sweep

COLOURS = {"P": "C0", "wigner": "C1", "Q": "C2"}


def points(axes, x, values, errors, colour, label, every=1):
    """Trajectories: points with error bars."""
    axes.errorbar(
        x[::every], values[::every], errors[::every], fmt="o", ms=3, color=colour, label=label, elinewidth=0.8, lw=0
    )


def spin_in_time(data):
    """Figs. 1-3: one component of the mean spin."""
    component = "x" if "Gamma_phi" in data.coords and float(data.Gamma_phi) > 0 else "z"
    choices = [{}]
    for name in ("S", "Omega"):
        if name in data.dims:
            choices = [{**choice, name: value} for choice in choices for value in data[name].values.tolist()]
    figure, all_axes = plt.subplots(
        1, len(choices), figsize=(4.2 * len(choices), 3.6), squeeze=False, layout="constrained"
    )
    for choice, axes in zip(choices, all_axes[0], strict=True):
        part = data.sel(choice).sel(axis=component)
        size = choice.get("S", float(data.S) if not data.S.ndim else 1.0)
        axes.plot(part.time, part["mean"].sel(solver="exact").isel(distribution=0) / size, "k", label="exact")
        for name in part.distribution.values.tolist():
            one = part.sel(solver="twoqs", distribution=name)
            points(axes, one.time.values, one["mean"].values / size, one.mean_sem.values / size, COLOURS[name], name, 2)
        axes.set(xlabel="t", ylabel=f"<S_{component}>/S", title=", ".join(f"{k} = {v:g}" for k, v in choice.items()))
    all_axes[0, 0].legend(fontsize="small")
    return figure


def squeezing_in_time(data):
    """Figs. 5(a) and 6: xi^2."""
    across = "distribution" if "distribution" in data.dims else "S"
    rate = "Gamma" if "Gamma" in data.dims else "Gamma_phi"
    values = data[across].values.tolist()
    figure, all_axes = plt.subplots(
        1, len(values), figsize=(4.2 * len(values), 3.6), squeeze=False, sharey=True, layout="constrained"
    )
    for value, axes in zip(values, all_axes[0], strict=True):
        for k, strength in enumerate(data[rate].values.tolist()):
            part = data.sel({across: value, rate: strength})
            axes.plot(part.time, part.xi2.sel(solver="exact"), f"C{k}", label=f"{rate} = {strength:g}")
            one = part.sel(solver="twoqs")
            points(axes, one.time.values, one.xi2.values, one.xi2_sem.values, f"C{k}", None, 2)
        axes.set(xlabel="gt", ylabel="xi^2", title=f"{across} = {value}", ylim=(-0.6, 2.2))
    all_axes[0, 0].legend(fontsize="small")
    return figure


def optimal_squeezing(data):
    """Fig. 5(b): xi against Gamma."""
    figure, axes = plt.subplots(figsize=(5.2, 3.8), layout="constrained")
    for k, S in enumerate(data.S.values.tolist()):
        part = data.sel(S=S)
        axes.plot(part.Gamma, np.sqrt(part.xi2_min.sel(solver="exact")), f"C{k}", label=f"S = {S:g}")
        xi = np.sqrt(part.xi2_min.sel(solver="twoqs").values)
        points(axes, part.Gamma.values, xi, part.xi2_min_sem.sel(solver="twoqs").values / (2 * xi), f"C{k}", None)
    axes.set(xlabel="Gamma/g", ylabel="xi_opt", title=data.attrs["title"])
    axes.legend()
    return figure


def driven_transition(data):
    """Fig. 4: mean spin and second moments from three starts."""
    starts, S = data.start.values.tolist(), float(data.S)
    figure, all_axes = plt.subplots(
        2, len(starts), figsize=(4.2 * len(starts), 6.4), sharey="row", layout="constrained"
    )
    for start, (above, below) in zip(starts, all_axes.T, strict=True):
        part = data.sel(start=start)
        for k, a in enumerate("xyz"):
            for axes, exact, one, error in (
                (above, part["mean"].sel(axis=a) / S, part["mean"].sel(axis=a) / S, part.mean_sem.sel(axis=a) / S),
                (below, *(2 * (part.second.sel(axis=a, axis2=a) / S**2,)), part.second_sem.sel(axis=a, axis2=a) / S**2),
            ):
                axes.plot(part.Omega, exact.sel(solver="analytic"), f"C{k}", label=a)
                points(
                    axes,
                    part.Omega.values,
                    one.sel(solver="twoqs").values,
                    error.sel(solver="twoqs").values,
                    f"C{k}",
                    None,
                )
        above.set(title=f"start: {start}", ylabel="<S_a>/S")
        below.set(xlabel="Omega/Gamma", ylabel="<S_a^2>/S^2")
    all_axes[0, 0].legend()
    return figure


def chain(data):
    """Fig. 7: fluctuations, correlations and their length, with the physical couplings on the upper axis."""
    theory, found = data.sel(solver="holstein_primakoff"), data.sel(solver="twoqs")
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(13.5, 4.2), layout="constrained")
    for k, name in enumerate(("excitations", "Sxx_over_S", "Syy_over_S")):
        left.plot(data.J_y, theory[name], f"C{k}", label=name)
        points(left, data.J_y.values, found[name].values, found[f"{name}_sem"].values, f"C{k}", None)
    left.set(xlabel="J_y/Gamma, convention of the paper", yscale="log", ylim=(1e-3, None))
    left.legend()
    for k, J in enumerate((-0.3, -0.4, -0.49)):
        curve, one = (part.sel(J_y=J, method="nearest") for part in (theory, found))
        middle.plot(data.distance, curve.correlation, f"C{k}", label=f"J_y = {float(curve.J_y):.3g}")
        points(middle, data.distance.values, one.correlation.values, one.correlation_sem.values, f"C{k}", None)
    middle.set(xlabel="distance", ylabel="C(s)")
    middle.legend()
    right.plot(data.J_y, theory.correlation_length, "C0", label="Holstein-Primakoff, infinite chain")
    points(
        right,
        data.J_y.values,
        found.correlation_length.values,
        found.correlation_length_sem.values,
        "C0",
        "trajectories",
    )
    right.set(xlabel="J_y/Gamma, convention of the paper", ylabel="correlation length", ylim=(0, 12))
    right.legend()
    for axes in (left, right):
        upper = axes.secondary_xaxis("top", functions=(lambda J: 4 * J, lambda J: J / 4))
        upper.set_xlabel("J_y/Gamma, physical")
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
