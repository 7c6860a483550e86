"""Ids of models as an argument: found, suggested, completed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from sweep.errors import SpecError

if TYPE_CHECKING:
    from solvers.model import Model


def complete_id(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    from sweep.cli.catalogue import catalogue

    return [name for name in catalogue() if name.startswith(incomplete)]


def find_model(model_id: str) -> Model:
    """The model of that id; SpecError with the nearest id if there is none."""
    from solvers import find

    try:
        return find(model_id)
    except ValueError as error:
        raise SpecError(str(error)) from error
