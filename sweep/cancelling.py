"""Asking a driver to stop: a small file in `meta/` that it looks for, so that it may be on another host."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from sweep import files, provenance
from sweep.errors import RunError
from sweep.folder import RunFolder
from sweep.lease import holder, is_live

_NAME = "cancel.json"


def ask(path: Path, now: bool) -> str:
    """Leave the wish; returns a sentence about it. RunError when no driver is at work."""
    folder = RunFolder(path)
    folder.record()
    found = holder(folder.lease)
    if found is None or not is_live(found):
        raise RunError(f"no driver is working on {path}; to go on with it: spinsweep resume {path}")
    files.write_json(folder.meta / _NAME, {"now": now, "asked": provenance.now()})
    manner = "drops what runs" if now else "finishes the tiles that run"
    return f"process {found['pid']} on {found['host']} {manner} and stops within seconds; go on with: spinsweep resume {path}"


def asked(folder: RunFolder) -> str | None:
    """`now`, `soon` or None."""
    try:
        wish = json.loads((folder.meta / _NAME).read_text())
    except (OSError, json.JSONDecodeError):
        return None
    return "now" if wish.get("now") else "soon"


def forget(folder: RunFolder) -> None:
    """Remove a wish, old or fulfilled."""
    with contextlib.suppress(FileNotFoundError):
        (folder.meta / _NAME).unlink()
