"""Sweeps of exact chains of one to four spins, all outputs at 21 times: against stacked matrix exponentials and QuTiP.

The first peer is what a careful user of NumPy writes: all points at once, one exponential of the dense Liouvillian per
point for the common step, then products; of its results only the magnetisation is formed. The second is `qutip.mesolve`,
point by point. Processor time, one thread, minimum of several, both sides in one run.
"""

import time

import numpy as np
import pytest
import qutip
from scipy.linalg import expm

from solvers import solve_many

TIMES = np.linspace(0.0, 2.0, 21)
FIXED = {"J_x": 0.3, "J_y": 0.2, "h_y": 0.15, "h_z": 0.1, "gamma_minus": 0.5, "gamma_z": 0.1, "theta": 0.4}
RTOL = 1e-8


def operators(n):
    """s_i^a (n, 3) as sparse operators of QuTiP."""
    one = qutip.qeye(2)
    paulis = (qutip.sigmax(), qutip.sigmay(), qutip.sigmaz())
    return [[qutip.tensor([s if k == i else one for k in range(n)]) for s in paulis] for i in range(n)]


def hamiltonian(s, J_z, h_x):
    n = len(s)
    J, h = (FIXED["J_x"], FIXED["J_y"], J_z), (h_x, FIXED["h_y"], FIXED["h_z"])
    H = sum(h[a] * s[i][a] for i in range(n) for a in range(3))
    return H + sum(J[a] * s[i][a] * s[i + 1][a] for i in range(n - 1) for a in range(3)) if n > 1 else H


def jumps(s):
    lower = [(x - 1j * y) / 2 for x, y, _ in s]
    return [np.sqrt(FIXED["gamma_minus"]) * low for low in lower] + [np.sqrt(FIXED["gamma_z"]) * z for _, _, z in s]


def start(n):
    spin = np.cos(FIXED["theta"] / 2) * qutip.basis(2, 0) + np.sin(FIXED["theta"] / 2) * qutip.basis(2, 1)
    return qutip.tensor([spin] * n)


def by_numpy(n, points):
    """m (P, T, 3) by stacked exponentials; L is linear in J_z and h_x."""
    s = operators(n)
    zero = qutip.liouvillian(hamiltonian(s, 0.0, 0.0), jumps(s)).full()
    per_J = qutip.liouvillian(hamiltonian(s, 1.0, 0.0), jumps(s)).full() - zero
    per_h = qutip.liouvillian(hamiltonian(s, 0.0, 1.0), jumps(s)).full() - zero
    rho = qutip.operator_to_vector(qutip.ket2dm(start(n))).full()[:, 0]
    means = np.array([sum(s[i][a] for i in range(n)).full().T.ravel(order="F") / n for a in range(3)])

    def run():
        L = zero + points["J_z"][:, None, None] * per_J + points["h_x"][:, None, None] * per_h
        step = expm(L * TIMES[1])
        state = np.broadcast_to(rho, (len(L), len(rho)))
        found = np.empty((len(L), len(TIMES), 3))
        for k in range(len(TIMES)):
            found[:, k] = (state @ means.T).real
            state = np.einsum("pij,pj->pi", step, state)
        return found

    return run


def by_qutip(n, points, p):
    s = operators(n)
    mean = [sum(s[i][a] for i in range(n)) / n for a in range(3)]
    options = {"rtol": RTOL, "atol": 1e-10}
    H = hamiltonian(s, points["J_z"][p], points["h_x"][p])
    return np.array(qutip.mesolve(H, start(n), TIMES, jumps(s), e_ops=mean, options=options).expect).T


def fastest(function, rounds):
    """The least processor time of several calls, and the result."""
    function()
    best = np.inf
    for _ in range(rounds):
        begin = time.process_time()
        found = function()
        best = min(best, time.process_time() - begin)
    return best, found


@pytest.mark.parametrize(("n", "count"), [(1, 2048), (2, 1024), (3, 128), (4, 16)])
def test_exact_sweeps_of_few_spins(benchmark, n, count):
    rng = np.random.default_rng(n)
    points = {"J_z": rng.normal(size=count), "h_x": rng.normal(size=count)}

    def ours():
        return solve_many("spin_lattice.dynamics", "exact", points=points, N=n, times=TIMES, rtol=RTOL, **FIXED)

    mine, found = fastest(ours, 7)
    theirs, expected = fastest(by_numpy(n, points), 3 if n < 4 else 1)
    qutips, one = fastest(lambda: by_qutip(n, points, 0), 2)
    assert not found["status"].any()
    np.testing.assert_allclose(found["magnetisation"], expected, atol=10 * RTOL)
    np.testing.assert_allclose(found["magnetisation"][0], one, atol=100 * RTOL)
    micro = 1e6 * mine / count
    ratios = {"numpy": theirs / mine, "qutip": qutips * count / mine}
    benchmark.extra_info.update(microseconds_per_point=micro, **ratios)
    benchmark.pedantic(ours, rounds=1)
    print(
        f"\nexact, N={n}: {micro:.1f} us per point; stacked exponentials {1e6 * theirs / count:.0f} us: {ratios['numpy']:.1f} "
        f"times; qutip.mesolve {1e6 * qutips:.0f} us: {ratios['qutip']:.0f} times"
    )
