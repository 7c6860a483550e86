"""Pictures of a run: a map over two axes, or curves over one with a second as colours.

Axes carry the symbol and unit that the store has. Points that failed, points that are still to come, and points whose
result is legitimately NaN (an unlocked phase, say) look different.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from solvers.suggest import did_you_mean
from sweep.errors import SpecError
from sweep.folder.dataset import dimension_named, nearest
from sweep.folder.dataset import open as open_run
from sweep.folder.run_folder import RunFolder
from sweep.folder.store import PENDING, POINT_FAILED
from sweep.pictures.averages import average
from sweep.spec.sweep_spec import SOLVER

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure

PENDING_COLOUR = "#d9d9d9"
FAILED_COLOUR = "#d62728"
_MOST_CURVES = 12
_MOST_PANELS = 6
_DECADES = 1e-12
"""Smallest value, relative to the largest, that a logarithmic scale of colours shows."""
_GREEK = re.compile(r"\b(?P<letter>[Gg]amma|[Oo]mega|kappa|eta|hbar)_?(?P<index>[0-9a-z]*)\b")
"""Letters of rates in units, and their index: Gamma2, gamma_s."""


@dataclass(frozen=True)
class Style:
    """How to draw: `along` the horizontal dimension, `curves` instead of a map, `part` of complex values, decibels,
    logarithmic values, `against` a method: the deviation of all others from it, and `mean`, a dimension to average over,
    with a band of one standard error beside curves."""

    along: str | None = None
    curves: bool = False
    part: str = "abs"
    db: bool = False
    log: bool = False
    against: str | None = None
    mean: str | None = None


def draw(
    folder: Path,
    variable: str,
    output: Path | None = None,
    selection: Mapping[str, Any] | None = None,
    style: Style | None = None,
) -> Path:
    """Draw a variable of a run into a file and return its path."""
    dataset = open_run(folder)
    _check_variable(dataset, variable)
    figure = picture(dataset, variable, selection, style)
    path = output or RunFolder(folder).path / "plots" / f"{variable}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    return path


def picture(
    dataset: xarray.Dataset, variable: str, selection: Mapping[str, Any] | None = None, style: Style | None = None
) -> Figure:
    """A figure of a variable of an open run; every dimension that is longer than 1 must be drawn or selected."""
    from matplotlib.figure import Figure as MakeFigure

    style = style or Style()
    _check_variable(dataset, variable)
    data, status, cut = _select(dataset, variable, dict(selection or {}))
    if style.against is not None:
        data, status = _deviation(data, status, style.against)
    data, error = _part(data, style), None
    if style.mean is not None:
        data, status, error = average(data, status, style.mean)
    dims = [d for d in data.dims if data.sizes[d] > 1] or list(data.dims[-1:])
    panel = _panel_dimension(data, [str(d) for d in dims], style)
    free = [str(d) for d in dims if d != panel]
    if len(free) > 2:
        sizes = ", ".join(f"{d} ({data.sizes[d]})" for d in free)
        raise SpecError(f"{variable} has more dimensions than a picture: {sizes}; fix all but two with --sel DIM=VALUE")
    panels = data[panel].values.tolist() if panel else [None]
    figure = MakeFigure(figsize=(5.6 * len(panels) + 0.8, 4.6), layout="constrained")
    axes = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
    limits = _limits(data.values) if len(panels) > 1 else None
    for which, value in enumerate(panels):
        part = data.isel({panel: which}) if panel else data
        flags = status.isel({panel: which}) if panel and panel in status.dims else status
        if len(free) == 2 and not style.curves and all(_is_number(part, d) for d in free):
            _map(figure, axes[which], part, flags, free, style, limits, last=which == len(panels) - 1)
        else:
            band = error.isel({panel: which}) if panel and error is not None else error
            _curves(figure, axes[which], part, flags, free, style, band)
        title = f"{panel} = {value}" if panel else ""
        axes[which].set_title(title, fontsize="medium")
    heading = dataset.attrs.get("title", "") + (f" ({cut})" if cut else "")
    figure.suptitle(heading, fontsize="medium")
    return figure


def axis_label(array: xarray.DataArray) -> str:
    """Meaning, symbol and unit of an array, from its attributes."""
    text = str(array.attrs.get("long_name", array.name))
    unit = str(array.attrs.get("units", "1"))
    return text if unit == "1" else f"{text} [{_GREEK.sub(_latex_unit, unit)}]"


def _latex_unit(match: re.Match[str]) -> str:
    index = f"_{{{match['index']}}}" if match["index"] else ""
    return f"$\\{match['letter']}{index}$"


def _check_variable(dataset: xarray.Dataset, variable: str) -> None:
    if variable not in dataset.data_vars:
        known = [str(name) for name in dataset.data_vars]
        raise SpecError(
            f"the run has no variable {variable!r}; it has {', '.join(known)}{did_you_mean(variable, known)}"
        )


def _select(
    dataset: xarray.Dataset, variable: str, selection: Mapping[str, Any]
) -> tuple[xarray.DataArray, xarray.DataArray, str]:
    """The variable and the status, cut as asked; and the cut in words."""
    data, status = dataset[variable], dataset["status"]
    said = []
    for given, value in selection.items():
        name = dimension_named(given, data.dims)
        if name not in data.dims:
            known = [str(d) for d in data.dims]
            raise SpecError(
                f"--sel {name}: {variable} has no such dimension; it has {', '.join(known)}{did_you_mean(name, known)}"
            )
        index = nearest(data[name].values, value, f"--sel {name}")
        said.append(f"{name} = {_said(data[name].values[index])}")
        data = data.isel({name: index})
        status = status.isel({name: index}) if name in status.dims else status
    return data.load(), status.load(), ", ".join(said)


def _deviation(
    data: xarray.DataArray, status: xarray.DataArray, method: str
) -> tuple[xarray.DataArray, xarray.DataArray]:
    """Absolute deviation of every other method from `method`; a point failed or is pending where either is."""
    labels = data[SOLVER].values.tolist() if SOLVER in data.dims else []
    if method not in labels or len(labels) < 2:
        known = ", ".join(labels) or "no method axis"
        raise SpecError(
            f"--against {method}: the run has {known}; give [sweep] method a list{did_you_mean(method, labels)}"
        )
    others = [k for k, label in enumerate(labels) if label != method]
    exact, exact_status = data.isel({SOLVER: labels.index(method)}), status.isel({SOLVER: labels.index(method)})
    rest, rest_status = data.isel({SOLVER: others}), status.isel({SOLVER: others})
    found = rest.copy(data=np.abs((rest - exact.drop_vars(SOLVER)).transpose(*rest.dims).values))
    found.attrs = {**data.attrs, "long_name": f"deviation from {method}:\n{data.attrs.get('long_name', data.name)}"}
    flags = rest_status.copy()
    for code in (POINT_FAILED, PENDING):
        flags = flags.where((rest_status != code) & (exact_status.drop_vars(SOLVER) != code), code)
    return found, flags.transpose(*rest_status.dims)


def _said(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float | np.floating) else str(value)


def _is_number(data: xarray.DataArray, dim: str) -> bool:
    return data[dim].dtype.kind in "iuf"


def _panel_dimension(data: xarray.DataArray, dims: Sequence[str], style: Style) -> str | None:
    """With three dimensions, one of labels (methods, spin axes) makes panels; so it does before two others of a map."""
    labels = [d for d in dims if not _is_number(data, d) and data.sizes[d] <= _MOST_PANELS and d != style.along]
    return labels[0] if labels and len(dims) == 3 else None


def _part(data: xarray.DataArray, style: Style) -> xarray.DataArray:
    """The real quantity to draw."""
    name = axis_label(data)
    if data.dtype.kind == "c":
        attributes = dict(data.attrs)
        function: Any = {"abs": np.abs, "real": np.real, "imag": np.imag, "phase": np.angle}[style.part]
        data = data.copy(data=function(data.values))
        data.attrs = attributes | {"long_name": f"{style.part} of {attributes.get('long_name', data.name)}"}
        if style.part == "phase":
            data.attrs["units"] = "rad"
        name = axis_label(data)
    if style.db:
        with np.errstate(invalid="ignore", divide="ignore"):
            data = data.copy(data=10 * np.log10(data.values))
        data.attrs = {"long_name": name, "units": "dB"}
    return data


def _limits(values: NDArray[Any]) -> tuple[float, float] | None:
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if finite.size else None


def _scale(values: NDArray[Any]) -> str:
    """Logarithmic for an axis whose values were spaced so."""
    if values.size < 3 or values.dtype.kind not in "iuf" or np.any(values <= 0):
        return "linear"
    steps, ratios = np.diff(values), np.diff(np.log(values.astype(float)))
    even = np.ptp(steps) <= 0.02 * np.abs(steps).max()
    return "log" if not even and np.ptp(ratios) <= 0.02 * np.abs(ratios).max() else "linear"


def _map(
    figure: Figure,
    axes: Axes,
    data: xarray.DataArray,
    status: xarray.DataArray,
    dims: Sequence[str],
    style: Style,
    limits: tuple[float, float] | None,
    last: bool,
) -> None:
    """A map of one panel; panels share the scale, so that the last alone shows it."""
    x = style.along or _default_along(dims)
    _check_along(x, dims)
    y = next(d for d in dims if d != x)
    squeezed = data.transpose(y, x, ...).values.reshape(data.sizes[y], data.sizes[x])
    flags = status.broadcast_like(data).transpose(y, x, ...).values.reshape(squeezed.shape)
    (xs, x_ticks), (ys, y_ticks) = _positions(data, x), _positions(data, y)
    norm = _norm(limits or _limits(squeezed) or (0.0, 1.0), style.log)
    mesh = axes.pcolormesh(
        xs,
        ys,
        np.ma.masked_invalid(_raised(squeezed, norm)),
        shading="nearest",
        cmap="viridis",
        norm=norm,
        rasterized=True,
    )
    _overlay(axes, xs, ys, flags)
    if last:
        figure.colorbar(mesh, ax=axes, label=axis_label(data))
    axes.set_xlabel(axis_label(data[x]))
    axes.set_ylabel(axis_label(data[y]))
    axes.label_outer()
    axes.set_xscale(_scale(xs))
    axes.set_yscale(_scale(ys))
    if x_ticks:
        axes.set_xticks(xs, x_ticks)
    if y_ticks:
        axes.set_yticks(ys, y_ticks)


def _raised(values: NDArray[Any], norm: Normalize) -> NDArray[Any]:
    """Values below the scale brought up to its lowest colour: a logarithmic one would leave zeros blank."""
    return np.maximum(values, norm.vmin) if norm.vmin is not None else values


def _norm(limits: tuple[float, float], log: bool) -> Normalize:
    from matplotlib.colors import LogNorm, Normalize

    low, high = limits
    if not log or high <= 0:
        return Normalize(low, high)
    return LogNorm(max(low, high * _DECADES), high)  # what is zero, or below that, has the lowest colour


def _overlay(axes: Axes, xs: NDArray[Any], ys: NDArray[Any], flags: NDArray[Any]) -> None:
    """Grey for what is still to come, red for what failed, each with an entry in the legend."""
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    patches = []
    for code, colour, text in ((PENDING, PENDING_COLOUR, "pending"), (POINT_FAILED, FAILED_COLOUR, "failed")):
        count = int(np.count_nonzero(flags == code))
        if count:
            layer = np.ma.masked_where(flags != code, np.ones(flags.shape))
            axes.pcolormesh(xs, ys, layer, shading="nearest", cmap=ListedColormap([colour]), rasterized=True)
            patches.append(Patch(color=colour, label=f"{text} ({count:,})"))
    if patches:
        axes.legend(handles=patches, loc="upper right", fontsize="small", framealpha=0.9)


def _default_along(dims: Sequence[str]) -> str:
    """Time runs to the right; else the first dimension does, as papers draw their diagrams."""
    return "time" if "time" in dims else dims[0]


def _check_along(x: str, dims: Sequence[str]) -> None:
    if x not in dims:
        raise SpecError(f"--x {x} is not among the dimensions to draw: {', '.join(dims)}{did_you_mean(x, dims)}")


def _positions(data: xarray.DataArray, dim: str) -> tuple[NDArray[Any], list[str]]:
    """Where values stand along an axis; labels stand at 0, 1, 2, ... with their texts."""
    if _is_number(data, dim):
        return data[dim].values, []
    return np.arange(data.sizes[dim]), [str(v) for v in data[dim].values.tolist()]


def _curves(
    figure: Figure,
    axes: Axes,
    data: xarray.DataArray,
    status: xarray.DataArray,
    dims: Sequence[str],
    style: Style,
    error: xarray.DataArray | None = None,
) -> None:
    import matplotlib
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    numbers = [d for d in dims if _is_number(data, d)]
    x = style.along or ("time" if "time" in dims else (numbers or list(dims))[-1])
    _check_along(x, dims)
    others = [d for d in dims if d != x]
    xs, ticks = _positions(data, x)
    flags = status.broadcast_like(data)
    colours = matplotlib.colormaps["viridis"]
    if not others:
        ys = data.transpose(x, ...).values.ravel()
        _line(axes, xs, ys, flags.transpose(x, ...).values.ravel(), color="C0")
        if error is not None:
            _band(axes, xs, ys, error.transpose(x, ...).values.ravel(), "C0")
    else:
        other = others[0]
        values, labels = _positions(data, other)
        norm = Normalize(float(values.min()), float(values.max()))
        lines, line_flags = data.transpose(other, x, ...).values, flags.transpose(other, x, ...).values
        few = len(values) <= _MOST_CURVES
        for k, value in enumerate(values):
            text = labels[k] if labels else f"{_said(value)}"
            colour = f"C{k}" if labels else colours(norm(value))
            _line(axes, xs, lines[k].ravel(), line_flags[k].ravel(), color=colour, label=text if few else None)
            if error is not None:
                _band(axes, xs, lines[k].ravel(), error.transpose(other, x, ...).values[k].ravel(), colour)
        if few:
            axes.legend(title=axis_label(data[other]), fontsize="small", title_fontsize="small")
        else:
            figure.colorbar(ScalarMappable(norm, colours), ax=axes, label=axis_label(data[other]))
    axes.set_xlabel(axis_label(data[x]))
    axes.set_ylabel(axis_label(data))
    axes.label_outer()
    axes.set_xscale(_scale(xs))
    axes.set_yscale("log" if style.log else "linear")
    if ticks:
        axes.set_xticks(xs, ticks)
    pending, failed = (
        int(np.count_nonzero(flags.values == PENDING)),
        int(np.count_nonzero(flags.values == POINT_FAILED)),
    )
    notes = [f"{count:,} {text}" for count, text in ((pending, "pending"), (failed, "failed (crosses)")) if count]
    if notes:
        axes.annotate(", ".join(notes), (0.01, 0.01), xycoords="axes fraction", fontsize="small", color="#555555")


def _band(axes: Axes, xs: NDArray[Any], ys: NDArray[Any], error: NDArray[Any], colour: Any) -> None:
    """One standard error to either side of a curve."""
    axes.fill_between(xs, ys - error, ys + error, color=colour, alpha=0.2, linewidth=0)


def _line(axes: Axes, xs: NDArray[Any], ys: NDArray[Any], flags: NDArray[Any], **style: Any) -> None:
    """A curve, with crosses at the bottom where points failed."""
    axes.plot(xs, ys, marker="." if xs.size <= 40 else "", **style)
    failed = flags == POINT_FAILED
    if failed.any():
        axes.plot(
            xs[failed],
            np.zeros(int(failed.sum())),
            "x",
            color=FAILED_COLOUR,
            transform=axes.get_xaxis_transform(),
            clip_on=False,
        )


def draw_point(model: Any, method: str, parameters: Mapping[str, Any], outputs: Mapping[str, Any], path: Path) -> Path:
    """Draw the outputs of one point that are curves, one panel each, into a file."""
    from matplotlib.figure import Figure as MakeFigure

    from solvers.evaluate import parse_parameters
    from sweep.folder.layout import label

    parsed = parse_parameters(model, parameters)
    dimensions = {d.name: d for d in model.dimensions}
    curves = [o for o in model.outputs_of(method) if 1 <= len(o.dims) <= 2 and not dimensions[o.dims[0]].labels]
    curves = [o for o in curves if np.ndim(outputs[o.name]) == 1 or outputs[o.name].shape[1] <= _MOST_CURVES]
    if not curves:
        raise SpecError(
            f"{model.id} has no output that is a curve; its outputs are {', '.join(o.name for o in model.outputs)}"
        )
    figure = MakeFigure(figsize=(6.4, 2.6 * len(curves) + 0.6), layout="constrained")
    for axes, output in zip(figure.subplots(len(curves), 1, squeeze=False)[:, 0], curves, strict=True):
        along = dimensions[output.dims[0]]
        values = outputs[output.name]
        values = np.abs(values) if np.iscomplexobj(values) else values
        labels = dimensions[output.dims[1]].labels if values.ndim == 2 else ()
        lines = axes.plot(model.coordinate(along, parsed), values)
        if labels:
            axes.legend(lines, labels, fontsize="small")
        axes.set_xlabel(label(along.meaning, along.symbol, along.name))
        axes.set_ylabel(label(output.meaning, output.symbol, output.name))
    figure.suptitle(f"{model.id} ({method})", fontsize="medium")
    figure.savefig(path, dpi=150)
    return path
