"""Where everything that is kept on disk between runs lies."""

from __future__ import annotations

import os
from pathlib import Path


def cache_roots() -> tuple[Path, ...]:
    """The folders of `$SPINSWEEP_CACHE_DIR` (separated as in `$PATH`), else `$XDG_CACHE_HOME/spinsweep`, else `~/.cache/spinsweep`.

    The first is written; the others are read only, as one that came with an image.
    """
    given = os.environ.get("SPINSWEEP_CACHE_DIR", "").split(os.pathsep)
    if chosen := [Path(folder).expanduser() for folder in given if folder.strip()]:
        return tuple(chosen)
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return (Path(base).expanduser() / "spinsweep",)


def cache_root() -> Path:
    """The folder that is written."""
    return cache_roots()[0]
