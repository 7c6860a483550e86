"""Shapes of blocks that a grid is cut into."""

from __future__ import annotations

import math

from sweep.spec.sweep_spec import SweepSpec


def cube_of(spec: SweepSpec, points: int) -> tuple[int, ...]:
    """A block of at most about `points` points for a spec with `[refine]`: the refined axes cut alike, in powers of two, as
    its cells are, so that a boundary crosses few blocks; then the others filled as far as there is room."""
    assert spec.refine is not None
    shape = [1] * len(spec.dimensions)
    refined = [k for k, d in enumerate(spec.dimensions) if d.name in spec.refine.axes]
    others = [k for k, d in enumerate(spec.dimensions) if k not in refined and not d.labels]
    while 2 * math.prod(shape) <= points:
        room = [k for k in refined if shape[k] < spec.shape[k]]
        if not room:
            break
        shortest = min(room, key=lambda k: (shape[k], -k))
        shape[shortest] = min(2 * shape[shortest], spec.shape[shortest])
    for k in reversed(others):
        shape[k] = max(1, min(spec.shape[k], points // math.prod(shape)))
    return tuple(shape)


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
