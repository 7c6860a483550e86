"""Arrays that a spec names by a file: `A = "couplings.npy"` or `A = "all.npz:couplings"`, relative to the spec.

They are copied into the run's `meta/arrays/`, so that a run needs no other file, and their content enters its hash.
Files of pickled objects are refused: a spec holds no code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.suggest import did_you_mean
from sweep.errors import SpecError
from sweep.records import Json

_FOLDER = "arrays"


def names_file(value: Any) -> bool:
    """Whether a parameter's value in a spec is the name of an array file."""
    return isinstance(value, str) and (value.endswith(".npy") or ".npz" in value)


def load(where: str, value: str) -> NDArray[Any]:
    """The array of a file name; SpecError says what is wrong with it."""
    name, _, key = value.partition(".npz:") if ".npz:" in value else (value, "", "")
    path = Path(name + ".npz" if key else name)
    try:
        found = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise SpecError(f"{where}: the array file {path} does not exist") from None
    except (OSError, ValueError, EOFError) as error:
        raise SpecError(f"{where}: {path} is no .npy or .npz file of numbers ({error})") from error
    if isinstance(found, np.ndarray):
        return found
    with found:
        keys = list(found.files)
        if not key and len(keys) == 1:
            key = keys[0]
        if key not in keys:
            raise SpecError(
                f"{where}: write {path}:KEY with one of {', '.join(keys)}; given was {key or 'no key'}{did_you_mean(key, keys)}"
            )
        try:
            return np.asarray(found[key])
        except ValueError as error:
            raise SpecError(f"{where}: {path}:{key} holds no numbers ({error})") from error


def resolved(raw: Json, folder: Path) -> Json:
    """A spec's mapping with its array files as paths from the root, `folder` being where the spec is."""
    return _with_files(raw, lambda _, value: str((folder / value).resolve()))


def adopted(raw: Json, meta: Path) -> Json:
    """Copy the array files into `meta` and return the mapping that names the copies, relative to `meta`."""

    def copy(name: str, value: str) -> str:
        (meta / _FOLDER).mkdir(exist_ok=True)
        np.save(meta / _FOLDER / f"{name}.npy", load(f"[parameters] {name}", value), allow_pickle=False)
        return f"{_FOLDER}/{name}.npy"

    return _with_files(raw, copy)


def _with_files(raw: Json, change: Callable[[str, str], str]) -> Json:
    parameters = raw.get("parameters")
    if not isinstance(parameters, Mapping):
        return dict(raw)
    return {**raw, "parameters": {k: change(k, v) if names_file(v) else v for k, v in parameters.items()}}
