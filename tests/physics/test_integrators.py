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

# One right-hand side with several problems, so that each method is compiled once: p = (problem, rate, stop).
PENDULUM, RICCATI, VAN_DER_POL, NOT_A_NUMBER = range(4)


@kernel
def problem(t, y, p, dy):
    which, rate, _ = p
    if which == PENDULUM:  # y'' = -rate^2 y, cos(rate t) from (1, 0)
        dy[0] = y[1]
        dy[1] = -rate * rate * y[0]
    elif which == RICCATI:  # y' = rate y^2: y = y0 / (1 - rate y0 t); z' = y z is a nonlinear coupling
        dy[0] = rate * y[0] * y[0]
        dy[1] = y[0] * y[1]
    elif which == VAN_DER_POL:
        dy[0] = y[1]
        dy[1] = rate * (1.0 - y[0] ** 2) * y[1] - y[0]
    else:  # real until t = 1/2
        dy[0] = math.sqrt(0.5 - t)
        dy[1] = 0.0


@kernel
def d_problem(t, y, p, J):
    which, rate, _ = p
    if which == PENDULUM:
        J[0, 1] = 1.0
        J[1, 0] = -rate * rate
    elif which == RICCATI:
        J[0, 0] = 2.0 * rate * y[0]
        J[1, 0] = y[1]
        J[1, 1] = y[0]
    elif which == VAN_DER_POL:
        J[0, 1] = 1.0
        J[1, 0] = -2.0 * rate * y[0] * y[1] - 1.0
        J[1, 1] = rate * (1.0 - y[0] ** 2)


@kernel
def descends(t, y, p):
    """y[0], for problems that are to stop where it falls to zero."""
    return y[0] if p[2] else 1.0


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


def compiled(integrate):
    @numba.njit
    def run(p, y, times, rtol, atol, max_steps):
        out = np.empty((times.size, y.size))
        end = integrate(p, y, times, out, rtol, atol, max_steps)
        return end, out, y

    def call(p, start, times, rtol=1e-8, atol=1e-10, max_steps=10**7):
        return run(p, np.array(start, dtype=float), np.array(times, dtype=float), rtol, atol, max_steps)

    return call


METHODS = {
    "explicit": compiled(runge_kutta(problem, descends)),
    "rosenbrock": compiled(rosenbrock(problem, d_problem, descends)),
    "automatic": compiled(automatic(problem, d_problem, descends)),
}


def solve(method, which, rate, start, times, stop=False, **options):
    return METHODS[method]((which, float(rate), stop), start, times, **options)


grid = np.linspace(0.0, 10.0, 37)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("rtol", [1e-5, 1e-8, 1e-11])
def test_oscillation_at_every_output_time(method, rtol):
    (code, t, _), out, y = solve(method, PENDULUM, 2, [1, 0], grid, rtol=rtol, atol=rtol * 1e-2)
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
        (_, _, steps), out, _ = solve(method, PENDULUM, 1, [1, 0], [30.0], rtol=rtol, atol=rtol)
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
    (code, t, _), out, y = solve(method, PENDULUM, 1, [1, 0], grid, stop=True, rtol=1e-10, atol=1e-12)
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
    (code, t, _), _, _ = solve(method, PENDULUM, 1, [-1, 0], grid, stop=True, rtol=1e-10, atol=1e-12)
    assert code == EVENT
    assert t == pytest.approx(1.5 * np.pi, abs=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_step_budget(method):
    (code, t, steps), out, _ = solve(method, PENDULUM, 2, [1, 0], grid, max_steps=7)
    assert code == MAX_STEPS
    assert steps == 7
    assert 0.0 < t < 10.0
    assert np.all(np.isnan(out[grid > t]))
    assert np.all(np.isfinite(out[grid <= t]))


@pytest.mark.parametrize("method", METHODS)
def test_blow_up_ends_with_a_code(method):
    """y' = y^2 from 1 is infinite at t = 1."""
    (code, t, _), out, _ = solve(method, RICCATI, 1, [1, 0], [0.5, 2.0])
    assert code in (STEP_TOO_SMALL, NOT_FINITE)
    assert t == pytest.approx(1.0, abs=1e-6)
    assert out[0, 0] == pytest.approx(2.0, rel=1e-6)
    assert np.isnan(out[1, 0])


@pytest.mark.parametrize("method", METHODS)
def test_not_a_number_ends_with_a_code(method):
    (code, t, _), _, y = solve(method, NOT_A_NUMBER, 1, [0, 0], [2.0])
    assert code == NOT_FINITE
    assert t == pytest.approx(0.5, abs=1e-3)
    assert np.isfinite(y[0])


@pytest.mark.parametrize("method", METHODS)
def test_times_at_the_start_and_repeated_times(method):
    end, out, y = solve(method, PENDULUM, 1, [1, 0], [0.0, 0.0])
    assert end == (DONE, 0.0, 0)
    assert np.array_equal(out, [[1.0, 0.0], [1.0, 0.0]])
    assert np.array_equal(y, [1.0, 0.0])
    end, out, y = solve(method, PENDULUM, 1, [1, 0], [])
    assert end == (DONE, 0.0, 0)
    _, out, _ = solve(method, PENDULUM, 1, [1, 0], [0.0, 1.0, 1.0, 2.0, 2.0])
    assert np.array_equal(out[1], out[2])
    assert np.array_equal(out[3], out[4])
    assert out[4, 0] == pytest.approx(np.cos(2.0), abs=1e-7)


STIFF = compiled(rosenbrock(prothero_robinson, d_prothero_robinson, d_dt=dt_prothero_robinson))
STIFF_AUTOMATIC = compiled(automatic(prothero_robinson, d_prothero_robinson, d_dt=dt_prothero_robinson))


@pytest.mark.parametrize("rate", [1.0, 1e3, 1e6, 1e9])
@pytest.mark.parametrize("integrate", [STIFF, STIFF_AUTOMATIC])
def test_stiff_time_dependent_problem(rate, integrate):
    (code, _, steps), out, _ = integrate(rate, [1], grid)
    assert code == DONE
    assert np.max(np.abs(out[:, 0] - np.cos(grid))) < 1e-6
    assert steps < 5_000


def test_automatic_switches_both_ways():
    """The relaxation oscillator is stiff between its jumps; the plain oscillator never is."""
    runs = {m: solve(m, VAN_DER_POL, 1e3, [2, 0], [1700.0]) for m in METHODS}
    steps = {m: run[0][2] for m, run in runs.items()}
    assert steps["automatic"] < 1.5 * steps["rosenbrock"] < 0.01 * steps["explicit"]
    for m in ("explicit", "automatic"):
        np.testing.assert_allclose(runs[m][2], runs["rosenbrock"][2], rtol=1e-4)
    mild = {m: solve(m, VAN_DER_POL, 1, [2, 0], [50.0]) for m in METHODS}
    assert np.array_equal(mild["automatic"][1], mild["explicit"][1]), "not stiff: the explicit method alone"
