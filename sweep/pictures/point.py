"""A picture of one point: its outputs that are curves, one panel each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

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
    dimensions = {d.name: d for d in model.dimensions}
    physical = {d.along for d in model.dimensions}
    own = [o for o in model.outputs_of(method) if o.name in outputs and o.name not in physical]
    curves = [o for o in own if 1 <= len(o.dims) <= 2 and not dimensions[o.dims[0]].labels]
    curves = [o for o in curves if np.ndim(outputs[o.name]) == 1 or np.shape(outputs[o.name])[1] <= FEW]
    if not curves:
        raise SpecError(
            f"{model.id} has no output that is a curve; its outputs are {', '.join(o.name for o in model.outputs)}"
        )
    figure = Figure(figsize=(6.4, 2.6 * len(curves) + 0.6), layout="constrained")
    for axes, output in zip(figure.subplots(len(curves), 1, squeeze=False)[:, 0], curves, strict=True):
        along = dimensions[output.dims[0]]
        values = np.abs(outputs[output.name]) if output.kind == "complex" else outputs[output.name]
        labels = dimensions[output.dims[1]].labels if values.ndim == 2 else ()
        given = next((o for o in model.outputs if o.name == along.along and o.name in outputs), None)
        xs = model.coordinate(along, parsed) if given is None else outputs[given.name]
        named = along if given is None else given
        for k, ys in enumerate(values.T if values.ndim == 2 else [values]):
            label = str(labels[k] if labels else k) if values.ndim == 2 else None
            axes.plot(xs, ys, color=CYCLE[k % len(CYCLE)], linestyle=DASHES[k % len(DASHES)], label=label)
        if values.ndim == 2:
            axes.legend(fontsize="small", loc="upper left", bbox_to_anchor=(1.0, 1.0))
        for text, set_label in ((named, axes.set_xlabel), (output, axes.set_ylabel)):
            set_label(axis_name(text) + ("" if text.unit == "1" else f" [{unit_text(text.unit)}]"))
    figure.suptitle(f"{model.id} ({method})", fontsize="medium")
    return save(figure, path)
