"""How a subject is laid out: which dimensions are drawn, which make panels, what runs to the right, curves or a map.

Two dimensions at most are drawn and one of labels makes panels; whatever is left over is cut, and said: time at its end, a
spin axis at z, sites and labels at the first, other axes in the middle. A plane of two coordinates that the model computes
over, position and momentum say, is drawn as such, and a short axis makes panels of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from solvers.suggest import did_you_mean
from sweep.errors import SpecError
from sweep.folder.attributes import PHYSICAL
from sweep.folder.dataset import loaded
from sweep.pictures.style import Style
from sweep.pictures.subject import Subject, cut_at, physical, said
from sweep.spec.sweep_spec import SOLVER

if TYPE_CHECKING:
    import xarray

FEW = 8
"""Up to so many values of an axis are curves of their own, each in the legend."""
MOST_PANELS = 6
TIME = "time"


@dataclass(frozen=True)
class Horizontal:
    """What runs to the right: along the dimension `dim`, the values of `values` (over `dim`, and maybe others)."""

    dim: str
    values: xarray.DataArray


@dataclass(frozen=True)
class Arrangement:
    """A subject cut down to what is drawn: `x`, the `other` dimension if there are two, `panel`, and whether it is a map."""

    subject: Subject
    x: Horizontal
    other: str | None
    panel: str | None
    is_map: bool


def arranged(subject: Subject, style: Style) -> Arrangement:
    """Decide what is drawn how; SpecError when nothing is left to draw, or `style.along` is nothing to draw along."""
    name = str(subject.data.name)
    dims = _long(subject)
    if not dims:
        value = said(subject.data.values.reshape(-1)[0]) if subject.data.size else "nothing"
        at = f" at {', '.join(subject.cut)}" if subject.cut else ""
        raise SpecError(f"{name} is one number{at}: {value}; there is nothing to draw; leave out a --sel or --mean")
    wanted = None if style.along is None else _along(subject, style.along)
    subject = _reduced(subject, None if wanted is None else wanted.dim)
    dims = _long(subject)
    numbers = _plane(subject) or [d for d in dims if is_number(subject.data, d)]
    labels = [d for d in dims if d not in numbers]
    panel = None
    if len(numbers) == 2:
        panel = labels[0] if labels else None
        pair = numbers
    elif numbers:
        panel = next((d for d in labels if d == SOLVER), labels[0]) if len(labels) > 1 else None
        pair = numbers + [d for d in labels if d != panel]
    else:
        pair = labels
    x = wanted if wanted is not None else _horizontal(subject, _default_x(subject, pair, style))
    if x.dim == panel:
        panel = next((d for d in pair if d != x.dim), None)
        pair = [x.dim]
    other = next((d for d in pair if d != x.dim), None)
    return Arrangement(subject, x, other, panel, _is_map(subject, x, other, style))


def is_number(data: xarray.DataArray, dim: str) -> bool:
    """Whether a dimension has numbers, not labels."""
    return dim not in data.coords or data[dim].dtype.kind in "iuf"


def _long(subject: Subject) -> list[str]:
    return [str(d) for d in subject.data.dims if subject.data.sizes[d] > 1]


def _reduced(subject: Subject, needed: str | None) -> Subject:
    """Cut the dimensions beyond what a picture has."""
    data, grid = subject.data, [str(d) for d in subject.status.dims]
    dims = _long(subject)
    numbers = [d for d in dims if is_number(data, d)]
    if (plane := _plane(subject)) and needed in (None, *plane):
        panels = [d for d in dims if d not in plane and data.sizes[d] <= MOST_PANELS]
        panels.sort(key=lambda d: d != SOLVER)
        return _cut_but(subject, [*plane, *panels[:1]])
    first = sorted((d for d in numbers if d in grid), key=lambda d: -data.sizes[d])
    own = sorted((d for d in numbers if d not in grid), key=lambda d: (not _runs(subject, d), -data.sizes[d]))
    ranked = [d for d in (needed,) if d in numbers] + [d for d in (*first, *own) if d != needed]
    labels = [d for d in dims if d not in numbers]
    few = [d for d in labels if d == needed or data.sizes[d] <= MOST_PANELS]
    few.sort(key=lambda d: (d != needed, d != SOLVER))
    kept = ranked[:2] + few[: 1 if len(ranked) >= 2 else 2] or labels[:1]  # many labels are something to run along
    return _cut_but(subject, kept)


def _plane(subject: Subject) -> list[str]:
    """Two dimensions of the model's own that are coordinates of a plane; none where there are not just two."""
    own = [d for d in _long(subject) if d not in subject.status.dims and d != TIME and _runs(subject, d)]
    return own if len(own) == 2 else []


def _cut_but(subject: Subject, kept: list[str]) -> Subject:
    """The subject with all dimensions cut but `kept`."""
    grid = [str(d) for d in subject.status.dims]
    for dim in _long(subject):
        if dim not in kept:
            subject = cut_at(subject, dim, _place(subject, dim, dim in grid))
    return subject


def _place(subject: Subject, dim: str, of_grid: bool) -> int:
    """Where a dimension that is not drawn is cut."""
    size = subject.data.sizes[dim]
    if not is_number(subject.data, dim):
        labels = [str(v) for v in subject.data[dim].values.tolist()]
        return labels.index("z") if "z" in labels else 0
    if _runs(subject, dim):
        return size - 1
    return size // 2 if of_grid else int(dim.endswith("2"))  # a pair is of two different sites


def _runs(subject: Subject, dim: str) -> bool:
    """Whether a dimension is one that things happen along: time, or steps with a physical coordinate."""
    return dim == TIME or (dim in subject.data.coords and PHYSICAL in subject.data[dim].attrs)


def _default_x(subject: Subject, pair: list[str], style: Style) -> str:
    """Time runs to the right; a map has its first axis there, as papers draw diagrams; curves have the longer one."""
    many = [d for d in pair if subject.data.sizes[d] > FEW]
    running = [d for d in pair if _runs(subject, d) and (d in many or not many)]  # a few times are curves of their own
    if running:
        return running[0]
    numbers = [d for d in pair if is_number(subject.data, d)] or pair
    if len(numbers) < 2 or style.kind == "map":
        return numbers[0]
    sizes = [subject.data.sizes[d] for d in numbers]
    few = min(sizes) <= FEW or style.kind == "curves"
    return numbers[0] if not few or sizes[0] >= sizes[1] else numbers[1]


def _is_map(subject: Subject, x: Horizontal, other: str | None, style: Style) -> bool:
    if other is None or style.kind == "curves" or not is_number(subject.data, other):
        return False
    if not is_number(subject.data, x.dim) or x.values.dims != (x.dim,):
        return False
    if style.kind == "map":
        return True
    return min(subject.data.sizes[x.dim], subject.data.sizes[other]) > FEW and (
        not _runs(subject, x.dim) or other in _plane(subject)
    )


def _horizontal(subject: Subject, dim: str) -> Horizontal:
    return Horizontal(dim, physical(subject, dim))


def _along(subject: Subject, given: str) -> Horizontal:
    """What `--x` names: a dimension, a one-dimensional coordinate, or an output over dimensions of the variable."""
    name = SOLVER if given == "method" and given not in subject.data.dims else given
    dims = _long(subject)
    if name in dims:
        return _horizontal(subject, name)
    if name in subject.dataset.variables:
        values = loaded(subject.dataset[name])
        running = [str(d) for d in values.dims if d in dims]
        if running and set(values.dims) <= set(subject.data.dims) and values.dtype.kind in "iuf":
            return Horizontal(running[-1], values)
    known = sorted(
        {*dims}
        | {
            str(n)
            for n, v in subject.dataset.variables.items()
            if v.dtype.kind in "iuf" and v.ndim and set(v.dims) <= set(subject.data.dims) and set(v.dims) & set(dims)
        }
    )
    raise SpecError(
        f"--x {given} is not among what {subject.data.name} can be drawn along: {', '.join(known)}{did_you_mean(given, known)}"
    )
