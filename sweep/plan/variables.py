"""The arrays of a store, and how large a sweep is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from solvers import find
from solvers.declarations import Output
from sweep.errors import SpecError
from sweep.plan.shapes import block_of
from sweep.spec.sweep_spec import SweepSpec

STATUS = "status"
ELAPSED = "elapsed_seconds"
STATUS_POINTS = 1_000_000
"""Points in a chunk of `status`, which one driver writes for all tiles: a billion points are then a thousand files."""
LARGEST_RUN = 1 << 40
"""Bytes of results beyond which a sweep is taken for a slip of the pen."""


@dataclass(frozen=True)
class Variable:
    """One array of the store over the grid: `dims` are the grid's dimensions and then the output's own."""

    name: str
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    dtype: np.dtype[Any]
    output: Output | None = None


def variables_of(spec: SweepSpec, tile: Sequence[int]) -> tuple[Variable, ...]:
    """The arrays of a store: the outputs, `elapsed_seconds`, `status`.

    All but `status` have one chunk per tile, written by the tile's worker. (So has `elapsed_seconds`: a driver that
    wrote it for all tiles would have eight times the bytes of `status` to write again and again.)
    """
    model = find(spec.model)
    dims = tuple(d.name for d in spec.dimensions)
    tile = tuple(tile)
    lengths = model.lengths(spec.parameters)
    found = []
    for output in model.outputs:
        if output.name in spec.keep:
            own = tuple(lengths[d] for d in output.dims)
            found.append(
                Variable(output.name, dims + output.dims, spec.shape + own, tile + own, output.dtype, output),
            )
    found.append(Variable(ELAPSED, dims, spec.shape, tile, np.dtype(np.float64)))
    found.append(Variable(STATUS, dims, spec.shape, block_of(spec, STATUS_POINTS), np.dtype(np.uint8)))
    return tuple(found)


def point_bytes(spec: SweepSpec) -> tuple[int, int]:
    """Bytes of one point: of its largest variable, and of all."""
    grid = len(spec.dimensions)
    each = [math.prod(v.shape[grid:]) * v.dtype.itemsize for v in variables_of(spec, spec.shape)]
    return max(each), sum(each)


def check_size(spec: SweepSpec) -> None:
    """Refuse a sweep that nobody can have meant, with its size."""
    total = spec.points * point_bytes(spec)[1]
    if total > LARGEST_RUN:
        sizes = " x ".join(f"{d.name} {d.size}" for d in spec.dimensions)
        raise SpecError(
            f"the sweep has {spec.points:,} points ({sizes}) and would fill {total / 2**40:,.1f} TiB; at most "
            f"{LARGEST_RUN / 2**40:.0f} TiB is allowed; use fewer points, or keep fewer outputs with [outputs] keep"
        )
