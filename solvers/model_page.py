"""What a model says of itself in a notebook: tables of its methods, parameters and outputs."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from solvers.model import Model

_MOST_ENTRIES = 4


def as_html(model: Model) -> str:
    """The tables, for `Model._repr_html_`."""
    methods = [(m.name, m.meaning, m.limit.text if m.limit else "", m.source) for m in model.methods]
    parameters = [(p.name, p.meaning, _value(p.default), p.unit, p.allowed) for p in model.parameters]
    every = len(model.methods)
    outputs = [
        (o.name, o.meaning, ", ".join(o.dims), o.unit, ", ".join(o.methods) if o.methods else f"all {every}")
        for o in model.outputs
    ]
    return (
        f"<p><b>{html.escape(model.id)}</b>: {html.escape(model.title)} <i>({html.escape(model.source)})</i></p>"
        + _table("Methods", ("name", "meaning", "limit", "source"), methods)
        + _table("Parameters", ("name", "meaning", "default", "unit", "allowed"), parameters)
        + _table("Outputs", ("name", "meaning", "dimensions", "unit", "methods"), outputs)
    )


def _table(caption: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [_line("th", head), *(_line("td", row) for row in rows)]
    return f"<table><caption>{caption}</caption>{''.join(lines)}</table>"


def _line(cell: str, texts: Sequence[str]) -> str:
    cells = "".join(f'<{cell} style="text-align:left">{html.escape(text)}</{cell}>' for text in texts)
    return f"<tr>{cells}</tr>"


def _value(value: Any) -> str:
    if value is None:
        return "not given"
    if isinstance(value, np.ndarray):
        return np.array2string(value, threshold=_MOST_ENTRIES, edgeitems=1, separator=", ")
    return f"{value:g}" if isinstance(value, float) else str(value)
