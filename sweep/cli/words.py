"""What commands share: NAME=VALUE words, the run folder as an argument, output as JSON or as text."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import click

from sweep.errors import SpecError
from sweep.folder.places import place
from sweep.records import Record

Command = Callable[..., Any]


class RunPlace(click.Path):
    """A run folder, or an address in a bucket."""

    def coerce_path_result(self, value: Any) -> Any:
        return place(os.fsdecode(value))


run_folder = click.argument("folder", metavar="RUN", type=RunPlace())
json_option = click.option("--json", "as_json", is_flag=True, help="As JSON.")


def pairs(texts: Iterable[str], option: str, parse: Callable[[str, str], Any]) -> Mapping[str, Any]:
    """Parse the values of NAME=VALUE words, each name once; `parse` is given where it stands and the text of the value."""
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not equals or not name or not value:
            raise SpecError(f"{option} needs NAME=VALUE; given was {text!r}")
        if name in found:
            raise SpecError(f"{option} {name} is given twice; leave one")
        found[name] = parse(f"{option} {name}", value)
    return found


def say_json(found: Record | Iterable[Record]) -> None:
    """Print a record, or a list of them, as JSON."""
    value = found.to_json() if isinstance(found, Record) else [record.to_json() for record in found]
    click.echo(json.dumps(value, indent=1))
