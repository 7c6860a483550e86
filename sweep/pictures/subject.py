"""What a picture shows: a variable of a run, cut, averaged or compared, as real numbers with its status and its errors."""

from __future__ import annotations

import contextlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from solvers.suggest import did_you_mean
from sweep.errors import SpecError
from sweep.folder.attributes import PHYSICAL
from sweep.folder.codes import PENDING, POINT_FAILED
from sweep.folder.dataset import dimension_named, loaded, nearest
from sweep.pictures.averages import average
from sweep.pictures.style import Style
from sweep.spec.sweep_spec import SOLVER

if TYPE_CHECKING:
    import xarray

ERROR_OF = "{}_sem"
"""The output that holds the standard error of another."""


@dataclass(frozen=True)
class Subject:
    """`data` real values; `status` of its points, over some of its dimensions; `error`, one standard error, or None;
    `dataset` cut as the data are, for other coordinates; `cut` what was cut, in words."""

    data: xarray.DataArray
    status: xarray.DataArray
    error: xarray.DataArray | None
    dataset: xarray.Dataset
    cut: tuple[str, ...]


def main_output(dataset: xarray.Dataset) -> str:
    """The variable that a run is about: the first output that its spec keeps, or its model has, and is no coordinate."""
    from solvers import find

    try:
        names = [o.name for o in find(str(dataset.attrs.get("model"))).outputs]
    except ValueError:  # a model of the user's own, whose file is not here
        names = [str(name) for name in dataset.data_vars]
    with contextlib.suppress(tomllib.TOMLDecodeError):
        names = [*tomllib.loads(str(dataset.attrs.get("spec", ""))).get("outputs", {}).get("keep", ()), *names]
    coordinates = {dataset[d].attrs.get(PHYSICAL) for d in dataset.dims if d in dataset.coords}
    for name in names:
        if (
            name in dataset.data_vars
            and name not in coordinates
            and "status" in dataset[name].attrs.get("ancillary_variables", "status")
        ):
            return name
    return "status"


def check_variable(dataset: xarray.Dataset, variable: str) -> None:
    """SpecError unless the run has the variable."""
    if variable not in dataset.data_vars:
        known = [str(name) for name in dataset.data_vars]
        raise SpecError(
            f"the run has no variable {variable!r}; it has {', '.join(known)}{did_you_mean(variable, known)}"
        )


def subject(dataset: xarray.Dataset, variable: str, selection: Mapping[str, Any], style: Style) -> Subject:
    """The variable as `selection` and `style` ask for it; SpecError for what cannot be had."""
    check_variable(dataset, variable)
    dataset, said = _cut(dataset, variable, selection)
    data, status = loaded(dataset[variable]), loaded(dataset["status"])
    companion = ERROR_OF.format(variable)
    error = loaded(dataset[companion]) if companion in dataset.data_vars else None
    if style.against is not None:
        data, status, error = *_deviation(data, status, style.against), None
    data, shown = _part(data, style), style.part if data.dtype.kind == "c" else ""
    if shown or style.db:
        error = None  # the error of a part, or of a logarithm, is another quantity
    if style.mean is not None:
        data, status, error = average(data, status, style.mean)
    return Subject(data, status, error, dataset, said)


def cut_at(found: Subject, dim: str, index: int) -> Subject:
    """The subject at one place along a dimension, said."""
    values = physical(found, dim)
    if values.ndim > 1:  # another value at every point
        values = found.dataset[dim]

    def at(array: Any) -> Any:
        return array.isel({dim: index}) if array is not None and dim in array.dims else array

    text = f"{values.name} = {said(values.values[index])}"
    return Subject(at(found.data), at(found.status), at(found.error), at(found.dataset), (*found.cut, text))


def physical(subject: Subject, dim: str) -> xarray.DataArray:
    """The values that stand for a dimension: its physical coordinate where it only counts, else its own."""
    own: xarray.DataArray = subject.data[dim] if dim in subject.data.coords else subject.dataset[dim]
    name = own.attrs.get(PHYSICAL)
    if name in subject.dataset.variables:
        found = loaded(subject.dataset[name])
        if dim not in found.dims and found.dims and found.sizes[found.dims[-1]] == subject.data.sizes[dim]:
            found = found.rename({found.dims[-1]: dim})  # one set of values for two dimensions: positions and momenta
            found.attrs = {**found.attrs, "long_name": own.attrs.get("long_name", dim)}
        return _shared(found, dim) if set(found.dims) <= set(subject.data.dims) else own
    return own


def _shared(values: xarray.DataArray, dim: str) -> xarray.DataArray:
    """An array without the dimensions along which it does not change (the field of a step is that of every point)."""
    for other in [str(d) for d in values.dims if d != dim]:
        first = values.isel({other: 0})
        if bool(((values == first) | values.isnull()).all()):
            filled = values.max(other)
            filled.attrs = values.attrs
            values = filled
    return values


def said(value: Any) -> str:
    """A value of a coordinate as a title or a legend has it."""
    return f"{value:.6g}" if isinstance(value, float | np.floating) else str(value)


def _cut(
    dataset: xarray.Dataset, variable: str, selection: Mapping[str, Any]
) -> tuple[xarray.Dataset, tuple[str, ...]]:
    """The dataset at the selected places, and these in words.

    A one-dimensional coordinate cuts its dimension, and so does the physical coordinate of a dimension that only counts.
    """
    texts = []
    for given, value in selection.items():
        dims = dataset[variable].dims
        name = dimension_named(given, dims)
        coordinate = dataset.coords.get(name)
        for dim in dims:
            if coordinate is None and dim in dataset.coords and dataset[dim].attrs.get(PHYSICAL) == name:
                coordinate = _shared(loaded(dataset[name]), str(dim))
        if coordinate is None or len(coordinate.dims) != 1 or coordinate.dims[0] not in dims:
            known = sorted(str(n) for n, c in dataset.coords.items() if len(c.dims) == 1 and c.dims[0] in dims)
            known += [
                str(p)
                for d in dims
                if d in dataset.coords and (p := dataset[d].attrs.get(PHYSICAL)) not in (None, *known)
            ]
            raise SpecError(
                f"--sel {given}: {variable} has no such dimension; it has {', '.join(known) or 'none left'}"
                f"{did_you_mean(given, known)}"
            )
        index = nearest(coordinate.values, value, f"--sel {given}")
        texts.append(f"{name} = {said(coordinate.values[index])}")
        dataset = dataset.isel({coordinate.dims[0]: index})
    return dataset, tuple(texts)


def _deviation(
    data: xarray.DataArray, status: xarray.DataArray, method: str
) -> tuple[xarray.DataArray, xarray.DataArray]:
    """Absolute deviation of every other method from `method`; a point failed or is pending where either is."""
    labels = data[SOLVER].values.tolist() if SOLVER in data.dims else []
    if method not in labels or len(labels) < 2:
        known = ", ".join(labels) or "no method axis"
        raise SpecError(
            f"--against {method}: the run has {known}; give [sweep] method a list{did_you_mean(method, labels)}"
        )
    others = [k for k, label in enumerate(labels) if label != method]
    exact, exact_status = data.isel({SOLVER: labels.index(method)}), status.isel({SOLVER: labels.index(method)})
    rest, rest_status = data.isel({SOLVER: others}), status.isel({SOLVER: others})
    found = rest.copy(data=np.abs((rest - exact.drop_vars(SOLVER)).transpose(*rest.dims).values))
    kept = {name: value for name, value in data.attrs.items() if not name.startswith("valid_")}
    found.attrs = {**kept, "long_name": f"deviation from {method}:\n{data.attrs.get('long_name', data.name)}"}
    flags = rest_status.copy()
    for code in (POINT_FAILED, PENDING):
        flags = flags.where((rest_status != code) & (exact_status.drop_vars(SOLVER) != code), code)
    return found, flags.transpose(*rest_status.dims)


def _part(data: xarray.DataArray, style: Style) -> xarray.DataArray:
    """The real quantity to draw."""
    attributes = dict(data.attrs)
    if data.dtype.kind == "c":
        function: Any = {"abs": np.abs, "real": np.real, "imag": np.imag, "phase": np.angle}[style.part]
        data = data.copy(data=function(data.values))
        attributes["long_name"] = f"{style.part} of {attributes.get('long_name', data.name)}"
        if style.part == "phase":
            attributes |= {"units": "rad", "valid_min": -np.pi, "valid_max": np.pi}
        data.attrs = attributes
    if style.db:
        with np.errstate(invalid="ignore", divide="ignore"):
            data = data.copy(data=10 * np.log10(data.values.astype(float)))
        unit = attributes.get("units", "1")
        name = str(attributes.get("long_name", data.name))
        data.attrs = {"long_name": name if unit == "1" else f"{name} re 1 {unit}", "units": "dB"}
    return data
