"""A sparse matrix whose rows and columns are blocks of 4, 16 or 64 neighbouring numbers, and the transposition beside it.

The matrix multiplies whole blocks, so that neighbouring numbers stay neighbours and nothing is gathered. The sum of a row
is kept in registers; LLVM is given it as one vector, because it would not keep that of a loop there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from solvers.numerics.compile import kernel

TILE = 8
"""Rows and columns of what is transposed in registers."""
_LINE = 64
"""Bytes of a cache line: a vector of eight numbers across two of them takes twice as long."""
_INDEX = ir.IntType(64)
_DOUBLE = ir.DoubleType()
_FLAT, _INTEGERS = types.Array(types.float64, 1, "C"), types.Array(types.int64, 1, "C")


def _address(builder: Any, base: Any, index: Any, vector: Any) -> Any:
    return builder.bitcast(builder.gep(base, [index]), vector.as_pointer())


def _load(builder: Any, base: Any, index: Any, vector: Any) -> Any:
    found = builder.load(_address(builder, base, index, vector))
    found.align = 8
    return found


def _store(builder: Any, value: Any, base: Any, index: Any, vector: Any) -> None:
    builder.store(value, _address(builder, base, index, vector)).align = 8


def _data(context: Any, builder: Any, signature: Any, arguments: Any, k: int) -> Any:
    return context.make_array(signature.args[k])(context, builder, arguments[k]).data


def _spread(builder: Any, number: Any, width: int) -> Any:
    vector = ir.VectorType(_DOUBLE, width)
    one = builder.insert_element(ir.Constant(vector, ir.Undefined), number, ir.Constant(ir.IntType(32), 0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), width), [0] * width)
    return builder.shuffle_vector(one, ir.Constant(vector, ir.Undefined), zeros)


def _fused(builder: Any, width: int) -> Any:
    lanes = ir.VectorType(_DOUBLE, width)
    kind = ir.FunctionType(lanes, [lanes] * 3)
    return cgutils.get_or_insert_function(builder.module, kind, f"llvm.fma.v{width}f64")


@intrinsic(prefer_literal=True)
def _add_row(
    typing: Any, width: Any, columns: Any, values: Any, begin: Any, end: Any, x: Any, y: Any, at: Any, scale: Any
) -> Any:
    """The block of `width` numbers of y that begins at `at` += scale sum_e values[e] x[columns[e]: columns[e] + width]."""
    if any(not isinstance(array, types.Array) or array.layout != "C" for array in (columns, values, x, y)):
        raise TypeError("a product of blocks needs contiguous arrays")
    count = width.literal_value
    lanes = ir.VectorType(_DOUBLE, count)
    numbers = types.int64, types.int64, _FLAT, _FLAT, types.int64, types.float64
    signature = types.void(width, _INTEGERS, _FLAT, *numbers)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        columns, values, x, y = (_data(context, builder, signature, arguments, k) for k in (1, 2, 5, 6))
        begin, end, at, scale = arguments[3], arguments[4], arguments[7], arguments[8]
        fused = _fused(builder, count)
        total = cgutils.alloca_once(builder, lanes)
        builder.store(ir.Constant(lanes, [0.0] * count), total)
        with cgutils.for_range_slice(builder, begin, end, ir.Constant(_INDEX, 1), intp=_INDEX) as (e, _):
            number = _spread(builder, builder.load(builder.gep(values, [e])), count)
            block = _load(builder, x, builder.load(builder.gep(columns, [e])), lanes)
            builder.store(builder.call(fused, [number, block, builder.load(total)]), total)
        before = _load(builder, y, at, lanes)
        found = builder.call(fused, [_spread(builder, scale, count), builder.load(total), before])
        _store(builder, found, y, at, lanes)
        return context.get_dummy_value()

    return signature, generate


def block_product(width: int) -> Callable[..., None]:
    """Make `add(starts, columns, values, first, rows, x, y, scale)` for blocks of `width` numbers.

    y[block r] += scale sum_e values[e] x[block columns[e]] for r = 0 ... rows - 1, starts[first + r] <= e <
    starts[first + r + 1], in the order of e with fused multiply-adds. `columns` are the first numbers of blocks. All arrays
    are contiguous, x and y are different.
    """

    @kernel
    def add(starts, columns, values, first, rows, x, y, scale):
        for r in range(rows):
            _add_row(width, columns, values, starts[first + r], starts[first + r + 1], x, y, r * width, scale)

    return add


@intrinsic
def turn_tile(typing: Any, x: Any, at: Any, stride: Any, out: Any, to: Any, out_stride: Any, old: Any) -> Any:
    """out <- old out + x^T for tiles of TILE x TILE numbers, whose rows begin at `at` and `to` and are strides apart."""
    lanes = ir.VectorType(_DOUBLE, TILE)
    signature = types.void(_FLAT, types.int64, types.int64, _FLAT, types.int64, types.int64, types.float64)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        x, out = (_data(context, builder, signature, arguments, k) for k in (0, 3))

        def place(first: Any, stride: Any, k: int) -> Any:
            return builder.add(first, builder.mul(stride, ir.Constant(_INDEX, k)))

        rows = [_load(builder, x, place(arguments[1], arguments[2], k), lanes) for k in range(TILE)]
        step = 1
        while step < TILE:  # exchanges the blocks beside the diagonal, of 1, 2 and 4 rows
            low = [j if not j & step else TILE + j - step for j in range(TILE)]
            high = [j + step if not j & step else TILE + j for j in range(TILE)]
            masks = [ir.Constant(ir.VectorType(ir.IntType(32), TILE), m) for m in (low, high)]
            for k in range(TILE):
                if not k & step:
                    pair = rows[k], rows[k + step]
                    rows[k], rows[k + step] = (builder.shuffle_vector(*pair, mask) for mask in masks)
            step *= 2
        factor = _spread(builder, arguments[6], TILE)
        fused = _fused(builder, TILE)
        for k in range(TILE):
            to = place(arguments[4], arguments[5], k)
            _store(builder, builder.call(fused, [factor, _load(builder, out, to, lanes), rows[k]]), out, to, lanes)
        return context.get_dummy_value()

    return signature, generate


def aligned(size: int) -> NDArray[np.float64]:
    """Zeros (size,) that begin with a cache line."""
    whole = np.zeros(size + _LINE // 8)
    skipped = -(whole.ctypes.data // 8) % (_LINE // 8)
    return whole[skipped : skipped + size]


@kernel
def aligned_in_kernel(size):
    """The same in compiled code."""
    whole = np.zeros(size + _LINE // 8)
    skipped = -(whole.ctypes.data // 8) % (_LINE // 8)
    return whole[skipped : skipped + size]


@kernel
def turn(x, rows, columns, out, old):
    """out (columns, rows) <- old out + x^T of x (rows, columns), both flat; rows and columns are multiples of TILE."""
    for i in range(0, rows, TILE):
        for j in range(0, columns, TILE):
            turn_tile(x, i * columns + j, columns, out, j * rows + i, rows, old)
