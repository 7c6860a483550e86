"""Nearest names, for error messages."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """`; did you mean X?` with the nearest of `names`, or nothing when none is near."""
    known = list(names)
    lowered = {known_name.lower(): known_name for known_name in known}
    near = difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=0.5)
    return f"; did you mean {lowered[near[0]]}?" if near else ""
