"""The three classic sweeps as commands without a spec file."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sweep.cli.running import changed, overrides, overwriting, running, start
from sweep.cli.words import RunPlace

if TYPE_CHECKING:
    from sweep.records import Json


def _classic(name: str, model: str, axes: Mapping[str, str], parameters: Mapping[str, Any], text: str) -> click.Command:
    """A command that runs `model` over `axes` (as --axis writes them), with these parameters unless --set says otherwise."""

    @overrides
    @running
    @overwriting
    @click.option(
        "--out",
        type=RunPlace(),
        default=f"results/{name}",
        show_default=True,
        help="Run folder, or s3://BUCKET/NAME.",
    )
    @click.option("--method", "methods", multiple=True, help="Method; several make an axis.")
    @click.option("--spec", "write_spec", is_flag=True, help="Print the sweep as a spec file instead of running it.")
    def command(
        out: Path,
        methods: tuple[str, ...],
        write_spec: bool,
        values: tuple[str, ...],
        axes: tuple[str, ...],
        **words: Any,
    ) -> None:
        def mapping() -> Json:
            from sweep.spec.axis_forms import axis_from_text

            head: dict[str, Any] = {"name": name, "model": model}
            if methods:
                head["method"] = methods[0] if len(methods) == 1 else list(methods)
            grid = {axis: axis_from_text(axis, form) for axis, form in default_axes.items()}
            return changed({"sweep": head, "parameters": dict(parameters), "axes": grid}, values, axes)

        if not write_spec:
            sys.exit(start(mapping, out, words))
        from sweep.spec.parsing import parse
        from sweep.spec.toml_text import spec_text

        parse(mapping())
        click.echo(spec_text(mapping()), nl=False)

    default_axes = axes
    defaults = ", ".join(f"{axis} = {form}" for axis, form in axes.items())
    command.__doc__ = f"{text}\n\nModel {model}; axes by default {defaults} (see --axis); other parameters with --set."
    return click.command(name)(command)


COMMANDS = (
    _classic(
        "anisotropy",
        "heisenberg.mean_field_error",
        {"anisotropy": "-0.1:0.5:200"},
        {"N": 3, "B_x": 0.25, "B_y": 0.25, "B_z": -0.5, "V": 0.1, "t_end": 1000.0, "n_times": 10_001},
        "Anisotropy shift: how far mean field is from an exact Heisenberg chain, on average over time.",
    ),
    _classic(
        "phase-diagram",
        "spin_cat.two_ensembles",
        {"eta": "5:650:130", "delta": "0:0.08:161"},
        {"N": 10_000, "t_end": 2000.0},
        "Detuning against squeezing: where two detuned spin ensembles synchronise.",
    ),
    _classic(
        "storage",
        "battery.limit_cycle",
        {"tau_s": "1e-4:10:64:log", "tau_d": "1e-4:10:64:log"},
        {"N": 140, "Gamma": 1600.0},
        "Storage against discharge time: what an ageing quantum battery gives back in its limit cycle.",
    ),
)
