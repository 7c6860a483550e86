"""Commands about models: `models`, `solve`, `new`."""

from __future__ import annotations

import json
import math
import warnings
from pathlib import Path
from typing import Any

import click
import numpy as np

from sweep.axis_forms import array_values, from_text
from sweep.cli_words import pairs
from sweep.errors import SpecError
from sweep.spec import plain


def _complete_id(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    from solvers import models as all_models

    return [name for name in all_models() if name.startswith(incomplete)]


@click.command()
@click.argument("model_id", metavar="[ID]", required=False, shell_complete=_complete_id)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def models(model_id: str | None, as_json: bool) -> None:
    """List the models; or the methods, parameters and outputs of the model ID."""
    from solvers import models as all_models

    if model_id is None:
        known = all_models()
        if as_json:
            click.echo(json.dumps({name: describe(model) for name, model in known.items()}, indent=1))
            return
        width = max(map(len, known), default=0)
        for name, model in known.items():
            click.echo(f"{name:{width}}  {model.title} [{', '.join(m.name for m in model.methods)}]")
        return
    model = _find(model_id)
    click.echo(json.dumps(describe(model), indent=1) if as_json else _text(model))


@click.command()
@click.argument("model_id", metavar="ID", shell_complete=_complete_id)
@click.option(
    "-p",
    "--parameter",
    "parameters",
    multiple=True,
    metavar="NAME=VALUE",
    help="A parameter; those left out have defaults.",
)
@click.option("--method", help="Method [default: the model's first].")
@click.option("--json", "as_json", is_flag=True, help="As JSON, with every value.")
@click.option(
    "--plot", "picture", type=click.Path(path_type=Path), help="Draw the outputs that are curves into this file."
)
def solve(model_id: str, parameters: tuple[str, ...], method: str | None, as_json: bool, picture: Path | None) -> None:
    """Solve one point of the model ID now."""
    from solvers import SolverWarning
    from solvers import solve as solve_point

    model = _find(model_id)
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
        units = {o.name: o.unit for o in model.outputs}
        for name, value in outputs.items():
            unit = units.get(name, "1")
            click.echo(f"{name:{width}}  {_short(value)}{'' if unit == '1' else f' {unit}'}")
    if picture is not None:
        from sweep.plot import draw_point

        click.echo(draw_point(model, model.method(method).name, given, outputs, picture))
    if int(outputs["status"]) == 2:
        click.get_current_context().exit(3)


@click.command()
@click.argument("model_id", metavar="ID", shell_complete=_complete_id)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File to write [default: print it].")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
def new(model_id: str, output: Path | None, force: bool) -> None:
    """Write a commented starter spec for the model ID."""
    text = starter(_find(model_id))
    if output is None:
        click.echo(text, nl=False)
        return
    if output.exists() and not force:
        raise SpecError(f"{output} exists; choose another name or replace it with --force")
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(text)
    click.echo(f"{output} is written; look it over, then: spinsweep run {output}")


def describe(model: Any) -> dict[str, Any]:
    """Everything about a model as plain JSON values."""
    return {
        "id": model.id,
        "title": model.title,
        "source": model.source,
        "methods": [
            {"name": m.name, "meaning": m.meaning, "limit": m.limit.text if m.limit else None} for m in model.methods
        ],
        "parameters": [
            {
                "name": p.name,
                "meaning": p.meaning,
                "unit": p.unit,
                "symbol": p.symbol,
                "kind": p.kind,
                "default": plain(p.default),
                "allowed": p.allowed,
                "dims": list(p.dims),
                "shape": p.shape,
            }
            for p in model.parameters
        ],
        "outputs": [
            {
                "name": o.name,
                "meaning": o.meaning,
                "unit": o.unit,
                "symbol": o.symbol,
                "dims": list(o.dims),
                "kind": o.kind,
                "methods": list(o.methods) or [m.name for m in model.methods],
            }
            for o in model.outputs
        ],
        "status": {str(code): text for code, text in model.status_text.items()},
        "example": {name: plain(value) for name, value in model.example.items()},
    }


def starter(model: Any) -> str:
    """A spec that runs as it is, with every parameter of the model in it or beside it as a comment."""
    from sweep.toml_text import value_text

    axis = next((p for p in model.parameters if _sweepable(p, model.example)), None)
    lines = [f"# {model.title}", f"# {model.source}", "", "[sweep]", f'name = "{model.title}"', f'model = "{model.id}"']
    lines += [
        f'method = "{model.methods[0].name}"    # a list makes an axis of: {", ".join(m.name for m in model.methods)}'
    ]
    lines += ["seed = 0", "", "[parameters]"]
    for p in model.parameters:
        if p is axis or p.name == "seed":
            continue
        remark = f"{p.meaning}{'' if p.unit == '1' else f' [{p.unit}]'}; {p.allowed}{'; not an axis' if p.shape or p.dims else ''}"
        value = model.example.get(p.name, p.default)
        given = p.name in model.example
        if value is None:
            lines.append(f"# {p.name} = ...    # {remark}")
        else:
            lines.append(f"{'' if given else '# '}{p.name} = {value_text(value)}    # {remark}")
    lines += ["", "[axes]    # in the order of the store; forms: values, linspace, logspace, arange"]
    if axis is not None:
        low, high = _range(axis, model.example)
        lines.append(f"{axis.name} = {{ linspace = [{low!r}, {high!r}, 11] }}    # {axis.meaning}; {axis.allowed}")
    lines += ["", "[outputs]    # all of them, unless keep names some:"]
    lines += [f"# {o.name} ({', '.join(o.dims)}): {o.meaning}" for o in model.outputs]
    lines += [f'# keep = ["{model.outputs[0].name}"]', ""]
    return "\n".join(lines)


def _sweepable(p: Any, example: Any) -> bool:
    return p.kind == "real" and not p.dims and not p.shape and p.physical and example.get(p.name, p.default) is not None


def _range(p: Any, example: Any) -> tuple[float, float]:
    """From half the example's value to it, or from zero to one or to the bound."""
    value = float(example.get(p.name, p.default))
    if value:
        return 0.5 * value, value
    high = p.bounds[1] if math.isfinite(p.bounds[1]) else 1.0
    return 0.0, min(1.0, 0.5 * high) if high > 0 else 0.0


def _find(model_id: str) -> Any:
    from solvers import find

    try:
        return find(model_id)
    except ValueError as error:
        raise SpecError(str(error)) from error


def _parameters(model: Any, texts: tuple[str, ...]) -> dict[str, Any]:
    dims = {p.name: p.dims for p in model.parameters}
    given = pairs(texts, "-p", from_text)
    return {name: array_values(f"-p {name}", value) if dims.get(name) else value for name, value in given.items()}


def _short(value: np.ndarray[Any, Any]) -> str:
    if value.ndim == 0:
        return str(value.item()) if value.dtype.kind in "iu" else f"{value.item():.10g}"
    shape = "x".join(map(str, value.shape))
    return f"({shape}) {np.array2string(value, threshold=12, precision=6, edgeitems=2)}"


def _text(model: Any) -> str:
    lines = [f"{model.id}: {model.title}", f"Source: {model.source}", "", "Methods (the first is the default)"]
    for m in model.methods:
        limit = f"; {m.limit.text}" if m.limit else ""
        lines.append(f"  {m.name}: {m.meaning}{f' ({m.source})' if m.source else ''}{limit}")
    lines += ["", "Parameters"]
    width = max(len(p.name) for p in model.parameters)
    for p in model.parameters:
        default = (
            "not given"
            if p.default is None
            else np.array2string(np.asarray(plain(p.default)), threshold=8, edgeitems=2)
        )
        unit = "" if p.unit == "1" else f" [{p.unit}]"
        marks = "; sets a shape, not an axis" if p.shape else ""
        lines.append(f"  {p.name:{width}}  {p.meaning}{unit}; {p.allowed}; default {default}{marks}")
    lines += ["", "Outputs"]
    width = max(len(o.name) for o in model.outputs)
    for o in model.outputs:
        unit = "" if o.unit == "1" else f" [{o.unit}]"
        only = f"; only {', '.join(o.methods)}" if o.methods else ""
        dims = f" ({', '.join(o.dims)})" if o.dims else ""
        lines.append(f"  {o.name:{width}}{dims}  {o.meaning}{unit}{only}")
    lines += ["", "Status"] + [f"  {code}: {text}" for code, text in model.status_text.items()]
    return "\n".join(lines)
