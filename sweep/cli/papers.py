"""`reproduce`: the figures of the papers, and what the papers say beside what comes out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from sweep.cli.running import options_of, running
from sweep.cli.words import json_option, say_json


def _complete_figure(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    from sweep.papers.catalogue import chosen

    return [figure.name for figure in chosen() if figure.name.startswith(incomplete)]


@click.command()
@click.argument("names", metavar="[FIGURE]...", nargs=-1, shell_complete=_complete_figure)
@click.option("--all", "everything", is_flag=True, help="All figures of all papers.")
@click.option("--paper", metavar="PAPER", help="All figures of a paper: battery, heisenberg, ...")
@click.option(
    "--preset",
    type=click.Choice(["full", "smoke"]),
    default="full",
    show_default=True,
    help="smoke: thinned axes and fewer draws, to see that everything works.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("results"),
    show_default=True,
    help="Folder of the runs; pictures and tables go to its folder papers.",
)
@click.option(
    "--gallery", type=click.Path(path_type=Path), help="Write small pictures and one page of all tables there."
)
@click.option("--afresh", is_flag=True, help="Compute again what is there already; the old runs move to .trash.")
@json_option
@running
def reproduce(
    names: tuple[str, ...],
    everything: bool,
    paper: str | None,
    preset: str,
    out: Path,
    gallery: Path | None,
    afresh: bool,
    as_json: bool,
    **words: Any,
) -> None:
    """Draw figures of the papers, and judge what the papers say by what comes out; without a FIGURE, list all panels.

    Exit status 3: a claim differs from what was computed, and nothing is known about why.
    """
    from sweep.papers import catalogue, tables

    if not (names or everything or paper):
        click.echo(tables.listing(catalogue.papers()))
        return
    from sweep.papers.gallery import write
    from sweep.papers.reproducing import reproduce as made
    from sweep.papers.verdicts import counts

    options = options_of({**words, "overwrite": afresh, "quiet": True})
    silent = words["quiet"] or as_json
    done = []
    for one in made(catalogue.chosen(names, paper), out, preset, options):
        done.append(one)
        if not silent:
            click.echo(f"{one.picture or one.page}: {counts(one.rows)}; {one.seconds:.1f} core-seconds")
    rows = [row for one in done for row in one.rows]
    if gallery is not None:
        write(catalogue.papers(), done, gallery, preset)
    if as_json:
        say_json(rows)
    elif not silent:
        click.echo(f"{len(rows)} claims: {counts(rows)}; the tables are beside the pictures")
        for row in rows:
            if row.unexplained:
                click.echo(f"unexplained: {row.figure} ({row.panel}) {row.text}: stated {row.stated}, ours {row.ours}")
    sys.exit(3 if any(row.unexplained for row in rows) else 0)


COMMANDS = (reproduce,)
