"""Kernels as parts: each is optimised once, by itself, and becomes machine code only within the entries that call it.

Numba treats every function as something that Python may call: it links all callees in, optimises the whole, makes machine
code of it and of two wrappers, and does so again for the caller, whose callees were optimised a level below already. Code
at depth d is optimised and turned into machine code d times. A kernel is only called by other kernels and by entries, so its
*part* stops at optimised code without callees, and so do the parts of what Numba itself compiles into kernels (`numpy.sum`,
products of complex numbers). Small callees are at hand while a part is optimised, so that they go into its loops before
these are vectorised, as with Numba; those that stay outside are left to the entry. An entry links in all the parts it
reaches, once each, and is optimised as one (see `self_contained`).

A part that Python does call after all (tests do) is compiled once more, in Numba's own way.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import llvmlite.binding as ll
from numba import _dynfunc
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.cpu import CPUContext
from numba.core.registry import cpu_target

_SHARED = (ll.Linkage.weak_odr, ll.Linkage.linkonce_odr)

NO_ADDRESS = 0
"""Numba's own address of a function without a wrapper; Python never has such a function in hand."""

SMALL = 180
"""Lines of a part that its callers may make their own before they are vectorised; larger ones LLVM leaves to the entry or outside.

LLVM's threshold is 50 instructions, three times that at most. What it takes beyond, because known arguments make the
rest vanish, is a loop already vectorised: with 500 lines the discharge of 20 emitters takes 1.6 times as long."""


class PartLibrary(JITCodeLibrary):
    """Functions that wait to be linked into an entry; they become machine code by themselves only if Python needs their address.

    always : whether callers make it their own whatever its size.
    """

    def __init__(self, codegen: Any, name: str) -> None:
        super().__init__(codegen, name)
        self._linkable: Any = None
        self._whole: Any = None
        self.always = False
        self._own: set[str] = set()
        self._standing_alone: JITCodeLibrary | None = None

    def finalize(self) -> None:
        """Nothing can be added any more. Neither links, nor optimises, nor makes machine code."""
        self._raise_if_finalized()
        for library in self._linking_libraries:
            self._reload_init.update(library._reload_init)
        self._finalized = True

    def linkable(self) -> Any:
        """This part's own functions, optimised, for a module that links in the parts it calls as well."""
        self._ensure_finalized()
        if self._linkable is None:
            self._optimize()
        return self._linkable

    def goes_into_callers(self) -> bool:
        """Whether calls of it may be replaced by its instructions."""
        linkable = self.linkable()
        return self.always or all(str(f).count("\n") < SMALL for f in linkable.functions if not f.is_declaration)

    def _optimize(self) -> None:
        original = self._final_module
        self._own = {f.name for f in _defined(original)}
        self._final_module: Any = original.clone()
        libraries = reached(self._linking_libraries)
        read = [x for x in libraries if not isinstance(x, PartLibrary) or x.goes_into_callers()]
        for library in link_parts(self._final_module, read):
            self._final_module.link_in(library._get_module_for_linking(), preserve=True)
        for function in _defined(self._final_module):
            if function.name not in self._own and function.linkage in _SHARED:
                function.linkage = ll.Linkage.available_externally  # to be read, not to be kept
        self._optimize_final_module()
        self._linkable, self._final_module = self._final_module, original
        for function in _defined(self._linkable):
            # Shared functions of the other kind are linked in only if what is there already calls them; who calls a part
            # may come after it, all earlier callers having made its instructions their own.
            if function.linkage == ll.Linkage.external:
                function.linkage = ll.Linkage.weak_odr

    def _get_module_for_linking(self) -> Any:
        """This part with all that it calls, for libraries of Numba's own kind."""
        self._ensure_finalized()
        if self._whole is None:
            self._whole = self.linkable().clone()
            for library in reached(self._linking_libraries):
                self._whole.link_in(_linkable(library), preserve=True)
            for function in _defined(self._whole):
                if function.linkage == ll.Linkage.weak_odr:
                    function.linkage = ll.Linkage.linkonce_odr
        return self._whole

    def has_wrapper(self, fndesc: Any) -> bool:
        """Whether a function was lowered with what lets Python call it."""
        self._ensure_finalized()
        return any(f.name == fndesc.llvm_cpython_wrapper_name for f in self._final_module.functions)

    def get_asm_str(self) -> str:
        """The instructions of this part and of all that it calls, before an entry makes more of them."""
        return str(self._codegen._tm.emit_assembly(self._get_module_for_linking()))

    def get_pointer_to_function(self, name: str) -> int:
        """The address of a function, which becomes machine code now."""
        self._ensure_finalized()
        if self._standing_alone is None:
            alone = JITCodeLibrary(self._codegen, self.name)
            alone._final_module.link_in(self._final_module, preserve=True)
            alone._linking_libraries = list(self._linking_libraries)
            alone.finalize()
            self._standing_alone = alone
        return int(self._standing_alone.get_pointer_to_function(name))


def reached(libraries: Iterable[Any]) -> list[Any]:
    """Libraries and all that their parts call, each once, in the order in which calls reach them."""
    found: dict[Any, None] = {}
    waiting = list(libraries)[::-1]
    while waiting:
        library = waiting.pop()
        if library not in found:
            found[library] = None
            if isinstance(library, PartLibrary):
                waiting += library._linking_libraries[::-1]
    return list(found)


def _defined(module: Any) -> list[Any]:
    return [f for f in module.functions if not f.is_declaration]


def link_parts(module: Any, libraries: Iterable[Any]) -> list[Any]:
    """Link all parts among `libraries` into a module; returns the libraries that are no parts."""
    others = []
    for library in libraries:
        if isinstance(library, PartLibrary):
            module.link_in(library.linkable(), preserve=True)
        else:
            others.append(library)
    return others


def _linkable(library: Any) -> Any:
    return library.linkable() if isinstance(library, PartLibrary) else library._get_module_for_linking()


class KernelLibrary(PartLibrary):
    """The part of a kernel, which tests call from Python."""


class Kernel:
    """What stands for a kernel's part where Numba keeps a function that Python can call; calls go to `from_python`."""

    def __init__(self) -> None:
        self.from_python: Callable[..., Any] | None = None

    def __call__(self, *args: Any) -> Any:
        assert self.from_python is not None
        return self.from_python(*args)


_depth = 0
"""How many functions of ours are being compiled; Numba's compiler lock is held meanwhile."""


@contextlib.contextmanager
def making_parts(wanted: bool = True) -> Iterator[None]:
    """What Numba compiles meanwhile becomes parts (or, not `wanted`, what it always becomes)."""
    global _depth
    before, _depth = _depth, _depth + 1 if wanted else 0
    try:
        yield
    finally:
        _depth = before


class PartCompiler(CompilerBase):
    """Numba's compiler of nopython functions, for kernels."""

    library: type[KernelLibrary] = KernelLibrary

    def define_pipelines(self) -> list[Any]:
        return [DefaultPassBuilder.define_nopython_pipeline(self.state)]

    def _compile_core(self) -> Any:
        self.state.library = self.library(self.state.targetctx.codegen(), self.state.func_id.func_qualname)
        self.state.library.always = bool(self.state.flags.forceinline)
        with making_parts():
            return super()._compile_core()


def install() -> None:
    """Let Numba make parts while functions of ours are compiled; once per process. Nothing else of it changes."""
    original_executable = CPUContext.get_executable
    if hasattr(original_executable, "knows_parts"):
        return

    def get_executable(self: CPUContext, library: Any, fndesc: Any, env: Any) -> Any:
        if isinstance(library, KernelLibrary):
            library.finalize()
            return Kernel()
        if isinstance(library, PartLibrary) and not library.has_wrapper(fndesc):
            name, doc = fndesc.qualname.split(".")[-1], f"part {fndesc.qualname}"
            return _dynfunc.make_function(fndesc.lookup_module(), name, doc, NO_ADDRESS, env, (library,))
        return original_executable(self, library, fndesc, env)

    get_executable.knows_parts = True  # type: ignore[attr-defined]
    CPUContext.get_executable = get_executable
    codegen = cpu_target.target_context.codegen()
    create, unserialize = codegen.create_library, codegen.unserialize_library

    def create_library(name: str, **kwargs: Any) -> Any:
        return PartLibrary(codegen, name, **kwargs) if _depth else create(name, **kwargs)

    def unserialize_library(serialized: Any) -> Any:
        with making_parts(wanted=False):
            return unserialize(serialized)

    codegen.create_library, codegen.unserialize_library = create_library, unserialize_library


install()
