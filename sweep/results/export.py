"""Results as files of other programs: netCDF, CSV, Parquet."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from solvers.suggest import did_you_mean
from sweep.errors import SpecError
from sweep.folder.dataset import loaded
from sweep.folder.dataset import open as open_run

if TYPE_CHECKING:
    import xarray

NEEDS = {".nc": ("h5netcdf", "h5py"), ".csv": ("pandas",), ".parquet": ("pandas", "pyarrow")}
"""Ending of a file -> the packages that write it."""
SUFFIXES = tuple(NEEDS)


def export(folder: Path, output: Path, variables: Sequence[str] = ()) -> list[str]:
    """Write variables of a run (default: all that the format can hold together) and return their names.

    NetCDF has no complex numbers: those become NAME_real and NAME_imag. A table has one row per point, so variables with
    dimensions of their own (time, say) go into one only when asked for; then the rows are theirs.
    """
    if output.suffix not in SUFFIXES:
        raise SpecError(
            f"{output}: the ending must be one of {', '.join(SUFFIXES)}; given was {output.suffix or 'none'}"
        )
    for package in NEEDS[output.suffix]:
        importlib.import_module(package)  # a missing one is told with the extra that brings it
    data = open_run(folder)
    known = [str(name) for name in data.data_vars]
    for name in variables:
        if name not in known:
            raise SpecError(f"the run has no variable {name!r}; it has {', '.join(known)}{did_you_mean(name, known)}")
    chosen = list(variables) or known
    if output.suffix != ".nc" and not variables:
        chosen = [name for name in known if data[name].dims == data.status.dims]
    data = _real(loaded(data[chosen]))
    output.parent.mkdir(parents=True, exist_ok=True)
    if output.suffix == ".nc":
        data.to_netcdf(output, engine="h5netcdf")
    else:
        frame = data.reset_coords(drop=True).to_dataframe().reset_index()
        if output.suffix == ".csv":
            frame.to_csv(output, index=False, float_format="%.17g")
        else:
            frame.to_parquet(output, index=False)
    return [str(name) for name in data.data_vars]


def _real(data: xarray.Dataset) -> xarray.Dataset:
    """Complex variables as two real ones; texts as plain objects, which every format takes."""
    for name, array in list(data.data_vars.items()):
        if array.dtype.kind == "c":
            for part, function in (("real", np.real), ("imag", np.imag)):
                copy = array.copy(data=function(array.values))
                copy.attrs = {**array.attrs, "long_name": f"{part} part of {array.attrs.get('long_name', name)}"}
                data[f"{name}_{part}"] = copy
            data = data.drop_vars(str(name))
    for name, array in list(data.coords.items()):
        if array.dtype.kind not in "iufb":
            data = data.assign_coords({name: (array.dims, array.values.astype(object), array.attrs)})
    for variable in data.variables.values():
        variable.encoding = {}
    return data
