"""The exact engines of one collective spin against each other, QuTiP and closed forms."""

import numpy as np
import pytest
import qutip

from solvers import SolverWarning, solve
from solvers.engines import ladder, ladder_jumps, ladder_steady
from solvers.engines.ladder import Rates

TIMES = np.array([0.0, 0.05, 0.4, 1.5, 1.5, 3.0])


def mesolve(r, theta, phi, times):
    S = r.S
    x, y, z = (qutip.jmat(S, a) for a in "xyz")
    H = r.Omega * x + r.delta * z + r.g / (2 * S) * x * x
    jumps = [
        np.sqrt(r.Gamma / S) * qutip.jmat(S, "-"),
        np.sqrt(r.Gamma_up / S) * qutip.jmat(S, "+"),
        np.sqrt(2 * r.Gamma_phi) * z,
    ]
    means = [x, y, z] + [(a * b + b * a) / 2 for a in (x, y, z) for b in (x, y, z)]
    at = np.unique(times)
    options = {"rtol": 1e-11, "atol": 1e-13, "nsteps": 10**6}
    found = qutip.mesolve(H, qutip.spin_coherent(S, theta, phi), at, jumps, e_ops=means, options=options)
    table = np.array(found.expect).real.T[np.searchsorted(at, times)]
    return table[:, :3], table[:, 3:].reshape(-1, 3, 3)


@pytest.mark.parametrize(
    ("r", "theta", "phi"),
    [
        (Rates(3, 1.2, 0.3, 0.7, 0.5, 0.2, 0.1), 1.1, 0.4),
        (Rates(6, 2.0, 0.0, 0.0, 1.0), np.pi, 0.0),
        (Rates(5.5, 0.0, 0.0, 1.0, 0.2), np.pi, 0.0),
        (Rates(4, 0.0, 0.0, 1.0, 0.2, 0.0, 0.3), 1.0, 0.2),
        (Rates(4, 2.0, 0.0, 0.0, 0.2, 0.0, 30.0), 1.0, np.pi / 2),
        (Rates(4, 0.0, 0.5, 0.0, 0.7, 0.3, 0.2), -2.0, 4.0),
    ],
    ids=["everything", "driven", "twisted", "twisted_dephased", "strongly_dephased", "jumps"],
)
def test_density_matrix_agrees_with_qutip(r, theta, phi):
    mean, second = mesolve(r, theta, phi, TIMES)
    found = ladder.evolve(r, theta, phi, TIMES, rtol=1e-9, atol=1e-12, max_steps=10**6)
    np.testing.assert_allclose(found.mean, mean, atol=1e-8)
    np.testing.assert_allclose(found.second, second, atol=1e-7)
    np.testing.assert_allclose(found.trace, 1.0, atol=1e-12)
    if r.Omega == 0.0 and r.g == 0.0:
        alone = ladder_jumps.evolve(r, theta, phi, TIMES, rtol=1e-9, max_steps=10**6)
        np.testing.assert_allclose(alone.mean, mean, atol=1e-8)
        np.testing.assert_allclose(alone.second, second, atol=1e-7)


@pytest.mark.parametrize(
    "r", [Rates(60, Gamma=1.0), Rates(60, Gamma_up=1.0), Rates(60, Gamma=0.3, Gamma_up=1.0, Gamma_phi=0.1)]
)
@pytest.mark.parametrize("theta", [0.0, 1.0, np.pi])
def test_single_diagonals_agree_with_the_whole_matrix(r, theta):
    whole = ladder.evolve(r, theta, 0.3, TIMES, rtol=1e-11, atol=1e-14, max_steps=10**6)
    alone = ladder_jumps.evolve(r, theta, 0.3, TIMES, rtol=1e-9, max_steps=10**6)
    np.testing.assert_allclose(alone.mean / r.S, whole.mean / r.S, atol=1e-10)
    np.testing.assert_allclose(alone.second / r.S**2, whole.second / r.S**2, atol=1e-10)


def test_decay_from_up_of_a_hundred_thousand():
    """The burst of a large spin: the number n of emitted quanta starts as a Yule process, mean exp(2 Gamma t) - 1."""
    S, t = 1e5, 1.5
    found = ladder_jumps.evolve(Rates(S, Gamma=1.0), 0.0, 0.0, np.array([t, 20.0]), rtol=1e-9, max_steps=10**5)
    # rate (n + 1)(2S - n)/S = 2 (n + 1) (1 - n/2S): the mean is that of the Yule process up to 1/S
    assert S - found.mean[0, 2] == pytest.approx(np.exp(2 * t) - 1, rel=1e-3)
    assert found.mean[1, 2] == pytest.approx(-S, rel=1e-6)
    np.testing.assert_allclose(found.trace, 1.0, atol=1e-9)


def test_a_start_in_rounded_decimals_is_a_pole():
    exact, rounded = (
        ladder.evolve(Rates(20, 1.5, Gamma=1.0), theta, 0.0, TIMES, rtol=1e-9, atol=1e-12, max_steps=10**6)
        for theta in (np.pi, 3.14159265359)
    )
    np.testing.assert_allclose(rounded.second, exact.second, atol=1e-8)


def test_closed_form_and_elimination_agree_at_the_transition():
    for S, Omega in ((0.5, 0.3), (8.0, 1.2), (40.0, -1.0), (40.0, 30.0)):
        for closed, solved in zip(
            ladder_steady.closed_form(S, Omega, 1.0), ladder_steady.eliminated(S, Omega, 1.0), strict=True
        ):
            np.testing.assert_allclose(closed, solved, atol=1e-9 * S**2)


def test_closed_form_in_the_limits():
    """A weak drive tilts the spin by Omega/Gamma; a strong one leaves the unpolarised state, at any S."""
    for S in (0.5, 1e3, 1e6):
        mean, second = ladder_steady.closed_form(S, 1e-4, 1.0)
        assert mean[1] / S == pytest.approx(1e-4, rel=1e-3)
        assert second[2, 2] == pytest.approx(S * S, rel=1e-6)
        mean, second = ladder_steady.closed_form(S, 1e30, 1.0)
        np.testing.assert_allclose(second, np.eye(3) * S * (S + 1) / 3, rtol=1e-9, atol=1e-9 * S * S)


def test_long_relaxation_ends_in_the_steady_state():
    path = ladder.evolve(
        Rates(4, 1.3, Gamma=1.0), np.pi, 0.0, np.array([80.0]), rtol=1e-10, atol=1e-13, max_steps=10**6
    )
    mean, second = ladder_steady.closed_form(4.0, 1.3, 1.0)
    np.testing.assert_allclose(path.mean[0], mean, atol=1e-7)
    np.testing.assert_allclose(path.second[0], second, atol=1e-6)


def test_a_spent_step_budget_is_said_at_once():
    with pytest.warns(SolverWarning, match="max_steps"):
        out = solve("collective_spin.dynamics", "exact", S=200, Omega=1e6, Gamma=1.0, times=[100.0])
    assert out["status"] == 2
    assert np.isnan(out["mean"]).all()
