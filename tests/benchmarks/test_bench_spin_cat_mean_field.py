"""`spin_cat.mean_field` with 60 Gaussian classes against SciPy's LSODA on the same classes; and ten thousand single spins."""

from __future__ import annotations

import time

import numpy as np
from scipy.integrate import solve_ivp

from solvers import solve_many
from solvers.models.spin_cat.detunings import class_detunings

N, ETA, CLASSES, T_END, RTOL, ATOL = 10_000, 312.5, 60, 200.0, 1e-8, 1e-10


def lsoda_point(delta: float) -> float:
    """(22)-(23) for classes, vectorised with NumPy: what a careful user of SciPy would write."""
    detunings, weight = delta * class_detunings("gaussian", CLASSES), N / CLASSES

    def rates(t, y):
        s, z = y[:CLASSES] + 1j * y[CLASSES : 2 * CLASSES], y[2 * CLASSES :]
        c1 = (weight * s.sum() - s) / N
        c2 = (weight * (1 + z).sum() - (1 + z)) / (2 * N)
        square = np.abs(c1) ** 2
        loss, gain = c2 / N + square, c1 * (2 * c2 + N * square)
        d_s = 1j * detunings * s - 2j * ETA * z * c1.conj() - 2 * s * loss + z * gain
        d_z = 8 * ETA * (s * c1).imag - 4 * (1 + z) * loss - 4 * (s * gain.conj()).real
        return np.concatenate([d_s.real, d_s.imag, d_z])

    g = 2 * ETA / N
    s0 = np.sqrt(g) / (1 + g) * np.exp(0.25j * np.pi)
    start = np.repeat([s0.real, s0.imag, -(1 - g) / (1 + g)], CLASSES)
    end = solve_ivp(rates, (0, T_END), start, method="LSODA", rtol=RTOL, atol=ATOL).y[:, -1]
    return float(end[2 * CLASSES :].mean())


def test_gaussian_classes_against_lsoda(benchmark):
    delta = np.linspace(0.03, 0.075, 10)
    common = {"N": N, "eta": ETA, "classes": CLASSES, "times": [T_END], "rtol": RTOL, "atol": ATOL}

    def ours():
        return solve_many("spin_cat.mean_field", points={"delta": delta}, **common)

    ours()
    start = time.process_time()
    found = benchmark(ours)
    rounds = len(benchmark.stats.stats.data) if benchmark.stats else 1
    per_point = benchmark.stats.stats.median if benchmark.stats else (time.process_time() - start) / rounds
    per_point /= delta.size
    start = time.process_time()
    peer = lsoda_point(delta[4])
    peer_per_point = time.process_time() - start
    np.testing.assert_allclose(found["z"][4, 0], peer, atol=1e-5)
    ratio = peer_per_point / per_point
    benchmark.extra_info.update(milliseconds_per_point=1e3 * per_point, lsoda_seconds=peer_per_point, ratio=ratio)
    print(f"\n60 classes: {1e3 * per_point:.2f} ms per point, LSODA {peer_per_point:.2f} s: {ratio:.0f} times")


def test_ten_thousand_single_spins(benchmark):
    def ours():
        return solve_many("spin_cat.mean_field", points={"delta": [0.07]}, N=N, eta=ETA, times=[T_END])

    start = time.process_time()
    found = benchmark(ours)
    assert found["locked"][0] == 1
    seconds = benchmark.stats.stats.median if benchmark.stats else time.process_time() - start
    benchmark.extra_info.update(seconds=seconds)
    print(f"\n10^4 spins to t = 200: {seconds:.2f} s")
