"""spin_cat.free_evolution: cancellation, the corrected variance, sampling, and the limits of the cats."""

import math
import warnings

import numpy as np
import pytest

from solvers import SolverWarning, models, solve
from solvers.evaluate import parse_parameters
from solvers.numerics.random import standard_normals

MODEL = models()["spin_cat.free_evolution"]
ANALYTIC, SAMPLED = MODEL.methods
NAMES = ("coherent", "even", "odd", "four_component")


def angle(alpha, n):
    return 2 * math.atan(alpha / math.sqrt(n))


@pytest.mark.parametrize("alpha", [1.0, 0.1, 1e-2, 1e-3, 1e-4])
@pytest.mark.parametrize("n", [3, 200, 1001])
def test_no_digit_is_lost_in_odd_cats(alpha, n):
    """Against 200-digit decimals; the differences of (16) in floating point lose everything at 1e-4."""
    parameters = {"N": n, "theta": angle(alpha, n), "delta": 1.0, "times": [0.2, 1.0, 5.0]}
    expected = ANALYTIC.reference(parse_parameters(MODEL, parameters))
    found = solve(MODEL.id, "analytic", **parameters)
    for name in ("coherent", "even", "odd"):
        np.testing.assert_allclose(found[f"fidelity_{name}"], expected[f"fidelity_{name}"], rtol=1e-14 * n + 1e-13)


@pytest.mark.parametrize("alpha", [1.0, 1e-2, 1e-4])
def test_sampled_odd_cats_tend_to_a_shared_excitation(alpha):
    """F_- -> |mean of e^{-i delta t}|^2 for alpha -> 0, up to alpha^4."""
    detunings = np.linspace(-1.3, 2.1, 30)
    found = solve(MODEL.id, "sampled", N=30, theta=angle(alpha, 30), detunings=detunings, times=[0.3, 2.0])
    limit = [abs(np.exp(-1j * detunings * t).mean()) ** 2 for t in (0.3, 2.0)]
    assert np.abs(found["fidelity_odd"] - limit).max() < 2 * alpha**4 + 1e-13
    exact = solve(MODEL.id, "sampled", N=30, theta=0.0, detunings=detunings, times=[0.3, 2.0])
    np.testing.assert_allclose(exact["fidelity_odd"], limit, rtol=1e-13)


def test_references_agree():
    rng = np.random.default_rng(4)
    for _ in range(6):
        parameters = MODEL.random_parameters(rng)
        for method in (ANALYTIC, SAMPLED):
            expected = method.reference(parse_parameters(MODEL, parameters))
            found = solve(MODEL.id, method.name, **parameters)
            for name, values in expected.items():
                np.testing.assert_allclose(found[name], values, rtol=1e-9, atol=1e-12, err_msg=f"{name} {parameters}")


def test_means_of_all_four_states_are_those_of_many_samples():
    common = {"N": 12, "theta": 1.9, "delta": 0.7, "times": [0.4, 1.5, 6.0], "seed": 5}
    exact = solve(MODEL.id, "analytic", **common)
    drawn = solve(MODEL.id, "sampled", realisations=8000, **common)
    for name in (*(f"fidelity_{kind}" for kind in NAMES), "variance_coherent"):
        error = np.abs(drawn[name] - exact[name]) / drawn[f"{name}_sem"]
        assert error.max() < 4.5, name
        assert error.max() > 1e-3, name


def test_the_misprinted_variance():
    """N = 200, |alpha| = 0.1, delta t = 0.2: 40,000 draws gave 1.544e-9 with 0.7 % error; (14) as printed gives 3.92e-8."""
    found = solve(MODEL.id, "analytic", N=200, theta=angle(0.1, 200), delta=1.0, times=[0.2])["variance_coherent"][0]
    assert found == pytest.approx(1.536e-9, rel=1e-3)
    assert found == pytest.approx(1.544e-9, rel=0.02)
    sample = solve(MODEL.id, "sampled", N=200, theta=angle(0.1, 200), delta=1.0, times=[0.2], realisations=4000)
    assert abs(sample["variance_coherent"][0] - found) < 4 * sample["variance_coherent_sem"][0]


def test_saturation_of_figure_1():
    """N = 200: even cats end near sech^2(|alpha|^2), odd ones at a floor of about 1/N, not at 0."""
    found = solve(MODEL.id, "analytic", N=200, theta=0.0707106781187, delta=1.0, times=[50.0])
    assert found["fidelity_even"][0] == pytest.approx(1 / math.cosh(0.25) ** 2, abs=1e-3)
    assert found["fidelity_odd"][0] == pytest.approx(1 / 200, abs=2e-4)


@pytest.mark.parametrize("theta", [0.0, math.pi, 1e-150, 3.1415926])
@pytest.mark.parametrize("n", [1, 2, 5])
def test_limits_of_theta_agree_in_both_methods(theta, n):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        exact = solve(MODEL.id, "analytic", N=n, theta=theta, delta=0.5, times=[0.0, 1.0])
        drawn = solve(MODEL.id, "sampled", N=n, theta=theta, detunings=np.zeros(n), times=[0.0, 1.0])
    for name in NAMES:
        assert exact[f"fidelity_{name}"][0] == pytest.approx(1.0, abs=1e-13)
        assert drawn[f"fidelity_{name}"] == pytest.approx([1.0, 1.0], abs=1e-13)


def test_more_realisations_extend_the_sample_and_a_target_ends_it():
    common = {"N": 20, "theta": 0.8, "delta": 1.0, "times": [1.0], "seed": 2}
    by_hand = [
        solve(MODEL.id, "sampled", detunings=np.asarray(standard_normals(2, r, 20)), **common)["fidelity_odd"][0]
        for r in range(40)
    ]
    found = solve(MODEL.id, "sampled", realisations=40, **common)
    assert found["fidelity_odd"][0] == pytest.approx(np.mean(by_hand), abs=1e-14)
    assert found["fidelity_odd_sem"][0] == pytest.approx(np.std(by_hand, ddof=1) / math.sqrt(40), rel=1e-12)
    stopped = solve(MODEL.id, "sampled", realisations=100_000, target_error=0.01, **common)
    errors = [stopped[f"fidelity_{name}_sem"].max() for name in NAMES]
    assert 0.009 < max(errors) <= 0.01


def test_one_realisation_has_no_standard_error():
    found = solve(MODEL.id, "sampled", N=3, detunings=[0.1, 0.2, 0.3], times=[1.0])
    assert np.isnan(found["fidelity_odd_sem"][0])
    assert np.isnan(found["variance_coherent"][0])
    assert found["status"] == 0


def test_phases_beyond_all_numbers_fail_with_a_reason():
    with pytest.warns(SolverWarning, match="largest number"):
        assert solve(MODEL.id, "sampled", N=3, detunings=[1e308, 0, 0], times=[1e10])["status"] == 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = solve(MODEL.id, "analytic", N=3, theta=1.0, delta=1e308, times=[0.0, 1e300])
    assert found["fidelity_coherent"][0] == pytest.approx(1.0)
    assert found["fidelity_coherent"][1] == pytest.approx((1 - np.sin(1.0) ** 2 / 2) ** 3)


def test_the_variance_of_a_fidelity_that_underflows():
    """1e5 spins on the equator against 200-digit decimals: F^2 is 0 in floating point, and its relative variance infinite."""
    parameters = {"N": 100_000, "theta": math.pi / 2, "delta": 38.7, "times": [0.0, 1e-6, 0.0005, 0.0028, 0.01, 16.0]}
    expected = ANALYTIC.reference(parse_parameters(MODEL, parameters))
    found = solve(MODEL.id, "analytic", **parameters)
    np.testing.assert_allclose(found["variance_coherent"], expected["variance_coherent"], rtol=1e-8, atol=1e-300)
