"""Products with Toeplitz matrices against SciPy's and against sums in extended precision."""

import numpy as np
import pytest
from scipy.linalg import toeplitz as full

from solvers.numerics.convolution import by_diagonals, circulate, circulate_lanes, toeplitz


@pytest.mark.parametrize("n", [1, 2, 3, 5, 64, 65, 300])
def test_products_are_those_of_the_matrix(n):
    rng = np.random.default_rng(n)
    c, x, y = rng.normal(size=(3, n))
    p = toeplitz(c)
    size = len(p.spectrum)
    re, im = np.zeros(size), np.zeros(size)
    re[:n], im[:n] = x, y
    circulate(p, re, im)
    error = 1e-15 * np.linalg.norm(c) * np.linalg.norm([x, y])
    matrix = full(c.astype(np.longdouble))
    assert np.abs(re[:n] - matrix @ x).max() <= error
    assert np.abs(im[:n] - matrix @ y).max() <= error
    lanes = np.zeros((2, size, 16))
    lanes[0, :n], lanes[1, :n] = x[:, None] * np.arange(16), y[:, None] * np.arange(16)
    circulate_lanes(p, *lanes)
    assert np.abs(lanes[0, :n] - re[:n, None] * np.arange(16)).max() <= 16 * error
    assert np.abs(lanes[1, :n] - im[:n, None] * np.arange(16)).max() <= 16 * error
    found = np.empty(n)
    by_diagonals(c, x, found)
    assert np.abs(found - matrix @ x).max() <= error
