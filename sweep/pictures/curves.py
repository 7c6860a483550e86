"""Curves: one variable over one axis, with a second as colours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sweep.pictures.arrangement import FEW, Arrangement, is_number
from sweep.pictures.colours import (
    CYCLE,
    DASHES,
    FAILED_COLOUR,
    ROUND_OFF,
    codes_of,
    constant,
    is_geometric,
    limits,
    ordered_map,
    scale_of,
)
from sweep.pictures.style import Style
from sweep.pictures.subject import physical, said
from sweep.pictures.words import axis_label, missing

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

MARKED = 40
"""Up to so many points of a curve are marked."""


def draw_curves(figure: Figure, panels: list[tuple[Axes, Arrangement]], whole: Arrangement, style: Style) -> None:
    """Draw the panels of curves; the legend, or the bar of an ordered axis, stands beside them."""
    legend: dict[str, Line2D] = {}
    title = ""
    notes: list[str] = []
    for axes, panel in panels:
        title = _panel(figure, axes, panel, legend, notes, style, axes is panels[-1][0])
    if legend:
        figure.legend(
            handles=list(legend.values()),
            title=title or None,
            loc="outside right center",  # beside the curves, not beside the heading, which may be long
            fontsize="small",
            title_fontsize="small",
        )
    if notes:
        figure.supxlabel("; ".join(dict.fromkeys(notes)), fontsize="small", color="#555555", x=0.01, ha="left")
    data = whole.subject.data
    _vertical([axes for axes, _ in panels], data.values, data, style)


def _panel(
    figure: Figure,
    axes: Axes,
    panel: Arrangement,
    legend: dict[str, Line2D],
    notes: list[str],
    style: Style,
    last: bool,
) -> str:
    """Draw one panel, and return the title of its legend."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LogNorm, Normalize

    subject, x, other = panel.subject, panel.x, panel.other
    data = subject.data
    flags = subject.status.broadcast_like(data)
    order = [d for d in (other, x.dim) if d is not None]
    size = 1 if other is None else data.sizes[other]
    shape = (size, data.sizes[x.dim])
    ys = data.transpose(*order, ...).values.reshape(shape).astype(float)
    codes = flags.transpose(*order, ...).values.reshape(shape)
    errors = None
    if subject.error is not None:
        errors = subject.error.transpose(*order, ...).values.reshape(shape)
    xs, ticks = _places(x.values, order, shape)
    title, texts, colours = "", [""] * size, [CYCLE[0]] * size
    bar = None
    if other is not None:
        values = physical(subject, other)
        values = values if values.dims == (other,) else data[other]
        title = axis_label(values)
        texts = [said(v) for v in values.values.tolist()]
        if size > FEW and is_number(data, other):
            log = is_geometric(values.values)
            norm: Any = (LogNorm if log else Normalize)(float(values.min()), float(values.max()))
            bar, colours = ScalarMappable(norm, ordered_map()), [ordered_map()(norm(v)) for v in values.values.tolist()]
        else:
            colours = [CYCLE[k % len(CYCLE)] for k in range(size)]
    for k in range(size):
        dash = "-" if bar is not None or size == 1 else DASHES[k % len(DASHES)]
        line = _line(axes, xs[k], ys[k], codes[k], colours[k], dash)
        if errors is not None:
            axes.fill_between(xs[k], ys[k] - errors[k], ys[k] + errors[k], color=colours[k], alpha=0.2, linewidth=0)
        if bar is None and other is not None:
            line.set_label(texts[k])
            legend.setdefault(texts[k], line)
    if bar is not None and last:
        figure.colorbar(bar, ax=axes, label=title)
    if errors is not None:
        notes.append("bands: one standard error")
    if data.name != "status":
        for kind, text, where in missing(data, codes, ys):
            count = f"{text} ({int(where.sum()):,})"
            notes.append({"pending": count, "failed": f"{count}, crosses", "nan": f"gaps: {count}"}[kind])
    axes.set_xlabel(axis_label(x.values))
    axes.set_ylabel(axis_label(data))
    axes.label_outer()
    if ticks:
        axes.set_xticks(range(len(ticks)), ticks)
    elif style.logx or is_geometric(np.sort(xs[0])):
        axes.set_xscale("log")
    return title


def _places(values: xarray.DataArray, order: list[str], shape: tuple[int, int]) -> tuple[NDArray[Any], list[str]]:
    """Where points stand to the right (curves, points); labels stand at 0, 1, 2, ... with their texts."""
    if values.dtype.kind not in "iuf":
        return np.broadcast_to(np.arange(shape[1]), shape), [str(v) for v in values.values.tolist()]
    own = values.transpose(*[d for d in order if d in values.dims], ...).values.astype(float)
    return np.broadcast_to(own.reshape((shape[0] if own.size == np.prod(shape) else 1, shape[1])), shape), []


def _line(axes: Axes, xs: NDArray[Any], ys: NDArray[Any], flags: NDArray[Any], colour: Any, dash: str) -> Line2D:
    """A curve, with crosses at the bottom where points failed."""
    from sweep.folder.codes import POINT_FAILED

    (line,) = axes.plot(xs, ys, marker="." if xs.size <= MARKED else "", color=colour, linestyle=dash)
    failed = flags == POINT_FAILED
    if failed.any():
        bottom = np.zeros(int(failed.sum()))
        axes.plot(xs[failed], bottom, "x", color=FAILED_COLOUR, transform=axes.get_xaxis_transform(), clip_on=False)
    return line


def _vertical(panels: list[Axes], values: NDArray[Any], data: xarray.DataArray, style: Style) -> None:
    """The scale of the values: logarithmic if asked, wide around a constant, words for a code."""
    values = values.astype(float)
    codes, scale = codes_of(data.attrs), scale_of(data.attrs)
    low, high = limits(values, scale)
    for axes in panels:
        if style.log or style.logy:
            axes.set_yscale("log", nonpositive="mask")
            positive = values[np.isfinite(values) & (values > 0)]
            if positive.size and positive.min() < high * ROUND_OFF:
                axes.set_ylim(bottom=high * ROUND_OFF)
        elif codes:
            axes.set_yticks(list(codes), list(codes.values()))
        elif constant(values, scale) is not None:
            axes.set_ylim(low, high)
        if style.vmin is not None or style.vmax is not None:
            axes.set_ylim(style.vmin, style.vmax)
