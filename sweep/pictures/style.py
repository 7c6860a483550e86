"""How to draw a picture: the options of `plot`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Style:
    """Options of a picture; what is not given follows from the data.

    `along` is the horizontal quantity (a dimension, a one-dimensional coordinate, another output), `kind` "curves" or "map"
    (empty: what suits), `part` of complex values, `db` decibels, `log` a logarithmic scale of the values, `logx` and `logy` of
    the axes, `against` a method, from which the deviation of all others is drawn, `mean` a dimension to average over, with
    a band of one standard error beside curves; `title`, `cmap` (a name of Matplotlib's), `vmin` and `vmax` replace those
    chosen.
    """

    along: str | None = None
    kind: str = ""
    part: str = "abs"
    db: bool = False
    log: bool = False
    logx: bool = False
    logy: bool = False
    against: str | None = None
    mean: str | None = None
    title: str | None = None
    cmap: str | None = None
    vmin: float | None = None
    vmax: float | None = None
