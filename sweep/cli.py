"""The command line: `spinsweep`. Each command is thin; what it does lives in the module it calls."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from sweep.axis_forms import axis_from_text, from_text
from sweep.cli_model_files import check, new_model
from sweep.cli_models import models, new, solve
from sweep.cli_runs import COMMANDS
from sweep.cli_words import pairs
from sweep.errors import SweepError


class _Group(click.Group):
    """Prints our own errors as one sentence and exits with their status; with --debug, the traceback as well."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except SweepError as error:
            self._end(ctx, str(error), error.exit_status)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except KeyboardInterrupt:
            self._end(ctx, "interrupted", 4)
        except OSError as error:
            self._end(ctx, f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}", 5)
        except ModuleNotFoundError as error:
            self._end(ctx, _missing(error), 2)

    @staticmethod
    def _end(ctx: click.Context, text: str, status: int) -> None:
        if ctx.params.get("debug"):
            traceback.print_exc()
        click.echo(f"spinsweep: {text}", err=True)
        sys.exit(status)


_EXTRAS = {
    "matplotlib": "plot",
    "h5netcdf": "export",
    "pandas": "export",
    "pyarrow": "export",
    "dask_jobqueue": "slurm",
    "dask_kubernetes": "kubernetes",
    "s3fs": "s3",
}


def _missing(error: ModuleNotFoundError) -> str:
    package = (error.name or "").partition(".")[0]
    if package not in _EXTRAS:
        raise error
    return f"this needs {package}, which is not installed: pip install 'spinsweep[{_EXTRAS[package]}]'"


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.version_option(package_name="spinsweep")
def main(debug: bool) -> None:
    """Large parameter sweeps of open quantum spin ensembles.

    Exit status: 0 complete, 2 refused before the start, 3 complete with failed points, 4 stopped (resumable),
    5 aborted (resumable).
    """


for _command in (models, solve, new, check, new_model, *COMMANDS):
    main.add_command(_command)


_Command = Callable[..., Any]


def _overrides(command: _Command) -> _Command:
    command = click.option(
        "--axis",
        "axes",
        multiple=True,
        metavar="NAME=VALUES",
        help="Axis a:b:n, a:b:n:log or v1,v2,...; replaces the spec's axis or parameter of that name, or adds it.",
    )(command)
    return click.option(
        "--set", "values", multiple=True, metavar="NAME=VALUE", help="Fix a parameter; also method, seed and name."
    )(command)


def _running(command: _Command) -> _Command:
    for option in (
        click.option("--quiet", is_flag=True, help="Say nothing but errors."),
        click.option("--break-lease", is_flag=True, help="Take the run from another driver that you know is gone."),
        click.option(
            "--accept-code-change", is_flag=True, help="Go on although the solver sources have changed; recorded."
        ),
        click.option(
            "--memory",
            metavar="SIZE",
            help="Memory of a worker of the local cluster, like 2GiB [default: a fair share].",
        ),
        click.option(
            "--workers", type=click.IntRange(1, 4096), help="Processes of the local cluster [default: cores]."
        ),
        click.option(
            "--cluster",
            default="local",
            show_default=True,
            metavar="C",
            help="local, a scheduler's address (tcp://host:8786) or a scheduler file.",
        ),
    ):
        command = option(command)
    return command


def _raw(spec: str, values: tuple[str, ...], axes: tuple[str, ...]) -> dict[str, Any]:
    from sweep.spec import read, with_overrides

    return with_overrides(read(spec), pairs(values, "--set", from_text), pairs(axes, "--axis", axis_from_text))


def _options(kwargs: dict[str, Any]) -> Any:
    from sweep.launch import Options

    names = ("cluster", "workers", "memory", "accept_code_change", "break_lease", "quiet")
    return Options(**{name: kwargs[name] for name in names})


@main.command()
@click.argument("spec")
@click.option("--out", type=click.Path(path_type=Path), help="Run folder [default: results/<name of the spec file>].")
@_overrides
@_running
def run(spec: str, out: Path | None, values: tuple[str, ...], axes: tuple[str, ...], **kwargs: Any) -> None:
    """Run the sweep of the file SPEC, or continue it if it is there already."""
    from sweep import launch

    result = launch.run(_raw(spec, values, axes), out or Path("results") / Path(spec).stem, _options(kwargs))
    sys.exit(result.exit_status)


@main.command()
@click.argument("folder", metavar="RUN", type=click.Path(path_type=Path))
@_running
def resume(folder: Path, **kwargs: Any) -> None:
    """Compute what the run in the folder RUN has not committed yet."""
    from sweep import launch

    sys.exit(launch.resume(folder, _options(kwargs)).exit_status)


@main.command()
@click.argument("folder", metavar="RUN", type=click.Path(path_type=Path))
@_running
def retry(folder: Path, **kwargs: Any) -> None:
    """Compute the failed points of RUN again, and what is not committed yet."""
    from sweep import launch

    sys.exit(launch.resume(folder, _options(kwargs), retry=True).exit_status)


@main.command()
@click.argument("spec")
@_overrides
@click.option("--workers", type=click.IntRange(1), help="Workers for the estimate [default: cores].")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def plan(spec: str, values: tuple[str, ...], axes: tuple[str, ...], workers: int | None, as_json: bool) -> None:
    """Say what the sweep of SPEC will be and cost; nothing is written."""
    from sweep import report

    facts = report.plan_facts(_raw(spec, values, axes), workers)
    click.echo(json.dumps(facts, indent=1) if as_json else report.plan_text(facts))


def _classic(name: str, model: str, axes: dict[str, str], parameters: dict[str, Any], text: str) -> None:
    """One of the classic sweeps as a command without a spec file."""

    @_overrides
    @_running
    @click.option(
        "--out", type=click.Path(path_type=Path), default=Path("results") / name, show_default=True, help="Run folder."
    )
    @click.option("--method", multiple=True, help="Method; several make an axis.")
    @click.option("--spec", "write_spec", is_flag=True, help="Print the sweep as a spec file instead of running it.")
    def command(out: Path, method: tuple[str, ...], write_spec: bool, **kwargs: Any) -> None:
        from sweep import launch
        from sweep.spec import parse, with_overrides
        from sweep.toml_text import spec_text

        raw: dict[str, Any] = {"sweep": {"name": name, "model": model}, "parameters": dict(parameters)}
        if method:
            raw["sweep"]["method"] = method[0] if len(method) == 1 else list(method)
        raw["axes"] = {axis: axis_from_text(axis, values) for axis, values in axes.items()}
        raw = with_overrides(
            raw, pairs(kwargs["values"], "--set", from_text), pairs(kwargs["axes"], "--axis", axis_from_text)
        )
        if write_spec:
            parse(raw)
            click.echo(spec_text(raw), nl=False)
            return
        sys.exit(launch.run(raw, out, _options(kwargs)).exit_status)

    defaults = ", ".join(f"{axis} = {values}" for axis, values in axes.items())
    command.__doc__ = f"{text}\n\nModel {model}; axes by default {defaults} (see --axis); other parameters with --set."
    main.command(name)(command)


_classic(
    "anisotropy",
    "heisenberg.mean_field_error",
    {"anisotropy": "-0.1:0.5:200"},
    {"N": 3, "B_x": 0.25, "B_y": 0.25, "B_z": -0.5, "V": 0.1, "t_end": 1000.0, "n_times": 10_001},
    "Anisotropy shift: how far mean field is from an exact Heisenberg chain, on average over time.",
)


_classic(
    "phase-diagram",
    "spin_cat.two_ensembles",
    {"eta": "5:650:130", "delta": "0:0.08:161"},
    {"N": 10_000, "t_end": 2000.0},
    "Detuning against squeezing: where two detuned spin ensembles synchronise.",
)


@main.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of a shell: eval "$(spinsweep completion bash)"."""
    from click.shell_completion import get_completion_class

    made = get_completion_class(shell)
    assert made is not None
    click.echo(made(main, {}, "spinsweep", "_SPINSWEEP_COMPLETE").source())


_classic(
    "storage",
    "battery.limit_cycle",
    {"tau_s": "1e-4:10:64:log", "tau_d": "1e-4:10:64:log"},
    {"N": 140, "Gamma": 1600.0},
    "Storage against discharge time: what an ageing quantum battery gives back in its limit cycle.",
)


if __name__ == "__main__":
    main()
