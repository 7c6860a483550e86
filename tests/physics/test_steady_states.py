"""Exact steady states: against rational arithmetic, QuTiP, closed forms and long times, at rates decades apart."""

import numpy as np
import pytest
import qutip
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from solvers.engines.master_equation import rest_by_iteration, steady_state
from solvers.engines.master_equation.generator import build_generator
from solvers.engines.master_equation.matrix_units import generator_on_units, invariant_blocks, mirror
from solvers.engines.master_equation.propagation import evolve
from solvers.engines.master_equation.states import density_matrix, moment_indices, product_state, purity, split_moments
from solvers.engines.spin_system import LOWERING, RAISING, SpinSystem, correlated, local_dissipator
from solvers.engines.validity import judge_steady
from solvers.numerics import graded
from solvers.outcome import PointFailed
from solvers.references.spin_systems import liouvillian_matrix
from tests.physics.test_exact_master_equation import chain, random_system
from tests.support.fractions_of_spins import exact_rest

UP = np.array([0.0, 0.0, 1.0])


def spin_chain(J, h, minus, plus=0.0, z=0.0, n=2):
    """An open chain with couplings J (3,), fields h and rates, each a number or one per site."""
    coupling = np.zeros((n, n, 3, 3))
    for i in range(n - 1):
        coupling[i, i + 1] = coupling[i + 1, i] = np.diag(J)
    field = np.broadcast_to(h, (n, 3)).astype(float)
    return SpinSystem(field, coupling, local_dissipator(*(np.broadcast_to(g, n) for g in (minus, plus, z))))


def all_up(n):
    return product_state(np.tile(UP, (n, 1)))


def one_up(n):
    return product_state(np.vstack([UP, np.tile(-UP, (n - 1, 1))]))


def z_of(found, n):
    return split_moments(found.r[moment_indices(n)], n)[0][:, 2]


@pytest.fixture
def all_by_iteration(monkeypatch):
    monkeypatch.setattr(steady_state, "DENSE", 1)
    monkeypatch.setattr(steady_state, "DENSE_COHERENCES", 1)


def check_against_dense(system):
    matrix = build_generator(system).dense()
    found = steady_state.steady_state(system, all_up(system.N))
    assert found.unique
    assert found.converged
    expected = np.linalg.lstsq(matrix[:, 1:], -matrix[:, 0], rcond=None)[0]
    np.testing.assert_allclose(found.r[1:], expected, atol=1e-9)
    assert found.gap == pytest.approx(-np.sort(np.linalg.eigvals(matrix).real)[-2], rel=1e-6)
    assert found.residual < 1e-11


def systems():
    rng = np.random.default_rng(11)
    yield random_system(rng, 2)
    yield random_system(rng, 3)
    yield chain(3)
    yield spin_chain((0.9, 1.05, 1.3), (0.3, 0.0, 0.4), 0.02, n=4)
    yield spin_chain((1.0, 1.0, 1.5), (0.0, 0.0, 0.1), [0, 0, 0, 0.5], [0.5, 0, 0, 0], n=4)


@pytest.mark.parametrize("system", list(systems()), ids=["random 2", "random 3", "Ising", "weak XYZ", "driven XXZ"])
def test_state_and_gap_are_those_of_the_dense_matrix(system):
    check_against_dense(system)


@pytest.mark.parametrize("system", list(systems()), ids=["random 2", "random 3", "Ising", "weak XYZ", "driven XXZ"])
def test_so_do_the_iterations_of_large_blocks(system, all_by_iteration):
    check_against_dense(system)


rate = st.one_of(st.just(0.0), st.floats(-5, 6).map(lambda power: 10.0**power))
strength = st.one_of(st.just(0.0), st.floats(-4, 4).map(lambda power: 10.0**power))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(rate, min_size=6, max_size=6), st.lists(strength, min_size=9, max_size=9), st.integers(1, 2))
def test_rates_decades_apart_agree_with_rational_arithmetic(rates, strengths, n):
    """Either the state is right to the error it claims and the slowest mode to a percent, or it is said to be undecided."""
    system = spin_chain(
        strengths[6:], np.reshape(strengths[:6], (2, 3))[:n], rates[:n], rates[2 : 2 + n], rates[4 : 4 + n], n
    )
    found = steady_state.steady_state(system, all_up(n))
    exact = exact_rest(system)
    if exact is None:
        assert not found.unique or found.gap == 0.0
        return
    r, slowest = exact
    if judge_steady(found) is None:
        assert np.abs(found.r - r).max() < 1e-4
        # the nearest eigenvalue may oscillate and need not be the rightmost, but none can be right of it and nearer
        assert found.gap <= slowest * 1.03


@pytest.mark.parametrize("k", [1e3, 1e6, 1e9, 1e12])
def test_zeno_effect_of_one_spin(k):
    """h s^x / 2 and strong dephasing k: eigenvalues -k +- sqrt(k^2 - 1), the slow one is 1/(k + sqrt(k^2 - 1))."""
    found = steady_state.steady_state(spin_chain((0, 0, 0), (0.5, 0, 0), 0.0, 0.0, k, n=1), all_up(1))
    assert judge_steady(found) is None
    np.testing.assert_allclose(found.r, [1, 0, 0, 0], atol=1e-15)
    assert found.gap == pytest.approx(1 / (k + np.sqrt(k * k - 1)), rel=1e-12)


def test_a_fast_precession_does_not_hide_the_slow_rates():
    """z = (gamma_+ - gamma_-)/(gamma_+ + gamma_-), slowest rate (gamma_+ + gamma_-)/2 of the turning components."""
    found = steady_state.steady_state(spin_chain((0, 0, 0), (0, 0, np.pi * 5e8), 1.01, 1.0, n=1), all_up(1))
    assert judge_steady(found) is None
    assert found.r[3] == pytest.approx(-0.01 / 2.01, abs=1e-13)
    assert found.gap == pytest.approx(1.005, rel=1e-12)


@pytest.mark.parametrize("n", [2, 5])
def test_excitations_leave_through_the_last_site(n):
    """The vacuum is the only stationary state, however strongly the first site is dephased."""
    system = spin_chain((0.5, 0.5, 0), (0, 0, 0), np.eye(n)[-1], 0.0, 2e4 * np.eye(n)[0], n)
    found = steady_state.steady_state(system, all_up(n))
    assert judge_steady(found) is None
    np.testing.assert_allclose(z_of(found, n), -1.0, atol=1e-12)
    assert found.gap < 1e-3


@pytest.mark.parametrize("scale", [1e-200, 1e-3, 1e200])
def test_everything_scales(scale):
    system = spin_chain((0.4, 0.3, 0.2), (0.5, 0, 0.1), 1.0, 0.2)
    scaled = SpinSystem(system.field * scale, system.coupling * scale, system.Gamma * scale)
    one, other = (steady_state.steady_state(s, all_up(2)) for s in (system, scaled))
    np.testing.assert_allclose(other.r, one.r, atol=1e-12)
    assert other.gap == pytest.approx(scale * one.gap, rel=1e-10)
    assert other.residual < 1e-14 * scale


@pytest.mark.parametrize("n", [4, 5])
def test_qutip_agrees_where_damping_is_weak(n):
    h = np.column_stack([np.full(n, 0.3), np.zeros(n), 0.4 + 0.05 * np.arange(n)])
    found = steady_state.steady_state(spin_chain((0.9, 1.05, 1.3), h, 1e-3, n=n), all_up(n))
    one = [qutip.qeye(2)] * n

    def at(i, operator):
        return qutip.tensor([*one[:i], operator, *one[i + 1 :]])

    axes = (qutip.sigmax(), qutip.sigmay(), qutip.sigmaz())
    H = sum(h[i, a] * at(i, axes[a]) for i in range(n) for a in range(3))
    H += sum(J * at(i, s) * at(i + 1, s) for i in range(n - 1) for J, s in zip((0.9, 1.05, 1.3), axes, strict=True))
    jumps = [np.sqrt(1e-3) * at(i, qutip.sigmap().dag()) for i in range(n)]
    expected = qutip.steadystate(H, jumps, method="direct").full()
    np.testing.assert_allclose(density_matrix(found.r), expected, atol=1e-9)
    assert judge_steady(found) is None


@pytest.mark.slow
def test_six_spins_in_the_insulating_regime():
    """Boundary-driven XXZ at Delta = 20: the gap is 1e-6 of the couplings, and the residual over it still small."""
    system = spin_chain((1.0, 1.0, 20.0), (0, 0, 0), np.eye(6)[-1], np.eye(6)[0], n=6)
    found = steady_state.steady_state(system, all_up(6))
    assert judge_steady(found) is None
    # mirror and spin flip together leave the chain alone: z_i = -z_{N-1-i}
    np.testing.assert_allclose(z_of(found, 6), -z_of(found, 6)[::-1], atol=1e-8)
    assert z_of(found, 6)[2] == pytest.approx(0.9975007715, abs=1e-6)  # QuTiP, direct solver
    assert 0.0 < found.gap < 1e-5


@pytest.mark.slow
def test_eight_spins_without_any_symmetry():
    n = 8
    system = spin_chain((0.25, 0.25, 0.4), (0.3, 0, 0), 1.0, 0.0, 0.1, n)
    found = steady_state.steady_state(system, all_up(n))
    assert judge_steady(found) is None
    assert found.residual < 1e-13
    late = evolve(build_generator(system), found.r, np.array([3.0]), moment_indices(n), rtol=1e-10)
    np.testing.assert_allclose(late.observed[0], found.r[moment_indices(n)], atol=1e-9)


def test_the_steady_state_of_five_spins_is_that_of_long_times():
    generator, start = build_generator(chain(5)), all_up(5)
    found = steady_state.steady_state(chain(5), start)
    late = evolve(generator, start, np.array([25.0 / found.gap]), moment_indices(5), rtol=1e-12)
    np.testing.assert_allclose(found.r[moment_indices(5)], late.observed[0], atol=1e-9)
    # the difference from rest decays at the gap
    two = evolve(generator, start, np.array([8.0, 10.0]) / found.gap, moment_indices(5), rtol=1e-13, keep_states=True)
    size = np.linalg.norm(two.states - found.r, axis=1)
    assert np.log(size[0] / size[1]) / (2.0 / found.gap) == pytest.approx(found.gap, rel=0.05)


def test_a_closed_gap_is_said_and_the_start_decides():
    """Collective decay alone keeps the singlet of two spins: from up-down, half of the state stays in it."""
    system = SpinSystem(np.zeros((2, 3)), np.zeros((2, 2, 3, 3)), correlated(LOWERING, np.ones((2, 2))))
    found = steady_state.steady_state(system, product_state(np.array([UP, -UP])))
    assert not found.unique
    assert found.gap == 0.0
    assert judge_steady(found).kind == "NotUnique"
    singlet = np.array([0, 1, -1, 0]) / np.sqrt(2)
    rho = density_matrix(found.r)
    assert (singlet @ rho @ singlet).real == pytest.approx(0.5, abs=1e-9)
    assert rho[3, 3].real == pytest.approx(0.5, abs=1e-9)


@pytest.mark.parametrize(
    "field", [(-0.665, 0.352, 0.903), (-0.922, -0.458, 0.22), (1.739, -0.496, 0.329), (0.5, 0.25, 0.125)]
)
def test_common_noise_in_an_oblique_field_keeps_the_total_spin(field):
    """S^2 alone is conserved: <s_1 . s_2> = -1 of up-down is spread evenly over the axes, purity 1/3.

    Elimination meets a pivot of pure rounding where the matrix itself has a zero.
    """
    S_z = correlated(np.array([0.0, 0.0, 1.0]), np.ones((2, 2)))
    for scale in np.geomspace(0.3, 3.0, 7):
        system = SpinSystem(np.tile(field, (2, 1)) * scale, np.zeros((2, 2, 3, 3)), S_z)
        found = steady_state.steady_state(system, product_state(np.array([UP, -UP])))
        assert not found.unique
        assert judge_steady(found).kind == "NotUnique"
        spins, pairs = split_moments(found.r[moment_indices(2)], 2)
        np.testing.assert_allclose(spins, 0.0, atol=1e-9)
        np.testing.assert_allclose(pairs[0, 1], -np.eye(3) / 3, atol=1e-9)
        assert purity(found.r) == pytest.approx(1 / 3, abs=1e-9)


@pytest.mark.parametrize("n", [5, 6])
def test_dephasing_leaves_what_commutes_with_it(n):
    system = spin_chain((0, 0, 0), (0, 0, 0), 0.0, 0.0, 1.0, n)
    found = steady_state.steady_state(system, all_up(n))
    np.testing.assert_array_equal(z_of(found, n), 1.0)
    assert purity(found.r) == pytest.approx(1.0, abs=1e-14)
    assert not found.unique


@pytest.mark.parametrize("n", [5, 7])
def test_exchange_and_dephasing_spread_one_flip_evenly(n):
    """S_z is conserved: the equal mixture of the n states with one spin up, z = 2/n - 1, purity 1/n."""
    found = steady_state.steady_state(spin_chain((0.3, 0.3, 0.3), (0, 0, 0), 0.0, 0.0, 1.0, n), one_up(n))
    np.testing.assert_allclose(z_of(found, n), 2 / n - 1, atol=1e-12)
    assert purity(found.r) == pytest.approx(1 / n, abs=1e-12)
    assert not found.unique


@pytest.mark.parametrize("n", [5, 7])
def test_collective_pump_and_decay_flatten_the_ladder(n):
    """Equal rates: all n + 1 states of the ladder alike, purity 1/(n+1), <S_z^2> = S(S+1)/3."""
    Gamma = correlated(LOWERING, np.ones((n, n))) + correlated(RAISING, np.ones((n, n)))
    found = steady_state.steady_state(SpinSystem(np.zeros((n, 3)), np.zeros((n, n, 3, 3)), Gamma), all_up(n))
    assert purity(found.r) == pytest.approx(1 / (n + 1), abs=1e-9)
    _, pairs = split_moments(found.r[moment_indices(n)], n)
    assert (n + pairs[:, :, 2, 2].sum()) / 4 == pytest.approx((n / 2) * (n / 2 + 1) / 3, abs=1e-8)
    assert not found.unique


@pytest.mark.parametrize("n", [3, 6])
def test_a_closed_system_is_averaged_in_time(n):
    """Without dissipation the average keeps what is within the levels of H: energy and Tr(rho H^2) stay."""
    system = spin_chain((1.0, 0.5, 0.3), (0.5, 0.1, 0.4), 0.0, n=n)
    start = all_up(n)
    found = steady_state.steady_state(system, start)
    assert found.gap == 0.0
    assert found.residual < 1e-12
    L = generator_on_units(system)
    rho = density_matrix(found.r).ravel()
    assert np.abs(L @ rho).max() < 1e-12
    at_start, at_rest = (split_moments(r[moment_indices(n)], n) for r in (start, found.r))
    energies = [
        np.sum(system.field * spins) + np.einsum("ijab,ijab->", system.coupling, pairs) / 2
        for spins, pairs in (at_start, at_rest)
    ]
    assert energies[1] == pytest.approx(energies[0], abs=1e-12)


@pytest.mark.parametrize("n", [1, 2, 5, 6])
@pytest.mark.parametrize("h", [(0.0, 0.0, 0.0), (0.3, 0.0, 0.1)])
def test_negative_decay_diverges(n, h):
    """-D[sigma_-] of every spin without field has the eigenvalues 1 ... N."""
    system = spin_chain((0, 0, 0) if h[0] == 0 else (0.1, 0.2, 0.3), h, -1.0, n=n)
    found = steady_state.steady_state(system, all_up(n))
    if h[0] == 0.0:
        assert found.growth > 0.99
    else:
        assert found.growth > 0.5
    with pytest.raises(PointFailed, match="rho diverges"):
        judge_steady(found)


def test_growth_without_end_is_no_state_of_rest():
    """A torque with a part along the field: that component of the spin grows linearly."""
    Gamma = np.zeros((3, 3), dtype=complex)
    Gamma[1, 2], Gamma[2, 1] = 1j, -1j
    found = steady_state.steady_state(SpinSystem(np.array([[1.0, -1.0, 0]]), np.zeros((1, 1, 3, 3)), Gamma), all_up(1))
    assert found.growth == 0.0
    with pytest.raises(PointFailed, match="defective"):
        judge_steady(found)


def test_an_indefinite_dissipator_may_come_to_rest():
    Gamma = local_dissipator(np.ones(2), np.full(2, 0.2), np.zeros(2)) + correlated(LOWERING, 1.1 * (1 - np.eye(2)))
    coupling = np.zeros((2, 2, 3, 3))
    coupling[0, 1] = coupling[1, 0] = np.diag([0.2, 0.3, 0.5])
    system = SpinSystem(np.array([[0.4, 0, 0.1], [0.2, 0, -0.3]]), coupling, Gamma)
    assert not system.positive
    check_against_dense(system)


def test_uncoupled_clusters_are_solved_for_themselves():
    """A product of steady states, at a size where the whole generator without symmetry would have 65536 unknowns."""
    system = spin_chain((0, 0, 0), (0.4, 0, 0.2), np.linspace(0.5, 2.0, 8), n=8)
    found = steady_state.steady_state(system, all_up(8))
    for i in (0, 7):
        part = SpinSystem(
            system.field[i : i + 1], np.zeros((1, 1, 3, 3)), system.Gamma[3 * i : 3 * i + 3, 3 * i : 3 * i + 3]
        )
        alone = steady_state.steady_state(part, all_up(1))
        spins, _ = split_moments(found.r[moment_indices(8)], 8)
        np.testing.assert_allclose(spins[i], alone.r[1:], atol=1e-14)
    assert found.gap == pytest.approx(steady_state.steady_state(system, one_up(8)).gap)
    assert found.unique


def test_the_generator_on_matrix_units_is_the_lindbladian():
    system = random_system(np.random.default_rng(4), 3)
    np.testing.assert_allclose(generator_on_units(system).toarray(), liouvillian_matrix(system), atol=1e-13)


def test_invariant_blocks_are_the_sectors_of_a_conserved_magnetisation():
    """XXZ with loss joins |a><b| and |a'><b'| of one M_a - M_b: sizes C(2N, N + q); exchange alone keeps both M."""
    n = 4
    blocks = list(invariant_blocks(generator_on_units(spin_chain((1, 1, 0.5), (0, 0, 0.3), 0.4, n=n))))
    assert sorted(len(b.units) for b in blocks) == [1, 8, 28, 56, 70]
    assert sum(b.populations > 0 for b in blocks) == 1
    closed = list(invariant_blocks(generator_on_units(spin_chain((1, 1, 0.5), (0, 0, 0.3), 0.0, n=n))))
    assert sum(b.populations > 0 for b in closed) == n + 1
    total = sum(len(b.units) * (1 if b.mirrored else 2) for b in blocks)
    assert total == 4**n
    for block in blocks:
        assert block.mirrored == (set(mirror(block.units, 2**n).tolist()) == set(block.units.tolist()))


def test_graded_elimination_keeps_small_eigenvalues():
    """[[-2k, 1], [-1, 0]]: the small eigenvalue is -1/(k + sqrt(k^2 - 1))."""
    k = 1e12
    A = np.array([[0.0, 1.0], [-1.0, -2 * k]])
    inverse = graded.invert(A)
    assert not inverse.singular
    values, errors = graded.eigenvalues(A, inverse)
    small = np.abs(values).argmin()
    assert values[small].real == pytest.approx(-1 / (k + np.sqrt(k * k - 1)), rel=1e-14)
    assert errors[small] < 1e-10 * abs(values[small])
    assert graded.invert(np.array([[1.0, 1.0], [1.0, 1.0 + 1e-16]])).singular


def test_a_failed_search_for_the_gap_is_said(monkeypatch, all_by_iteration):
    monkeypatch.setattr(rest_by_iteration, "GAP_BUDGET", 0)
    monkeypatch.setattr(rest_by_iteration, "MOST_DENSE", 0)
    found = steady_state.steady_state(spin_chain((0.9, 1.05, 1.3), (0.3, 0.0, 0.4), 0.2, n=4), all_up(4))
    assert np.isnan(found.gap)
    assert judge_steady(found).kind == "NotConverged"
    assert found.residual < 1e-12


def test_a_start_of_any_kind_does_not_matter_where_the_state_is_unique():
    system = chain(3)
    rng = np.random.default_rng(2)
    spins = rng.normal(size=(3, 3))
    spins /= np.linalg.norm(spins, axis=1, keepdims=True)
    one, other = (steady_state.steady_state(system, r0) for r0 in (all_up(3), product_state(spins)))
    np.testing.assert_array_equal(one.r, other.r)
