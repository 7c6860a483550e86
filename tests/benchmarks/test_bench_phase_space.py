"""Phase-space trajectories and the exact ladder against NumPy, SciPy's or QuTiP's way, in processor time of one process."""

import time

import numba
import numpy as np
import pytest
import qutip

from solvers import solve
from solvers.engines import ladder, ladder_jumps
from solvers.engines.ladder import Rates
from solvers.engines.phase_space.sample import sample_path, spin
from solvers.engines.phase_space.single import decay_normals
from solvers.numerics.compile import FASTMATH
from solvers.numerics.normal_lanes import LANES


def seconds(function, rounds=3):
    """The least processor time of some rounds; the machine's other work does not count."""
    times = []
    for _ in range(rounds):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return min(times)


def euler_maruyama(S, Omega, theta, t_end, step, trajectories, seed):
    """Eqs. (22)-(23) with drive, Wigner, by Euler and Maruyama: what a careful user writes with NumPy, all trajectories at once."""
    rng = np.random.default_rng(seed)

    def normal():
        return rng.standard_normal(trajectories) + 1j * rng.standard_normal(trajectories)

    u, v = 0.5 * normal(), np.sqrt(2 * S) + 0.5 * normal()
    a, b = np.cos(theta / 2) * v - np.sin(theta / 2) * u, np.sin(theta / 2) * v + np.cos(theta / 2) * u
    G = 1 / (2 * S)
    for _ in range(round(t_end / step)):
        na, nb = np.abs(a) ** 2, np.abs(b) ** 2
        da = -0.5j * Omega * b - G * (nb + 0.5) * a
        db = -0.5j * Omega * a + G * (na - 0.5) * b
        noise_a, noise_b = np.sqrt(G / 2 * (nb + 0.5)), np.sqrt(np.maximum(G / 2 * (na - 0.5), 0))
        root = np.sqrt(step)
        a, b = a + step * da + noise_a * root * normal(), b + step * db + noise_b * root * normal()
    s = a * np.conj(b)
    return np.array([s.real.mean(), -s.imag.mean(), (np.abs(a) ** 2 - np.abs(b) ** 2).mean() / 2])


def test_trajectories_against_euler_maruyama_at_equal_bias(benchmark):
    """S = 100, Omega = 2, from down to t = 4. The bias of a step is measured without noise of sampling, at S = 1e8.

    Ours with h = 0.1 must have a smaller one than Euler and Maruyama at the step they are given, 1/1250.
    """
    S, Omega, t_end, h, euler_h = 100.0, 2.0, 4.0, 0.1, 0.0008
    classical = solve(
        "collective_spin.dynamics", "mean_field", S=1.0, Omega=Omega, Gamma=1.0, theta=np.pi, times=[t_end]
    )
    big = {"Omega": Omega, "Gamma": 1.0, "theta": np.pi, "distribution": "wigner", "variant": "positive_diffusion"}
    noiseless = sample_path(
        spin(S=1e8, **big, sampling="coherent", ordering="symmetric", step=h), 1, np.array([t_end]), LANES
    )
    our_bias = np.abs(noiseless.values.mean[0] / 1e8 - classical["mean"][0]).max()
    their_bias = np.abs(euler_maruyama(1e8, Omega, np.pi, t_end, euler_h, 64, 1) / 1e8 - classical["mean"][0]).max()
    assert our_bias < their_bias

    trajectories = 4096
    p = spin(S=S, **big, sampling="coherent", ordering="symmetric", step=h)

    def ours():
        return sample_path(p, 1, np.array([t_end]), trajectories)

    found = ours().values
    benchmark.pedantic(ours, rounds=3)
    start = time.process_time()
    theirs = euler_maruyama(S, Omega, np.pi, t_end, euler_h, trajectories, 2)
    peer = time.process_time() - start
    assert np.abs(found.mean[0] - theirs).max() < 8 * found.mean_sem.max() + their_bias * S
    ratio = peer / seconds(ours)
    benchmark.extra_info["times faster than NumPy Euler-Maruyama at equal bias"] = ratio
    print(
        f"\nTWOQS S = 100: {ratio:.0f} times faster than NumPy Euler-Maruyama with step {euler_h} (bias of the step "
        f"{their_bias:.1e}; ours {our_bias:.1e})"
    )


@numba.njit(fastmath=FASTMATH, error_model="numpy")
def normals_alone(key, first, steps, out):
    """The random numbers of a run, and nothing else."""
    for step in range(steps):
        decay_normals(key, first, step, out)


@pytest.mark.parametrize("trajectories", [64 * 64])
def test_trajectories_against_their_random_numbers_alone(benchmark, trajectories):
    """Wigner with the paper's noise: four normals a step."""
    steps = 1000
    p = spin(
        S=100, Omega=2.0, Gamma=1.0, distribution="wigner", variant="positive_diffusion", sampling="coherent",
        ordering="symmetric", step=0.05,
    )  # fmt: skip
    out = np.empty((4, LANES))

    def numbers():
        for first in range(0, trajectories, LANES):
            normals_alone(np.uint64(5), np.uint64(first), steps, out)

    def ours():
        sample_path(p, 5, np.array([steps * 0.05]), trajectories)

    numbers()
    ours()
    benchmark.pedantic(ours, rounds=2)
    alone, whole = seconds(numbers), seconds(ours)
    per_step = 1e9 * whole / steps / trajectories
    benchmark.extra_info["times the cost of the random numbers alone"] = whole / alone
    benchmark.extra_info["nanoseconds per trajectory and step"] = per_step
    print(f"\nTWOQS: {per_step:.1f} ns per trajectory and step, {whole / alone:.2f} times its random numbers alone")


def test_exact_ladder_against_mesolve(benchmark):
    """S = 100, Omega = 2, t = 10; QuTiP runs t = 0.5, a twentieth, which costs a twentieth (its step is limited by stability)."""
    S, short = 100, 0.5
    rates = Rates(S, 2.0, Gamma=1.0)

    def ours():
        return ladder.evolve(rates, np.pi, 0.0, np.array([short, 10.0]), rtol=1e-9, atol=1e-12, max_steps=10**6)

    found = ours()
    x, y, z = (qutip.jmat(S, a) for a in "xyz")
    jump = np.sqrt(2 / (2 * S)) * qutip.jmat(S, "-")
    options = {"rtol": 1e-8, "atol": 1e-10, "nsteps": 10**6}
    start = time.process_time()
    peer = qutip.mesolve(2 * x, qutip.spin_coherent(S, np.pi, 0), [0, short], [jump], e_ops=[x, y, z], options=options)
    peer_seconds = 20 * (time.process_time() - start)
    np.testing.assert_allclose([e[-1] for e in peer.expect], found.mean[0], atol=1e-5)
    benchmark.pedantic(ours, rounds=3)
    ratio = peer_seconds / seconds(ours)
    benchmark.extra_info["times faster than qutip.mesolve"] = ratio
    print(f"\nexact ladder S = 100, t = 10: {ratio:.0f} times faster than qutip.mesolve (twenty times its t = 0.5)")


def test_populations_of_two_hundred_thousand_levels(benchmark):
    """S = 1e5, decay from up to t = 16, in seconds; the delay of the flash is (ln(2S) + Euler's gamma)/2 for large S."""

    def ours():
        return ladder_jumps.evolve(Rates(1e5, Gamma=1.0), 0.0, 0.0, np.linspace(0, 16, 161), rtol=1e-9, max_steps=10**5)

    z = ours().mean[:, 2]
    delay = np.interp(0.0, -z, np.linspace(0, 16, 161))
    assert abs(delay - 0.5 * (np.log(2e5) + np.euler_gamma)) < 0.3
    benchmark.pedantic(ours, rounds=2)
    took = seconds(ours, 2)
    benchmark.extra_info["seconds"] = took
    print(f"\npopulations S = 1e5, t = 16: {took:.2f} s")


def test_the_largest_ladder(benchmark):
    """S = 500, driven from down to t = 10, against trajectories and the length that is conserved."""

    def ours():
        return ladder.evolve(
            Rates(500, 2.0, Gamma=1.0), np.pi, 0.0, np.array([10.0]), rtol=1e-9, atol=1e-12, max_steps=10**6
        )

    found = ours()
    assert np.trace(found.second[0]) / (500 * 501) == pytest.approx(1.0, abs=1e-9)
    twoqs = sample_path(
        spin(
            S=500, Omega=2.0, Gamma=1.0, distribution="wigner", variant="conserving", sampling="ring", ordering="symmetric",
            step=0.02,
        ),
        1, np.array([10.0]), 4000,
    )  # fmt: skip
    assert np.abs(twoqs.values.mean[0] - found.mean[0]).max() < 4 * twoqs.values.mean_sem.max() + 0.01 * 500
    benchmark.pedantic(ours, rounds=1)
    took = seconds(ours, 1)
    benchmark.extra_info["seconds"] = took
    print(f"\nexact ladder S = 500, t = 10: {took:.1f} s")


def test_the_closed_form_of_a_million(benchmark):
    """Puri and Lawande at S = 1e6, whose moments per S^2 are those of S = 1000 to 1/S of it."""

    def ours():
        return solve("collective_spin.steady_state", "analytic", S=1e6, Omega=1.5, Gamma=1.0)

    small = solve("collective_spin.steady_state", "analytic", S=1e3, Omega=1.5, Gamma=1.0)
    found = ours()
    np.testing.assert_allclose(found["second"] / 1e12, small["second"] / 1e6, atol=1e-3)
    assert np.trace(found["second"]) / (1e6 * (1e6 + 1)) == pytest.approx(1.0, abs=1e-12)
    benchmark.pedantic(ours, rounds=2)
    took = seconds(ours, 2)
    benchmark.extra_info["seconds"] = took
    print(f"\nPuri-Lawande S = 1e6: {took:.2f} s")


def test_figure_4_at_the_size_of_the_paper(benchmark):
    """S = 1000, 2500 trajectories to t = 50, all thirty values of Omega; from random directions, exact away from Omega = 1."""
    drives = np.linspace(0.1, 3.0, 30)

    def ours():
        return [
            solve(
                "collective_spin.steady_state", "twoqs", S=1000, Omega=Omega, Gamma=1.0, trajectories=2500,
                start="isotropic",
            )
            for Omega in drives
        ]  # fmt: skip

    for Omega, one in zip(drives, ours(), strict=True):
        if abs(Omega - 1.0) > 0.25:
            exact = solve("collective_spin.steady_state", "analytic", S=1000, Omega=Omega, Gamma=1.0)
            assert np.all(np.abs(one["mean"] - exact["mean"]) < 4 * one["mean_sem"] + 0.05 * 1000)
            assert np.all(np.abs(one["second"] - exact["second"]) < 4 * one["second_sem"] + 0.06 * 1000**2)
    benchmark.pedantic(ours, rounds=1)
    took = seconds(ours, 2)
    benchmark.extra_info["processor seconds"] = took
    print(f"\nFig. 4, 30 values of Omega, S = 1000, 2500 trajectories: {took:.1f} s of processor time")


def test_figure_7_at_the_size_of_the_paper(benchmark):
    """N = 100, S = 5000, 8 trajectories of t = 60 + 300, all thirty values of J_y; on the stable side as linear theory has it."""
    couplings = np.linspace(-0.6, -0.02, 30)
    chain = {"N": 100, "S": 5000, "J_x": 0.125, "Gamma": 1.0, "couplings": "paper"}

    def ours():
        return [solve("spin_chain.steady_state", "twoqs", **chain, J_y=J_y) for J_y in couplings]

    for J_y, one in zip(couplings, ours(), strict=True):
        if J_y > -0.47:
            exact = solve("spin_chain.steady_state", "holstein_primakoff", **chain, J_y=J_y)
            for name in ("excitations", "Sxx_over_S", "Syy_over_S"):
                assert abs(one[name] - exact[name]) < 4 * one[f"{name}_sem"] + 0.03 * exact[name]
    benchmark.pedantic(ours, rounds=1)
    took = seconds(ours, 1)
    benchmark.extra_info["processor seconds"] = took
    print(f"\nFig. 7, 30 values of J_y, N = 100, S = 5000, 8 trajectories: {took:.0f} s of processor time")


def numpy_spins(N, J_x, J_z, h_x, gamma, t_end, step, trajectories, seed):
    """Discrete truncated Wigner on a ring with decay, as a careful user writes it with NumPy: Heun for the turns, the same jumps."""
    rng = np.random.default_rng(seed)
    s = rng.choice([-1.0, 1.0], (3, trajectories, N))
    s[2] = 1.0
    J, h = np.array([J_x, 0.0, J_z])[:, None, None], np.array([h_x, 0.0, 0.0])[:, None, None]

    def velocity(s):
        return np.cross(2 * (h + J * (np.roll(s, 1, axis=2) + np.roll(s, -1, axis=2))), s, axis=0)

    half = np.exp(-gamma * step / 2)
    for _ in range(round(t_end / step)):
        first = velocity(s)
        s = s + 0.5 * step * (first + velocity(s + step * first))
        jumps = rng.random((trajectories, N)) < 1 - half**2
        new = np.where(rng.random((2, trajectories, N)) < 0.5 * (1 + s[:2] * half / (1 + half)), 1.0, -1.0)
        s = np.where(jumps, np.concatenate([new, -np.ones((1, trajectories, N))]), s)
    return s.mean(axis=(1, 2))


def test_spins_with_local_decay_against_numpy(benchmark):
    """A ring of 100 spins, t = 4, 512 trajectories, at steps of similar error (0.02 for Heun, ours as chosen)."""
    p = {"J_x": 0.2, "J_z": 0.5, "h_x": 0.6}

    def ours():
        return solve(
            "spin_lattice.dynamics", "twa", N=100, lattice="ring", **p, gamma_minus=0.3, times=[4.0], trajectories=512,
            keep=["magnetisation", "magnetisation_sem"],
        )  # fmt: skip

    found = ours()
    start = time.process_time()
    peer = numpy_spins(100, *p.values(), 0.3, 4.0, 0.02, 512, 3)
    peer_seconds = time.process_time() - start
    assert np.abs(found["magnetisation"][0] - peer).max() < 6 * found["magnetisation_sem"].max() + 0.01
    benchmark.pedantic(ours, rounds=2)
    ratio = peer_seconds / seconds(ours)
    benchmark.extra_info["times faster than NumPy"] = ratio
    print(f"\ntruncated Wigner, ring of 100 spins with decay: {ratio:.0f} times faster than NumPy")
