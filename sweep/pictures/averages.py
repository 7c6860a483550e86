"""The mean over a dimension of a run, its standard error, and which points it lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from solvers.suggest import did_you_mean
from sweep.errors import SpecError
from sweep.folder.codes import PENDING, POINT_FAILED
from sweep.folder.dataset import dimension_named

if TYPE_CHECKING:
    import xarray


def average(
    data: xarray.DataArray, status: xarray.DataArray, given: str
) -> tuple[xarray.DataArray, xarray.DataArray, xarray.DataArray]:
    """Mean over the dimension `given`, standard error of the mean, and status of the mean.

    Values that are NaN, points that failed or are still to come, do not count. A mean of nothing is NaN, and pending where
    a point of it is, else failed where a point of it is. The error of fewer than two values is NaN.
    """
    dim = dimension_named(given, data.dims)
    if dim not in data.dims:
        known = [str(d) for d in data.dims]
        raise SpecError(
            f"--mean {given}: {data.name} has no such dimension; it has {', '.join(known)}{did_you_mean(given, known)}"
        )
    count = data.notnull().sum(dim)
    mean = data.mean(dim, skipna=True)
    error = data.std(dim, skipna=True, ddof=1) / count**0.5
    attributes = data.attrs | {"long_name": f"mean of {data.attrs.get('long_name', data.name)}"}
    mean.attrs, error.attrs, mean.name = attributes, attributes, data.name
    if dim not in status.dims:
        return mean, status, error
    missing = status.isin([PENDING, POINT_FAILED])
    pending = (status == PENDING).any(dim)
    lacking = pending * PENDING + ~pending * POINT_FAILED
    flags = status.where(~missing).max(dim).where(~missing.all(dim), lacking)
    return mean, flags.astype(status.dtype), error
