"""Landau-Lifshitz trajectories and loops: closed forms, conservation, the astroid, critical slowing."""

import warnings

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from solvers import FAILED, OK, WARNED, SolverWarning, solve

TILT = {"theta0": np.pi / 40, "phi0": np.pi / 4}


def quiet(model, method=None, **parameters):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SolverWarning)
        return solve(model, method, **parameters)


@pytest.mark.parametrize("V_z", [0.0, 0.5, 1.0, -0.7])
def test_switching_time_in_closed_form(V_z):
    """alpha t = F(u) - F(u0) by partial fractions of du/dt = alpha (1 - u^2)(B_z + V_z u)."""
    b, alpha, u0 = -2.0, 0.5, np.cos(np.pi / 40)

    def F(u):
        return (
            -np.log(1 - u) / (2 * (b + V_z))
            + np.log(1 + u) / (2 * (b - V_z))
            - V_z * np.log(abs(b + V_z * u)) / (b**2 - V_z**2)
        )

    found = quiet("landau_lifshitz.trajectory", "landau_lifshitz", B_z=b, V_z=V_z, alpha=alpha, times=[20.0], **TILT)
    assert found["flip_time"] == pytest.approx((F(0.0) - F(u0)) / alpha, abs=1e-8)


def test_flip_time_from_below_on_the_equator_and_never():
    up = quiet("landau_lifshitz.trajectory", "landau_lifshitz", B_z=1.0, alpha=0.5, theta0=3.0, times=[30.0])
    assert up["flip_time"] == pytest.approx(2 * np.arctanh(-np.cos(3.0)), abs=1e-8)  # u = tanh(alpha t + artanh u0)
    never = quiet("landau_lifshitz.trajectory", B_z=1.0, theta0=0.3, times=[0.0, 5.0])
    assert np.isnan(never["flip_time"])


@pytest.mark.parametrize("method", ["generalized", "landau_lifshitz", "landau_lifshitz_gilbert", "callen"])
def test_length_is_conserved_to_rounding(method):
    p = {"B_x": 0.3, "B_z": -1.0, "V_x": 0.5, "V_z": 0.8, "alpha": 0.01, "g_y": 0.02, "theta0": 1.0, "phi0": 0.4}
    found = quiet("landau_lifshitz.trajectory", method, times=np.linspace(0, 500, 51), **p)
    assert np.abs(np.linalg.norm(found["M"], axis=1) - 1).max() < 5e-16


def test_bloch_bloembergen_equals_eq_18_without_anisotropy_only():
    p = {"B_x": 0.4, "B_z": -0.6, "Gamma": 0.2, "n_b": 0.3, "theta0": 1.0, "times": [1.0, 5.0, 200.0]}
    both = [quiet("landau_lifshitz.trajectory", m, **p)["M"] for m in ("generalized", "bloch_bloembergen")]
    np.testing.assert_allclose(both[0], both[1], atol=1e-9)
    with_V = [quiet("landau_lifshitz.trajectory", m, V_z=0.8, **p)["M"] for m in ("generalized", "bloch_bloembergen")]
    assert np.abs(with_V[0][0] - with_V[1][0]).max() > 0.02
    np.testing.assert_allclose(with_V[0][-1], with_V[1][-1], atol=1e-9)  # the same state of rest


def test_callen_is_the_limit_of_many_bosons():
    p = {"B_x": 0.4, "B_z": -0.6, "V_z": 0.3, "alpha": 0.1, "Gamma": 0.2, "theta0": 1.0, "times": [4.0]}
    callen = quiet("landau_lifshitz.trajectory", "callen", **p)["M"]
    hot = quiet("landau_lifshitz.trajectory", "generalized", n_b=1e9, **p)["M"]
    np.testing.assert_allclose(callen, hot, atol=1e-8)


def test_spent_steps_fail():
    assert quiet("landau_lifshitz.trajectory", B_x=1.0, times=[100.0], max_steps=5)["status"] == FAILED
    assert quiet("landau_lifshitz.hysteresis", V_z=1.0, n_fields=11, t_max=20.0, max_steps=5)["status"] == FAILED


@pytest.mark.parametrize("alpha", [0.05, 0.5, 2.0])
@pytest.mark.parametrize(("V_z", "B_perp"), [(1.0, 0.0), (2.0, 2**0.5), (3.0, 0.4), (1.0, 1.5), (-1.0, 0.5)])
def test_continuation_follows_the_astroid_on_a_coarse_grid(V_z, B_perp, alpha):
    found = quiet("landau_lifshitz.hysteresis", V_z=V_z, B_x=B_perp, alpha=alpha, B_max=4.0, n_fields=32)
    expected = (V_z ** (2 / 3) - B_perp ** (2 / 3)) ** 1.5 if V_z > B_perp else 0.0
    assert found["status"] == OK
    assert found["coercive_field"] == pytest.approx(expected, abs=1.5e-4)
    np.testing.assert_allclose(found["M_up"], found["M_down"][::-1] * [1, 1, -1], atol=1e-7)  # B_z -> -B_z, M_z -> -M_z
    if B_perp == 0:
        assert found["loop_area"] == pytest.approx(4 * V_z, abs=2 * 8 / 31)


def test_fixed_start_switches_early_and_depends_on_the_azimuth():
    """Independent integrations with SciPy switch between -0.130 and -0.132 (phi0 = pi/4), -0.120 and -0.122 (phi0 = 0)."""
    p = {"V_z": 2.0, "B_x": 1.0, "B_y": 1.0, "B_max": 1.0, "n_fields": 11}
    assert 0.130 < quiet("landau_lifshitz.hysteresis", "fixed_start", **p)["coercive_field"] < 0.132
    assert 0.120 < quiet("landau_lifshitz.hysteresis", "fixed_start", phi0=0.0, **p)["coercive_field"] < 0.122


def test_critical_slowing_is_reported():
    p = {"V_z": 1.0, "B_max": 1.0, "n_fields": 11}
    slow = quiet("landau_lifshitz.hysteresis", "fixed_start", t_max=20.0, **p)
    assert slow["status"] == WARNED
    assert quiet("landau_lifshitz.hysteresis", "fixed_start", **p)["status"] == OK
    with pytest.warns(SolverWarning, match="critical slowing"):
        solve("landau_lifshitz.hysteresis", "fixed_start", t_max=20.0, **p)


def test_a_loop_that_does_not_close_has_no_coercive_field():
    assert np.isnan(quiet("landau_lifshitz.hysteresis", V_z=2.0, B_max=1.0, n_fields=12)["coercive_field"])


@pytest.mark.parametrize(("V_z", "B_perp", "B_max"), [(1.0, 0.2, 1.5), (2.0, 2**0.5, 4.0), (-1.0, 0.5, 2.0)])
def test_weak_damping_costs_no_steps(V_z, B_perp, B_max):
    """A loop of 62 fields at alpha = 1e-4 (about 1e7 steps if every M is followed to rest) against the astroid."""
    p = {"V_z": V_z, "B_x": B_perp, "alpha": 1e-4, "B_max": B_max, "n_fields": 62, "max_steps": 20_000}
    found = quiet("landau_lifshitz.hysteresis", **p)
    expected = (V_z ** (2 / 3) - B_perp ** (2 / 3)) ** 1.5 if V_z > B_perp else 0.0
    assert found["status"] == OK
    assert found["coercive_field"] == pytest.approx(expected, abs=2e-5 * (B_max + abs(V_z) + B_perp))


def test_a_start_below_the_saddle_rests_where_an_integration_to_the_end_rests():
    """Between two places of rest, with starts from which either may be reached: SciPy's DOP853 over 30/alpha."""
    p = {"V_z": 1.0, "B_x": 0.2, "B_y": 0.1, "alpha": 0.2, "B_max": 0.3, "n_fields": 4, "theta0": 1.4, "phi0": 0.7}
    found = quiet("landau_lifshitz.hysteresis", "fixed_start", **p)
    starts = [[np.sin(theta) * np.cos(0.7), np.sin(theta) * np.sin(0.7), np.cos(theta)] for theta in (1.4, np.pi - 1.4)]
    m0 = np.repeat(starts, 4, axis=0)
    B = np.column_stack([np.full(8, 0.2), np.full(8, 0.1), np.tile(found["field"], 2)])

    def slope(_, y):
        m = y.reshape(8, 3)
        turn = np.cross(m, B + m * [0, 0, 1])
        return (-turn - 0.2 * np.cross(m, turn)).ravel()

    end = solve_ivp(slope, (0.0, 150.0), m0.ravel(), "DOP853", rtol=1e-8, atol=1e-10).y[:, -1].reshape(8, 3)
    end /= np.linalg.norm(end, axis=1, keepdims=True)
    np.testing.assert_allclose(np.concatenate([found["M_down"], found["M_up"]]), end, atol=1e-6)
