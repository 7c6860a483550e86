"""spinsweep: large parameter sweeps of open quantum spin ensembles, from Python.

    import spinsweep

    spinsweep.solve("spin_cat.two_ensembles", eta=300.0, delta=0.05)["zeta"]
    data = spinsweep.Sweep(model="spin_cat.boundary", axes={"eta": [10, 100, 300]}).run()
    data = spinsweep.open("results/my")
    run = spinsweep.Run("results/my")

`solve` and `solve_many` are the kernels alone; `models()` says what there is. Names are imported when they are first
used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from solvers import SolverWarning, models, solve, solve_many
    from sweep import AbortedError, Point, Run, RunError, SpecError, StoppedError, Sweep, SweepError, open, refine

    __version__: str

__all__ = [
    "AbortedError",
    "Point",
    "Run",
    "RunError",
    "SolverWarning",
    "SpecError",
    "StoppedError",
    "Sweep",
    "SweepError",
    "__version__",
    "models",
    "open",
    "refine",
    "solve",
    "solve_many",
]

_OF_SOLVERS = ("SolverWarning", "models", "solve", "solve_many")


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}")
    if name == "__version__":
        from importlib.metadata import version

        return version("spinsweep")
    return getattr(importlib.import_module("solvers" if name in _OF_SOLVERS else "sweep"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
