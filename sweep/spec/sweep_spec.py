"""SweepSpec: a validated sweep, its canonical form and its hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sweep.records import Json

METHOD = "method"
"""The key of a spec that names the methods."""
REFINE = "refine"
"""The section of a spec that says how a grid is refined."""
SOLVER = "solver"
"""The dimension of a grid along which the method varies: `sel(method=...)` is an option of xarray's own."""


@dataclass(frozen=True)
class SweepDimension:
    """One dimension of the grid: `columns` maps each parameter that varies along it to its values, (n,) or (n, ...) for arrays.

    The dimension of the methods has no columns; `labels` then holds the names of the methods. `marks` are columns of
    labels that are no parameters (n,); the one with the dimension's own name is its coordinate.
    """

    name: str
    size: int
    columns: Mapping[str, NDArray[Any]]
    labels: tuple[str, ...] = ()
    marks: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    @property
    def coordinate(self) -> NDArray[Any]:
        """What the dimension is addressed by (n,): its labels, its parameter's numbers, or the numbers of its points."""
        if self.labels:
            return np.asarray(self.labels)
        values = self.marks.get(self.name, self.columns.get(self.name))
        return values if values is not None and values.ndim == 1 else np.arange(self.size)


@dataclass(frozen=True)
class Derived:
    """A parameter that follows from others: its formula, the places of the dimensions along which it varies (ascending),
    and its values along these."""

    formula: str
    along: tuple[int, ...]
    values: NDArray[Any]


@dataclass(frozen=True)
class Tolerance:
    """A change of a number that counts: in its own unit, or as a `share` of its range over the start grid."""

    value: float
    share: bool


@dataclass(frozen=True)
class Watched:
    """An output, or its `sign`, by whose changes a grid is refined; a number has a `tolerance`, a class has none."""

    output: str
    sign: bool
    tolerance: Tolerance | None

    @property
    def word(self) -> str:
        """As a spec has it."""
        return f"sign({self.output})" if self.sign else self.output


@dataclass(frozen=True)
class Refinement:
    """How a grid is refined: from every 2^`depth`-th value of the `axes`, by what is `watched`; the rest is interpolated,
    or left pending. It says which points are computed, and has no part in their numbers."""

    depth: int
    watched: tuple[Watched, ...]
    axes: tuple[str, ...]
    interpolate: bool = True


@dataclass(frozen=True)
class SweepSpec:
    """A validated sweep.

    `dimensions` are in store order; `parameters` holds every fixed parameter, defaults included, `given` those that the
    spec names; `derived` the parameters that follow from others and vary. `raw` is the mapping that was parsed, from which a file or another process gets the same sweep.
    """

    name: str
    model: str
    methods: tuple[str, ...]
    seed: int
    dimensions: tuple[SweepDimension, ...]
    parameters: Mapping[str, Any]
    given: Mapping[str, Any]
    keep: tuple[str, ...]
    raw: Json = field(repr=False, compare=False)
    tile: Mapping[str, int] | None = None
    retries: int = 2
    max_failures: float | int | None = None
    derived: Mapping[str, Derived] = field(default_factory=dict)
    refine: Refinement | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(d.size for d in self.dimensions)

    @property
    def points(self) -> int:
        """Number of points, a method axis counted in."""
        return int(np.prod([d.size for d in self.dimensions], dtype=object))

    @property
    def varying(self) -> tuple[str, ...]:
        """The names of all parameters that vary over the grid."""
        return (*(name for d in self.dimensions for name in d.columns), *self.derived)

    def at(self, places: Sequence[NDArray[np.integer[Any]]]) -> dict[str, NDArray[Any]]:
        """The parameters that vary, by name, at points of the grid.

        `places` holds the indices along each dimension, arrays that broadcast against one another. A value has the shape
        to which the indices of its own dimensions broadcast, followed by the parameter's own dimensions.
        """
        points = {
            name: values[place]
            for dimension, place in zip(self.dimensions, places, strict=True)
            for name, values in dimension.columns.items()
        }
        points |= {name: d.values[tuple(places[k] for k in d.along)] for name, d in self.derived.items()}
        return points

    def fixed(self, points: Mapping[str, Any]) -> Mapping[str, Any]:
        """The parameters that are the same at all points, without those that are given per point."""
        return {k: v for k, v in self.parameters.items() if k not in points and v is not None}

    def failures_allowed(self) -> int | None:
        """The largest number of failed points that does not end the run; None for no limit."""
        if self.max_failures is None:
            return None
        if isinstance(self.max_failures, float):
            return int(self.max_failures * self.points)
        return self.max_failures

    def canonical(self) -> Json:
        """What decides the numbers, as plain JSON values: equal for two specs exactly when their results are.

        The dimension of the methods goes by the spec's word for them, whatever a store calls it.
        """
        return {
            "model": self.model,
            "methods": list(self.methods),
            "seed": self.seed,
            "parameters": {name: plain(value) for name, value in sorted(self.parameters.items())},
            "dimensions": [
                {
                    "name": METHOD if d.labels else d.name,
                    "labels": list(d.labels),
                    "columns": {k: plain(v) for k, v in d.columns.items()},
                    **({"marks": {k: plain(v) for k, v in d.marks.items()}} if d.marks else {}),
                }
                for d in self.dimensions
            ],
            "outputs": sorted(self.keep),
            **({"derived": {k: plain(d.values) for k, d in sorted(self.derived.items())}} if self.derived else {}),
        }

    def hash(self) -> str:
        """Hash of the canonical form; `name`, `[run]` and `[refine]` do not enter."""
        text = json.dumps(self.canonical(), sort_keys=True, separators=(",", ":"))
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def plain(value: Any) -> Any:
    """Arrays and NumPy numbers as JSON values; complex arrays as {"re": ..., "im": ...}."""
    if isinstance(value, np.ndarray):
        if value.dtype.kind == "c":
            return {"re": value.real.tolist(), "im": value.imag.tolist()}
        return value.tolist()
    if isinstance(value, complex):
        return {"re": value.real, "im": value.imag}
    return value.item() if isinstance(value, np.generic) else value
