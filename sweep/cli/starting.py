"""`new`: a starter spec for a model."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sweep.cli.model_names import complete_id, find_model
from sweep.errors import SpecError, program

FEW = 12
"""Numbers of an array that a spec shows."""
UNITS = ("hbar",)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from solvers.declarations import Parameter
    from solvers.model import Model


@click.command()
@click.argument("model_id", metavar="ID", shell_complete=complete_id)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File to write [default: print it].")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
def new(model_id: str, output: Path | None, force: bool) -> None:
    """Write a commented starter spec for the model ID."""
    import numpy as np

    model = find_model(model_id)
    if output is None:
        click.echo(starter(model), nl=False)
        return
    given = _given(model)
    arrays = {name: output.with_name(f"{output.stem}_{name}.npy") for name in _large(model, given)}
    for path in (output, *arrays.values()):
        if path.exists() and not force:
            raise SpecError(f"{path} exists; choose another name or replace it with --force")
    output.parent.mkdir(parents=True, exist_ok=True)
    for name, path in arrays.items():
        np.save(path, np.asarray(model.parameter(name).parse(given[name])), allow_pickle=False)
    output.write_text(starter(model, {name: path.name for name, path in arrays.items()}))
    written = f"{output} is" if not arrays else f"{output} and {', '.join(str(path) for path in arrays.values())} are"
    click.echo(f"{written} written; look it over, then: {program()} run {output}")


def _given(model: Model) -> Mapping[str, Any]:
    """The parameters that the spec gives: those of the example, and what the model's starter has in their place."""
    return {**model.example, **(model.starter.parameters if model.starter else {})}


def _large(model: Model, given: Mapping[str, Any]) -> list[str]:
    """The arrays among the given parameters that nobody wants to read in a spec."""
    import numpy as np

    return [p.name for p in model.parameters if p.dims and not p.shape and np.size(given.get(p.name, 0.0)) > FEW]


def _text(value: Any) -> str:
    """A value as TOML, evenly spaced numbers as a `linspace` where that gives their very bits."""
    import numpy as np

    from sweep.spec.toml_text import value_text

    array = np.asarray(value) if isinstance(value, list) else np.empty(0)
    if array.ndim == 1 and array.size > FEW and array.dtype.kind == "f":
        first, last = float(array[0]), float(array[-1])
        if np.linspace(first, last, array.size).tobytes() == array.tobytes():
            return value_text({"linspace": [first, last, array.size]})
    return value_text(value)


def _remark(p: Parameter) -> str:
    """What a parameter is: meaning, unit, allowed values."""
    return f"{p.meaning}{'' if p.unit == '1' else f' [{p.unit}]'}; {p.allowed}"


def _axes(model: Model, given: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The axes: those of the model's starter, or a range of one number.

    That number has a unit, where there is one: what has none may be a length of a spin, which has steps.
    """
    if model.starter is not None:
        return dict(model.starter.axes)
    numbers = [p for p in model.parameters if _sweepable(p, given)]
    if not numbers:
        return {}
    axis = min(numbers, key=lambda p: (bool(p.dims), p.unit == "1", p.name not in given))
    return {axis.name: {"linspace": [*_range(axis, given), 11]}}


def starter(model: Model, files: Mapping[str, str] | None = None) -> str:
    """A spec that runs as it is, with every parameter of the model in it or beside it as a comment.

    `files` names the arrays that stand in a file beside it.
    """
    files = files or {}
    given = _given(model)
    axes = _axes(model, given)
    chosen = (model.starter.methods if model.starter else ()) or (model.methods[0].name,)
    method = _text(list(chosen) if len(chosen) > 1 else chosen[0])
    lines = [f"# {model.title}", f"# {model.source}", "", "[sweep]", f'name = "{model.title}"', f'model = "{model.id}"']
    lines += [f"method = {method}    # a list makes an axis of: {', '.join(m.name for m in model.methods)}"]
    lines += ["seed = 0", "", "[parameters]"]
    for p in model.parameters:
        if p.name in axes or p.name == "seed":
            continue
        remark = f"{_remark(p)}{'; not an axis' if p.shape else ''}"
        value = given.get(p.name, p.default)
        if p.name in files:
            lines.append(f'{p.name} = "{files[p.name]}"    # {remark}')
            lines.append(f'# as an axis: {p.name} = {{ arrays = "stack.npy", labels = {{ case = [1, 2, 3] }} }}')
        elif value is None:
            lines.append(f"# {p.name} = ...    # {remark}")
        else:
            lines.append(f"{'' if p.name in given else '# '}{p.name} = {_text(value)}    # {remark}")
    lines += [
        "",
        "[axes]    # in the order of the store; forms: values, linspace, logspace, arange; arrays from a .npy file",
    ]
    for name, form in axes.items():
        lines.append(f"{name} = {_text(form)}    # {_remark(model.parameter(name))}")

    def over(dims: tuple[str, ...]) -> str:
        return f" ({', '.join(dims)})" if dims else ""

    lines += ["", "[outputs]    # all of them, unless keep names some:"]
    lines += [f"# {o.name}{over(o.dims)}: {o.meaning}" for o in model.outputs]
    lines += [f'# keep = ["{model.outputs[0].name}"]', ""]
    return "\n".join(lines)


def _sweepable(p: Parameter, example: Mapping[str, Any]) -> bool:
    """Whether a parameter makes a first axis: a physical number, or an array that a number fills; not a mere unit."""
    import numpy as np

    value = example.get(p.name, p.default)
    return (
        p.kind == "real"
        and not p.shape
        and p.physical
        and p.name not in UNITS
        and np.size(value) == 1
        and value is not None
    )


def _range(p: Parameter, example: Mapping[str, Any]) -> tuple[float, float]:
    """From half the example's value to it, or from zero to one or to the bound."""
    import numpy as np

    value = float(np.asarray(example.get(p.name, p.default)).reshape(-1)[0])
    if value:
        return 0.5 * value, value
    high = p.bounds[1] if math.isfinite(p.bounds[1]) else 1.0
    return 0.0, min(1.0, 0.5 * high) if high > 0 else 0.0


COMMANDS = (new,)
