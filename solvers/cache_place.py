"""Where everything that is kept on disk between runs lies."""

from __future__ import annotations

import os
from pathlib import Path


def cache_root() -> Path:
    """`$SPINSWEEP_CACHE_DIR`, else `$XDG_CACHE_HOME/spinsweep`, else `~/.cache/spinsweep`."""
    if chosen := os.environ.get("SPINSWEEP_CACHE_DIR"):
        return Path(chosen).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "spinsweep"
