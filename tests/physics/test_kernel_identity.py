"""A kernel from the compile cache never calls another kernel's code, however Numba happens to number functions."""

from __future__ import annotations

import os
import pickle
import random
import subprocess
import sys
from pathlib import Path

import llvmlite.binding
import numpy as np
import pytest

import solvers
from solvers.numerics import machine_code
from solvers.numerics.compile import FASTMATH, kernel
from solvers.numerics.identity import SEPARATOR, content_digest, named_by_content

# Every function gets the number 1, those of Numba's own library included, as in the worst mix of cache files.
# What each symbol stands for is written down: two contents behind one symbol are the fault.
SCRIPT = """
import pickle, sys, warnings
import numpy as np
from numba.core import funcdesc
from numba.core.bytecode import FunctionIdentity
import solvers
from solvers.numerics.identity import NoIdentity, content_digest

out, alike, names = sys.argv[1], sys.argv[2] == "alike", sys.argv[3:]
meaning = {}
if alike:
    natural = FunctionIdentity.from_function
    def from_function(cls, pyfunc):
        identity = natural.__func__(cls, pyfunc)
        identity.unique_id = 1
        identity.unique_name = identity.func_qualname + "$1"
        try:
            digest = content_digest(identity.func)
        except NoIdentity as error:
            digest = str(error)
        meaning.setdefault((identity.modname, identity.func_qualname), set()).add(digest)
        return identity
    FunctionIdentity.from_function = classmethod(from_function)
warnings.simplefilter("ignore")
found = {}
for name in names:
    model, method = name.split(":")
    example = solvers.models()[model].example
    found[name] = {k: np.asarray(v) for k, v in solvers.solve(model, method, **example).items()}
with open(out, "wb") as stream:
    pickle.dump((found, meaning), stream)
"""


def _start(cache: Path, out: Path, numbering: str, names: list[str]) -> subprocess.Popen[str]:
    environment = os.environ | {"SPINSWEEP_CACHE_DIR": str(cache)}
    command = [sys.executable, "-c", SCRIPT, str(out), numbering, *names]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


def _finish(process: subprocess.Popen[str], out: Path):
    _, errors = process.communicate(timeout=1200)
    assert process.returncode == 0, errors
    return pickle.loads(out.read_bytes())


def _same(found, expected):
    assert set(found) == set(expected)
    other = {
        (name, key): np.abs(found[name][key] - value).max()
        for name, outputs in expected.items()
        for key, value in outputs.items()
        if found[name][key].tobytes() != value.tobytes()
    }
    assert not other, "other bits than in a quiet process, with the largest difference"


def _run_in_orders(tmp_path, names, expected):
    """From an empty folder two processes at a time, then from the full one; every result as in a quiet process."""
    cache = tmp_path / "cache"
    shuffled = random.Random(5).sample(names, len(names))
    # halves, so that files of one process are linked into what the other compiles
    rounds = [
        [shuffled[: len(names) // 2], shuffled[len(names) // 2 :][::-1]],
        [names, names[::-1]],
        [shuffled, shuffled[::-1]],
    ]
    meanings: dict[tuple[str, str], set[str]] = {}
    for number, orders in enumerate(rounds):
        outs = [tmp_path / f"{number}-{k}" for k in range(len(orders))]
        running = [_start(cache, out, "alike", order) for out, order in zip(outs, orders, strict=True)]
        for process, out, order in zip(running, outs, orders, strict=True):
            found, meaning = _finish(process, out)
            _same(found, {name: expected[name] for name in order})
            for symbol, digests in meaning.items():
                meanings.setdefault(symbol, set()).update(digests)
    return cache, meanings


def _pairs(*models: str) -> list[str]:
    known = solvers.models()
    return [f"{i}:{m.name}" for i in (models or known) for m in known[i].methods if not i.startswith("toy.")]


@pytest.mark.slow
def test_a_battery_solve_does_not_change_a_magnet(tmp_path):
    """The fault as it was found: interpolants of two integrators exchanged, M_x wrong with status 0."""
    names = [*_pairs("battery.trajectory"), "heisenberg.dynamics:cumulant", "heisenberg.dynamics:mean_field"]
    quiet = _start(tmp_path / "quiet", tmp_path / "quiet.out", "natural", names)
    expected, _ = _finish(quiet, tmp_path / "quiet.out")
    _run_in_orders(tmp_path, names, expected)


@pytest.mark.slow
def test_all_examples_in_any_order_of_compilation(tmp_path):
    names = _pairs()
    quiet = _start(tmp_path / "quiet", tmp_path / "quiet.out", "natural", names)
    expected, _ = _finish(quiet, tmp_path / "quiet.out")
    cache, meanings = _run_in_orders(tmp_path, names, expected)
    assert len(meanings) > 150
    several = {symbol: digests for symbol, digests in meanings.items() if len(digests) > 1}
    assert not several, "one name, two contents"
    symbols = symbols_of(cache)
    assert len(symbols) > 100
    ours = [name for name in symbols if "7solvers" in name and "NumbaEnv" not in name]
    assert ours
    assert all(SEPARATOR in name for name in ours), "a symbol without its content in its name"


def symbols_of(cache: Path) -> set[str]:
    """Names of all functions that the files of a cache folder define."""
    found = set()
    for path in cache.rglob("*.nbc"):
        _, ((_, _, (_, bitcode)), *_) = pickle.loads(path.read_bytes()[machine_code.DIGEST_BYTES :])
        found |= {f.name for f in llvmlite.binding.parse_bitcode(bitcode).functions if not f.is_declaration}
    return found


def _factory(value):
    def inner(x):
        return x * value

    return inner


def test_names_tell_closures_apart_by_what_they_hold():
    held = [1, 1.0, True, "1", None, (1,), [1], np.ones(1), np.ones(1, np.float32), np.ones((1, 1)), np.float32(1), 1j]
    held += [0.0, -0.0, b"1", (1, (2,)), ((1, 2),), np.sin, np.cos, np.float64, _factory(1), _factory(2), sys, os]
    held += [kernel(_factory(1)), kernel(_factory(2)), kernel(fastmath=FASTMATH)(_factory(2)), frozenset({1, 2})]
    names = [named_by_content(_factory(value)).__qualname__ for value in held]
    assert len(set(names)) == len(names)
    assert names == [named_by_content(_factory(value)).__qualname__ for value in held]


def test_options_and_code_are_part_of_the_name():
    def inner(x):
        return x

    def other(x):
        return -x

    assert kernel(inner).py_func.__qualname__ != kernel(inner, fastmath=FASTMATH).py_func.__qualname__
    other.__qualname__ = inner.__qualname__
    assert content_digest(inner) != content_digest(other)
    assert inner.__qualname__.endswith("inner"), "the function itself keeps its name"


def test_a_recursive_closure_has_an_identity():
    def falls(x):
        return x if x < 1 else falls(x - 1)

    assert content_digest(falls) == content_digest(falls)


def test_what_has_no_content_is_refused():
    with pytest.raises(TypeError, match=r"_factory.<locals>.inner cannot be compiled: it holds a builtins.object"):
        kernel(_factory(object()))
    with pytest.raises(TypeError, match="made from a Python function"):
        kernel(len)
