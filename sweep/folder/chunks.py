"""Chunks as the bytes of their files, the same that Zarr writes.

Zarr takes about a millisecond for a chunk of any size, most of it spent passing work between threads; a worker has several
to write for every tile.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numcodecs.zstd import Zstd
from numpy.typing import NDArray
from zarr.codecs import BytesCodec, ZstdCodec

from sweep.errors import RunError

SERIALIZER = BytesCodec(endian="little")
COMPRESSOR = ZstdCodec(level=0, checksum=False)
"""How the arrays of a store are encoded, whatever a user's configuration of Zarr says."""


_DECODER = Zstd()


def check_whole(data: bytes, shape: Sequence[int], dtype: np.dtype[Any]) -> None:
    """ValueError unless the file of a chunk can be decoded, and holds a chunk of this shape."""
    try:
        length = len(_DECODER.decode(data))
    except RuntimeError as error:
        raise ValueError(f"it cannot be decompressed: {error}") from None
    if length != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"it holds {length} bytes of a chunk of {math.prod(shape) * dtype.itemsize}")


def encoded(array: Any, values: NDArray[Any]) -> bytes:
    """The file of the chunk of a Zarr array that holds these values; at the edge of the array they may be fewer.

    RunError when the array is encoded in another way than those of our stores.
    """
    codecs = array.metadata.codecs
    if len(codecs) != 2 or codecs[0] != SERIALIZER or not isinstance(codecs[1], ZstdCodec):
        raise RunError(f"{array.store_path}: its chunks are encoded by {codecs}, not as spinsweep made them")
    if values.shape != array.chunks:
        whole = np.full(array.chunks, array.fill_value, dtype=array.dtype)
        whole[tuple(slice(n) for n in values.shape)] = values
        values = whole
    little = np.ascontiguousarray(values, dtype=array.dtype.newbyteorder("<"))
    data: bytes = Zstd(level=codecs[1].level, checksum=codecs[1].checksum).encode(little)
    return bytes(data)


def decoded(array: Any, data: bytes) -> NDArray[Any] | None:
    """The values in the file of a chunk of a Zarr array, of the shape of a whole chunk; None when it is encoded in another
    way than those of our stores."""
    codecs = array.metadata.codecs
    if len(codecs) != 2 or codecs[0] != SERIALIZER or not isinstance(codecs[1], ZstdCodec):
        return None
    values = np.frombuffer(_DECODER.decode(data), dtype=array.dtype.newbyteorder("<"))
    return values.reshape(array.chunks)
