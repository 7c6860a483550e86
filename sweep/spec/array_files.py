"""Arrays that a spec names by a file: `A = "couplings.npy"` or `A = "all.npz:couplings"`, relative to the spec.

`"stack.npy[3]"` is the fourth array along the first dimension of a file. In [axes] and [zip] a file, or a list of files,
holds the arrays along an axis. They are copied into the run's `meta/arrays/`, so that a run needs no other file, and their content enters its hash.
Files of pickled objects are refused: a spec holds no code.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sweep.errors import SpecError
from sweep.records import Json
from sweep.spec.array_reading import read_array

_FOLDER = "arrays"
_ROW = re.compile(r"\[(\d+)\]$")


def names_file(value: Any) -> bool:
    """Whether a parameter's value in a spec is the name of an array file."""
    return isinstance(value, str) and (_ROW.sub("", value).endswith(".npy") or ".npz" in value)


def load(where: str, value: str) -> NDArray[Any]:
    """The array of a file name; SpecError says what is wrong with it."""
    row = _ROW.search(value)
    if row is not None and not Path(value).exists():
        whole = load(where, value[: row.start()])
        if whole.ndim < 2 or int(row[1]) >= len(whole):
            raise SpecError(f"{where}: {value[: row.start()]} of shape {whole.shape} has no array {row[1]}")
        return np.asarray(whole[int(row[1])])
    name, _, key = value.partition(".npz:") if ".npz:" in value else (value, "", "")
    return read_array(where, Path(name + ".npz" if key else name), key)


def resolved(raw: Json, folder: Path) -> Json:
    """A spec's mapping with its array files as paths from the root, `folder` being where the spec is."""

    def place(_: str, value: str) -> str:
        try:
            return str((folder / value).resolve())
        except (OSError, ValueError) as error:  # a zero byte, a circle of links
            raise SpecError(f"the array file {value!r} cannot be named: {error}") from error

    return _with_files(raw, place)


def adopted(raw: Json, meta: Path) -> Json:
    """Copy the array files into `meta` and return the mapping that names the copies, relative to `meta`."""

    def copy(name: str, value: str) -> str:
        (meta / _FOLDER).mkdir(exist_ok=True)
        np.save(meta / _FOLDER / f"{name}.npy", load(f"[parameters] {name}", value), allow_pickle=False)
        return f"{_FOLDER}/{name}.npy"

    return _with_files(raw, copy)


def files_of(raw: Json) -> list[str]:
    """The array files of a spec's mapping, without the row or the name of an array in them."""
    found: list[str] = []

    def note(_: str, value: str) -> str:
        found.append(_ROW.sub("", value).partition(".npz:")[0] + (".npz" if ".npz:" in value else ""))
        return value

    _with_files(raw, note)
    return list(dict.fromkeys(found))


def stacks(raw: Json) -> dict[str, str]:
    """The parameters whose values along an axis are the arrays of one file: name -> file."""
    tables = [raw.get("axes", {}), *zip_groups(raw.get("zip", {})).values()]
    forms = {name: form for table in tables for name, form in table.items()}
    found: Json = {name: form.get("arrays") if isinstance(form, Mapping) else form for name, form in forms.items()}
    return {name: form for name, form in found.items() if names_file(form)}


def zip_groups(given: Any) -> Json:
    """`[zip.NAME]` tables, or `[[zip]]` ones with `name` in them (else named by their parameters), by their names."""
    if not isinstance(given, list):
        return given  # type: ignore[no-any-return]  # what is no table is refused where the sections are read
    groups: dict[str, Any] = {}
    for table in given:
        if not isinstance(table, Mapping):
            raise SpecError(f"[[zip]] must be a table of parameters that vary together; given was {table!r}")
        columns = {name: form for name, form in table.items() if name != "name"}
        name = table.get("name", "_".join(columns))
        if not isinstance(name, str) or not name or name in groups:
            raise SpecError(f"[[zip]] name must be a text of its own; given was {name!r}")
        groups[name] = columns
    return groups


def _with_files(raw: Json, change: Callable[[str, str], str]) -> Json:
    """The mapping with every name of a file changed; `change` is given a name for its copy, and the file's name."""

    def changed(name: str, value: Any) -> Any:
        if names_file(value):
            return change(name, value)
        if isinstance(value, Mapping):
            return {key: changed(name, entry) if key in ("arrays", "values") else entry for key, entry in value.items()}
        if isinstance(value, list):
            return [change(f"{name}_{k}", entry) if names_file(entry) else entry for k, entry in enumerate(value)]
        return value

    def table(entries: Any) -> Any:
        return {k: changed(k, v) for k, v in entries.items()} if isinstance(entries, Mapping) else entries

    found = dict(raw)
    for section in ("parameters", "axes"):
        if section in raw:
            found[section] = table(raw[section])
    if "zip" in raw:
        groups = zip_groups(raw["zip"])
        found["zip"] = {k: table(v) for k, v in groups.items()} if isinstance(groups, Mapping) else groups
    return found
