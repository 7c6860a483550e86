"""How solver kernels are compiled and where the machine code is kept.

Numba's own `cache=True` looks only at the file a function is in: after an edit of a callee in another file it returns
the old machine code (numba #1833). Here the machine code of a file's entry points lies in a folder named by a hash of
that file and of all that it imports, inside one named by the Numba and Python versions and the CPU. It belongs to the
entry points below alone: how Numba caches a user's own functions is not touched. The place is `$SPINSWEEP_CACHE_DIR`,
else `$XDG_CACHE_HOME/spinsweep`, else `~/.cache/spinsweep`.

Every function's name holds a digest of its content (see `identity`), and an entry point calls only what is compiled
into it (see `self_contained`), so that no machine code from the disk can stand in for another function's.
"""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import llvmlite.binding
import numba
from numba.core.caching import CompileResultCacheImpl, FunctionCache, _CacheLocator

from solvers.cache_place import cache_root
from solvers.fingerprint import files_of, relative, sources_of_file
from solvers.numerics.identity import named_by_content
from solvers.numerics.self_contained import SelfContainedCompiler

FASTMATH = {"reassoc", "nsz", "arcp", "contract", "afn"}
"""Everything that lets loops vectorise except the flags that assume there is no NaN and no infinity."""

_UNUSED_DAYS = 30
_IMPORTED = time.time()
"""Sources that were written later are not what this process holds in memory."""


@functools.cache
def cache_directory() -> Path:
    """The cache folder for these versions and this CPU; made if absent.

    Where it cannot be made (a read-only home), a folder below the system's temporary one serves instead.
    """
    cpu = llvmlite.binding.get_host_cpu_name() + llvmlite.binding.get_host_cpu_features().flatten()
    key = "\n".join([numba.__version__, platform.python_version(), cpu, os.environ.get("NUMBA_CPU_FEATURES", "")])
    name = hashlib.blake2b(key.encode(), digest_size=8).hexdigest()
    for root in (
        cache_root(),
        Path(tempfile.gettempdir()) / f"spinsweep-{os.getuid() if hasattr(os, 'getuid') else 0}",
    ):
        try:
            (root / name).mkdir(parents=True, exist_ok=True)
            if not os.access(root / name, os.W_OK):
                continue
            os.utime(root / name)
        except OSError:
            continue
        for folder in (root, root / name):
            _remove_unused(folder)
        return root / name
    raise OSError(
        f"no compile cache folder can be made at {cache_root()}; set SPINSWEEP_CACHE_DIR to a folder that can be written"
    )


@functools.cache
def _own_folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="spinsweep-edited-")


@functools.cache
def _folder_of(file: Path) -> Path:
    """Where the machine code of one file's entry points lies; made if absent, marked as used.

    Where a source was edited after this process read it, machine code made from what was read would be kept under the name
    of what is written there now: then the folder is this process's own and goes with it.
    """
    if max(source.stat().st_mtime for source in files_of(file)) > _IMPORTED:
        return Path(_own_folder().name)
    module = ".".join(relative(file).with_suffix("").parts)
    folder = cache_directory() / f"{module}-{sources_of_file(file)[:16]}"
    folder.mkdir(exist_ok=True)
    os.utime(folder)
    return folder


def _remove_unused(root: Path) -> None:
    limit = time.time() - _UNUSED_DAYS * 86400
    for folder in root.iterdir():
        try:
            if folder.is_dir() and folder.stat().st_mtime < limit:
                shutil.rmtree(folder, ignore_errors=True)
        except FileNotFoundError:  # another process removed it first
            continue


class _Locator(_CacheLocator):
    """Places the cache of a function; the folder's name already stands for every source, so there is no other stamp."""

    def __init__(self, py_func: Callable[..., Any], py_file: str) -> None:
        self._py_file = py_file  # Numba's messages name it
        self._folder = _folder_of(Path(py_file).resolve())

    def get_cache_path(self) -> str:
        return str(self._folder)

    def get_source_stamp(self) -> str:
        return self._folder.name

    def get_disambiguator(self) -> None:
        return None

    @classmethod
    def from_function(cls, py_func: Callable[..., Any], py_file: str) -> _Locator:
        return cls(py_func, py_file)


class _Implementation(CompileResultCacheImpl):
    _locator_classes = [_Locator]  # noqa: RUF012  (Numba's own attribute)


class _FunctionCache(FunctionCache):
    _impl_class = _Implementation


class _Cache:
    """Numba's cache of one function, which looks at the disk when it is first asked, not when a module is imported."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    @functools.cached_property
    def _opened(self) -> _FunctionCache:
        return _FunctionCache(self._function)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._opened, name)


def kernel(function: Callable[..., Any] | None = None, *, fastmath: Any = False, inline: str = "never") -> Any:
    """Compile a function that only other kernels call: it is part of their machine code and is not cached itself.

    Right-hand sides and integrators are such functions. An integrator is a *factory*, `integrate = dopri5(rhs)`, called
    once at module level; the entry names `integrate` as a global. (A right-hand side passed as an argument would put a
    memory address into the machine code, and Numba then refuses to keep it on disk.)
    """
    if function is None:
        return functools.partial(kernel, fastmath=fastmath, inline=inline)
    options = {"nogil": True, "fastmath": fastmath, "inline": inline, "error_model": "numpy"}
    return numba.njit(**options)(named_by_content(function, _described(options)))


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
