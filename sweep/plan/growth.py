"""How one sweep grows into another: axes that only gained values, everything else the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sweep.spec.sweep_spec import SweepDimension, SweepSpec, plain

_TOLD = 3
"""Values of an axis that are named."""


@dataclass(frozen=True)
class Growth:
    """`places` maps every place along each dimension of the new grid to its place in the old one, -1 where it is new."""

    old: SweepSpec
    new: SweepSpec
    places: tuple[NDArray[np.int64], ...]

    @property
    def kept(self) -> int:
        """Points that both grids have."""
        return self.old.points

    @property
    def added(self) -> int:
        """Points that are new."""
        return self.new.points - self.old.points

    def text(self) -> str:
        """What is added, for reading."""
        grown = [
            f"{d.name} from {int((places >= 0).sum())} to {d.size} values"
            for d, places in zip(self.new.dimensions, self.places, strict=True)
            if (places < 0).any()
        ]
        return f"extending {', '.join(grown)}: {self.added:,} new points, {self.kept:,} are kept"

    def forward(self) -> tuple[NDArray[np.int64], ...]:
        """Every place along each dimension of the old grid in the new one."""
        found = []
        for places, dimension in zip(self.places, self.old.dimensions, strict=True):
            forward = np.empty(dimension.size, dtype=np.int64)
            forward[places[places >= 0]] = np.flatnonzero(places >= 0)
            found.append(forward)
        return tuple(found)


def compare(old: SweepSpec, new: SweepSpec) -> Growth | list[str]:
    """How `new` grows out of `old`; or, where it does not, every difference that stands in the way, in words."""
    found = _changes("", {"model": old.model, "seed": old.seed}, {"model": new.model, "seed": new.seed})
    if sorted(old.keep) != sorted(new.keep):
        found.append(f"outputs were {', '.join(old.keep)}, now {', '.join(new.keep)}")
    names, before = [d.name for d in new.dimensions], [d.name for d in old.dimensions]
    if names != before:
        return [*found, f"dimensions were {', '.join(before)}, now {', '.join(names)}"]
    fixed = {n: plain(v) for n, v in old.parameters.items()}, {n: plain(v) for n, v in new.parameters.items()}
    found += _changes("parameter ", *fixed)
    if not any(d.labels for d in old.dimensions):
        found += _changes("", {"method": old.methods}, {"method": new.methods})
    places = []
    for was, now in zip(old.dimensions, new.dimensions, strict=True):
        if set(was.columns) != set(now.columns):
            found.append(f"dimension {was.name} varied {', '.join(was.columns)}, now {', '.join(now.columns)}")
            continue
        index = {row: k for k, row in enumerate(_rows(was))}
        places.append(np.asarray([index.pop(row, -1) for row in _rows(now)], dtype=np.int64))
        if index:
            lost = [str(was.coordinate[k]) for k in list(index.values())[:_TOLD]]
            more = ", ..." if len(index) > _TOLD else ""
            found.append(f"axis {was.name} lost {len(index)} of {was.size} values ({', '.join(lost)}{more})")
    if found:
        return found
    growth = Growth(old, new, tuple(places))
    return _changed_formulas(growth) or growth


def _changes(what: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    names = list(dict.fromkeys((*old, *new)))
    return [
        f"{what}{name} was {_short(old.get(name))}, now {_short(new.get(name))}"
        for name in names
        if repr(old.get(name)) != repr(new.get(name))
    ]


def _short(value: Any) -> str:
    text = "not given" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _rows(dimension: SweepDimension) -> list[tuple[Any, ...]]:
    """What tells the points along a dimension apart: the label, or the bits of every column; rows of a zipped dimension
    may repeat, and are told apart by how often they came before."""
    if dimension.labels:
        return [(label,) for label in dimension.labels]
    columns = [np.ascontiguousarray(values) for _, values in sorted(dimension.columns.items())]
    seen: Counter[tuple[Any, ...]] = Counter()
    rows = []
    for k in range(dimension.size):
        row = tuple(str(c[k]) if c.dtype.kind == "U" else (c[k] + 0).tobytes() for c in columns)  # -0.0 is 0.0
        rows.append((*row, seen[row]))
        seen[row] += 1
    return rows


def _changed_formulas(growth: Growth) -> list[str]:
    old, new = growth.old, growth.new
    if set(old.derived) != set(new.derived):
        return [f"formulas were for {', '.join(old.derived) or 'none'}, now for {', '.join(new.derived) or 'none'}"]
    forward = growth.forward()
    found = []
    for name, was in old.derived.items():
        now = new.derived[name]
        same = was.along == now.along and np.array_equal(
            was.values, now.values[np.ix_(*(forward[k] for k in now.along))]
        )
        if not same:
            found.append(f"formula {name} was {was.formula}, now {now.formula}")
    return found
