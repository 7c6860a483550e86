"""spin_cat.mean_field with Lorentzian detunings: spins far out follow their field."""

import numpy as np
import pytest

from solvers import solve

ID = "spin_cat.mean_field"


@pytest.mark.parametrize("method", ["paper", "exact"])
def test_followers_agree_with_every_spin_integrated_as_stated(method):
    times = [0.0, 0.5, 2.0, 5.0, 10.0, 30.0, 100.0]
    for realisation in range(3):
        common = {"N": 300, "eta": 300 / 32, "delta": 0.02, "distribution": "lorentzian", "realisation": realisation}
        plain = solve(ID, method, follow_beyond=0.0, times=times, **common)
        fast = solve(ID, method, times=times, **common)
        assert np.abs(fast["c1"] - plain["c1"]).max() < 5.5e-4
        assert np.abs(fast["z"] - plain["z"]).max() < 4.5e-3
        assert np.abs(fast["spread"] - plain["spread"]).max() < 0.025
        assert fast["locked"] == plain["locked"] == 1


def test_steady_states_are_exact():
    common = {"N": 100, "eta": 100 / 25, "delta": 0.04, "distribution": "lorentzian", "times": [400.0]}
    plain = solve(ID, follow_beyond=0.0, **common)
    fast = solve(ID, follow_beyond=0.3, **common)
    for name in ("c1", "z", "spread"):
        np.testing.assert_allclose(fast[name], plain[name], atol=1e-6)


def test_other_distributions_and_given_detunings_are_integrated_as_they_are():
    detunings = np.linspace(-6.0, 6.0, 20)
    common = {"N": 20, "eta": 0.6, "times": [0.5]}
    for extra in ({"detunings": detunings}, {"delta": 4.0}, {"delta": 5.0, "distribution": "uniform"}):
        few, all_of_them = (solve(ID, follow_beyond=b, **common, **extra) for b in (3.0, 0.0))
        assert few["c1"].tobytes() == all_of_them["c1"].tobytes()


@pytest.mark.slow
def test_ten_thousand_drawn_spins():
    found = solve(ID, N=10_000, eta=312.5, delta=0.02, distribution="lorentzian", times=[10.0, 50.0, 100.0])
    assert found["status"] == 0
    assert found["locked"] == 1
    closer = solve(ID, N=10_000, eta=312.5, delta=0.02, distribution="lorentzian", times=[100.0], follow_beyond=10.0)
    assert abs(closer["c1"][0] - found["c1"][2]) < 2e-6
    assert abs(closer["z"][0] - found["z"][2]) < 1e-3
