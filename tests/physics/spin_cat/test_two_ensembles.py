"""`spin_cat.two_ensembles`: against SciPy on the printed equations, its checks, its edges, and the same bits in any batch."""

from __future__ import annotations

import warnings

import numba
import numpy as np
import pytest

from solvers import FAILED, OK, WARNED, SolverWarning, models, solve, solve_many
from solvers.models.spin_cat import reduced_equations

MODEL = models()["spin_cat.two_ensembles"]
OUTPUTS = [o.name for o in MODEL.outputs]


def quiet_solve(**parameters):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SolverWarning)
        return solve(MODEL.id, **parameters)


@pytest.mark.parametrize("check", MODEL.checks, ids=lambda c: c.origin[:40])
def test_checks(check):
    found = quiet_solve(**check.parameters)
    for name, value in check.expect.items():
        np.testing.assert_allclose(found[name], value, rtol=check.rtol, atol=check.atol, err_msg=name)


@pytest.mark.parametrize("seed", range(8))
def test_random_points_against_scipy(seed):
    parameters = MODEL.random_parameters(np.random.default_rng(seed))
    expected = MODEL.methods[0].reference(parameters)
    found = quiet_solve(**parameters)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-6, atol=1e-6, err_msg=name)


def test_polynomial_form_equals_the_printed_equations():
    """(26)-(28) in A, zeta, z, transformed by hand into u, v, z."""
    rng = np.random.default_rng(5)
    for _ in range(20):
        n, eta, delta = float(rng.integers(2, 200)), rng.uniform(0, 5), rng.normal()
        a, zeta, z = rng.uniform(0, 0.5), rng.uniform(-1.5, 1.5), rng.uniform(-1, 1)
        c = np.cos(zeta) ** 2
        w = 1 + z + n * a * a * (1 - 2 / n) * c
        pair = c - np.cos(2 * zeta) / n
        d_a = a * (-2 * eta * z * pair + z * (c - 1 / n) * w - 2 * a * a * c)
        d_zeta = delta + eta * z * (1 - 2 / n) * np.sin(2 * zeta) - 0.5 * z * w * np.sin(2 * zeta)
        d_z = a * a * (8 * eta * pair - 4 * (c - 1 / n) * w - 4 * (1 + z) * c)
        u, v = a * np.cos(zeta), a * np.sin(zeta)
        d_u, d_v, d_z2 = reduced_equations.derivatives(u, v, z, n, 1 / n, eta, delta)
        np.testing.assert_allclose(
            [(u * d_u + v * d_v) / a, (u * d_v - v * d_u) / a**2, d_z2], [d_a, d_zeta, d_z], rtol=1e-11, atol=1e-13
        )


def test_jacobian_against_differences():
    state, p = np.array([0.21, 0.13, -0.6]), (120.0, 1 / 120.0, 3.7, 0.04)
    jacobian = np.reshape(reduced_equations.jacobian(*state, *p), (3, 3))
    for j in range(3):
        step = np.eye(3)[j] * 1e-6
        forward = np.array(reduced_equations.derivatives(*(state + step), *p))
        backward = np.array(reduced_equations.derivatives(*(state - step), *p))
        np.testing.assert_allclose(jacobian[:, j], (forward - backward) / 2e-6, rtol=1e-6, atol=1e-8)


def test_settle_time_is_when_the_largest_derivative_falls_below_its_limit():
    """Derivatives by (26)-(28) of tightly integrated states at other end times cross 1e-6 at the settle time."""
    parameters = {"N": 10_000, "eta": 312.5, "delta": 0.03}
    rest = quiet_solve(**parameters, t_end=5000.0)
    settle = float(rest["settle_time"])

    def unrest(t):
        found = quiet_solve(**parameters, t_end=t, rtol=1e-12, atol=1e-14)
        u, v, z = found["A"] * np.cos(found["zeta"]), found["A"] * np.sin(found["zeta"]), found["z"]
        p = (1e4, 1e-4, 312.5, 0.03)
        return np.sqrt(reduced_equations.unrest(u, v, z, *reduced_equations.derivatives(u, v, z, *p)))

    assert unrest(settle * 0.98) > 1e-6
    assert unrest(settle) == pytest.approx(1e-6, rel=0.02)
    assert unrest(settle * 1.02) < 1e-6
    assert unrest(settle * 1.5) < 1e-6


def test_same_bits_in_any_batch():
    rng = np.random.default_rng(0)
    points = {
        "eta": rng.uniform(0, 700, 203),
        "delta": rng.uniform(-0.01, 0.08, 203),
        "N": rng.integers(100, 20000, 203),
    }
    whole = solve_many(MODEL.id, points=points, t_end=500.0)
    order = rng.permutation(203)
    shuffled = solve_many(MODEL.id, points={k: v[order] for k, v in points.items()}, t_end=500.0)
    for name in (*OUTPUTS, "status"):
        assert np.array_equal(shuffled[name], whole[name][order], equal_nan=True), name
    for i in range(0, 203, 29):
        alone = quiet_solve(**{k: v[i] for k, v in points.items()}, t_end=500.0)
        for name in (*OUTPUTS, "status"):
            assert np.array_equal(alone[name], whole[name][i], equal_nan=True), name


def test_tolerances_move_the_result_by_less_than_themselves():
    loose = quiet_solve(**MODEL.example)
    tight = quiet_solve(**MODEL.example, rtol=1e-12, atol=1e-14)
    for name in ("zeta", "z", "A"):
        assert abs(loose[name] - tight[name]) < 1e-8
    assert loose["settle_time"] == pytest.approx(float(tight["settle_time"]), rel=1e-3)


def test_mirror():
    plus, minus = quiet_solve(N=500, eta=14.0, delta=0.04), quiet_solve(N=500, eta=14.0, delta=-0.04)
    assert minus["zeta"] == -plus["zeta"]
    assert minus["z"] == plus["z"]


@pytest.mark.parametrize(
    ("parameters", "locked", "status"),
    [
        ({"eta": 312.5, "delta": 0.05}, 1, OK),
        ({"eta": 312.5, "delta": 0.05, "t_end": 20.0}, 1, WARNED),
        ({"eta": 312.5, "delta": 0.05, "t_end": 0.0}, 1, WARNED),
        ({"eta": 312.5, "delta": 0.08}, 0, OK),
        ({"eta": 0.0, "delta": 0.01}, 0, OK),
        ({"eta": 1e-6, "delta": 0.001}, 0, OK),
        ({"eta": 1000.0, "delta": 0.0}, 1, OK),  # beyond the tongue: the amplitude vanishes, the phase never moves
        ({"eta": 312.5, "delta": 1000.0}, 0, OK),
        ({"N": 2, "eta": 0.05, "delta": 0.01}, 0, OK),
    ],
)
def test_edges(parameters, locked, status):
    found = quiet_solve(**parameters)
    assert found["locked"] == locked
    assert found["status"] == status
    assert np.isnan(found["zeta"]) == (locked == 0)
    assert np.isfinite(found["z"])
    assert np.isfinite(found["A"])


def test_warning_says_what_to_do():
    with pytest.warns(SolverWarning, match="raise t_end"):
        solve(MODEL.id, eta=312.5, delta=0.05, t_end=20.0)


def test_spent_budget_fails_the_point():
    found = quiet_solve(eta=312.5, delta=0.05, max_steps=3)
    assert found["status"] == FAILED
    assert all(np.isnan(found[name]) for name in OUTPUTS)


def test_lanes_vectorise():
    """The arithmetic of the lanes holds packed double operations, else it runs at the speed of scalar code."""
    dispatcher = reduced_equations.integrate_lanes
    arrays = [np.zeros((3, 1)), np.zeros((4, 1))] + [np.zeros(1)] * 3
    arguments = [*arrays, np.ones(1, dtype=np.int64), np.zeros(1), False, np.zeros((3, 1)), np.zeros(1), np.zeros(1)]
    dispatcher(*arguments, np.zeros(1, dtype=np.int64))
    assembly = dispatcher.inspect_asm(dispatcher.signatures[0])
    packed = sum(assembly.count(f) for f in ("vfmadd213pd", "vfmadd231pd", "vfmadd132pd", "vmulpd", "mulpd", "fmla"))
    assert packed > 500, numba.__version__
