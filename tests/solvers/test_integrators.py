"""The integrators on problems with closed forms: order, dense output, events, stiffness, and every way to end."""

from __future__ import annotations

import math

import numba
import numpy as np
import pytest

from solvers.numerics.automatic import automatic
from solvers.numerics.compile import kernel
from solvers.numerics.outcome import DONE, EVENT, MAX_STEPS, NOT_FINITE, STEP_TOO_SMALL
from solvers.numerics.rodas5p import ABSCISSAE, GAMMA, STAGES, TIME_WEIGHTS, A, C
from solvers.numerics.rosenbrock import rosenbrock
from solvers.numerics.runge_kutta import runge_kutta


@kernel
def pendulum(t, y, p, dy):
    """y'' = -p^2 y, with cos(p t) from (1, 0)."""
    dy[0] = y[1]
    dy[1] = -p * p * y[0]


@kernel
def d_pendulum(t, y, p, J):
    J[0, 1] = 1.0
    J[1, 0] = -p * p


@kernel
def descends(t, y, p):
    return y[0]


@kernel
def prothero_robinson(t, y, p, dy):
    """y' = -p (y - cos t) - sin t, solved by cos t from 1, however stiff p makes it."""
    dy[0] = -p * (y[0] - math.cos(t)) - math.sin(t)


@kernel
def d_prothero_robinson(t, y, p, J):
    J[0, 0] = -p


@kernel
def dt_prothero_robinson(t, y, p, dft):
    dft[0] = -p * math.sin(t) - math.cos(t)


@kernel
def riccati(t, y, p, dy):
    """y' = p y^2 and a quadrature: a nonlinear system that couples its variables; y = y0 / (1 - p y0 t)."""
    dy[0] = p * y[0] * y[0]
    dy[1] = y[0] * y[1]


@kernel
def d_riccati(t, y, p, J):
    J[0, 0] = 2.0 * p * y[0]
    J[1, 0] = y[1]
    J[1, 1] = y[0]


@kernel
def van_der_pol(t, y, p, dy):
    dy[0] = y[1]
    dy[1] = p * (1.0 - y[0] ** 2) * y[1] - y[0]


@kernel
def d_van_der_pol(t, y, p, J):
    J[0, 1] = 1.0
    J[1, 0] = -2.0 * p * y[0] * y[1] - 1.0
    J[1, 1] = p * (1.0 - y[0] ** 2)


@kernel
def not_a_number(t, y, p, dy):
    dy[0] = math.sqrt(0.5 - t)


@kernel
def d_not_a_number(t, y, p, J):
    J[0, 0] = 0.0


def compiled(integrate):
    @numba.njit
    def run(p, y, times, rtol, atol, max_steps):
        out = np.empty((times.size, y.size))
        end = integrate(p, y, times, out, rtol, atol, max_steps)
        return end, out, y

    def call(p, start, times, rtol=1e-8, atol=1e-10, max_steps=10**7):
        return run(float(p), np.array(start, dtype=float), np.array(times, dtype=float), rtol, atol, max_steps)

    return call


def all_three(rhs, jacobian, event=None):
    return {
        "explicit": compiled(runge_kutta(rhs, event)),
        "rosenbrock": compiled(rosenbrock(rhs, jacobian, event)),
        "automatic": compiled(automatic(rhs, jacobian, event)),
    }


PENDULUM = all_three(pendulum, d_pendulum)
PENDULUM_STOPPED = all_three(pendulum, d_pendulum, descends)
RICCATI = all_three(riccati, d_riccati)
NOT_A_NUMBER = all_three(not_a_number, d_not_a_number)
METHODS = ("explicit", "rosenbrock", "automatic")
grid = np.linspace(0.0, 10.0, 37)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("rtol", [1e-5, 1e-8, 1e-11])
def test_oscillation_at_every_output_time(method, rtol):
    (code, t, _), out, y = PENDULUM[method](2.0, [1.0, 0.0], grid, rtol, rtol * 1e-2)
    exact = np.stack([np.cos(2 * grid), -2 * np.sin(2 * grid)], axis=1)
    assert code == DONE
    assert t == grid[-1]
    assert np.max(np.abs(out - exact)) < 100 * rtol
    assert np.array_equal(out[-1], y)


@pytest.mark.parametrize("method", METHODS)
def test_error_falls_with_the_tolerance_as_order_five(method):
    """For order 5, error ~ steps^-5."""
    work, errors = [], []
    for rtol in (1e-6, 1e-8, 1e-10):
        (_, _, steps), out, _ = PENDULUM[method](1.0, [1.0, 0.0], [30.0], rtol, rtol)
        work.append(steps)
        errors.append(np.hypot(out[0, 0] - np.cos(30.0), out[0, 1] + np.sin(30.0)))
    slope = np.polyfit(np.log(work), np.log(errors), 1)[0]
    assert -6.5 < slope < -4.5


def rodas_step(f, jacobian, dft, t, y, h):
    """One Rodas5P step in the plainest form, for the order of the coefficients themselves."""
    k = np.zeros((STAGES, len(y)))
    w = np.eye(len(y)) / (h * GAMMA) - jacobian(t, y)
    for i in range(STAGES):
        right = f(t + ABSCISSAE[i] * h, y + A[i] @ k) + h * TIME_WEIGHTS[i] * dft(t, y) + C[i] @ k / h
        k[i] = np.linalg.solve(w, right)
    y_new = y + A[-1] @ k + k[-1]
    return y_new, y_new - k[-1]


@pytest.mark.parametrize(("embedded", "order"), [(False, 5), (True, 4)])
def test_rodas5p_coefficients_have_their_order(embedded, order):
    """Global error over [0, 1] of y' = y^2 sin(3 t) + z, z' = -y z, whose reference is a far finer run."""

    def f(t, y):
        return np.array([y[0] ** 2 * np.sin(3 * t) + y[1], -y[0] * y[1]])

    def jacobian(t, y):
        return np.array([[2 * y[0] * np.sin(3 * t), 1.0], [-y[1], -y[0]]])

    def dft(t, y):
        return np.array([3 * y[0] ** 2 * np.cos(3 * t), 0.0])

    def solve(n):
        y = np.array([0.5, 0.8])
        for i in range(n):
            better, lower = rodas_step(f, jacobian, dft, i / n, y, 1 / n)
            y = lower if embedded else better
        return y

    reference = solve(400) if not embedded else None
    if reference is None:
        y = np.array([0.5, 0.8])
        for i in range(400):
            y, _ = rodas_step(f, jacobian, dft, i / 400, y, 1 / 400)
        reference = y
    errors = [np.max(np.abs(solve(n) - reference)) for n in (10, 20, 40)]
    observed = np.log2(np.array(errors[:-1]) / errors[1:])
    assert np.all(observed > order - 0.35)
    assert np.all(observed < order + 1.0)


@pytest.mark.parametrize("method", METHODS)
def test_event_is_located_on_the_dense_output(method):
    (code, t, _), out, y = PENDULUM_STOPPED[method](1.0, [1.0, 0.0], grid, 1e-10, 1e-12)
    assert code == EVENT
    assert t == pytest.approx(np.pi / 2, abs=1e-9)
    assert y[0] <= 0.0
    assert y[1] == pytest.approx(-1.0, abs=1e-9)
    before = grid <= t
    assert np.max(np.abs(out[before, 0] - np.cos(grid[before]))) < 1e-8
    assert np.all(np.isnan(out[~before]))


@pytest.mark.parametrize("method", METHODS)
def test_an_event_that_is_not_positive_at_the_start_waits_until_it_was(method):
    """From (-1, 0), y = -cos t is negative, then positive, and falls through zero at 3 pi / 2."""
    (code, t, _), _, _ = PENDULUM_STOPPED[method](1.0, [-1.0, 0.0], grid, 1e-10, 1e-12)
    assert code == EVENT
    assert t == pytest.approx(1.5 * np.pi, abs=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_step_budget(method):
    (code, t, steps), out, _ = PENDULUM[method](2.0, [1.0, 0.0], grid, max_steps=7)
    assert code == MAX_STEPS
    assert steps == 7
    assert 0.0 < t < 10.0
    assert np.all(np.isnan(out[grid > t]))
    assert np.all(np.isfinite(out[grid <= t]))


@pytest.mark.parametrize("method", METHODS)
def test_blow_up_ends_with_a_code(method):
    """y' = y^2 from 1 is infinite at t = 1."""
    (code, t, _), out, _ = RICCATI[method](1.0, [1.0, 0.0], [0.5, 2.0])
    assert code in (STEP_TOO_SMALL, NOT_FINITE)
    assert t == pytest.approx(1.0, abs=1e-6)
    assert out[0, 0] == pytest.approx(2.0, rel=1e-6)
    assert np.isnan(out[1, 0])


@pytest.mark.parametrize("method", METHODS)
def test_not_a_number_ends_with_a_code(method):
    (code, t, _), _, y = NOT_A_NUMBER[method](1.0, [0.0], [2.0])
    assert code == NOT_FINITE
    assert t == pytest.approx(0.5, abs=1e-3)
    assert np.isfinite(y[0])


@pytest.mark.parametrize("method", METHODS)
def test_times_at_the_start_and_repeated_times(method):
    end, out, y = PENDULUM[method](1.0, [1.0, 0.0], [0.0, 0.0])
    assert end == (DONE, 0.0, 0)
    assert np.array_equal(out, [[1.0, 0.0], [1.0, 0.0]])
    assert np.array_equal(y, [1.0, 0.0])
    end, out, y = PENDULUM[method](1.0, [1.0, 0.0], [])
    assert end == (DONE, 0.0, 0)
    _, out, _ = PENDULUM[method](1.0, [1.0, 0.0], [0.0, 1.0, 1.0, 2.0, 2.0])
    assert np.array_equal(out[1], out[2])
    assert np.array_equal(out[3], out[4])
    assert out[4, 0] == pytest.approx(np.cos(2.0), abs=1e-7)


STIFF = compiled(rosenbrock(prothero_robinson, d_prothero_robinson, d_dt=dt_prothero_robinson))
STIFF_AUTOMATIC = compiled(automatic(prothero_robinson, d_prothero_robinson, d_dt=dt_prothero_robinson))


@pytest.mark.parametrize("rate", [1.0, 1e3, 1e6, 1e9])
@pytest.mark.parametrize("integrate", [STIFF, STIFF_AUTOMATIC])
def test_stiff_time_dependent_problem(rate, integrate):
    (code, _, steps), out, _ = integrate(rate, [1.0], grid)
    assert code == DONE
    assert np.max(np.abs(out[:, 0] - np.cos(grid))) < 1e-6
    assert steps < 5_000


def test_automatic_switches_both_ways():
    """The relaxation oscillator is stiff between its jumps; the plain oscillator never is."""
    oscillator = all_three(van_der_pol, d_van_der_pol)
    steps = {m: oscillator[m](1e3, [2.0, 0.0], [3000.0])[0][2] for m in METHODS}
    assert steps["automatic"] < 1.5 * steps["rosenbrock"] < 0.01 * steps["explicit"]
    ends = [oscillator[m](1e3, [2.0, 0.0], [3000.0])[2] for m in METHODS]
    np.testing.assert_allclose(ends[2], ends[1], rtol=1e-4)
    np.testing.assert_allclose(ends[0], ends[1], rtol=1e-4)
    mild = {m: oscillator[m](1.0, [2.0, 0.0], [50.0]) for m in METHODS}
    assert np.array_equal(mild["automatic"][1], mild["explicit"][1]), "not stiff: the explicit method alone"
