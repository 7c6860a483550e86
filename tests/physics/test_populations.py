"""The populations engine against dense generators, closed forms and conservation laws."""

from decimal import Decimal, localcontext

import numpy as np
import pytest
import scipy.linalg as linalg
from support.high_precision import exponential_action

from solvers.engines import populations as engine
from solvers.engines.coherence_blocks import rotate, rotations
from solvers.engines.individual_loss import jump_table, lose
from solvers.engines.pumped_populations import STIFF, PumpedPropagator, generator
from solvers.models.battery import chain as on_S
from solvers.models.battery import exact_limit


def inverted(N):
    P = np.zeros((N + 1, N // 2 + 1))
    P[N, 0] = 1.0
    return P


def random_state(N, seed=0):
    rng = np.random.default_rng(seed)
    P = np.zeros((N + 1, N // 2 + 1))
    for n in range(N + 1):
        width = min(n, N - n) + 1
        P[n, :width] = rng.random(width)
    return P / P.sum()


def carry(P, gamma, collective, dephasing, tau, positive=True):
    rates = engine.rate_table(P.shape[0] - 1, gamma, collective, dephasing, 0)
    result = P.copy()
    integrals = engine.propagate(result, rates, 0, collective, tau, dephasing > 0.0, positive)
    return result, integrals


@pytest.mark.parametrize("N", [1, 2, 3, 8, 20, 41])
@pytest.mark.parametrize(
    ("gamma", "collective", "dephasing", "tau"),
    [
        (1.0, 0.0, 0.0, 0.3),
        (1.0, 0.0, 0.0, 3.0),
        (1.0, 50.0, 0.0, 0.02),
        (1.0, 1600.0, 0.0, 1e-4),
        (1.0, 1600.0, 0.0, 1e-3),
        (1.0, 1600.0, 0.0, 8.0),
        (1.0, 1600.0, 5.0, 0.2),
        (0.0, 1.0, 0.0, 0.05),
        (1.0, 0.0, 25.0, 1.0),
        (0.0, 0.0, 0.0, 5.0),
    ],
)
def test_propagation_agrees_with_the_dense_exponential(N, gamma, collective, dephasing, tau):
    matrix, states = generator(N, gamma, collective, dephasing, 0.0, 0)
    start = inverted(N)
    expected = linalg.expm(matrix.toarray() * tau) @ start[states]
    found, (_, _, steps) = carry(start, gamma, collective, dephasing, tau)
    assert steps > 0
    assert np.abs(found[states] - expected).sum() < 2e-12
    assert abs(found.sum() - 1.0) < 1e-12
    assert found.min() > -1e-12


@pytest.mark.parametrize("tau", [1e-6, 2e-5, 1e-4, 2e-3, 0.0187, 1.0, 1e3])
def test_N_140_populations_stay_positive_and_sum_to_one(tau):
    found, (excited, emission, steps) = carry(inverted(140), 1.0, 1600.0, 0.0, tau)
    assert steps > 0
    assert abs(found.sum() - 1.0) < 1e-12
    assert found.min() > -1e-12
    # what leaves M is what was emitted or lost
    fallen = 70.0 - engine.moments(found)[0]
    assert fallen == pytest.approx(excited + 1600.0 * emission, abs=1e-9)


def test_collective_decay_conserves_the_total_spin():
    start = random_state(60)
    before = engine.moments(start)
    for tau in (1e-5, 1e-3, 0.1, 10.0):
        after = engine.moments(carry(start, 0.0, 1600.0, 0.0, tau)[0])
        assert after[1] == pytest.approx(before[1], rel=1e-12)
        assert after[2] == pytest.approx(before[2], rel=1e-12)
    # and ends at M = -S
    assert after[0] == pytest.approx(-before[2], abs=1e-10)


@pytest.mark.parametrize("N", [1, 2, 5, 40, 141])
@pytest.mark.parametrize("tau", [0.0, 1e-6, 0.0187, 0.4, 3.0, 1e3])
def test_closed_form_of_loss_agrees_with_the_propagator(N, tau):
    start = random_state(N)
    closed = lose(start, jump_table(N), tau)
    assert np.abs(closed - carry(start, 1.0, 0.0, 0.0, tau)[0]).sum() < 3e-12
    assert engine.moments(closed)[0] + 0.5 * N == pytest.approx(
        (engine.moments(start)[0] + 0.5 * N) * np.exp(-tau), abs=1e-11
    )


def test_one_loss_branches_as_in_section_III():
    # 1/N stays symmetric, the rest has S = N/2 - 1 (the paper prints (N-1)/2)
    jumps = jump_table(140)
    assert jumps[engine.DOWN, 140, 1] == pytest.approx(1 / 140, rel=1e-13)
    assert jumps[engine.SPLIT, 140, 1] == pytest.approx(139 / 140, rel=1e-13)
    assert jumps[engine.MERGE, 140, 1] == 0.0


@pytest.mark.parametrize("N", [2, 3, 6])
def test_dephasing_at_the_bottom_raises_S_at_the_rate_4_phi_times_N_half_minus_S(N):
    k = 1
    P = np.zeros((N + 1, N // 2 + 1))
    P[k, k] = 1.0
    S, phi, tau = 0.5 * N - k, 2.0, 1e-7
    change = engine.moments(carry(P, 0.0, 0.0, phi, tau)[0])[1] - S * (S + 1)
    assert change / tau == pytest.approx(-4 * phi * (S * (S + 1) - S**2 - N / 2), rel=1e-5)


@pytest.mark.parametrize("N", [1, 2, 5])
def test_pump_alone_is_loss_upside_down(N):
    start = random_state(N)
    pumped = start.copy()
    PumpedPropagator(N, 0.0, 0.0, 0.0, 1.3, 0, 0.7).advance(pumped)
    assert np.abs(pumped[::-1] - lose(start[::-1].copy(), jump_table(N), 0.91)).sum() < 1e-12


def test_pumped_propagator_without_pump_agrees_with_the_sweeps():
    start = random_state(12)
    general = start.copy()
    integrals = PumpedPropagator(12, 1.0, 30.0, 2.0, 0.0, 0, 0.2).advance(general)
    swept, expected = carry(start, 1.0, 30.0, 2.0, 0.2)
    assert np.abs(general - swept).sum() < 2e-12
    assert integrals[:2] == pytest.approx(expected[:2], abs=1e-11)


def test_pumped_steady_state_is_the_one_of_independent_emitters():
    # pump 1, loss 1, no collective decay: each spin is up with probability 1/2, long after
    P = inverted(6)
    PumpedPropagator(6, 1.0, 0.0, 0.0, 1.0, 0, 30.0).advance(P)
    mean_M, square, _ = engine.moments(P)
    assert mean_M == pytest.approx(0.0, abs=1e-11)
    assert square == pytest.approx(0.75 * 6, abs=1e-10)


@pytest.mark.parametrize("angle", [0.3, 1.0, 2.5, np.pi])
def test_pulse_turns_the_inverted_state_as_a_vector(angle):
    N = 7
    blocks = [np.zeros((N + 1, N // 2 + 1)) for _ in range(N + 1)]
    blocks[0][N, 0] = 1.0
    turned = rotate(blocks, rotations(N, angle))
    mean_M, square, _ = engine.moments(turned[0])
    assert mean_M == pytest.approx(0.5 * N * np.cos(angle), abs=1e-12)
    assert square == pytest.approx(0.5 * N * (0.5 * N + 1), abs=1e-11)
    back = rotate(turned, rotations(N, -angle))
    assert max(np.abs(a - b).max() for a, b in zip(back, blocks, strict=True)) < 1e-13


@pytest.mark.slow
def test_N_1000_flash_and_storage():
    N = 1000
    P = lose(inverted(N), jump_table(N), 0.5)
    found, (_, _, steps) = carry(P, 1.0, 1600.0, 0.0, 0.0187)
    assert steps > 0
    assert found.min() > -1e-12 and abs(found.sum() - 1.0) < 1e-12
    mean_M, _, mean_S = engine.moments(found)
    assert mean_M == pytest.approx(-mean_S, abs=1e-9)


def test_a_finished_flash_of_a_thousand_emitters_takes_few_steps():
    """A discharge of the limit cycle at Gamma tau N = 6e4, once whole and once in two halves.

    The first step's estimate is noise above the limit. More than a hundred short steps through the flash are not needed.
    """
    p = {"N": 1000, "gamma": 1.0, "dephasing": 0.0, "Gamma": 1600.0, "tau_s": 0.0187, "tau_d": 0.0375}
    chain = on_S.build(1000, 1.0, 0.0, 0.0187, 0.0375)
    stored = exact_limit.CycleMap(p).stored(exact_limit.coarse(p, chain)[0])[0]
    whole, (_, _, steps) = carry(stored, 1.0, 1600.0, 0.0, 0.0375)
    halves = carry(carry(stored, 1.0, 1600.0, 0.0, 0.01875)[0], 1.0, 1600.0, 0.0, 0.01875)[0]
    assert 0 < steps <= 4
    assert np.abs(whole - halves).sum() < 5e-12


def test_a_difference_of_states_ends_its_flash_in_few_steps():
    """Random signs at the top of every multiplet, as the Krylov vectors of the limit cycle have them; against the dense
    exponential."""
    N, tau = 40, 1.0
    k = np.arange(N // 2 + 1)
    start = np.zeros((N + 1, N // 2 + 1))
    start[N - k, k] = np.random.default_rng(0).normal(size=len(k))
    matrix, states = generator(N, 0.5, 1600.0, 0.0, 0.0, 0)
    expected = linalg.expm(matrix.toarray() * tau) @ start[states]
    found, (_, _, steps) = carry(start, 0.5, 1600.0, 0.0, tau, positive=False)
    assert np.abs(found[states] - expected).sum() < 2e-12 * np.abs(start).sum()
    assert steps < 10


def exponential_of_many_digits(rates, tau, start):
    """exp(tau A) start with the diagonal that conserves the sum exactly."""
    exact = [[Decimal(float(x)) for x in row] for row in rates]
    with localcontext() as context:
        context.prec = 100
        for j in range(len(exact)):
            exact[j][j] = -sum((exact[i][j] for i in range(len(exact)) if i != j), Decimal(0))
    return exponential_action(exact, tau, start)


@pytest.mark.parametrize(
    ("gamma", "collective", "dephasing", "pump", "tau"),
    [
        (1.0, 0.0, 1e9, 1.0, 1.0),  # errors of 2e-7 by shifted inverses
        (1e9, 1e9, 0.0, 1e9, 1e9),  # which never ended here
        (1.0, 1e12, 1e3, 1e-2, 30.0),
        (1e-3, 1.0, 1e8, 1e4, 0.2),
    ],
)
def test_pumped_populations_of_any_ratios_of_rates(gamma, collective, dephasing, pump, tau):
    N = 4
    A, (n, k) = generator(N, gamma, collective, dephasing, pump, 0)
    rates = A.toarray()
    np.fill_diagonal(rates, 0.0)
    P = inverted(N)
    expected = exponential_of_many_digits(rates, tau, P[n, k])
    propagator = PumpedPropagator(N, gamma, collective, dephasing, pump, 0, tau)
    excited, emission, _ = propagator.advance(P)
    np.testing.assert_allclose(P[n, k], expected, rtol=1e-11, atol=1e-15)
    # what is pumped up either is still there, is lost or is emitted
    gained = pump * (N * tau - excited)
    assert abs(N + gained - gamma * excited - collective * emission - P[n, k] @ n) < 1e-12 * max(N, gained)


def test_both_propagators_agree_where_both_are_accurate():
    """Just above and below the stiffness from which probabilities are squared."""
    found = []
    for tau in (0.999 * STIFF, 1.001 * STIFF):
        A, _ = generator(8, 1.0, 0.3, 0.5, 0.7, 0)
        scale = 1.0 / float(np.abs(A.diagonal()).max())
        P = inverted(8)
        integrals = PumpedPropagator(8, scale, 0.3 * scale, 0.5 * scale, 0.7 * scale, 0, tau).advance(P)
        found.append((P, np.array(integrals[:2]) / tau))
    np.testing.assert_allclose(found[0][0], found[1][0], atol=1e-12)
    np.testing.assert_allclose(found[0][1], found[1][1], rtol=1e-6)


def test_dephasing_that_rounding_hides_is_refused_beyond_few_emitters():
    P = inverted(60)
    assert PumpedPropagator(60, 1.0, 0.0, 1e9, 1.0, 0, 1.0).advance(P)[2] == -1
