"""Mean field and second-order cumulants: right-hand sides against Pauli algebra, exact cases, orders in time, conservation."""

import numpy as np
import pytest

from solvers.engines.master_equation.generator import build_generator
from solvers.engines.master_equation.propagation import evolve
from solvers.engines.master_equation.states import moment_indices, product_state, split_moments
from solvers.engines.moments.equations import build_coefficients
from solvers.engines.moments.first_order import mean_field_derivative
from solvers.engines.moments.lattice import lattice_coefficients, lattice_derivative, propagate_lattice
from solvers.engines.moments.packing import pack, raw_correlations, unpack_connected, unpack_spins
from solvers.engines.moments.propagation import CUMULANTS, MEAN_FIELD, propagate, refuse_beyond_memory
from solvers.engines.moments.second_order import cumulant_derivative
from solvers.engines.spin_system import LOWERING, SpinSystem, correlated, local_dissipator, product_correlations
from solvers.evaluate import parse_parameters
from solvers.models.spin_lattice.lattice import LATTICES, build_lattice, build_system, start_spins
from solvers.references.spin_systems import moment_equations
from solvers.registry import find


def random_system(rng, n, dissipative=True, positive=True):
    coupling = np.zeros((n, n, 3, 3))
    for i in range(n):
        for j in range(i + 1, n):
            coupling[i, j] = 0.5 * rng.normal(size=(3, 3))
            coupling[j, i] = coupling[i, j].T
    g = rng.normal(size=(3 * n, 3 * n)) + 1j * rng.normal(size=(3 * n, 3 * n))
    Gamma = 0.3 * (g @ g.conj().T / (3 * n) if positive else (g + g.conj().T) / 4)
    return SpinSystem(rng.normal(size=(n, 3)), coupling, Gamma * dissipative)


def random_moments(rng, n):
    spins = rng.normal(size=(n, 3))
    pairs = rng.normal(size=(n, n, 3, 3))
    pairs = pairs + pairs.transpose(1, 0, 3, 2)
    pairs[np.arange(n), np.arange(n)] = 0.0
    return spins, pairs


def derivatives(system, spins, pairs, path=None):
    n = system.N
    p = build_coefficients(system, CUMULANTS, path)
    y = pack(spins, pairs)
    dy = np.empty_like(y)
    cumulant_derivative(p, y, dy)
    d_spins = unpack_spins(dy, n)
    product = np.einsum("ia,jb->ijab", d_spins, spins)
    product = product + product.transpose(1, 0, 3, 2)
    product[np.arange(n), np.arange(n)] = 0.0
    return d_spins, unpack_connected(dy, n) + product


def path_of(system, order, spins0, times, correlations0=None, rtol=1e-12, **options):
    found = []
    end = propagate(
        system,
        order,
        spins0,
        correlations0,
        np.asarray(times, dtype=float),
        lambda first, s, c: found.append((s, product_correlations(s) if c is None else c)),
        rtol=rtol,
        atol=1e-13,
        max_steps=10**6,
        **options,
    )
    return *(np.concatenate(m) for m in zip(*found, strict=True)), end


def exact_moments(system, spins0, times):
    times = np.asarray(times, dtype=float)
    found = evolve(build_generator(system), product_state(spins0), times, moment_indices(system.N), rtol=1e-13)
    return split_moments(found.observed, system.N)


def tilted(rng, n, length=1.0):
    spins = rng.normal(size=(n, 3))
    return length * spins / np.linalg.norm(spins, axis=1, keepdims=True)


@pytest.mark.parametrize("n", [1, 2, 3, 5])
@pytest.mark.parametrize("positive", [True, False])
def test_right_hand_sides_are_those_of_pauli_algebra(n, positive):
    rng = np.random.default_rng(n)
    system = random_system(rng, n, positive=positive)
    spins, pairs = random_moments(rng, n)
    expected = moment_equations(system, pairs=True)(spins, pairs)
    found = derivatives(system, spins, pairs)
    scale = max(1.0, np.abs(expected[1]).max())
    assert np.abs(found[0] - expected[0]).max() < 1e-12 * scale
    assert np.abs(found[1] - expected[1]).max() < 1e-12 * scale
    dy = np.empty(3 * n)
    mean_field_derivative(build_coefficients(system, MEAN_FIELD), spins.T.ravel().copy(), dy)
    factorised, _ = moment_equations(system, pairs=False)(spins, pairs)
    assert np.abs(unpack_spins(dy, n) - factorised).max() < 1e-12 * max(1.0, np.abs(factorised).max())


def test_moments_survive_packing():
    spins, pairs = random_moments(np.random.default_rng(0), 4)
    y = pack(spins, pairs)
    assert np.array_equal(unpack_spins(y, 4), spins)
    np.testing.assert_allclose(raw_correlations(unpack_connected(y, 4), spins), pairs, atol=1e-15)


def collective_system(rng, n, rank):
    """Couplings and decay of low rank apart from the diagonal: all to all in `rank` axes, and a collective channel."""
    coupling = np.zeros((n, n, 3, 3))
    coupling[:, :, range(rank), range(rank)] = 0.3
    coupling[np.arange(n), np.arange(n)] = 0.0
    phases = np.exp(1j * rng.uniform(0, 6, n))
    Gamma = correlated(LOWERING, 0.5 * np.outer(phases, phases.conj())) + local_dissipator(*np.full((3, n), 0.1))
    return SpinSystem(rng.normal(size=(n, 3)), coupling, Gamma)


@pytest.mark.parametrize("path", ["sparse", "low_rank"])
def test_every_path_is_the_dense_one_to_rounding(path):
    rng = np.random.default_rng(4)
    n = 24
    system = collective_system(rng, n, 2)
    spins, pairs = random_moments(rng, n)
    dense = derivatives(system, spins, pairs, "dense")
    other = derivatives(system, spins, pairs, path)
    scale = np.abs(dense[1]).max()
    assert np.abs(dense[0] - other[0]).max() < 1e-13 * scale
    assert np.abs(dense[1] - other[1]).max() < 1e-13 * scale


def test_the_cheapest_path_is_chosen():
    rng = np.random.default_rng(5)
    n = 60
    chain = np.zeros((n, n, 3, 3))
    chain[range(n - 1), range(1, n), 2, 2] = chain[range(1, n), range(n - 1), 2, 2] = 1.0
    quiet = np.zeros((3 * n, 3 * n), dtype=complex)
    assert build_coefficients(SpinSystem(np.ones((n, 3)), chain, quiet), CUMULANTS).path == 1
    assert build_coefficients(collective_system(rng, n, 1), CUMULANTS).path == 2
    assert build_coefficients(random_system(rng, n), CUMULANTS).path == 0
    with pytest.raises(ValueError, match="no low-rank form"):
        build_coefficients(random_system(rng, n), CUMULANTS, "low_rank")


def test_second_order_is_exact_for_two_spins():
    rng = np.random.default_rng(6)
    system = random_system(rng, 2)
    start = tilted(rng, 2, 0.9)
    times = [0.3, 1.0, 3.0]
    spins, pairs, _ = path_of(system, CUMULANTS, start, times)
    exact = exact_moments(system, start, times)
    assert np.abs(spins - exact[0]).max() < 1e-9
    assert np.abs(pairs - exact[1]).max() < 1e-9


def test_second_order_is_exact_for_disjoint_pairs():
    rng = np.random.default_rng(7)
    n = 6
    whole = random_system(rng, n)
    partner = np.arange(n) // 2
    keep = partner[:, None] == partner[None, :]
    system = SpinSystem(
        whole.field, whole.coupling * keep[:, :, None, None], whole.Gamma * np.kron(keep, np.ones((3, 3)))
    )
    start = tilted(rng, n)
    times = [0.5, 2.0]
    spins, pairs, _ = path_of(system, CUMULANTS, start, times)
    exact = exact_moments(system, start, times)
    assert np.abs(spins - exact[0]).max() < 1e-9
    assert np.abs(pairs - exact[1]).max() < 1e-9


@pytest.mark.parametrize(
    ("order", "slope_s", "slope_c"), [(CUMULANTS, 4, 3), (MEAN_FIELD, 2, 1)], ids=["cumulant", "mean_field"]
)
def test_errors_from_a_product_state_grow_as_the_derivation_says(order, slope_s, slope_c):
    rng = np.random.default_rng(8)
    n = 4
    system = random_system(rng, n)
    start = tilted(rng, n)
    times = np.array([0.01, 0.02]) if order == CUMULANTS else np.array([0.001, 0.002])
    spins, pairs, _ = path_of(system, order, start, times, rtol=1e-14)
    exact = exact_moments(system, start, times)
    error_s = np.abs(spins - exact[0]).max(axis=(1, 2))
    error_c = np.abs(pairs - exact[1]).max(axis=(1, 2, 3, 4))
    assert np.log2(error_s[1] / error_s[0]) == pytest.approx(slope_s, abs=0.15)
    assert np.log2(error_c[1] / error_c[0]) == pytest.approx(slope_c, abs=0.15)


def energy(system, spins, pairs):
    return np.einsum("ia,tia->t", system.field, spins) + 0.5 * np.einsum("ijab,tijab->t", system.coupling, pairs)


def test_energy_is_conserved_without_dissipation():
    rng = np.random.default_rng(9)
    n = 5
    system = random_system(rng, n, dissipative=False)
    start = 0.5 * tilted(rng, n)
    for order in (MEAN_FIELD, CUMULANTS):
        spins, pairs, _ = path_of(system, order, start, [0.0, 0.2, 0.4], rtol=1e-11)
        assert np.ptp(energy(system, spins, pairs)) < 1e-9
        if order == MEAN_FIELD:
            assert np.abs(np.linalg.norm(spins, axis=2) - 0.5).max() < 1e-9


def test_a_heisenberg_magnet_conserves_total_spin_and_its_square():
    n = 5
    coupling = np.zeros((n, n, 3, 3))
    coupling[range(n - 1), range(1, n)] = coupling[range(1, n), range(n - 1)] = 0.5 * np.eye(3)
    system = SpinSystem(np.zeros((n, 3)), coupling, np.zeros((3 * n, 3 * n), dtype=complex))
    start = 0.4 * tilted(np.random.default_rng(10), n)
    spins, pairs, _ = path_of(system, CUMULANTS, start, [0.0, 1.0, 2.0])
    assert np.ptp(spins.sum(axis=1), axis=0).max() < 1e-10
    assert np.ptp(np.einsum("tijaa->t", pairs)) < 1e-10


def test_the_first_bad_time_does_not_need_an_output_there():
    """A violation between two output times is seen at the end of the integrator's step."""
    n = 6
    coupling = np.zeros((n, n, 3, 3))
    coupling[range(n - 1), range(1, n), 2, 2] = coupling[range(1, n), range(n - 1), 2, 2] = 1.0
    field = np.tile([1.0, 0.0, 0.0], (n, 1))
    system = SpinSystem(field, coupling, np.zeros((3 * n, 3 * n), dtype=complex))
    start = np.tile([0.0, 0.0, 1.0], (n, 1))
    fine = path_of(system, CUMULANTS, start, np.linspace(0, 8, 81), rtol=1e-8)[2].first_bad
    coarse = path_of(system, CUMULANTS, start, [8.0], rtol=1e-8)[2].first_bad
    assert np.isfinite(coarse)
    assert coarse == pytest.approx(fine, abs=1e-9)


def test_too_many_spins_are_refused_with_the_bytes():
    with pytest.raises(MemoryError, match="bytes"):
        refuse_beyond_memory(100_000, CUMULANTS)


LATTICE_POINT = {
    "J_x": 0.3, "J_y": 0.7, "J_z": -0.7, "h_x": 0.1, "h_y": 0.2, "h_z": 0.3, "disorder": 0.4, "gamma_minus": 0.5,
    "gamma_plus": 0.2, "gamma_z": 0.1, "gamma_collective": 0.3, "theta": 0.8, "phi": 0.3,
}  # fmt: skip


@pytest.mark.parametrize(("lattice", "n"), [(name, n) for name in LATTICES for n in (1, 4, 49, 289)])
@pytest.mark.parametrize(("exponent", "neighbour"), [(1.5, 0.07), (-7.0, 0.0), (-12.0, 0.9)])
def test_a_lattice_without_its_couplings_has_the_same_equations(lattice, n, exponent, neighbour):
    """As from the (3N, 3N) matrices: derivatives, whether Gamma is positive, and its smallest eigenvalue."""
    given = LATTICE_POINT | {"N": n, "lattice": lattice, "exponent": exponent, "gamma_neighbour": neighbour}
    p = parse_parameters(find("spin_lattice.dynamics"), given)
    system, equal = build_system(p), build_lattice(p)
    y = np.random.default_rng(n).normal(size=3 * n)
    expected, found = np.empty(3 * n), np.empty(3 * n)
    mean_field_derivative(build_coefficients(system, MEAN_FIELD), y, expected)
    lattice_derivative(lattice_coefficients(equal), y, found)
    assert np.abs(found - expected).max() < 1e-13 * np.abs(expected).max()
    assert system.positive == equal.positive
    if n < 50:
        assert equal.smallest_rate() == pytest.approx(system.smallest_rate(), abs=1e-12)


@pytest.mark.parametrize("stiff", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_the_mean_field_of_many_spins_without_their_couplings(stiff):
    """A power law with disorder, by the matrix of couplings and by convolution; stiff with fast dephasing and long times."""
    fast = {"gamma_z": 3e4, "times": [0.5, 3.0]} if stiff else {"times": [0.5, 1.5]}
    given = LATTICE_POINT | {"N": 45 if stiff else 260, "lattice": "power_law", "exponent": 1.2} | fast
    p = parse_parameters(find("spin_lattice.dynamics"), given)
    found = []
    for equal in (False, True):
        states = np.empty((2, p["N"], 3))

        def receive(first, spins, _, states=states):
            states[first : first + len(spins)] = spins

        tuning = {"rtol": 1e-9, "atol": 1e-11, "max_steps": 100_000}
        if equal:
            path = propagate_lattice(build_lattice(p), start_spins(p), p["times"], receive, **tuning)
        else:
            path = propagate(build_system(p), MEAN_FIELD, start_spins(p), None, p["times"], receive, **tuning)
        found.append((states, path.steps))
    assert np.abs(found[0][0] - found[1][0]).max() < 1e-9
    assert found[1][1] < 3000
