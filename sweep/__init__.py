"""Sweeps: a spec, a model and axes in, a Zarr store that xarray opens out.

import sweep
data = sweep.open("results/quickstart")
data = sweep.Sweep(model="spin_cat.two_ensembles", axes={"eta": [100, 200], "delta": [0.01, 0.02]}).run()

Names are imported when they are first used, so that a command line that needs none of them starts at once.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sweep.api.run import Point, Run
    from sweep.api.sweeps import Sweep, refine
    from sweep.errors import AbortedError, RunError, SpecError, StoppedError, SweepError
    from sweep.folder.dataset import open

__all__ = [
    "AbortedError",
    "Point",
    "Run",
    "RunError",
    "SpecError",
    "StoppedError",
    "Sweep",
    "SweepError",
    "open",
    "refine",
]

_PLACES = {
    "Point": "api.run",
    "Run": "api.run",
    "Sweep": "api.sweeps",
    "open": "folder.dataset",
    "refine": "api.sweeps",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"sweep.{_PLACES.get(name, 'errors')}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
