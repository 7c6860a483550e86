"""A model: what it declares, and the methods that solve it.

A model file builds one `Model` per model id and lists them in `MODELS`; `solvers.registry` finds them.
Everything here is frozen data, so that a sweep can be refused before any of it is computed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.batch import Batch, Point, point_by_point
from solvers.declarations import Check, Dimension, Limit, Output, Parameter, extent
from solvers.outcome import STATUS_TEXT, Results
from solvers.suggest import did_you_mean


@dataclass(frozen=True, kw_only=True)
class Method:
    """One way to solve a model, with the functions that do it.

    Either `solve(point) -> outputs` (see `solvers.batch.point_by_point`) or, where many points at once are faster,
    `batch(batch) -> Results`. `reference(parameters) -> outputs` is an independent slow solution of one small point, for
    tests; None where the model's `checks` alone must do, {} at a point it cannot treat. `reference_tolerance` is the
    (rtol, atol) at which both must agree, where it is not the model's. `cost(batch)` (P,) estimates relative cost, so
    that expensive points start first. `draws_numbers` says that points need a key for random streams.
    """

    name: str
    meaning: str
    solve: Callable[[Point], Mapping[str, Any]] | None = None
    batch: Callable[[Batch], Results] | None = None
    reference: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None
    cost: Callable[[Batch], NDArray[Any]] | None = None
    reference_tolerance: tuple[float, float] | None = None
    draws_numbers: bool = False
    source: str = ""
    limit: Limit | None = None

    def __post_init__(self) -> None:
        if (self.solve is None) == (self.batch is None):
            raise ValueError(f"method {self.name}: give either solve, for one point, or batch, for many")

    def run(self, batch: Batch) -> Results:
        """Solve a batch of points."""
        if self.batch is not None:
            return self.batch(batch)
        assert self.solve is not None
        return point_by_point(self.solve, self.draws_numbers, batch)


@dataclass(frozen=True, kw_only=True)
class Model:
    """One model id: everything a solver call, a sweep, a reader or a test needs to know about it.

    `random_parameters(rng)` is a random point for fuzzing that the methods' references can treat;
    `reference_tolerance` is the (rtol, atol) at which both must agree. `conserved` names functions of a point's
    (parameters, outputs) that must vanish, with their tolerance, and are None where a law says nothing. `validate(parameters)` raises InvalidInput for input
    that is non-physical as a whole.
    """

    id: str
    title: str
    source: str
    methods: tuple[Method, ...]
    parameters: tuple[Parameter, ...]
    outputs: tuple[Output, ...]
    example: Mapping[str, Any]
    dimensions: tuple[Dimension, ...] = ()
    checks: tuple[Check, ...] = ()
    reference_tolerance: tuple[float, float] = (1e-6, 1e-8)
    random_parameters: Callable[[np.random.Generator], dict[str, Any]] | None = None
    conserved: Mapping[str, tuple[Callable[[Mapping[str, Any], Mapping[str, Any]], float | None], float]] = field(
        default_factory=dict
    )
    validate: Callable[[Mapping[str, Any]], None] | None = None
    status_text: Mapping[int, str] = field(default_factory=lambda: STATUS_TEXT)
    unit_of_time: str = ""

    def __post_init__(self) -> None:
        for what, names in (
            ("parameter", [p.name for p in self.parameters]),
            ("output", [o.name for o in self.outputs]),
            ("method", [m.name for m in self.methods]),
            ("dimension", [d.name for d in self.dimensions]),
        ):
            if len(set(names)) != len(names):
                raise ValueError(f"model {self.id}: a {what} is declared twice in {names}")
        dims = {d.name for d in self.dimensions}
        methods = {m.name for m in self.methods}
        for output in self.outputs:
            if missing := set(output.dims) - dims:
                raise ValueError(
                    f"model {self.id}: output {output.name} has undeclared dimensions {sorted(missing)}; each needs a "
                    "Dimension(name=..., size=...) among the model's dimensions (TIME, AXIS, SITE are in declarations)"
                )
            if missing := set(output.methods) - methods:
                raise ValueError(f"model {self.id}: output {output.name} names unknown methods {sorted(missing)}")
            if output.name in dims or output.name in {p.name for p in self.parameters}:
                raise ValueError(f"model {self.id}: output {output.name} has the name of a dimension or parameter")

    def parameter(self, name: str) -> Parameter:
        """The parameter of that name; TypeError with the nearest names if there is none."""
        for parameter in self.parameters:
            if parameter.name == name:
                return parameter
        names = [p.name for p in self.parameters]
        raise TypeError(f"{self.id} has no parameter {name!r}; it has {', '.join(names)}{did_you_mean(name, names)}")

    def method(self, name: str | None) -> Method:
        """The method of that name (None: the default, the first); ValueError with the nearest names if there is none."""
        if name is None:
            return self.methods[0]
        for method in self.methods:
            if method.name == name:
                return method
        names = [m.name for m in self.methods]
        raise ValueError(f"{self.id} has no method {name!r}; it has {', '.join(names)}{did_you_mean(name, names)}")

    def outputs_of(self, method: str) -> tuple[Output, ...]:
        """The outputs that `method` gives."""
        return tuple(o for o in self.outputs if not o.methods or method in o.methods)

    def sizes(self, parameters: Mapping[str, Any]) -> dict[str, int]:
        """Lengths by name: every whole-number parameter given as one number, and the length of every 1-d array."""
        sizes = {}
        for p in self.parameters:
            value = parameters.get(p.name)
            if p.kind == "integer" and not p.dims and isinstance(value, int):
                sizes[p.name] = value
            elif isinstance(value, np.ndarray) and len(p.dims) == 1 and p.shape:
                sizes[p.name] = value.size
        return sizes

    def lengths(self, parameters: Mapping[str, Any]) -> dict[str, int]:
        """Length of every dimension at these (parsed) parameters."""
        sizes = self.sizes(parameters)
        return {d.name: extent(d.size, sizes) for d in self.dimensions}

    def coordinate(self, dimension: Dimension, parameters: Mapping[str, Any]) -> NDArray[Any]:
        """The coordinate along a dimension at these (parsed) parameters."""
        if dimension.labels:
            return np.asarray(dimension.labels)
        value = parameters.get(dimension.size) if isinstance(dimension.size, str) else None
        if isinstance(value, np.ndarray):
            return value
        return np.arange(dimension.start, dimension.start + extent(dimension.size, self.sizes(parameters)))
