"""Specs as mappings: read from a TOML file, changed by options of the command line."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

from sweep.errors import SpecError
from sweep.records import Json
from sweep.spec.array_files import resolved
from sweep.spec.plain_files import LARGEST_TEXT, check_plain
from sweep.spec.sweep_spec import METHOD, SOLVER


def read(path: str | Path) -> Json:
    """Read a TOML file into a mapping; SpecError when it is absent, unreadable or no TOML.

    Array files are named relative to the spec, and by their full paths in the mapping.
    """
    try:
        check_plain(Path(path), "spec file", LARGEST_TEXT)
        text = Path(path).read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise SpecError(f"spec file {path} does not exist; `spinsweep new MODEL -o {path}` writes one") from None
    except IsADirectoryError:
        raise SpecError(f"spec {path} is a folder; to go on with a run use `spinsweep resume {path}`") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"spec file {path} cannot be read: {error}") from error
    try:
        raw = tomllib.loads(text)
    except RecursionError:
        raise SpecError(f"spec file {path} is not valid TOML: its brackets are nested too deeply") from None
    except ValueError as error:  # of TOML, or a number of thousands of digits
        raise SpecError(f"spec file {path} is not valid TOML: {error}") from error
    return resolved(raw, Path(path).parent)


def with_overrides(raw: Json, parameters: Json | None = None, axes: Json | None = None) -> Json:
    """A spec's mapping with `--set` values and `--axis` axes put in; each replaces an axis or parameter of its name."""
    result = {key: dict(value) if isinstance(value, Mapping) else value for key, value in raw.items()}
    fixed = result.setdefault("parameters", {})
    grid = result.setdefault("axes", {})
    for name, value in (parameters or {}).items():
        if name in ("model", METHOD, "seed", "name"):
            result.setdefault("sweep", {})[name] = value
            continue
        grid.pop(name, None)
        fixed[name] = value
    for name, value in (axes or {}).items():
        if name in (METHOD, SOLVER):
            result.setdefault("sweep", {})[METHOD] = value["values"] if isinstance(value, Mapping) else value
            continue
        fixed.pop(name, None)
        grid[name] = value
    return result
