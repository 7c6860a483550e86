"""Commands about runs that are there: `status`, `errors`, `list`, `cancel`, `export`, `verify`, `finalize`, `plot`, `view`."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import click

from sweep.cli.model_names import complete_dimension, complete_variable
from sweep.cli.words import RunPlace, json_option, pairs, run_folder, say_json
from sweep.errors import SpecError
from sweep.quantities import number


@click.command()
@run_folder
@json_option
@click.option(
    "--watch", is_flag=True, help="Go on saying so, with rate and time left, until the run is complete or stops."
)
@click.option("--every", type=click.FloatRange(0.1), default=2.0, show_default=True, help="Seconds between looks.")
def status(folder: Path, as_json: bool, watch: bool, every: float) -> None:
    """Say how far the run in the folder RUN is."""
    from sweep.execution.terminal_line import TerminalLine
    from sweep.results.status import status_of

    now = status_of(folder)
    if as_json:
        say_json(now)
    else:
        click.echo(now.text())
    live = TerminalLine(sys.stdout) if sys.stdout.isatty() and not as_json else None
    said = ""
    watched = False
    while watch and now.state in ("running", "submitted"):
        watched = True
        if live is not None:
            live.show(now.done / now.points, now.line())
        elif not as_json and now.line() != said:
            said = now.line()
            click.echo(said)
        time.sleep(every)
        now = status_of(folder)
        if as_json:
            say_json(now)
    if live is not None:
        live.clear()
    if watched and not as_json:
        click.echo(now.text())


@click.command()
@run_folder
@json_option
@click.option(
    "--show", type=click.IntRange(1), metavar="NUMBER", help="One group's example in full, with its traceback."
)
def errors(folder: Path, as_json: bool, show: int | None) -> None:
    """Group the failed points of RUN by cause, each with the command that repeats one of them."""
    from sweep.folder.run_folder import RunFolder
    from sweep.results import failures

    run = RunFolder(folder)
    found = failures.groups(run)
    if show is not None and show > len(found):
        raise SpecError(f"--show {show}: there {'is' if len(found) == 1 else 'are'} {number(len(found), 'group')}")
    if as_json:
        say_json(found if show is None else found[show - 1])
    else:
        click.echo(failures.text(found, show, failures.warned(run)))


@click.command("list")
@click.argument("folder", metavar="[FOLDER]", type=RunPlace(), default="results")
@json_option
def list_runs(folder: Path, as_json: bool) -> None:
    """List the runs in FOLDER, or at s3://BUCKET/PREFIX [default: results]."""
    from sweep.results.status import runs_in, runs_text

    found = runs_in(folder)
    if as_json:
        say_json(found)
    else:
        click.echo(runs_text(found, folder))


@click.command()
@run_folder
@click.option("--now", is_flag=True, help="Drop the tiles that run instead of letting them finish.")
def cancel(folder: Path, now: bool) -> None:
    """Ask the driver of RUN, wherever it is, to stop; what is committed stays."""
    from sweep.folder.cancelling import ask

    click.echo(ask(folder, now))


@click.command()
@run_folder
@click.argument("output", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--var", "variables", multiple=True, metavar="VAR", help="A variable to export [default: all that fit].")
def export(folder: Path, output: Path, variables: tuple[str, ...]) -> None:
    """Write results of RUN into FILE.nc, FILE.csv or FILE.parquet."""
    from sweep.results.export import export as write

    click.echo(f"{output}: {', '.join(write(folder, output, variables))}")


@click.command()
@run_folder
@click.option("--sample", type=click.IntRange(0), default=100, show_default=True, help="Points to compute anew.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Which points.")
@click.option(
    "--repair",
    "mend",
    is_flag=True,
    help="Compute damaged tiles again, and make damaged metadata anew; then check again.",
)
@json_option
def verify(folder: Path, sample: int, seed: int, mend: bool, as_json: bool) -> None:
    """Check the chunks of RUN against their digests, and compute a sample of points anew.

    Names every file that is gone, cut short or not what was written. Exit status 0 where all is well, 3 where not.
    """
    from sweep.folder.run_folder import RunFolder
    from sweep.results.verify import Verdict, repair
    from sweep.results.verify import verify as check

    def checked() -> Verdict:
        if not sys.stderr.isatty():
            return check(run, sample, seed)
        with click.progressbar(length=1000, label="checking", file=sys.stderr) as bar:
            return check(run, sample, seed, lambda done, of: bar.update(1000 * done // max(of, 1) - bar.pos))

    run = RunFolder(folder)
    verdict = checked()
    rounds = 0
    while mend and (verdict.damaged_tiles or verdict.damaged_files) and rounds < 2:  # first the metadata, then tiles
        from sweep.execution.launch import Options

        click.echo(verdict.text(), err=True)
        result = repair(run, verdict, Options())
        if result is not None and result.exit_status not in (0, 3):
            sys.exit(result.exit_status)
        verdict, rounds = checked(), rounds + 1
    if as_json:
        say_json(verdict)
    else:
        click.echo(verdict.text())
        if verdict.damaged_tiles or verdict.damaged_files:
            click.echo(f"make it again with: spinsweep verify {folder} --repair")
    sys.exit(3 if verdict.problems else 0)


@click.command()
@run_folder
@click.option("--undo", is_flag=True, help="Give every chunk a file of its own again, so that the run can go on.")
@click.option("--break-lease", is_flag=True, help="Take the run from another driver that you know is gone.")
def finalize(folder: Path, undo: bool, break_lease: bool) -> None:
    """Pack the chunks of RUN, which is complete, into few files; every chunk is compared before the old files go."""
    from sweep.execution.finalizing import finalize as pack
    from sweep.execution.finalizing import take_apart
    from sweep.folder.run_folder import RunFolder

    click.echo((take_apart if undo else pack)(RunFolder(folder), break_lease).text(folder))


@click.command()
@run_folder
@click.argument("variable", metavar="[VAR]", required=False, shell_complete=complete_variable)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Picture file [default: RUN/plots/, named by what it shows].",
)
@click.option(
    "--sel",
    "selection",
    multiple=True,
    metavar="DIM=VALUE",
    shell_complete=complete_dimension,
    help="Cut at the nearest value (or label) of a dimension.",
)
@click.option(
    "--x", "along", metavar="NAME", help="What runs to the right: a dimension, a one-dimensional coordinate, an output."
)
@click.option("--curves", "kind", flag_value="curves", default="", help="Curves, where a map would be drawn.")
@click.option("--map", "kind", flag_value="map", help="A map, where curves would be drawn.")
@click.option(
    "--part",
    type=click.Choice(["abs", "real", "imag", "phase"]),
    default="abs",
    show_default=True,
    help="Of complex values.",
)
@click.option("--db", is_flag=True, help="In decibels, 10 log10.")
@click.option("--log", is_flag=True, help="Values on a logarithmic scale.")
@click.option("--logx", is_flag=True, help="Horizontal axis on a logarithmic scale.")
@click.option("--logy", is_flag=True, help="Vertical axis on a logarithmic scale.")
@click.option("--against", metavar="METHOD", help="The deviation of all other methods from this one.")
@click.option(
    "--mean", metavar="DIM", help="The mean over a dimension, with a band of its standard error beside curves."
)
@click.option("--title", help="Title [default: the sweep's name and the cut].")
@click.option("--cmap", metavar="NAME", help="Palette of a map, by Matplotlib's name.")
@click.option("--vmin", type=float, help="Lowest value shown.")
@click.option("--vmax", type=float, help="Highest value shown.")
@click.option("--show", is_flag=True, help="Open the picture as well, in the desktop's viewer.")
def plot(
    folder: Path, variable: str | None, output: Path | None, selection: tuple[str, ...], show: bool, **style: Any
) -> None:
    """Draw the variable VAR (default: the model's main output) of the run in the folder RUN: a map or curves."""
    from sweep.pictures import plot as plotting
    from sweep.pictures.style import Style
    from sweep.spec.axis_forms import from_text

    path = plotting.draw(folder, variable, output, pairs(selection, "--sel", from_text), Style(**style))
    click.echo(path)
    if show:
        click.launch(str(path))


@click.command()
@click.argument("folders", metavar="RUN...", type=RunPlace(), nargs=-1, required=True)
@click.option("--port", type=click.IntRange(0, 65535), help="Of the page, on loopback [default: 8790 if it is free].")
def view(folders: tuple[Path, ...], port: int | None) -> None:
    """Serve the live page of RUN, finished or being computed anywhere, on this machine's loopback; Ctrl-C ends it."""
    from sweep.pictures.page.viewing import view as serve

    serve(folders, port, click.echo)


COMMANDS = (status, errors, list_runs, cancel, export, verify, finalize, plot, view)
