"""`spin_cat.two_ensembles` against SciPy's LSODA at equal tolerance, per point, single-threaded, in one process."""

from __future__ import annotations

import math
import time

import numpy as np
from scipy.integrate import solve_ivp

from solvers import solve_many

N, T_END, RTOL, ATOL = 10_000, 2000.0, 1e-8, 1e-10
ETA, DELTA = (axis.ravel() for axis in np.meshgrid(np.linspace(5, 650, 40), np.linspace(0, 0.08, 40), indexing="ij"))


def lsoda_point(eta: float, delta: float) -> bool:
    """(26)-(28) as printed, in plain Python floats, stopped when it unlocks: what a careful user of SciPy would write."""

    def printed(t, y):
        a, zeta, z = y
        cosine = math.cos(zeta)
        c = cosine * cosine
        sine = math.sin(2 * zeta)
        w = 1 + z + N * a * a * (1 - 2 / N) * c
        pair = c - (2 * c - 1) / N
        return (
            a * (-2 * eta * z * pair + z * (c - 1 / N) * w - 2 * a * a * c),
            delta + eta * z * (1 - 2 / N) * sine - 0.5 * z * w * sine,
            a * a * (8 * eta * pair - 4 * (c - 1 / N) * w - 4 * (1 + z) * c),
        )

    def unlocks(t, y):
        return math.cos(y[1])

    unlocks.terminal = True
    g = 2 * eta / N
    start = [math.sqrt(g) / (1 + g), 0.0, -(1 - g) / (1 + g)]
    return solve_ivp(printed, (0, T_END), start, method="LSODA", rtol=RTOL, atol=ATOL, events=unlocks).status == 0


def test_two_ensembles_against_lsoda(benchmark):
    points = {"eta": ETA, "delta": DELTA}

    def ours():
        return solve_many("spin_cat.two_ensembles", points=points, N=N, t_end=T_END, rtol=RTOL, atol=ATOL)

    ours()
    start = time.process_time()
    found = benchmark(ours)
    rounds = max(1, len(benchmark.stats.stats.data)) if benchmark.stats else 1
    if benchmark.stats:
        per_point = benchmark.stats.stats.median / ETA.size
    else:
        per_point = (time.process_time() - start) / rounds / ETA.size

    sample = np.random.default_rng(0).choice(ETA.size, 24, replace=False)
    start = time.process_time()
    peer = [lsoda_point(ETA[i], DELTA[i]) for i in sample]
    peer_per_point = (time.process_time() - start) / len(sample)
    assert np.mean(peer == (found["locked"][sample] == 1)) > 0.9  # they may differ at the very edge
    ratio = peer_per_point / per_point
    benchmark.extra_info.update(
        microseconds_per_point=1e6 * per_point, lsoda_milliseconds_per_point=1e3 * peer_per_point, ratio=ratio
    )
    print(
        f"\ntwo_ensembles: {1e6 * per_point:.1f} us per point, LSODA {1e3 * peer_per_point:.1f} ms: {ratio:.0f} times"
    )
