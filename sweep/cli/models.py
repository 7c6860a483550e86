"""`models`: what can be computed."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import click

from sweep.cli.model_names import complete_id, find_model
from sweep.cli.words import json_option

if TYPE_CHECKING:
    from solvers.model import Model
    from sweep.records import Json


@click.command()
@click.argument("model_id", metavar="[ID]", required=False, shell_complete=complete_id)
@json_option
def models(model_id: str | None, as_json: bool) -> None:
    """List the models; or the physics of the model ID: equations, conventions, misprints, methods, parameters, outputs."""
    if model_id is None and as_json:
        from solvers import models as all_models

        click.echo(json.dumps({name: describe(model) for name, model in all_models().items()}, indent=1))
        return
    if model_id is None:
        from sweep.cli.catalogue import catalogue

        known = catalogue()
        width = max(map(len, known), default=0)
        for name, entry in known.items():
            click.echo(f"{name:{width}}  {entry.title} [{', '.join(entry.methods)}]")
        return
    model = find_model(model_id)
    click.echo(json.dumps(describe(model), indent=1) if as_json else _text(model))


def describe(model: Model) -> Json:
    """Everything about a model as plain JSON values."""
    from solvers.physics import physics_of
    from sweep.spec.sweep_spec import plain

    physics = physics_of(model)
    return {
        "id": model.id,
        "title": model.title,
        "source": model.source,
        "paper": None if physics.paper is None else dataclasses.asdict(physics.paper),
        "physics": {"system": physics.system, "model": physics.model},
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


def _text(model: Model) -> str:
    from solvers.physics import physics_of
    from sweep.cli.paragraphs import columns, filled, hung

    width = columns()
    physics = physics_of(model)
    head = [f"{model.id}: {model.title}", f"Equations: {model.source}"]
    head += [f"Paper: {physics.paper.text()}"] if physics.paper else []
    lines = [one for line in head for one in hung("", line, width, 4)]
    lines += ["", filled(physics.text(), width)]

    def table(title: str, rows: list[tuple[str, str]]) -> None:
        left = max((len(name) for name, _ in rows), default=0)
        lines.extend(["", title])
        for name, text in rows:
            lines.extend(hung(f"  {name:{left}}  ", text, width))

    methods = []
    for m in model.methods:
        limit = f"; {m.limit.text}" if m.limit else ""
        methods.append((m.name, f"{m.meaning}{f' ({m.source})' if m.source else ''}{limit}"))
    table("Methods (the first is the default)", methods)
    parameters = []
    for p in model.parameters:
        default = "not given" if p.default is None else said(p.default)
        unit = "" if p.unit == "1" else f" [{p.unit}]"
        marks = "; sets a shape, not an axis" if p.shape else ""
        parameters.append((p.name, f"{p.meaning}{unit}; {p.allowed}; default {default}{marks}"))
    table("Parameters", parameters)
    outputs = []
    for o in model.outputs:
        unit = "" if o.unit == "1" else f" [{o.unit}]"
        only = f"; only {', '.join(o.methods)}" if o.methods else ""
        dims = f"; over ({', '.join(o.dims)})" if o.dims else ""
        outputs.append((o.name, f"{o.meaning}{unit}{dims}{only}"))
    table("Outputs", outputs)
    table(
        "Status of solve() (in the store of a run: 0 pending, 1 done, 2 failed, 3 done with a warning)",
        [(str(code), text) for code, text in model.status_text.items()],
    )
    return "\n".join(lines)


def said(value: Any) -> str:
    """A default as it is typed: a real number where a complex one has no imaginary part, long arrays cut."""
    import numpy as np

    array = np.asarray(value)
    if array.dtype.kind == "c" and not array.imag.any():
        array = array.real
    if array.ndim:
        text = np.array2string(array, threshold=8, edgeitems=2, separator=", ", formatter={"float_kind": "{:g}".format})
        return " ".join(text.split())
    return f"{array.item():g}" if array.dtype.kind == "f" else str(array.item())


COMMANDS = (models,)
