"""Standard errors of trajectories that saw few random events or none: closed forms, exact solutions and many seeds."""

import numpy as np
import pytest

from solvers import solve
from solvers.engines.rare_events import allowing_for_unseen, unseen
from solvers.engines.spin_system import SpinSystem, local_dissipator
from solvers.engines.trajectories import random_by, unravel


def test_the_allowance_is_the_largest_variance_or_one_event():
    """Few events: reach sqrt(p/n), the spread of n trials of probability p; many: reach/n beside the scatter; none: nothing."""
    n = 400
    found = allowing_for_unseen(np.zeros((3, 2)), 2.0, unseen(np.array([0.0, 1e-6, 0.5]), n))
    np.testing.assert_allclose(found, [[0.0] * 2, [2 * np.sqrt(1e-6 / n)] * 2, [2 / n] * 2], rtol=1e-12)
    assert np.isnan(allowing_for_unseen(np.array([np.nan]), 2.0, unseen(np.ones(1), 1))).all()


def test_the_probability_of_silence():
    """One spin up decays: 1 - exp(-gamma t); half polarised, its likelier start has the weight 3/4; a dark start is never left."""
    zero, times = np.zeros(1), np.array([0.0, 0.3, 1.0, 4.0])
    decay = unravel(SpinSystem(np.zeros((1, 3)), np.zeros((1, 1, 3, 3)), local_dissipator(zero + 0.7, zero, zero)))
    up, half, down = (np.array([[0.0, 0.0, z]]) for z in (1.0, 0.5, -1.0))
    np.testing.assert_allclose(random_by(decay, up, times, 1, 1000), -np.expm1(-0.7 * times), atol=1e-9)
    np.testing.assert_allclose(random_by(decay, half, times, 1, 1000), 1 - 0.75 * np.exp(-0.7 * times), atol=1e-9)
    assert not random_by(decay, down, times, 1, 1000).any()


@pytest.mark.parametrize("dephasing", [0.0, 3.0], ids=["alone", "beside frequent dephasing"])
def test_jumps_that_are_mostly_not_seen(dephasing):
    """gamma t n = 0.1 to 2: z = 2 exp(-gamma t) - 1, mostly missed by all trajectories; not one seed is off by four errors."""
    times, trajectories, rate = np.array([0.0, 0.5, 2.0, 10.0]), 200, 1e-3
    exact = 2 * np.exp(-rate * times) - 1
    for seed in range(25):
        found = solve(
            "spin_network.dynamics", method="quantum_jumps", N=1, gamma_minus=rate, gamma_z=dephasing, times=times,
            trajectories=trajectories, seed=seed, keep=["spins", "spins_sem"],
        )  # fmt: skip
        z, sem = found["spins"][:, 0, 2], found["spins_sem"][:, 0, 2]
        assert sem[0] == 0.0
        assert (np.abs(z - exact)[1:] < 4 * sem[1:]).all()
        assert sem[1] < 3 * (2 / trajectories if dephasing else 2 * np.sqrt(rate * times[1] / trajectories) + 0.01)


def test_a_cat_is_sampled_to_the_end_though_its_first_trajectories_are_alike():
    """Without a target_error the first 32 trajectories, of which none jumps, say nothing: all are drawn, and hold the exact fidelity."""
    cat = {"N": 4, "eta": 0.2, "detunings": [0.1, 0.2, -0.1, 0.3], "times": [1.0]}
    exact = solve("spin_cat.lindblad", method="exact", **cat)
    few = solve("spin_cat.lindblad", method="quantum_jumps", trajectories=32, seed=1, **cat)
    many = solve("spin_cat.lindblad", method="quantum_jumps", trajectories=2000, seed=1, **cat)
    for name in ("fidelity", "purity", "excitations"):
        assert many[name] != few[name]
        assert abs(many[name] - exact[name]) < 4 * many[f"{name}_sem"]
        assert abs(few[name] - exact[name]) < 4 * few[f"{name}_sem"]


def test_an_emitter_whose_decay_nobody_saw():
    """One emitter up, gamma tau_s = 1e-4: M = exp(-gamma tau_s) - 1/2, and no decay among 200 trajectories or few."""
    exact = np.exp(-1e-4) - 0.5
    for seed in range(20):
        found = solve(
            "battery.release", method="twa", N=1, gamma=1e-3, tau_s=0.1, window=0.0, trajectories=200, seed=seed
        )
        assert 0.0 < found["M_before_sem"] < 0.02
        assert abs(found["M_before"] - exact) < 4 * found["M_before_sem"]
        assert found["S_before_sem"] == 0.0
