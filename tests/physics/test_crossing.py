"""Where a function falls through zero: smooth, kinked, flat and steep ones, in few evaluations."""

import math

import numpy as np
import pytest

from solvers.numerics.compile import kernel
from solvers.numerics.crossing import crossing

SMOOTH, KINKED, FLAT, STEEP, NOISE = range(5)


@kernel
def falling(x, kind, root, calls):
    calls[0] += 1
    if kind == SMOOTH:
        return math.exp(-7.0 * x) - math.exp(-7.0 * root)
    if kind == KINKED:
        return max(root - x, 1e-6 * (root - x))
    if kind == FLAT:
        return (root - x) ** 9
    if kind == STEEP:
        return 1.0 if x < root else -1e-12
    return (root - x) + 1e-3 * math.sin(300.0 * x) * (root - x)


find = crossing(falling)


@kernel
def find_crossing(kind, root, resolution, calls):
    at_0, at_1 = falling(0.0, kind, root, calls), falling(1.0, kind, root, calls)
    return find(at_0, at_1, resolution, kind, root, calls)


@pytest.mark.parametrize("kind", [SMOOTH, KINKED, FLAT, STEEP, NOISE])
@pytest.mark.parametrize("root", [1e-7, 0.2, 0.5, 0.93, 1.0])
def test_the_end_found_is_just_beyond_the_root(kind, root):
    calls = np.zeros(1)
    resolution = 1e-12
    found = find_crossing(kind, root, resolution, calls)
    rounding = 0.05 if kind == FLAT else 2e-15  # the ninth power of less is zero to the last bit
    assert root - rounding <= found <= root + resolution + rounding
    assert calls[0] <= 2 + 4 * 42  # bisection takes 40; every fourth trial is one


def test_smooth_functions_take_few_trials():
    calls = np.zeros(1)
    find_crossing(SMOOTH, 0.3, 4e-15, calls)
    assert calls[0] <= 2 + 14
