"""What became of points: the codes that `status` has, and tiles of them as short texts."""

from __future__ import annotations

import base64
import binascii
import math
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.outcome import FAILED, OK, WARNED

PENDING, DONE, POINT_FAILED, POINT_WARNED, INTERPOLATED = range(5)
FLAGS = {
    PENDING: "pending",
    DONE: "done",
    POINT_FAILED: "failed",
    POINT_WARNED: "done_with_warning",
    INTERPOLATED: "interpolated",
}
COMPUTED = (DONE, POINT_FAILED, POINT_WARNED)
"""The codes of points that a solver has seen."""
LEFT = len(FLAGS)
"""In a worker's orders alone: a pending point that is left so."""
_OF_SOLVER = np.zeros(3, dtype=np.uint8)
_OF_SOLVER[[OK, WARNED, FAILED]] = DONE, POINT_WARNED, POINT_FAILED


def codes_of(status: NDArray[np.integer[Any]]) -> NDArray[np.uint8]:
    """The solvers' own status of points, as the store has it."""
    codes: NDArray[np.uint8] = _OF_SOLVER[status]
    return codes


def packed(codes: NDArray[np.uint8]) -> str:
    """The codes of a tile's points as a text: one digit when all are equal, else compressed.

    >>> packed(np.ones((2, 3), dtype=np.uint8))
    '1'
    """
    flat = codes.ravel()
    if flat.size and (flat == flat[0]).all():
        return str(int(flat[0]))
    return base64.b64encode(zlib.compress(flat.tobytes(), 1)).decode()


def unpacked(text: str, shape: Sequence[int], orders: bool = False) -> NDArray[np.uint8]:
    """The codes of a tile of this shape from their text; ValueError when it does not hold them. With `orders` some may be
    LEFT."""
    if len(text) == 1:
        return np.full(shape, code(text), dtype=np.uint8)
    try:
        data = zlib.decompress(base64.b64decode(text, validate=True))
    except (binascii.Error, zlib.error) as error:
        raise ValueError(f"{text!r:.40} holds no codes: {error}") from None
    if len(data) != math.prod(shape) or max(data, default=0) >= len(FLAGS) + orders:
        raise ValueError(f"{text!r:.40} does not hold codes of {math.prod(shape)} points")
    return np.frombuffer(data, dtype=np.uint8).reshape(shape)


def counts(text: str, size: int) -> NDArray[np.int64]:
    """How many of a tile's points have each code, (codes,); ValueError as for `unpacked`."""
    if len(text) == 1:
        found = np.zeros(len(FLAGS), dtype=np.int64)
        found[code(text)] = size
        return found
    return np.bincount(unpacked(text, (size,)), minlength=len(FLAGS)).astype(np.int64)


def code(text: str) -> int:
    """The code that all points of a tile have; ValueError when there is none of that number."""
    found = int(text)
    if found not in FLAGS:
        raise ValueError(f"there is no code {text}")
    return found
