"""`spinsweep`: the group of all commands. Each is thin; what it does lives in the room it calls."""

from __future__ import annotations

import functools
import importlib
import logging
import sys
import traceback
import warnings
from collections.abc import Callable
from typing import Any

import click

from sweep.errors import SweepError
from sweep.extras import missing

_SECTIONS = {
    "Find and make": {
        "models": "models",
        "solve": "solving",
        "new": "starting",
        "plan": "running",
        "check": "model_files",
        "new-model": "model_files",
        "warm": "warming",
    },
    "Run": {
        "run": "running",
        "submit": "running",
        "extend": "running",
        "refine": "running",
        "resume": "running",
        "retry": "running",
        "cancel": "runs",
        "cluster": "clusters",
    },
    "Run without a file": {
        "anisotropy": "classic",
        "phase-diagram": "classic",
        "storage": "classic",
        "reproduce": "papers",
    },
    "Look": {"status": "runs", "plot": "runs", "view": "runs", "errors": "runs", "list": "runs"},
    "Keep": {"verify": "runs", "export": "runs", "finalize": "runs", "completion": "completion"},
}
"""What a person does -> commands -> the file beside this one whose `COMMANDS` each is among."""
_COMMANDS = {name: file for section in _SECTIONS.values() for name, file in section.items()}
_LONGEST_HELP = 200


class _Group(click.Group):
    """Imports a command's file when it is asked for; prints our own errors as one sentence and exits with their status.

    With --debug, the traceback as well.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands by what a person does, each with its whole first sentence."""
        for title, names in _SECTIONS.items():
            rows = []
            for name in names:
                command = self.get_command(ctx, name)
                assert command is not None
                rows.append((name, command.get_short_help_str(_LONGEST_HELP)))
            with formatter.section(title):
                formatter.write_dl(rows)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        commands: tuple[click.Command, ...] = importlib.import_module(f"sweep.cli.{_COMMANDS[cmd_name]}").COMMANDS
        return next(command for command in commands if command.name == cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does it, with the nearest command where there is none of that name."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from solvers.suggest import did_you_mean

            raise click.UsageError(
                f"{error.message.rstrip('.')}{did_you_mean(args[0], _COMMANDS)}", error.ctx
            ) from None

    def invoke(self, ctx: click.Context) -> Any:
        shown = warnings.showwarning
        warnings.showwarning = functools.partial(_said_once, shown)
        if not ctx.params.get("debug"):
            logging.disable(logging.CRITICAL)  # what Dask, Zarr or Bokeh log on their way out is not for our reader
        try:
            return super().invoke(ctx)
        except SweepError as error:
            self._end(ctx, error.on_command_line(), error.exit_status)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except KeyboardInterrupt:
            self._end(ctx, "interrupted", 4)
        except BrokenPipeError:  # what reads our words has read enough; click ends without a word
            raise
        except OSError as error:
            self._end(ctx, f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}", 5)
        except ModuleNotFoundError as error:
            self._end(ctx, missing(error), 2)
        finally:
            warnings.showwarning = shown

    @staticmethod
    def _end(ctx: click.Context, text: str, status: int) -> None:
        if ctx.params.get("debug"):
            traceback.print_exc()
        click.echo(f"spinsweep: {text}", err=True)
        sys.exit(status)


def _said_once(otherwise: Callable[..., None], message: Warning | str, category: type[Warning], *where: Any) -> None:
    """A warning of the solvers as one sentence, without the place in the code that it comes from."""
    if category.__module__.startswith("solvers."):
        click.echo(f"spinsweep: {message}", err=True)
    else:
        otherwise(message, category, *where)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.version_option(package_name="spinsweep")
def main(debug: bool) -> None:
    """Large parameter sweeps of open quantum spin ensembles.

    Exit status: 0 complete, 2 refused before the start, 3 complete with failed points, 4 stopped (resumable),
    5 aborted (resumable).
    """
