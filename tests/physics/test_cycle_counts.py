"""Counts of cycles: Krylov projections against cycles run one by one, limits without loss, orbits of period 2."""

import numpy as np
import pytest

from solvers import SolverWarning, solve
from solvers.models.battery import exact_limit
from solvers.models.battery.chain import build
from solvers.models.battery.exact import polarised
from solvers.numerics import power_sequence
from solvers.numerics.power_sequence import first_within


def stochastic(rng, n, slow):
    T = rng.random((n, n)) ** 4
    return (1 - slow) * np.eye(n) + slow * T / T.sum(axis=0)


@pytest.mark.parametrize(("n", "slow"), [(5, 0.5), (40, 0.1), (200, 1e-2), (200, 1e-3)])
@pytest.mark.parametrize("space", [12, 80])
def test_powers_come_inside_when_they_do(monkeypatch, n, slow, space):
    monkeypatch.setattr(power_sequence, "SPACE", space)
    rng = np.random.default_rng(n)
    F, f, v = stochastic(rng, n, slow), rng.random(n), rng.normal(size=n)
    v -= v.sum() * np.ones(n) / n
    for margin in (1e-1, 1e-4):
        state, count = v, 0
        while abs(f @ state) > margin:
            state, count = F @ state, count + 1
        found = first_within(lambda x: (F @ x, float(f @ x)), v, f.max(), margin, 10**6, 10**4)
        assert found == (count, count)
        if count:
            assert first_within(lambda x: (F @ x, float(f @ x)), v, f.max(), margin, count - 1, 10**4) == (count, count)


def one_by_one(p, limit):
    cycle, P, count = exact_limit.CycleMap(p), polarised(p["N"], up=False)[0], 0
    while True:
        P, released = cycle(P)
        count += 1
        if abs(released - limit) <= 0.01 * limit:
            return count


@pytest.mark.parametrize(
    "p",
    [
        {"N": 12, "Gamma": 44.2, "tau_s": 1e-4, "tau_d": 0.0203},
        {"N": 24, "Gamma": 143.725109, "dephasing": 0.5, "tau_s": 0.002322, "tau_d": 0.015198},
        {"N": 41, "Gamma": 0.137, "gamma": 0.41, "dephasing": 1.5, "tau_s": 0.016, "tau_d": 0.0024},  # alternates
        {"N": 60, "Gamma": 1600.0, "tau_s": 0.01, "tau_d": 0.01},
        {"N": 3, "Gamma": 0.3, "tau_s": 0.1, "tau_d": 0.2},
    ],
)
def test_count_is_that_of_cycles_run_one_by_one(p):
    p = {"gamma": 1.0, "dephasing": 0.0} | p
    found = solve("battery.limit_cycle", "exact", **p)
    assert found["status"] == 0
    assert found["cycles_to_converge"] == one_by_one(p, float(found["released"]))


def test_a_count_beyond_max_cycles_is_said():
    p = {"N": 12, "Gamma": 44.2, "tau_s": 1e-4, "tau_d": 0.0203}
    for method in ("exact", "cumulant"):
        with pytest.warns(SolverWarning, match="beyond max_cycles"):
            found = solve("battery.limit_cycle", method, **p, max_cycles=100)
        assert found["status"] == 1
        assert np.isnan(found["cycles_to_converge"])
    assert solve("battery.limit_cycle", "exact", **p, max_cycles=265)["cycles_to_converge"] == 265


@pytest.mark.parametrize("method", ["exact", "chain"])
@pytest.mark.parametrize("N", [1, 2, 31])
def test_without_loss_all_is_emitted_every_time(method, N):
    found = solve("battery.limit_cycle", method, N=N, Gamma=100.0, gamma=0.0, tau_s=1.0, tau_d=1.0)
    assert found["status"] == 0
    for name, value in {"S_after_discharge": 0.5 * N, "released": N, "charged": N, "cycles_to_converge": 1}.items():
        assert found[name] == pytest.approx(value, abs=1e-9), name


def test_without_loss_a_flash_that_hardly_begins_fills_the_ladder_evenly():
    """All M alike up to Gamma N tau_d: a pulse then changes nothing."""
    found = solve("battery.limit_cycle", "exact", N=6, Gamma=1e-4, gamma=0.0, tau_s=1.0, tau_d=1.0)
    assert found["S_after_discharge"] == pytest.approx(3.0, abs=1e-9)
    assert abs(found["charged"]) < 1e-2


@pytest.mark.parametrize("method", ["exact", "cumulant"])
@pytest.mark.parametrize("idle", [{"Gamma": 0.0}, {"Gamma": 10.0, "tau_d": 0.0}, {"Gamma": 0.0, "dephasing": 1.0}])
def test_an_orbit_of_period_2_is_said_and_not_averaged(method, idle):
    with pytest.warns(SolverWarning, match="period 2"):
        found = solve("battery.limit_cycle", method, N=8, gamma=0.0, **idle)
    assert found["status"] == 1
    assert np.isnan(found["charged"])
    assert found["released"] == 0.0
    assert found["S_after_discharge"] == 4.0


def test_the_chain_is_right_next_to_the_identity():
    """Its limit depends on the ratio of the times only, once these are short."""
    means = []
    for tau in (1e-6, 1e-14, 1e-20):
        chain = build(20, 1.0, 0.0, tau, 2 * tau)
        means.append(float(chain.S @ chain.limit()))
    assert means == pytest.approx([means[0]] * 3, rel=1e-4)
