"""The model under test with its points: the example, random ones, and what was solved at them already."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.evaluate import evaluate as evaluate_points
from solvers.evaluate import parse_parameters, solve_many
from solvers.model import Model
from solvers.outcome import FAILED, SolverWarning

Outputs = dict[str, NDArray[Any]]


class Subject:
    """A model, `points` random parameter sets of it (none where it has no `random_parameters`), and public cases."""

    def __init__(self, model: Model, points: int = 6, seed: int = 20, cases: Sequence[Mapping[str, Any]] = ()) -> None:
        self.model = model
        self.cases = [case for case in cases if case["model"] == model.id]
        rng = np.random.default_rng(seed)
        draw = model.random_parameters
        self.points: list[dict[str, Any]] = [] if draw is None else [draw(rng) for _ in range(points)]
        self._solved: dict[tuple[str, int], Outputs] = {}
        self._reasons: dict[tuple[str, int], str] = {}

    @cached_property
    def example(self) -> dict[str, Any]:
        """The example's parameters."""
        return dict(self.model.example)

    @property
    def methods(self) -> list[str]:
        """Names of the methods."""
        return [m.name for m in self.model.methods]

    def parsed(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """All parameters of a point in canonical form."""
        return parse_parameters(self.model, parameters)

    def solve(self, method: str | None, parameters: Mapping[str, Any], keep: Sequence[str] | None = None) -> Outputs:
        """Outputs and status of one point; nothing is said about the status."""
        found = evaluate_points(self.model.id, method, points={}, parameters=parameters, keep=keep)
        self._last_reason = found.remarks[0].message if found.remarks else ""
        outputs = {name: array[0] if array.ndim > 1 else array.reshape(()) for name, array in found.outputs.items()}
        return outputs | {"status": found.status.reshape(())}

    def solved(self, method: str, parameters: Mapping[str, Any]) -> Outputs:
        """The same for the example or one of the random points, solved once."""
        key = (method, id(parameters))
        assert parameters is self.example or any(parameters is p for p in self.points)
        if key not in self._solved:
            self._solved[key] = self.solve(method, parameters)
            self._reasons[key] = self._last_reason
        return self._solved[key]

    def reason(self, method: str, parameters: Mapping[str, Any]) -> str:
        """Why a solved point has the status it has."""
        self.solved(method, parameters)
        return self._reasons[method, id(parameters)]

    def done(self, method: str) -> list[tuple[dict[str, Any], Outputs]]:
        """The random points that a method did not fail at, with their outputs."""
        found = [(p, self.solved(method, p)) for p in self.points]
        return [(p, outputs) for p, outputs in found if outputs["status"] != FAILED]

    def many(self, method: str, points: Mapping[str, Any], fixed: Mapping[str, Any]) -> Outputs:
        """Outputs and status of many points."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SolverWarning)
            return solve_many(self.model.id, method, points=points, **fixed)

    def reference_tolerance(self, method: str) -> tuple[float, float]:
        """(rtol, atol) at which a method and its reference must agree."""
        return self.model.method(method).reference_tolerance or self.model.reference_tolerance

    def common_points(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Random points that share all shape and array parameters, as (points, fixed): what one tile can hold."""
        sets = self.points
        if not sets:
            return {}, {}
        varying = {
            p.name for p in self.model.parameters if not p.shape and not p.dims and all(p.name in s for s in sets)
        }
        fixed = {name: value for name, value in sets[0].items() if name not in varying}
        tied = {d for p in self.model.parameters if p.name in fixed for d in p.dims if isinstance(d, str)}
        varying -= {name for name in varying if any(name in d for d in tied)}
        fixed |= {name: sets[0][name] for name in sets[0] if name not in varying}
        return {name: np.asarray([s[name] for s in sets]) for name in sorted(varying)}, fixed
