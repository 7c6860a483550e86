"""The battery's kernels against what a physicist would use instead, measured in one process."""

import math
import time

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from solvers import evaluate, solve
from solvers.engines import populations as engine
from solvers.engines.individual_loss import jump_table, lose
from solvers.models.battery.cumulants import Moments, d_full
from solvers.models.battery.exact import Phase, Pulse, polarised

N, GAMMA, TAU = 140, 1600.0, 0.0187


def seconds(function, repeat=3):
    """The shortest of some runs."""
    best = math.inf
    for _ in range(repeat):
        start = time.perf_counter()
        function()
        best = min(best, time.perf_counter() - start)
    return best


def report(benchmark, ours, theirs, what):
    ratio = theirs / ours
    benchmark.extra_info[what] = ratio
    print(f"\n{what}: {ratio:.0f} times faster ({ours * 1e6:.1f} us against {theirs * 1e3:.2f} ms)")


def nine_equations(p):
    """The paper's equations (corrected), plainly written, as a user would hand them to solve_ivp."""

    def slope(t, y):
        dy = np.zeros(11)
        d_full.py_func(t, y, p, dy)
        return dy

    return slope


def three_equations(p):
    """The three that remain without coherence, in plain Python: the leanest that a user can do."""
    n, g, G = p[0], p[1], p[2]

    def slope(t, y):
        z, C, Z = y[0], y[3], y[4]
        dy = np.zeros(11)
        dy[0] = -(g + G) * (1 + z) - 2 * G * (n - 1) * C
        dy[3] = -(g + G) * C + 0.5 * G * (z + Z) + G * (n - 2) * z * C
        dy[4] = -2 * (g + G) * (z + Z) + 4 * G * C - 4 * G * (n - 2) * z * C
        dy[9] = 0.5 * n * (1 + z)
        dy[10] = G * (dy[9] + n * (n - 1) * C)
        return dy

    return slope


@pytest.mark.parametrize("equations", [nine_equations, three_equations])
def test_bench_cumulant_cycle_against_lsoda(benchmark, equations):
    """Cycle 20 of Fig. 3(a): storage and discharge at the default tolerances, against solve_ivp(LSODA) at the same."""
    rtol, atol = 1e-8, 1e-11
    storage, discharge = (np.array([N, 1.0, Gamma, 0.0, 0.0, 0.0]) for Gamma in (0.0, GAMMA))
    moments = Moments(N, False, rtol, atol, 10**9)

    def cycle():
        moments.pulse(math.pi)
        moments.evolve(storage, TAU)
        moments.evolve(discharge, TAU)

    for _ in range(20):
        cycle()
    start = moments.y.copy()
    end = np.zeros(11)

    def ours():
        moments.y = start.copy()
        cycle()

    def theirs():
        y = np.zeros(11)
        y[:9] = start
        y[0] = -y[0]
        for p in (storage, discharge):
            y = solve_ivp(equations(p), (0.0, TAU), y, method="LSODA", rtol=rtol, atol=atol).y[:, -1]
        end[:] = y

    benchmark(ours)
    report(
        benchmark, seconds(ours, 50), seconds(theirs), f"cumulant cycle, N = 140, against LSODA, {equations.__name__}"
    )
    assert 0.5 * N * end[0] == pytest.approx(moments.M, abs=1e-4)


def test_bench_exact_discharge_against_piqs(benchmark):
    """A discharge of N = 20 inverted emitters, Gamma = 1600, tau_d = 0.0187, against piqs and mesolve."""
    import qutip

    piqs = pytest.importorskip("qutip.piqs.piqs")
    emitters = 20
    rates = engine.rate_table(emitters, 1.0, GAMMA, 0.0, 0)
    inverted = np.zeros((emitters + 1, emitters // 2 + 1))
    inverted[emitters, 0] = 1.0
    P = inverted.copy()

    def ours():
        P[:] = inverted
        engine.propagate(P, rates, 0, GAMMA, TAU, False, True)

    generator = piqs.Dicke(emitters, emission=1.0, collective_emission=GAMMA).liouvillian()
    start, Jz = piqs.dicke(emitters, emitters / 2, emitters / 2), piqs.jspin(emitters, "z")
    found = []

    def theirs():
        result = qutip.mesolve(
            generator, start, [0.0, TAU], e_ops=[Jz], options={"method": "bdf", "nsteps": 10**6, "progress_bar": ""}
        )
        found.append(result.expect[0][-1])

    benchmark(ours)
    report(benchmark, seconds(ours, 20), seconds(theirs, 1), "exact discharge, N = 20, against piqs + mesolve")
    assert engine.moments(P)[0] == pytest.approx(found[-1], abs=1e-3)


def test_bench_exact_cycle_of_140_emitters(benchmark):
    pulse, storage, discharge = (
        Pulse(N, math.pi),
        Phase(N, 1.0, 0.0, 0.0, 0.0, TAU),
        Phase(N, 1.0, GAMMA, 0.0, 0.0, TAU),
    )
    state = polarised(N, up=False)

    def cycle():
        nonlocal state
        state = pulse.apply(state)
        storage.advance(state)
        discharge.advance(state)

    benchmark(cycle)
    taken = seconds(cycle, 20)
    state = polarised(N, up=False)
    for _ in range(3):
        cycle()
    peer = solve("battery.cycles", "cumulant", N=N, Gamma=GAMMA, tau_s=TAU, tau_d=TAU, cycles=3)
    # of the order of 1/N apart: what the cumulants neglect
    assert engine.moments(state[0])[0] == pytest.approx(peer["M_after_discharge"][-1], abs=N / 2 * 0.05)
    benchmark.extra_info["milliseconds per exact cycle, N = 140"] = 1e3 * taken
    print(f"\nexact cycle, N = 140: {1e3 * taken:.2f} ms")


def test_bench_exact_phases_of_1000_emitters(benchmark):
    large = 1000
    jumps, rates = jump_table(large), engine.rate_table(large, 1.0, GAMMA, 0.0, 0)
    state = polarised(large, up=True)[0]

    def storage():
        return lose(state, jumps, TAU)

    def discharge():
        return engine.propagate(state.copy(), rates, 0, GAMMA, TAU, False, True)

    benchmark.pedantic(discharge, rounds=1)
    kept = 2 * math.exp(-TAU) - 1  # each emitter decays for itself
    assert engine.moments(storage())[0] == pytest.approx(0.5 * large * kept, rel=1e-9)
    slope = -large * (1 + GAMMA)  # of M at full inversion, where there are no correlations yet
    short = state.copy()
    engine.propagate(short, rates, 0, GAMMA, 1e-12, False, True)
    assert engine.moments(short)[0] == pytest.approx(0.5 * large + slope * 1e-12, abs=1e-2 * large * GAMMA * 1e-12)
    for name, phase in (("storage", storage), ("discharge", discharge)):
        taken = seconds(phase, 2)
        benchmark.extra_info[f"seconds per {name}, N = 1000"] = taken
        print(f"\nexact {name}, N = 1000: {taken:.3f} s")


@pytest.mark.parametrize("method", ["chain", "cumulant"])
def test_bench_grid_of_limit_cycles(benchmark, method):
    """Every fifth point of the 64 x 64 grid of (tau_s, tau_d) from 1e-4 to 10; the time of the whole on two cores."""
    times = np.geomspace(1e-4, 10.0, 64)[::5]
    tau_s, tau_d = (axis.ravel() for axis in np.meshgrid(times, times, indexing="ij"))
    parameters = {"N": N, "Gamma": GAMMA}

    def grid():
        return evaluate("battery.limit_cycle", method, points={"tau_s": tau_s, "tau_d": tau_d}, parameters=parameters)

    found = benchmark.pedantic(grid, rounds=1, warmup_rounds=1)
    assert np.all(found.status == 0)
    whole = seconds(grid, 1) / len(tau_s) * 64 * 64 / 2
    benchmark.extra_info[f"seconds for 64 x 64 points on two cores, {method}"] = whole
    print(f"\n64 x 64 limit cycles, {method}: {whole:.1f} s on two cores")
