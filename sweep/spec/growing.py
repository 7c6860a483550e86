"""A spec with more values on its axes, as `extend` and `refine` ask for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers import find
from solvers.suggest import did_you_mean
from sweep.errors import SpecError
from sweep.records import Json
from sweep.spec.axis_forms import axis_values
from sweep.spec.parsing import parse
from sweep.spec.sweep_spec import METHOD, REFINE, SOLVER, SweepDimension, SweepSpec, plain


def grown(spec: SweepSpec, axes: Json) -> Json:
    """The mapping of a spec whose axes have the values of `axes` besides their own.

    An axis that is sorted stays so; else, and for methods, the new values come last. SpecError for a name that is no
    axis of single values.
    """
    raw = {key: dict(value) if isinstance(value, dict) else value for key, value in spec.raw.items()}
    for name, form in axes.items():
        values = form["values"] if isinstance(form, dict) and "values" in form else form
        if name in (METHOD, SOLVER):
            raw["sweep"][METHOD] = list(dict.fromkeys((*spec.methods, *values)))
            continue
        dimension = _axis(spec, name)
        parameter = find(spec.model).parameter(name)
        try:
            added = parameter.parse_many(axis_values(f"--axis {name}", form, parameter.kind))
        except (ValueError, TypeError) as error:
            raise SpecError(f"--axis {name}: {error}") from error
        raw["axes"][name] = {"values": plain(_with(dimension.columns[name], added))}
    return raw


def refined(spec: SweepSpec, changes: Json) -> Json:
    """The mapping of a spec with these entries of `[refine]`, its cells halved as often as the depth has grown.

    A spec that was not refined is its own start grid (depth 0); without a depth, cells are halved once. Half-way is the
    mean, of an axis that was written as a `logspace` the geometric one; whole numbers are halved where they can be.
    """
    before = spec.raw.get(REFINE, {})
    table = {"depth": 1, **before, **changes}
    found = parse({**spec.raw, REFINE: table}).refine
    assert found is not None
    if not before and found.depth == 0:
        raise SpecError("depth 0 is the grid as it is; refine to a depth of 1 or more")
    times = max(0, found.depth - before.get("depth", 0))
    raw = {**spec.raw, "axes": dict(spec.raw.get("axes", {})), REFINE: table}
    halved = []
    for dimension in spec.dimensions:
        if dimension.name not in found.axes:
            continue
        form = raw["axes"].get(dimension.name)
        geometric = isinstance(form, Mapping) and "logspace" in form
        values = dimension.columns[dimension.name]
        for _ in range(times):
            if values.dtype.kind == "i" and (np.diff(values) % 2).any():
                break
            values = _with_means(values, geometric)
        else:
            halved.append(dimension.name)
            if times:
                raw["axes"][dimension.name] = {"values": plain(values)}
            continue
        if "axes" in table:
            raise SpecError(
                f"{dimension.name} takes whole numbers, and not all gaps between its values can be halved {times} times; "
                f"refine other axes, or to a depth of less than {found.depth}"
            )
    if not halved:
        raise SpecError(f"no axis can be halved {times} times; refine to a depth of less than {found.depth}")
    table["axes"] = halved
    return raw


def _with_means(values: NDArray[Any], geometric: bool) -> NDArray[Any]:
    """The values of an axis, and one between any two neighbours."""
    left, right = values[:-1], values[1:]
    if values.dtype.kind == "i":
        means = left + (right - left) // 2
    elif geometric and (values > 0).all():
        means = np.sqrt(left) * np.sqrt(right)
    else:
        means = left + 0.5 * (right - left)
    found = np.empty(2 * values.size - 1, dtype=values.dtype)
    found[::2], found[1::2] = values, means
    return found


def _axis(spec: SweepSpec, name: str) -> SweepDimension:
    known = [d.name for d in spec.dimensions if d.name in d.columns and d.columns[d.name].ndim == 1]
    for dimension in spec.dimensions:
        if dimension.name == name and name in known:
            return dimension
    several = [d.name for d in spec.dimensions if name in d.columns or d.name == name]
    if several:
        raise SpecError(
            f"--axis {name}: the dimension {several[0]} holds several parameters or arrays; add to it in the spec file and "
            "run that again with --out"
        )
    methods = [METHOD] if len(spec.methods) > 1 else []
    raise SpecError(
        f"--axis {name}: the run has no such axis; it has {', '.join([*methods, *known])}{did_you_mean(name, known)}"
    )


def _with(old: NDArray[Any], added: NDArray[Any]) -> NDArray[Any]:
    """The values of an axis and those added that it lacks, in its order where it is sorted."""
    there = set(old.tolist())
    more = [value for value in dict.fromkeys(added.tolist()) if value not in there]
    both = np.concatenate([old, np.asarray(more, dtype=old.dtype)]) if more else old
    if old.dtype.kind not in "if":
        return both
    steps = np.diff(old)
    if (steps > 0).all():
        return np.sort(both)
    return np.sort(both)[::-1] if (steps < 0).all() else both
