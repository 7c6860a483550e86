"""`spin_cat.boundary`: against slow ways to the same numbers, the paper's ellipse, limits, and the integrated diagram."""

from __future__ import annotations

import numpy as np
import pytest

from solvers import FAILED, OK, evaluate, models, solve, solve_many

MODEL = models()["spin_cat.boundary"]


@pytest.mark.parametrize("check", MODEL.checks, ids=lambda c: f"{c.method} {c.origin[:30]}")
def test_checks(check):
    found = solve(MODEL.id, check.method, **check.parameters)
    for name, value in check.expect.items():
        np.testing.assert_allclose(found[name], value, rtol=check.rtol, atol=check.atol, err_msg=name)


@pytest.mark.parametrize(
    ("method", "distribution", "seed"),
    [("closed_form", "two", 0), ("closed_form", "two", 1), ("existence", "two", 2), ("existence", "two", 3)]
    + [("existence", "gaussian", 4), ("existence", "gaussian", 5), ("dynamic", "two", 6)],
)
def test_random_points_against_slow_ways(method, distribution, seed):
    parameters = MODEL.random_parameters(np.random.default_rng(seed)) | {"distribution": distribution}
    expected = MODEL.method(method).reference(parameters)
    found = solve(MODEL.id, method, **parameters)
    np.testing.assert_allclose(found["delta_critical"], expected["delta_critical"], rtol=0, atol=1e-5)


def test_ellipse_of_the_paper():
    """Fig. 4: an ellipse with a = N/32 and b = 2.2077 N fits the edge; ours is b = 2.221 (physics notes), peak .0697."""
    h = np.linspace(0.004, 0.06, 57)
    edge = solve_many(MODEL.id, "dynamic", points={"eta": 1e4 * h}, N=10_000)["delta_critical"]
    ellipse = np.sqrt(1 - (32 * h - 1) ** 2) / 32
    b = (ellipse @ edge) / (ellipse @ ellipse)
    assert b == pytest.approx(2.22, abs=0.02)
    top = int(np.argmax(edge))
    assert edge[top] == pytest.approx(0.0697, abs=0.0005)
    assert h[top] == pytest.approx(0.030, abs=0.002)


def test_dynamic_edge_is_the_edge_of_the_integrated_diagram():
    """A run at 1e-4 of the edge on either side ends as the bisection says."""
    for n, eta in ((10_000, 312.5), (1000, 20.0), (300, 15.0)):
        edge = float(solve(MODEL.id, "dynamic", N=n, eta=eta)["delta_critical"])
        sides = solve_many(
            "spin_cat.two_ensembles", points={"delta": [edge * (1 - 1e-4), edge * (1 + 1e-4)]}, N=n, eta=eta, t_end=2e4
        )
        assert sides["locked"].tolist() == [1.0, 0.0]


def test_states_at_the_existence_edge_stand_still():
    """z of the fold, with A and zeta of its equations, has no derivative under (26)-(28)."""
    from solvers.models.spin_cat.reduced_equations import derivatives

    n, eta = 400.0, 11.0
    found = solve(MODEL.id, "existence", N=400, eta=eta)
    z, delta = float(found["z_critical"]), float(found["delta_critical"])
    square = -z * (1 + z) / 2
    a, b = (n - 2) * square, 2 * eta * (1 - 2 / n) - 2 * (1 + z) + (1 - 2 / n) * square
    c = (b + np.sqrt(b * b + 4 * a * (2 * eta + 1 + z) / n)) / (2 * a)
    u, v = np.sqrt(square * c), np.sqrt(square * (1 - c))
    assert np.max(np.abs(derivatives(u, v, z, n, 1 / n, eta, delta))) < 1e-13


def test_order_of_the_boundaries():
    """Dynamic <= existence; existence goes to the closed form as 1/N."""
    eta = np.linspace(0.006, 0.05, 12)
    closed = solve_many(MODEL.id, "closed_form", points={"eta": 1e4 * eta}, N=10_000)["delta_critical"]
    previous = np.inf
    for n in (1_000, 10_000, 100_000):
        exists = solve_many(MODEL.id, "existence", points={"eta": n * eta}, N=n)["delta_critical"]
        moves = solve_many(MODEL.id, "dynamic", points={"eta": n * eta}, N=n)["delta_critical"]
        assert np.all(moves <= exists)
        distance = np.max(np.abs(exists - closed))
        assert distance < 0.15 * previous
        previous = distance


@pytest.mark.parametrize("method", ["existence", "dynamic", "closed_form"])
def test_no_state_beyond_the_tongue(method):
    found = solve_many(MODEL.id, method, points={"eta": [0.0, 700.0, 1e6]}, N=10_000)
    assert np.array_equal(found["delta_critical"], [0.0, 0.0, 0.0])
    assert np.all(np.isnan(found["z_critical"]))
    assert found["status"].tolist() == [OK] * 3


def test_gaussian_small_squeezing_limit():
    """For h to 0: sigma = sqrt(2 g) x s with <(1 + s^2 xi^2)^-2> = x, which tends to sqrt(4 h) sqrt(pi/8) = 1.2533 sqrt(h)."""
    h = 1e-6
    found = float(solve(MODEL.id, "existence", N=10**9, eta=h * 1e9, distribution="gaussian")["delta_critical"])
    assert found == pytest.approx(np.sqrt(4 * h * np.pi / 8), rel=0.01)


def test_same_bits_in_any_batch():
    eta = np.linspace(10.0, 620.0, 21)
    for method in ("existence", "dynamic"):
        whole = solve_many(MODEL.id, method, points={"eta": eta}, N=10_000)
        back = solve_many(MODEL.id, method, points={"eta": eta[::-1]}, N=10_000)
        alone = solve(MODEL.id, method, eta=eta[7], N=10_000)
        for name in ("delta_critical", "z_critical"):
            assert np.array_equal(whole[name], back[name][::-1])
            assert alone[name] == whole[name][7]


def test_closed_form_of_the_gaussian_is_refused_with_its_reason():
    found = evaluate(MODEL.id, "closed_form", points={"distribution": ["two", "gaussian"]}, parameters={"eta": 300.0})
    assert found.status.tolist() == [OK, FAILED]
    assert "distribution = two" in found.remarks[1].message


def test_an_edge_that_no_budget_resolves_is_refused():
    """Trials of 20 000 steps at twice the fold and more, where nothing is locked, neither rest nor unlock."""
    found = evaluate(
        MODEL.id,
        "dynamic",
        points={"N": [10**10, 10**4]},
        parameters={"eta": 99.0, "distribution": "gaussian"},
    )
    assert found.status.tolist() == [FAILED, OK]
    assert np.isnan(found.outputs["delta_critical"][0])
    assert "take method existence" in found.remarks[0].message


@pytest.mark.parametrize(
    ("n", "eta", "edge"), [(50, 0.45, 2.673e-4), (50, 0.5, 6.628e-4), (20, 0.45, 8.020e-4)], ids=str
)
def test_an_ensemble_that_swings_through_inversion_for_ever_is_not_locked(n, eta, edge):
    """Near eta = 1/2: (26)-(28) as printed by LSODA until cos(zeta) or -z falls to 0, bisected to 1e-6; in between there are cycles."""
    found = solve("spin_cat.boundary", method="dynamic", N=n, eta=eta)
    assert found["status"] == 0
    assert abs(found["delta_critical"] - edge) < 2e-6
