"""SweepSpec: a validated sweep, its canonical form and its hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sweep.records import Json

METHOD = "method"
"""The key of a spec that names the methods."""
SOLVER = "solver"
"""The dimension of a grid along which the method varies: `sel(method=...)` is an option of xarray's own."""


@dataclass(frozen=True)
class SweepDimension:
    """One dimension of the grid: `columns` maps each parameter that varies along it to its values (n,).

    The dimension of the methods has no columns; `labels` then holds the names of the methods.
    """

    name: str
    size: int
    columns: Mapping[str, NDArray[Any]]
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class SweepSpec:
    """A validated sweep.

    `dimensions` are in store order; `parameters` holds every fixed parameter, defaults included, `given` those that the
    spec names; `raw` is the mapping that was parsed, from which a file or another process gets the same sweep.
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

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(d.size for d in self.dimensions)

    @property
    def points(self) -> int:
        """Number of points, a method axis counted in."""
        return int(np.prod([d.size for d in self.dimensions], dtype=object))

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
                }
                for d in self.dimensions
            ],
            "outputs": sorted(self.keep),
        }

    def hash(self) -> str:
        """Hash of the canonical form; `name` and `[run]` do not enter."""
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
