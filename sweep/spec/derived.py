"""Parameters of a spec that follow from others: which texts are formulas, in which order they are computed, over what they vary."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.declarations import Parameter
from solvers.model import Model
from solvers.suggest import did_you_mean
from sweep.errors import SpecError
from sweep.spec.array_files import names_file
from sweep.spec.dimensions import fixed_for_the_sweep
from sweep.spec.formulas import Formula, parse_formula
from sweep.spec.sweep_spec import Derived, SweepDimension

MOST_VALUES = 1 << 24
"""Values of one derived parameter; each is computed and checked before the run starts."""


def is_formula(parameter: Parameter, value: Any) -> bool:
    """Whether what a spec gives for a parameter is a formula."""
    return isinstance(value, str) and parameter.kind != "choice" and not names_file(value)


def derive(
    model: Model, formulas: Mapping[str, str], given: Mapping[str, Any], dimensions: Sequence[SweepDimension]
) -> tuple[dict[str, Any], dict[str, Derived]]:
    """Compute the derived parameters: those that are one number, by name, and those that vary over the grid.

    `given` holds the fixed parameters as the spec has them. SpecError names the parameter whose formula is wrong, goes
    round in a circle, needs what is no number, or gives a value that is not allowed (with the point).
    """
    parsed = {name: parse_formula(f"[parameters] {name}", text) for name, text in formulas.items()}
    places = {name: k for k, d in enumerate(dimensions) for name in d.columns}
    constants: dict[str, Any] = {}
    varying: dict[str, Derived] = {}
    for name in _order(model, parsed):
        formula = parsed[name]
        where = f"[parameters] {name} = {formulas[name]!r}"
        along = sorted(
            {places[n] for n in formula.names if n in places}
            | {k for n in formula.names if n in varying for k in varying[n].along}
        )
        shape = tuple(dimensions[k].size for k in along)
        if math.prod(shape) > MOST_VALUES:
            raise SpecError(
                f"{where} has {math.prod(shape):,} values over {', '.join(dimensions[k].name for k in along)}; at most "
                f"{MOST_VALUES:,} are allowed; use fewer axes in it, or fewer points"
            )
        values = formula(
            {n: _values(model, where, n, {**given, **constants}, dimensions, varying, along) for n in formula.names}
        )
        checked = _allowed(model.parameter(name), where, np.broadcast_to(values, shape), dimensions, along)
        if along and model.parameter(name).shape:
            raise SpecError(f"{where}: {fixed_for_the_sweep(model)}")
        if along:
            varying[name] = Derived(formula.text, tuple(along), checked)
        else:
            constants[name] = checked.item()
    return constants, varying


def _order(model: Model, formulas: Mapping[str, Formula]) -> list[str]:
    known = [p.name for p in model.parameters]
    for name, formula in formulas.items():
        for needed in formula.names:
            if needed not in known:
                raise SpecError(
                    f"[parameters] {name} = {formula.text!r}: {model.id} has no parameter {needed!r}{did_you_mean(needed, known)}; "
                    f"{name} is {model.parameter(name).allowed}, or a formula of {', '.join(known)}"
                )
    try:
        order = TopologicalSorter({name: set(formula.names) for name, formula in formulas.items()}).static_order()
        return [name for name in order if name in formulas]
    except CycleError as error:
        raise SpecError(
            f"[parameters] formulas go round in a circle: {' needs '.join(reversed(error.args[1]))}"
        ) from None


def _values(
    model: Model,
    where: str,
    name: str,
    given: Mapping[str, Any],
    dimensions: Sequence[SweepDimension],
    varying: Mapping[str, Derived],
    along: Sequence[int],
) -> NDArray[np.float64]:
    """The values of one parameter in a formula, in the shape of the dimensions `along` (1 where it does not vary)."""
    parameter = model.parameter(name)
    if parameter.kind in ("choice", "complex") or parameter.dims:
        kind = "an array" if parameter.dims else f"a {parameter.kind}" if parameter.kind == "choice" else "complex"
        raise SpecError(f"{where}: {name} is {kind}; a formula takes real numbers only")
    if name in varying:
        own, values = varying[name].along, varying[name].values
    else:
        columns = [(k, d.columns[name]) for k, d in enumerate(dimensions) if name in d.columns]
        if not columns:
            value = given.get(name, parameter.default)
            if value is None:
                raise SpecError(f"{where}: {name} is not given; give it a value")
            try:
                return np.asarray(parameter.parse(value), dtype=np.float64)
            except (ValueError, TypeError) as error:
                raise SpecError(str(error)) from error
        own, values = (columns[0][0],), columns[0][1]
    return values.reshape([dimensions[k].size if k in own else 1 for k in along]).astype(np.float64)


def _allowed(
    parameter: Parameter,
    where: str,
    values: NDArray[np.float64],
    dimensions: Sequence[SweepDimension],
    along: Sequence[int],
) -> NDArray[Any]:
    """The values in the parameter's own type; SpecError with the first point whose value is not allowed."""
    flat = np.ascontiguousarray(values).reshape(-1)
    try:
        return parameter.parse_many(flat).reshape(values.shape)
    except (ValueError, TypeError):
        pass
    for k, value in enumerate(flat.tolist()):
        try:
            parameter.parse_many([value])
        except (ValueError, TypeError) as error:
            place = np.unravel_index(k, values.shape) if along else ()
            at = ", ".join(
                f"{dimensions[d].name} = {dimensions[d].coordinate[i]}" for d, i in zip(along, place, strict=True)
            )
            raise SpecError(f"{where}{f' at {at}' if at else ''}: {error}") from error
    raise AssertionError("a value that is refused among others is refused alone")
