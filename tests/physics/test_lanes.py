"""Explicit and implicit steps of points in lanes: the tableau of order 8, and each way taken where it is the better one."""

import numpy as np
import pytest

from solvers import solve
from solvers.numerics.dormand_prince_8 import E3, E5, A, B


def test_order_conditions_of_order_eight():
    """sum b_i c_i^k = 1/(k + 1), and with the stages' own quadrature sum b_i (A c^k)_i = 1/((k + 1)(k + 2)), k up to order 8."""
    a = np.array([[*row, *[0.0] * (12 - len(row))] for row in A])
    b, c = np.array(B), a.sum(axis=1)
    for k in range(8):
        assert b @ c**k == pytest.approx(1 / (k + 1), abs=1e-14)
        if k < 7:
            assert b @ a @ c**k == pytest.approx(1 / ((k + 1) * (k + 2)), abs=1e-14)
        if k < 6:
            assert b @ a @ a @ c**k == pytest.approx(1 / ((k + 1) * (k + 2) * (k + 3)), abs=1e-14)
    assert c[-1] == pytest.approx(1.0)
    assert b @ (c * (a @ c**5)) == pytest.approx(1 / 48, abs=1e-14)
    for weights, order in ((E3, 3), (E5, 5)):
        for k in range(order):
            assert np.dot(weights, c**k) == pytest.approx(0.0, abs=1e-13)
        assert abs(np.dot(weights, c**order)) > 1e-6


@pytest.mark.parametrize(
    ("eta", "delta", "locked", "most"),
    [
        (312.5, 0.05, 1.0, 110),  # 90 by implicit steps alone, 1e5 by explicit ones
        (620.0, 0.078, 0.0, 190),  # unlocks: 293 by implicit steps alone
        (140.0, 0.078, 0.0, 170),  # 276
    ],
)
def test_points_end_within_a_small_budget(eta, delta, locked, most):
    found = solve("spin_cat.two_ensembles", N=10_000, eta=eta, delta=delta, max_steps=most)
    assert found["status"] == 0
    assert found["locked"] == locked
