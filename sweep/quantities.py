"""Durations, sizes and numbers of things in words."""

from __future__ import annotations

_LONG = ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s"))
_SHORT = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))


def duration(seconds: float) -> str:
    """Seconds as a reader takes them in: `75 ms`, `2.5 s`, `20 min 34 s`, `14 d 6 h`."""
    if seconds >= 99.5:
        whole = round(seconds)
        for large, unit, part, smaller in _LONG:
            if whole >= 2 * large or large == 60:
                return f"{whole // large} {unit} {whole % large // part} {smaller}"
    for one, unit in _SHORT:
        if seconds >= 0.995 * one:
            count = seconds / one
            return f"{count:.1f} {unit}" if count < 9.95 else f"{count:.0f} {unit}"
    return "0 s" if seconds <= 0 else f"{1e6 * seconds:.1g} µs"


def size(count: float) -> str:
    """Bytes: `1.2 GiB`."""
    for power, unit in ((5, "PiB"), (4, "TiB"), (3, "GiB"), (2, "MiB"), (1, "kiB")):
        if count >= 0.9 * 1024**power:
            return f"{count / 1024**power:.3g} {unit}"
    return f"{count:.0f} B"


def number(count: int, thing: str) -> str:
    """So many of a thing: `1 tile`, `1,024 tiles`."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"
