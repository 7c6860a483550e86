"""What a picture says: labels of axes, and entries of the legend for points that have no value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sweep.folder.codes import PENDING, POINT_FAILED

if TYPE_CHECKING:
    import xarray

NAN_MEANS = "nan_means"
LONGEST = 40
"""Characters of a label on one line."""


def axis_label(array: xarray.DataArray) -> str:
    """Name, symbol and unit of an array, from its attributes."""
    text = str(array.attrs.get("long_name", array.name))
    unit = str(array.attrs.get("units", "1"))
    return folded(text if unit == "1" else f"{text} [{unit}]")


def folded(text: str) -> str:
    """A long label on two lines, broken between words outside of its formula."""
    if len(text) <= LONGEST or "\n" in text:
        return text
    spaces = [k for k, letter in enumerate(text) if letter == " " and text[:k].count("$") % 2 == 0]
    if not spaces:
        return text
    middle = min(spaces, key=lambda k: abs(k - len(text) // 2))
    return f"{text[:middle]}\n{text[middle + 1 :]}"


def missing(
    data: xarray.DataArray, flags: NDArray[Any], values: NDArray[Any]
) -> list[tuple[str, str, NDArray[np.bool_]]]:
    """Where there is no value and why: (kind, words, places); kinds are pending, failed, nan."""
    empty = np.isnan(values) & (flags != PENDING) & (flags != POINT_FAILED)
    places = [
        ("pending", "pending", flags == PENDING),
        ("failed", "failed", flags == POINT_FAILED),
        ("nan", str(data.attrs.get(NAN_MEANS, "no value")), empty),
    ]
    return [found for found in places if found[2].any()]
