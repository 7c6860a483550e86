"""The exact evolution where rates, times and sizes are extreme: closed forms, many-digit exponentials, and honest errors."""

import math

import numpy as np
import pytest
from support.high_precision import exponential_action

from solvers.engines.master_equation import closed, exact, propagation
from solvers.engines.master_equation.chebyshev import plan_series
from solvers.engines.master_equation.exact import all_pairs, evolve_exactly, watched_indices
from solvers.engines.master_equation.failures import Diverged, LostInRounding, StepBudgetSpent, TooLong
from solvers.engines.master_equation.generator import build_generator
from solvers.engines.master_equation.intervals import different_intervals
from solvers.engines.master_equation.propagation import evolve
from solvers.engines.master_equation.sectors import find_sector, largest_coset
from solvers.engines.master_equation.states import moment_indices, product_state
from solvers.engines.spin_system import LOWERING, SpinSystem, correlated, local_dissipator
from solvers.numerics.matrix_exponential import exponential, resolved_eigenvalues

UP = np.array([[0.0, 0.0, 1.0]])
TUNING = {"rtol": 1e-10, "max_steps": 10**6}


def one_spin(field=(0, 0, 0), minus=0.0, plus=0.0, z=0.0):
    Gamma = local_dissipator(np.array([minus]), np.array([plus]), np.array([z]))
    return SpinSystem(np.array([field], dtype=float), np.zeros((1, 1, 3, 3)), Gamma)


def coupled(n, bond, field=(0.0, 0.0, 0.0), minus=0.0, z=0.0):
    """An open chain with the diagonal couplings `bond`."""
    coupling = np.zeros((n, n, 3, 3))
    coupling[range(n - 1), range(1, n)] = coupling[range(1, n), range(n - 1)] = np.diag(bond)
    rates = np.ones(n)
    return SpinSystem(np.tile(field, (n, 1)), coupling, local_dissipator(minus * rates, 0 * rates, z * rates))


@pytest.mark.parametrize("k", [10.0, 1e3, 1e6, 1e8, 1e12, 1e20, 1e60])
def test_a_slow_rate_beside_a_fast_one_keeps_its_digits(k):
    """y' = -2 k y - z, z' = y: z = (l2 exp(l1 t) - l1 exp(l2 t))/(l2 - l1) with l1 l2 = 1, l1 + l2 = -2 k."""
    fast = -k - math.sqrt(k * k - 1) if k < 1e8 else -2 * k
    slow = 1 / fast
    t = 2 * k
    expected = (slow * math.exp(fast * t) - fast * math.exp(slow * t)) / (slow - fast)
    found = evolve_exactly(one_spin((0.5, 0, 0), z=k), UP, np.array([t]), **TUNING)
    assert found.observed[0, 2] == pytest.approx(expected, abs=1e-11)
    assert found.error < 2e-11


@pytest.mark.parametrize("k", [1e6, 1e9, 1e12])
def test_slow_exchange_with_a_dephased_spin(k):
    """One excitation on two spins: the populations meet at the rate 2/k, corrections of order 1/k^2."""
    coupling = np.zeros((2, 2, 3, 3))
    coupling[0, 1] = coupling[1, 0] = np.diag([0.5, 0.5, 0.0])
    Gamma = local_dissipator(np.zeros(2), np.zeros(2), np.array([k, 0.0]))
    start = np.array([[0, 0, 1.0], [0, 0, -1.0]])
    found = evolve_exactly(SpinSystem(np.zeros((2, 3)), coupling, Gamma), start, np.array([k / 4]), **TUNING)
    assert found.observed[0, 2] == pytest.approx(math.exp(-0.5), abs=1e-10)
    assert found.error < 1e-10


@pytest.mark.parametrize("angle", [1e3, 1e8, 1e13, 1e18, 1e250])
def test_a_closed_rotation_keeps_its_length_and_says_what_it_knows_of_the_phase(angle):
    found = evolve_exactly(one_spin((angle, 0, 0)), UP, np.array([1.0]), purity=True, **TUNING)
    assert np.linalg.norm(found.observed[0]) == pytest.approx(1.0, abs=1e-13)
    assert found.purity[0] == pytest.approx(1.0, abs=1e-13)
    assert np.finfo(float).eps * angle <= found.error <= 4 * np.finfo(float).eps * angle
    if angle < 1e8:
        np.testing.assert_allclose(found.observed[0, 1:], [-math.sin(2 * angle), math.cos(2 * angle)], atol=1e-11)
    assert (found.inaccuracy(1e-10) is None) == (angle < 1e5)


def test_a_mixed_closed_state_keeps_its_purity():
    rng = np.random.default_rng(3)
    system = SpinSystem(1e12 * rng.normal(size=(2, 3)), np.zeros((2, 2, 3, 3)), np.zeros((6, 6), dtype=complex))
    start = 0.5 * rng.normal(size=(2, 3)) / 3
    found = evolve_exactly(system, start, np.array([1.0, 100.0]), purity=True, smallest=True, **TUNING)
    lengths = np.linalg.norm(start, axis=1)
    np.testing.assert_allclose(found.purity, np.prod(1 + lengths**2) / 4, rtol=1e-13)
    np.testing.assert_allclose(found.smallest, np.prod(1 - lengths) / 4, rtol=1e-12)
    np.testing.assert_allclose(
        np.linalg.norm(found.observed[:, :6].reshape(2, 2, 3), axis=2), np.tile(lengths, (2, 1)), rtol=1e-12
    )


def test_a_state_at_rest_in_a_huge_field_is_exact():
    found = evolve_exactly(one_spin((0, 0, 1e18)), UP, np.array([1.0]), **TUNING)
    np.testing.assert_array_equal(found.observed[0], [0, 0, 1])
    assert found.error == 0.0


def extreme_system(rng, n):
    """Fields, couplings and rates over 24 decades, a third of them missing."""

    def sizes(*shape):
        return 10 ** rng.uniform(-12, 12, shape) * (rng.random(shape) < 0.7)

    coupling = np.zeros((n, n, 3, 3))
    if n == 2:
        coupling[0, 1] = sizes(3, 3) * (rng.random((3, 3)) < 0.4)
        coupling[1, 0] = coupling[0, 1].T
    Gamma = local_dissipator(sizes(n), sizes(n), sizes(n))
    if rng.random() < 0.3:
        Gamma = Gamma + correlated(LOWERING, sizes(1)[0] * np.ones((n, n)))
    return SpinSystem(sizes(n, 3) * rng.choice([-1, 1], (n, 3)), coupling, Gamma)


@pytest.mark.parametrize(("n", "count"), [(1, 60), (2, 6)])
def test_extreme_parameters_are_right_or_the_error_is_said(n, count):
    """Against exponentials with hundreds of digits; the estimate may be short by a factor, never by a kind."""
    rng = np.random.default_rng(11 + n)
    accurate = 0
    for _ in range(count):
        system = extreme_system(rng, n)
        spins = rng.normal(size=(n, 3))
        start = spins / np.linalg.norm(spins, axis=1, keepdims=True)
        times = np.sort(10 ** rng.uniform(-12, 12, 2))
        try:
            found = evolve_exactly(system, start, times, **TUNING)
        except LostInRounding:  # lost in rounding, and said
            continue
        matrix, r = build_generator(system).dense(), product_state(start)
        expected = np.array([exponential_action(matrix, t, r) for t in times])
        error = np.abs(expected[:, watched_indices(n, all_pairs(n))] - found.observed).max()
        assert error <= max(10 * found.error, 1e-11)
        accurate += found.error < 1e-10
    assert accurate > count / 2


def test_the_exponential_resolves_eigenvalues_of_all_sizes():
    d = -np.array([1e-12, 1e-3, 1.0, 1e5, 1e14, 1e22])
    matrix = np.diag(d) + np.diag(1e-3 * np.minimum(-d[:-1], -d[1:]), 1)
    found = np.sort(resolved_eigenvalues(matrix).real)[::-1]
    np.testing.assert_allclose(found[2:], d[2:], rtol=1e-9)
    np.testing.assert_allclose(found[:2], d[:2], atol=1e-12)
    np.testing.assert_allclose(np.diagonal(exponential(matrix, stable=True).value), np.exp(d), atol=1e-13)


@pytest.mark.parametrize(
    "times",
    [
        [0.05, 0.15, 1e13],
        [1e-6, 1e-6, 3e-6, 1e9],
        np.logspace(-8, 8, 33),
        [0.0, 0.0, 1e-3, 1e-3, 2.0],
        1e9 + 1e-6 * np.arange(5),
        np.concatenate([np.linspace(0, 1, 11), [1e12]]),
        [1e-300, 3e-300],
    ],
)
def test_output_times_are_never_merged(times):
    times = np.asarray(times)
    steps, which = different_intervals(times)
    np.testing.assert_allclose(np.cumsum(steps[which].astype(np.longdouble)).astype(float), times, rtol=1e-15)
    found = evolve_exactly(one_spin(minus=1.0), UP, times, **TUNING)
    np.testing.assert_allclose(found.observed[:, 2], 2 * np.exp(-times) - 1, atol=1e-12)
    assert found.error < 2e-11


def test_a_regular_grid_has_one_interval():
    for times in (np.linspace(0, 100, 101), np.linspace(0, 1000, 10001), 0.1 * np.arange(1, 50)):
        assert len(different_intervals(times)[0]) == 1 + (times[0] == 0.0)


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_everything_scales(scale):
    system = coupled(2, (0.3, 0.5, 0.7), (0.2, 0.1, 0.4), minus=0.1, z=0.05)
    scaled = SpinSystem(scale * system.field, scale * system.coupling, scale * system.Gamma)
    times = np.array([0.5, 3.0])
    one = evolve_exactly(system, np.tile(UP, (2, 1)), times, **TUNING)
    other = evolve_exactly(scaled, np.tile(UP, (2, 1)), times / scale, **TUNING)
    np.testing.assert_allclose(one.observed, other.observed, atol=1e-13)


def test_growth_is_computed_while_it_is_finite():
    """Decay at the rate -1: z = 2 exp(t) - 1."""
    system = one_spin(minus=-1.0)
    times = np.array([1.0, 20.0, 600.0])
    found = evolve_exactly(system, UP, times, **TUNING)
    np.testing.assert_allclose(found.observed[:, 2], 2 * np.exp(times) - 1, rtol=1e-11)
    with pytest.raises(Diverged, match="real part 1 > 0"):
        evolve_exactly(system, UP, np.array([1.0, 1000.0]), **TUNING)


def test_growth_in_the_series_too(monkeypatch):
    monkeypatch.setattr(propagation, "DENSE_DIMENSION", 0)
    generator = build_generator(one_spin(minus=-1.0))
    times = np.array([1.0, 20.0])
    found = evolve(generator, product_state(UP), times, moment_indices(1), rtol=1e-10)
    np.testing.assert_allclose(found.observed[:, 2], 2 * np.exp(times) - 1, rtol=1e-9)
    with pytest.raises(Diverged, match="diverges"):
        evolve(generator, product_state(UP), np.array([1000.0]), moment_indices(1), rtol=1e-10)


@pytest.mark.parametrize(
    ("system", "failure", "end"),
    [
        (coupled(6, (0.5, 0.3, 0.2), (0.7, 0.1, 0.4), minus=1e9), StepBudgetSpent, 1.0),
        (coupled(8, (0.5, 0.3, 0.2), (0.7, 0.1, 0.4), minus=1e3), TooLong, 3e2),
        (coupled(12, (0.5, 0.3, 0.2), (0.7, 0.1, 0.4)), StepBudgetSpent, 1e9),
    ],
)
def test_a_price_beyond_the_budget_is_refused_before_anything_is_computed(system, failure, end, monkeypatch):
    def not_called(*_):
        raise AssertionError("work was done before the refusal")

    monkeypatch.setattr(propagation, "sum_segment", not_called)
    monkeypatch.setattr(propagation, "sum_segment_of_rows", not_called)
    monkeypatch.setattr(closed, "sum_wave_segment", not_called)
    with pytest.raises(failure, match="nothing was computed"):
        evolve_exactly(system, np.tile(UP, (system.N, 1)), np.array([0.0, end]), **TUNING)


def test_a_state_at_rest_is_not_propagated_further():
    """Driven and damped spins with exchange: after many lifetimes nothing changes, and no further segment is computed."""
    generator = build_generator(coupled(5, (0.3, 0.2, 0.1), (0.7, 0.1, 0.4), minus=1.0))
    start = product_state(np.tile(UP, (5, 1)))
    late = evolve(generator, start, np.array([60.0]), moment_indices(5), rtol=1e-10)
    later = evolve(generator, start, np.array([60.0, 5e3, 1e4]), moment_indices(5), rtol=1e-10, keep_purity=True)
    assert later.applications < 5 * late.applications
    np.testing.assert_allclose(later.observed, np.tile(late.observed, (3, 1)), atol=1e-10)
    assert np.abs(generator.apply(late.final)).max() < 1e-9


def test_stiff_rates_without_coupling_need_no_budget():
    rates = np.array([1e9, 1.0, 1.0, 1.0, 1.0])
    system = SpinSystem(np.zeros((5, 3)), np.zeros((5, 5, 3, 3)), local_dissipator(rates, 0 * rates, 0 * rates))
    found = evolve_exactly(system, np.tile(UP, (5, 1)), np.array([0.0, 1.0]), purity=True, **TUNING)
    np.testing.assert_allclose(found.observed[1, 2:15:3], 2 * np.exp(-rates) - 1, atol=1e-12)
    assert found.purity[1] == pytest.approx(np.prod((1 + (2 * np.exp(-rates) - 1) ** 2) / 2), abs=1e-12)


def test_the_largest_block_is_bounded_by_a_group():
    rng = np.random.default_rng(2)
    for system in (coupled(4, (0.0, 0.0, 0.6), (0.0, 0.0, 0.3), z=0.3), coupled(4, (0.5, 0.5, 0.2), minus=0.1)):
        generator = build_generator(system)
        sector = find_sector(generator, rng.normal(size=256), None, 1.0)
        largest = max(len(b) for b in sector.blocks())
        assert largest <= largest_coset(generator) < 256
    everything = coupled(4, (0.5, 0.3, 0.2), (0.1, 0.2, 0.3), minus=0.1)
    assert largest_coset(build_generator(everything)) == 256


def test_hopping_and_dephasing_need_few_strings():
    """Bilinear in fermions: s_i^z is decided by N^2 strings, of 4^N."""
    system = coupled(7, (0.5, 0.5, 0.0), z=0.2)
    start = product_state(np.array([[0, 0, (-1.0) ** i] for i in range(7)]))
    generator = build_generator(system)
    z = watched_indices(7, np.empty((0, 2), dtype=np.int64))[2::3]
    sector = find_sector(generator, start, z)
    assert sector.size <= 49
    found = evolve(generator, start, np.array([0.5, 3.0]), z, keep_final=False)
    monkey = evolve(generator, start, np.array([0.5, 3.0]), z, keep_states=True)
    np.testing.assert_allclose(found.observed, monkey.states[:, z], atol=1e-9)


@pytest.mark.parametrize("dense", [0, 512])
def test_a_sector_evolves_like_the_whole(dense, monkeypatch):
    """Dephasing and Ising couplings: many blocks, dense or as a sparse series, against the full generator."""
    monkeypatch.setattr(propagation, "DENSE_DIMENSION", dense)
    monkeypatch.setattr(propagation, "work_of_blocks", lambda *_: 0.0)
    rng = np.random.default_rng(5)
    system = coupled(5, (0.0, 0.0, 0.6), (0.0, 0.0, 0.3), minus=0.1, z=0.3)
    spins = rng.normal(size=(5, 3))
    start = product_state(spins / np.linalg.norm(spins, axis=1, keepdims=True))
    generator = build_generator(system)
    times = np.array([0.0, 0.3, 2.0, 2.0, 9.0])
    found = evolve(generator, start, times, moment_indices(5), rtol=1e-10, keep_purity=True, keep_final=False)
    assert (found.applications == 0) == (dense > 0)
    monkeypatch.setattr(propagation, "find_sector", lambda *_: None)
    whole = evolve(generator, start, times, moment_indices(5), rtol=1e-10, keep_purity=True)
    assert whole.applications > 0
    np.testing.assert_allclose(found.observed, whole.observed, atol=1e-9)
    np.testing.assert_allclose(found.purity, whole.purity, atol=1e-9)


@pytest.mark.parametrize("n", [1, 2, 4])
@pytest.mark.parametrize("way", ["eigenvectors", "series", "density matrix"])
def test_closed_systems_agree_with_the_master_equation(n, way, monkeypatch):
    rng = np.random.default_rng(n)
    coupling = rng.normal(size=(n, n, 3, 3))
    coupling = coupling + coupling.transpose(1, 0, 3, 2)
    coupling[range(n), range(n)] = 0.0
    system = SpinSystem(rng.normal(size=(n, 3)), coupling, np.zeros((3 * n, 3 * n), dtype=complex))
    spins = rng.normal(size=(n, 3))
    spins *= (0.7 if way == "density matrix" else 1.0) / np.linalg.norm(spins, axis=1, keepdims=True)
    times = np.array([0.0, 0.3, 0.3, 2.0, 7.0])
    expected = evolve(
        build_generator(system), product_state(spins), times, moment_indices(n), rtol=1e-11, keep_purity=True
    )
    if way == "density matrix":
        found = closed.evolve_density_matrix(system, product_state(spins), times, moment_indices(n))
    else:
        if way == "series":
            monkeypatch.setattr(closed, "_EIGENVECTOR_SPINS", 0)
        found = closed.evolve_wave(system, closed.product_wave(spins), times, all_pairs(n), rtol=1e-11)
    np.testing.assert_allclose(found.observed, expected.observed, atol=1e-10)
    np.testing.assert_allclose(found.purity, expected.purity, atol=1e-10)


def test_sixteen_spins_evolve_as_a_wave_function():
    """Ising couplings from the equator: <s^x> of an inner spin is cos(2 J t)^2, of an end cos(2 J t)."""
    system = coupled(16, (0.0, 0.0, 0.4))
    start = np.tile([1.0, 0.0, 0.0], (16, 1))
    found = evolve_exactly(system, start, np.array([0.0, 0.7]), pairs=np.array([[0, 1]]), purity=True, **TUNING)
    c = math.cos(2 * 0.4 * 0.7)
    np.testing.assert_allclose(found.observed[1, :48:3], [c, *[c * c] * 14, c], atol=1e-9)
    np.testing.assert_allclose(found.purity, 1.0, atol=1e-10)


def test_a_pure_density_matrix_becomes_a_wave_function():
    rng = np.random.default_rng(8)
    spins = rng.normal(size=(3, 3))
    spins /= np.linalg.norm(spins, axis=1, keepdims=True)
    psi = closed.pure_wave(product_state(spins))
    assert abs(abs(np.vdot(psi, closed.product_wave(spins))) - 1) < 1e-13
    assert closed.pure_wave(product_state(0.9 * spins)) is None


def test_an_inaccurate_point_is_said():
    found = exact.ExactEvolution(np.zeros((1, 3)), None, None, 3e-7)
    assert exact.judged(found, 1e-6, 0, None) == (0, None)
    status, remark = exact.judged(found, 1e-8, 0, None)
    assert status == 1
    assert "3e-07" in remark.message


def test_the_series_has_a_segment_for_any_scale():
    for scale in (1e-300, 1e300):
        series = plan_series((-scale, 0.0), scale, 1.0 / scale, 1e-10)
        assert series.length == pytest.approx(1.0 / scale)
