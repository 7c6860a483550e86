"""`solve`: one point, now."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sweep.cli.model_names import complete_id, complete_method, complete_parameter, find_model
from sweep.cli.words import pairs
from sweep.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from solvers.model import Model


@click.command()
@click.argument("model_id", metavar="ID", shell_complete=complete_id)
@click.option(
    "-p",
    "--parameter",
    "parameters",
    multiple=True,
    metavar="NAME=VALUE",
    shell_complete=complete_parameter,
    help="A parameter; those left out have defaults.",
)
@click.option("--method", shell_complete=complete_method, help="Method [default: the model's first].")
@click.option("--json", "as_json", is_flag=True, help="As JSON, with every value.")
@click.option(
    "--plot", "picture", type=click.Path(path_type=Path), help="Draw the outputs that are curves into this file."
)
def solve(model_id: str, parameters: tuple[str, ...], method: str | None, as_json: bool, picture: Path | None) -> None:
    """Solve one point of the model ID now."""
    from solvers import SolverWarning
    from solvers import solve as solve_point
    from sweep.spec.sweep_spec import plain

    model = find_model(model_id)
    given = _parameters(model, parameters)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", SolverWarning)
        try:
            outputs = solve_point(model.id, method=method, **given)
        except (ValueError, TypeError) as error:
            raise SpecError(str(error)) from error
    for warning in caught:
        if issubclass(warning.category, SolverWarning):
            click.echo(f"spinsweep: {warning.message}", err=True)
    if as_json:
        click.echo(json.dumps({name: plain(value) for name, value in outputs.items()}))
    else:
        width = max(map(len, outputs))
        units = {o.name: "" if o.unit == "1" else f" {o.unit}" for o in model.outputs}
        units["status"] = f" ({model.status_text[int(outputs['status'])]})"
        for name, value in outputs.items():
            click.echo(f"{name:{width}}  {_short(value)}{units.get(name, '')}")
    if picture is not None:
        from sweep.pictures.point import draw_point

        click.echo(draw_point(model, model.method(method).name, given, outputs, picture))
    if int(outputs["status"]) == 2:
        click.get_current_context().exit(3)


def _parameters(model: Model, texts: tuple[str, ...]) -> Mapping[str, Any]:
    from sweep.folder.array_copies import near
    from sweep.spec.axis_forms import array_values, from_text

    dims = {p.name: p.dims for p in model.parameters}
    given = pairs(texts, "-p", from_text)
    return {name: array_values(f"-p {name}", near(value)) if dims.get(name) else value for name, value in given.items()}


def _short(value: np.ndarray[Any, Any]) -> str:
    import numpy as np

    if value.ndim == 0:
        return str(value.item()) if value.dtype.kind in "iu" else f"{value.item():.10g}"
    shape = "x".join(map(str, value.shape))
    return f"({shape}) {np.array2string(value, threshold=12, precision=6, edgeitems=2)}"


COMMANDS = (solve,)
