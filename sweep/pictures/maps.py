"""A map: one variable over two axes as colours."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sweep.pictures.arrangement import Arrangement
from sweep.pictures.colours import (
    CYCLE,
    FAILED_COLOUR,
    PENDING_COLOUR,
    Colours,
    codes_of,
    colours_for,
    constant,
    is_geometric,
    scale_of,
)
from sweep.pictures.style import Style
from sweep.pictures.subject import physical, said
from sweep.pictures.words import axis_label, missing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOUR_OF = {"pending": PENDING_COLOUR, "failed": FAILED_COLOUR, "nan": "#ffffff"}
_HATCH, _HATCHES = "///", "#b0b0b0"
"""Over what is declared to have no value, and the colour of it."""


def draw_maps(figure: Figure, panels: list[tuple[Axes, Arrangement]], whole: Arrangement, style: Style) -> None:
    """Draw the panels of a map, which share one scale; what has no value, and codes, are in a legend below."""
    from matplotlib.patches import Patch

    data = whole.subject.data
    codes = codes_of(data.attrs)
    colours = None if codes else colours_for(data.values, data.attrs, style)
    legend: Counter[tuple[str, str]] = Counter()
    mesh: Any = None
    for axes, panel in panels:
        mesh = _map(axes, panel, colours, codes, legend, style)
    level = constant(data.values, scale_of(data.attrs))
    if not codes and np.isfinite(data.values).any():
        bar = figure.colorbar(mesh, ax=[axes for axes, _ in panels], label=axis_label(data))
        if level is not None:
            bar.set_ticks([level], labels=[f"{said(level)}\neverywhere"])
    elif codes:
        panels[-1][0].set_title(panels[-1][0].get_title() or axis_label(data), fontsize="medium")
    if legend:
        handles = [
            Patch(
                facecolor=_COLOUR_OF.get(kind, kind),
                label=f"{text} ({count:,})",
                hatch=_HATCH if kind == "nan" else None,
                edgecolor=_HATCHES,
            )
            for (kind, text), count in legend.items()
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=4, fontsize="small")


def _map(
    axes: Axes,
    panel: Arrangement,
    colours: Colours | None,
    codes: dict[int, str],
    legend: Counter[tuple[str, str]],
    style: Style,
) -> Any:
    from matplotlib.colors import BoundaryNorm, ListedColormap

    subject, x, y = panel.subject, panel.x.dim, str(panel.other)
    data = subject.data.transpose(y, x, ...)
    values = data.values.reshape(data.sizes[y], data.sizes[x])
    flags = subject.status.broadcast_like(subject.data).transpose(y, x, ...).values.reshape(values.shape)
    horizontal, vertical = panel.x.values, physical(subject, y)
    if vertical.dims != (y,):
        vertical = data[y]
    xs, ys = horizontal.values, vertical.values
    if codes:
        known = sorted(codes)
        colours = Colours(
            ListedColormap([CYCLE[k % len(CYCLE)] for k in range(len(known))]),
            BoundaryNorm([k - 0.5 for k in known] + [known[-1] + 0.5], len(known)),
        )
        for k, code in enumerate(known):
            count = int(np.count_nonzero(values == code))
            if count:
                legend[CYCLE[k % len(CYCLE)], codes[code]] += count
    assert colours is not None
    drawn = np.ma.masked_invalid(_raised(values.astype(float), colours))
    mesh = axes.pcolormesh(xs, ys, drawn, shading="nearest", cmap=colours.cmap, norm=colours.norm, rasterized=True)
    for kind, text, where in [] if data.name == "status" else missing(subject.data, flags, values.astype(float)):
        legend[kind, text] += int(where.sum())
        if kind == "nan":  # the ground that such cells, which have no colour, let through: a hatch costs nothing there
            axes.patch.set(facecolor=_COLOUR_OF[kind], hatch=_HATCH, edgecolor=_HATCHES, linewidth=0)
            continue
        cover = ListedColormap([_COLOUR_OF[kind]])
        layer = np.ma.masked_where(~where, np.ones(where.shape))
        axes.pcolormesh(xs, ys, layer, shading="nearest", cmap=cover, rasterized=True)
    axes.set_xlabel(axis_label(horizontal))
    axes.set_ylabel(axis_label(vertical))
    axes.label_outer()
    axes.set_xscale("log" if style.logx or is_geometric(xs) else "linear")
    axes.set_yscale("log" if style.logy or is_geometric(ys) else "linear")
    return mesh


def _raised(values: NDArray[Any], colours: Colours) -> NDArray[Any]:
    """Values below a logarithmic scale brought up to its lowest colour, which would leave zeros blank."""
    from matplotlib.colors import LogNorm

    if not isinstance(colours.norm, LogNorm) or colours.norm.vmin is None:
        return values
    return np.asarray(np.maximum(values, colours.norm.vmin))
