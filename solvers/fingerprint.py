"""Hashes of the solver sources, of a file with all that it imports: of their text, for the compile cache, and of their code
without comments, docstrings and formatting, for resuming a sweep."""

from __future__ import annotations

import ast
import functools
import hashlib
import os
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent


def model_folders() -> tuple[Path, ...]:
    """The folders that hold models: the package's own, and those of SPINSWEEP_MODEL_PATH."""
    more = os.environ.get("SPINSWEEP_MODEL_PATH", "").split(os.pathsep)
    return (ROOT / "models", *(Path(folder).resolve() for folder in more if folder))


def relative(path: Path) -> Path:
    """A source file's path as it would be inside the package, wherever the package or the model folder is."""
    if path.is_relative_to(ROOT):
        return path.relative_to(ROOT)
    for folder in model_folders():
        if path.is_relative_to(folder):
            return Path("models") / path.relative_to(folder)
    raise ValueError(f"{path} is neither in {ROOT} nor in a folder of SPINSWEEP_MODEL_PATH")


def _digest(files: Iterable[Path]) -> str:
    hasher = hashlib.blake2b(digest_size=16)
    for path in sorted(files, key=relative):
        content = path.read_bytes()
        hasher.update(f"{relative(path).as_posix()} {len(content)}\n".encode())
        hasher.update(content)
    return hasher.hexdigest()


def sources_of_everything() -> str:
    """Hash of every source file of the package and of the model folders, found anew at every call."""
    folders = [ROOT, *(folder for folder in model_folders() if not folder.is_relative_to(ROOT))]
    return _digest(path for folder in folders for path in folder.rglob("*.py"))


def _file_of(module: str) -> Path | None:
    """The file of a module inside the package, or None for one that is elsewhere or is no module."""
    first, *rest = module.split(".")
    if first != ROOT.name:
        return None
    places = [ROOT.joinpath(*rest)]
    if rest[:1] == ["models"]:
        places += [folder.joinpath(*rest[1:]) for folder in model_folders()]
    for path in places:
        for candidate in (path.with_suffix(".py"), path / "__init__.py"):
            if candidate.is_file():
                return candidate
    return None


_PARSING = threading.Lock()
"""Python 3.11 counts the depth of a tree for all threads together: two that parse at once can fail with SystemError (gh-106905)."""


@functools.cache
def _tree(path: Path) -> ast.Module:
    with _PARSING:
        return ast.parse(path.read_bytes())


@functools.cache
def _imports(path: Path) -> frozenset[Path]:
    """The files inside the package that one of its files imports, at whatever depth of its code."""
    found: set[Path] = set()
    for node in ast.walk(_tree(path)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and (module := _absolute(node, path)):
            names = [module, *(f"{module}.{alias.name}" for alias in node.names)]
        found.update(file for name in names if (file := _file_of(name)) is not None)
    return frozenset(found)


def _absolute(node: ast.ImportFrom, path: Path) -> str:
    """The full name of the module that `from ... import` reads, relative ones included."""
    if not node.level:
        return node.module or ""
    package = (ROOT.name, *relative(path).parts[: -node.level])
    return ".".join((*package, *([node.module] if node.module else [])))


@functools.cache
def sources_of(module: str) -> str:
    """Hash of a module's file and of all that it imports, directly or not, inside the package."""
    start = _file_of(module)
    if start is None:
        raise ValueError(f"{module} is not a module of {ROOT.name}")
    return sources_of_file(start)


@functools.cache
def sources_of_file(start: Path) -> str:
    """Hash of a source file and of all that it imports, directly or not, inside the package."""
    return _digest(files_of(start))


@functools.cache
def code_of(module: str) -> str:
    """Hash of what a module and all that it imports inside the package do: their syntax trees, constants included.

    Comments, docstrings, blank lines and line breaks do not enter, nor does the version of Python.
    """
    start = _file_of(module)
    if start is None:
        raise ValueError(f"{module} is not a module of {ROOT.name}")
    hasher = hashlib.blake2b(digest_size=16)
    for path in sorted(files_of(start), key=relative):
        words = [relative(path).as_posix()]
        _put_node(_tree(path), words.append)
        hasher.update("\n".join(words).encode())
    return hasher.hexdigest()


_NO_MEANING = frozenset({"ctx", "type_comment", "kind"})
_WITH_DOCSTRING = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def _put_node(node: object, put: Callable[[str], None]) -> None:
    """The words of a syntax tree: names of nodes, their filled fields, constants with their types; no places, no docstrings.

    Empty fields are left out, so that a version of Python that adds one gives the same words.
    """
    if isinstance(node, ast.AST):
        put(type(node).__name__)
        for name in node._fields:
            value: Any = getattr(node, name, None)
            if (
                name == "body"
                and isinstance(node, _WITH_DOCSTRING)
                and ast.get_docstring(node, clean=False) is not None
            ):
                value = value[1:]
            if name not in _NO_MEANING and (value not in (None, []) or isinstance(node, ast.Constant)):
                put(name)
                _put_node(value, put)
        put(")")
    elif isinstance(node, list):
        for entry in node:
            _put_node(entry, put)
        put(";")
    else:
        put(f"{type(node).__name__} {node!r}")


def files_of(start: Path) -> frozenset[Path]:
    """A source file and all that it imports, directly or not, inside the package."""
    seen: set[Path] = set()
    todo = {start}
    while todo:
        path = todo.pop()
        seen.add(path)
        todo |= _imports(path) - seen
    return frozenset(seen)
