"""Docstrings of models as pages: paragraphs, lists, equations and tables of methods.

An indented block is equations, or a list of methods with what each does; the rest is prose, whose asterisks and brackets are
meant as they stand.
"""

from __future__ import annotations

import re
import textwrap

from equations import GREEK, mathtext, split_tag

_ROW = re.compile(r"(?P<name>[a-z][a-z_]*) {2,}(?P<rest>\S.*)$")
_EQUATION = re.compile(r"\S+( \S+)? = ")
_LETTER = rf"d?(?:{'|'.join(GREEK)}|hbar|sum|prod|[A-Za-z])'?"
_MARK = r"[_^](?:\{[^{}]*\}|\([\d/+\-N]+\)|[+*-](?!\w)|\+(?=[A-Z])|-?[A-Za-z0-9]{1,3}\b|-?[A-Za-z0-9]{1,3}(?=[_^]))"
_SYMBOL = re.compile(
    rf"(?<![\w.{{\\])(?<!\w-){_LETTER}(?:{_MARK})+[+-]?(?![\w-])|(?<![\w.])(?<!\w-)(?:{'|'.join(GREEK)}|hbar)\d*(?![\w-])"
)
"""A symbol in a sentence: a letter with something below or above it, or the name of a Greek letter."""
_SIGNS = {"<=": "≤", ">=": "≥", "+-": "±"}
_NAME = re.compile(r"(?<![\w`.\[])[a-z]{2,}(?:_[a-z]+)*_[a-z]{3,}(?![\w^])")
"""A name of the program in a sentence, like gamma_minus or power_law."""


def page(text: str, names: frozenset[str] = frozenset()) -> str:
    """A docstring as MyST; `names` are the methods, whose names begin rows of a table."""
    return "\n\n".join(_block(block, names) for block in _blocks(text) if block.strip())


def _blocks(text: str) -> list[str]:
    """Paragraphs, and indented blocks, which need no empty line around them."""
    blocks: list[list[str]] = [[]]
    indented = False
    for line in text.splitlines():
        now = line.startswith("    ")
        if line.strip() and now != indented and blocks[-1]:
            blocks.append([])
        if not line.strip():
            blocks.append([])
            continue
        indented = now
        blocks[-1].append(line)
    return ["\n".join(block) for block in blocks]


def _block(block: str, names: frozenset[str]) -> str:
    if not block.startswith("    "):
        return "\n".join(_prose(line) for line in _items(block))
    lines = textwrap.dedent(block).splitlines()
    first = _ROW.match(lines[0])
    if first and (first["name"] in names or not _EQUATION.match(lines[0])):
        return _table(lines)
    return _equations(lines)


def _items(block: str) -> list[str]:
    """The lines of a paragraph, or the items of a list, each a line."""
    lines: list[str] = []
    for line in block.splitlines():
        if lines and not line.startswith("* "):
            lines[-1] += " " + line.strip()
        else:
            lines.append(line)
    return lines


def _prose(line: str) -> str:
    bullet = "* " if line.startswith("* ") else ""
    parts = re.split(r"(`[^`]+`)", line.removeprefix("* "))
    return bullet + "".join(part if part.startswith("`") else sentence(part) for part in parts)


def sentence(text: str) -> str:
    """Text as Markdown, with its symbols typeset."""
    parts, place = [], 0
    names = {found.start(): found for found in _NAME.finditer(text)}
    for found in sorted({**names, **{found.start(): found for found in _SYMBOL.finditer(text)}}.values(), key=_start):
        if found.start() < place:
            continue
        typeset = f"`{found[0]}`" if found.re is _NAME else f"{{math}}`{mathtext(found[0])}`"
        parts += [escaped(text[place : found.start()]), typeset]
        place = found.end()
    return "".join(parts) + escaped(text[place:])


def _start(found: re.Match[str]) -> int:
    return found.start()


def escaped(text: str) -> str:
    """Text whose characters mean nothing to Markdown; signs that a terminal has no letter for are set."""
    for typed, sign in _SIGNS.items():
        text = text.replace(typed, sign)
    return re.sub(r"([\\*_\[\]<>|$#^~{}])", r"\\\1", text)


def _equations(lines: list[str]) -> str:
    return "```{math}\n" + "\n".join(_equation(line) for line in lines) + "\n```"


def _equation(line: str) -> str:
    body, tag = split_tag(line)
    indent = r"\quad\quad " if line.startswith(" ") else ""
    words = tag.replace(" ", r"\ ")
    return indent + mathtext(body) + (rf"\quad\quad\mathrm{{{words}}}" if tag else "")


def _table(lines: list[str]) -> str:
    """Names and what they do, as a definition list; what has an equation in it is one."""
    rows: list[list[str]] = []
    for line in lines:
        found = _ROW.match(line)
        if found:
            rows.append([found["name"], found["rest"]])
        else:
            rows[-1].append(line.strip())
    parts = []
    for name, *rest in rows:
        if _EQUATION.match(rest[0]):
            body = textwrap.indent(_equations([line.strip() for line in rest]), "  ").removeprefix("  ")
        else:
            body = _prose(" ".join(rest))
        parts.append(f"`{name}`\n: {body}")
    return "\n\n".join(parts)
