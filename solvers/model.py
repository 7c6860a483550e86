"""A model: what it declares, and the methods that solve it. Read this to write one.

A model file builds one `Model` per model id and lists them in `MODELS`; the registry finds it in this package, or in a
folder named by SPINSWEEP_MODEL_PATH (which every worker of a cluster needs as well). Everything here is frozen data, so
that a sweep can be refused before any of it is computed. `spinsweep new-model FILE` writes a small complete file, and
`spinsweep check FILE` tests it. This one solves many points at once, with most of what a model can declare:

    "decay.ensemble: N spins decay alone, n = N exp(-gamma t). (Say here: equations, source, conventions, validity.)"

    import numpy as np

    from solvers.declarations import TIME, Check, Dimension, Output, Parameter
    from solvers.model import Method, Model
    from solvers.outcome import OK, WARNED, Kind, Remark, Results
    from solvers.shared_parameters import times

    def rate_equation(batch):
        outputs = batch.empty()  # name -> array (P, ...) for every output that is wanted, filled with NaN
        N, gamma, when = batch["N"], batch["gamma"], batch["times"]  # numbers of P points are (P,)
        n = N * np.exp(-gamma[:, None] * when)  # what sets a shape (N, times) is one value for all points
        if batch.wants("excited"):  # what nobody keeps need not be computed
            outputs["excited"][:] = n
        if batch.wants("site_excited"):
            outputs["site_excited"][:] = n[:, -1:] / N
        late = gamma * when[-1] > 700.0
        remark = Remark(kind=Kind.LOST_IN_ROUNDING, message="gamma t > 700: what is left is below double precision")
        status = np.where(late, WARNED, OK)  # (P,); a point of status FAILED needs no outputs
        return Results(outputs, status, {i: remark for i in np.flatnonzero(late).tolist()})

    N = Parameter(name="N", meaning="number of spins", default=2, kind="integer", bounds=(1, 100), shape=True)
    GAMMA = Parameter(name="gamma", meaning="decay rate", default=1.0, unit="g", bounds=(0.0, 1e6))
    EXCITED = Output(name="excited", meaning="number of excited spins", dims=("time",), bounds=(0.0, 100.0))
    LEFT = Output(name="site_excited", meaning="excitation at the end", dims=("site",), bounds=(0.0, 1.0))
    MODELS = (
        Model(
            id="decay.ensemble",  # FILE.NAME
            title="Spins that decay alone",
            source="rate equation",
            methods=(Method(name="rate_equation", meaning="closed form", batch=rate_equation),),
            parameters=(N, GAMMA, times([0.0, 1.0], "1/g")),
            dimensions=(TIME, Dimension(name="site", size="N", meaning="spin")),
            outputs=(EXCITED, LEFT),
            example={"gamma": 0.5, "times": [0.0, 1.0, 2.0]},
            checks=(Check(parameters={"gamma": 0.0}, expect={"excited": [2.0, 2.0]}, origin="no decay"),),
        ),
    )

* **solve or batch.** `Method(solve=f)`: f(point) gets one point, a dict of plain values, and returns a dict of outputs,
  to which it may add `status` and `remark`. `Method(batch=f)` as above, where many points at once are faster. Bad input
  raises InvalidInput; any other exception fails its own point only.
* **dims and dimensions.** An output's `dims` name what `dimensions` declares: TIME (as long as `times`), AXIS (x, y, z),
  SITE (`N` long), or one's own `Dimension`, whose size is a number, a shape parameter (`"N"`, `"2**N"`) or the name of an
  array, whose values are then the coordinate. The `dims` of a *parameter* are lengths: `dims=("N", 3)`.
* **shape.** A parameter that sets the length of an output is the same for all points of a sweep: `shape=True`.
* **physical.** What only says how or how long to compute (times, tolerances, trajectories) has `physical=False`: it does
  not enter the random numbers of a point, so that more trajectories extend a sample. All else is physical, the default.
* **times(default, unit)** and what else many models share (`tolerances`, `seed`, `trajectories`) is in
  `solvers.shared_parameters`; the unit of times is the inverse of the model's reference rate.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.batch import Batch, Point, in_bulk, point_by_point
from solvers.declarations import Check, Dimension, Limit, Output, Parameter, Starter, extent
from solvers.model_page import as_html
from solvers.outcome import STATUS_TEXT, Results
from solvers.suggest import did_you_mean


@dataclass(frozen=True, kw_only=True)
class Method:
    """One way to solve a model, with the functions that do it.

    Either `solve(point) -> outputs` (see `solvers.batch.point_by_point`) or, where many points at once are faster,
    `batch(batch) -> Results`. Beside `solve` there may be `bulk(batch) -> (outputs, done (P,))` for points that are cheap
    side by side: it gives the wanted outputs (P, ...) of those that it says are done, with status 0, and leaves the others
    to `solve`; which they are depends on each point alone, so that a point has the same bits alone and in any batch.
    `reference(parameters) -> outputs` is an independent slow solution of one small point, for
    tests; None where the model's `checks` alone must do, {} at a point it cannot treat. `reference_tolerance` is the
    (rtol, atol) at which both must agree, where it is not the model's. `cost(batch)` (P,) estimates relative cost, so
    that expensive points start first. `draws_numbers` says that points need a key for random streams.
    """

    name: str
    meaning: str
    solve: Callable[[Point], Mapping[str, Any]] | None = None
    batch: Callable[[Batch], Results] | None = None
    bulk: Callable[[Batch], tuple[Mapping[str, NDArray[Any]], NDArray[np.bool_]]] | None = None
    reference: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None
    cost: Callable[[Batch], NDArray[Any]] | None = None
    reference_tolerance: tuple[float, float] | None = None
    draws_numbers: bool = False
    source: str = ""
    limit: Limit | None = None

    def __post_init__(self) -> None:
        if (self.solve is None) == (self.batch is None):
            raise ValueError(f"method {self.name}: give either solve, for one point, or batch, for many")
        if self.bulk is not None and (self.solve is None or self.draws_numbers):
            raise ValueError(
                f"method {self.name}: bulk goes with solve, for the other points, and without random numbers"
            )

    def run(self, batch: Batch) -> Results:
        """Solve a batch of points."""
        if self.batch is not None:
            return self.batch(batch)
        assert self.solve is not None
        if self.bulk is None:
            return point_by_point(self.solve, self.draws_numbers, batch)
        return in_bulk(self.bulk, self.solve, batch)


@dataclass(frozen=True, kw_only=True, repr=False)
class Model:
    """One model id: everything a solver call, a sweep, a reader or a test needs to know about it.

    `random_parameters(rng)` is a random point for fuzzing that the methods' references can treat;
    `reference_tolerance` is the (rtol, atol) at which both must agree. `conserved` names functions of a point's
    (parameters, outputs) that must vanish, with their tolerance, and are None where a law says nothing. `starter` is what
    `spinsweep new` varies; without it, the first physical number with a unit, from half the example's value to it. `validate(parameters)` raises InvalidInput for input
    that is non-physical as a whole; `surely_valid(batch)` (P,) names points that it need not look at, where that is known
    faster of many at once.
    """

    id: str
    title: str
    source: str
    methods: tuple[Method, ...]
    parameters: tuple[Parameter, ...]
    outputs: tuple[Output, ...]
    example: Mapping[str, Any]
    starter: Starter | None = None
    dimensions: tuple[Dimension, ...] = ()
    checks: tuple[Check, ...] = ()
    reference_tolerance: tuple[float, float] = (1e-6, 1e-8)
    random_parameters: Callable[[np.random.Generator], dict[str, Any]] | None = None
    conserved: Mapping[str, tuple[Callable[[Mapping[str, Any], Mapping[str, Any]], float | None], float]] = field(
        default_factory=dict
    )
    validate: Callable[[Mapping[str, Any]], None] | None = None
    surely_valid: Callable[[Batch], NDArray[np.bool_]] | None = None
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

        if self.starter is not None:
            fixed = [p.name for p in self.parameters if p.shape]
            for name in (*self.starter.axes, *self.starter.parameters):
                self.parameter(name)
            if not self.starter.axes or set(self.starter.axes) & set(fixed):
                raise ValueError(
                    f"model {self.id}: a starter needs axes, none of them among {fixed}, which are no axes"
                )
            if missing := set(self.starter.methods) - methods:
                raise ValueError(f"model {self.id}: the starter names unknown methods {sorted(missing)}")

    def __repr__(self) -> str:
        return f"Model({self.id!r}: {self.title}; methods {', '.join(m.name for m in self.methods)})"

    def _repr_html_(self) -> str:
        """Tables for notebooks."""
        return as_html(self)

    def parameter(self, name: str) -> Parameter:
        """The parameter of that name; TypeError with the nearest names if there is none."""
        if (found := self.by_name.get(name)) is not None:
            return found
        names = [p.name for p in self.parameters]
        raise TypeError(f"{self.id} has no parameter {name!r}; it has {', '.join(names)}{did_you_mean(name, names)}")

    def method(self, name: str | None) -> Method:
        """The method of that name (None: the default, the first); ValueError with the nearest names if there is none."""
        if name is None:
            return self.methods[0]
        if (found := self._methods_by_name.get(name)) is not None:
            return found
        names = [m.name for m in self.methods]
        raise ValueError(f"{self.id} has no method {name!r}; it has {', '.join(names)}{did_you_mean(name, names)}")

    def outputs_of(self, method: str) -> tuple[Output, ...]:
        """The outputs that `method` gives."""
        return self._outputs_by_method[method]

    @functools.cached_property
    def by_name(self) -> Mapping[str, Parameter]:
        """The parameters by name."""
        return {p.name: p for p in self.parameters}

    @functools.cached_property
    def defaults(self) -> Mapping[str, Any]:
        """What `parse` makes of every default; an array among them is to be copied before it is handed out."""
        return {p.name: p.default for p in self.parameters}

    @functools.cached_property
    def arrays(self) -> tuple[Parameter, ...]:
        """The parameters that are arrays."""
        return tuple(p for p in self.parameters if p.dims)

    @functools.cached_property
    def _methods_by_name(self) -> dict[str, Method]:
        return {m.name: m for m in self.methods}

    @functools.cached_property
    def _outputs_by_method(self) -> dict[str, tuple[Output, ...]]:
        return {m.name: tuple(o for o in self.outputs if not o.methods or m.name in o.methods) for m in self.methods}

    @functools.cached_property
    def _of_sizes(self) -> tuple[Parameter, ...]:
        """The parameters that `sizes` may hold."""
        return tuple(
            p for p in self.parameters if (p.kind == "integer" and not p.dims) or (len(p.dims) == 1 and p.shape)
        )

    def sizes(self, parameters: Mapping[str, Any]) -> dict[str, int]:
        """Lengths by name: every whole-number parameter given as one number, and the length of every 1-d array."""
        sizes = {}
        for p in self._of_sizes:
            value = parameters.get(p.name)
            if isinstance(value, int):
                if not p.dims:
                    sizes[p.name] = value
            elif p.dims and isinstance(value, np.ndarray):
                sizes[p.name] = value.size
        return sizes

    def lengths(self, parameters: Mapping[str, Any]) -> dict[str, int]:
        """Length of every dimension at these (parsed) parameters."""
        return self.lengths_of(self.sizes(parameters))

    def lengths_of(self, sizes: Mapping[str, int]) -> dict[str, int]:
        """Length of every dimension where these are the `sizes`."""
        return {d.name: extent(d.size, sizes) for d in self.dimensions}

    def coordinate(self, dimension: Dimension, parameters: Mapping[str, Any]) -> NDArray[Any]:
        """The coordinate along a dimension at these (parsed) parameters."""
        if dimension.labels:
            return np.asarray(dimension.labels)
        value = parameters.get(dimension.size) if isinstance(dimension.size, str) else None
        if isinstance(value, np.ndarray):
            return value
        return np.arange(dimension.start, dimension.start + extent(dimension.size, self.sizes(parameters)))
