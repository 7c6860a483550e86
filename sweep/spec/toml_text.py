"""Writes the TOML of a spec: a table per section, and every entry on a line of its own, tables in it inline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import tomli_w

from sweep.records import Json
from sweep.spec.sweep_spec import plain


def value_text(value: Any) -> str:
    """One value as TOML on one line (tomli-w itself gives every element of a list a line)."""
    value = plain(value)
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(k)} = {value_text(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(value_text(v) for v in value) + "]"
    if not isinstance(value, bool | str | int | float):
        raise TypeError(f"{value!r} has no place in a spec")
    return tomli_w.dumps({"x": value}).removeprefix("x = ").removesuffix("\n")


def short_text(value: Any) -> str:
    """One value as the command line takes it: evenly spaced numbers as `first:last:count`, where that gives their very bits."""
    array = np.asarray(value) if not isinstance(value, str | Mapping) else np.empty(0)
    long = array.ndim == 1 and array.size > 3 and array.dtype.kind == "f"
    if long and np.linspace(array[0], array[-1], array.size).tobytes() == array.tobytes():
        return f"{array[0]!s}:{array[-1]!s}:{array.size}"
    return value_text(value)


def spec_text(raw: Json) -> str:
    """A whole spec: every section a table, every group of [zip] one of its own."""
    lines: list[str] = []
    for section, table in raw.items():
        groups = [(section, table)] if section != "zip" else [(f"zip.{_key(name)}", t) for name, t in table.items()]
        for title, entries in groups:
            lines += [f"[{title}]", *(f"{_key(k)} = {value_text(v)}" for k, v in entries.items()), ""]
    return "\n".join(lines)


def _key(name: str) -> str:
    return tomli_w.dumps({name: 0}).removesuffix(" = 0\n")
