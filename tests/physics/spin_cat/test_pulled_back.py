"""`spin_cat.two_ensembles` of a few spins whose amplitude dies while their phases are pulled back and stay locked."""

import warnings

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from solvers import solve


def printed(N, eta, delta, t_end):
    """Eqs. (26)-(28) as printed, by SciPy."""

    def rates(_, y):
        A, zeta, z = y
        c, double, sine = np.cos(zeta) ** 2, np.cos(2 * zeta), np.sin(2 * zeta)
        W = 1 + z + N * A * A * (1 - 2 / N) * c
        return [
            A * (-2 * eta * z * (c - double / N) + z * (c - 1 / N) * W - 2 * A * A * c),
            delta + eta * z * (1 - 2 / N) * sine - 0.5 * z * W * sine,
            A * A * (8 * eta * (c - double / N) - 4 * (c - 1 / N) * W - 4 * (1 + z) * c),
        ]

    def still_locked(_, y):
        return np.cos(y[1])

    still_locked.terminal = True
    g = 2 * eta / N
    start = [np.sqrt(g) / (1 + g), 0.0, -(1 - g) / (1 + g)]
    found = solve_ivp(rates, (0, t_end), start, method="LSODA", rtol=1e-10, atol=1e-13, events=still_locked)
    return found.status == 0, found.y[:, -1]


@pytest.mark.parametrize(
    ("N", "eta", "delta", "t_end"),
    [
        (5, 0.835467, -0.012662, 1410.0),
        (3, 1.150951, -0.007883, 282.5),
        (5, 0.83, 0.02, 2000.0),
        (4, 1.0, 0.005, 400.0),
    ],
)
def test_phases_stay_locked(N, eta, delta, t_end):
    locked, (_, zeta, z) = printed(N, eta, delta, t_end)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # most are not at rest yet
        found = solve("spin_cat.two_ensembles", N=N, eta=eta, delta=delta, t_end=t_end)
    assert locked and found["locked"] == 1.0
    np.testing.assert_allclose([found["zeta"], found["z"]], [zeta, z], atol=2e-5)
    assert found["A"] < 1e-6


def test_they_come_to_rest_where_the_pull_balances_the_detuning():
    N, eta, delta = 5, 0.835467, -0.012662
    found = solve("spin_cat.two_ensembles", N=N, eta=eta, delta=delta, t_end=6e4)
    assert found["status"] == 0 and found["locked"] == 1.0 and 1300 < found["settle_time"] < 1500
    z = float(found["z"])
    pull = z * (eta * (1 - 2 / N) - (1 + z) / 2)  # (27) without amplitude: delta + pull sin(2 zeta) = 0
    np.testing.assert_allclose(found["zeta"], 0.5 * np.arcsin(-delta / pull), atol=1e-9)


@pytest.mark.parametrize(("N", "eta", "delta"), [(3, 1.150951, 0.3), (5, 0.835467, 0.05)])
def test_a_larger_detuning_unlocks(N, eta, delta):
    assert not printed(N, eta, delta, 2000.0)[0]
    found = solve("spin_cat.two_ensembles", N=N, eta=eta, delta=delta, t_end=2000.0)
    assert found["status"] == 0 and found["locked"] == 0.0 and np.isnan(found["zeta"])
