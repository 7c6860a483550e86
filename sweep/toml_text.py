"""Writes the TOML of a spec: tables, texts, numbers, lists and inline tables, which is all that a spec holds."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

_BARE = re.compile(r"^[A-Za-z0-9_-]+$")


def value_text(value: Any) -> str:
    """One value as TOML."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value)  # JSON's escapes are TOML's
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, complex):
        return value_text({"re": value.real, "im": value.imag})
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(k)} = {value_text(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(value_text(v) for v in value) + "]"
    raise TypeError(f"{value!r} has no place in a spec")


def spec_text(raw: Mapping[str, Any]) -> str:
    """A whole spec: every section a table, every group of [zip] one of its own."""
    lines: list[str] = []
    for section, table in raw.items():
        groups = [(section, table)] if section != "zip" else [(f"zip.{_key(name)}", t) for name, t in table.items()]
        for title, entries in groups:
            lines += [f"[{title}]", *(f"{_key(k)} = {value_text(v)}" for k, v in entries.items()), ""]
    return "\n".join(lines)


def _key(name: str) -> str:
    return name if _BARE.match(name) else json.dumps(name)
