"""The checks that every model has to pass. `test_every_model.py` runs them over all registered models.

Each function takes a model; `cases_of` says which apply. A new model gets all of this by being one new file.
"""

import math
import warnings

import numpy as np

from solvers import FAILED, SolverWarning, solve, solve_many
from solvers.evaluate import make_batch, parse_parameters

RANDOM_POINTS = 6
TOLERANCE_FACTOR = 100.0
"""A tolerance bounds the error of a step; this much more is allowed to what the steps add up to."""


def solved(model, method, **parameters):
    """Solve one point, warnings about its status being the test's own business."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SolverWarning)
        return solve(model.id, method=method, **parameters)


def random_points(model, count=RANDOM_POINTS, seed=20):
    """Random parameter sets of a model; none for a model that cannot be fuzzed."""
    if model.random_parameters is None:
        return []
    rng = np.random.default_rng(seed)
    return [model.random_parameters(rng) for _ in range(count)]


def methods_of(model):
    return [m.name for m in model.methods]


def declarations_are_complete(model):
    """Every parameter, method and output says what it is; the example and the defaults are allowed."""
    assert model.title
    assert model.source
    for part in (*model.parameters, *model.methods, *model.outputs, *(d for d in model.dimensions)):
        assert part.meaning, f"{part.name} has no meaning"
        symbol = getattr(part, "symbol", "")
        assert not any(c.isspace() for c in symbol), f"{symbol}: a label may be broken at a space, and LaTeX with it"
    for output in model.outputs:
        assert output.unit, f"{output.name} has no unit"
    assert set(model.status_text) == {0, 1, 2}
    parse_parameters(model, model.example)
    parse_parameters(model, {})
    for parameters in random_points(model):
        parse_parameters(model, parameters)


def example_is_finite(model):
    """At the example every method returns every output it declares, of the declared shape, type and range."""
    parsed = parse_parameters(model, model.example)
    lengths = model.lengths(parsed)
    done = 0
    for method in methods_of(model):
        outputs = solved(model, method, **model.example)
        names = [o.name for o in model.outputs_of(method)]
        assert set(outputs) == {*names, "status"}
        if outputs["status"] == FAILED:  # outside this method's limit
            assert model.method(method).limit is not None, f"{method} fails at the example"
            continue
        done += 1
        for output in model.outputs_of(method):
            assert_declared(output, outputs[output.name], lengths)
    assert done


def assert_declared(output, value, lengths):
    """Shape, type, bounds and NaN as declared."""
    assert value.shape == tuple(lengths[d] for d in output.dims), output.name
    assert value.dtype == output.dtype, output.name
    if not output.nan:
        assert np.all(np.isfinite(value)), f"{output.name} is not finite, and does not say what NaN means"
    if output.kind == "real":
        low, high = output.bounds
        slack = 1e-9 * max(1.0, *(abs(b) for b in output.bounds if math.isfinite(b)), 1.0)
        finite = value[np.isfinite(value)]
        assert np.all((finite >= low - slack) & (finite <= high + slack)), f"{output.name} leaves {output.bounds}"


def random_points_are_as_declared(model):
    """Random points keep the declarations as well, or fail with a reason."""
    for parameters in random_points(model):
        lengths = model.lengths(parse_parameters(model, parameters))
        for method in methods_of(model):
            outputs = solved(model, method, **parameters)
            if outputs["status"] == FAILED:
                assert all(np.all(np.isnan(v)) for name, v in outputs.items() if name != "status")
                continue
            for output in model.outputs_of(method):
                assert_declared(output, outputs[output.name], lengths)


def checks_hold(model):
    """The numbers that the model states, with their origins."""
    for check in model.checks:
        assert check.origin
        outputs = solved(model, check.method, **check.parameters)
        for name, expected in check.expect.items():
            index, value = expected if isinstance(expected, tuple) else ((), expected)
            np.testing.assert_allclose(
                outputs[name][index], value, atol=check.atol, rtol=check.rtol, err_msg=f"{name} at {check.parameters}"
            )


def reference_agrees(model):
    """Random points against each method's own slow and independent solution."""
    for method in model.methods:
        if method.reference is None:
            continue
        rtol, atol = method.reference_tolerance or model.reference_tolerance
        compared = 0
        for parameters in random_points(model):
            outputs = solved(model, method.name, **parameters)
            if outputs["status"] == FAILED:
                continue
            for name, value in method.reference(parse_parameters(model, parameters)).items():
                compared += 1
                np.testing.assert_allclose(
                    outputs[name], value, rtol=rtol, atol=atol, err_msg=f"{name}, {method.name}, {parameters}"
                )
        assert compared, f"no random point could be compared with the reference of method {method.name}"


def costs_are_positive(model):
    """The estimated cost of every point is a positive finite number."""
    for method in model.methods:
        if method.cost is None:
            continue
        points, fixed = common_points(model)
        batch = make_batch(model, method.name, points, fixed)
        cost = np.asarray(method.cost(batch))
        assert cost.shape == (batch.size,)
        assert np.all(np.isfinite(cost) & (cost > 0)), method.name


def common_points(model):
    """Random points that share all shape and array parameters, as (points, fixed): what one tile can hold."""
    sets = random_points(model)
    if not sets:
        return {}, {}
    varying = {p.name for p in model.parameters if not p.shape and not p.dims and all(p.name in s for s in sets)}
    fixed = {name: value for name, value in sets[0].items() if name not in varying}
    tied = {d for p in model.parameters if p.name in fixed for d in p.dims if isinstance(d, str)}
    varying -= {name for name in varying if any(name in d for d in tied)}
    fixed |= {name: sets[0][name] for name in sets[0] if name not in varying}
    return {name: np.asarray([s[name] for s in sets]) for name in sorted(varying)}, fixed


def bits_do_not_depend_on_the_batch(model):
    """The same bits point by point, all at once, in another order, in pieces, and beside a hundred others."""
    points, fixed = common_points(model)
    count = len(next(iter(points.values())))
    order = np.random.default_rng(3).permutation(count)
    for method in methods_of(model):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SolverWarning)
            together = solve_many(model.id, method, points=points, **fixed)
            shuffled = solve_many(model.id, method, points={k: v[order] for k, v in points.items()}, **fixed)
            pieces = [
                solve_many(model.id, method, points={k: v[i : i + 1] for k, v in points.items()}, **fixed)
                for i in range(count)
            ]
            alone = [
                solved(model, method, **fixed, **{k: v[i].item() for k, v in points.items()}) for i in range(count)
            ]
        for name, values in together.items():
            for i in range(count):
                for other in (alone[i][name], pieces[i][name][0], shuffled[name][list(order).index(i)]):
                    assert np.asarray(other).tobytes() == np.asarray(values[i]).tobytes(), (method, name, i)


def conserved_quantities_are(model):
    """What the model's equations conserve."""
    for parameters in [dict(model.example), *random_points(model)]:
        for method in methods_of(model):
            outputs = solved(model, method, **parameters)
            if outputs["status"] == FAILED:
                continue
            for name, (residual, tolerance) in model.conserved.items():
                value = residual(parse_parameters(model, parameters), outputs)
                assert abs(value) <= tolerance, f"{name} is violated by {value:.3g} at {parameters}, {method}"


def tolerance_is_honest(model):
    """Halving rtol and atol changes the example by no more than the tolerance lets expect."""
    rtol = model.example.get("rtol", model.parameter("rtol").default)
    atol = model.example.get("atol", model.parameter("atol").default)
    for method in methods_of(model):
        loose = solved(model, method, **model.example)
        tight = solved(model, method, **{**model.example, "rtol": rtol / 2, "atol": atol / 2})
        for output in model.outputs_of(method):
            np.testing.assert_allclose(
                loose[output.name],
                tight[output.name],
                rtol=TOLERANCE_FACTOR * rtol * output.sensitivity,
                atol=TOLERANCE_FACTOR * (atol + rtol) * output.sensitivity,
                err_msg=f"{output.name}, {method}",
            )


def only_what_is_kept_is_returned(model):
    """A batch that keeps one output computes that one, with the same bits as when all are kept."""
    for method in methods_of(model):
        full = solved(model, method, **model.example)
        if full["status"] == FAILED:
            continue
        for output in model.outputs_of(method):
            alone = solved(model, method, **model.example, keep=[output.name])
            assert set(alone) == {output.name, "status"}
            assert alone[output.name].tobytes() == full[output.name].tobytes(), output.name


def has_tolerance(model):
    return {"rtol", "atol"} <= {p.name for p in model.parameters}


ALWAYS = (
    declarations_are_complete,
    example_is_finite,
    random_points_are_as_declared,
    checks_hold,
    only_what_is_kept_is_returned,
)
WHERE_IT_APPLIES = (
    (reference_agrees, lambda model: any(m.reference for m in model.methods)),
    (costs_are_positive, lambda model: any(m.cost for m in model.methods)),
    (bits_do_not_depend_on_the_batch, lambda model: bool(common_points(model)[0])),
    (conserved_quantities_are, lambda model: bool(model.conserved)),
    (tolerance_is_honest, has_tolerance),
)


def cases_of(model):
    """The checks that say something about a model."""
    return [*ALWAYS, *(case for case, applies in WHERE_IT_APPLIES if applies(model))]
