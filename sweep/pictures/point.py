"""A picture of one point: its outputs that are curves, one panel each.

A panel has a few curves: of the other dimensions of an output, one that has no names (sites, say) is cut at its first where there
are too many, and that is said.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.declarations import Dimension, Output
from solvers.evaluate import parse_parameters
from solvers.model import Model
from sweep.errors import SpecError
from sweep.folder.attributes import axis_name, unit_text
from sweep.pictures.arrangement import FEW
from sweep.pictures.colours import CYCLE, DASHES
from sweep.pictures.saving import save


def draw_point(
    model: Model, method: str, parameters: Mapping[str, Any], outputs: Mapping[str, Any], path: Path
) -> Path:
    """Draw the outputs of one point that are curves into a file; SpecError when it has none."""
    from matplotlib.figure import Figure

    parsed = parse_parameters(model, parameters)
    physical = {d.along for d in model.dimensions}
    own = [o for o in model.outputs_of(method) if o.name in outputs and o.name not in physical]
    panels = [p for o in own if (p := panel_of(model, o, outputs[o.name], parsed)) is not None]
    if not panels:
        raise SpecError(
            f"{model.id} has no output that is a curve; its outputs are {', '.join(o.name for o in model.outputs)}"
        )
    figure = Figure(figsize=(6.4, 2.6 * len(panels) + 0.6), layout="constrained")
    for axes, panel in zip(figure.subplots(len(panels), 1, squeeze=False)[:, 0], panels, strict=True):
        given = next((o for o in model.outputs if o.name == panel.along.along and o.name in outputs), None)
        xs = model.coordinate(panel.along, parsed) if given is None else outputs[given.name]
        for k, (label, ys) in enumerate(panel.curves.items()):
            axes.plot(xs, ys, color=CYCLE[k % len(CYCLE)], linestyle=DASHES[k % len(DASHES)], label=label)
        if len(panel.curves) > 1:
            axes.legend(fontsize="small", loc="upper left", bbox_to_anchor=(1.0, 1.0))
        named = panel.along if given is None else given
        for text, cut, set_label in ((named, "", axes.set_xlabel), (panel.output, panel.cut, axes.set_ylabel)):
            set_label(axis_name(text) + ("" if text.unit == "1" else f" [{unit_text(text.unit)}]") + cut)
    figure.suptitle(f"{model.id} ({method})", fontsize="medium")
    return save(figure, path)


@dataclass(frozen=True)
class _Panel:
    """An output along a dimension: its curves by their labels, and what was cut, in words."""

    output: Output
    along: Dimension
    curves: Mapping[str, NDArray[Any]]
    cut: str


def panel_of(model: Model, output: Output, given: NDArray[Any], parsed: Mapping[str, Any]) -> _Panel | None:
    """The panel of an output, or None where it is no curve, or too many even when it is cut."""
    dimensions = {d.name: d for d in model.dimensions}
    if not output.dims or dimensions[output.dims[0]].labels:
        return None
    along, *others = (dimensions[name] for name in output.dims)
    unit = next((p.unit for p in model.parameters if p.name == along.size and p.dims), along.unit)
    values = np.abs(given) if output.kind == "complex" else np.asarray(given)
    names = {d.name: [str(v) for v in model.coordinate(d, parsed)] for d in others}
    cut = ""
    for d in sorted((d for d in others if not d.labels), key=lambda d: -len(names[d.name])):
        if math.prod(map(len, names.values())) > FEW:
            values = values.take([0], axis=output.dims.index(d.name))
            names[d.name] = names[d.name][:1]
            cut += f"\n({d.name} = {names[d.name][0]})"
    if math.prod(map(len, names.values())) > FEW:
        return None
    several = [name for name in names if len(names[name]) > 1]
    curves = {}
    for place in itertools.product(*(range(len(entries)) for entries in names.values())):
        at = {name: names[name][k] for name, k in zip(names, place, strict=True)}
        label = ", ".join(at[n] if dimensions[n].labels else f"{n} {at[n]}" for n in several)
        curves[label] = np.moveaxis(values, 0, -1)[place]
    return _Panel(output, dataclasses.replace(along, unit=unit), curves, cut)
