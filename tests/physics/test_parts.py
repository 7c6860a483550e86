"""Kernels become machine code only within entries, and are optimised once however many callers they have."""

from __future__ import annotations

import math
import subprocess
import sys

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


ORDERS = """
import hashlib, re, sys
import numba
import numpy as np
from numba.core.bytecode import FunctionIdentity
from numba.core.caching import NullCache
from solvers.numerics.compile import FASTMATH, entry, kernel

if sys.argv[1] == "alike":
    natural = FunctionIdentity.from_function
    def from_function(cls, function):
        identity = natural.__func__(cls, function)
        identity.unique_id = 1
        identity.unique_name = identity.func_qualname + "$1"
        return identity
    FunctionIdentity.from_function = classmethod(from_function)


@kernel
def plain(x, n):
    z = complex(x[0], x[1])
    return np.sum(x) + x[0] ** n + (z * complex(x[2], x[3]) / (z - x[4])).real


@kernel(fastmath=FASTMATH)
def fast(x, n):
    z = complex(x[0], x[1])
    return np.sum(x) + x[1] ** n - plain(x, n) + (z * complex(x[2], x[3]) / (z - x[4])).imag


@kernel(fastmath=FASTMATH, inline="always")
def filled(x, n):
    y = np.zeros(len(x))
    for i in range(len(x)):
        y[i] = x[i] ** n
    y[:2] = x[:2] * x[1:3] + 1.0
    return y


@entry
def of_plain(x, n):
    return plain(x, n)


@entry(fastmath=FASTMATH)
def of_fast(x, n):
    return fast(x, n) + np.sum(x * x)


@entry
def of_filled(x, n):
    return np.sum(filled(x, n)) + np.mean(np.abs(x) + fast(x, n))


def theirs(x, n):
    return np.sum(x) + np.zeros(3)[1] + x[0] ** n


theirs, theirs_fast = numba.njit(theirs), numba.njit(fastmath=FASTMATH, error_model="numpy")(theirs)
x = np.random.default_rng(3).normal(size=1001)
found = []
for name in sys.argv[2:]:
    function = globals()[name]
    if name.startswith("theirs"):
        function(x, 5)
        continue
    function._cache = NullCache()
    value = function(x, 5)
    (text,) = function.inspect_asm().values()
    # names hold counts of one process, and the places that messages of errors name
    lines = [re.sub(r"_ZN\\S+|[.](L|const|bytes|within)\\S+", "NAME", x) for x in text.splitlines() if re.match(r"\\t[^.]", x)]
    found.append(f"{name} {value.hex()} {len(lines)} {hashlib.sha256('|'.join(lines).encode()).hexdigest()}")
print(*sorted(found), sep="\\n")
"""


def test_machine_code_is_the_same_in_whatever_order_it_is_compiled(tmp_path):
    """Also between functions of a user's own, and when Numba's numbers do not tell its functions apart.

    Numba hands its own functions the flags of their callers, but finds them again by their arguments alone, and names the
    product of complex numbers alike with and without these flags.
    """
    script = tmp_path / "orders.py"
    script.write_text(ORDERS)
    orders = [
        ["natural", "of_plain", "of_fast", "of_filled"],
        ["alike", "theirs_fast", "of_filled", "theirs", "of_fast", "of_plain"],
    ]
    running = [
        subprocess.Popen([sys.executable, script, *order], stdout=subprocess.PIPE, text=True) for order in orders
    ]
    told = [process.communicate(timeout=300)[0] for process in running]
    assert told[0].count("\n") == 3
    assert told[0] == told[1]
