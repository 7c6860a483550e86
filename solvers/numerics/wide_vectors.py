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

from solvers.numerics.parts import KernelLibrary, PartCompiler

_GROUP = re.compile(r"^(attributes #\d+ = \{)", re.MULTILINE)
_BARE = re.compile(r"^(define .*\)) ?\{$", re.MULTILINE)
_DEFINITION = re.compile(r"^(define .* @\"?([^\s\"(]+)\"?\(.*) \{$", re.MULTILINE)
_WISH = '"prefer-vector-width"="512"'
_APART = 'noinline "stackrealign"'


class _WideLibrary(KernelLibrary):
    def _optimize_final_module(self) -> None:
        before: Any = self._final_module
        text = _GROUP.sub(rf"\1 {_WISH}", str(before))
        text = _BARE.sub(rf"\1 {_WISH} {{", text)
        text = _DEFINITION.sub(lambda m: f"{m[1]} {_APART} {{" if m[2] in self._own else m[0], text)
        self._final_module: Any = parse_assembly(text)
        self._final_module.name = before.name
        super()._optimize_final_module()


class WideCompiler(PartCompiler):
    """The compiler of kernels, for vectors of 512 bits."""

    library = _WideLibrary
