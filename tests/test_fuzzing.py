"""Every model over all of its declared bounds: no exception, nothing undeclared, no process that dies.

Everyday a few points per method; SPINSWEEP_FUZZ_POINTS sets how many per method the slow test tries (default 10), and
SPINSWEEP_FUZZ_SEED which.
"""

import os
import sys

import numpy as np
import pytest

from solvers import models
from solvers.batch import Point
from solvers.declarations import Output, Parameter
from solvers.evaluate import parse_parameters
from solvers.model import Method, Model
from solvers.outcome import InvalidInput
from solvers.testing import fuzzing
from solvers.testing.fuzz_points import fuzz_parameters

MODELS = {name: model for name, model in models().items() if not name.startswith("toy.")}


LONG = ("spin_network.steady_state",)
"""Models whose points are among the slow tests: each may take seconds."""


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] if n in LONG else []) for n in MODELS])
def test_a_few_points(name):
    model = MODELS[name]
    report = fuzzing.fuzz(model, points=8 * len(model.methods), seed=5, seconds=4.0)
    assert not report.faults, report
    assert sum(report.ended.values()) == 8 * len(model.methods)
    assert any("ok" in what for _, what in report.ended), report


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_many_points(name):
    model = MODELS[name]
    count = int(os.environ.get("SPINSWEEP_FUZZ_POINTS", "10")) * len(model.methods)
    report = fuzzing.fuzz(model, points=count, seed=int(os.environ.get("SPINSWEEP_FUZZ_SEED", "6")), seconds=10.0)
    print(report)
    assert not report.faults, report


@pytest.mark.parametrize("name", MODELS)
def test_points_are_within_the_declared_bounds(name):
    """What is drawn is allowed parameter by parameter; only the model as a whole may refuse it."""
    model, rng = MODELS[name], np.random.default_rng(1)
    for _ in range(60):
        parsed = parse_parameters(model, point := fuzz_parameters(model, rng))
        for p in model.parameters:
            if p.kind == "real" and parsed[p.name] is not None:
                assert np.all(np.asarray(parsed[p.name]) >= p.bounds[0]), point


def probe(solve, **more):
    """A model that is registered as no other, of one parameter `x` and one output `y`."""
    return Model(
        id="toy.probe",
        title="probe",
        source="nowhere",
        methods=(Method(name="only", meaning="only", solve=solve, **more),),
        parameters=(Parameter(name="x", meaning="x", default=1.0, bounds=(0.0, 1e300)),),
        outputs=(Output(name="y", meaning="y", bounds=(0.0, np.inf)),),
        example={},
    )


def raises(point: Point):
    raise InvalidInput("parameter x: not today")


def warns(point: Point):
    import warnings

    warnings.warn("overflow encountered", RuntimeWarning, stacklevel=1)
    return {"y": 1.0}


@pytest.mark.parametrize(
    ("solve", "ended"),
    [
        (lambda point: {"y": point["x"]}, "ok"),
        (lambda point: {"y": np.nan}, "failed: NotFinite"),
        (lambda point: {"y": np.inf}, "failed: NotFinite"),
        (raises, "refused"),
    ],
)
def test_how_a_point_ends(monkeypatch, solve, ended):
    monkeypatch.setattr(sys.modules["solvers.evaluate"], "find", lambda _: probe(solve))
    assert fuzzing.try_point(probe(solve), "only", {"x": 2.0}) == ended


@pytest.mark.parametrize(
    ("solve", "says"),
    [
        (lambda point: {"y": -point["x"]}, "leaves its bounds"),
        (warns, "a warning leaks"),
        (lambda point: {"y": 1.0 / 0.0}, "failed by ZeroDivisionError: .* in <lambda>"),
        (lambda point: {}, "failed by WrongOutput"),
        (lambda point: {"y": np.zeros(2)}, "failed by WrongOutput"),
    ],
)
def test_what_is_a_fault(monkeypatch, solve, says):
    monkeypatch.setattr(sys.modules["solvers.evaluate"], "find", lambda _: probe(solve))
    with pytest.raises(AssertionError, match=says):
        fuzzing.try_point(probe(solve), "only", {"x": 2.0})
