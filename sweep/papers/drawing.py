"""One manner for all figures of papers: colours of `plot`, letters on the panels, legends beside the data."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cycler import cycler

from sweep.papers.figures import Data, Figure
from sweep.pictures.colours import CYCLE
from sweep.pictures.saving import check_ending

if TYPE_CHECKING:
    from matplotlib.axes import Axes

METHODS = {
    "exact": ("k", "-"),
    "analytic": ("k", "-"),
    "site": (CYCLE[0], "--"),
    "mean_field": (CYCLE[0], "--"),
    "uniform": (CYCLE[2], "-."),
    "mean_field_uniform": (CYCLE[2], "-."),
    "cumulant": (CYCLE[0], "--"),
    "printed": (CYCLE[1], ":"),
}
"""Colour and dashes of a method, the same in every figure."""
WORDS = {
    "mean_field": "mean field",
    "mean_field_uniform": "bulk mean field",
    "uniform": "bulk mean field",
    "site": "mean field",
    "cumulant": "2nd cumulants",
    "printed": "as printed",
}
"""Methods in a legend."""


def look(method: str) -> Mapping[str, Any]:
    """Colour, dashes and label of a method's curve."""
    colour, dashes = METHODS[method]
    return {"color": colour, "linestyle": dashes, "label": WORDS.get(method, method)}


def letter(axes: Axes, panel: str, title: str = "") -> None:
    """Name a panel at its upper left."""
    axes.set_title(f"({panel}) {title}" if panel else title, loc="left", fontsize="medium")


def legend(axes: Axes, **options: Any) -> None:
    """A legend to the right of a panel, where it covers nothing."""
    axes.legend(
        loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0.0, fontsize="small", frameon=False, **options
    )


def legend_below(figure: Any, axes: Axes, columns: int) -> None:
    """One legend for panels that have the same curves, below all of them."""
    figure.legend(
        *axes.get_legend_handles_labels(), loc="outside lower center", ncols=columns, fontsize="small", frameon=False
    )


def points(axes: Axes, x: Any, values: Any, errors: Any, **options: Any) -> None:
    """Means over draws, as points with their standard errors."""
    axes.errorbar(x, values, errors, fmt="o", ms=3, elinewidth=0.8, **options)


def _manner() -> AbstractContextManager[None]:
    import matplotlib

    wanted = {
        "axes.prop_cycle": cycler(color=CYCLE),
        "axes.grid": True,
        "grid.color": "0.92",
        "axes.axisbelow": True,
        "font.size": 11.0,
        "lines.linewidth": 1.6,
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
    manner: AbstractContextManager[None] = matplotlib.rc_context(wanted)
    return manner


def draw(figure: Figure, data: Data, path: Path, resolution: int = 150) -> Path:
    """Draw a figure into a file and return its path."""
    from matplotlib.figure import Figure as Canvas

    assert figure.draw is not None
    check_ending(path)
    with _manner():
        canvas = Canvas(figsize=figure.size, layout="constrained")
        figure.draw(canvas, data)
        path.parent.mkdir(parents=True, exist_ok=True)
        canvas.savefig(path, dpi=resolution)
    return path
