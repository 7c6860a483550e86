"""What a new store holds: arrays, coordinates and attributes, so that xarray labels every axis by itself."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.errors import ZarrUserWarning

from solvers.physics import physics_of
from sweep.folder import attributes, provenance
from sweep.folder.chunks import COMPRESSOR, SERIALIZER
from sweep.folder.codes import FLAGS, PENDING
from sweep.folder.disk import Disk, LocalDisk
from sweep.folder.zarr_files import ZarrFiles
from sweep.plan.tiling import Plan
from sweep.plan.variables import STATUS, Variable
from sweep.records import Json
from sweep.spec.sweep_spec import SweepDimension, plain

_THIS = LocalDisk()


@dataclass(frozen=True)
class Coordinate:
    """A coordinate of the store."""

    name: str
    dims: tuple[str, ...]
    values: NDArray[Any]
    attributes: Json


def create(path: Path, plan: Plan, code: str, text: str, disk: Disk = _THIS, shards: Sequence[int] = ()) -> None:
    """Create the whole store: arrays, coordinates, attributes (`text` is the spec as TOML), consolidated metadata.

    With `shards` so many tiles along each axis share a file.
    """
    group = zarr.create_group(
        ZarrFiles(path, disk), zarr_format=3, attributes=dict(_group_attributes(plan, code, text))
    )
    for variable in plan.variables:
        group.create_array(
            variable.name,
            shape=variable.shape,
            chunks=variable.chunks,
            shards=_shard(variable, shards),
            dtype=variable.dtype,
            serializer=SERIALIZER,
            compressors=COMPRESSOR,
            fill_value=PENDING if variable.name == STATUS else np.nan,
            dimension_names=variable.dims,
            attributes=dict(_variable_attributes(variable)),
        )
    for coordinate in coordinates(plan):
        values = coordinate.values
        words = values.dtype.kind == "U"  # of variable length: fixed-length texts make zarr warn on every reading
        array = group.create_array(
            coordinate.name,
            shape=values.shape,
            chunks=tuple(max(n, 1) for n in values.shape),
            dtype=str if words else values.dtype,
            dimension_names=coordinate.dims,
            attributes=dict(coordinate.attributes),
        )
        array[...] = values.astype(object) if words else values
    with warnings.catch_warnings():
        # Zarr warns that consolidated metadata are not yet in the specification; xarray warns when they are missing.
        warnings.simplefilter("ignore", ZarrUserWarning)
        zarr.consolidate_metadata(group.store)


def _shard(variable: Variable, shards: Sequence[int]) -> tuple[int, ...] | None:
    """The shape of the shards of a variable; the driver's own chunks of `status` need none."""
    if not shards or variable.name == STATUS:
        return None
    grid = len(shards)
    return (*(c * n for c, n in zip(variable.chunks[:grid], shards, strict=True)), *variable.chunks[grid:])


def _group_attributes(plan: Plan, code: str, text: str) -> Json:
    spec, model = plan.spec, plan.model
    paper = physics_of(model).paper
    scalars = [c.name for c in coordinates(plan) if c.dims != (c.name,)]
    found = {
        "Conventions": "CF-1.11",
        "title": spec.name,
        "source": f"spinsweep {provenance.version()}, model {model.id}, method {', '.join(spec.methods)}",
        "history": f"{provenance.now()} created by spinsweep {provenance.version()}",
        "references": model.source if paper is None else f"{paper.text()}; {model.source}",
        "model": model.id,
        "spec": text,
        "hash": spec.hash(),
        "code_hash": code,
    }
    return found | ({"coordinates": " ".join(scalars)} if scalars else {})


def _variable_attributes(variable: Variable) -> Json:
    if variable.name == STATUS:
        return {
            "units": "1",
            "long_name": "status of the point",
            "standard_name": "status_flag",
            "flag_values": list(FLAGS),
            "flag_meanings": " ".join(FLAGS.values()),
        }
    if variable.output is None:
        return {"units": "s", "long_name": "computing time of the point (its tile's, in equal parts)"}
    return attributes.of_output(variable.output)


def coordinates(plan: Plan) -> list[Coordinate]:
    """Every coordinate; dimensions first, then what else describes the points."""
    spec, model = plan.spec, plan.model
    found: list[Coordinate] = []
    for dimension in spec.dimensions:
        found += _grid_coordinates(plan, dimension)
    for name, derived in spec.derived.items():
        dims = tuple(spec.dimensions[k].name for k in derived.along)
        formula = {"formula": derived.formula}
        found.append(
            Coordinate(name, dims, derived.values, {**attributes.of_parameter(model.parameter(name)), **formula})
        )
    used = {d for v in plan.variables for d in v.dims}
    for own in model.dimensions:
        if own.name in used:
            size = own.size if isinstance(own.size, str) else ""
            given = next((p for p in model.parameters if p.name == size and p.dims), None)
            own_attributes = attributes.of_dimension(own, own.unit if given is None else given.unit)
            found.append(Coordinate(own.name, (own.name,), model.coordinate(own, spec.parameters), own_attributes))
    taken = {c.name for c in found} | {v.name for v in plan.variables}
    for parameter in model.parameters:
        value = spec.parameters.get(parameter.name)
        if parameter.physical and not parameter.dims and value is not None and parameter.name not in taken:
            found.append(Coordinate(parameter.name, (), np.asarray(plain(value)), attributes.of_parameter(parameter)))
    return found


def _grid_coordinates(plan: Plan, dimension: SweepDimension) -> list[Coordinate]:
    dims = (dimension.name,)
    if dimension.labels:
        return [Coordinate(dimension.name, dims, np.asarray(dimension.labels), {"units": "1", "long_name": "method"})]
    arrays = [name for name, values in dimension.columns.items() if values.ndim > 1]
    found = [Coordinate(name, dims, values, _mark_attributes(name, arrays)) for name, values in dimension.marks.items()]
    if dimension.name not in {*dimension.marks, *dimension.columns} or dimension.name in arrays:
        text = f"number of the array {dimension.name}" if arrays else f"point along {dimension.name}"
        counting = {"units": "1", "long_name": text}
        numbers = [
            n for n, v in (*dimension.columns.items(), *dimension.marks.items()) if v.ndim == 1 and v.dtype.kind in "if"
        ]
        if numbers:
            counting[attributes.PHYSICAL] = numbers[0]
        found.append(Coordinate(dimension.name, dims, dimension.coordinate, counting))
    for name, values in dimension.columns.items():
        if values.ndim == 1:
            found.append(Coordinate(name, dims, values, attributes.of_parameter(plan.model.parameter(name))))
    return found


def _mark_attributes(name: str, arrays: Sequence[str]) -> Json:
    return {"units": "1", "long_name": name, "comment": f"label of {', '.join(arrays)}"}
