"""`warm`: kernels compiled before they are needed."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from sweep.cli.model_names import complete_id, find_model

if TYPE_CHECKING:
    from collections.abc import Iterator

    from solvers.compile_ahead import Compiled


@click.command()
@click.argument("models", metavar="[MODEL]...", nargs=-1, shell_complete=complete_id)
@click.option("--workers", type=click.IntRange(1, 4096), help="Processes that compile [default: cores].")
@click.option("--quiet", is_flag=True, help="Say nothing but errors.")
def warm(models: tuple[str, ...], workers: int | None, quiet: bool) -> None:
    """Compile the kernels of all models, or of these, ahead of use: for images, clusters and CI.

    The machine code is written to the first folder of SPINSWEEP_CACHE_DIR (folders as in PATH; the others are only read);
    it serves this version, this Python and this kind of CPU, and any number of processes at a time. For other CPUs than
    this one, set NUMBA_CPU_NAME and NUMBA_CPU_FEATURES here and wherever it is used. Exit status 3 where an example failed.
    """
    from solvers.registry import models as all_models
    from sweep.plan.machine import cores

    chosen = [find_model(name) for name in models] or list(all_models().values())
    methods = [(model.id, method.name) for model in chosen for method in model.methods]
    compiled, found, failed = 0, 0, 0
    live = sys.stderr.isatty() and not quiet
    for done, one in enumerate(_compiled(methods, min(workers or cores(), len(methods))), 1):
        compiled, found = compiled + one.compiled, found + one.found
        line = f"{done}/{len(methods)} methods, {compiled} kernels compiled, {found} found: {one.model} {one.method}"
        if one.problem:
            failed += 1
            click.echo(f"{one.model} {one.method}: the example fails: {one.problem}", err=True)
        if live:
            click.echo(f"\r\x1b[2K{line}", err=True, nl=False)
        elif not quiet:
            click.echo(line, err=True)
    if live:
        click.echo("\r\x1b[2K", err=True, nl=False)
    if not quiet:
        click.echo(f"{len(methods)} methods: {compiled} kernels compiled, {found} found, in {_place()}")
    if failed:
        click.get_current_context().exit(3)


def _compiled(methods: list[tuple[str, str]], workers: int) -> Iterator[Compiled]:
    """The methods as they are done by some processes.

    Methods beside each other share kernels; a process begins far from where another does, so that few are compiled twice.
    """
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor, as_completed

    from solvers.compile_ahead import compile_ahead

    apart = -(-len(methods) // workers)
    order = [method for first in range(apart) for method in methods[first::apart]]
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        waiting = [pool.submit(compile_ahead, *method) for method in order]
        try:
            for future in as_completed(waiting):
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _place() -> str:
    from solvers.numerics.machine_code import cache_directory

    return str(cache_directory())


COMMANDS = (warm,)
