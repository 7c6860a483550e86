"""The checks that every model has to pass: each takes a `Subject` and accounts for what it did, or raises AssertionError.

`EVERY_CHECK` holds them in the order of a report. A check that has nothing to do at a model says so in its account.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from solvers.outcome import FAILED
from solvers.testing.accounts import Account, worst_error
from solvers.testing.cases import hold
from solvers.testing.declared import assert_as_declared
from solvers.testing.subject import Subject

TOLERANCE_FACTOR = 100.0
"""A tolerance bounds the error of a step; this much more is allowed to what the steps add up to."""
FIVE = 5.0
"""Standard errors by which a mean over random numbers may be off."""
SHAKEN = 1e-2
"""By how much (relatively) outputs are shaken to see whether a conservation law would notice."""

Check = Callable[[Subject], list[Account]]


def declarations_are_complete(subject: Subject) -> list[Account]:
    """Every parameter, method and output says what it is; the example, the defaults and random points are allowed."""
    model = subject.model
    assert model.title, "the model has no title"
    assert model.source, "the model names no source"
    parts: tuple[Any, ...] = (*model.parameters, *model.methods, *model.outputs, *model.dimensions)
    for part in parts:
        assert part.meaning, f"{part.name} has no meaning"
        symbol = getattr(part, "symbol", "")
        assert not any(c.isspace() for c in symbol), f"{symbol}: a label may be broken at a space, and LaTeX with it"
    for output in model.outputs:
        assert output.unit, f"{output.name} has no unit"
    assert set(model.status_text) == {0, 1, 2}, "status_text explains the codes 0, 1 and 2"
    for check in model.checks:
        assert check.origin, f"a check at {dict(check.parameters)} has no origin"
        model.method(check.method)
        assert not (
            missing := set(check.expect) - {o.name for o in model.outputs_of(model.method(check.method).name)}
        ), f"a check expects {sorted(missing)}, which {check.method or model.methods[0].name} does not give"
    for parameters in (subject.example, {}, *subject.points):
        subject.parsed(parameters)
    return [Account(against="the rules for declarations", points=2 + len(subject.points))]


def example_is_as_declared(subject: Subject) -> list[Account]:
    """At the example every method returns every output it declares, of the declared shape, type and range."""
    lengths = subject.model.lengths(subject.parsed(subject.example))
    accounts = []
    for method in subject.methods:
        outputs = subject.solved(method, subject.example)
        reason = subject.reason(method, subject.example)
        assert_as_declared(subject.model, method, outputs, lengths, reason)
        if outputs["status"] == FAILED:
            assert subject.model.method(method).limit is not None, f"{method} fails at the example: {reason}"
            accounts.append(Account(against="declared outputs, at the example", method=method, left_out=reason))
        else:
            accounts.append(Account(against="declared outputs, at the example", method=method, points=1))
    assert any(a.points for a in accounts), "the example is outside the limits of all methods"
    return accounts


def random_points_are_as_declared(subject: Subject) -> list[Account]:
    """Random points keep the declarations as well, or fail with a reason."""
    against = "declared outputs, at random points"
    if not subject.points:
        return [Account(against=against, left_out=_no_points(subject))]
    accounts = []
    for method in subject.methods:
        failed = 0
        for parameters in subject.points:
            lengths = subject.model.lengths(subject.parsed(parameters))
            outputs = subject.solved(method, parameters)
            assert_as_declared(subject.model, method, outputs, lengths, subject.reason(method, parameters))
            failed += int(outputs["status"] == FAILED)
        accounts.append(
            Account(
                against=against,
                method=method,
                points=len(subject.points) - failed,
                left_out=f"{failed} points fail, the last: {subject.reason(method, parameters)}" if failed else "",
            )
        )
    return accounts


def reference_agrees(subject: Subject) -> list[Account]:
    """Random points against the method's own slow and independent solution.

    A mean over random numbers may be off by FIVE of its standard errors, and by three samples' worth where all samples
    happen to agree.
    """
    accounts = []
    for method in subject.methods:
        declared = subject.model.method(method)
        reference, against = declared.reference, "its independent reference"
        rtol, atol = subject.reference_tolerance(method)
        if reference is None:
            accounts.append(Account(against=against, method=method, left_out="it has none"))
            continue
        if not subject.points:
            accounts.append(Account(against=against, method=method, left_out=_no_points(subject)))
            continue
        worst, compared, names = 0.0, 0, set()
        for parameters, outputs in subject.done(method):
            expected = reference(subject.parsed(parameters))
            compared += bool(expected)
            for name, value in expected.items():
                what = f"{name}, {method}, against its reference at {parameters}"
                allowed = atol
                if declared.draws_numbers:
                    if f"{name}_sem" not in outputs:
                        continue
                    samples = subject.parsed(parameters)["trajectories"]
                    allowed = atol + FIVE * outputs[f"{name}_sem"] + 3.0 / samples
                names.add(name)
                worst = max(worst, worst_error(outputs[name], value, rtol, allowed, what))
        assert compared, f"{method} has a reference, which is compared at none of {len(subject.points)} random points"
        accounts.append(Account(against=against, method=method, points=compared, worst=worst, outputs=frozenset(names)))
    return accounts


def checks_hold(subject: Subject) -> list[Account]:
    """The numbers that the model states, with their origins."""
    accounts = []
    for check in subject.model.checks:
        method = subject.model.method(check.method).name
        outputs = subject.solve(method, check.parameters)
        worst = 0.0
        for name, expected in check.expect.items():
            index, value = expected if isinstance(expected, tuple) else ((), expected)
            what = f"{name}, {method}, at {dict(check.parameters)}; expected by {check.origin}"
            worst = max(worst, worst_error(outputs[name][index], value, check.rtol, check.atol, what))
        against = "numbers of stated origin"
        accounts.append(Account(against=against, method=method, points=1, worst=worst, outputs=frozenset(check.expect)))
    return accounts


def cases_hold(subject: Subject) -> list[Account]:
    """Reference cases from files, where any were given."""
    accounts = []
    for case in subject.cases:
        method = subject.model.method(case.get("method")).name
        outputs = subject.solve(method, case["parameters"])
        names = frozenset(want["output"] for want in case["expect"])
        accounts.append(
            Account(against="cases given", method=method, points=1, worst=hold(case, outputs), outputs=names)
        )
    return accounts


def conserved_quantities_are(subject: Subject) -> list[Account]:
    """What the equations conserve; and a law that shaken outputs would keep as well is no check, and refused.

    A law returns None at points that it says nothing about.
    """
    accounts = []
    rng = np.random.default_rng(11)
    for name, (residual, tolerance) in subject.model.conserved.items():
        worst: dict[str, float] = {}
        used: dict[str, int] = {}
        shaken = 0.0
        for parameters in (subject.example, *subject.points):
            parsed = subject.parsed(parameters)
            for method in subject.methods:
                outputs = subject.solved(method, parameters)
                if outputs["status"] == FAILED or (value := residual(parsed, outputs)) is None:
                    continue
                assert abs(value) <= tolerance, f"{name} is violated by {value:.3g} at {parameters}, {method}"
                used[method] = used.get(method, 0) + 1
                worst[method] = max(worst.get(method, 0.0), abs(value) / tolerance)
                other = residual(parsed, {k: _shaken(v, rng) for k, v in outputs.items()})
                shaken = max(shaken, abs(other) if other is not None else 0.0)
        assert used, f"{name} says nothing about any of the points"
        assert shaken > tolerance, f"{name} cannot fail: it holds for outputs that are {SHAKEN:.0%} wrong"
        accounts += [Account(against=f"conserved: {name}", method=m, points=n, worst=worst[m]) for m, n in used.items()]
    return accounts


def _shaken(value: Any, rng: np.random.Generator) -> Any:
    array = np.asarray(value)
    if array.dtype.kind not in "fc":
        return value
    return array * (1.0 + SHAKEN * rng.uniform(0.5, 1.0, size=array.shape) * rng.choice([-1.0, 1.0], size=array.shape))


def tolerance_is_honest(subject: Subject) -> list[Account]:
    """Halving rtol and atol changes the example by no more than the tolerance lets expect."""
    model = subject.model
    if not {"rtol", "atol"} <= {p.name for p in model.parameters}:
        return []
    rtol = model.example.get("rtol", model.parameter("rtol").default)
    atol = model.example.get("atol", model.parameter("atol").default)
    accounts = []
    for method in subject.methods:
        loose = subject.solved(method, subject.example)
        tight = subject.solve(method, {**subject.example, "rtol": rtol / 2, "atol": atol / 2})
        worst = 0.0
        for output in model.outputs_of(method):
            allowed = TOLERANCE_FACTOR * output.sensitivity
            what = (
                f"{output.name}, {method}: halving the tolerances changes it by more than {TOLERANCE_FACTOR:g} of them"
            )
            error = worst_error(loose[output.name], tight[output.name], allowed * rtol, allowed * (atol + rtol), what)
            worst = max(worst, error)
        accounts.append(Account(against="itself at half the tolerances", method=method, points=1, worst=worst))
    return accounts


def bits_do_not_depend_on_the_batch(subject: Subject) -> list[Account]:
    """The same bits point by point, all at once, in another order, and in pieces."""
    against = "itself in other batches, bit by bit"
    points, fixed = subject.common_points()
    if not points:
        return [Account(against=against, left_out=_no_points(subject))]
    count = len(next(iter(points.values())))
    order = np.random.default_rng(3).permutation(count)
    accounts = []
    for method in subject.methods:
        together = subject.many(method, points, fixed)
        shuffled = subject.many(method, {k: v[order] for k, v in points.items()}, fixed)
        pieces = [subject.many(method, {k: v[i : i + 1] for k, v in points.items()}, fixed) for i in range(count)]
        alone = [subject.solve(method, fixed | {k: v[i].item() for k, v in points.items()}) for i in range(count)]
        for name, values in together.items():
            for i in range(count):
                others = (alone[i][name], pieces[i][name][0], shuffled[name][list(order).index(i)])
                assert all(_same_bits(values[i], other) for other in others), (
                    f"{name}, {method}: the bits of point {i} depend on the batch it is solved in"
                )
        accounts.append(Account(against=against, method=method, points=count))
    return accounts


def only_what_is_kept_is_returned(subject: Subject) -> list[Account]:
    """A batch that keeps one output returns that one, with the same bits as when all are kept."""
    accounts = []
    for method in subject.methods:
        full = subject.solved(method, subject.example)
        if full["status"] == FAILED:
            continue
        for output in subject.model.outputs_of(method):
            alone = subject.solve(method, subject.example, keep=[output.name])
            assert set(alone) == {output.name, "status"}
            assert _same_bits(alone[output.name], full[output.name]), (
                f"{output.name}, {method}: other bits when it alone is kept"
            )
        accounts.append(Account(against="itself with one output kept, bit by bit", method=method, points=1))
    return accounts


def _same_bits(a: Any, b: Any) -> bool:
    return np.asarray(a).tobytes() == np.asarray(b).tobytes()


def _no_points(subject: Subject) -> str:
    return (
        "the model has no random_parameters" if subject.model.random_parameters is None else "no points were asked for"
    )


EVERY_CHECK: tuple[Check, ...] = (
    declarations_are_complete,
    example_is_as_declared,
    random_points_are_as_declared,
    reference_agrees,
    checks_hold,
    cases_hold,
    conserved_quantities_are,
    tolerance_is_honest,
    bits_do_not_depend_on_the_batch,
    only_what_is_kept_is_returned,
)
