"""Spin networks against QuTiP in the same process, single-threaded; the ratio is in extra_info and printed."""

import resource
import time

import numba
import numpy as np
import pytest
import qutip

from solvers import evaluate, find, solve
from solvers.engines.master_equation.generator import build_generator
from solvers.engines.master_equation.propagation import evolve
from solvers.engines.master_equation.states import moment_indices, product_state, split_moments
from solvers.engines.moments.equations import build_coefficients
from solvers.engines.moments.integration import CUMULANTS, integrate
from solvers.engines.moments.packing import pack
from solvers.engines.spin_system import LOWERING, SpinSystem, correlated, local_dissipator
from solvers.evaluate import parse_parameters
from solvers.models.spin_network.network import build_system


def open_chain(n):
    """An XYZ chain in a field with decay and pump on site and decay along bonds, as parameters of spin_network."""
    A = np.zeros((n, n, 3, 3))
    A[range(n - 1), range(1, n)] = np.diag([0.5, 0.35, 0.8])
    bonds = np.eye(n, k=1) + np.eye(n, k=-1)
    return {
        "N": n,
        "A": A,
        "h": np.tile([0.2, 0.0, 0.4], (n, 1)),
        "gamma_minus": 0.25,
        "gamma_plus": 0.05,
        "dissipator": correlated(LOWERING, 0.1 * bonds),
    }


def qutip_chain(n):
    """The same with jump operators from the eigenvectors of the rate matrix."""
    one = qutip.qeye(2)
    s = [
        [qutip.tensor([sigma if k == i else one for k in range(n)]) for i in range(n)]
        for sigma in (qutip.sigmax(), qutip.sigmay(), qutip.sigmaz())
    ]
    H = sum(0.2 * s[0][i] + 0.4 * s[2][i] for i in range(n))
    H += sum(J * s[a][i] * s[a][i + 1] for a, J in enumerate((0.5, 0.35, 0.8)) for i in range(n - 1))
    lower = [(s[0][i] - 1j * s[1][i]) / 2 for i in range(n)]
    rates, vectors = np.linalg.eigh(0.25 * np.eye(n) + 0.1 * (np.eye(n, k=1) + np.eye(n, k=-1)))
    jumps = [np.sqrt(rate) * sum(v[i] * lower[i] for i in range(n)) for rate, v in zip(rates, vectors.T, strict=True)]
    jumps += [np.sqrt(0.05) * lower[i].dag() for i in range(n)]
    means = [s[a][i] for i in range(n) for a in range(3)]
    return H, qutip.tensor([qutip.basis(2, 0)] * n), jumps, means


def seconds(function, rounds=3):
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


@pytest.mark.parametrize("outputs", ["means", "all"])
def test_exact_open_chain_of_six(benchmark, outputs):
    """t = 100, 101 outputs, rtol 1e-8; QuTiP runs a twentieth of the time and of the outputs, which costs a twentieth."""
    chain = open_chain(6)
    keep = ["spins"] if outputs == "means" else None
    times = np.linspace(0, 100, 101)

    def ours():
        return evaluate(
            "spin_network.dynamics", "exact", points={}, parameters={**chain, "times": times, "rtol": 1e-8}, keep=keep
        ).outputs["spins"][0]

    spins = ours()
    H, up, jumps, means = qutip_chain(6)
    options = {"rtol": 1e-8, "atol": 1e-10, "nsteps": 10**6}
    start = time.perf_counter()
    peer = qutip.mesolve(H, up, times[:6], jumps, e_ops=means, options=options)
    peer_seconds = 20 * (time.perf_counter() - start)
    assert np.abs(np.array(peer.expect).T.reshape(6, 6, 3) - spins[:6]).max() < 1e-6
    benchmark.pedantic(ours, rounds=5, warmup_rounds=1)
    ratio = peer_seconds / seconds(ours)
    benchmark.extra_info["times faster than qutip.mesolve"] = ratio
    print(f"\nexact chain N = 6, t = 100, {outputs}: {ratio:.0f} times faster than qutip.mesolve")


def test_exact_chain_of_ten(benchmark):
    """Seconds per unit time (over t = 3), and the memory of the process."""
    chain = open_chain(10)
    run = lambda: solve("spin_network.dynamics", "exact", **chain, times=[1.0, 2.0, 3.0])  # noqa: E731
    spins = run()["spins"]
    np.testing.assert_allclose(spins, spins[:, ::-1], atol=1e-8)  # the chain is its own mirror image
    jumps = solve("spin_network.dynamics", "quantum_jumps", **chain, times=[1.0], trajectories=100)
    assert np.all(np.abs(jumps["spins"][0] - spins[0]) < 5 * jumps["spins_sem"][0] + 1e-6)
    benchmark.pedantic(run, rounds=2)
    took = seconds(run, 2) / 3
    gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    benchmark.extra_info["seconds per unit time"] = took
    benchmark.extra_info["GiB of the process"] = gib
    print(f"\nexact chain N = 10: {took:.2f} s per unit time, {gib:.2f} GiB")


@numba.njit
def matrix_product(left, right, out):
    """The product as the kernels have it: Numba takes SciPy's BLAS, which need not be NumPy's."""
    np.dot(left, right, out)


def test_cumulants_of_a_hundred_spins(benchmark):
    """Dense couplings: the share of one matrix product per right-hand side in the whole integration."""
    n = 100
    rng = np.random.default_rng(1)
    coupling = 0.1 * rng.normal(size=(n, n, 3, 3))
    coupling = coupling + coupling.transpose(1, 0, 3, 2)
    coupling[range(n), range(n)] = 0.0
    rates = np.full(n, 0.1)
    p = build_coefficients(SpinSystem(rng.normal(size=(n, 3)), coupling, local_dissipator(rates, rates, rates)), 2)
    start = pack(np.tile([0.0, 0.0, 1.0], (n, 1)), None)
    out = np.empty((1, start.size))
    first = time.perf_counter()
    integrate(p, CUMULANTS, start.copy(), np.array([1e-3]), out, 1e-6, 1e-8, 10**6)
    first = time.perf_counter() - first
    steps = integrate(p, CUMULANTS, start.copy(), np.array([0.3]), out, 1e-6, 1e-8, 10**6)[2]

    def run():
        integrate(p, CUMULANTS, start.copy(), np.array([0.3]), out, 1e-6, 1e-8, 10**6)

    benchmark.pedantic(run, rounds=3)
    matrix_product(p.K, p.covariance, p.product)
    product = seconds(lambda: matrix_product(p.K, p.covariance, p.product), 40)
    np.testing.assert_allclose(p.product, p.K @ p.covariance, rtol=1e-12, atol=1e-12)
    share = 6 * steps * product / seconds(run, 5)
    tight = np.empty_like(out)
    integrate(p, CUMULANTS, start.copy(), np.array([0.3]), tight, 1e-9, 1e-11, 10**6)
    np.testing.assert_allclose(out, tight, atol=1e-4)
    benchmark.extra_info["share of the matrix product"] = share
    benchmark.extra_info["seconds to the first result"] = first
    print(f"\ncumulants N = 100: matrix product {share:.0%} of the time; first result after {first:.2f} s")


def test_steady_state_of_six(benchmark):
    """Against QuTiP's direct solver at N = 5 (at N = 6 it takes half a minute), ours at N = 5 and 6."""
    H, _, jumps, means = qutip_chain(5)
    start = time.perf_counter()
    rho = qutip.steadystate(H, jumps, method="direct")
    peer = time.perf_counter() - start
    run = lambda n: solve("spin_network.steady_state", "exact", **open_chain(n))  # noqa: E731
    assert np.abs(qutip.expect(means, rho) - run(5)["spins"].ravel()).max() < 1e-8
    benchmark.pedantic(run, args=(6,), rounds=2)
    ratio = peer / seconds(lambda: run(5))
    benchmark.extra_info["times faster than qutip.steadystate, N = 5, gap included"] = ratio
    print(f"\nsteady state N = 5 with gap: {ratio:.1f} times faster than qutip.steadystate without")


def test_the_generator_itself(benchmark):
    """One application at N = 8, in nanoseconds per multiply-add."""
    n = 8
    generator = build_generator(build_system(parse_parameters(find("spin_network.derivative"), open_chain(n))))
    state = product_state(np.tile([0.0, 0.0, 1.0], (n, 1)))
    evolve(generator, state, np.array([0.1]), moment_indices(n))
    # of a product state the moment equations give the exact slope of the spins
    slope = solve("spin_network.derivative", "cumulant", **open_chain(n))["d_spins"]
    spins, _ = split_moments(generator.apply(state)[moment_indices(n)], n)
    np.testing.assert_allclose(spins, slope, atol=1e-12)
    benchmark.pedantic(lambda: generator.apply(state), rounds=20)
    took = seconds(lambda: generator.apply(state), 10)
    benchmark.extra_info["nanoseconds per multiply-add"] = 1e9 * took / generator.work
    print(f"\ngenerator N = {n}: {1e9 * took / generator.work:.2f} ns per multiply-add")
