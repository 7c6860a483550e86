"""`[refine]`: compute a grid only where its results change between neighbours, and interpolate the rest."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from solvers.model import Model
from solvers.suggest import did_you_mean
from sweep.errors import SpecError
from sweep.records import Json
from sweep.spec.sweep_spec import Refinement, SweepDimension, Tolerance, Watched

KEYS: Mapping[str, str] = {
    "depth": "how often the cells of a start grid, of every 2^depth-th value of each axis (and its last), are halved where "
    "results change; it must be given",
    "outputs": 'the results whose changes count, like `["locked", "zeta", "sign(z)"]`, beside the status of points; those that '
    "are codes where it is left out, or else all numbers",
    "tolerance": 'the change of a number that counts, in its unit, or as a share of its range over the start grid (`"5%"`, the '
    "default); or a table of these by output",
    "axes": "a list of the axes that are refined; all of physical numbers in ascending or descending order where it is left out",
    "interpolate": "`false` leaves points that are not computed pending; else they are interpolated and have status 4",
}
DEEPEST = 16
"""Halvings of a cell."""
DEFAULT_TOLERANCE = "5%"
_SIGN = re.compile(r"sign\(\s*(\w+)\s*\)")


def refinement_of(
    table: Json, model: Model, keep: Sequence[str], dimensions: Sequence[SweepDimension]
) -> Refinement | None:
    """What `[refine]` says; None where it is empty. SpecError names the key, what is allowed and what was given."""
    if not table:
        return None
    depth = table.get("depth")
    if isinstance(depth, bool) or not isinstance(depth, int) or not 0 <= depth <= DEEPEST:
        raise SpecError(
            f"[refine] depth must be a whole number from 0 to {DEEPEST}, how often cells are halved; given was {depth!r}"
        )
    interpolate = table.get("interpolate", True)
    if not isinstance(interpolate, bool):
        raise SpecError(f"[refine] interpolate must be true or false; given was {interpolate!r}")
    watched = _watched(table, model, keep)
    return Refinement(depth, watched, _axes(table, model, dimensions), interpolate)


def refinable(model: Model, dimension: SweepDimension) -> bool:
    """Whether neighbours along a dimension are neighbours in physics: one physical number, ascending or descending."""
    values = dimension.columns.get(dimension.name)
    if len(dimension.columns) != 1 or values is None or values.ndim != 1 or values.dtype.kind not in "if":
        return False
    steps = np.diff(values)
    return bool(
        model.parameter(dimension.name).physical and values.size > 2 and ((steps > 0).all() or (steps < 0).all())
    )


def _axes(table: Json, model: Model, dimensions: Sequence[SweepDimension]) -> tuple[str, ...]:
    allowed = [d.name for d in dimensions if refinable(model, d)]
    named = table.get("axes", allowed)
    if not isinstance(named, list) or not named:
        raise SpecError(
            "[refine] axes must be a list of axes of three or more physical numbers in ascending or descending order: "
            f"{', '.join(allowed) or 'this spec has none'}; given was {table.get('axes', 'nothing')!r}"
        )
    for name in named:
        if name not in allowed:
            raise SpecError(
                f"[refine] axes: {name!r} cannot be refined; allowed are {', '.join(allowed) or 'none'}: axes of three or "
                f"more physical numbers in ascending or descending order{did_you_mean(str(name), allowed)}"
            )
    return tuple(d.name for d in dimensions if d.name in named)


def _watched(table: Json, model: Model, keep: Sequence[str]) -> tuple[Watched, ...]:
    outputs = {o.name: o for o in model.outputs if o.name in keep and not o.dims}
    codes = [o.name for o in outputs.values() if o.codes]
    words = table.get("outputs", codes or list(outputs))
    if not isinstance(words, list) or not words:
        raise SpecError(
            f'[refine] outputs must be a list of outputs with one number per point, or of their signs, like "sign(NAME)"; '
            f"allowed are {', '.join(outputs) or 'none of those that are kept'}; given was {table.get('outputs', 'nothing')!r}"
        )
    found = []
    for word in words:
        sign = _SIGN.fullmatch(word) if isinstance(word, str) else None
        name = sign[1] if sign else word
        if name not in outputs:
            raise SpecError(
                f"[refine] outputs: {word!r} is no output with one number per point that is kept; allowed are "
                f"{', '.join(outputs) or 'none'}, and their signs{did_you_mean(str(name), list(outputs))}"
            )
        if sign and outputs[name].kind == "complex":
            raise SpecError(f"[refine] outputs: {name} is complex and has no sign; watch {name} itself")
        found.append((outputs[name], bool(sign)))
    tolerances = _tolerances(table, [o.name for o, sign in found if not (sign or o.codes)])
    return tuple(Watched(o.name, sign, None if sign or o.codes else tolerances[o.name]) for o, sign in found)


def _tolerances(table: Json, names: Sequence[str]) -> Mapping[str, Tolerance]:
    given = table.get("tolerance", DEFAULT_TOLERANCE)
    if not isinstance(given, Mapping):
        return {name: _tolerance("[refine] tolerance", given) for name in names}
    for name in given:
        if name not in names:
            raise SpecError(
                f"[refine] tolerance: {name!r} is not watched as a number; those are {', '.join(names) or 'none'}"
                f"{did_you_mean(name, list(names))}"
            )
    return {name: _tolerance(f"[refine] tolerance {name}", given.get(name, DEFAULT_TOLERANCE)) for name in names}


def _tolerance(where: str, given: Any) -> Tolerance:
    share = isinstance(given, str) and given.endswith("%")
    try:
        value = float(given[:-1]) / 100 if share else given
    except ValueError:
        value = None
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < np.inf:
        return Tolerance(float(value), share)
    raise SpecError(
        f'{where} must be a number above 0 in the unit of the output, or a share of its range like "5%"; given was {given!r}'
    )
