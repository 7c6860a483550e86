"""Commands that run sweeps, and `plan`, which says what a run would be."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sweep.cli.model_names import complete_parameter
from sweep.cli.words import Command, RunPlace, json_option, pairs, run_folder, say_json
from sweep.folder.places import in_bucket

if TYPE_CHECKING:
    from sweep.clusters.tls import Certificates
    from sweep.execution.launch import Options
    from sweep.records import Json


def overrides(command: Command) -> Command:
    """The options that change a spec."""
    command = click.option(
        "--axis",
        "axes",
        multiple=True,
        metavar="NAME=VALUES",
        shell_complete=complete_parameter,
        help="Axis a:b:n, a:b:n:log or v1,v2,...; replaces the spec's axis or parameter of that name, or adds it.",
    )(command)
    return click.option(
        "--set",
        "values",
        multiple=True,
        metavar="NAME=VALUE",
        shell_complete=complete_parameter,
        help="Fix a parameter; also method, seed and name.",
    )(command)


def certificates(command: Command) -> Command:
    """The options for a scheduler that wants certificates."""
    for option, meaning in (
        ("--tls-key", "Its key, where that is in a file of its own."),
        ("--tls-cert", "Our certificate, PEM."),
        (
            "--tls-ca",
            "Authority that signed the certificates of a tls:// scheduler, PEM [default: Dask's configuration].",
        ),
    ):
        command = click.option(option, metavar="FILE", help=meaning)(command)
    return command


def certificates_of(words: Json) -> Certificates:
    """The certificates that these options name."""
    from sweep.clusters.tls import Certificates

    return Certificates(words["tls_ca"], words["tls_cert"], words["tls_key"])


def running(command: Command) -> Command:
    """The options that say how to run."""
    for option in (
        click.option("--quiet", is_flag=True, help="Say nothing but errors."),
        click.option("--break-lease", is_flag=True, help="Take the run from another driver that you know is gone."),
        click.option(
            "--accept-code-change", is_flag=True, help="Go on although the solver code has changed; recorded."
        ),
        click.option(
            "--memory",
            metavar="SIZE",
            help="Memory of a worker of the local cluster, like 2GiB [default: a fair share].",
        ),
        click.option(
            "--dashboard-port",
            type=click.IntRange(0, 65535),
            metavar="PORT",
            help="Of a cluster started for the run [default: 8787 if it is free].",
        ),
        click.option(
            "--report", is_flag=True, help="Write Dask's performance report to meta/report.html of the run folder."
        ),
        certificates,
        click.option(
            "--workers",
            type=click.IntRange(1, 4096),
            help="Processes of the local cluster, or of jobs [default: cores].",
        ),
        click.option(
            "--cluster",
            metavar="C",
            help="here (no cluster), local, slurm, slurm-job, kubernetes, a profile (deploy/slurm/medium.toml), a scheduler's address "
            "(tcp:// or tls://host:8786) or a scheduler file [default: here for a few core-seconds, else local].",
        ),
    ):
        command = option(command)
    return command


overwriting = click.option(
    "--overwrite", is_flag=True, help="Move another sweep's run in this folder to .trash beside it, and start anew."
)


def placed(command: Command) -> Command:
    """The options that say where a run goes."""
    for option in (
        overwriting,
        click.option(
            "--out",
            type=RunPlace(),
            help="Run folder, or s3://BUCKET/NAME [default: results/<name of the spec file>].",
        ),
    ):
        command = option(command)
    return command


def changed(raw: Json, values: tuple[str, ...], axes: tuple[str, ...]) -> Json:
    """A spec's mapping with the words of --set and --axis put in."""
    from sweep.spec.axis_forms import axis_from_text, from_text
    from sweep.spec.documents import with_overrides

    return with_overrides(raw, pairs(values, "--set", from_text), pairs(axes, "--axis", axis_from_text))


def options_of(words: Json) -> Options:
    """The options of `running` as a launch takes them."""
    from sweep.execution.launch import Options

    names = (
        "cluster",
        "workers",
        "memory",
        "accept_code_change",
        "break_lease",
        "overwrite",
        "quiet",
        "dashboard_port",
        "report",
    )
    given = {name: words[name] for name in names if name in words}
    return Options(**given, certificates=certificates_of(words))


@click.command()
@click.argument("spec")
@placed
@overrides
@running
def run(spec: str, out: Path | None, values: tuple[str, ...], axes: tuple[str, ...], **words: Any) -> None:
    """Run the sweep of the file SPEC; continue it if it is there already, extend it if the axes have gained values."""

    def mapping() -> Json:
        from sweep.spec.documents import read

        return changed(read(spec), values, axes)

    sys.exit(start(mapping, out or Path("results") / Path(spec).stem, words))


@click.command()
@click.argument("spec", metavar="SPEC_OR_RUN")
@placed
@overrides
@running
def submit(spec: str, out: Path | None, values: tuple[str, ...], axes: tuple[str, ...], **words: Any) -> None:
    """Run the sweep of SPEC, or go on with RUN, in the background, and return.

    On a scheduler that is there (--cluster with an address or a scheduler file) the driver itself runs, and is started
    again elsewhere when it dies; this machine may sleep. Otherwise a process of its own on this machine computes, or has
    the jobs of --cluster compute: it does not need the terminal, but the machine has to stay on. `status --watch`,
    `cancel`, `errors` and `list` work from anywhere.
    """
    from sweep.execution import submitting
    from sweep.folder.places import place
    from sweep.folder.run_folder import RunFolder
    from sweep.spec.documents import read
    from sweep.spec.parsing import parse

    given = place(spec)
    there = RunFolder(given)
    if in_bucket(given) or (given.is_dir() and there.exists()):
        raw, out = changed(there.plan().spec.raw, values, axes), out or given
    else:
        raw, out = changed(read(spec), values, axes), out or Path("results") / Path(spec).stem
    submitting.submit(parse(raw), out, options_of(words))


def start(mapping: Callable[[], Json], out: Path, words: Json) -> int:
    """Run a spec into a folder and return the exit status.

    The process of a new run's pilot is started before anything is loaded here that it will load as well.
    """
    from sweep.plan.pilot import Pilot, ready

    if words["cluster"] is not None:
        from sweep.clusters.kinds import enter

        enter(words["cluster"], "sweep.execution.local_worker")
    there = not in_bucket(out) and os.path.exists(out / "meta" / "plan.json")
    with nullcontext() if there else ready() as companion:
        raw = mapping()
        pilot = Pilot(raw, companion) if companion else None
        from sweep.execution import launch
        from sweep.spec.parsing import parse

        return launch.run(parse(raw), out, options_of(words), pilot=pilot).exit_status


@click.command()
@run_folder
@click.option(
    "--axis",
    "axes",
    multiple=True,
    required=True,
    metavar="NAME=VALUES",
    help="More values of an axis: a:b:n, a:b:n:log or v1,v2,...; those that are there already stay.",
)
@running
def extend(folder: Path, axes: tuple[str, ...], **words: Any) -> None:
    """Add values to axes of RUN, and compute only the points that are new; what is committed keeps its bits."""
    from sweep.execution import launch
    from sweep.folder.run_folder import RunFolder
    from sweep.spec.axis_forms import axis_from_text
    from sweep.spec.growing import grown
    from sweep.spec.parsing import parse

    old = RunFolder(folder).plan().spec
    spec = parse(grown(old, pairs(axes, "--axis", axis_from_text)))
    sys.exit(launch.run(spec, folder, options_of(words)).exit_status)


@click.command()
@run_folder
@click.option(
    "--depth",
    type=click.IntRange(0),
    metavar="D",
    help="Halve the cells D times, counted from the start grid: RUN's as it is, or what it was refined from [default: RUN's own, or 1].",
)
@click.option(
    "--outputs",
    metavar="NAMES",
    help="Results whose changes count, like locked,zeta or 'sign(z)' [default: those that are codes, or else all numbers].",
)
@click.option(
    "--tolerance",
    metavar="T",
    help="Change of a number that counts: in its unit, or a share of its range over the start grid [default: 5%].",
)
@click.option("--axes", metavar="NAMES", help="Axes that are refined [default: all of physical numbers in order].")
@click.option(
    "--interpolate/--no-interpolate",
    default=None,
    help="Interpolate what is not computed, with status 4, or leave it pending [default: RUN's own, or interpolate].",
)
@running
def refine(
    folder: Path,
    depth: int | None,
    outputs: str | None,
    tolerance: str | None,
    axes: str | None,
    interpolate: bool | None,
    **words: Any,
) -> None:
    """Compute RUN on a finer grid, only where its results change between neighbours; what is committed keeps its bits."""
    from sweep.execution import launch
    from sweep.spec.axis_forms import from_text

    given = {
        "depth": depth,
        "outputs": None if outputs is None else _names(outputs),
        "tolerance": None if tolerance is None else from_text("--tolerance", tolerance),
        "axes": None if axes is None else _names(axes),
        "interpolate": interpolate,
    }
    changes = {name: value for name, value in given.items() if value is not None}
    sys.exit(launch.refine(folder, changes, options_of(words)).exit_status)


def _names(text: str) -> list[str]:
    return [word.strip() for word in text.split(",")]


@click.command()
@run_folder
@running
def resume(folder: Path, **words: Any) -> None:
    """Compute what the run in the folder RUN has not committed yet."""
    from sweep.execution import launch

    sys.exit(launch.resume(folder, options_of(words)).exit_status)


@click.command()
@run_folder
@running
@click.option(
    "--set",
    "values",
    multiple=True,
    metavar="NAME=VALUE",
    help="Another value of a parameter that only says how to compute, like max_steps; recorded.",
)
def retry(folder: Path, values: tuple[str, ...], **words: Any) -> None:
    """Compute the failed points of RUN again, and what is not committed yet."""
    from sweep.execution import launch
    from sweep.spec.axis_forms import from_text

    changes = pairs(values, "--set", from_text)
    sys.exit(launch.resume(folder, options_of(words), retry=True, changes=changes).exit_status)


@click.command()
@click.argument("spec")
@overrides
@click.option("--workers", type=click.IntRange(1), help="Workers for the estimate [default: cores].")
@json_option
def plan(spec: str, values: tuple[str, ...], axes: tuple[str, ...], workers: int | None, as_json: bool) -> None:
    """Say what the sweep of SPEC will be and cost; nothing is written."""
    from sweep.plan.estimates import estimate
    from sweep.spec.documents import read
    from sweep.spec.parsing import parse

    found = estimate(parse(changed(read(spec), values, axes)), workers)
    if as_json:
        say_json(found)
    else:
        click.echo(found.text())


COMMANDS = (run, submit, extend, refine, resume, retry, plan)
