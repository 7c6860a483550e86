"""A run's results as xarray has them, and places in them by coordinate."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from solvers.suggest import did_you_mean
from sweep.errors import GIVE_A_RUN, REPAIR, RunError, SpecError
from sweep.folder.places import place
from sweep.folder.run_folder import RunFolder
from sweep.folder.zarr_files import ZarrFiles
from sweep.spec.sweep_spec import METHOD, SOLVER

if TYPE_CHECKING:
    import xarray

Values = TypeVar("Values", "xarray.Dataset", "xarray.DataArray")


def open(path: str | Path) -> xarray.Dataset:
    """Open a run as an `xarray.Dataset`, at any moment of the run.

    Parameters
    ----------
    path : the run's folder, or the `data.zarr` in it; in a bucket its address, `s3://bucket/run`.

    A list of methods is the dimension `solver`. Values are read when they are used; points that are not computed yet are NaN, and 0 in `status`. Open it again to
    see a store grow. Raises RunError when there is no run.
    """
    import xarray

    given = place(path)
    folder = RunFolder(given.parent if given.name == "data.zarr" else given)
    data = folder.data
    if not folder.disk.is_file(data / "zarr.json"):
        raise RunError(f"{given} is not a run folder (no data.zarr)", GIVE_A_RUN)
    try:
        dataset: xarray.Dataset = xarray.open_zarr(
            ZarrFiles(data, folder.disk, read_only=True) if folder.in_bucket else data, chunks=None
        )
    except Exception as error:  # there is no end to what a damaged file can be, and to what it raises
        words = str(error).splitlines()[:1]
        raise RunError(f"{data} cannot be read ({type(error).__name__}: {''.join(words)})", REPAIR) from error
    if METHOD in dataset.dims and dataset[METHOD].attrs.get("long_name") == METHOD:  # a store of format 1
        dataset = dataset.rename({METHOD: SOLVER})
    for array in dataset.variables.values():
        if array.attrs.get("units") == "1":  # CF: the same as none, and xarray would write [1] at its axes
            del array.attrs["units"]
    return dataset


def loaded(data: Values) -> Values:
    """The same with its values in memory; RunError where a chunk cannot be decoded."""
    try:
        return data.load()
    except (RuntimeError, ValueError, OSError) as error:  # of a codec, of a shape, of a file
        name = getattr(data, "name", None) or ", ".join(str(name) for name in getattr(data, "data_vars", ()))
        raise RunError(f"the values of {name} cannot be read: a chunk is damaged ({error})", REPAIR) from error


def dimension_named(name: str, names: Iterable[Hashable]) -> str:
    """The dimension that a user means: the spec's word `method` is understood for `solver`."""
    return SOLVER if name == METHOD and METHOD not in names else name


def nearest(values: NDArray[Any], wanted: Any, where: str) -> int:
    """The place of the number nearest to `wanted`, or of the label that it is; SpecError begins with `where`."""
    if values.dtype.kind in "iuf":
        if isinstance(wanted, bool) or not isinstance(wanted, int | float | np.number):
            raise SpecError(f"{where} needs a number; given was {wanted!r}")
        low, high = float(values.min()), float(values.max())
        room = (high - low) / max(values.size - 1, 1) if high > low else 1e-6 * max(abs(low), 1e-300)
        if not low - room <= wanted <= high + room:
            raise SpecError(f"{where} is beyond its values, which go from {low:g} to {high:g}; given was {wanted!r}")
        return int(np.argmin(np.abs(values - wanted)))
    labels = [str(v) for v in values.tolist()]
    if str(wanted) not in labels:
        raise SpecError(
            f"{where} needs one of {', '.join(labels)}; given was {wanted!r}{did_you_mean(str(wanted), labels)}"
        )
    return labels.index(str(wanted))
