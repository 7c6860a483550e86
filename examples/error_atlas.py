"""How wrong is every approximation? python examples/error_atlas.py [RESULTS] makes examples/atlas.csv and examples/atlas.png.

It runs examples/atlas_*.toml into RESULTS (results/atlas where left out; what is there already is not computed again),
compares every method with the exact one at every point, and writes the largest error over times and components of each
point, in units of what the quantity can be at most (1 for a spin, S, N/2, N). Where the exact answer belongs to another model
it is in the spec atlas_*_exact.toml beside. The documentation shows both files.
"""

import csv
import subprocess
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import xarray

HERE = Path(__file__).resolve().parent
LARGEST = {
    "atlas_release": lambda data: data.N / 2,
    "atlas_cycle": lambda data: data.N,
    "atlas_emitters": lambda data: data.N / 2,
    "atlas_spin": lambda data: data.S,
    "atlas_chain": lambda data: data.S,
}
"""By how much a quantity is divided; nothing where it is a spin between -1 and 1, or a fraction."""
ELSEWHERE = {
    "atlas_rest": (
        lambda data: data.Sz_over_S,
        lambda data: data["mean"].isel(time=-1).sel(axis="z", drop=True) / data.S,
    ),
    "atlas_cat": (lambda data: (1 + data.z) / 2, lambda data: data.excitations / data.N),
}
"""Sweeps without an exact answer of their own: what of them is compared with what of the spec with _exact in its name."""
RENAMED = {("atlas_cat", "exact"): "exact closure"}
"""Methods whose name would be misread: the exact closure of product states is mean field."""
COLOURS = {
    "mean_field": "#D55E00",
    "mean_field_uniform": "#E69F00",
    "cumulant": "#0072B2",
    "twa": "#009E73",
    "twoqs": "#009E73",
    "chain": "#56B4E9",
    "printed": "#000000",
    "holstein_primakoff": "#CC79A7",
    "paper": "#000000",
    "exact closure": "#D55E00",
}
MARKS = {
    "mean_field": "s",
    "mean_field_uniform": "D",
    "cumulant": "o",
    "twa": "^",
    "twoqs": "^",
    "chain": "v",
    "printed": "x",
    "holstein_primakoff": "o",
    "paper": "x",
    "exact closure": "s",
}
SOME_FAILED = 3
"""What `spinsweep run` returns where points have failed: trajectories may run away, and have no mark then."""
DONE = (1, 3)
"""The status of points with a result, without and with a warning."""
FLOOR = 1e-6
"""Smaller errors are drawn here: most are tolerances of integrators."""


def specs(name):
    """Names of the one or two specs whose results `errors` needs."""
    return [name, f"{name}_exact"] if name in ELSEWHERE else [name]


def errors(results, name):
    """Error of every point and method, with the axes of the sweep, and the sweep's name; runs are in results / spec."""
    data, beside = (xarray.open_zarr(results / spec / "data.zarr").load() for spec in (specs(name) * 2)[:2])
    of_methods, of_exact = ELSEWHERE.get(name, (quantity, quantity))
    found = of_methods(data).where(data.status.isin(DONE))
    true = of_exact(beside).where(beside.status.isin(DONE)).sel(solver="exact", drop=True)
    off = abs(found - true)
    off = off.max([dim for dim in off.dims if dim not in data.status.dims], skipna=False)
    off = off / LARGEST[name](data) if name in LARGEST else off
    if name not in ELSEWHERE:
        off = off.drop_sel(solver="exact")
    off = off.assign_coords(solver=[RENAMED.get((name, method), method) for method in off.solver.values])
    return off.transpose(*data.status.dims), data.attrs["title"]


def quantity(data):
    """The one output that a sweep has kept."""
    return data[next(output for output in data.data_vars if output not in ("status", "elapsed_seconds"))]


def rows(off, title):
    """A row per point: sweep, method, parameters, error, empty where a method has none."""
    axes = [dim for dim in off.dims if dim != "solver"]
    for method in off.solver.values:
        part = off.sel(solver=method)
        for place in np.ndindex(*part.shape):
            point = part[place]
            told = " ".join(
                f"{axis}={point[axis].item():g}" if point[axis].dtype.kind in "if" else f"{axis}={point[axis].item()}"
                for axis in axes
            )
            value = float(point)
            yield title, method, told, f"{value:.2e}" if np.isfinite(value) else ""


def draw(panel, off, title):
    """Points of every method over the first axis, with a line through their medians."""
    first = next(dim for dim in off.dims if dim != "solver")
    x = off[first].values.astype(float)
    methods = list(off.solver.values)
    for k, method in enumerate(methods):
        part = np.maximum(off.sel(solver=method).transpose(first, ...).values.reshape(x.size, -1), FLOOR)
        shift = x * 1.06 ** (k - (len(methods) - 1) / 2)
        style = {"color": COLOURS[method], "marker": MARKS[method]}
        panel.plot(np.repeat(shift, part.shape[1]), part.ravel(), ls="", ms=3, alpha=0.45, **style)
        panel.plot(shift, np.nanmedian(part, axis=1), ms=6, lw=1.2, label=method, **style)
    panel.set(
        xscale="log", yscale="log", title=title, xlabel=off[first].attrs.get("long_name", first), ylim=(FLOOR / 2, 3)
    )
    panel.set_xticks(x, [f"{v:g}" for v in x])
    panel.minorticks_off()
    panel.legend(fontsize="small", framealpha=1.0)


def main(results):
    names = sorted(spec.stem for spec in HERE.glob("atlas_*.toml") if not spec.stem.endswith("_exact"))
    figure, panels = plt.subplots(5, 2, figsize=(9, 17), layout="constrained", sharey=True)
    table = []
    for name, panel in zip(names, panels.flat, strict=True):
        for spec in specs(name):
            command = [sys.executable, "-m", "sweep", "run", str(HERE / f"{spec}.toml"), "--out", str(results / spec)]
            if subprocess.run(command, check=False).returncode not in (0, SOME_FAILED):
                sys.exit(f"{spec} did not run to its end")
        off, title = errors(results, name)
        table += rows(off, title)
        draw(panel, off, title)
    for panel in panels[:, 0]:
        panel.set_ylabel("largest error, of the largest value")
    figure.savefig(HERE / "atlas.png", dpi=110)
    with (HERE / "atlas.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["sweep", "method", "point", "error"])
        writer.writerows(table)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("results") / "atlas")
