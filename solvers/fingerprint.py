"""Hashes of the solver sources: one of everything, for the compile cache; one per model, for resuming a sweep."""

from __future__ import annotations

import ast
import functools
import hashlib
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent


def _digest(files: Iterable[Path]) -> str:
    hasher = hashlib.blake2b(digest_size=16)
    for path in sorted(files):
        content = path.read_bytes()
        hasher.update(f"{path.relative_to(ROOT).as_posix()} {len(content)}\n".encode())
        hasher.update(content)
    return hasher.hexdigest()


@functools.cache
def all_sources() -> str:
    """Hash of every source file of the package."""
    return _digest(ROOT.rglob("*.py"))


def _file_of(module: str) -> Path | None:
    """The file of a module inside the package, or None for one that is elsewhere or is no module."""
    first, *rest = module.split(".")
    if first != ROOT.name:
        return None
    path = ROOT.joinpath(*rest)
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def _imports(path: Path) -> set[Path]:
    """The files inside the package that one of its files imports, at whatever depth of its code."""
    found: set[Path] = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        found.update(file for name in names if (file := _file_of(name)) is not None)
    return found


@functools.cache
def sources_of(module: str) -> str:
    """Hash of a module's file and of all that it imports, directly or not, inside the package."""
    start = _file_of(module)
    if start is None:
        raise ValueError(f"{module} is not a module of {ROOT.name}")
    seen: set[Path] = set()
    todo = {start}
    while todo:
        path = todo.pop()
        seen.add(path)
        todo |= _imports(path) - seen
    return _digest(seen)
