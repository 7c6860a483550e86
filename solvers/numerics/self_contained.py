"""Machine code that does not depend on what the process compiled or loaded before.

Numba shares a compiled function between all that call it, in two ways that let the last bits of a result depend on
what was solved before:

* Under one symbol: which of several copies a call reaches is decided by what was loaded first. The copies mean the
  same, but each was optimised among other neighbours. `SelfContainedCompiler` makes everything that an entry links in
  internal to it, before it is optimised.
* Functions of Numba's own (the product of complex numbers, integer powers) are compiled once, with the fast-math flags
  of the first that needs them, and then serve all others. `separate_fastmath` keeps them apart by these flags.
"""

from __future__ import annotations

import hashlib
from typing import Any

from numba.core.base import BaseContext
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import LoweringPass, register_pass
from numba.core.typed_passes import AnnotateTypes

from solvers.numerics.parts import link_parts, reached


class _SelfContainedLibrary(JITCodeLibrary):
    """Its own functions stay visible, all that is linked into it does not."""

    def __init__(self, codegen: Any, name: str) -> None:
        super().__init__(codegen, name)
        self._own: set[str] = set()

    def add_llvm_module(self, ll_module: Any) -> None:
        self._own.update(f.name for f in ll_module.functions if not f.is_declaration)
        super().add_llvm_module(ll_module)

    def finalize(self) -> None:
        self._linking_libraries: list[Any] = link_parts(self._final_module, reached(self._linking_libraries))
        super().finalize()

    def _optimize_final_module(self) -> None:
        for function in self._linked_in():
            function.linkage = "internal"
        super()._optimize_final_module()
        # The loader keeps internal names in the table in which it looks for shared ones, and what is internal may have
        # lost arguments to the optimiser: under its old name another module would call it, and crash.
        place = hashlib.blake2b("\n".join(sorted(self._own)).encode(), digest_size=8).hexdigest()
        for function in self._linked_in():
            function.name = f"{function.name}.within.{place}"

    def _linked_in(self) -> list[Any]:
        return [f for f in self._final_module.functions if not f.is_declaration and f.name not in self._own]


@register_pass(mutates_CFG=False, analysis_only=True)
class _MakeLibrary(LoweringPass):
    """Prepares the library that Numba's lowering, the next pass, fills."""

    _name = "make_self_contained_library"

    def __init__(self) -> None:
        super().__init__()

    def run_pass(self, state: Any) -> bool:
        state.library = _SelfContainedLibrary(state.targetctx.codegen(), state.func_id.func_qualname)
        state.library.enable_object_caching()
        return False


class SelfContainedCompiler(CompilerBase):
    """Numba's compiler of nopython functions, with a library that shares no symbols."""

    makes_parts = True

    def define_pipelines(self) -> list[Any]:
        passes = DefaultPassBuilder.define_nopython_pipeline(self.state)
        passes.add_pass_after(_MakeLibrary, AnnotateTypes)  # the last one before lowering
        passes.finalize()
        return [passes]


def separate_fastmath() -> None:
    """Make Numba's contexts share internal functions only with those of equal fast-math flags; once per process."""
    original = BaseContext.subtarget
    if hasattr(original, "separates_fastmath"):
        return
    compiled: dict[tuple[int, str], dict[Any, Any]] = {}

    def subtarget(self: BaseContext, **options: Any) -> BaseContext:
        context = original(self, **options)
        if context.fastmath:
            flags = ",".join(sorted(context.fastmath.flags))
            context.cached_internal_func = compiled.setdefault((id(context.codegen()), flags), {})
        return context

    subtarget.separates_fastmath = True  # type: ignore[attr-defined]
    BaseContext.subtarget = subtarget


separate_fastmath()
