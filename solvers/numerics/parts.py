"""Kernels as parts: each is optimised once, by itself, and becomes machine code only within the entries that call it.

Numba treats every function as something that Python may call: it links all callees in, optimises the whole, makes machine
code of it and of two wrappers, and does so again for the caller, whose callees were optimised a level below already. Code
at depth d is optimised and turned into machine code d times. A kernel is only called by other kernels and by entries, so its
*part* stops at optimised code without callees, and so do the parts of what Numba itself compiles into kernels (`numpy.sum`,
products of complex numbers). Small callees are at hand while a part is optimised, so that they go into its loops before
these are vectorised, as with Numba; those that stay outside are left to the entry. An entry links in all the parts it
reaches, once each, and is optimised as one (see `self_contained`).

A part that Python does call after all (tests do) is compiled once more, in Numba's own way.

A part is a function of sources alone, whatever was compiled before, by the following:

* Its name tells what it holds and with which flags, and no count of functions. Numba names its own product of complex numbers
  alike with and without fast-math flags, and tells them apart by a count only: where counts agree an entry that calls both
  takes one for the other.
* Numba's own functions are compiled for parts once for each set of flags that they inherit, and apart from those that other
  code in the process has needed; they are found again by these flags.
* Variables and blocks that Numba adds are counted within one function.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import llvmlite.binding as ll
from numba import _dynfunc
from numba.core import ir_utils
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.cpu import CPUContext
from numba.core.cpu_options import FastMathOptions
from numba.core.registry import cpu_target
from numba.core.targetconfig import ConfigStack
from numba.core.types.functions import BaseFunction
from numba.core.typing.templates import _OverloadFunctionTemplate
from numba.extending import overload
from numba.np import arrayobj

from solvers.numerics.identity import SEPARATOR

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


_raise_with_shape_context = arrayobj.raise_with_shape_context

_making = False
"""Whether what is being compiled now is one of ours or a part of one; Numba's compiler lock is held meanwhile."""


@contextlib.contextmanager
def making_parts(wanted: bool = True) -> Iterator[None]:
    """What Numba compiles meanwhile becomes parts (or, not `wanted`, what it always becomes)."""
    before = _making
    _make_parts(wanted)
    try:
        yield
    finally:
        _make_parts(before)


def _make_parts(wanted: bool) -> None:
    global _making
    _making = wanted
    arrayobj.raise_with_shape_context = raise_with_shape if wanted else _raise_with_shape_context


def raise_with_shape(source: tuple[int, ...], target: tuple[int, ...]) -> None:
    """An array assigned to a slice of another shape.

    Numba's own message holds both shapes, for which every function with such an assignment takes in the making of strings:
    a dozen functions more than the work it is there for.
    """


@overload(raise_with_shape)
def _raise_with_shape(source: Any, target: Any) -> Any:
    def raises(source: Any, target: Any) -> None:
        raise ValueError("cannot assign to a slice an array of another shape")

    return raises


class PartCompiler(CompilerBase):
    """Numba's compiler of nopython functions, for kernels."""

    library: type[PartLibrary] = KernelLibrary
    makes_parts = True

    def define_pipelines(self) -> list[Any]:
        return [DefaultPassBuilder.define_nopython_pipeline(self.state)]

    def _compile_core(self) -> Any:
        name_by_content(self.state.func_id)
        self.state.library = self.library(self.state.targetctx.codegen(), self.state.func_id.func_qualname)
        self.state.library.always = bool(self.state.flags.forceinline)
        return super()._compile_core()


class OverloadCompiler(PartCompiler):
    """The same for Numba's implementations of Python's and NumPy's functions."""

    library = PartLibrary


def name_by_content(identity: Any, variant: str = "") -> None:
    """Leave out Numba's count of functions, which would say how many were compiled before, where the name says what a part holds."""
    if SEPARATOR in identity.func_qualname:
        identity.func_qualname += variant
        identity.unique_id = 0
        identity.unique_name = identity.func_qualname


@contextlib.contextmanager
def counting_anew() -> Iterator[None]:
    """Variables and blocks that Numba adds to a function get numbers that do not tell how many it added to others before."""
    variables, labels = ir_utils._unique_var_count, ir_utils._the_max_label
    ir_utils._unique_var_count, ir_utils._the_max_label = 0, type(labels)()
    try:
        yield
    finally:
        ir_utils._unique_var_count, ir_utils._the_max_label = variables, labels


def passed_on() -> tuple[Any, ...]:
    """What the function being compiled hands down to Numba's own functions that it calls."""
    flags = ConfigStack.top_or_none()
    return () if flags is None else (flags.nrt, flags.error_model, tuple(sorted(flags.fastmath.flags)))


def install() -> None:
    """Let Numba make parts while functions of ours are compiled; once per process. Nothing else of it changes."""
    if hasattr(CompilerBase._compile_core, "knows_parts"):
        return
    _install_libraries()
    _install_compilers()
    _install_overloads()


def _install_libraries() -> None:
    original_executable = CPUContext.get_executable

    def get_executable(self: CPUContext, library: Any, fndesc: Any, env: Any) -> Any:
        if isinstance(library, KernelLibrary):
            library.finalize()
            return Kernel()
        if isinstance(library, PartLibrary) and not library.has_wrapper(fndesc):
            name, doc = fndesc.qualname.split(".")[-1], f"part {fndesc.qualname}"
            return _dynfunc.make_function(fndesc.lookup_module(), name, doc, NO_ADDRESS, env, (library,))
        return original_executable(self, library, fndesc, env)

    CPUContext.get_executable = get_executable
    codegen = cpu_target.target_context.codegen()
    create, unserialize = codegen.create_library, codegen.unserialize_library

    def create_library(name: str, **kwargs: Any) -> Any:
        return PartLibrary(codegen, name, **kwargs) if _making else create(name, **kwargs)

    def unserialize_library(serialized: Any) -> Any:
        with making_parts(wanted=False):
            return unserialize(serialized)

    codegen.create_library, codegen.unserialize_library = create_library, unserialize_library


def _install_compilers() -> None:
    """A function of somebody else, called by one of ours, is compiled as if it had been called before."""
    original = CompilerBase._compile_core
    asked_for: dict[str, dict[Any, Any]] = {}

    def _compile_core(self: CompilerBase) -> Any:
        ours = getattr(self, "makes_parts", False)
        by_lowering = _making and self.state.library is not None and not ours  # integer powers, array expressions
        if ours or by_lowering:
            context = self.state.targetctx
            flags = "_".join(["", *sorted(context.fastmath.flags)]) if context.fastmath else ""
            context.cached_internal_func = asked_for.setdefault(flags, {})
            if by_lowering:
                name_by_content(self.state.func_id, flags)
        with making_parts(ours or by_lowering), counting_anew() if ours or by_lowering else contextlib.nullcontext():
            return original(self)

    _compile_core.knows_parts = True  # type: ignore[attr-defined]
    CompilerBase._compile_core = _compile_core
    original_encode = FastMathOptions.encode

    def encode(self: FastMathOptions) -> str:
        """Part of a symbol's name; a set's order changes from process to process."""
        return str(sorted(self.flags)) if self.flags else original_encode(self)

    FastMathOptions.encode = encode


def _install_overloads() -> None:
    """Numba's own functions, compiled for ours, are kept apart from those of other callers and by the flags they inherit.

    Numba looks them up by their arguments alone when a call is lowered and takes the one that was typed last: with a
    callee of other flags compiled in between it was the callee's, and whether it was compiled then depended on what had
    been compiled before.
    """
    original = _OverloadFunctionTemplate._get_impl
    only_part = {
        "no_cpython_wrapper": True,
        "no_cfunc_wrapper": True,
        "forceinline": False,
        "pipeline_class": OverloadCompiler,
    }

    def _get_impl(self: Any, args: Any, kws: Any) -> Any:
        if not _making:
            return original(self, args, kws)
        key = self.context, tuple(args), tuple(kws.items()), OverloadCompiler, passed_on()
        if key in self._impl_cache:
            return self._impl_cache[key]
        self._jit_options = {**self._jit_options, **only_part}
        return self._build_impl(key, args, kws)

    _OverloadFunctionTemplate._get_impl = _get_impl

    def implementations(self: BaseFunction) -> dict[Any, Any]:
        """Which implementation was typed for which arguments, for the function being compiled."""
        if not _making:
            return self.__dict__.setdefault("_impl_keys", {})
        return self.__dict__.setdefault("_impl_keys_of_parts", {}).setdefault(passed_on(), {})

    def set_implementations(self: BaseFunction, keys: dict[Any, Any]) -> None:
        self.__dict__["_impl_keys"] = keys

    BaseFunction._impl_keys = property(implementations, set_implementations)  # type: ignore[attr-defined]


install()
