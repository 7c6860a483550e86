"""The exact master equation: generator, propagation and spectrum against Kronecker products and QuTiP."""

import numpy as np
import pytest
import qutip
from scipy.linalg import expm

from solvers.engines.master_equation import propagation
from solvers.engines.master_equation.generator import build_generator
from solvers.engines.master_equation.propagation import evolve
from solvers.engines.master_equation.spectrum import liouvillian_spectrum
from solvers.engines.master_equation.states import (
    check_density_matrix,
    density_matrix,
    moment_indices,
    pauli_vector,
    product_state,
    purity,
    smallest_eigenvalue,
    split_moments,
)
from solvers.engines.spin_system import LOWERING, SpinSystem, correlated, local_dissipator
from solvers.outcome import PointFailed
from solvers.references import spin_systems as literal


def random_system(rng, n, scales=(1.0, 0.5, 0.3), positive=True):
    coupling = np.zeros((n, n, 3, 3))
    for i in range(n):
        for j in range(i + 1, n):
            coupling[i, j] = rng.normal(size=(3, 3))
            coupling[j, i] = coupling[i, j].T
    g = rng.normal(size=(3 * n, 3 * n)) + 1j * rng.normal(size=(3 * n, 3 * n))
    Gamma = g @ g.conj().T / (3 * n) if positive else 0.2 * (g + g.conj().T)
    return SpinSystem(scales[0] * rng.normal(size=(n, 3)), scales[1] * coupling, scales[2] * Gamma)


def random_state(rng, n):
    m = rng.normal(size=(2**n, 2**n)) + 1j * rng.normal(size=(2**n, 2**n))
    rho = m @ m.conj().T
    return rho / np.trace(rho).real


def chain(n, J=1.0, hx=0.8, gamma=0.2):
    coupling = np.zeros((n, n, 3, 3))
    coupling[range(n - 1), range(1, n), 2, 2] = coupling[range(1, n), range(n - 1), 2, 2] = J
    rates = np.full(n, gamma)
    return SpinSystem(np.tile([hx, 0.0, 0.0], (n, 1)), coupling, local_dissipator(rates, 0 * rates, 0.1 * rates))


def test_pauli_vectors_are_traces_with_pauli_strings():
    rng = np.random.default_rng(0)
    rho = random_state(rng, 3)
    r = pauli_vector(rho)
    np.testing.assert_allclose(density_matrix(r), rho, atol=1e-15)
    spins, pairs = split_moments(r[moment_indices(3)], 3)
    expected = literal.density_matrix_moments(rho)
    np.testing.assert_allclose(spins, expected[0], atol=1e-14)
    np.testing.assert_allclose(pairs, expected[1], atol=1e-14)
    assert purity(r) == pytest.approx(np.trace(rho @ rho).real)
    assert smallest_eigenvalue(r) == pytest.approx(np.linalg.eigvalsh(rho)[0], abs=1e-14)
    bloch = rng.uniform(-0.5, 0.5, (3, 3))
    np.testing.assert_allclose(density_matrix(product_state(bloch)), literal.product_density_matrix(bloch), atol=1e-15)


def test_the_smallest_eigenvalue_of_a_large_state_is_found_without_diagonalising():
    rng = np.random.default_rng(1)
    rho = random_state(rng, 8)
    assert smallest_eigenvalue(pauli_vector(rho)) == pytest.approx(np.linalg.eigvalsh(rho)[0], abs=1e-9)


@pytest.mark.parametrize("positive", [True, False])
@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_the_generator_is_the_lindbladian(n, positive):
    rng = np.random.default_rng(n)
    system = random_system(rng, n, positive=positive)
    rho = random_state(rng, n)
    found = build_generator(system).apply(pauli_vector(rho))
    expected = pauli_vector(literal.lindblad_action(system, rho))
    assert np.abs(found - expected).max() < 1e-12 * max(1.0, np.abs(expected).max())
    assert found[0] == 0.0  # the trace


@pytest.mark.parametrize("positive", [True, False])
def test_the_field_of_values_is_enclosed(positive):
    """The Chebyshev series relies on it."""
    rng = np.random.default_rng(3)
    for n in (1, 2, 3):
        for _ in range(4):
            generator = build_generator(random_system(rng, n, 10 ** rng.uniform(-2, 1, 3), positive))
            matrix = generator.dense()
            symmetric = np.linalg.eigvalsh((matrix + matrix.T) / 2)
            low, high = generator.real_range
            assert low <= symmetric[0] + 1e-9
            assert high >= symmetric[-1] - 1e-9
            assert np.linalg.norm((matrix - matrix.T) / 2, 2) <= generator.imaginary_bound * (1 + 1e-9)


@pytest.mark.parametrize("case", range(12))
def test_propagation_is_the_exponential(case, monkeypatch):
    """Coherent, dissipative and stiff generators, positive and not, in long and short segments."""
    monkeypatch.setattr(propagation, "DENSE_DIMENSION", 0)
    rng = np.random.default_rng(100 + case)
    n = int(rng.integers(1, 4))
    scales = 10 ** rng.uniform(-2, 1.5, 3) * (rng.random(3) < 0.85)
    system = random_system(rng, n, scales, positive=case % 3 > 0)
    if case % 3 == 0:
        system = SpinSystem(system.field, system.coupling, 0.05 * system.Gamma)
    generator = build_generator(system)
    matrix = generator.dense()
    norm = max(1e-9, -generator.real_range[0], generator.imaginary_bound)
    times = np.sort(rng.uniform(0, min(5.0, 1000 / norm), 5))
    r = pauli_vector(random_state(rng, n))
    found = evolve(generator, r, times, moment_indices(n), keep_states=True, keep_purity=True)
    expected = np.array([expm(t * matrix) @ r for t in times])
    assert np.abs(found.states - expected).max() < 1e-9 * max(1.0, np.abs(expected).max())
    np.testing.assert_allclose(found.purity, purity(expected), rtol=1e-8)
    assert np.array_equal(found.observed, found.states[:, moment_indices(n)]) or np.allclose(
        found.observed, found.states[:, moment_indices(n)], rtol=0, atol=1e-13
    )


def test_the_dense_propagator_agrees_with_the_series(monkeypatch):
    system = random_system(np.random.default_rng(5), 2)
    generator = build_generator(system)
    r, times = product_state(np.tile([0, 0, 1.0], (2, 1))), np.linspace(0, 40, 41)
    dense = evolve(generator, r, times, moment_indices(2))
    assert dense.applications == 0
    monkeypatch.setattr(propagation, "DENSE_DIMENSION", 0)
    series = evolve(generator, r, times, moment_indices(2))
    assert series.applications > 0
    np.testing.assert_allclose(dense.observed, series.observed, atol=1e-10)


def test_a_step_budget_that_is_too_small_is_said():
    generator = build_generator(chain(5))
    with pytest.raises(PointFailed, match="max_steps"):
        evolve(generator, product_state(np.zeros((5, 3))), np.array([50.0]), moment_indices(5), max_applications=100)


def qutip_operators(n):
    sigma = (qutip.sigmax(), qutip.sigmay(), qutip.sigmaz())
    one = qutip.qeye(2)
    return [[qutip.tensor([s if k == i else one for k in range(n)]) for s in sigma] for i in range(n)]


@pytest.mark.parametrize(("n", "end"), [(3, 3.0), (6, 1.5), (8, 0.3)])
def test_qutip_agrees(n, end):
    """A chain with all couplings and fields, local decay, pump and dephasing, and a collective channel."""
    rng = np.random.default_rng(n)
    s = qutip_operators(n)
    field = rng.normal(size=(n, 3))
    coupling = np.zeros((n, n, 3, 3))
    H = sum(field[i, a] * s[i][a] for i in range(n) for a in range(3))
    for i in range(n - 1):
        coupling[i, i + 1] = 0.5 * rng.normal(size=(3, 3))
        coupling[i + 1, i] = coupling[i, i + 1].T
        H += sum(coupling[i, i + 1, a, b] * s[i][a] * s[i + 1][b] for a in range(3) for b in range(3))
    minus, plus, z = rng.uniform(0.1, 0.5, (3, n))
    lower = [(s[i][0] - 1j * s[i][1]) / 2 for i in range(n)]
    jumps = [np.sqrt(minus[i]) * lower[i] for i in range(n)] + [np.sqrt(plus[i]) * lower[i].dag() for i in range(n)]
    jumps += [np.sqrt(z[i]) * s[i][2] for i in range(n)] + [np.sqrt(0.3) * sum(lower)]
    system = SpinSystem(field, coupling, local_dissipator(minus, plus, z) + correlated(LOWERING, 0.3 * np.ones((n, n))))
    times = np.linspace(0, end, 4)
    up = qutip.tensor([qutip.basis(2, 0)] * n)
    watched = [s[0][0], s[1][1], s[n - 1][2], s[0][2] * s[1][2], s[1][0] * s[n - 1][1]]
    expected = qutip.mesolve(
        H, up, times, jumps, e_ops=watched, options={"rtol": 1e-10, "atol": 1e-12, "nsteps": 10**6, "method": "vern9"}
    ).expect
    found = evolve(build_generator(system), product_state(np.tile([0, 0, 1.0], (n, 1))), times, moment_indices(n))
    spins, pairs = split_moments(found.observed, n)
    mine = [spins[:, 0, 0], spins[:, 1, 1], spins[:, n - 1, 2], pairs[:, 0, 1, 2, 2], pairs[:, 1, n - 1, 0, 1]]
    assert max(np.abs(a - b).max() for a, b in zip(mine, expected, strict=True)) < 1e-7


def test_the_spectrum_is_that_of_the_liouvillian():
    system = random_system(np.random.default_rng(12), 2)
    found = liouvillian_spectrum(build_generator(system))
    expected = np.linalg.eigvals(literal.liouvillian_matrix(system))
    assert not found.defective
    assert np.abs(found.values[:, None] - expected[None, :]).min(axis=1).max() < 1e-10
    assert abs(found.values[0]) < 1e-12
    with pytest.raises(ValueError, match="N <= 5"):
        liouvillian_spectrum(build_generator(chain(6)))


def test_a_defective_liouvillian_is_recognised():
    """A spin driven by h s^x with decay gamma has an exceptional point at h = gamma / 8.

    d(y, z)/dt = [[-gamma/2, -2h], [2h, -gamma]] (y, z) + (0, -gamma): both eigenvalues are -3 gamma/4 there.
    """
    gamma = 1.0
    system = SpinSystem(
        np.array([[gamma / 8, 0.0, 0.0]]),
        np.zeros((1, 1, 3, 3)),
        local_dissipator(np.array([gamma]), np.zeros(1), np.zeros(1)),
    )
    found = liouvillian_spectrum(build_generator(system))
    np.testing.assert_allclose(np.sort(found.values.real), [-0.75, -0.75, -0.5, 0.0], atol=1e-7)
    assert found.defective


def test_density_matrices_are_checked():
    rho = np.diag([0.7, 0.3]).astype(complex)
    check_density_matrix(rho)
    with pytest.raises(ValueError, match="trace"):
        check_density_matrix(2 * rho)
    with pytest.raises(ValueError, match="eigenvalue"):
        check_density_matrix(np.diag([1.3, -0.3]).astype(complex))
    rho[0, 1] = 0.1
    with pytest.raises(ValueError, match="not Hermitian"):
        check_density_matrix(rho)
