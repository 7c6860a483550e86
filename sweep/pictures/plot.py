"""Pictures of a run: what suits the variable by itself, a map over two axes or curves over one, and what was asked for.

Axes carry the short name, symbol and unit that the store has. Points that failed, points that are still to come, and points
whose result is legitimately NaN (an unlocked phase, say) look different and are counted in the legend.
"""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweep.folder.codes import INTERPOLATED
from sweep.folder.dataset import open as open_run
from sweep.folder.places import in_bucket
from sweep.pictures.arrangement import Arrangement, arranged
from sweep.pictures.curves import draw_curves
from sweep.pictures.maps import draw_maps
from sweep.pictures.saving import check_ending, file_name, save
from sweep.pictures.style import Style
from sweep.pictures.subject import check_variable, cut_at, main_output, physical, said, subject

if TYPE_CHECKING:
    import xarray
    from matplotlib.figure import Figure

PANEL_SIZE, SMALL_PANEL_SIZE = (5.6, 4.4), (3.9, 4.0)
WIDEST = 70
"""Characters of a heading on one line over one panel."""


def draw(
    folder: Path,
    variable: str | None = None,
    output: Path | None = None,
    selection: Mapping[str, Any] | None = None,
    style: Style | None = None,
) -> Path:
    """Draw a variable of a run (None: its main output) into a file and return its path.

    Without `output` the file is `<run>/plots/<variable, cut and style>.png`, and below `plots/<run>` of the current folder
    for a run in a bucket. Raises SpecError for what cannot be drawn and
    RunError for what cannot be read or written.
    """
    if output is not None:
        check_ending(output)
    style = style or Style()
    dataset = open_run(folder)
    name = variable or main_output(dataset)
    figure = picture(dataset, name, selection, style)
    own = Path("plots", folder.name) if in_bucket(folder) else folder / "plots"
    return save(figure, output or own / file_name([name, *_words(selection, style)]))


def picture(
    dataset: xarray.Dataset,
    variable: str | None = None,
    selection: Mapping[str, Any] | None = None,
    style: Style | None = None,
) -> Figure:
    """A figure of a variable of an open run (None: its main output); what cannot be drawn besides is cut, and said."""
    from matplotlib.figure import Figure as MakeFigure

    style = style or Style()
    variable = variable or main_output(dataset)
    check_variable(dataset, variable)
    whole = arranged(subject(dataset, variable, dict(selection or {}), style), style)
    count = 1 if whole.panel is None else whole.subject.data.sizes[whole.panel]
    width, height = PANEL_SIZE if count < 3 else SMALL_PANEL_SIZE
    figure = MakeFigure(figsize=(width * count + 1.2, height + 0.4), layout="constrained")
    panels = []
    for k, axes in enumerate(figure.subplots(1, count, squeeze=False, sharey=True)[0]):
        if whole.panel is None:
            panels.append((axes, whole))
            continue
        along = physical(whole.subject, whole.panel)
        along = along if along.dims == (whole.panel,) else whole.subject.data[whole.panel]
        axes.set_title(f"{along.name} = {said(along.values[k])}", fontsize="medium")
        panels.append((axes, _of_panel(whole, k)))
    said_of_it = [*whole.subject.cut]
    if share := float((whole.subject.status == INTERPOLATED).mean()):
        said_of_it.append(f"{100 * share:.3g} % interpolated")
    heading = str(dataset.attrs.get("title", "")) + (f" ({', '.join(said_of_it)})" if said_of_it else "")
    lines = textwrap.wrap(heading, max(WIDEST, round(WIDEST * width * count / PANEL_SIZE[0])))
    figure.suptitle("\n".join(lines) if style.title is None else style.title, fontsize="medium")
    (draw_maps if whole.is_map else draw_curves)(figure, panels, whole, style)
    return figure


def _of_panel(whole: Arrangement, place: int) -> Arrangement:
    """The arrangement of one panel."""
    dim = str(whole.panel)
    x = whole.x
    if dim in x.values.dims:
        x = dataclasses.replace(x, values=x.values.isel({dim: place}))
    return dataclasses.replace(whole, subject=cut_at(whole.subject, dim, place), x=x)


def _words(selection: Mapping[str, Any] | None, style: Style) -> list[str]:
    """What tells pictures of one variable apart, for the name of a file."""
    words = [f"{name}={value}" for name, value in (selection or {}).items()]
    default = Style()
    for name in ("along", "kind", "part", "against", "mean"):
        value = getattr(style, name)
        if value != getattr(default, name):
            words.append(value if name == "kind" else f"{'x' if name == 'along' else name}={value}")
    return words + [name for name in ("db", "log", "logx", "logy") if getattr(style, name)]
