"""Kernels whose loops fill vectors of 512 bits.

Where a CPU has them LLVM still keeps to 256 bits, because code that uses them here and there only slows the clock. A loop over
lanes that is nothing but arithmetic gains: a step of `rosenbrock_lanes` takes 0.8 of the time. The wish is an attribute of a
function, which Numba's own intermediate language does not know, so it is written into the text of the module; on a CPU
without such vectors it means nothing.

Such a kernel stays a function of its own, whose frame begins where a line of the cache does: in the frame of the entry point
that calls it, what does not fit into registers would lie across two lines (a twentieth of the time).
"""

from __future__ import annotations

import re
from typing import Any

from llvmlite.binding import parse_assembly
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import LoweringPass, register_pass
from numba.core.typed_passes import AnnotateTypes

_GROUP = re.compile(r"^(attributes #\d+ = \{)", re.MULTILINE)
_BARE = re.compile(r"^(define .*\)) ?\{$", re.MULTILINE)
_DEFINITION = re.compile(r"^(define .* @\"?([^\s\"(]+)\"?\(.*) \{$", re.MULTILINE)
_WISH = '"prefer-vector-width"="512"'
_APART = 'noinline "stackrealign"'


class _WideLibrary(JITCodeLibrary):
    def __init__(self, codegen: Any, name: str) -> None:
        super().__init__(codegen, name)
        self._own: set[str] = set()

    def add_llvm_module(self, ll_module: Any) -> None:
        self._own.update(f.name for f in ll_module.functions if not f.is_declaration)
        super().add_llvm_module(ll_module)

    def _optimize_final_module(self) -> None:
        before: Any = self._final_module
        text = _GROUP.sub(rf"\1 {_WISH}", str(before))
        text = _BARE.sub(rf"\1 {_WISH} {{", text)
        text = _DEFINITION.sub(lambda m: f"{m[1]} {_APART} {{" if m[2] in self._own else m[0], text)
        self._final_module: Any = parse_assembly(text)
        self._final_module.name = before.name
        super()._optimize_final_module()


@register_pass(mutates_CFG=False, analysis_only=True)
class _MakeWideLibrary(LoweringPass):
    """Prepares the library that Numba's lowering, the next pass, fills."""

    _name = "make_wide_library"

    def __init__(self) -> None:
        super().__init__()

    def run_pass(self, state: Any) -> bool:
        state.library = _WideLibrary(state.targetctx.codegen(), state.func_id.func_qualname)
        state.library.enable_object_caching()
        return False


class WideCompiler(CompilerBase):
    """Numba's compiler of nopython functions, for vectors of 512 bits."""

    def define_pipelines(self) -> list[Any]:
        passes = DefaultPassBuilder.define_nopython_pipeline(self.state)
        passes.add_pass_after(_MakeWideLibrary, AnnotateTypes)  # the last one before lowering
        passes.finalize()
        return [passes]
