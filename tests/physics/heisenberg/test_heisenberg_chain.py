"""The open Heisenberg chain against QuTiP, closed forms and its own methods."""

import warnings

import numpy as np
import pytest
import qutip

from solvers import FAILED, OK, WARNED, SolverWarning, solve
from solvers.engines.concurrence import concurrence
from solvers.models.heisenberg import chain
from solvers.references.spin_systems import liouvillian_matrix

FIG6 = {"B_x": 0.25, "B_y": 0.25, "B_z": -0.5, "V_x": 1.0, "V_y": 0.1, "V_z": 0.1, "Gamma": 0.1}


def quiet(model, method=None, **parameters):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SolverWarning)
        return solve(model, method, **parameters)


def qutip_chain(n, B, V, on_site, neighbour):
    """Liouvillian superoperator of Eqs. (3) and (9), term by term."""

    def site(operator, j):
        return qutip.tensor([operator if k == j else qutip.qeye(2) for k in range(n)])

    S = [[site(s / 2, j) for s in (qutip.sigmax(), qutip.sigmay(), qutip.sigmaz())] for j in range(n)]
    H = sum(B[a] * S[j][a] for j in range(n) for a in range(3))
    H += sum((V[a] * S[j][a] * S[j + 1][a] for j in range(n - 1) for a in range(3)), 0 * H)
    jumps = [[[-s[2] + e * 1j * s[1], s[2] + e * 1j * s[0], s[0] + e * 1j * s[1]] for e in (1, -1)] for s in S]
    L = qutip.liouvillian(H)
    for a in range(3):
        for eta in range(2):
            for j in range(n):
                L += on_site[a][eta] * qutip.lindblad_dissipator(jumps[j][eta][a])
                for k in (j - 1, j + 1):
                    if 0 <= k < n:
                        L += neighbour[a][eta] * qutip.lindblad_dissipator(jumps[k][eta][a], jumps[j][eta][a])
    return L


@pytest.mark.parametrize("n", [1, 2, 3])
def test_generator_is_that_of_qutip(n):
    rng = np.random.default_rng(n)
    p = chain.random_chain(rng, n) | {"spins0": None}
    L = qutip_chain(n, chain.field(p), [p[f"V_{a}"] for a in "xyz"], p["on_site"], p["neighbour"])
    ours = liouvillian_matrix(chain.build_system(p))
    size = 2**n
    # QuTiP stacks columns, we stack rows
    order = np.arange(size * size).reshape(size, size).T.ravel()
    np.testing.assert_allclose(ours, L.full()[np.ix_(order, order)], atol=1e-13)


def test_dynamics_against_qutip():
    when = np.array([0.0, 0.7, 2.0, 3.1])
    found = quiet("heisenberg.dynamics", N=3, times=when, **FIG6)
    on_site = [[0, 0], [0, 0], [0.1 * 0.08 / 1.16, 0.1 * 1.08 / 1.16]]
    neighbour = np.array(on_site) / 10
    L = qutip_chain(3, [0.25, 0.25, -0.5], [1.0, 0.1, 0.1], on_site, neighbour)
    plus = (qutip.basis(2, 0) + qutip.basis(2, 1)).unit()
    rho0 = qutip.ket2dm(qutip.tensor([plus] * 3))
    states = qutip.mesolve(L, rho0, when, options={"atol": 1e-11, "rtol": 1e-10}).states
    for k, rho in enumerate(states):
        np.testing.assert_allclose(found["purity"][k], rho.purity(), atol=1e-8)
        np.testing.assert_allclose(found["min_eigenvalue"][k], rho.eigenenergies()[0], atol=1e-8)
        for i, j in ((0, 1), (0, 2), (1, 2)):
            pair = rho.ptrace([i, j])
            assert found["concurrence"][k, i, j] == pytest.approx(qutip.concurrence(pair), abs=1e-5)
            assert found["concurrence"][k, j, i] == found["concurrence"][k, i, j]
        spin = qutip.expect(qutip.tensor(qutip.qeye(2), qutip.sigmay(), qutip.qeye(2)), rho)
        assert found["spins"][k, 1, 1] == pytest.approx(spin, abs=1e-8)


def test_concurrence_of_known_states():
    """Werner states p |singlet><singlet| + (1-p)/4: max(0, (3p-1)/2); product states: 0."""
    for p in (0.0, 1 / 3, 0.5, 0.9, 1.0):
        found = concurrence(np.zeros((1, 3)), np.zeros((1, 3)), -p * np.eye(3)[None])
        assert found[0] == pytest.approx(max(0.0, (3 * p - 1) / 2), abs=1e-7)
    a, b = np.array([[0.6, 0.0, 0.8]]), np.array([[0.0, 1.0, 0.0]])
    assert concurrence(a, b, a[:, :, None] * b[:, None, :])[0] < 1e-7


def test_isotropic_closed_chain_stays_a_product_only_when_aligned():
    V = {f"V_{a}": 0.7 for a in "xyz"}
    times = np.linspace(0, 20, 41)
    aligned = quiet("heisenberg.dynamics", N=3, B_z=0.3, times=times, **V)
    assert np.abs(aligned["correlations"]).max() < 1e-9
    crossed = quiet("heisenberg.dynamics", N=3, spins0=np.eye(3), times=times, **V)
    assert (
        np.abs(crossed["correlations"]).max() > 0.5
    )  # the text's general statement is false: SU(2) symmetry is no reason


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_kossakowski_closed_form(n):
    p = chain.random_chain(np.random.default_rng(n), n)
    whole = 4 * np.linalg.eigvalsh(chain.build_system(p).Gamma)[0]
    assert chain.min_kossakowski(p) == pytest.approx(whole, abs=1e-12)


def test_not_completely_positive_is_flagged_and_divergence_fails():
    beyond = {"N": 3, "on_site": [[0, 0], [0, 0], [0, 0.1]], "neighbour": [[0, 0], [0, 0], [0, 0.09]]}
    found = quiet("heisenberg.dynamics", times=[1.0], **beyond)
    assert found["status"] == WARNED
    assert found["min_kossakowski"] == pytest.approx(2 * 0.1 - 2 * 0.09 * np.sqrt(2), abs=1e-12)
    runaway = {"N": 2, "V_x": 0.3, "neighbour": [[0, 0], [0, 0], [0, 0.5]]}
    assert quiet("heisenberg.dynamics", times=[1.0], **runaway)["status"] == WARNED
    assert quiet("heisenberg.dynamics", times=[200.0], **runaway)["status"] == FAILED
    assert quiet("heisenberg.steady_state", **runaway)["status"] == FAILED
    bound = {"N": 3, "on_site": [[0, 0], [0, 0], [0, 0.1]], "neighbour": [[0, 0], [0, 0], [0, 0.1 / np.sqrt(2)]]}
    assert quiet("heisenberg.dynamics", times=[1.0], **bound)["status"] == OK


def test_spectral_equals_exact_and_falls_back_at_the_exceptional_point():
    when = [0.0, 1.0, 5.0]
    exact = quiet("heisenberg.dynamics", "exact", N=3, times=when, **FIG6)
    spectral = quiet("heisenberg.dynamics", "spectral", N=3, times=when, **FIG6)
    assert spectral["status"] == OK
    for name in ("M", "correlations", "purity", "min_eigenvalue", "concurrence"):
        np.testing.assert_allclose(spectral[name], exact[name], atol=1e-8, err_msg=name)
    # B_x = Gamma/4: a Jordan block of (M_y, M_z); solution with t exp(-3 Gamma t/4)
    point = {"N": 1, "B_x": 0.1, "Gamma": 0.4, "n_b": 0.0, "theta0": 0.0, "times": [2.0]}
    found = quiet("heisenberg.dynamics", "spectral", **point)
    assert found["status"] == WARNED
    A = np.array([[-0.2, -0.1], [0.1, -0.4]])
    rest = np.linalg.solve(A, [0.0, 0.4])
    nilpotent = A + 0.3 * np.eye(2)
    m = rest + np.exp(-0.6) * (np.eye(2) + 2.0 * nilpotent) @ (np.array([0.0, 1.0]) - rest)
    np.testing.assert_allclose(found["M"][0, 1:], m, atol=1e-9)


@pytest.mark.slow
def test_mean_field_of_500_sites_keeps_every_length_and_its_bulk_is_uniform():
    p = {"N": 500, "B_x": 0.25, "B_z": -0.5, "V_x": 0.5, "V_y": 0.1, "V_z": 0.2, "times": [0.0, 10.0]}
    closed = quiet("heisenberg.dynamics", "mean_field", **p)
    np.testing.assert_allclose(np.linalg.norm(closed["spins"], axis=-1), 1.0, atol=1e-8)
    uniform = quiet("heisenberg.dynamics", "mean_field_uniform", **p)
    np.testing.assert_allclose(closed["spins"][1, 250], uniform["M"][1], atol=1e-8)
    assert np.abs(closed["spins"][1, 0] - uniform["M"][1]).max() > 0.01


def test_uniform_methods_refuse_a_start_that_is_not_uniform():
    for method in ("mean_field_uniform", "printed"):
        assert quiet("heisenberg.dynamics", method, N=3, spins0=np.eye(3), times=[1.0])["status"] == FAILED
    with pytest.raises(ValueError, match="length"):
        solve("heisenberg.dynamics", N=2, spins0=[[0, 0, 1], [1, 0, 1]])


def test_mean_field_error_is_the_difference_of_two_dynamics_on_all_exact_paths():
    """Closed and pure, closed and mixed, open dense, open by series."""
    for n, Gamma, length in ((3, 0.0, 1.0), (3, 0.0, 0.8), (3, 0.1, 1.0), (5, 0.1, 1.0)):
        field = {"B_x": 0.25, "B_y": 0.25, "B_z": -0.5, "Gamma": Gamma}
        field["spins0"] = np.tile([0.0, 0.6 * length, 0.8 * length], (n, 1))
        error = quiet("heisenberg.mean_field_error", N=n, V=0.2, anisotropy=0.3, t_end=5.0, n_times=11, **field)
        V = {"N": n, "V_x": 0.5, "V_y": 0.2, "V_z": 0.2, "times": np.linspace(0, 5, 11)}
        exact = quiet("heisenberg.dynamics", "exact", **field, **V)
        mean_field = quiet("heisenberg.dynamics", "mean_field", **field, **V)
        expected = ((exact["M"] - mean_field["M"]) ** 2).sum(axis=1)
        np.testing.assert_allclose(error["deviation"], expected, atol=1e-9)
        np.testing.assert_allclose(error["C12_xx"], exact["correlations"][:, 0, 1, 0, 0], atol=1e-9)
        np.testing.assert_allclose(error["concurrence_12"], exact["concurrence"][:, 0, 1], atol=1e-6)
        assert error["mean_deviation"] == pytest.approx(np.trapezoid(expected, dx=0.1), abs=1e-9)


def test_printed_deviation_is_that_of_the_papers_figure():
    """Steady squared deviation .0385 (V_x = 0.5) and .087 (V_x = 1) with the printed equations, .0014 and .030 site by site."""
    field = {"N": 3, "B_x": 0.25, "B_y": 0.25, "B_z": -0.5, "V": 0.1, "Gamma": 0.1, "t_end": 200.0, "n_times": 201}
    for anisotropy, printed, site in ((0.4, 0.0385, 0.0014), (0.9, 0.087, 0.030)):
        for method, expected in (("printed", printed), ("site", site)):
            found = quiet("heisenberg.mean_field_error", method, anisotropy=anisotropy, **field)
            assert found["deviation"][-1] == pytest.approx(expected, rel=0.04)


def test_closed_chain_has_no_unique_steady_state():
    found = quiet("heisenberg.steady_state", N=2, B_z=0.5)
    assert found["status"] == WARNED
    assert quiet("heisenberg.steady_state", "mean_field_uniform", N=2, B_z=0.5)["status"] == FAILED
