"""Steady states of many small systems at once: those of `steady_state`, the same bits alone, and what is left to it."""

import numpy as np
import pytest

from solvers import solve
from solvers.engines.master_equation.rests_side_by_side import is_damped, rests_side_by_side
from solvers.engines.master_equation.states import product_state
from solvers.engines.master_equation.steady_state import steady_state
from solvers.engines.spin_system import SpinSystem
from tests.physics.test_side_by_side import compare, systems


@pytest.mark.parametrize("n", [1, 2, 3])
def test_agrees_with_the_steady_state_one_by_one(n):
    field, coupling, Gamma, spins = systems(n, 6, seed=n)
    found = rests_side_by_side(field, coupling, Gamma)
    assert found.treated.all()
    for p in range(6):
        one = steady_state(SpinSystem(field[p], coupling[p], Gamma[p]), product_state(spins[p]))
        np.testing.assert_allclose(found.r[p], one.r, atol=1e-12)
        assert found.gap[p] == pytest.approx(one.gap, rel=1e-9)
        assert found.residual[p] < 1e-13


def test_a_spin_by_its_closed_form():
    """s^z = (gamma_+ - gamma_-)/(gamma_+ + gamma_-); the slowest rate (gamma_+ + gamma_-)/2 is that of two real equal eigenvalues."""
    minus, plus = 0.72, 0.24
    Gamma = np.zeros((1, 3, 3), dtype=complex)
    for rate, vector in ((minus, [0.5, -0.5j, 0.0]), (plus, [0.5, 0.5j, 0.0])):
        Gamma[0] += rate * np.outer(vector, np.conj(vector))
    found = rests_side_by_side(np.zeros((1, 1, 3)), np.zeros((1, 1, 1, 3, 3)), Gamma)
    assert found.treated.all()
    np.testing.assert_allclose(found.r[0], [1.0, 0.0, 0.0, -0.5], atol=1e-15)
    assert found.gap[0] == pytest.approx(0.48, rel=1e-14)


def test_what_is_delicate_is_left():
    field, coupling, Gamma, _ = systems(2, 5, seed=4)
    Gamma[0] = 0.0  # closed
    Gamma[1] = -Gamma[1]  # not positive
    field[2] *= 1e9  # the gap is small beside it
    field[3, 0, 0] = np.nan
    found = rests_side_by_side(field, coupling, Gamma)
    assert found.treated.tolist() == [False, False, False, False, True]
    # y at the rate 3/2 and z at 1 are joined by 2 h_x = 1/4: a double, defective eigenvalue -5/4, the slowest
    Gamma = np.outer([0.5, -0.5j, 0.0], np.conj([0.5, -0.5j, 0.0]))[None] + np.diag([0.0, 0.0, 0.5])
    exceptional = rests_side_by_side(np.array([[[0.125, 0.0, 0.0]]]), np.zeros((1, 1, 1, 3, 3)), Gamma)
    assert exceptional.delicate.all()
    assert np.isnan(exceptional.gap).all()


def test_a_bound_on_the_gap_that_needs_no_eigenvalues():
    """The elimination says of every matrix what the eigenvalues of its symmetric part say."""
    rng = np.random.default_rng(8)
    L = rng.normal(size=(200, 16, 16))
    L[:, range(16), range(16)] -= rng.uniform(2.0, 12.0, size=(200, 1))
    A = L[:, 1:, 1:]
    slowest = -np.linalg.eigvalsh((A + np.swapaxes(A, 1, 2)) / 2)[:, -1]
    damped = np.array([is_damped(matrix, 0.3, np.empty((16, 16)), np.empty(16)) for matrix in L])
    assert (damped == (slowest > 0.3)).all()
    assert 50 < damped.sum() < 150
    assert (-np.linalg.eigvals(A[damped]).real.max(axis=1) > 0.3).all()


@pytest.mark.parametrize("n", [1, 2, 3])
def test_states_without_gaps_have_the_same_bits(n):
    field, coupling, Gamma, _ = systems(n, 6, seed=n)
    Gamma[1, 3 * (n - 1) :] = Gamma[1, :, 3 * (n - 1) :] = 0.0  # the last spin does not decay by itself
    with_gaps = rests_side_by_side(field, coupling, Gamma)
    without = rests_side_by_side(field, coupling, Gamma, gaps=False)
    for name in ("r", "residual", "treated"):
        np.testing.assert_array_equal(getattr(with_gaps, name), getattr(without, name), err_msg=name)
    assert np.isnan(without.gap).all()
    assert with_gaps.treated[2:].all()


def test_defective_modes_of_damped_spins():
    """Two spins of the kind above, each damped by itself: the state in bulk, the gap 5/4 from the spins one by one."""
    gamma = np.diag([0.0, 0.0, 0.5]) + np.outer([0.5, -0.5j, 0.0], np.conj([0.5, -0.5j, 0.0]))
    words = {"N": 2, "h": [[0.125, 0.0, 0.0]] * 2, "dissipator": np.kron(np.eye(2), gamma)}
    found = solve("spin_network.steady_state", "exact", **words)
    assert found["status"] == 0
    assert found["gap"] == pytest.approx(1.25, rel=1e-6)
    spins = solve("spin_network.steady_state", "exact", keep=["spins"], **words)["spins"]
    np.testing.assert_array_equal(spins, found["spins"])


@pytest.mark.parametrize("n", [1, 2, 3])
def test_networks_in_bulk_and_one_by_one_agree(n, monkeypatch):
    rng = np.random.default_rng(n)
    A = np.zeros((n, n, 3, 3))
    A[range(n - 1), range(1, n)] = np.diag([0.5, 0.35, 0.8])
    minus = np.array([0.0, 1e-9, 0.3, 0.5, 1.0, 2.0])
    points = {"gamma_minus": minus, "gamma_plus": rng.uniform(0.0, 0.2, 6) * (minus > 0.1)}
    fixed = {"N": n, "A": A, "h": rng.normal(size=(n, 3))}
    treated, status = compare("spin_network.steady_state", "exact", points, fixed, monkeypatch)
    assert treated.tolist() == [False, False, True, True, True, True]
    assert status[0] == 1
    assert not status[2:].any()
