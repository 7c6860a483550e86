"""`cluster check`: whether a cluster can serve runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from sweep.cli.running import certificates, certificates_of
from sweep.cli.words import RunPlace


@click.group()
def cluster() -> None:
    """Find out whether a cluster can serve runs, before one is left to it: `cluster check`."""


@cluster.command(short_help="Try one worker of CLUSTER: can it serve runs?")
@click.argument("name", metavar="CLUSTER")
@click.option(
    "--out",
    type=RunPlace(),
    default="results",
    show_default=True,
    help="Folder in which runs are to be, or s3://BUCKET/PREFIX.",
)
@click.option(
    "--seconds", type=click.FloatRange(1.0), default=600.0, show_default=True, help="Wait so long for a worker."
)
@certificates
def check(name: str, out: Path, seconds: float, **words: Any) -> None:
    """Try one worker of CLUSTER, which is what --cluster takes: a profile, slurm, an address, a scheduler file.

    It is compared with this process: does it see the folder, the models, the same code, the same clock. Exit status 1
    where something is wrong.
    """
    from sweep.clusters.cluster import Wanted
    from sweep.execution.checking import check_cluster

    wrong = 0
    for finding in check_cluster(name, out, seconds, Wanted(certificates=certificates_of(words))):
        click.echo(f"{'ok   ' if finding.well else 'WRONG'} {finding.about}: {finding.text}")
        wrong += not finding.well
    if wrong:
        click.get_current_context().exit(1)


COMMANDS = (cluster,)
