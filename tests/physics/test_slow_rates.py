"""Steady states whose slowest rates are far below rounding of the largest entry of L: many digits and closed forms."""

import numpy as np
import pytest

from solvers import solve
from solvers.numerics.graded import sharpened


@pytest.mark.parametrize(
    ("dephasing", "gap"), [(1e6, 8.440656975657306e-07), (2.87e8, 2.940997e-09)], ids=["1e6", "2.87e8"]
)
def test_a_slow_coherence_that_turns_fast_has_its_own_gap(dephasing: float, gap: float) -> None:
    """Two spins, one strongly dephased: eigenvalue -gap +- 2.136i, from the 15 x 15 matrix with 60 digits (mpmath).

    The next rate is twice as large, and was taken for the gap.
    """
    A = np.zeros((2, 2, 3, 3))
    A[0, 1] = np.diag([0.14, 0.908, 1.07])
    found = solve(
        "spin_network.steady_state",
        method="exact",
        N=2,
        h=[[0.005, -0.0008, -0.002], [0.0003, -0.00144, 0.00196]],
        A=A,
        gamma_z=[0.0, dephasing],
        gamma_plus=[0.0, 4.3e-5],
        keep=["gap", "spins"],
    )
    assert found["status"] == 0
    np.testing.assert_allclose(found["gap"], gap, rtol=1e-6)


@pytest.mark.parametrize("scale", [1e-4, 1e-9, 1e-13])
def test_weak_rates_beside_a_strong_oblique_field(scale: float) -> None:
    """One spin, rates a of sigma_-, b of sigma_+ and a field along n: to the order (a + b)/h the secular closed form.

    s = n n_z (b - a)/R with R = (a + b)(1 + n_z^2)/2 along n, and (2 (a + b) - R)/2 across.
    """
    n = np.array([2.0, 3.0, 6.0]) / 7.0
    h, a, b = 1e4, 3e4 * scale, 1e4 * scale
    found = solve("spin_network.steady_state", method="exact", N=1, h=[h * n], gamma_minus=a, gamma_plus=b)
    along = (a + b) * (1 + n[2] ** 2) / 2
    assert found["status"] == 0
    np.testing.assert_allclose(found["spins"], [n * n[2] * (b - a) / along], atol=10 * scale + 1e-9)
    across = (2 * (a + b) - along) / 2  # of an eigenvalue across + 2ih
    np.testing.assert_allclose(found["gap"], min(along, across), rtol=10 * scale**2 + 1e-6, atol=2e-16 * h)


def test_clusters_of_eigenvalues_are_sharpened_together() -> None:
    """Two slow pairs that nearly coincide beside a rate of 1e9, similar to a block diagonal matrix with known eigenvalues."""
    slow = np.array([[-3e-8, 2.0, 0, 0], [-2.0, -3e-8, 0, 0], [0, 0, -5e-8, 2.0], [0, 0, -2.0, -5e-8]])
    A = np.zeros((6, 6))
    A[:4, :4], A[4, 4], A[5, 5] = slow, -1e9, -2e9
    mix = np.eye(6)
    mix[:4, :4] += 0.1 * np.random.default_rng(1).standard_normal((4, 4))
    mix[4:, :4] = 1e-9 * np.random.default_rng(2).standard_normal((2, 4))
    A = mix @ A @ np.linalg.inv(mix)
    values, errors = sharpened(A, np.array([1e-7 + 2j, -2e-7 + 2j]), np.full(2, 1e-6))
    np.testing.assert_allclose(values, [-5e-8 + 2j, -3e-8 + 2j], atol=1e-14, rtol=0)
    assert errors.max() < 1e-12
