"""Lengths of time as users of clusters write them: 1-12:00:00, 02:00:00, 90 (minutes, as SLURM reads it), 10m, 30s."""

from __future__ import annotations

import re

import dask.utils

from sweep.errors import SpecError

_DAYS = re.compile(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?")


def seconds_of(text: str, where: str) -> float:
    """The seconds in a time; SpecError names `where` one that cannot be read is from.

    Without a unit, SLURM's forms: minutes, minutes:seconds, hours:minutes:seconds, days-hours[:minutes[:seconds]].
    """
    found = _DAYS.fullmatch(text.strip())
    if found:
        days, *parts = found.groups()
        numbers = [int(part) for part in parts if part is not None]
        if days is not None:
            numbers = [*numbers, 0, 0][:3]
        elif len(numbers) < 3:
            numbers = [0, *numbers, 0][:3]
        hours, minutes, seconds = numbers
        return float(((int(days or 0) * 24 + hours) * 60 + minutes) * 60 + seconds)
    try:
        return float(dask.utils.parse_timedelta(text))
    except (ValueError, TypeError, KeyError):
        raise SpecError(f"{where} must be a time like 02:00:00, 1-12:00:00, 10m or 30s; given was {text!r}") from None
