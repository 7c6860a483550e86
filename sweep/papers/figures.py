"""Figures of papers as data: the sweeps behind one, the drawing, and the claims that are judged from the stores.

A paper is one file beside this one with a `PAPER`. A claim holds what is stated and a function of the datasets that finds our
value, so that a verdict is computed anew each time and is never written down.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweep.records import Json
from sweep.spec.documents import read, with_overrides
from sweep.spec.parsing import parse
from sweep.spec.sweep_spec import SweepSpec

if TYPE_CHECKING:
    import xarray
    from matplotlib.figure import Figure as Canvas

FULL, SMOKE = "full", "smoke"
PRESETS = (FULL, SMOKE)
"""The figure as it is meant, and the same sweeps with thinned axes and fewer draws, to see that everything works."""
SPECS = Path(__file__).with_name("specs")
"""The specs of the figures; they are those of `examples/`, which the links in this folder bring into a wheel."""
PAPER_SAYS, REFERENCE = "paper", "reference"
"""Who states a number: the paper, or an independent calculation that the solvers were checked against."""

Data = Mapping[str, "xarray.Dataset"]
"""The results of a figure's sweeps, by their names."""


@dataclass(frozen=True)
class Sweep:
    """A spec with changes: `name` is that of a file in `specs` unless `spec` names it; `smoke` thins it for a trial.

    `values` and `axes` are put in as `--set` and `--axis` put them in, `smoke` and `smoke_axes` on top of them; `keep`, where
    it is given, names other outputs than the spec does.
    """

    name: str
    spec: str = ""
    values: Json = field(default_factory=dict)
    axes: Json = field(default_factory=dict)
    smoke: Json = field(default_factory=dict)
    smoke_axes: Json = field(default_factory=dict)
    keep: tuple[str, ...] = ()

    def parsed(self, preset: str) -> SweepSpec:
        """The spec to run."""
        raw = with_overrides(read(SPECS / f"{self.spec or self.name}.toml"), self.values, self.axes)
        if preset == SMOKE:
            raw = with_overrides(raw, self.smoke, self.smoke_axes)
        if self.keep:
            raw = {**raw, "outputs": {"keep": list(self.keep)}}
        return parse(raw)


@dataclass(frozen=True)
class Found:
    """Our value of a claim: a number, some numbers, or whether a statement holds; with the standard error of draws.

    `text` says what a yes or no was decided by.
    """

    value: Any
    error: Any = 0.0
    text: str = ""


@dataclass(frozen=True)
class Claim:
    """What a panel is said to show.

    `stated` is a number, some numbers, True for a statement that holds or does not, or a text of what cannot be computed; `ours` finds it in the data and
    `printed` the same by the equations as they are printed. Numbers agree within `tolerance`, `share` of what is stated and four
    standard errors.
    `why` explains a difference; `cannot` says why there is nothing to compute, in which case `ours` is absent.
    """

    panel: str
    text: str
    stated: Any
    ours: Callable[[Data], Any] | None = None
    tolerance: float = 0.0
    by: str = PAPER_SAYS
    printed: Callable[[Data], Any] | None = None
    why: str = ""
    cannot: str = ""
    share: float = 0.0


@dataclass(frozen=True)
class Figure:
    """A figure: its panels (letter -> what is shown; "" for a figure of one panel), sweeps, claims and drawing.

    A figure that shows no data has no sweeps and no drawing; its claims say so.
    """

    name: str
    title: str
    panels: Mapping[str, str]
    sweeps: tuple[Sweep, ...]
    claims: tuple[Claim, ...]
    draw: Callable[[Canvas, Data], None] | None
    size: tuple[float, float] = (7.0, 4.0)


@dataclass(frozen=True)
class Paper:
    """A paper: its short name, authors with title and place, and its figures in order."""

    name: str
    citation: str
    figures: tuple[Figure, ...]
