"""Mean fields and cumulants with fast and slow rates together: implicit steps, their Jacobians, and what a spent budget leaves."""

import numba
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from solvers import SolverWarning, solve
from solvers.engines import chain_mean_field, macrospin
from solvers.engines.moments import integration
from solvers.engines.moments.many import propagate_many
from solvers.models.landau_lifshitz.trajectory import slope_generalized, slope_landau_lifshitz
from solvers.numerics.outcome import DONE, MAX_STEPS

RATES = np.array([1e9, 1.0])
PRECESSION = np.pi * 5e9  # a field of 5 GHz in Pauli matrices


@pytest.mark.parametrize("relaxing", [False, True])
def test_jacobian_of_a_macrospin(relaxing):
    """Against central differences; without relaxation with |m| kept, where the equation is no polynomial."""
    rng = np.random.default_rng(3)
    terms = {name: rng.normal(size=3) for name in ("decay", "source", "centre")} if relaxing else {}
    row = macrospin.row(*rng.normal(size=(2, 3)), gyro=0.7, damping=0.4, torque=rng.normal(size=3), **terms)
    assert row[macrospin.CONSERVING] == (not relaxing)
    m, h = rng.normal(size=3), 1e-5 * np.eye(3)
    columns = [(macrospin.slope(row, m + e) - macrospin.slope(row, m - e)) / 2e-5 for e in h]
    np.testing.assert_allclose(macrospin.jacobian(row, m), np.transpose(columns), atol=1e-9)


@numba.njit
def solved_with_chain_jacobian(p, y, d, b):
    """x with (d - J) x = b; b is overwritten with it."""
    work = chain_mean_field.workspace(y, p)
    chain_mean_field.differentiate(0.0, y, p, work)
    regular = chain_mean_field.factor(d, work)
    chain_mean_field.solve(work, b)
    return regular, chain_mean_field.norm(work)


@numba.njit
def chain_slope(p, y, dy):
    chain_mean_field.chain_rhs(0.0, y, p, dy)


@pytest.mark.parametrize("n", [1, 2, 7])
def test_block_elimination_of_a_chain_solves_with_its_jacobian(n):
    """Central differences are exact for an equation of second degree."""
    rng = np.random.default_rng(n)
    row = macrospin.row(*rng.normal(size=(2, 3)), torque=rng.normal(size=3), decay=rng.normal(size=3))
    y, x = rng.normal(size=(2, 3 * n))
    J = np.empty((3 * n, 3 * n))
    up, down = np.empty((2, 3 * n))
    for k, e in enumerate(np.eye(3 * n)):
        chain_slope(row, y + e, up)
        chain_slope(row, y - e, down)
        J[:, k] = (up - down) / 2
    b = 2.3 * x - J @ x
    regular, norm = solved_with_chain_jacobian(row, y, 2.3, b)
    assert regular
    np.testing.assert_allclose(b, x, rtol=1e-9, atol=1e-9)
    assert norm >= np.abs(np.linalg.eigvals(J)).max()


@pytest.mark.parametrize("method", ["mean_field", "cumulant"])
def test_uncoupled_spins_with_rates_nine_orders_apart(method):
    """z_k = 2 exp(-gamma_k t) - 1, whatever the precession about z is."""
    times = np.array([0.0, 1e-9, 1e-3, 1.0])
    found = solve(
        "spin_network.dynamics", method, N=2, h=[[0, 0, PRECESSION]] * 2, gamma_minus=RATES.tolist(), times=times
    )
    assert found["status"] == 0
    np.testing.assert_allclose(found["spins"][:, :, 2], 2 * np.exp(-RATES * times[:, None]) - 1, atol=1e-9)


@pytest.mark.parametrize("method", ["mean_field", "cumulant"])
def test_a_spent_budget_leaves_the_times_reached(method):
    """A precession that has to be followed for 5e6 turns: the first turns are right, the rest is said to be missing."""
    times, rates = np.array([0.0, 1e-10, 1e-9, 1e-3]), np.array([*RATES, 0.5])
    with pytest.warns(SolverWarning, match="output times from t = 0.001 on are NaN"):
        found = solve(
            "spin_network.dynamics",
            method,
            N=3,  # two would need no steps for their cumulants
            h=[[0, 0, PRECESSION]] * 3,
            spins0=[[1.0, 0, 0]] * 3,
            gamma_minus=rates.tolist(),
            times=times,
            max_steps=2000,
        )
    assert found["status"] == 1
    assert found["first_bad_time"] == 1e-3
    x = np.cos(2 * PRECESSION * times[:3, None]) * np.exp(-rates * times[:3, None] / 2)
    np.testing.assert_allclose(found["spins"][:3, :, 0], x, atol=1e-8)
    assert np.isnan(found["spins"][3]).all()


@pytest.mark.parametrize(
    ("model", "method", "parameters"),
    [
        ("heisenberg.dynamics", "mean_field", {"N": 3, "Gamma": 1e-3, "B_z": 1e9}),
        ("heisenberg.dynamics", "mean_field_uniform", {"N": 3, "Gamma": 1e-3, "B_z": 1e9}),
        ("landau_lifshitz.trajectory", "landau_lifshitz", {"B_z": 1e9, "theta0": 1.5}),
    ],
)
def test_a_spent_budget_of_magnetisations(model, method, parameters):
    times = [0.0, 1e-9, 1.0]
    with pytest.warns(SolverWarning, match="the step budget was spent"):
        found = solve(model, method, **parameters, times=times, max_steps=500)
    assert found["status"] == 1
    assert found["first_bad_time"] == 1.0
    name = "M"
    assert np.isfinite(found[name][:2]).all()
    assert np.isnan(found[name][2]).all()


@pytest.mark.parametrize("method", ["mean_field", "mean_field_uniform"])
def test_a_chain_that_relaxes_fast_in_a_slow_field(method):
    """The end of the relaxation, against SciPy's Radau on the equations of a bulk site or of three sites, written out."""
    p = {"N": 3, "Gamma": 1e7, "n_b": 0.3, "g_ratio": 0.2, "B_x": 2.0, "B_z": 1.0, "V_x": 0.3, "V_z": 0.4}
    rates = 1e7 / 1.6 * np.array([0.3, 1.3])
    decay, source, g = (
        rates.sum() * np.array([0.5, 0.5, 1.0]),
        np.array([0, 0, rates[1] - rates[0]]),
        0.2 * (rates[1] - rates[0]),
    )
    B, V = np.array([2.0, 0, 1.0]), np.array([0.3, 0, 0.4])

    def slope(_, y):
        m = y.reshape(-1, 3)
        s = 2 * m
        if method == "mean_field":
            s = np.array([m[1], m[0] + m[2], m[1]])
        turn = np.cross(B + V * s / 2 + np.cross([0, 0, g], s) / 2, m)
        return (turn - decay * m - source).ravel()

    times = np.array([0.0, 1e-7, 1e-6, 10.0])
    start = np.tile([1.0, 0, 0], 3 if method == "mean_field" else 1)
    expected = solve_ivp(slope, (0, 10.0), start, method="Radau", t_eval=times, rtol=1e-10, atol=1e-13).y.T
    found = solve("heisenberg.dynamics", method, **p, times=times)
    assert found["status"] == 0
    np.testing.assert_allclose(found["M"], expected.reshape(4, -1, 3).mean(axis=1), atol=1e-8)


@pytest.mark.parametrize(
    ("method", "slope", "Gamma"),
    [("landau_lifshitz", slope_landau_lifshitz, 0.0), ("generalized", slope_generalized, 1.0)],
)
def test_a_magnet_that_falls_fast_onto_an_easy_plane(method, slope, Gamma):
    """In the plane it then turns slowly towards the field; against SciPy's Radau on vector products."""
    zero = {f"{name}_{a}": 0.0 for name in "BVg" for a in "xyz"}
    p = zero | {
        "B_x": 1.0,
        "B_y": 0.2,
        "V_z": -1e6,
        "alpha": 0.5,
        "Gamma": Gamma,
        "n_b": 0.5,
        "theta0": 0.3,
        "phi0": 2.0,
    }
    times = np.array([0.0, 1e-6, 1.0, 4.0])
    right = slope(p)
    start = macrospin.polar(0.3, 2.0)
    expected = solve_ivp(
        lambda _, m: right(m), (0, 4.0), start, method="Radau", t_eval=times, rtol=1e-10, atol=1e-13
    ).y.T
    found = solve("landau_lifshitz.trajectory", method, **p, times=times, max_steps=20_000)
    assert found["status"] == 0
    np.testing.assert_allclose(found["M"], expected, atol=2e-7)


@pytest.mark.parametrize("method", ["mean_field", "cumulant"])
def test_a_budget_that_cannot_suffice_is_given_up_early_and_the_times_before_are_kept(monkeypatch, method):
    """1e9 radians of precession: 2 % of the steps show that the rest would not come far; 20 radians are followed to the end."""
    tried = []
    original = integration.take_segments

    def counted(*arguments):
        tried.append(original(*arguments))
        return tried[-1]

    monkeypatch.setattr(integration, "take_segments", counted)
    point = {"N": 3, "h": [[0, 0, PRECESSION]] * 3, "spins0": [[1.0, 0, 0]] * 3, "gamma_minus": 1.0}
    times = np.array([1e-10, 10.0 / PRECESSION, 1.0])
    with pytest.warns(SolverWarning, match="seen to end far before the next output time"):
        found = solve("spin_network.dynamics", method, **point, times=times, max_steps=600_000)
    assert tried[-1][2] <= 12_000
    np.testing.assert_allclose(
        found["spins"][:2, :, 0], np.cos(2 * PRECESSION * times[:2, None] * [1, 1, 1]), atol=1e-7
    )
    assert np.isnan(found["spins"][2]).all()


def test_steps_that_grow_are_not_given_up():
    """Nor is what steps of ten times the length would reach."""
    assert not integration.hopeless([0.0, 1.0, 2.1], 1e3, 1)
    assert not integration.hopeless([0.0, 1.0, 2.0], 9.0, 1)
    assert integration.hopeless([0.0, 1.0, 2.0], 11.0, 1)


def test_many_cumulants_leave_long_evolutions_to_the_one_that_looks():
    """Side by side no point takes more steps than the first look: 1e9 radians are left over, 1 is not."""
    np.testing.assert_array_equal(integration.first_look(np.array([10**6, 10**3])), [10_000, 5_000])
    spins = np.tile([0.6, 0.0, 0.8], (2, 3, 1))
    field, coupling = np.zeros((2, 3, 3)), np.zeros((2, 3, 3, 3, 3))
    field[:, :, 2] = [[1.0], [1e9]]
    coupling[:, 0, 1, 0, 0] = coupling[:, 1, 0, 0, 0] = 0.1
    tuning = np.full(2, 1e-8), np.full(2, 1e-10), np.full(2, 10**6)
    gamma = np.zeros((2, 9, 9), dtype=complex)
    _, done = propagate_many(integration.CUMULANTS, field, coupling, gamma, spins, np.array([0.0, 1.0]), *tuning)
    assert done.tolist() == [True, False]


@pytest.mark.parametrize(("growth", "ended", "tried"), [(1.0, MAX_STEPS, 20_000), (10.0, DONE, 60_000)])
def test_implicit_steps_are_looked_at_too(growth, ended, tried):
    """Steps of 1e-9 to t = 1: given up at the second look, unless they grow tenfold from each 1e4 of them to the next."""
    taken = []

    def implicit(p, y, times, out, rtol, atol, block, t, h, row, watch):
        reached, used = t, 0
        while used < block:
            reached += 10_000 * 1e-9 * growth ** len(taken)
            taken.append(reached)
            used += 10_000
            if reached >= times[-1]:
                return DONE, times[-1], h, row, used
        return MAX_STEPS, reached, h, row, used

    arguments = None, None, np.array([1.0]), None, 1e-8, 1e-10
    code, reached, _, _, steps = integration.implicit_looks(implicit, arguments, 1_000_000, 10_000, 0.0, 1e-9, 0)
    assert (code, steps) == (ended, tried)
    assert reached == (1.0 if ended == DONE else pytest.approx(2e-5))
