"""The papers there are, and the figure that a user means."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from solvers.suggest import did_you_mean
from sweep.errors import SpecError

if TYPE_CHECKING:
    from sweep.papers.figures import Figure, Paper

NAMES = ("battery", "spin_cat", "heisenberg", "spin_network", "phase_space")
"""The papers, each a file beside this one."""


def papers() -> tuple[Paper, ...]:
    """All papers."""
    return tuple(importlib.import_module(f"sweep.papers.{name}").PAPER for name in NAMES)


def chosen(names: Sequence[str] = (), paper: str | None = None) -> tuple[Figure, ...]:
    """The figures of these names, or those of a paper, or all; SpecError for a name that is none."""
    if paper is not None and paper not in NAMES:
        raise SpecError(f"--paper {paper}: there are {', '.join(NAMES)}{did_you_mean(paper, NAMES)}")
    there = [figure for one in papers() if paper in (None, one.name) for figure in one.figures]
    known = [figure.name for figure in there]
    for name in names:
        if name not in known:
            raise SpecError(f"there is no figure {name!r}; `spinsweep reproduce` lists all{did_you_mean(name, known)}")
    return tuple(figure for figure in there if not names or figure.name in names)
