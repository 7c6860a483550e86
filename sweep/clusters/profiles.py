"""A profile: a TOML file that describes a cluster, with one table named like its kind."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from solvers.suggest import did_you_mean
from sweep.errors import RunError, SpecError
from sweep.records import Record
from sweep.spec.plain_files import check_plain

SUFFIX = ".toml"
_LARGEST = 1 << 20
Profile = TypeVar("Profile", bound=Record)


def is_profile(name: str, table: str) -> bool:
    """Whether a name is that of a profile for this kind of cluster."""
    if not name.endswith(SUFFIX):
        return False
    try:
        return table in _tables(name)
    except SpecError:  # a pipe, say
        raise
    except (OSError, ValueError, RecursionError):
        return False


def _tables(name: str) -> Mapping[str, Any]:
    check_plain(Path(name), "profile", _LARGEST)
    return tomllib.loads(Path(name).read_text())


def read_profile(name: str, table: str, kind: type[Profile]) -> Profile:
    """The profile of a kind in a file; SpecError says what is wrong in it."""
    try:
        found = _tables(name)
    except SpecError:
        raise
    except OSError as error:
        raise SpecError(f"profile {name} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise SpecError(f"profile {name} is not TOML: {error}") from error
    names = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    for key in found.get(table, {}):
        if key not in names:
            raise SpecError(
                f"profile {name}: [{table}] has no key {key!r}; allowed are {', '.join(names)}{did_you_mean(key, names)}"
            )
    try:
        return kind.from_json(found.get(table, {}), f"profile {name}, [{table}]")
    except RunError as error:
        raise SpecError(error.text) from error
