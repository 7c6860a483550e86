"""Pauli strings as bit masks against matrices."""

import numpy as np
import pytest

from solvers.engines.spin_system import SpinSystem
from solvers.references import spin_systems as literal
from solvers.references.pauli_strings import adjoint_generator, multiply, single, sites


def matrix(string, n):
    s = literal.pauli_operators(n)
    product = np.eye(2**n, dtype=complex)
    for site, axis in sites(string):
        product = product @ s[site, axis]
    return product


def random_string(rng, n):
    mask = 2**n
    return int(rng.integers(mask)), int(rng.integers(mask))


@pytest.mark.parametrize("seed", range(5))
def test_products_and_their_phases(seed):
    rng = np.random.default_rng(seed)
    for _ in range(20):
        left, right = random_string(rng, 3), random_string(rng, 3)
        phase, product = multiply(left, right)
        np.testing.assert_array_equal(phase * matrix(product, 3), matrix(left, 3) @ matrix(right, 3))


def test_single_matrices_and_their_sites():
    for site in range(3):
        for axis in range(3):
            assert sites(single(site, axis)) == [(site, axis)]


def test_the_adjoint_generator_moves_expectation_values():
    """Tr(P L[rho]) = Tr(L^+[P] rho) on a random state, for strings of one to three sites."""
    rng = np.random.default_rng(6)
    n = 3
    coupling = np.zeros((n, n, 3, 3))
    for i in range(n):
        for j in range(i + 1, n):
            coupling[i, j] = rng.normal(size=(3, 3))
            coupling[j, i] = coupling[i, j].T
    g = rng.normal(size=(9, 9)) + 1j * rng.normal(size=(9, 9))
    system = SpinSystem(rng.normal(size=(n, 3)), coupling, g + g.conj().T)
    m = rng.normal(size=(8, 8)) + 1j * rng.normal(size=(8, 8))
    rho = m @ m.conj().T
    moved = literal.lindblad_action(system, rho)
    for _ in range(6):
        string = random_string(rng, n)
        mapped = sum(v * matrix(s, n) for s, v in adjoint_generator(system, string).items())
        expected = np.trace(matrix(string, n) @ moved)
        assert np.trace(mapped @ rho) == pytest.approx(expected, abs=1e-11 * np.abs(moved).sum())
