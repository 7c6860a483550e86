"""Products of sparse matrices of blocks, transpositions, and L made of them: against dense matrices."""

from itertools import combinations

import numba
import numpy as np
import pytest

from solvers.engines.master_equation.generator import build_generator
from solvers.engines.master_equation.structure import coefficients, structure_of
from solvers.engines.spin_system import SpinSystem
from solvers.numerics.block_product import aligned, block_product, turn

PRODUCTS = {width: block_product(width) for width in (1, 4, 16, 64)}


@pytest.mark.parametrize("width", [1, 4, 16, 64])
def test_blocks_are_multiplied(width):
    rng = np.random.default_rng(width)
    matrix = rng.normal(size=(5, 5)) * (rng.random((5, 5)) < 0.5)
    matrix[3] = 0.0  # a row without elements
    rows, columns = np.nonzero(matrix)
    starts = np.searchsorted(rows, np.arange(6)).astype(np.int64)
    x, y = rng.normal(size=(2, 5, width))
    expected = y + 0.3 * matrix @ x
    add = PRODUCTS[width]

    @numba.njit
    def run(starts, columns, values, x, y):
        add(starts, columns, values, 0, 5, x, y, 0.3)

    found = y.ravel().copy()
    run(starts, width * columns, matrix[rows, columns], x.ravel(), found)
    np.testing.assert_allclose(found.reshape(5, width), expected, rtol=1e-14, atol=1e-14)


def test_turning_is_transposing():
    x, out = np.random.default_rng(0).normal(size=(2, 16 * 64))
    expected = -0.5 * out + x.reshape(16, 64).T.ravel()

    @numba.njit
    def run(x, out):
        turn(x, 16, 64, out, -0.5)

    run(x, out)
    np.testing.assert_allclose(out, expected, rtol=1e-15)


def test_aligned_numbers_begin_with_a_cache_line():
    assert all(aligned(size).ctypes.data % 64 == 0 and aligned(size).size == size for size in (1, 7, 64, 100))


@pytest.mark.parametrize(
    ("n", "pairs"),
    [(n, list(combinations(range(n), 2))) for n in (1, 2, 3, 4, 5, 6)]
    + [(6, [(i, i + 1) for i in range(5)]), (6, [(2, 5)])],
)
def test_the_terms_act_as_their_elements_say(n, pairs):
    """The elements come from `structure_of`, string by string."""
    rng = np.random.default_rng(n + len(pairs))
    coupling, Gamma = np.zeros((n, n, 3, 3)), np.zeros((n, 3, n, 3), dtype=complex)
    for i, j in pairs:
        coupling[i, j] = rng.normal(size=(3, 3))
        coupling[j, i] = coupling[i, j].T
        Gamma[i, :, j] = rng.normal(size=(3, 3)) + 1j * rng.normal(size=(3, 3))
        Gamma[j, :, i] = Gamma[i, :, j].conj().T
    Gamma[range(n), 0, range(n), 0] = 1.0
    system = SpinSystem(rng.normal(size=(n, 3)), coupling, Gamma.reshape(3 * n, 3 * n))
    c = coefficients(system.field[None], system.coupling[None], system.Gamma[None])[0]
    s = structure_of(n, (c != 0.0).tobytes())
    values = np.add.reduceat(s.weights[:, 0] * c[s.sources], s.first[:-1])
    x = rng.normal(size=4**n)
    expected = np.zeros(4**n)
    np.add.at(expected, np.repeat(np.arange(4**n), np.diff(s.starts)), values * x[s.columns])
    np.testing.assert_allclose(build_generator(system).apply(x), expected, atol=1e-12 * np.abs(expected).max())
