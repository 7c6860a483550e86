"""How wrong is every approximation? python examples/error_atlas.py [RESULTS] makes examples/atlas.csv and examples/atlas.png.

It runs examples/atlas_*.toml into RESULTS (results/atlas where left out; what is there already is not computed again), compares every method with the exact one at
every point, and writes the largest error over times and components of each point, in units of what the quantity can be at
most (1 for a spin, S, N/2, N). The documentation shows both files.
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
    "atlas_spin": lambda data: data.S,
}
"""By how much a quantity is divided; nothing where it is a spin between -1 and 1."""
COLOURS = {
    "mean_field": "#D55E00",
    "mean_field_uniform": "#E69F00",
    "cumulant": "#0072B2",
    "twa": "#009E73",
    "twoqs": "#009E73",
    "chain": "#56B4E9",
    "printed": "#000000",
}
MARKS = {
    "mean_field": "s",
    "mean_field_uniform": "D",
    "cumulant": "o",
    "twa": "^",
    "twoqs": "^",
    "chain": "v",
    "printed": "x",
}
FLOOR = 1e-6
"""Smaller errors are drawn here: most are tolerances of integrators."""


def errors(folder, name):
    """Error of every point and method, with the axes of the sweep, and the sweep's name."""
    data = xarray.open_zarr(folder / "data.zarr").load()
    done = data.status.isin([1, 3])
    output = next(name for name in data.data_vars if name not in ("status", "elapsed_seconds"))
    off = abs(data[output] - data[output].sel(solver="exact", drop=True))
    inner = [dim for dim in off.dims if dim not in data.status.dims]
    off = off.max(inner, skipna=False).where(done & done.sel(solver="exact", drop=True))
    scale = LARGEST[name](data) if name in LARGEST else 1.0
    return (off / scale).drop_sel(solver="exact").transpose(*data.status.dims), data.attrs["title"]


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
    specs = sorted(HERE.glob("atlas_*.toml"))
    figure, panels = plt.subplots(3, 2, figsize=(9, 10.4), layout="constrained", sharey=True)
    table = []
    for spec, panel in zip(specs, panels.flat, strict=True):
        folder = results / spec.stem
        subprocess.run([sys.executable, "-m", "sweep", "run", str(spec), "--out", str(folder)], check=True)
        off, title = errors(folder, spec.stem)
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
