"""Curves of solutions through folds."""

import numpy as np
import pytest

from solvers.models.landau_lifshitz import trajectory
from solvers.numerics.continuation import follow_curve


def s_curve(x, c):
    """x^3 - x = 4 c - 2: from the lowest root at c = 0, over folds at c = 1/2 +- 1/sqrt(27), to the highest one at c = 1."""
    return x**3 - x + 2 - 4 * c, np.diag(3 * x**2 - 1), np.array([-4.0])


def test_through_two_folds():
    start = np.array([-np.max(np.roots([1, 0, -1, -2]).real)])
    found = follow_curve(s_curve, start)
    assert found == pytest.approx(-start, abs=1e-12)


def test_a_curve_that_turns_back_for_good_meets_nothing():
    """x^2 + c = 1/2 has no point beyond c = 1/2."""

    def parabola(x, c):
        return x**2 + c - 0.5, np.diag(2 * x), np.ones(1)

    assert follow_curve(parabola, np.sqrt([0.5])) is None


def test_states_of_rest_of_bloch_and_bloembergen_at_random():
    """Every point has one; a few of a hundred lie beyond folds."""
    rng = np.random.default_rng(4)
    beyond = 0
    for _ in range(150):
        p = {f"{name}_{a}": float(rng.normal() * size) for name, size in (("B", 1.0), ("V", 6.0)) for a in "xyz"}
        p |= {"Gamma": float(rng.uniform(0.1, 1.0)), "n_b": 0.08}
        m = trajectory.stationary(p)
        residual = trajectory.slope_generalized(p | {"alpha": 0.0, "g_x": 0.0, "g_y": 0.0, "g_z": 0.0})(m)
        assert np.abs(residual).max() < 1e-11
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(trajectory, "_in_steps", lambda linearised, m: None)
            by_curve = trajectory.stationary(p)
        beyond += bool(np.abs(by_curve - m).max() > 1e-9)
    assert beyond <= 3, "steps of V jump from one branch to another where the curve does not"
