"""The quantum spin-cat models against QuTiP, SciPy and plainer versions of themselves: ratios of processor time, same answers."""

from __future__ import annotations

import time

import numpy as np
import pytest
import qutip
from scipy.sparse.linalg import expm_multiply

from solvers import solve, solve_many
from solvers.engines.pair_loss.ladder import EVEN, ODD, Ladder, amplitude, generator
from solvers.engines.wigner import wigner

TIMED = pytest.mark.benchmark(timer=time.process_time)  # as the peers: the machine's other work counts for neither


def timed(benchmark, ours):
    """Result and median processor time of `ours`, compiled before."""
    ours()
    start = time.process_time()
    found = benchmark(ours)
    seconds = time.process_time() - start
    return found, benchmark.stats.stats.median if benchmark.stats else seconds


def peer_time(peer):
    start = time.process_time()
    found = peer()
    return found, time.process_time() - start


def report(benchmark, what, ours, peer):
    benchmark.extra_info.update(seconds=ours, peer_seconds=peer, ratio=peer / ours)
    print(f"\n{what}: {ours:.3g} s, peer {peer:.3g} s: {peer / ours:.0f} times")


@TIMED
def test_one_realisation_of_figure_2_against_mesolve(benchmark):
    """N = 8 in all 256 dimensions, as a user of QuTiP writes it, to t = 10; both at a relative tolerance of 1e-6."""
    n, eta, times = 8, 0.2, [0.0, 5.0, 10.0]
    detunings = np.array([0.0035, 0.0082, 0.0033, -0.013, 0.0091, 0.0045, -0.0054, 0.0058])
    common = {"N": n, "eta": eta, "detunings": detunings, "parity": "odd", "times": times, "rtol": 1e-6}
    found, ours = timed(benchmark, lambda: solve("spin_cat.lindblad", **common))

    ground, excited = qutip.basis(2, 0), qutip.basis(2, 1)

    def at(operator, i):
        return qutip.tensor([operator if j == i else qutip.qeye(2) for j in range(n)])

    lower = sum(at(ground * excited.dag(), i) for i in range(n))
    pairs = lower * lower
    H = eta / n * (pairs + pairs.dag())
    H += sum(d / 2 * at(excited * excited.dag() - ground * ground.dag(), i) for i, d in enumerate(detunings))
    turn = np.sqrt(2 * eta / n) * np.exp(-0.25j * np.pi)
    cat = qutip.tensor([ground + turn * excited] * n) - qutip.tensor([ground - turn * excited] * n)
    cat = cat.unit()

    def peer():
        options = {"rtol": 1e-6, "atol": 1e-8, "nsteps": 100_000, "progress_bar": ""}
        return qutip.mesolve(H, cat, times, c_ops=[pairs / n], e_ops=[cat.proj()], options=options).expect[0]

    expected, theirs = peer_time(peer)
    np.testing.assert_allclose(found["fidelity"], expected, atol=2e-6)
    report(benchmark, "one realisation of Fig. 2 to t = 10", ours, theirs)


@TIMED
def test_figure_3_against_stepping_in_time(benchmark):
    """Per value of eta with all five horizons, up to t = 10^5, against Taylor steps to t = 10 alone."""
    eta = np.linspace(0.25, 15.0, 12)
    times = [10.0, 1e2, 1e3, 1e4, 1e5]

    def ours():
        return solve_many("spin_cat.dicke", points={"eta": eta}, N=100, times=times, keep=["amplitude"])

    found, seconds = timed(benchmark, ours)
    ladder = Ladder(100, float(eta[9]), 1e-10, 100)
    start = np.outer(ladder.start[::2], ladder.start[1::2])
    L = generator(100, float(eta[9]), EVEN, ODD)
    stepped, theirs = peer_time(lambda: expm_multiply(10.0 * L, start.ravel()).reshape(start.shape))
    assert found["amplitude"][9, 0] == pytest.approx(abs(float(amplitude(stepped))), abs=1e-8)
    report(benchmark, "one eta of Fig. 3 with five horizons", seconds / eta.size, theirs)


@TIMED
def test_wigner_function_against_qutip(benchmark):
    """201 x 201 points of 101 levels."""
    rng = np.random.default_rng(1)
    root = rng.normal(size=(101, 101)) * np.exp(-0.03 * np.arange(101))[:, None]
    rho = root @ root.T / np.trace(root @ root.T)
    found, ours = timed(benchmark, lambda: wigner(rho, 0.0, 7.5, 201))
    x = np.linspace(-7.5, 7.5, 201)
    expected, theirs = peer_time(lambda: qutip.wigner(qutip.Qobj(rho), x, x, method="clenshaw").T)
    np.testing.assert_allclose(found, expected, atol=1e-10)
    report(benchmark, "a Wigner function on 201 x 201 points", ours, theirs)


@TIMED
def test_lorentzian_spins_against_every_spin_integrated(benchmark):
    """A thousand drawn spins to t = 100; the gain grows with the number of spins, as the farthest one does."""
    common = {"N": 1000, "eta": 31.25, "delta": 0.02, "distribution": "lorentzian", "times": [100.0]}
    found, ours = timed(benchmark, lambda: solve("spin_cat.mean_field", **common))
    plain, theirs = peer_time(lambda: solve("spin_cat.mean_field", follow_beyond=0.0, **common))
    np.testing.assert_allclose(found["c1"], plain["c1"], atol=2e-4)
    np.testing.assert_allclose(found["z"], plain["z"], atol=1e-3)
    report(benchmark, "a thousand Lorentzian spins to t = 100", ours, theirs)
