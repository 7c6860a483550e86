"""Compiles a method's kernels before they are needed: it solves the model's example and a few small points."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from solvers.evaluate import evaluate
from solvers.outcome import FAILED, Kind
from solvers.registry import find

_RANDOM_POINTS = 32
"""So many of a model's random points; they reach the kernels of most special cases that its example does not."""


@dataclass(frozen=True)
class Compiled:
    """What became of one method: entry points compiled now, entry points found compiled, and why the example failed ('': it did not)."""

    model: str
    method: str
    compiled: int
    found: int
    problem: str = ""


def compile_ahead(model_id: str, method: str) -> Compiled:
    """Compile what `method` calls and keep it in the compile cache.

    A kernel that only a special case calls, which neither the example nor the random points are, is compiled when it is
    first called.
    """
    from solvers.numerics.compile import counts

    model = find(model_id)
    compiled, found, problem = counts.compiled, counts.found, ""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            solved = evaluate(model_id, method, points={}, parameters=model.example)
            if solved.status[0] == FAILED and solved.remarks[0].kind != Kind.OUTSIDE_LIMIT:
                problem = f"{solved.remarks[0].kind}: {solved.remarks[0].message}"
        except (TypeError, ValueError) as error:  # a declaration or the example itself is wrong
            problem = f"{type(error).__name__}: {error}"
        for k in range(_RANDOM_POINTS if model.random_parameters else 0):
            assert model.random_parameters is not None
            parameters = model.random_parameters(np.random.default_rng(k))
            evaluate(model_id, method, points={}, parameters=parameters, isolate=True)
    return Compiled(model_id, method, counts.compiled - compiled, counts.found - found, problem)
