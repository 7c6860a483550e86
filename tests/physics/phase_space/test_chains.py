"""Chains of collective spins: trajectories against linear theory, exact tiny chains and the classical equations."""

import warnings

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from solvers import SolverWarning, solve
from solvers.engines.classical_lattice import derivative, neighbour_sum
from solvers.engines.phase_space.lattice import (
    AVERAGES,
    CLASSICAL,
    POSITIVE,
    Lattice,
    follow_lattice,
    make_sites,
    start_lattice,
)
from solvers.engines.phase_space.lattice_sample import correlation_length, run_average, stationary
from solvers.engines.phase_space.sampling import COHERENT_WIGNER
from solvers.models.spin_chain import declarations as declare


def quiet(*arguments, **parameters):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SolverWarning)
        return solve(*arguments, **parameters)


def test_neighbours_of_rings_and_tori():
    np.testing.assert_array_equal(neighbour_sum(np.arange(5.0), 5, 1), [5, 2, 4, 6, 3])
    np.testing.assert_array_equal(neighbour_sum(np.array([1.0, 10.0]), 2, 1), [20, 2])
    grid = np.arange(9.0)
    np.testing.assert_array_equal(neighbour_sum(grid, 3, 3)[4], 1 + 3 + 5 + 7)
    np.testing.assert_array_equal(neighbour_sum(grid, 3, 3)[0], 1 + 2 + 3 + 6)


@pytest.mark.parametrize(("N", "lattice"), [(2, "ring"), (3, "ring"), (8, "ring"), (9, "square"), (4, "square")])
def test_noiseless_trajectories_obey_the_classical_equations(N, lattice):
    """The kernel against the vector equations by SciPy: precession, couplings, decay and neighbours, order 2 in the step."""
    point = {
        "N": N, "S": 7.0, "J_x": 0.8, "J_y": -1.1, "J_z": 0.5, "Gamma": 0.6, "couplings": "physical", "lattice": lattice,
        "variant": "positive_diffusion", "sampling": "coherent", "step": 0.01,
    }  # fmt: skip
    width, height = declare.shape(point)
    p = declare.lattice(point, 1.0, 0.4, classical=True)
    assert p.noise == CLASSICAL
    start = np.tile(7.0 * np.array([np.sin(1) * np.cos(0.4), np.sin(1) * np.sin(0.4), np.cos(1)]), (N, 1))

    def rhs(_, y):
        return derivative(y.reshape(N, 3), declare.physical(point), 0.6, 7.0, width, height).ravel()

    times = np.array([0.5, 2.0])
    expected = (
        solve_ivp(rhs, (0, 2), start.ravel(), t_eval=times, rtol=1e-10, atol=1e-12).y.T.reshape(2, N, 3).mean(axis=1)
    )
    out = np.empty((2, 11))
    follow_lattice(p, np.uint64(0), np.uint64(0), times, out)
    np.testing.assert_allclose(out[:, :3], expected, atol=2e-3)
    follow_lattice(p._replace(step=0.001), np.uint64(0), np.uint64(0), times, out)
    np.testing.assert_allclose(out[:, :3], expected, atol=2e-5)


def test_trajectories_of_a_ring_of_three_against_the_exact_one():
    base = {"N": 3, "S": 2.5, "J_x": 0.5, "J_y": -0.8, "J_z": 0.3, "Gamma": 1.0, "theta": 2.0, "times": [0.3, 0.8]}
    exact = solve("spin_chain.dynamics", "exact", **base)
    for bias, tuning in ((0.25, {}), (0.05, {"variant": "conserving", "sampling": "ring"})):
        out = quiet("spin_chain.dynamics", "twoqs", **base, trajectories=3000, **tuning)
        # the bias of <S_a>, in units of hbar and nearly independent of S: measured 0.23 and 0.02 here and at S = 2, 4, 8
        np.testing.assert_array_less(np.abs(out["mean"] - exact["mean"]), 4 * out["mean_sem"] + bias)


def test_linear_theory_of_a_large_spin_is_exact():
    """Two spins, Richardson from S = 2 and 4 towards infinity: the exact ring of two approaches Holstein-Primakoff."""
    base = {"N": 2, "J_x": 0.3, "J_y": -0.5, "J_z": 0.1, "Gamma": 1.0}
    theory = solve("spin_chain.steady_state", "holstein_primakoff", **base, S=5000)
    found = {}
    for S in (2.0, 4.0):
        out = solve("spin_chain.dynamics", "exact", **base, S=S, theta=np.pi, times=[25.0])
        found[S] = np.array([out["mean"][0, 2] + S, out["second"][0, 0, 0] / S, out["second"][0, 1, 1] / S])
    limit = 2 * found[4.0] - found[2.0]
    expected = [theory["excitations"], theory["Sxx_over_S"], theory["Syy_over_S"]]
    np.testing.assert_allclose(limit, expected, atol=2e-3)


@pytest.mark.parametrize("tuning", [{}, {"variant": "conserving", "sampling": "ring"}], ids=["paper", "conserving"])
@pytest.mark.parametrize("lattice", ["ring", "square"])
def test_trajectories_agree_with_linear_theory(lattice, tuning):
    N = 36 if lattice == "square" else 30
    base = {"N": N, "S": 5000, "J_x": 0.4, "J_y": -0.5, "J_z": 0.1, "Gamma": 1.0, "max_distance": 4, "lattice": lattice}
    theory = solve("spin_chain.steady_state", "holstein_primakoff", **base)
    out = solve(
        "spin_chain.steady_state", "twoqs", **base, t_relax=15.0, t_average=100.0, trajectories=8, **tuning
    )  # fmt: skip
    # five standard errors from eight trajectories, and 2 % for the step and for S
    for name in ("excitations", "Sxx_over_S", "Syy_over_S", "Sxy_over_S", "Szz_variance"):
        assert out[name] == pytest.approx(theory[name], abs=5 * out[f"{name}_sem"] + 0.02 * abs(theory[name]) + 1e-3), (
            name
        )
    np.testing.assert_array_less(np.abs(out["correlation"] - theory["correlation"]), 5 * out["correlation_sem"] + 0.02)


def test_correlation_length_is_fitted_to_even_distances():
    s = np.arange(40)
    C = np.where(s % 2 == 0, 1.6 * np.exp(-s / 3.2), 0.0)
    C[0] = 1.0
    assert correlation_length(C, 0.01) == pytest.approx(3.2, rel=1e-9)
    assert np.isnan(correlation_length(C, 0.9))


def test_couplings_of_the_paper_are_a_quarter():
    base = {"N": 10, "Gamma": 1.0}
    paper = solve("spin_chain.steady_state", "holstein_primakoff", **base, J_x=0.125, J_y=-0.3, couplings="paper")
    physical = solve("spin_chain.steady_state", "holstein_primakoff", **base, J_x=0.5, J_y=-1.2)
    for name in paper:
        np.testing.assert_array_equal(paper[name], physical[name])


def test_beyond_the_transition_the_linear_theory_says_so():
    beyond = {"N": 20, "S": 5000, "J_x": 0.125, "J_y": -0.6, "Gamma": 1.0, "couplings": "paper"}
    with pytest.warns(SolverWarning, match="unstable"):
        assert solve("spin_chain.steady_state", "holstein_primakoff", **beyond)["status"] == 2
    run = {"t_relax": 60.0, "t_average": 60.0}
    for method in ("twoqs", "mean_field"):
        out = quiet("spin_chain.steady_state", method, **beyond, **run)
        assert out["status"] == 0
        assert out["Sz_over_S"] > -0.9  # twoqs at N = 100: -0.63


def test_a_trajectory_does_not_depend_on_how_many_there_are():
    base = {"N": 7, "S": 300.0, "J_x": 0.4, "Gamma": 1.0, "theta": 1.0, "times": [0.72], "step": 0.1}
    two, three = (solve("spin_chain.dynamics", "twoqs", **base, trajectories=n, seed=4) for n in (2, 3))
    one = solve("spin_chain.dynamics", "twoqs", **base, trajectories=1, seed=4)
    assert np.isnan(one["mean_sem"]).all()
    first, second = one["mean"], 2 * two["mean"] - one["mean"]
    third = 3 * three["mean"] - 2 * two["mean"]
    assert not np.allclose(first, second)
    assert not np.allclose(second, third)
    other = solve("spin_chain.dynamics", "twoqs", **{**base, "times": [0.1, 0.72]}, trajectories=3, seed=4)
    np.testing.assert_array_equal(other["mean"][1], three["mean"][0])


@pytest.mark.parametrize("variant", ["positive_diffusion", "conserving"])
def test_halving_the_step_follows_the_same_paths(variant):
    """The error of a step is of order 2: a quarter of the step has a sixteenth, far below what separate samples differ by."""
    base = {"N": 400, "S": 200.0, "J_x": 0.8, "J_y": -0.9, "J_z": 0.3, "Gamma": 1.0, "theta": 2.0, "times": [0.8, 2.4]}
    base |= {"variant": variant, "sampling": "ring", "trajectories": 40, "check_step": "yes"}
    coarse, fine = (solve("spin_chain.dynamics", "twoqs", **base, step=step) for step in (0.2, 0.05))
    assert coarse["step_error"] / 22 < fine["step_error"] < coarse["step_error"] / 11
    other = solve("spin_chain.dynamics", "twoqs", **base, step=0.05, seed=1)
    assert fine["step_error"] < 0.2 * np.abs(other["mean"] - fine["mean"]).max() / 200.0
    plain = solve("spin_chain.dynamics", "twoqs", **{**base, "check_step": "no"}, step=0.05)
    np.testing.assert_array_equal(plain["mean"], fine["mean"])
    assert np.isnan(plain["step_error"])


def test_halving_the_step_of_a_stationary_average():
    base = {"N": 20, "S": 500.0, "J_x": 1.0, "J_y": -0.5, "Gamma": 1.0, "t_relax": 5.0, "t_average": 10.0}
    found = solve("spin_chain.steady_state", "twoqs", **base, trajectories=6, step=0.05, check_step="yes")
    assert 0.0 < found["step_error"] < 0.1 * found["Sz_over_S_sem"]  # the same paths: no other sample is so near


def test_groups_of_trajectories_have_the_means_and_errors_of_all():
    """More trajectories than groups: the mean is that of all, and its error that of one by one, as far as 64 groups tell."""
    p = Lattice(12, 1, 50.0, 0.002, -0.004, 0.0, 0.01, POSITIVE, COHERENT_WIGNER, np.pi, 0.0, -0.125, 0.1)
    found = stationary(p, 7, 40, 20, 150, 0.0)
    assert found.averages.shape == (64, AVERAGES) and found.counts.sum() == 150
    each = []
    for number in range(150):
        sites = make_sites(12)
        start_lattice(p, np.uint64(7), np.uint64(number), sites)
        each.append(run_average(p, 7, number, sites, 40, 20)[0])
    np.testing.assert_allclose(found.mean(found.averages), np.mean(each, axis=0), rtol=1e-10)
    np.testing.assert_allclose(found.sem(found.averages), np.std(each, axis=0, ddof=1) / np.sqrt(150), rtol=0.4)
    few = stationary(p, 7, 40, 20, 5, 0.0)
    np.testing.assert_array_equal(few.averages, each[:5])
    np.testing.assert_allclose(few.sem(few.averages), np.std(each[:5], axis=0, ddof=1) / np.sqrt(5), rtol=1e-12)
