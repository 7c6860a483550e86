"""Curves of solutions through folds."""

import numpy as np
import pytest

from solvers import solve
from solvers.models.landau_lifshitz import trajectory
from solvers.numerics.continuation import follow
from solvers.outcome import Kind, PointFailed


def test_through_two_folds():
    """x^3 - x = 4 s - 2: from the lowest root at s = 0, over folds at s = 1/2 +- 1/sqrt(27), to the highest one at s = 1."""
    start = np.array([-np.max(np.roots([1, 0, -1, -2]).real)])
    found = follow(lambda x, s: x**3 - x + 2 - 4 * s, lambda x, s: np.array([[3 * x[0] ** 2 - 1, -4.0]]), start)
    assert found == pytest.approx(-start, abs=1e-12)


def test_a_curve_that_turns_back_for_good_meets_nothing():
    """x^2 + s = 1/2 has no point beyond s = 1/2."""
    found = follow(lambda x, s: x**2 + s - 0.5, lambda x, s: np.array([[2 * x[0], 1.0]]), np.sqrt([0.5]))
    assert found is None


def in_small_steps(p, steps=2000):
    """Newton's method at many values of s V, and whether it never jumped or failed: no fold on the way."""
    m = trajectory.stationary(p | {"V_x": 0.0, "V_y": 0.0, "V_z": 0.0})
    for s in np.linspace(0.0, 1.0, steps + 1)[1:]:
        at = p | {f"V_{a}": s * p[f"V_{a}"] for a in "xyz"} | {"alpha": 0.0, "g_x": 0.0, "g_y": 0.0, "g_z": 0.0}
        slope, before = trajectory.slope_generalized(at), m
        for _ in range(8):
            h = 1e-7
            J = np.column_stack([(slope(m + h * e) - slope(m - h * e)) / (2 * h) for e in np.eye(3)])
            m = m - np.linalg.solve(J, slope(m))
        if np.abs(slope(m)).max() > 1e-10 or np.abs(m - before).max() > 0.05:
            return m, False
    return m, True


@pytest.mark.slow
def test_states_of_rest_of_bloch_and_bloembergen_at_random():
    rng = np.random.default_rng(4)
    folded = 0
    for k in range(150):
        p = {f"{name}_{a}": float(rng.normal() * size) for name, size in (("B", 1.0), ("V", 6.0)) for a in "xyz"}
        p |= {"Gamma": float(rng.uniform(0.1, 1.0)), "n_b": 0.08}
        m = trajectory.stationary(p)
        residual = trajectory.slope_generalized(p | {"alpha": 0.0, "g_x": 0.0, "g_y": 0.0, "g_z": 0.0})(m)
        assert np.abs(residual).max() < 1e-11
        if k < 12:
            expected, straight = in_small_steps(p)
            folded += not straight
            if straight:
                np.testing.assert_allclose(m, expected, atol=1e-8)
    assert folded < 6


def test_a_lost_branch_fails_its_own_point_only(monkeypatch):
    def lost(p):
        if p["B_x"] == 2.0:
            raise PointFailed(Kind.NOT_CONVERGED, "lost")
        return np.zeros(3)

    monkeypatch.setattr(trajectory, "stationary", lost)
    model = trajectory.MODELS[0]
    assert model.id == "landau_lifshitz.trajectory"
    with pytest.warns(match="lost"):
        found = solve("landau_lifshitz.trajectory", "bloch_bloembergen", B_x=2.0, Gamma=1.0)
    assert found["status"] == 2
    assert np.isnan(found["M"]).all()
