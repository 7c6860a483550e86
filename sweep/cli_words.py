"""NAME=VALUE words of the command line."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from sweep.errors import SpecError


def pairs(texts: Iterable[str], option: str, parse: Callable[[str, str], Any]) -> dict[str, Any]:
    """Parse the values of NAME=VALUE words; `parse` is given where it stands and the text of the value."""
    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip() or not value.strip():
            raise SpecError(f"{option} needs NAME=VALUE; given was {text!r}")
        found[name.strip()] = parse(f"{option} {name.strip()}", value)
    return found
