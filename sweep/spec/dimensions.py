"""The dimensions of a grid, from `[axes]` and `[zip.NAME]`.

An axis is a form of values (see `axis_forms`), a `.npy` file of numbers, or the arrays of an array parameter: a file whose
first dimension is the axis, a list of arrays or of files, or `{ arrays = ..., labels = { NAME = [...] } }`, where the column
of labels is the coordinate (else the number of the array is). A zipped dimension takes the same, and random designs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.declarations import Parameter
from solvers.model import Model
from sweep.errors import SpecError
from sweep.records import Json
from sweep.spec import designs
from sweep.spec.array_files import load, names_file
from sweep.spec.axis_forms import axis_values, complex_values
from sweep.spec.sweep_spec import METHOD, SOLVER, SweepDimension

LONGEST_NAME = 100
"""Letters of a dimension's name, which names a folder of the store as well."""
Labels = Mapping[str, NDArray[Any]]


def dimensions_of(model: Model, axes: Json, zips: Json, seed: int) -> tuple[SweepDimension, ...]:
    """The dimensions in their order; SpecError for a mistake in one of them."""
    found: list[SweepDimension] = []
    for name, form in axes.items():
        if name in (METHOD, SOLVER):
            raise SpecError(f'[axes] {name}: a list of methods goes into [sweep], method = ["...", "..."]')
        if designs.is_design(form):
            raise SpecError(
                f"[axes] {name}: a random design has a dimension of its own, along which all drawn parameters vary "
                f"together; write [zip.sample] with {name} = {form!r} in it"
            )
        values, labels = _column(model, "[axes]", name, form)
        if len(labels) > 1:
            raise SpecError(f"[axes] {name}: one column of labels names an axis; given were {', '.join(labels)}")
        found.append(SweepDimension(next(iter(labels), name), len(values), {name: values}, marks=labels))
    for group, table in zips.items():
        found.append(_zipped(model, group, table, seed))
    names = [name for d in found for name in d.columns]
    for name in names:
        if names.count(name) > 1:
            raise SpecError(f"parameter {name} is varied in two places of [axes] and [zip]; leave one")
    return tuple(found)


def _zipped(model: Model, group: str, table: Any, seed: int) -> SweepDimension:
    where = f"[zip.{group}]"
    if not isinstance(table, Mapping) or not table:
        raise SpecError(f"{where} must be a table of parameters that vary together along the dimension {group}")
    drawn = designs.drawn(where, group, seed, {n: f for n, f in table.items() if designs.is_design(f)})
    columns: dict[str, NDArray[Any]] = {}
    marks: dict[str, NDArray[Any]] = {}
    for name, form in table.items():
        if name in drawn:
            parameter = _varied(model, where, name)
            values = np.round(drawn[name]) if parameter.kind == "integer" else drawn[name]
            columns[name] = _parsed(parameter, f"{where} {name}", values)
            continue
        columns[name], labels = _column(model, where, name, form)
        marks.update(labels)
    sizes = {name: len(values) for name, values in columns.items()}
    if len(set(sizes.values())) > 1:
        raise SpecError(f"{where} all parameters need the same number of values; given were {sizes}")
    return SweepDimension(group, next(iter(sizes.values())), columns, marks=marks)


def _varied(model: Model, where: str, name: str) -> Parameter:
    try:
        parameter = model.parameter(name)
    except TypeError as error:
        raise SpecError(str(error)) from error
    if parameter.shape:
        raise SpecError(f"{where} {name}: {fixed_for_the_sweep(model)}")
    return parameter


def fixed_for_the_sweep(model: Model) -> str:
    """Why a parameter that sets a shape cannot vary, and which ones can."""
    free = [p.name for p in model.parameters if not p.shape]
    return (
        "this parameter sets the shape of an output and is fixed for a whole sweep; put it in [parameters], or make one "
        f"sweep per value (axes may be {', '.join(free)})"
    )


def _parsed(parameter: Parameter, where: str, values: Any) -> NDArray[Any]:
    try:
        return parameter.parse_many(values)
    except (ValueError, TypeError) as error:
        raise SpecError(f"{where}: {error}") from error


def _column(model: Model, where: str, name: str, form: Any) -> tuple[NDArray[Any], Labels]:
    """The values of a parameter along a dimension, (n,) or (n, ...), and the labels that its form has."""
    parameter = _varied(model, where, name)
    place = f"{where} {name}"
    if isinstance(form, Mapping) and ("arrays" in form or "labels" in form):
        for key in form:
            if key not in ("arrays", "labels"):
                raise SpecError(f"{place} has no form {key!r} beside arrays; allowed are arrays, labels")
        if "arrays" not in form:
            raise SpecError(f"{place}: labels belong to arrays; write {{ arrays = ..., labels = ... }}")
        if not parameter.dims:
            arrays = ", ".join(p.name for p in model.parameters if p.dims and not p.shape) or "none"
            raise SpecError(f"{place}: {name} is one number, not an array; arrays of {model.id} are {arrays}")
        values = _parsed(parameter, place, _arrays(place, form["arrays"], parameter))
        return values, _labels(place, form.get("labels", {}), len(values))
    values = _parsed(parameter, place, _plain_values(place, form, parameter))
    if where == "[axes]" and values.ndim == 1:
        unique, counts = np.unique(values, return_counts=True)
        if len(unique) < len(values):
            raise SpecError(f"{place}: the value {unique[counts > 1][0]} is repeated; every value may occur once")
    return values, {}


def _plain_values(where: str, form: Any, parameter: Parameter) -> Any:
    """The values of an axis in any form but `arrays`."""
    if isinstance(form, Mapping) and set(form) == {"values"}:
        form = form["values"]
    if parameter.kind != "choice" and (names_file(form) or (isinstance(form, list) and form and names_file(form[0]))):
        return _arrays(where, form, parameter)
    if isinstance(form, Mapping) and set(form) == {"re", "im"}:
        return complex_values(where, form)
    return axis_values(where, form, parameter.kind)


def _arrays(where: str, form: Any, parameter: Parameter) -> Any:
    """Arrays along an axis: one file, or a list of files or arrays."""
    if names_file(form):
        found = load(where, form)
        if found.ndim not in (1, 1 + len(parameter.dims)) or not found.size:
            raise SpecError(
                f"{where}: the first dimension of {form} is the axis, so {1 + len(parameter.dims)} dimensions are "
                f"expected; its shape is {found.shape}"
            )
        return found
    if isinstance(form, Mapping) and set(form) == {"re", "im"}:
        return complex_values(where, form)
    if not isinstance(form, list | tuple) or not len(form):
        raise SpecError(f"{where}: write a .npy file, or a list of arrays or of files; given was {form!r:.80}")
    if not names_file(form[0]):
        return form
    if len(form) == 1 and load(where, form[0]).ndim == 1 + len(parameter.dims):
        return load(where, form[0])  # --axis NAME=FILE arrives as a list of one
    loaded = [
        load(f"{where}, array {k}", value) if names_file(value) else np.asarray(value) for k, value in enumerate(form)
    ]
    for k, array in enumerate(loaded):
        if array.shape != loaded[0].shape:
            raise SpecError(
                f"{where}: all arrays need one shape; array 0 has {loaded[0].shape}, array {k} has {array.shape}"
            )
    return np.stack(loaded)


def _labels(where: str, given: Any, size: int) -> Labels:
    if not isinstance(given, Mapping):
        raise SpecError(f"{where}: labels is a table of columns, like {{ coupling = [0.1, 0.2] }}; given was {given!r}")
    found = {}
    for name, values in given.items():
        column = np.asarray(axis_values(f"{where}, label {name}", values))
        if column.ndim != 1 or column.dtype.kind not in "iufU" or len(set(column.tolist())) < len(column):
            raise SpecError(f"{where}: label {name} needs numbers or texts, each once; given was {values!r:.80}")
        if len(column) != size:
            raise SpecError(f"{where}: label {name} has {len(column)} values for {size} arrays")
        found[name] = column
    return found


def check_shapes(model: Model, dimensions: Sequence[SweepDimension], parameters: Mapping[str, Any]) -> None:
    """SpecError unless the arrays along every axis have the shape that the fixed parameters make."""
    sizes = model.sizes(parameters)
    varying = {name for d in dimensions for name in d.columns}
    for dimension in dimensions:
        for name, values in dimension.columns.items():
            parameter = model.parameter(name)
            if values.ndim == 1:
                continue
            for size in varying - {name}:
                if any(isinstance(d, str) and size in d for d in parameter.dims):
                    raise SpecError(
                        f"arrays cannot be an axis of {name} ({', '.join(map(str, parameter.dims))}) while {size} varies; "
                        "fix the one or vary the other by numbers"
                    )
            try:
                parameter.check_shape(values, sizes)
            except ValueError as error:
                raise SpecError(f"axis {dimension.name}: {error}") from error


def check_names(model: Model, dimensions: Sequence[SweepDimension]) -> None:
    """SpecError when a dimension, or a column of labels, has a name that the model or another dimension uses."""
    taken = {o.name for o in model.outputs} | {d.name for d in model.dimensions} | {"status", "elapsed_seconds"}
    names = [name for d in dimensions for name in dict.fromkeys((d.name, *d.marks))]
    parameters = {p.name for p in model.parameters}
    for d in dimensions:
        for name in (d.name, *d.marks):
            if not (name.isprintable() and 0 < len(name) <= LONGEST_NAME) or "/" in name or name.startswith("."):
                raise SpecError(
                    f"a dimension of the grid cannot be called {name!r:.80}: write a word of at most {LONGEST_NAME} letters "
                    "without /, that does not begin with a dot"
                )
            clash = (
                name in taken
                or (name not in d.columns and name in parameters)
                or (name in d.columns and name in d.marks)
            )
            if clash or names.count(name) > 1:
                raise SpecError(
                    f"a dimension of the grid cannot be called {name!r}, because {model.id} uses that name; rename it"
                )
