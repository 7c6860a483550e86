"""Commands for models of one's own: `check`, `new-model`."""

from __future__ import annotations

from pathlib import Path

import click

from sweep.errors import SpecError


@click.command()
@click.argument("model", metavar="MODEL_ID_OR_FILE")
@click.option("--points", type=click.IntRange(0, 10_000), default=6, show_default=True, help="Random points.")
@click.option("--seed", type=click.IntRange(0), default=20, show_default=True, help="Seed of the random points.")
@click.option(
    "--cases",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="JSON file of reference cases; repeatable.",
)
@click.option("--fuzz", type=click.IntRange(0), default=0, help="Also try this many points over all declared bounds.")
@click.option(
    "--seconds",
    type=click.FloatRange(0.1),
    default=10.0,
    show_default=True,
    help="Processor time a fuzzed point may take.",
)
def check(model: str, points: int, seed: int, cases: tuple[Path, ...], fuzz: int, seconds: float) -> None:
    """Check a model, by its id or its .py file: numbers, declarations, conserved quantities, bits.

    Prints per method what it was compared with, at how many points, the worst error over its tolerance, and what was not
    checked. Exit status 1 where a check failed.
    """
    from solvers.testing import check as check_model
    from solvers.testing import models_in
    from solvers.testing.cases import read_cases
    from solvers.testing.fuzzing import fuzz as fuzz_model

    try:
        found = models_in(model)
    except ValueError as error:
        raise SpecError(str(error)) from error
    given = [case for path in cases for case in read_cases(path)]
    failed = False
    for one in found:
        report = check_model(one, points=points, seed=seed, cases=given)
        click.echo(str(report))
        failed |= not report.passed
        if fuzz:
            tried = fuzz_model(one, points=fuzz, seed=seed, seconds=seconds)
            click.echo(f"\nPoints over all declared bounds\n{tried}")
            failed |= bool(tried.faults)
    if failed:
        click.get_current_context().exit(1)


@click.command("new-model")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Replace a file that is there.")
def new_model(file: Path, force: bool) -> None:
    """Write a complete model file to begin with: a driven, decaying spin. It passes `spinsweep check FILE`."""
    from solvers.testing import template

    if file.suffix != ".py":
        raise SpecError(f"{file}: a model file ends in .py")
    if file.exists() and not force:
        raise SpecError(f"{file} exists; choose another name or replace it with --force")
    try:
        text = template(file.stem)
    except ValueError as error:
        raise SpecError(str(error)) from error
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    click.echo(
        f"{file} is written. Look it over, then: spinsweep check {file}\n"
        f"To sweep it, name its folder wherever it runs: export SPINSWEEP_MODEL_PATH={file.parent.resolve()}"
    )


COMMANDS = (check, new_model)
