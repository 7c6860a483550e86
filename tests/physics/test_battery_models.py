"""The battery models: edges, failures and numbers of the paper (checks and references: `test_every_model.py`)."""

import warnings

import numpy as np
import pytest

from solvers import SolverWarning, evaluate, models, solve, solve_many
from solvers.models.battery.cumulants import (
    d_diagonal,
    d_full,
    diagonal_jacobian,
    diagonal_series,
    discharge_diagonal,
    full_jacobian,
)
from solvers.models.battery.moment_equations import d_moments
from solvers.numerics.taylor_start import TAYLOR_ORDER
from solvers.outcome import Kind

IDS = [name for name in models() if name.startswith("battery.")]
FIG3 = {"N": 140, "Gamma": 1600.0, "tau_s": 0.0187, "tau_d": 0.0187}


def quiet(model, method=None, **parameters):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SolverWarning)
        return solve(model, method, **parameters)


def test_all_battery_models_are_there():
    assert set(IDS) == {
        "battery.release",
        "battery.cycles",
        "battery.trajectory",
        "battery.limit_cycle",
        "battery.derivative",
        "battery.inhomogeneous",
    }


@pytest.mark.parametrize("method", ["exact", "cumulant"])
def test_solve_many_gives_the_bits_of_solve(method):
    taus = np.array([0.3, 0.01, 0.1])
    together = solve_many("battery.cycles", method, points={"tau_s": taus}, N=11, Gamma=50.0, tau_d=0.1, cycles=3)
    for i, tau in enumerate(taus):
        alone = solve("battery.cycles", method, N=11, Gamma=50.0, tau_s=tau, tau_d=0.1, cycles=3)
        for name, value in alone.items():
            assert np.array_equal(together[name][i], value, equal_nan=True), name


@pytest.mark.parametrize("jacobian_of", ["diagonal", "full"])
@pytest.mark.parametrize("printed", [0.0, 1.0])
def test_jacobians_are_the_derivatives(jacobian_of, printed):
    rhs, jacobian, size = (
        (d_diagonal, diagonal_jacobian, 5) if jacobian_of == "diagonal" else (d_full, full_jacobian, 11)
    )
    rng = np.random.default_rng(1)
    p = np.array([7.0, 0.9, 3.0, 0.4, 0.3, printed])
    y = rng.normal(size=size)
    J = np.zeros((size, size))
    jacobian(0.0, y, p, J)
    for i in range(size):
        ahead, behind, step = np.zeros(size), np.zeros(size), 1e-5
        moved = y.copy()
        moved[i] += step
        rhs(0.0, moved, p, ahead)
        moved[i] -= 2 * step
        rhs(0.0, moved, p, behind)
        np.testing.assert_allclose(J[:, i], (ahead - behind) / (2 * step), rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("N", [1.0, 2.0, 7.0])
@pytest.mark.parametrize("printed", [0.0, 1.0])
def test_the_series_obeys_the_equations(N, printed):
    """The derivative of sum c_k t^k is the right-hand side at that sum, at a time well within its radius."""
    p, y = np.array([N, 0.9, 3.0, 0.4, 0.3, printed]), np.random.default_rng(3).uniform(-0.5, 0.5, size=5)
    c, slope, t = np.zeros((5, TAYLOR_ORDER + 1)), np.zeros(5), 0.01
    diagonal_series(p, y, c)
    k = np.arange(1, TAYLOR_ORDER + 1)
    d_diagonal(0.0, c @ t ** np.arange(TAYLOR_ORDER + 1), p, slope)
    np.testing.assert_allclose((k * c[:, 1:]) @ t ** (k - 1), slope, rtol=1e-13, atol=1e-13)


def test_a_flash_and_its_stiff_tail_against_radau():
    """By series and then implicitly, at times inside and between their steps; rates from 1 to 10^5."""
    from scipy.integrate import solve_ivp

    p, start = np.array([140.0, 1.0, 1600.0, 0.0, 0.0, 0.0]), np.array([0.46, -0.0018, 0.2, 0.0, 0.0])
    times = np.concatenate([[0.0], np.geomspace(1e-6, 0.0187, 30)])

    def slope(t, y):
        dy = np.zeros(5)
        d_diagonal(t, y, p, dy)
        return dy

    expected = solve_ivp(slope, (0.0, 0.0187), start, method="Radau", t_eval=times, rtol=1e-11, atol=1e-13).y.T
    code, rows, steps = discharge_diagonal(start.copy(), p, times, 1e-9, 1e-12, 10**6)
    assert code == 0 and steps < 200
    np.testing.assert_allclose(rows, expected, rtol=1e-8, atol=1e-8)
    code, _, steps = discharge_diagonal(start.copy(), p, times, 1e-9, 1e-12, 5)
    assert (code, steps) == (2, 5)


@pytest.mark.parametrize("printed", [False, True])
def test_real_and_complex_equations_are_the_same(printed):
    rng = np.random.default_rng(2)
    z, C, Z = rng.normal(size=3)
    p, P, Q = rng.normal(size=3) + 1j * rng.normal(size=3)
    moments = np.array([z, p, p.conj(), C, Z, P, P.conj(), Q, Q.conj()])
    expected = d_moments(9, 0.7, 2.0, moments, 0.3, 0.2, printed)
    y = np.array([z, p.real, p.imag, C, Z, P.real, P.imag, Q.real, Q.imag, 0.0, 0.0])
    dy = np.zeros(11)
    d_full(0.0, y, np.array([9.0, 0.7, 2.0, 0.3, 0.2, float(printed)]), dy)
    real = [expected[0], expected[1], expected[1] / 1j, expected[3], expected[4], expected[5], expected[5] / 1j]
    real += [expected[7], expected[7] / 1j]
    np.testing.assert_allclose(dy[:9], np.real(real), rtol=1e-12, atol=1e-12)
    diagonal = np.zeros(5)
    y[[1, 2, 5, 6, 7, 8]] = 0.0
    d_full(0.0, y, np.array([9.0, 0.7, 2.0, 0.3, 0.2, float(printed)]), dy)
    start = np.array([z, C, 4 * C + Z, 0.0, 0.0])
    d_diagonal(0.0, start, np.array([9.0, 0.7, 2.0, 0.3, 0.2, float(printed)]), diagonal)
    np.testing.assert_allclose(diagonal, [dy[0], dy[3], 4 * dy[3] + dy[4], dy[9], dy[10]], rtol=1e-11, atol=1e-11)


def test_printed_equations_trap_nothing():
    # physics document, erratum 1: release from t_s = 0.1 ends at M = -0.65, <S^2> = 1.7 instead of -56.8, 3297
    wrong = quiet("battery.release", "printed", N=140, Gamma=1600.0, tau_s=0.1, window=0.002)
    right = solve("battery.release", "cumulant", N=140, Gamma=1600.0, tau_s=0.1, window=0.002)
    assert wrong["M_after"] == pytest.approx(-0.65, abs=0.01)
    assert wrong["S_after"] * (wrong["S_after"] + 1) == pytest.approx(1.7, abs=0.05)
    assert right["M_after"] == pytest.approx(-56.8, abs=0.05)


def test_mean_field_without_a_seed_never_flashes():
    window = 1e-4
    outputs = solve("battery.release", "mean_field", N=140, Gamma=1600.0, tau_s=0.0, window=window)
    # independent decay at gamma + Gamma, Eq. (6) with C = 0
    assert outputs["M_after"] == pytest.approx(140 * (np.exp(-1601.0 * window) - 0.5), abs=1e-6)


def test_fig2_minimum_of_S_during_storage():
    # physics document: minimum S 9.76 at t = ln 2, where every emitter is up with probability one half
    outputs = solve("battery.release", N=140, tau_s=np.log(2), window=0.0)
    assert outputs["S_before"] == pytest.approx(np.sqrt(0.75 * 140 + 0.25) - 0.5, abs=1e-9)
    assert outputs["S_before"] == pytest.approx(9.76, abs=0.01)


def test_fig3a_number_of_cycles_to_the_limit():
    released = solve("battery.cycles", cycles=150, **FIG3)["released"]
    limit = 13.29945508
    for share, count in ((0.10, 80), (0.05, 89), (0.01, 110)):
        assert 1 + int(np.argmax(np.abs(released - limit) <= share * limit)) == count


def test_leak_is_not_useful_energy():
    outputs = solve("battery.cycles", N=20, Gamma=0.0, Gamma_storage=30.0, tau_s=0.2, tau_d=0.1, cycles=2)
    assert np.all(outputs["released"] == 0.0)
    taken = outputs["M_after_pulse"] - outputs["M_after_storage"]
    assert np.all(taken > outputs["individual_loss_storage"] + 1.0)


@pytest.mark.parametrize("method", ["exact", "cumulant"])
def test_a_slightly_imperfect_pulse_is_nearly_perfect(method):
    parameters = {"N": 10, "Gamma": 40.0, "tau_s": 0.1, "tau_d": 0.2, "cycles": 3}
    perfect = solve("battery.cycles", method, **parameters)
    near = solve("battery.cycles", method, pulse_angle=np.pi + 1e-5, **parameters)
    np.testing.assert_allclose(near["released"], perfect["released"], atol=1e-6)


def test_trajectory_visits_the_ends_of_the_phases():
    parameters = {"N": 30, "Gamma": 400.0, "tau_s": 0.05, "tau_d": 0.03, "cycles": 3}
    for method in ("exact", "cumulant"):
        path = solve("battery.trajectory", method, samples=4, **parameters)
        ends = solve("battery.cycles", method, **parameters)
        M, S = path["M"].reshape(3, 2, 4), path["S"].reshape(3, 2, 4)
        np.testing.assert_allclose(M[:, 0, 0], ends["M_after_pulse"], atol=1e-6)
        np.testing.assert_allclose(M[:, 0, -1], ends["M_after_storage"], atol=1e-6)
        np.testing.assert_allclose(S[:, 1, -1], ends["S_after_discharge"], atol=1e-6)
        assert path["t"][-1] == pytest.approx(0.24, rel=1e-13)


@pytest.mark.parametrize("method", ["exact", "cumulant"])
@pytest.mark.parametrize("N", [1, 2, 3])
@pytest.mark.parametrize(("tau_s", "tau_d"), [(1e-6, 1e-6), (1e3, 1e3), (0.0, 1e-6), (1e3, 0.0)])
@pytest.mark.parametrize("Gamma", [0.0, 1600.0])
def test_edges_are_finite(method, N, tau_s, tau_d, Gamma):
    outputs = solve("battery.cycles", method, N=N, Gamma=Gamma, tau_s=tau_s, tau_d=tau_d, cycles=2)
    assert outputs["status"] == 0
    assert all(np.all(np.isfinite(value)) for value in outputs.values())


def test_step_budget_fails_with_a_reason():
    found = evaluate("battery.cycles", "cumulant", points={}, parameters={**FIG3, "cycles": 2, "max_steps": 3})
    assert found.status[0] == 2
    assert "max_steps" in found.remarks[0].message


def test_too_many_emitters_for_a_method_is_status_2():
    for method, N, angle in (("exact", 3000, np.pi), ("exact", 140, 3.0)):
        found = evaluate("battery.cycles", method, points={}, parameters={"N": N, "pulse_angle": angle, "cycles": 1})
        assert found.status[0] == 2
        assert "N <=" in found.remarks[0].message


@pytest.mark.parametrize("method", ["cumulant", "mean_field"])
def test_halving_the_tolerance_changes_less_than_the_tolerance(method):
    parameters = {"N": 50, "Gamma": 100.0, "tau_s": 0.1, "window": 0.05, "seed_angle": 0.2}
    coarse = solve("battery.release", method, **parameters)
    fine = solve("battery.release", method, rtol=1e-11, atol=1e-13, **parameters)
    for name, value in fine.items():
        assert coarse[name] == pytest.approx(value, abs=2e-5), name


def test_probabilities_out_of_range_are_noticed():
    from solvers.models.battery.inhomogeneous import first_unphysical

    when = np.array([0.0, 1.0, 2.0])
    assert np.isnan(first_unphysical(when, np.array([[0.0, 1.0], [0.5, 0.2], [1e-9, -1e-9]])))
    assert first_unphysical(when, np.array([[0.0, 1.0], [0.5, -0.2], [1.3, 0.0]])) == 1.0


def test_factors_of_many_pumped_emitters_are_refused_by_their_number():
    parameters = {"N": 501, "pump": 1.0, "cycles": 1}
    found = evaluate("battery.cycles", "exact", points={}, parameters=parameters)
    assert found.remarks[0].kind == Kind.OUTSIDE_LIMIT
    assert "N <= 500 with pump" in found.remarks[0].message
