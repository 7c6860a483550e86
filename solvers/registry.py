"""Finds the models: every module below `solvers.models` that has a `MODELS` tuple. A new model is one new file.

A model id is `SYSTEM.NAME`; SYSTEM is the file `models/SYSTEM.py` or the folder `models/SYSTEM/`, so that one model
can be solved without importing the kernels of all others. Files of users, in the folders of SPINSWEEP_MODEL_PATH, are
found the same way; one that is broken leaves all other models usable.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
import pkgutil
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path

from solvers.fingerprint import ROOT, model_folders
from solvers.model import Model
from solvers.suggest import did_you_mean

# By name, because the attribute `models` of the package is the function below, not the folder.
_FOLDER = importlib.import_module("solvers.models")


class BrokenModelFile(ValueError):
    """A user's model file cannot be read; its text says which, where in it, and why."""


class ModelFileWarning(UserWarning):
    """A model file is left out; the text says which, and why."""


@functools.cache
def systems() -> tuple[str, ...]:
    """Names of the systems, without importing them."""
    return tuple(sorted({info.name for info in pkgutil.iter_modules(_FOLDER.__path__)}))


def _modules(system: str) -> Iterator[str]:
    name = f"{_FOLDER.__name__}.{system}"
    module = importlib.import_module(name)
    yield name
    if hasattr(module, "__path__"):
        for info in pkgutil.walk_packages(module.__path__, name + "."):
            yield info.name


@functools.cache
def models_of(system: str) -> dict[str, Model]:
    """The models of one system by id, in the order of its files.

    Raises BrokenModelFile where a file of a user's own raises, whatever it raises.
    """
    place = _place_of(system)
    if place is None or place.is_relative_to(ROOT):
        return _read(system)
    try:
        return _read(system)
    except Exception as error:
        raise BrokenModelFile(f"{place}: {_what_is_wrong(error)}") from error


def _read(system: str) -> dict[str, Model]:
    found: dict[str, Model] = {}
    for name in _modules(system):
        declared = getattr(importlib.import_module(name), "MODELS", ())
        if not isinstance(declared, (tuple, list)) or not all(isinstance(model, Model) for model in declared):
            raise ValueError(f"{name}: MODELS must be a tuple of Model; a tuple of one ends in a comma: (Model(...),)")
        for model in declared:
            if model.id.partition(".")[0] != system:
                raise ValueError(f"{name}: model id {model.id} must begin with {system}.")
            if model.id in found:
                raise ValueError(f"{name}: model id {model.id} is declared twice")
            found[model.id] = model
    return found


def _place_of(system: str) -> Path | None:
    spec = importlib.util.find_spec(f"{_FOLDER.__name__}.{system}")
    return None if spec is None or spec.origin is None else Path(spec.origin).resolve()


def _what_is_wrong(error: Exception) -> str:
    """The exception in one line, with the line of the user's file that it comes from."""
    if isinstance(error, SyntaxError):
        return f"line {error.lineno}: {error.msg}"
    inside = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not Path(frame.filename).is_relative_to(ROOT)
        and any(map(Path(frame.filename).is_relative_to, model_folders()))
    ]
    where = f"line {inside[-1].lineno}: " if inside else ""
    text = " ".join(str(error).split())
    return where + (text if isinstance(error, ValueError) else f"{type(error).__name__}: {text}")


def models() -> dict[str, Model]:
    """All models by id: iterating lists the ids, an entry describes parameters, methods, outputs and the source equation.

    A broken file of a user's own is left out, with a ModelFileWarning that says why.
    """
    found: dict[str, Model] = {}
    for system in systems():
        try:
            found |= models_of(system)
        except BrokenModelFile as error:
            warnings.warn(f"left out: {error}", ModelFileWarning, stacklevel=2)
    return found


@functools.cache
def _in_own_file(model_id: str) -> Model | None:
    """The model of that id in the file of the same name, as ours mostly are: the rest of its system, which may take ten
    times as long to import, is then not read."""
    system, _, name = model_id.partition(".")
    file = ROOT / "models" / system / f"{name}.py"
    if not (system.isidentifier() and name.isidentifier() and file.is_file()) or _place_of(system) != file.with_name(
        "__init__.py"
    ):
        return None
    declared = getattr(importlib.import_module(f"{_FOLDER.__name__}.{model_id}"), "MODELS", ())
    return next((model for model in declared if model.id == model_id), None)


def find(model_id: str) -> Model:
    """The model of that id; ValueError with the nearest id if there is none."""
    own = _in_own_file(str(model_id))
    if own is not None:
        return own
    system = str(model_id).partition(".")[0]
    if system in systems() and model_id in (of_system := models_of(system)):
        return of_system[model_id]
    known = list(models())
    near = [name for name in known if name.partition(".")[0] == system]
    known_there = f"{system} has {', '.join(near)}" if near else f"there are {', '.join(known)}"
    meant = "" if model_id == system and near else did_you_mean(str(model_id), near or known)
    raise ValueError(f"there is no model {model_id!r}; {known_there}{meant}")


def module_of(model: Model) -> str:
    """Name of the module that declares a model."""
    if _in_own_file(model.id) is model:
        return f"{_FOLDER.__name__}.{model.id}"
    for name in _modules(model.id.partition(".")[0]):
        if model in getattr(importlib.import_module(name), "MODELS", ()):
            return name
    raise ValueError(f"{model.id} is not a registered model")


def add_file(path: str | os.PathLike[str]) -> str:
    """Make a model file (or the folder of a system) known, wherever it lies, and return the name of its system.

    Its folder is added to SPINSWEEP_MODEL_PATH of this process and of those it starts, so that everything about the file
    (hash, compile cache, workers) is as if the variable had been set before. Nothing is imported yet.

    Raises ValueError where there is no such file, or where its name cannot be that of a system.
    """
    file = Path(path).expanduser().resolve()
    if not file.exists() or not (file.is_dir() or file.suffix == ".py"):
        raise ValueError(f"{path}: there is no such model file (NAME.py, or a folder of such files)")
    if file.name == "__init__.py":
        file = file.parent
    system = file.stem if file.suffix == ".py" else file.name
    if not system.isidentifier():
        raise ValueError(
            f"{path}: the file's name is the first part of its models' ids, so it must be a Python name; "
            f"rename it, to {''.join(c if c.isalnum() else '_' for c in system)}.py for example"
        )
    if file.parent not in model_folders():
        before = os.environ.get("SPINSWEEP_MODEL_PATH", "")
        os.environ["SPINSWEEP_MODEL_PATH"] = os.pathsep.join(p for p in (before, str(file.parent)) if p)
        _FOLDER.__path__.append(str(file.parent))
    importlib.invalidate_caches()
    systems.cache_clear()
    place = _place_of(system)
    if place != file and place != file / "__init__.py":
        raise ValueError(f"{path}: there is a system {system} already, at {place}; give the file another name")
    return system
