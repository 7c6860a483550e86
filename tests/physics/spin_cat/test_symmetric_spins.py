"""spin_cat.steady_state, dicke and wigner: symmetric spins, against other algorithms and the numbers of Fig. 3."""

import math
import warnings

import numpy as np
import pytest
import qutip
from scipy.sparse.linalg import expm_multiply
from scipy.special import eval_laguerre

from solvers import FAILED, SolverWarning, evaluate, models, solve, solve_many
from solvers.engines.pair_loss.ladder import EVEN, ODD, Ladder, generator
from solvers.engines.pair_loss.transients import propagate
from solvers.engines.wigner import wigner
from solvers.evaluate import parse_parameters
from solvers.numerics.shift_invert import Exponential
from solvers.outcome import Kind, PointFailed


@pytest.mark.parametrize("name", ["steady_state", "dicke", "wigner"])
def test_references_agree_at_random_points(name):
    model = models()[f"spin_cat.{name}"]
    rng = np.random.default_rng(2)
    for _ in range(4):
        parameters = model.random_parameters(rng)
        expected = model.methods[0].reference(parse_parameters(model, parameters))
        found = solve(model.id, **parameters)
        for output, values in expected.items():
            np.testing.assert_allclose(found[output], values, rtol=1e-8, atol=1e-9, err_msg=f"{output} {parameters}")


@pytest.mark.parametrize("eta", [0.05, 4.0, 7.0, 20.0])
def test_krylov_spaces_agree_with_taylor_series(eta):
    """N = 40: 420 unknowns, above what is treated densely."""
    L = generator(40, eta, EVEN, ODD)
    rng = np.random.default_rng(1)
    start = rng.normal(size=L.shape[0]) * np.exp(-0.1 * np.arange(L.shape[0]))
    times = np.array([0.0, 1e-9, 1e-3, 0.02, 0.02, 0.5, 3.0])
    for found in (Exponential(L, 1e-11, 300)(start, times), propagate(L, start, times, 1e-11, 300)):
        for t, state in zip(times, found, strict=True):
            expected = expm_multiply(t * L, start) if t else start
            np.testing.assert_allclose(state, expected, atol=1e-9 * np.linalg.norm(start))


def test_too_few_spaces_are_reported():
    L = generator(40, 20.0, EVEN, ODD)
    with pytest.raises(PointFailed, match="max_steps"):
        Exponential(L, 1e-11, 2)(np.ones(L.shape[0]), np.array([3.0]))
    with pytest.warns(SolverWarning, match="Krylov"):
        assert solve("spin_cat.dicke", N=40, eta=20.0, times=[0.1, 30.0], max_steps=1)["status"] == 2


def test_coherence_rates_of_the_physics_notes():
    """Section 2: |lambda| at N = 100."""
    known = {
        7.0: 0.0,
        8.0: 5.9e-10,
        9.0: 5.0e-7,
        10.0: 9.09e-5,
        10.5: 7.13e-4,
        11.0: 3.88e-3,
        12.0: 3.74e-2,
        13.0: 0.109,
    }
    eta = np.array(list(known))
    found = solve_many("spin_cat.dicke", points={"eta": eta}, keep=["coherence_rate"], times=[0.0])
    np.testing.assert_allclose(-found["coherence_rate"], list(known.values()), rtol=6e-3, atol=1e-11)


def test_plateaus_of_figure_3_and_the_classical_spin():
    known = {0.5: 1.005, 1.0: 1.429, 2.0: 2.044, 5.0: 3.360, 6.25: 3.831, 8.0: 4.483, 9.0: 4.871, 10.0: 5.294}
    eta = np.array(list(known))
    found = solve_many("spin_cat.dicke", points={"eta": eta}, keep=["plateau"], times=[0.0])["plateau"]
    np.testing.assert_allclose(found, list(known.values()), atol=6e-4)
    classical = np.sqrt(100 * (1 - np.sqrt(1 - 8 * eta / 100)) / 2)
    np.testing.assert_allclose(found[eta <= 8], classical[eta <= 8], rtol=2.6e-3)


def test_where_figure_3_drops_depends_on_the_time():
    """Half height at N = 100: eta = 12.6, 11.2, 10.5, 9.9, 9.5 for T = 10 to 10^5 (physics notes, figures)."""
    times, half = [10.0, 1e2, 1e3, 1e4, 1e5], [12.6, 11.2, 10.5, 9.9, 9.5]
    eta = np.arange(9.0, 13.3, 0.1)
    found = solve_many("spin_cat.dicke", points={"eta": eta}, times=times, keep=["amplitude"])["amplitude"]
    for k, expected in enumerate(half):
        share = found[:, k] / found[:, k].max()
        assert np.interp(0.5, share[::-1], eta[::-1]) == pytest.approx(expected, abs=0.1)


def test_two_modes_that_coincide():
    """Two spins at eta = 1/4: the even-odd block is critically damped, e^{-t/4} with a polynomial."""
    model = models()["spin_cat.dicke"]
    parameters = {"N": 2, "eta": 0.25, "times": [0.0, 0.5, 2.0, 10.0]}
    found = solve(model.id, **parameters)
    expected = model.methods[0].reference(parse_parameters(model, parameters))
    np.testing.assert_allclose(found["amplitude"], expected["amplitude"], atol=1e-12)
    assert found["status"] == 0
    assert found["coherence_rate"] == pytest.approx(-0.25, abs=1e-7)
    assert np.isnan(found["plateau"])


@pytest.mark.parametrize("eta", [0.0, 1e-300, 1e-8, 2.5, 60.0])
def test_extremes_of_squeezing_and_time(eta):
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        warnings.simplefilter("ignore", SolverWarning)
        found = solve("spin_cat.dicke", N=20, eta=eta, times=[0.0, 1e-12, 1.0, 1e5, 1e300])
    assert found["status"] == (1 if 0.0 < eta < 1.0 else 0)  # what is below rounding cannot be followed to 1e300
    assert np.all(np.isfinite(found["amplitude"]))
    assert np.all((found["excitations"] >= -1e-12) & (found["excitations"] <= 20))
    assert np.all(found["amplitude"] ** 2 <= found["excitations"] + 1e-9)  # |<a>|^2 <= <a^+ a>


def test_two_and_more_spins_by_qutip():
    """Steady states of full collective spins by QuTiP, the odd one too."""
    n, eta, phi = 6, 0.9, 0.7
    S = qutip.jmat(n / 2, "-")
    pairs = S * S
    H = eta / n * (np.exp(1j * phi) * pairs + np.exp(-1j * phi) * pairs.dag())
    for parity, start in (("even", n), ("odd", n - 1)):
        rho = qutip.mesolve(
            H,
            qutip.basis(n + 1, start),
            [0.0, 80.0],
            c_ops=[pairs / n],
            options={"rtol": 1e-10, "atol": 1e-12, "nsteps": 100_000, "progress_bar": ""},
        ).states[-1]
        found = solve("spin_cat.steady_state", N=n, eta=eta, phi=phi, parity=parity)
        assert (rho * rho).tr().real == pytest.approx(float(found["purity"]), abs=1e-8)
        number = sum(rho[i, i].real * (n - i) for i in range(n + 1))
        assert number == pytest.approx(float(found["excitations"]), abs=1e-7)


@pytest.mark.parametrize(("size", "n", "azimuth"), [(3, 8, 0.0), (12, 9, 0.7), (40, 16, -2.0)])
def test_wigner_function_by_qutip(size, n, azimuth):
    rng = np.random.default_rng(size)
    root = rng.normal(size=(size, size))
    rho = root @ root.T / np.trace(root @ root.T)
    turn = np.exp(1j * azimuth * np.arange(size))
    x = np.linspace(-6, 6, n)
    expected = qutip.wigner(qutip.Qobj(turn[:, None] * rho * turn.conj()), x, x).T  # QuTiP's first axis is p
    np.testing.assert_allclose(wigner(rho, azimuth, 6.0, n), expected, atol=1e-14)


def test_wigner_function_of_many_quanta():
    """|300><300|: (-1)^n e^{-u/2} L_n(u)/pi, u = 2 (x^2 + p^2), where e^{-u/2} alone underflows."""
    rho = np.zeros((301, 301))
    rho[300, 300] = 1.0
    found = wigner(rho, 0.3, 25.0, 26)
    x = np.linspace(-25, 25, 26)
    u = 2 * (x[:, None] ** 2 + x**2)
    inside = u < 1300
    assert (inside & (u > 1200)).any()
    expected = np.exp(-u / 2) * eval_laguerre(300, u) / math.pi
    np.testing.assert_allclose(found[inside], expected[inside], atol=1e-9)
    assert abs(found[u > 1500]).max() < 1e-20
    assert abs(found).max() > 0.01


def test_one_blob_and_two():
    """Fig. 3: at N = 100 and t = 1000 one maximum at r = 3.25 (eta = 5), two of .125 at r = 6.25 (eta = 12)."""
    for eta, radius, heights, x_max, n_x in (
        (5.0, 3.25, [0.3117], 6.5, 53),
        (12.0, 6.25, [0.125, 0.125], 7.5, 61),
    ):
        found = solve("spin_cat.wigner", eta=eta, t=1000.0, x_max=x_max, n_x=n_x)
        W, x = found["wigner"], found["position"]
        inner = W[1:-1, 1:-1]
        around = [
            W[1 + i : W.shape[0] - 1 + i, 1 + j : W.shape[1] - 1 + j] for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j
        ]
        top = np.argwhere((inner > np.max(around, axis=0)) & (inner > 0.05)) + 1
        assert W[tuple(top.T)] == pytest.approx(heights, abs=2e-4)
        for i, j in top:
            assert math.hypot(x[i], x[j]) / math.sqrt(2) == pytest.approx(radius, abs=0.1)
            assert x[i] == pytest.approx(-x[j], abs=0.13)
    wide = solve("spin_cat.wigner", eta=12.0, t=20.0, x_max=18.0, n_x=361)
    assert wide["wigner"].sum() * 0.1**2 == pytest.approx(1.0, abs=1e-6)


def test_populations_keep_their_trace():
    ladder = Ladder(100, 10.0, 1e-10, 100)
    times = np.array([0.0, 1e-3, 0.1, 5.0])
    trace = sum(np.trace(ladder.populations(p, times), axis1=1, axis2=2) for p in (EVEN, ODD))
    np.testing.assert_allclose(trace, 1.0, atol=1e-10)


def test_turns_beyond_any_budget_are_refused_early():
    """eta = 1e6: 7e7 products with the generator until t = 1, where 2e4 are paid for here."""
    found = evaluate("spin_cat.dicke", points={}, parameters={"N": 60, "eta": 1e6, "times": [0.0, 1.0], "max_steps": 1})
    assert found.status[0] == FAILED
    assert found.remarks[0].kind == Kind.TOO_MUCH_WORK
    assert "products to t = 1" in found.remarks[0].message and "max_steps = 1 allows 1e+08" in found.remarks[0].message


def test_without_squeezing_nothing_is_lost_in_rounding():
    """eta = 0: the start is the ground state, which has no coherence and stays; no doubt however late."""
    found = solve("spin_cat.dicke", N=6, eta=0.0, times=[1e12])
    assert found["status"] == 0
    np.testing.assert_allclose([found["amplitude"][0], found["excitations"][0]], 0.0, atol=1e-20)
