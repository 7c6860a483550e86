"""`new`: a starter spec for a model."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sweep.cli.model_names import complete_id, find_model
from sweep.errors import SpecError

if TYPE_CHECKING:
    from solvers.declarations import Parameter
    from solvers.model import Model
    from sweep.records import Json


@click.command()
@click.argument("model_id", metavar="ID", shell_complete=complete_id)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File to write [default: print it].")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
def new(model_id: str, output: Path | None, force: bool) -> None:
    """Write a commented starter spec for the model ID."""
    text = starter(find_model(model_id))
    if output is None:
        click.echo(text, nl=False)
        return
    if output.exists() and not force:
        raise SpecError(f"{output} exists; choose another name or replace it with --force")
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(text)
    click.echo(f"{output} is written; look it over, then: spinsweep run {output}")


def starter(model: Model) -> str:
    """A spec that runs as it is, with every parameter of the model in it or beside it as a comment."""
    from sweep.spec.toml_text import value_text

    axis = next((p for p in model.parameters if _sweepable(p, model.example)), None)
    lines = [f"# {model.title}", f"# {model.source}", "", "[sweep]", f'name = "{model.title}"', f'model = "{model.id}"']
    lines += [
        f'method = "{model.methods[0].name}"    # a list makes an axis of: {", ".join(m.name for m in model.methods)}'
    ]
    lines += ["seed = 0", "", "[parameters]"]
    for p in model.parameters:
        if p is axis or p.name == "seed":
            continue
        remark = (
            f"{p.meaning}{'' if p.unit == '1' else f' [{p.unit}]'}; {p.allowed}{'; not an axis' if p.shape else ''}"
        )
        value = model.example.get(p.name, p.default)
        given = p.name in model.example
        if value is None:
            lines.append(f"# {p.name} = ...    # {remark}")
        else:
            lines.append(f"{'' if given else '# '}{p.name} = {value_text(value)}    # {remark}")
    lines += [
        "",
        "[axes]    # in the order of the store; forms: values, linspace, logspace, arange; arrays from a .npy file",
    ]
    if axis is not None:
        low, high = _range(axis, model.example)
        lines.append(f"{axis.name} = {{ linspace = [{low!r}, {high!r}, 11] }}    # {axis.meaning}; {axis.allowed}")
    lines += ["", "[outputs]    # all of them, unless keep names some:"]
    lines += [f"# {o.name} ({', '.join(o.dims)}): {o.meaning}" for o in model.outputs]
    lines += [f'# keep = ["{model.outputs[0].name}"]', ""]
    return "\n".join(lines)


def _sweepable(p: Parameter, example: Json) -> bool:
    return p.kind == "real" and not p.dims and not p.shape and p.physical and example.get(p.name, p.default) is not None


def _range(p: Parameter, example: Json) -> tuple[float, float]:
    """From half the example's value to it, or from zero to one or to the bound."""
    value = float(example.get(p.name, p.default))
    if value:
        return 0.5 * value, value
    high = p.bounds[1] if math.isfinite(p.bounds[1]) else 1.0
    return 0.0, min(1.0, 0.5 * high) if high > 0 else 0.0


COMMANDS = (new,)
