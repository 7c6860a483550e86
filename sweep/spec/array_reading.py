"""Arrays in `.npy` and `.npz` files of whatever origin: their headers are read first, so that no file makes us take memory
for what it does not hold, and none is unpickled."""

from __future__ import annotations

import math
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from solvers.suggest import did_you_mean
from sweep.errors import SpecError
from sweep.quantities import size
from sweep.spec.plain_files import check_plain

LARGEST_ARRAY = 1 << 30
"""Bytes of an array beyond which it is taken for damage, or for a joke."""


def read_array(where: str, path: Path, key: str = "") -> NDArray[Any]:
    """The array of a `.npy` file, or the one called `key` of a `.npz` file; SpecError says what is wrong with it."""
    try:
        length = check_plain(path, f"{where}: the array file", 2 * LARGEST_ARRAY).st_size
        with open(path, "rb") as stream:
            if stream.read(2) == b"PK":
                return _in_archive(where, path, key)
            stream.seek(0)
            return _array(stream, length)
    except FileNotFoundError:
        raise SpecError(f"{where}: the array file {path} does not exist") from None
    except SpecError:
        raise
    except Exception as error:  # there is no end to what can be wrong inside a file, and to what it raises
        raise SpecError(
            f"{where}: {path} is no .npy or .npz file of numbers ({error or type(error).__name__})"
        ) from error


def _in_archive(where: str, path: Path, key: str) -> NDArray[Any]:
    with zipfile.ZipFile(path) as archive:
        members = {name.removesuffix(".npy"): name for name in archive.namelist()}
        if not key and len(members) == 1:
            key = next(iter(members))
        if key not in members:
            raise SpecError(
                f"{where}: write {path}:KEY with one of {', '.join(members)}; given was {key or 'no key'}"
                f"{did_you_mean(key, members)}"
            )
        with archive.open(members[key]) as stream:
            return _array(stream, archive.getinfo(members[key]).file_size)


def _array(stream: IO[bytes], length: int) -> NDArray[Any]:
    """The array of a stream of so many bytes, which its header must agree with."""
    version = npy.read_magic(stream)
    read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(version)
    if read is None:
        raise ValueError(f"version {version} of its format is not known")
    shape, columns_first, dtype = read(stream)
    if dtype.kind not in "biufcSU":
        raise ValueError(f"it holds {dtype}, not numbers")
    wanted = math.prod(shape) * dtype.itemsize
    if wanted > LARGEST_ARRAY:
        raise ValueError(f"it claims {shape} numbers, {size(wanted)}; at most {size(LARGEST_ARRAY)} are read")
    if stream.tell() + wanted > length:
        raise ValueError(f"it is cut short: {size(wanted)} of numbers are announced in a file of {size(length)}")
    content = stream.read(wanted)
    if len(content) != wanted:
        raise ValueError("it ends too early")
    return np.frombuffer(content, dtype=dtype).reshape(shape, order="F" if columns_first else "C").copy()
