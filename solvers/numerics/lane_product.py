"""The product of a sparse matrix and a vector for eight points side by side, one vector instruction for all of them.

Numba leaves loops over eight lanes to scalar instructions: LLVM unrolls so short a loop before it would vectorise it, and
Numba switches off what could put the pieces together again. So this one row is given to LLVM as vectors of eight numbers;
it makes of them what the processor has.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

LANES = 8

_LANES = ir.VectorType(ir.DoubleType(), LANES)
_INDEX = ir.IntType(64)


@intrinsic
def add_row(
    typing: Any, values: Any, columns: Any, x: Any, begin: Any, end: Any, scale: Any, out: Any, row: Any
) -> Any:
    """out[row] = scale sum_{begin <= e < end} values[e] x[columns[e]], lane by lane, in the order of e, with fused multiply-adds.

    values (E, LANES), x and out (n, LANES): contiguous float64; columns (E,): contiguous int64; begin, end, row: int64.
    """
    matrix, indices = types.Array(types.float64, 2, "C"), types.Array(types.int64, 1, "C")
    given = (values, x, out, columns)
    if any(not isinstance(array, types.Array) or array.layout != "C" for array in given):
        raise TypeError("add_row needs contiguous arrays")
    signature = types.void(matrix, indices, matrix, types.int64, types.int64, types.float64, matrix, types.int64)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def start(k: int) -> Any:
            return context.make_array(signature.args[k])(context, builder, arguments[k]).data

        values, columns, x, out = start(0), start(1), start(2), start(6)
        begin, end, scale, row = arguments[3], arguments[4], arguments[5], arguments[7]

        def lanes(base: Any, index: Any) -> Any:
            first = builder.gep(base, [builder.mul(index, ir.Constant(_INDEX, LANES))])
            return builder.bitcast(first, _LANES.as_pointer())

        fused = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(_LANES, [_LANES] * 3), f"llvm.fma.v{LANES}f64"
        )
        total = cgutils.alloca_once(builder, _LANES)
        builder.store(ir.Constant(_LANES, [0.0] * LANES), total)
        with cgutils.for_range_slice(builder, begin, end, ir.Constant(_INDEX, 1), intp=_INDEX) as (e, _):
            column = builder.load(builder.gep(columns, [e]))
            value, at = builder.load(lanes(values, e)), builder.load(lanes(x, column))
            value.align = at.align = 8
            builder.store(builder.call(fused, [value, at, builder.load(total)]), total)
        factor = ir.Constant(_LANES, ir.Undefined)
        for k in range(LANES):
            factor = builder.insert_element(factor, scale, ir.Constant(ir.IntType(32), k))
        store = builder.store(builder.fmul(builder.load(total), factor), lanes(out, row))
        store.align = 8
        return context.get_dummy_value()

    return signature, generate
