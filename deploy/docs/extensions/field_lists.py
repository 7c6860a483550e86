"""Docstrings of the Python face as Sphinx lists parameters.

Ours describe a parameter in its line, `name : what it is`, where numpydoc has its type, which the signature knows; what
follows `Returns` is a sentence, and a paragraph after it is about the whole function.
"""

from __future__ import annotations

from typing import Any

_SECTIONS = ("Parameters", "Returns")


def field_lists(lines: list[str]) -> list[str]:
    """The lines of a docstring with its sections as fields at the end."""
    body: list[str] = []
    fields: list[str] = []
    section = ""
    for number, line in enumerate(lines):
        following = lines[number + 1] if number + 1 < len(lines) else ""
        if line in _SECTIONS and following.startswith("---"):
            section = line
        elif section and line.startswith("---"):
            continue
        elif section and not line.strip():
            section = ""
        elif section == "Parameters" and not line.startswith(" "):
            name, _, meaning = line.partition(" : ")
            fields.append(f":param {name.strip()}: {meaning}")
        elif section == "Returns" and not (fields and fields[-1].startswith(":returns:")):
            fields.append(f":returns: {line.removeprefix('dict : ')}")
        elif section:
            fields[-1] += " " + line.strip()
        else:
            body.append(line)
    return [*body, "", *fields, ""] if fields else lines


def _process(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    lines[:] = field_lists(lines)


def setup(app: Any) -> dict[str, Any]:
    app.connect("autodoc-process-docstring", _process, priority=400)  # before napoleon
    return {"parallel_read_safe": True, "parallel_write_safe": True}
