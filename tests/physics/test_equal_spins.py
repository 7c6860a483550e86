"""Spins that are all alike: moments, third order and exact evolution against every site by itself, QuTiP and closed forms."""

import warnings

import numpy as np
import pytest

from solvers import SolverWarning, solve
from solvers.engines.collective import pair_means
from solvers.engines.master_equation.exact import evolve_exactly
from solvers.engines.master_equation.states import split_moments
from solvers.engines.moments import equations, second_order
from solvers.engines.moments.packing import pack, unpack_connected, unpack_spins
from solvers.engines.spin_system import LOWERING, local_dissipator
from solvers.engines.symmetric import hierarchy, moments
from solvers.engines.symmetric.elements import CollectiveSystem, Elements, number_of_elements
from solvers.engines.symmetric.exact import evolve_symmetric
from solvers.engines.symmetric.integration import integrate
from solvers.engines.symmetric.system import SymmetricSystem
from solvers.evaluate import parse_parameters
from solvers.registry import find

TIMES = np.array([0.0, 0.3, 1.0, 2.5])


def hermitian(rng):
    matrix = rng.normal(size=(3, 3)) + 1j * rng.normal(size=(3, 3))
    return matrix + matrix.conj().T


@pytest.mark.parametrize("n", [1, 2, 3, 6])
def test_second_order_is_that_of_every_site(n):
    """At any field, coupling, Gamma and moments, positive or not."""
    rng = np.random.default_rng(n)
    coupling = rng.normal(size=(3, 3))
    system = SymmetricSystem(n, rng.normal(size=3), coupling + coupling.T, hermitian(rng), hermitian(rng))
    s, X = rng.normal(size=3), rng.normal(size=(3, 3)) * (n > 1)
    X = X + X.T
    upper = np.triu_indices(3)
    dy = np.empty(9)
    moments.cumulant_derivative(moments.build_coefficients(system), np.concatenate([s, X[upper]]), dy)
    raw = np.tile(X + np.outer(s, s), (n, n, 1, 1))
    raw[np.arange(n), np.arange(n)] = 0.0
    y = pack(np.tile(s, (n, 1)), raw)
    expected = np.empty_like(y)
    every_site = system.site_by_site()
    second_order.cumulant_derivative(equations.build_coefficients(every_site, 2), y, expected)
    np.testing.assert_allclose(dy[:3], unpack_spins(expected, n)[0], atol=1e-12)
    if n > 1:
        np.testing.assert_allclose(dy[3:], unpack_connected(expected, n)[0, 1][upper], atol=1e-11)
    assert system.smallest_rate() == pytest.approx(np.linalg.eigvalsh(every_site.Gamma)[0], rel=1e-9)


def rates_of(rng):
    return dict(zip(("minus", "plus", "z", "joint"), rng.uniform(0.05, 0.4, 4), strict=True))


def systems(n, J, h, minus=0.0, plus=0.0, z=0.0, joint=0.0):
    """The same as a system of one site and one pair, and of a total spin."""
    shared = joint * np.outer(LOWERING, LOWERING.conj())
    own = local_dissipator(*(np.full(1, rate) for rate in (minus, plus, z))) + shared
    return SymmetricSystem(n, h, np.diag(J), own, shared), CollectiveSystem(n, J, h, minus, plus, z, joint)


def every_site(system, s, times):
    """Mean spin (T, 3) and mean pair (T, 3, 3) by the master equation of every site."""
    found = evolve_exactly(system.site_by_site(), np.tile(s, (system.N, 1)), times, rtol=1e-11, max_steps=10**6)
    spins, correlations = split_moments(found.observed, system.N)
    return spins.mean(axis=1), pair_means(correlations)


def direction(rng):
    s = rng.normal(size=3)
    return s / np.linalg.norm(s)


def test_third_order_of_three_spins_is_exact():
    """There are no more than three to be correlated: every coefficient of the hierarchy shows."""
    rng = np.random.default_rng(3)
    system, _ = systems(3, rng.normal(size=3), rng.normal(size=3), **rates_of(rng))
    s = direction(rng)
    y, out = hierarchy.product_moments(s), np.empty((len(TIMES), hierarchy.KNOWN - 1))
    integrate(hierarchy.with_third_order(moments.build_coefficients(system)), y, TIMES, out, 1e-11, 1e-13, 10**6)
    spin, pair = every_site(system, s, TIMES)
    np.testing.assert_allclose(out[:, :3], spin, atol=1e-9)
    np.testing.assert_allclose(out[:, hierarchy.SECOND - 1], pair, atol=1e-9)


@pytest.mark.parametrize("n", [1, 2, 3, 6])
@pytest.mark.parametrize("kind", ["everything", "about z", "collective", "closed", "closed about z", "indefinite"])
def test_exact_evolution_is_that_of_every_site(n, kind):
    rng = np.random.default_rng(n)
    J, h, rates = rng.normal(size=3), rng.normal(size=3), rates_of(rng)
    if kind.endswith("about z"):
        J[1], h[:2] = J[0], 0.0
    if kind.startswith("closed"):
        rates = {}
    if kind == "collective":
        rates = {"joint": 0.3}
    if kind == "indefinite":  # neighbours lose more together than each by itself
        rates["minus"] = -0.1
    system, total = systems(n, J, h, **rates)
    s = direction(rng)
    found = evolve_symmetric(total, s, TIMES, rtol=1e-11, max_steps=10**6, positive=system.positive)
    spin, pair = every_site(system, s, TIMES)
    np.testing.assert_allclose(2 * found.observed[:, :3] / n, spin, atol=1e-9)
    if n > 1:
        second = 4 * found.observed[:, [[3, 4, 5], [4, 6, 7], [5, 7, 8]]] - n * np.eye(3)
        np.testing.assert_allclose(second / (n * (n - 1)), pair, atol=1e-9)


@pytest.mark.parametrize("n", range(1, 12))
def test_number_of_elements(n):
    for minus in (0.0, 0.1):
        for J in ((1.0, 1.0, 2.0), (1.0, 2.0, 3.0)):
            system = CollectiveSystem(n, np.array(J), np.zeros(3), minus=minus, collective=0.1)
            assert Elements(system).count == number_of_elements(n, system.local, system.about_z)


def test_ten_driven_spins_against_qutip():
    """PIQS: permutation-invariant density matrices in blocks, an independent implementation."""
    qutip = pytest.importorskip("qutip")
    from qutip.piqs.piqs import Dicke, css, jspin

    n, J, h = 10, np.array([0.2, 0.05, 0.3]), np.array([0.4, 0.1, 0.2])
    rates = {"minus": 0.3, "plus": 0.2, "z": 0.1, "joint": 0.05}
    x, y, z = jspin(n)
    ensemble = Dicke(
        n,
        hamiltonian=sum(2 * j * s * s + 2 * b * s for j, b, s in zip(J, h, (x, y, z), strict=True)),
        emission=0.3,
        pumping=0.2,
        dephasing=4 * 0.1,  # of sigma_z / 2
        collective_emission=0.05,
    )
    theta, phi = 0.7, 0.4
    start = css(n, np.exp(1j * phi) * np.sin(theta / 2), np.cos(theta / 2))
    if qutip.expect(x, start) * np.cos(phi) < 0:
        pytest.fail("the convention of css is another one")
    operators = [x, y, z, x * x, (x * y + y * x) / 2, z * z]
    options = {"atol": 1e-11, "rtol": 1e-10, "nsteps": 100_000}
    expected = qutip.mesolve(ensemble.liouvillian(), start, TIMES, e_ops=operators, options=options).expect
    s = np.real([qutip.expect(a, start) for a in (x, y, z)]) * 2 / n
    _, total = systems(n, J, h, **rates)
    found = evolve_symmetric(total, s / np.linalg.norm(s), TIMES, rtol=1e-11, max_steps=10**6, positive=True)
    np.testing.assert_allclose(found.observed[:, [0, 1, 2, 3, 4, 8]].T, np.real(expected), atol=1e-7)


def twisting(n, J, t, dephasing=0.0):
    """Mean spin and pair of one-axis twisting from +x (Kitagawa and Ueda 1993; D[sigma_z] shortens each spin by exp(-2 rate t))."""
    shrink = np.exp(-2 * dephasing * t)
    c, c2, s = np.cos(2 * J * t), np.cos(4 * J * t), np.sin(2 * J * t)
    spin, pair = np.zeros((len(t), 3)), np.zeros((len(t), 3, 3))
    spin[:, 0] = c ** (n - 1) * shrink
    pair[:, 0, 0] = (1 + c2 ** (n - 2)) / 2 * shrink**2
    pair[:, 1, 1] = (1 - c2 ** (n - 2)) / 2 * shrink**2
    pair[:, 1, 2] = pair[:, 2, 1] = s * c ** (n - 2) * shrink
    return spin, pair


@pytest.mark.parametrize(("n", "dephasing"), [(1000, 0.0), (300, 0.02)])
def test_twisting_of_many_spins_in_closed_form(n, dephasing):
    t = np.linspace(0.0, 12.0, 25)
    point = {"N": n, "lattice": "all_to_all", "J_z": 1 / n, "gamma_z": dephasing, "theta": np.pi / 2, "times": t}
    found = solve("spin_lattice.dynamics", "exact", **point)
    spin, pair = twisting(n, 1 / n, t, dephasing)
    assert found["status"] == 0
    np.testing.assert_allclose(found["magnetisation"], spin, atol=1e-10)
    np.testing.assert_allclose(found["pair_correlation"], pair, atol=1e-10)


@pytest.mark.parametrize("n", [10, 100, 1000])
def test_cumulants_of_twisting_are_trusted_as_long_as_they_are_right(n):
    """The third order tells the true error to some 20 %: status 1 when it is above 0.01, whatever the closure still says."""
    t = np.linspace(0.0, 3 * n ** (1 / 3), 61)
    spin, pair = twisting(n, 1 / n, t)
    for k in range(1, len(t), 6):
        point = {"N": n, "lattice": "all_to_all", "J_z": 1 / n, "theta": np.pi / 2, "times": t[[k]]}
        found = quietly("spin_lattice.dynamics", "cumulant", point)
        error = max(np.abs(found["magnetisation"] - spin[k]).max(), np.abs(found["pair_correlation"] - pair[k]).max())
        if error < 0.007:
            assert found["status"] == 0, (k, error)
        if error > 0.013:
            assert found["status"] == 1, (k, error)
            assert found["first_bad_time"] <= t[k]


def quietly(model, method, point):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SolverWarning)
        return solve(model, method, **point)


def test_twisting_past_the_optimum_is_warned_of():
    """1000 spins: cumulants say .0020 where the squeezing has gone to .12."""
    point = {"N": 1000, "lattice": "all_to_all", "J_z": 1e-3, "theta": np.pi / 2, "times": [12.5]}
    with pytest.warns(SolverWarning, match="third-order cumulants"):
        found = solve("spin_lattice.dynamics", "cumulant", **point)
    assert found["squeezing"][0] < 0.003
    assert solve("spin_lattice.dynamics", "exact", **point)["squeezing"][0] == pytest.approx(0.1195, abs=1e-3)


@pytest.mark.slow
def test_where_cumulants_of_other_lattices_are_wrong_without_a_warning():
    """The documented limit: with couplings that are not quite alike nothing tells, because all pairs stay states."""
    point = {"N": 12, "lattice": "power_law", "exponent": 0.05, "J_z": 1 / 12, "theta": np.pi / 2, "times": [3.0]}
    cumulant = solve("spin_lattice.dynamics", "cumulant", **point)
    exact = solve("spin_lattice.dynamics", "exact", **point)
    assert cumulant["status"] == 0
    assert np.abs(cumulant["pair_correlation"] - exact["pair_correlation"]).max() > 0.1


@pytest.mark.slow
def test_a_network_of_equal_spins_is_watched_like_a_lattice():
    n = 8
    A = np.zeros((n, n, 3, 3))
    A[:, :, 2, 2] = 0.5 / n  # of ordered pairs
    A[np.arange(n), np.arange(n)] = 0.0
    point = {"N": n, "A": A, "spins0": np.tile([1.0, 0.0, 0.0], (n, 1)), "times": [0.2, 1.5]}
    network = quietly("spin_network.dynamics", "cumulant", point)
    strength = {"J_z": 1 / n, "theta": np.pi / 2}
    lattice = quietly(
        "spin_lattice.dynamics", "cumulant", {"N": n, "lattice": "all_to_all", "times": [0.2, 1.5]} | strength
    )
    np.testing.assert_allclose(network["spins"].mean(axis=1), lattice["magnetisation"], atol=1e-9)
    assert network["status"] == lattice["status"] == 1
    assert network["first_bad_time"] == lattice["first_bad_time"]
    A[0, 1], A[1, 0] = 1.001 * A[0, 1], 1.001 * A[1, 0]
    assert quietly("spin_network.dynamics", "cumulant", point)["status"] == 0, "the documented limit"


@pytest.mark.parametrize("gamma", [0.0, 1.0])
def test_where_cumulants_of_a_battery_are_off(gamma):
    """The documented limit: in the flash by up to a tenth of N, without a warning; well before and after by far less."""
    point = {"N": 54, "Gamma": 48.75, "gamma": gamma, "dephasing": 1.0, "seed_angle": 0.1}
    differences = []
    for tau in (1e-4, 0.0288, 5.0):
        cumulant, exact = (solve("battery.release", method, tau_s=tau, **point) for method in ("cumulant", "exact"))
        assert cumulant["status"] == 0
        differences.append(float(abs(cumulant["released"] - exact["released"])) / 54)
    assert max(differences) < 0.13
    assert differences[1] > 0.03


@pytest.mark.parametrize(
    ("point", "reached"),
    [
        ({"N": 104, "J_x": 0.1, "gamma_minus": 1.0}, True),
        ({"N": 105, "J_x": 0.1, "gamma_minus": 1.0}, False),
        ({"N": 399, "gamma_minus": 1.0}, True),
        ({"N": 400, "gamma_minus": 1.0}, False),
        ({"N": 446, "h_x": 0.1, "gamma_collective": 1.0}, True),
        ({"N": 447, "h_x": 0.1, "gamma_collective": 1.0}, False),
        ({"N": 1000, "h_x": 0.1}, True),
        ({"N": 1001, "h_x": 0.1}, False),
        ({"N": 4096, "J_z": 0.1, "gamma_collective": 1.0}, True),
        ({"N": 105, "J_x": 0.1, "gamma_minus": 1.0, "disorder": 0.1}, False),
        ({"N": 13, "lattice": "power_law", "exponent": 0.0, "gamma_minus": 1.0}, True),
        ({"N": 13, "lattice": "power_law", "exponent": 0.1, "gamma_minus": 1.0}, False),
    ],
)
def test_the_limit_of_exact_is_known_beforehand(point, reached):
    model = find("spin_lattice.dynamics")
    limit = model.method("exact").limit
    assert bool(limit.holds(parse_parameters(model, {"lattice": "all_to_all"} | point))) == reached
