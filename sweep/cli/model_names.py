"""Ids of models as an argument: found, suggested; and the words that a shell completes: ids, parameters, methods, variables."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sweep.errors import SpecError

if TYPE_CHECKING:
    from solvers.model import Model


def complete_id(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    from sweep.cli.catalogue import catalogue

    return [name for name in catalogue() if name.startswith(incomplete)]


def complete_parameter(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """`NAME=` of the parameters of the model, or of the spec's model, that the words before name."""
    model = _model_of(ctx)
    names = [] if model is None else [f"{p.name}=" for p in model.parameters]
    return [name for name in names if name.startswith(incomplete)]


def complete_method(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The methods of the model that the words before name."""
    model = _model_of(ctx)
    return [] if model is None else [m.name for m in model.methods if m.name.startswith(incomplete)]


def complete_variable(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The variables of the run that the words before name."""
    return [name for name in _arrays_of(ctx, coordinates=False) if name.startswith(incomplete)]


def complete_dimension(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """`DIM=` for the coordinates of the run that the words before name."""
    return [f"{name}=" for name in _arrays_of(ctx, coordinates=True) if name.startswith(incomplete)]


def _model_of(ctx: click.Context) -> Model | None:
    from sweep.errors import SweepError
    from sweep.spec.documents import read

    given = _first_argument(ctx)
    if given is None:
        return None
    name: object = given
    if any(parameter.name == "spec" for parameter in ctx.command.params):
        try:
            name = read(given).get("sweep", {}).get("model")
        except SweepError:
            return None
    try:
        return find_model(str(name))
    except SpecError:
        return None


def _first_argument(ctx: click.Context) -> str | None:
    """The first argument of the command so far; before an option without its value, click leaves it unread."""
    arguments = [p.name for p in ctx.command.params if isinstance(p, click.Argument)]
    read = next((ctx.params[name] for name in arguments if ctx.params.get(name) is not None), None)
    return str(read) if read is not None else next(iter(ctx.args), None)


def _arrays_of(ctx: click.Context, coordinates: bool) -> list[str]:
    """The arrays of a run, by the names of their folders: those along one dimension of their name are coordinates."""
    data = Path(_first_argument(ctx) or "") / "data.zarr"
    found = []
    for file in sorted(data.glob("*/zarr.json")):
        with contextlib.suppress(OSError, ValueError):
            dims = json.loads(file.read_bytes()).get("dimension_names") or []
            outputs = {"ancillary_variables", "flag_values"} & set(json.loads(file.read_bytes()).get("attributes", {}))
            if (len(dims) == 1 and not outputs) if coordinates else bool(outputs):
                found.append(file.parent.name)
    return found


def find_model(model_id: str) -> Model:
    """The model of that id; SpecError with the nearest id if there is none."""
    from solvers import find

    try:
        return find(model_id)
    except ValueError as error:
        raise SpecError(str(error)) from error
