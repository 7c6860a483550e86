"""How solver kernels are compiled and where the machine code is kept.

Numba's own `cache=True` looks only at the file a function is in: after an edit of a callee in another file it returns
the old machine code (numba #1833). Here the machine code of a file's entry points lies in a folder named by a hash of
that file and of all that it imports, inside one named by the Numba and Python versions and the CPU (see `machine_code`).
It belongs to the entry points below alone: how Numba caches a user's own functions is not touched. The place is
`$SPINSWEEP_CACHE_DIR`, a list of folders of which the first is written and the others are only read, else
`$XDG_CACHE_HOME/spinsweep`, else `~/.cache/spinsweep`.

Every function's name holds a digest of its content (see `identity`), and an entry point calls only what is compiled
into it (see `self_contained`), so that no machine code from the disk can stand in for another function's.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import CompileResultCacheImpl, _CacheLocator

from solvers.numerics import machine_code
from solvers.numerics.identity import named_by_content
from solvers.numerics.parts import PartCompiler
from solvers.numerics.self_contained import SelfContainedCompiler
from solvers.numerics.wide_vectors import WideCompiler

FASTMATH = {"reassoc", "nsz", "arcp", "contract", "afn"}
"""Everything that lets loops vectorise except the flags that assume there is no NaN and no infinity."""


@dataclass
class Counts:
    """How often this process compiled an entry point, and how often it found one compiled."""

    compiled: int = 0
    found: int = 0


counts = Counts()


class _Locator(_CacheLocator):
    """Tells Numba's check of what can be kept which file a function is in."""

    def __init__(self, py_func: Callable[..., Any], py_file: str) -> None:
        self._py_file = py_file  # Numba's messages name it

    def get_cache_path(self) -> str:
        return str(machine_code.folders_of(Path(self._py_file).resolve())[0])

    def get_source_stamp(self) -> str:
        return ""

    def get_disambiguator(self) -> None:
        return None

    @classmethod
    def from_function(cls, py_func: Callable[..., Any], py_file: str) -> _Locator:
        return cls(py_func, py_file)


class _Implementation(CompileResultCacheImpl):
    _locator_classes = [_Locator]  # noqa: RUF012  (Numba's own attribute)


class _Cache:
    """What a Numba dispatcher asks for machine code and gives it to; the disk is looked at when it is first asked."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    @functools.cached_property
    def _implementation(self) -> CompileResultCacheImpl:
        return _Implementation(self._function)

    @functools.cached_property
    def _folders(self) -> tuple[Path, ...]:
        return machine_code.folders_of(Path(self._function.__code__.co_filename).resolve())

    @property
    def cache_path(self) -> str:
        """The folder that is written."""
        return str(self._folders[0])

    def load_overload(self, signature: tuple[Any, ...], target: Any) -> Any:
        """The compiled function for these argument types, or None; never that of other types."""
        target.refresh()
        for reduced in machine_code.read(self._folders, self._key(signature, target.codegen())):
            result = self._implementation.rebuild(target, reduced)
            if tuple(result.signature.args) == tuple(signature):
                counts.found += 1
                return result
        return None

    def save_overload(self, signature: tuple[Any, ...], result: Any) -> None:
        """Keep a compiled function, if Numba says that it can be kept."""
        counts.compiled += 1
        if self._implementation.check_cachable(result):
            reduced = self._implementation.reduce(result)
            machine_code.write(self._folders[0], self._key(signature, result.codegen), reduced)

    def _key(self, signature: tuple[Any, ...], codegen: Any) -> str:
        # the name holds a digest of byte code, constants, closure and compile options
        function = self._function
        types = [f"{type(t).__name__} {t}" for t in signature]
        return "\n".join([function.__module__, function.__qualname__, *codegen.magic_tuple(), *types])


def kernel(
    function: Callable[..., Any] | None = None, *, fastmath: Any = False, inline: str = "never", wide: bool = False
) -> Any:
    """Compile a function that only other kernels call: it is part of their machine code (see `parts`) and is not cached itself.

    Right-hand sides and integrators are such functions. An integrator is a *factory*, `integrate = dopri5(rhs)`, called
    once at module level; the entry names `integrate` as a global. (A right-hand side passed as an argument would put a
    memory address into the machine code, and Numba then refuses to keep it on disk.)

    `inline`: "always" puts it into its callers whatever its size, so that loops around it vectorise. LLVM does that: Numba's
    own inlining types and lowers the function once more for every call, which took half of the time of some first solves.
    `wide` is for loops over lanes that are arithmetic enough to gain from vectors of 512 bits (see `wide_vectors`).
    """
    if function is None:
        return functools.partial(kernel, fastmath=fastmath, inline=inline, wide=wide)
    options = {"nogil": True, "fastmath": fastmath, "forceinline": inline == "always", "error_model": "numpy"}
    named = named_by_content(function, _described({**options, "wide": True} if wide else options))
    no_wrappers = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    dispatcher = numba.njit(**options, **no_wrappers, pipeline_class=WideCompiler if wide else PartCompiler)(named)

    def add_overload(result: Any) -> None:
        """Known to callers that are compiled, not to Numba's dispatch of calls from Python, which would jump to no code."""
        result.entry_point.from_python = numba.njit(**options)(named)
        dispatcher.overloads[tuple(result.signature.args)] = result

    dispatcher.add_overload = add_overload
    return dispatcher


def entry(function: Callable[..., Any] | None = None, *, fastmath: Any = False) -> Any:
    """Compile a module-level function that Python calls; its machine code is kept on disk.

    It releases the GIL, so that a worker's heartbeat goes on. Its arguments must be arrays and numbers.
    """
    if function is None:
        return functools.partial(entry, fastmath=fastmath)
    options = {"nogil": True, "fastmath": fastmath, "error_model": "numpy"}
    named = named_by_content(function, _described(options))
    dispatcher = numba.njit(**options, pipeline_class=SelfContainedCompiler)(named)
    dispatcher._cache = _Cache(named)
    return dispatcher


def _described(options: Mapping[str, Any]) -> str:
    """Compile options as a text that does not depend on the order of a set."""
    return repr({name: sorted(value) if isinstance(value, set) else value for name, value in options.items()})
