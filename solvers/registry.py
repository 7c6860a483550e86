"""Finds the models: every module below `solvers.models` that has a `MODELS` tuple. A new model is one new file.

A model id is `SYSTEM.NAME`; SYSTEM is the file `models/SYSTEM.py` or the folder `models/SYSTEM/`, so that one model
can be solved without importing the kernels of all others.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Iterator

from solvers.model import Model
from solvers.suggest import did_you_mean

# By name, because the attribute `models` of the package is the function below, not the folder.
_FOLDER = importlib.import_module("solvers.models")


@functools.cache
def systems() -> tuple[str, ...]:
    """Names of the systems, without importing them."""
    return tuple(sorted(info.name for info in pkgutil.iter_modules(_FOLDER.__path__)))


def _modules(system: str) -> Iterator[str]:
    name = f"{_FOLDER.__name__}.{system}"
    module = importlib.import_module(name)
    yield name
    if hasattr(module, "__path__"):
        for info in pkgutil.walk_packages(module.__path__, name + "."):
            yield info.name


@functools.cache
def models_of(system: str) -> dict[str, Model]:
    """The models of one system by id, in the order of its files."""
    found: dict[str, Model] = {}
    for name in _modules(system):
        for model in getattr(importlib.import_module(name), "MODELS", ()):
            if model.id.partition(".")[0] != system:
                raise ValueError(f"{name}: model id {model.id} must begin with {system}.")
            if model.id in found:
                raise ValueError(f"{name}: model id {model.id} is declared twice")
            found[model.id] = model
    return found


def models() -> dict[str, Model]:
    """All models by id: iterating lists the ids, an entry describes parameters, methods, outputs and the source equation."""
    return {id_: model for system in systems() for id_, model in models_of(system).items()}


def find(model_id: str) -> Model:
    """The model of that id; ValueError with the nearest id if there is none."""
    system = str(model_id).partition(".")[0]
    if system in systems() and model_id in (of_system := models_of(system)):
        return of_system[model_id]
    known = list(models())
    raise ValueError(
        f"there is no model {model_id!r}; there are {', '.join(known)}{did_you_mean(str(model_id), known)}"
    )


def module_of(model: Model) -> str:
    """Name of the module that declares a model."""
    for name in _modules(model.id.partition(".")[0]):
        if model in getattr(importlib.import_module(name), "MODELS", ()):
            return name
    raise ValueError(f"{model.id} is not a registered model")
