"""Shapes of blocks that a grid is cut into."""

from __future__ import annotations

import math

from sweep.spec.sweep_spec import SweepSpec


def block_of(spec: SweepSpec, points: int) -> tuple[int, ...]:
    """A block of about `points` points: the last dimensions filled first, each dimension cut evenly, one method."""
    shape = []
    for dimension in reversed(spec.dimensions):
        size = dimension.size
        length = 1 if dimension.labels else max(1, min(size, points))
        length = math.ceil(size / math.ceil(size / length))
        shape.append(length)
        points //= length
    return tuple(reversed(shape))
