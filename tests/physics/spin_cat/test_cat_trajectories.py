"""spin_cat.lindblad by quantum jumps: against the density matrix, and what the samples promise."""

import numpy as np
import pytest

from solvers import SolverWarning, solve
from solvers.engines.pair_loss.parity_basis import parity_basis
from solvers.engines.pair_loss.wave_functions import lift, lower, unravel

ID = "spin_cat.lindblad"
NAMES = ("fidelity", "purity", "excitations")


@pytest.mark.parametrize("n", [2, 3, 4, 6])
def test_flips_of_a_parity_are_the_collective_operators(n):
    """S_-^2 by flips against the tables of the basis, element by element; S_+^2 is its transpose."""
    basis = parity_basis(n, "both")
    size = 2 ** (n - 1)
    identity = np.eye(len(basis.states))
    prepared = [unravel(basis, 0.0, np.zeros(n), column) for column in identity]
    table = np.zeros_like(identity)
    for r in range(len(identity)):
        for s in basis.above[basis.above_from[r] : basis.above_from[r + 1]]:
            table[r, s] = 2.0
    work, out = np.empty(size, complex), np.empty(size, complex)
    lowered, lifted = np.zeros((2, len(identity), 2, size))
    for s, one in enumerate(prepared):
        for row in range(2):
            psi = one.start[row].astype(complex)
            lower(psi, one.here[row], work)
            lower(work, one.there[row], out)
            lowered[s, row] = out.real
            lift(psi, one.there[row], work)
            lift(work, one.here[row], out)
            lifted[s, row] = out.real
    places = np.array([one.start.ravel() for one in prepared])  # a permutation
    np.testing.assert_array_equal(lowered.reshape(len(identity), -1) @ places.T, table.T)
    np.testing.assert_array_equal(lifted.reshape(len(identity), -1) @ places.T, table)


@pytest.mark.parametrize(
    "point",
    [
        {"N": 5, "eta": 0.4, "delta": 0.3},
        {"N": 3, "eta": 1.0, "delta": 0.3, "parity": "odd"},
        {"N": 4, "eta": 2.0, "delta": 0.3, "start": "coherent"},
        {"N": 6, "eta": 0.6, "delta": 0.1, "start": "four_component"},
    ],
    ids=str,
)
def test_agrees_with_the_density_matrix_within_its_errors(point):
    times = [0.5, 4.0, 15.0]
    expected = solve(ID, "exact", times=times, **point)
    deviations = []
    for turn in range(8):  # phi changes no number but the random ones
        found = solve(ID, "quantum_jumps", times=times, trajectories=200, phi=0.1 * turn, **point)
        deviations += [(found[name] - expected[name]) / found[f"{name}_sem"] for name in NAMES]
    deviations = np.array(deviations)
    assert np.abs(deviations).max() < 4.5
    assert 0.7 < np.sqrt(np.mean(deviations**2)) < 1.3


def test_figure_2_at_eight_spins():
    common = {"N": 8, "delta": 0.01, "parity": "odd", "times": [100.0]}
    expected = solve(ID, "exact", **common)
    found = solve(ID, "quantum_jumps", trajectories=200, **common)
    for name in NAMES:
        assert abs(found[name][0] - expected[name][0]) < 4.5 * found[f"{name}_sem"][0]


def test_output_times_change_no_number():
    common = {"N": 5, "eta": 0.7, "delta": 0.2, "trajectories": 10}
    few = solve(ID, "quantum_jumps", times=[3.0, 8.0], **common)
    many = solve(ID, "quantum_jumps", times=np.linspace(0.0, 8.0, 33), **common)
    for name in NAMES:
        np.testing.assert_allclose(few[name], many[name][[12, 32]], rtol=1e-13)


def test_a_target_ends_the_sample():
    common = {"N": 4, "eta": 0.7, "delta": 0.2, "times": [2.0]}
    found = solve(ID, "quantum_jumps", trajectories=100_000, target_error=0.02, **common)
    errors = max(float(found[f"{name}_sem"].max()) for name in NAMES)
    assert 0.019 < errors <= 0.02


def test_few_trajectories_say_what_they_do_not_know():
    common = {"N": 4, "eta": 0.7, "times": [2.0]}
    one = solve(ID, "quantum_jumps", trajectories=1, **common)
    assert np.isfinite(one["fidelity"][0])
    assert np.isnan(one["fidelity_sem"][0])
    assert np.isnan(one["purity"][0])
    two = solve(ID, "quantum_jumps", trajectories=2, **common)
    assert np.isfinite(two["purity"][0])
    assert np.isnan(two["purity_sem"][0])


def test_more_spins_than_a_density_matrix_allows():
    found = solve(ID, "quantum_jumps", N=12, delta=0.01, trajectories=20, times=[10.0])
    assert found["status"] == 0
    assert found["fidelity"][0] > 0.98
    with pytest.warns(SolverWarning, match="N <= 16"):
        assert solve(ID, "quantum_jumps", N=17)["status"] == 2
    with pytest.warns(SolverWarning, match="steps are needed|each take"):
        assert solve(ID, "quantum_jumps", N=4, eta=1e300)["status"] == 2
