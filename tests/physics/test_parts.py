"""Kernels become machine code only within entries, and are optimised once however many callers they have."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numba.core.caching import NullCache
from numba.core.codegen import CPUCodeLibrary

from solvers.numerics.compile import FASTMATH, kernel
from solvers.numerics.compile import entry as kept


def entry(function):
    """An entry whose machine code is not kept: what is kept is below the package."""
    dispatcher = kept(function)
    dispatcher._cache = NullCache()
    return dispatcher


def lines(x):
    """A function too long to be made its callers' own."""
    total = 0.0
    for k in range(4):
        for a in x:
            total += math.sin(a) + math.cos(k * a) - math.exp(-a * a) + math.sqrt(abs(a)) * math.tanh(k - a)
            total *= math.log(2.0 + a) + math.atan(a) / (1.0 + math.sinh(a) ** 2) - math.log1p(abs(a))
        for a in x[::-1]:
            total -= a * math.cosh(k * a) if a > 0.5 else math.erf(a) - math.gamma(1.0 + abs(a))
    return total


long = kernel(lines)


@kernel
def first(x, wanted):
    return long(x) if wanted else x[0]


@kernel
def second(x):
    return long(x) + x[1]


@entry
def of_both(x):
    return first(x, False) + second(x)


def test_a_part_that_an_earlier_caller_left_aside_is_there_for_a_later_one():
    """`first` does not call `long` once it knows that it is not wanted."""
    x = np.linspace(0.1, 0.9, 7)
    assert of_both(x) == pytest.approx(x[0] + lines(x) + x[1], rel=1e-14)


def test_parts_are_optimised_once_and_entries_whole(monkeypatch):
    @kernel
    def leaf(x):
        return 3.0 * x + 1.0

    @kernel
    def left(x):
        return leaf(x) * leaf(x + 1.0)

    @kernel
    def right(x):
        return leaf(x) - left(x)

    @entry
    def top(x):
        return left(x) + right(x) + leaf(x)

    optimised = []
    original = CPUCodeLibrary._optimize_final_module

    def counting(self):
        optimised.append(self.name.split(".")[-1].split("_content_")[0])
        original(self)

    monkeypatch.setattr(CPUCodeLibrary, "_optimize_final_module", counting)
    assert top(0.5) == 2 * 2.5
    assert sorted(optimised) == ["leaf", "left", "right", "top"]


@kernel(fastmath=FASTMATH)
def mean_of_squares(x):
    return np.sum(x * x) / len(x)


@entry
def by_entry(x):
    return mean_of_squares(x)


def test_a_kernel_called_from_python_gives_the_numbers_of_its_entry():
    x = np.random.default_rng(1).normal(size=101)
    assert mean_of_squares(x) == pytest.approx(by_entry(x), rel=1e-15)
    assert by_entry(x) == pytest.approx(np.mean(x**2), rel=1e-14)
