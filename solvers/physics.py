"""The physics of a model in words and equations, from where it is written: the docstrings of its system and of its file.

A system is a folder of models. The docstring of its `__init__` states Hamiltonian, dissipators, conventions of operators and
units, and the misprints that matter; `PAPER` in it names the source. The docstring of a model's own file says what that
model adds: its methods, how far they hold, what is printed wrongly.
"""

from __future__ import annotations

import importlib
import inspect
from dataclasses import dataclass

from solvers.model import Model
from solvers.papers import Paper
from solvers.registry import module_of

_FILES = "\nFiles: "


@dataclass(frozen=True)
class Physics:
    """The source, and two texts with equations as indented lines; empty where nothing is written."""

    paper: Paper | None
    system: str
    model: str

    def text(self) -> str:
        """For reading in a terminal."""
        return "\n\n".join(part for part in (self.system, self.model) if part)


def physics_of(model: Model) -> Physics:
    """What is written about a model and its system."""
    name = module_of(model)
    package = name.rpartition(".")[0]
    own = inspect.getdoc(importlib.import_module(name)) or ""
    if package == "solvers.models":
        return Physics(None, "", own)
    system = importlib.import_module(package)
    text = (inspect.getdoc(system) or "").split(_FILES)[0].rstrip()
    return Physics(getattr(system, "PAPER", None), text, own)
