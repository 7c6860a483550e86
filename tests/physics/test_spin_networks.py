"""spin_network and spin_lattice: input that is refused, states that left physics, closed forms, all methods side by side."""

import warnings

import numpy as np
import pytest

from solvers import FAILED, WARNED, SolverWarning, evaluate, solve, solve_many
from solvers.models.spin_lattice.lattice import neighbours


def quiet(*arguments, **parameters):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SolverWarning)
        return solve(*arguments, **parameters)


def bond(n, value=1.0, axes=(2, 2)):
    A = np.zeros((n, n, 3, 3), dtype=complex)
    A[range(n - 1), range(1, n), axes[0], axes[1]] = value
    return A


def test_a_bond_given_twice_counts_twice():
    """Eq. (1) sums over ordered pairs: <s^x> of an Ising pair turns at 2 J t."""
    once = bond(2, 0.3)
    both = once + once.transpose(1, 0, 3, 2)
    start = {"N": 2, "spins0": [[1.0, 0, 0], [1.0, 0, 0]], "times": [0.7]}
    for method in ("exact", "cumulant"):
        single = solve("spin_network.dynamics", method, A=once, **start)["spins"][0, 0, 0]
        double = solve("spin_network.dynamics", method, A=both, **start)["spins"][0, 0, 0]
        assert single == pytest.approx(np.cos(2 * 0.3 * 0.7), abs=1e-8)
        assert double == pytest.approx(np.cos(4 * 0.3 * 0.7), abs=1e-8)


def test_on_site_couplings_are_fields():
    """s^x s^y = i s^z: A_ii^xy = -i a/2, A_ii^yx = i a/2 is the field a along z; the symmetric part is a constant."""
    A = np.zeros((1, 1, 3, 3), dtype=complex)
    A[0, 0, 0, 1], A[0, 0, 1, 0] = -0.25j, 0.25j
    A[0, 0] += np.diag([0.3, -0.2, 0.9]) + np.array([[0, 0, 0.4], [0, 0, 0], [0.4, 0, 0]])
    found = solve("spin_network.dynamics", "exact", N=1, A=A, spins0=[[1.0, 0, 0]], times=[0.6])
    np.testing.assert_allclose(found["spins"][0, 0], [np.cos(2 * 0.5 * 0.6), np.sin(2 * 0.5 * 0.6), 0.0], atol=1e-9)


def test_hbar_divides_energies_and_not_rates():
    common = {"N": 2, "gamma_minus": 0.4, "spins0": [[0.6, 0, 0.8], [0.0, 0.6, 0.8]], "times": [0.5, 1.5]}
    for method in ("exact", "cumulant", "mean_field"):
        a = solve("spin_network.dynamics", method, A=bond(2, 0.8), h=[[0.5, 0, 0], [0.2, 0, 0]], hbar=2.0, **common)
        b = solve("spin_network.dynamics", method, A=bond(2, 0.4), h=[[0.25, 0, 0], [0.1, 0, 0]], **common)
        np.testing.assert_allclose(a["spins"], b["spins"], atol=1e-12)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"A": bond(2, 1j)}, r"A\[0,1,2,2\] \+ A\[1,0,2,2\]"),
        ({"A": np.pad([[[[0, 0.5, 0], [-0.5, 0, 0], [0, 0, 0]]]], ((0, 1), (0, 1), (0, 0), (0, 0)))}, r"A\[0,0,0,1\]"),
        ({"gamma_minus": -0.1}, "gamma_minus.*>= 0"),
        ({"dissipator": np.triu(np.ones((6, 6)))}, r"dissipator must be Hermitian: element \[0, 1\]"),
        ({"hbar": 0.0}, "hbar"),
        ({"spins0": [[0.0, 0.0, 1.2], [0.0, 0.0, 1.0]]}, "site 0 has length 1.2"),
        ({"correlations0": np.arange(36.0).reshape(2, 2, 3, 3)}, "must be symmetric"),
        ({"correlations0": -3 * np.ones((2, 2, 3, 3))}, "belongs to no state"),
        ({"rho0": np.eye(4)}, "trace"),
        ({"rho0": np.eye(4) / 4, "spins0": [[0, 0, 1], [0, 0, 1]]}, "either rho0"),
        ({"spins0": [[0, 0, 1.0]]}, "shape"),
    ],
)
def test_what_is_no_network_is_refused(parameters, message):
    for method in ("exact", "cumulant"):
        with pytest.raises(ValueError, match=message):
            solve("spin_network.dynamics", method, N=2, **parameters)


def test_a_correlated_start_must_determine_the_state():
    bell = np.zeros((4, 4))
    bell[np.ix_([0, 3], [0, 3])] = 0.5
    C = np.zeros((2, 2, 3, 3))
    C[0, 1] = C[1, 0] = np.diag([1.0, -1.0, 1.0])
    common = {"N": 2, "A": bond(2, 0.4, (0, 2)), "gamma_minus": 0.5, "times": [0.3, 1.0]}
    a = solve("spin_network.dynamics", "exact", rho0=bell, **common)
    b = solve("spin_network.dynamics", "exact", spins0=np.zeros((2, 3)), correlations0=C, **common)
    c = solve("spin_network.dynamics", "cumulant", rho0=bell, **common)
    for other in (b, c):
        np.testing.assert_allclose(a["correlations"], other["correlations"], atol=1e-8)
    three = np.zeros((3, 3, 3, 3))
    three[0, 1] = three[1, 0] = np.diag([0.5, -0.5, 0.5])
    with pytest.raises(ValueError, match="does not determine"):
        solve("spin_network.dynamics", "exact", N=3, spins0=np.zeros((3, 3)), correlations0=three)
    with pytest.raises(ValueError, match="product state"):
        solve("spin_network.dynamics", "quantum_jumps", spins0=np.zeros((2, 3)), correlations0=C, **common)
    with pytest.raises(ValueError, match="rho0"):
        solve("spin_network.dynamics", "quantum_jumps", rho0=bell, **common)


def test_an_indefinite_dissipator_is_solved_with_a_warning():
    """The nearest-neighbour channel beyond gamma / (2 cos(pi/(N+1))), its smallest eigenvalue in closed form."""
    n, gamma, g = 5, 0.3, 0.4
    for method in ("exact", "cumulant", "mean_field"):
        with pytest.warns(SolverWarning, match="Gamma is not positive") as caught:
            found = solve(
                "spin_lattice.dynamics", method, N=n, gamma_minus=gamma, gamma_neighbour=g, J_x=0.3, times=[0.2]
            )
        assert found["status"] == WARNED
        assert np.all(np.isfinite(found["magnetisation"]))
        # u u^+ has the eigenvalue 1/2
        smallest = 0.5 * (gamma - 2 * g * np.cos(np.pi / (n + 1)))
        assert f"{smallest:.6g}" in str(caught[0].message)
    edge = gamma / (2 * np.cos(np.pi / (n + 1)))
    assert solve("spin_lattice.dynamics", "exact", N=n, gamma_minus=gamma, gamma_neighbour=edge)["status"] == 0


def test_closure_failure_is_flagged_and_not_hidden():
    """The closed transverse-field Ising chain: |s| > 1 near t = 7 in second order (6.7 to 7.1 for N = 12 and 6)."""
    closed = {"N": 6, "J_z": 1.0, "h_x": 1.0}
    with pytest.warns(SolverWarning, match="no state from t = "):
        found = solve("spin_lattice.dynamics", "cumulant", times=[2.0, 8.0], **closed)
    assert found["status"] == WARNED
    # a pair state is the more sensitive monitor, and fails before the length does
    assert found["first_bad_time"] < 7.1
    A = bond(6)
    network = quiet("spin_network.dynamics", "cumulant", N=6, A=A, h=[[1.0, 0, 0]] * 6, times=np.linspace(0, 8, 81))
    assert network["status"] == WARNED
    assert network["first_bad_time"] == pytest.approx(float(found["first_bad_time"]), rel=1e-6)
    length = np.linalg.norm(network["spins"], axis=2).max(axis=1)
    first = np.linspace(0, 8, 81)[np.argmax(length > 1)]
    assert first == pytest.approx(7.1, abs=0.11)  # documented: from t = 7.1 on
    assert network["min_pair_eigenvalue"].min() < -0.1
    assert quiet("spin_lattice.dynamics", "exact", times=[8.0], **closed)["status"] == 0


def test_a_divergence_is_a_failed_point_with_its_reason():
    found = evaluate(
        "spin_lattice.dynamics", "cumulant", points={}, parameters={"N": 6, "J_z": 1.0, "h_x": 1.0, "times": [60.0]}
    )
    assert found.status[0] in (WARNED, FAILED)
    assert "no state from t" in found.remarks[0].message


def test_sizes_beyond_a_method_are_refused():
    found = evaluate("spin_lattice.dynamics", "exact", points={"N": [4, 13]}, parameters={"J_z": 1.0, "gamma_z": 0.1})
    assert found.status.tolist() == [0, FAILED]
    assert "N <= 12" in found.remarks[1].message
    assert "GiB" in found.remarks[1].message
    closed = evaluate(
        "spin_lattice.dynamics", "exact", points={"N": [13, 17]}, parameters={"J_z": 1.0}, keep=["squeezing"]
    )
    assert closed.status.tolist() == [0, FAILED]
    assert quiet("spin_network.steady_state", "exact", N=9)["status"] == FAILED
    assert quiet("spin_network.dynamics", "quantum_jumps", N=17, trajectories=1)["status"] == FAILED


def test_a_rate_per_site_may_be_an_axis():
    points = {"gamma_minus": np.array([0.1, 0.5])}
    many = solve_many("spin_network.dynamics", "exact", points=points, N=2, times=[1.0])
    for i, gamma in enumerate(points["gamma_minus"]):
        assert many["spins"][i, 0, 1, 2] == pytest.approx(2 * np.exp(-gamma) - 1, abs=1e-8)


@pytest.mark.parametrize(("method", "tolerance"), [("exact", 1e-8), ("cumulant", 1e-8)])
def test_driven_pairs_rest_where_the_exact_state_does(method, tolerance):
    parameters = {"N": 2, "A": bond(2, 0.7), "h": [[0.4, 0, 0.1], [0.2, 0.3, 0]], "gamma_minus": [0.5, 0.9]}
    rest = solve("spin_network.steady_state", method, **parameters)
    late = solve("spin_network.dynamics", "exact", times=[200.0], **parameters)
    np.testing.assert_allclose(rest["spins"], late["spins"][0], atol=tolerance)
    np.testing.assert_allclose(rest["correlations"], late["correlations"][0], atol=tolerance)


@pytest.mark.parametrize(("method", "n"), [("mean_field", 6), ("mean_field", 300), ("cumulant", 5), ("cumulant", 14)])
def test_moments_rest_where_they_are_late(method, n):
    """Few unknowns (dense Newton) and many (Newton with GMRES) against integration alone."""
    chain = {"N": n, "A": bond(n).real, "h": [[0.8, 0.0, 0.0]] * n, "gamma_minus": 2.0}
    rest = solve("spin_network.steady_state", method, **chain)
    late = solve("spin_network.dynamics", method, times=[40.0], **chain)
    np.testing.assert_allclose(rest["spins"], late["spins"][0], atol=1e-8)


def test_an_unstable_state_of_rest_is_said():
    """Mean-field superradiance: all up is at rest without local decay, but unstable."""
    Gamma = np.kron(np.ones((3, 3)), np.outer([0.5, -0.5j, 0], [0.5, 0.5j, 0]))
    Gamma = Gamma - np.kron(np.eye(3), np.outer([0.5, -0.5j, 0], [0.5, 0.5j, 0]))
    with pytest.warns(SolverWarning, match=r"unstable|not positive"):
        found = solve("spin_network.steady_state", "mean_field", N=3, dissipator=Gamma)
    assert found["status"] == WARNED


def test_lattices_have_their_bonds():
    assert np.argwhere(np.triu(neighbours("ring", 4))).tolist() == [[0, 1], [0, 3], [1, 2], [2, 3]]
    assert neighbours("ring", 2).sum() == 2
    assert neighbours("ring", 1).sum() == 0
    assert np.argwhere(np.triu(neighbours("square", 4))).tolist() == [[0, 1], [0, 2], [1, 3], [2, 3]]
    assert neighbours("square", 9).sum() == 2 * 12
    with pytest.raises(ValueError, match="square number"):
        solve("spin_lattice.dynamics", N=5, lattice="square")


def test_power_law_dephasing_in_closed_form():
    """<s_i^x> = prod_j cos(2 J t / r_ij^alpha) from spins along x."""
    n, J, alpha, t = 6, 0.3, 1.5, 0.8
    r = np.abs(np.subtract.outer(np.arange(n), np.arange(n))) + np.eye(n)
    factors = np.cos(2 * J * t / r**alpha)
    np.fill_diagonal(factors, 1.0)
    found = solve(
        "spin_lattice.dynamics", "exact", N=n, lattice="power_law", exponent=alpha, J_z=J, theta=np.pi / 2, times=[t]
    )
    assert found["magnetisation"][0, 0] == pytest.approx(factors.prod(axis=1).mean(), abs=1e-8)


def test_one_axis_twisting_squeezes_as_kitagawa_and_ueda_say():
    """xi^2 of Eq. (3) in Phys. Rev. A 47, 5138 (1993), with N spins, mu = 4 J t, and Wineland's normalisation."""
    n, J = 8, 0.05
    times = np.array([0.2, 0.6, 1.0])
    mu = 4 * J * times
    a = 1 - np.cos(mu) ** (n - 2)
    b = 4 * np.sin(mu / 2) * np.cos(mu / 2) ** (n - 2)
    smallest = 1 + (n - 1) / 4 * (a - np.sqrt(a**2 + b**2))  # 4 Var / N
    expected = smallest / np.cos(mu / 2) ** (2 * n - 2)
    found = solve("spin_lattice.dynamics", "exact", N=n, lattice="all_to_all", J_z=J, theta=np.pi / 2, times=times)
    np.testing.assert_allclose(found["squeezing"], expected, rtol=1e-7)


def test_disorder_is_a_scaled_sample_of_its_realisation():
    """Uncoupled spins along x in disordered fields: <s^x> = mean cos(2 delta z_i t), from (seed, realisation, site) alone."""
    from solvers.numerics.random import standard_normals

    z = standard_normals(3, 5, 7)
    found = solve(
        "spin_lattice.dynamics",
        "mean_field",
        N=7,
        disorder=0.4,
        realisation=5,
        seed=3,
        J_x=0.0,
        theta=np.pi / 2,
        times=[1.3],
    )
    assert found["magnetisation"][0, 0] == pytest.approx(np.cos(2 * 0.4 * z * 1.3).mean(), abs=1e-8)


def test_methods_agree_where_they_must():
    """Two spins: second order is exact. Uncoupled spins: so is mean field."""
    pair = {"N": 2, "J_x": 0.4, "J_z": 0.9, "h_x": 0.3, "gamma_minus": 0.5, "gamma_collective": 0.2, "theta": 0.7}
    exact, second = (solve("spin_lattice.dynamics", m, times=[0.5, 2.0], **pair) for m in ("exact", "cumulant"))
    for name in ("magnetisation", "pair_correlation", "squeezing"):
        np.testing.assert_allclose(exact[name], second[name], rtol=1e-7, atol=1e-8)
    free = {"N": 4, "h_x": 0.3, "h_z": 0.4, "gamma_minus": 0.5, "gamma_z": 0.1, "theta": 0.7}
    exact, first = (solve("spin_lattice.dynamics", m, times=[0.5, 2.0], **free) for m in ("exact", "mean_field"))
    for name in ("magnetisation", "pair_correlation", "squeezing"):
        np.testing.assert_allclose(exact[name], first[name], rtol=1e-7, atol=1e-8)


def test_a_single_spin_has_no_pairs():
    found = solve("spin_lattice.dynamics", "cumulant", N=1, gamma_minus=0.5, theta=1.0, times=[0.0, 1.0])
    assert np.all(np.isnan(found["pair_correlation"]))
    assert found["squeezing"][0] == pytest.approx(1.0)


def test_a_hundred_spins_cost_no_new_compilation():
    """Any N runs the same machine code: the integrator has one signature."""
    from solvers.engines.moments.integration import cumulants_explicit

    for n in (2, 30):
        solve("spin_lattice.dynamics", "cumulant", N=n, J_z=1.0, h_x=0.5, gamma_minus=1.0, times=[0.05])
    assert len(cumulants_explicit.signatures) == 1


@pytest.mark.parametrize("method", ["cumulant", "mean_field", "exact"])
def test_derivatives_warn_of_an_indefinite_dissipator_as_the_dynamics_does(method):
    """R = 2 (tr S - S) with S_zz = -0.1: dx/dt = +0.2 x, dz/dt = 0; the evolution is not completely positive."""
    dissipator = np.zeros((3, 3), dtype=complex)
    dissipator[2, 2] = -0.1
    given = {"N": 1, "dissipator": dissipator, "spins0": [[0.6, 0.0, 0.8]]}
    with pytest.warns(SolverWarning, match="smallest eigenvalue is -0.1"):
        outputs = solve("spin_network.derivative", method=method, **given)
    assert outputs["status"] == 1
    np.testing.assert_allclose(outputs["d_spins"], [[0.12, 0.0, 0.0]], atol=1e-15)


def test_cumulants_of_two_spins_cost_no_steps_whatever_their_rates():
    """Closed, and so solved exactly: 2e6 radians of precession are in no step budget, nor is a dissipator of 1e9 of no sign."""
    start = {"N": 2, "times": [0.3, 1.0]}
    found = quiet("spin_network.dynamics", "cumulant", h=[[1e6, 0.0, 0.0]] * 2, **start)
    assert found["spins"][:, :, 2] == pytest.approx(np.cos(2e6 * np.array([[0.3, 0.3], [1.0, 1.0]])), abs=1e-8)
    dissipator = np.zeros((6, 6), dtype=complex)
    dissipator[0, 4] = dissipator[4, 0] = 1e9
    points = evaluate(
        "spin_network.dynamics",
        "cumulant",
        points={"gamma_minus": np.array([0.3])},
        parameters={**start, "dissipator": dissipator},
    )
    assert points.status[0] == FAILED
    assert "rho diverges" in points.remarks[0].message
