"""Quantum trajectories against the exact master equation, and what their random numbers may depend on."""

import numpy as np
import pytest

from solvers import FAILED, evaluate, solve, solve_many
from solvers.engines import trajectories
from solvers.engines.master_equation.generator import build_generator
from solvers.engines.master_equation.propagation import evolve
from solvers.engines.master_equation.states import moment_indices, pauli_vector, product_state
from solvers.engines.spin_system import LOWERING, SpinSystem, correlated, local_dissipator
from solvers.engines.trajectories import (
    apply_effective,
    jump_channels,
    observe_collective,
    observe_sites,
    run_trajectory,
    sample,
    unravel,
)
from solvers.outcome import PointFailed
from solvers.references import spin_systems as literal


def random_system(rng, n):
    coupling = np.zeros((n, n, 3, 3))
    for i in range(n):
        for j in range(i + 1, n):
            coupling[i, j] = 0.5 * rng.normal(size=(3, 3))
            coupling[j, i] = coupling[i, j].T
    g = rng.normal(size=(3 * n, 3 * n)) + 1j * rng.normal(size=(3 * n, 3 * n))
    return SpinSystem(rng.normal(size=(n, 3)), coupling, 0.4 * g @ g.conj().T / (3 * n))


def test_the_effective_hamiltonian_and_the_channels():
    rng = np.random.default_rng(1)
    n = 3
    system = random_system(rng, n)
    p = unravel(system)
    psi = rng.normal(size=8) + 1j * rng.normal(size=8)
    out = np.empty_like(psi)
    apply_effective(p, psi, out, 1.0 + 0.0j)
    s = literal.pauli_operators(n).reshape(-1, 8, 8)
    H = literal.hamiltonian_matrix(system) - 0.5j * np.einsum("pq,qxy,pyz->xz", system.Gamma, s, s)
    energies = np.linalg.eigvalsh(literal.hamiltonian_matrix(system))
    difference = H @ psi - out  # only a real constant times psi: the middle of the spectrum
    constant = np.vdot(psi, difference) / np.vdot(psi, psi)
    assert np.abs(difference - constant * psi).max() < 1e-12
    assert abs(constant.imag) < 1e-13
    assert energies[0] < constant.real < energies[-1]
    rows = jump_channels(system)
    np.testing.assert_allclose(rows.T @ rows.conj(), system.Gamma, atol=1e-13)


def test_local_jumps_stay_local():
    system = SpinSystem(
        np.zeros((4, 3)), np.zeros((4, 4, 3, 3)), local_dissipator(np.full(4, 0.3), np.full(4, 0.3), np.zeros(4))
    )
    rows = jump_channels(system)
    assert len(rows) == 8
    assert all(len({k // 3 for k in np.flatnonzero(row).tolist()}) == 1 for row in rows)


def test_observables_are_expectation_values():
    rng = np.random.default_rng(2)
    n = 3
    psi = rng.normal(size=8) + 1j * rng.normal(size=8)
    r = pauli_vector(np.outer(psi, psi.conj()) / np.vdot(psi, psi).real)
    out = np.empty(9 + 27)
    observe_sites(psi, n, out)
    np.testing.assert_allclose(out, r[moment_indices(n)], atol=1e-14)
    collective = np.empty(12)
    observe_collective(psi, n, np.empty((3, 8), dtype=complex), collective)
    pairs = out[9:].reshape(3, 3, 3)
    np.testing.assert_allclose(collective[:3], out[:9].reshape(3, 3).mean(axis=0), atol=1e-14)
    np.testing.assert_allclose(
        collective[3:].reshape(3, 3), ((pairs + pairs.transpose(0, 2, 1)) / 2).mean(axis=0), atol=1e-14
    )


def test_means_agree_with_the_master_equation():
    """Every kind of term and a partly mixed start: all moments within five standard errors, and typically within one."""
    rng = np.random.default_rng(3)
    system = random_system(rng, 3)
    spins0 = np.array([[0.6, 0.0, 0.8], [0.0, 0.0, 0.0], [0.3, 0.4, -0.5]])
    times = np.array([0.0, 0.4, 1.5])
    found = sample(system, spins0, times, key=7, trajectories=1500, collective=False, max_steps=10**6)
    exact = evolve(build_generator(system), product_state(spins0), times, moment_indices(3)).observed
    z = ((found.mean - exact) / np.maximum(found.sem, 1e-12))[found.sem > 1e-9]
    assert np.abs(z).max() < 5.0
    assert 0.7 < z.std() < 1.3
    assert np.abs(found.mean - exact)[found.sem <= 1e-9].max(initial=0.0) < 1e-12
    assert found.jumps > 0.5


def test_a_single_decay_is_exponential():
    """One spin from up: s^z = 2 exp(-gamma t) - 1."""
    system = SpinSystem(
        np.zeros((1, 3)), np.zeros((1, 1, 3, 3)), local_dissipator(np.ones(1), np.zeros(1), np.zeros(1))
    )
    times = np.array([0.2, 1.0, 3.0])
    found = sample(system, np.array([[0, 0, 1.0]]), times, key=1, trajectories=4000, collective=False, max_steps=10**6)
    assert np.abs((found.mean[:, 2] - 2 * np.exp(-times) + 1) / found.sem[:, 2]).max() < 4.5


POINT = {"N": 3, "J_z": 0.7, "h_x": 0.5, "gamma_minus": 0.6, "gamma_collective": 0.2, "theta": 1.0}


def test_more_trajectories_extend_a_sample():
    """The mean of three trajectories is that of trajectories 0, 1 and 2, each computed alone."""
    system = random_system(np.random.default_rng(4), 3)
    spins0, times = np.tile([0.0, 0.6, 0.8], (3, 1)), np.array([0.5, 1.0])
    three = sample(system, spins0, times, key=11, trajectories=3, collective=True, max_steps=10**6)
    alone = np.empty((3, 2, 12))
    for index in range(3):
        run_trajectory(unravel(system), np.uint64(11), index, spins0, times, True, 10**6, alone[index])
    np.testing.assert_allclose(three.mean, alone.mean(axis=0), atol=1e-15)
    assert not np.array_equal(alone[0], alone[1])


def test_other_times_do_not_change_a_trajectory_and_another_seed_does():
    few = solve("spin_lattice.dynamics", "quantum_jumps", trajectories=10, times=[0.5, 1.0], **POINT)
    other = solve("spin_lattice.dynamics", "quantum_jumps", trajectories=10, times=[0.1, 0.2, 1.0, 5.0], **POINT)
    assert np.array_equal(few["magnetisation"][1], other["magnetisation"][2])
    seeded = solve("spin_lattice.dynamics", "quantum_jumps", trajectories=10, times=[0.5, 1.0], seed=1, **POINT)
    assert not np.array_equal(seeded["magnetisation"], few["magnetisation"])


def test_a_point_has_the_same_numbers_alone_and_in_a_batch():
    points = {"J_z": np.array([0.1, 0.7, 1.3])}
    rest = {k: v for k, v in POINT.items() if k != "J_z"}
    many = solve_many("spin_lattice.dynamics", "quantum_jumps", points=points, trajectories=10, times=[0.5], **rest)
    one = solve("spin_lattice.dynamics", "quantum_jumps", trajectories=10, times=[0.5], **POINT)
    assert np.array_equal(many["squeezing"][1], one["squeezing"])


def test_squeezing_has_a_sensible_standard_error():
    exact = solve("spin_lattice.dynamics", "exact", times=[1.0], **POINT)
    found = solve("spin_lattice.dynamics", "quantum_jumps", times=[1.0], trajectories=600, **POINT)
    assert abs(found["squeezing"][0] - exact["squeezing"][0]) < 5 * found["squeezing_sem"][0]
    assert found["squeezing_sem"][0] < 0.3 * exact["squeezing"][0]


def test_an_indefinite_gamma_is_refused_with_its_eigenvalue():
    system = SpinSystem(np.zeros((3, 3)), np.zeros((3, 3, 3, 3)), correlated(LOWERING, np.ones((3, 3)) - np.eye(3)))
    with pytest.raises(ValueError, match=r"smallest eigenvalue is -0\.5"):
        unravel(system)
    with pytest.raises(ValueError, match="positive Gamma"):
        solve("spin_lattice.dynamics", "quantum_jumps", N=3, gamma_neighbour=1.0, gamma_minus=0.1)


@pytest.mark.parametrize(
    ("parameters", "kind"),
    [
        ({"times": [1e9]}, "StepBudgetSpent"),
        ({"times": [1.0], "J_z": 1e9}, "StepBudgetSpent"),
        ({"times": [1e3], "trajectories": 10**8}, "TooMuchWork"),
    ],
)
def test_hours_are_refused_before_the_first_trajectory(monkeypatch, parameters, kind):
    monkeypatch.setattr(trajectories, "run_trajectory", None)  # not one is begun
    point = {**POINT, **parameters}
    found = evaluate("spin_lattice.dynamics", "quantum_jumps", points={"seed": [0]}, parameters=point)
    assert found.status[0] == FAILED
    assert found.remarks[0].kind == kind
    assert "nothing was computed" in found.remarks[0].message


def test_a_raised_budget_allows_what_was_refused():
    system = SpinSystem(
        np.ones((1, 3)), np.zeros((1, 1, 3, 3)), local_dissipator(np.array([0.1]), np.zeros(1), np.zeros(1))
    )
    p = unravel(system)
    with pytest.raises(PointFailed, match="hours, and max_steps allows"):
        trajectories.refuse_hours(p, 1.0, 10**9, 1000)
    trajectories.refuse_hours(p, 1.0, 10**9, 10**6)
