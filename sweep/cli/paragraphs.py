"""Text as wide as the terminal: paragraphs filled, equations and tables kept in their shape."""

from __future__ import annotations

import re
import shutil
import textwrap

WIDEST, NARROWEST = 100, 40
_ROW = re.compile(r" *\S+( \S+)* {2,}(?=\S)")
"""The name and the gap of a line like `exact   density matrix`."""
_BOUND = re.compile(r" ([<>]=?) ")
"""A comparison, which is not torn: `N <= 12`."""
_CONTINUED = 4
"""How far what does not fit on a line of equations is indented below it."""


def columns() -> int:
    """Columns of the terminal that are used, as for help texts."""
    return max(NARROWEST, min(WIDEST, shutil.get_terminal_size().columns))


def filled(text: str, width: int) -> str:
    """Paragraphs of a docstring, filled to this width; indented lines are equations or rows of a table."""
    parts = []
    for part in text.split("\n\n"):
        lines = part.splitlines()
        done: list[str] = []
        while lines:
            indented = lines[0].startswith(" ")
            count = next((i for i, line in enumerate(lines) if line.startswith(" ") is not indented), len(lines))
            taken, lines = lines[:count], lines[count:]
            if indented:
                done += [one for line in _rows(taken) for one in _fitted(line, width)]
            else:
                done += hung("", " ".join(taken), width)
        parts.append("\n".join(done))
    return "\n\n".join(parts)


def hung(head: str, text: str, width: int, indent: int | None = None) -> list[str]:
    """`head` and the text beside it, whose further lines begin below its first word (or `indent` columns in)."""
    lines = textwrap.wrap(
        head + _BOUND.sub("\N{NO-BREAK SPACE}\\1\N{NO-BREAK SPACE}", text),
        width,
        subsequent_indent=" " * (len(head) if indent is None else indent),
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace("\N{NO-BREAK SPACE}", " ") for line in lines] or [""]


def _rows(lines: list[str]) -> list[str]:
    """The lines, where one that goes on below the text of the row above is joined to it."""
    found: list[str] = []
    for line in lines:
        row = _ROW.match(found[-1]) if found else None
        if row and len(line) - len(line.lstrip()) == row.end():
            found[-1] += " " + line.strip()
        else:
            found.append(line)
    return found


def _fitted(line: str, width: int) -> list[str]:
    """A line of equations or of a table: as it is where it fits, with smaller gaps, or on several lines."""
    if len(line) <= width:
        return [line]
    indent = len(line) - len(line.lstrip())
    row = _ROW.match(line)
    if row and row.end() <= width // 3:
        return hung(line[: row.end()], line[row.end() :], width)
    closer = " " * indent + re.sub(r" {2,}", "  ", line.strip())
    return hung("", closer, width, indent + _CONTINUED)
