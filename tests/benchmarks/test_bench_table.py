"""The comparisons that the documentation shows: the commonest work of each kind against the peer a careful user would take."""

import math

import numpy as np
import pytest
import qutip
from comparison import fastest, once
from scipy.integrate import solve_ivp
from test_bench_spin_network import open_chain, qutip_chain

from solvers import find, solve, solve_many
from solvers.engines import populations
from solvers.engines.master_equation.generator import build_generator
from solvers.evaluate import parse_parameters
from solvers.models.battery.cumulants import Moments
from solvers.models.spin_network.network import build_system

GAMMA, TAU = 1600.0, 0.0187


def chain(n, J, h, gamma):
    """Hamiltonian, jumps and mean spins of an open chain in QuTiP, H = sum J s_i s_{i+1} + sum h s_i."""
    one, paulis = qutip.qeye(2), (qutip.sigmax(), qutip.sigmay(), qutip.sigmaz())
    s = [[qutip.tensor([p if k == i else one for k in range(n)]) for p in paulis] for i in range(n)]
    H = sum(h[a] * s[i][a] for i in range(n) for a in range(3))
    H += sum(J[a] * s[i][a] * s[i + 1][a] for i in range(n - 1) for a in range(3))
    jumps = [math.sqrt(gamma) * (x - 1j * y) / 2 for x, y, _ in s]
    return H, jumps, [sum(s[i][a] for i in range(n)) / n for a in range(3)]


CHAIN_ACCURACY = 1e-8
PEERS = {
    "qutip.mesolve, its default method, atol 1e-10": {"rtol": 1e-8, "atol": 1e-10},
    "qutip.mesolve, vern7, as loose as 1e-8 allows": {"rtol": 1e-8, "atol": 3e-8, "method": "vern7"},
}
"""What a careful user sets, and the cheapest setting found whose means are within CHAIN_ACCURACY; see `test_exact_chain`."""


def bonds_of_chain(n, J):
    """A (n, n, 3, 3) of an open chain."""
    A = np.zeros((n, n, 3, 3))
    A[range(n - 1), range(1, n)] = np.diag(J)
    return A


@pytest.fixture(scope="module")
def chain_of_six():
    """Times, our parameters, spins at rtol 1e-12, and for each peer its seconds and largest error."""
    times = np.linspace(0.0, 100.0, 101)
    words = {**open_chain(6), "times": times}
    right = solve("spin_network.dynamics", "exact", **words, rtol=1e-12, keep=["spins"])["spins"]
    H, up, jumps, means = qutip_chain(6)
    peers = {}
    for name, options in PEERS.items():
        options = {**options, "nsteps": 10**6, "progress_bar": ""}
        theirs, found = once(lambda: qutip.mesolve(H, up, times, jumps, e_ops=means, options=options).expect)  # noqa: B023
        peers[name] = theirs, float(np.abs(np.array(found).T.reshape(right.shape) - right).max())
    return words, right, peers


@pytest.mark.parametrize(("keep", "what"), [(["spins"], "means only"), (None, "all outputs")])
def test_exact_chain(table, chain_of_six, keep, what):
    """Six spins of an XYZ chain with field, decay, pump and decay of neighbours, t = 100, 101 times, rtol 1e-8.

    Both sides are checked against ours at rtol 1e-12, from which the more accurate peer differs by no more than its own
    tolerance. Bound: half the generator's spectral width times t is how many terms a polynomial needs at least, until the
    chain is at rest to the tolerance; each is a product with the elements of L in the real Pauli basis.
    """
    words, right, peers = chain_of_six

    def ours():
        return solve("spin_network.dynamics", "exact", **words, rtol=1e-8, keep=keep)

    mine, found = fastest(ours, 7)
    assert np.abs(found["spins"] - right).max() < CHAIN_ACCURACY
    assert all(error < CHAIN_ACCURACY for _, error in peers.values())
    assert min(error for _, error in peers.values()) < 1e-9
    H, *_ = qutip_chain(6)
    energies = H.eigenenergies()
    rest = np.flatnonzero(np.abs(right - right[-1]).max(axis=(1, 2)) > CHAIN_ACCURACY)[-1] + 1
    terms = (energies[-1] - energies[0]) * words["times"][rest]  # differences of energies reach as far to both sides
    generator = build_generator(build_system(parse_parameters(find("spin_network.derivative"), open_chain(6))))
    reason = f"{terms:.0f} products with a sparse generator until the chain rests at t = {words['times'][rest]:.0f}"
    for name, (theirs, _) in peers.items():
        bound = terms * 2 * generator.work / table.machine.flops
        table.add(f"exact chain, N = 6, t = 100, {what}", name, theirs, mine, reason, bound)


def test_exact_chain_of_slow_decay(table):
    """Six spins that decay twenty times more slowly, t = 100, 21 times, all outputs; the chain does not come to rest.

    Bound as in `test_exact_chain`.
    """
    n, J, h, gamma = 6, (0.3, 0.2, 0.25), (0.1, 0.15, 0.1), 0.05
    times = np.linspace(0.0, 100.0, 21)
    H, jumps, means = chain(n, J, h, gamma)
    up = qutip.tensor([qutip.basis(2, 0)] * n)
    options = {"rtol": 1e-8, "atol": 1e-10, "nsteps": 10**6}
    words = {"J_x": J[0], "J_y": J[1], "J_z": J[2], "h_x": h[0], "h_y": h[1], "h_z": h[2], "gamma_minus": gamma}

    def ours():
        return solve("spin_lattice.dynamics", "exact", N=n, times=times, rtol=1e-8, **words)

    def peer():
        return qutip.mesolve(H, up, times, jumps, e_ops=means, options=options).expect

    theirs, expected = once(peer)
    mine, found = fastest(ours, 7)
    np.testing.assert_allclose(found["magnetisation"], np.array(expected).T, atol=CHAIN_ACCURACY)
    energies = H.eigenenergies()
    terms = (energies[-1] - energies[0]) * times[-1]
    parameters = {"N": n, "A": bonds_of_chain(n, J), "h": np.tile(h, (n, 1)), "gamma_minus": gamma}
    generator = build_generator(build_system(parse_parameters(find("spin_network.derivative"), parameters)))
    reason = f"{terms:.0f} products with a sparse generator"
    bound = terms * 2 * generator.work / table.machine.flops
    table.add(f"exact chain of slow decay, N = {n}, t = 100, all outputs", "qutip.mesolve", theirs, mine, reason, bound)


SWEEP_TIMES = np.linspace(0.0, 2.0, 21)
SWEEP = {"J_x": 0.3, "J_y": 0.2, "h_y": 0.15, "h_z": 0.1, "gamma_minus": 0.5}


def least_work_of_sweep(n, J_z, h_x):
    """Operations of a point of `test_exact_sweep`, and what they count."""
    if n <= 4:
        return 20 * 2 * 16**n, "20 products with a dense propagator"
    J, h, gamma = (SWEEP["J_x"], SWEEP["J_y"], J_z), (h_x, SWEEP["h_y"], SWEEP["h_z"]), SWEEP["gamma_minus"]
    energies = chain(n, J, h, gamma)[0].eigenenergies()
    terms = (energies[-1] - energies[0]) * SWEEP_TIMES[-1]
    parameters = {"N": n, "A": bonds_of_chain(n, J), "h": np.tile(h, (n, 1)), "gamma_minus": gamma}
    generator = build_generator(build_system(parse_parameters(find("spin_network.derivative"), parameters)))
    return terms * 2 * generator.work, f"{terms:.0f} products with a sparse generator"


@pytest.mark.parametrize(("n", "count"), [(1, 2048), (2, 1024), (3, 128), (4, 16), (6, 16), (8, 2)])
def test_exact_sweep(table, n, count):
    """A point of a batch of exact chains, 21 times.

    Bound: up to four spins 20 products of the real 4^N generator's exponential with a state; above, products with its
    elements as in `test_exact_chain`.
    """
    times, words = SWEEP_TIMES, SWEEP
    rng = np.random.default_rng(n)
    points = {"J_z": rng.normal(size=count), "h_x": rng.normal(size=count)}
    options = {"rtol": 1e-8, "atol": 1e-10}

    def ours():
        return solve_many("spin_lattice.dynamics", "exact", points=points, N=n, times=times, rtol=1e-8, **words)

    H, jumps, means = chain(n, (0.3, 0.2, points["J_z"][0]), (points["h_x"][0], 0.15, 0.1), 0.5)
    up = qutip.tensor([qutip.basis(2, 0)] * n)
    peer = lambda: qutip.mesolve(H, up, times, jumps, e_ops=means, options=options).expect  # noqa: E731
    theirs, expected = fastest(peer, 3) if n <= 4 else once(peer)
    mine, found = fastest(ours, 7)
    assert not found["status"].any()
    np.testing.assert_allclose(found["magnetisation"][0], np.array(expected).T, atol=1e-6)
    operations, reason = least_work_of_sweep(n, points["J_z"][0], points["h_x"][0])
    work = f"exact sweep, N = {n}, all outputs, a point of {count}"
    table.add(work, "qutip.mesolve", theirs, mine / count, reason, operations / table.machine.flops)


@pytest.mark.parametrize(("n", "count"), [(2, 512), (3, 64)])
@pytest.mark.parametrize(("keep", "what"), [(["spins"], "means only"), (None, "all outputs, with the gap")])
def test_steady_state(table, n, count, keep, what):
    """A point of a batch of open chains. Bound: an elimination of 4^N - 1 rows, with the gap all eigenvalues as well, 10 n^3."""
    rng = np.random.default_rng(n)
    rates = {"gamma_minus": rng.uniform(0.3, 2.0, size=count), "gamma_plus": rng.uniform(0.0, 0.2, size=count)}
    J, h = (0.5, 0.35, 0.8), (0.3, 0.1, 0.4)
    words = {"N": n, "A": bonds_of_chain(n, J), "h": np.tile(h, (n, 1))}
    H, jumps, _ = chain(n, J, h, rates["gamma_minus"][0])
    up = [jump.dag() * math.sqrt(rates["gamma_plus"][0] / rates["gamma_minus"][0]) for jump in jumps]
    theirs, rho = fastest(lambda: qutip.steadystate(H, [*jumps, *up]), 5)
    mine, found = fastest(
        lambda: solve_many("spin_network.steady_state", "exact", points=rates, keep=keep, **words), 15
    )
    assert not found["status"].any()
    z = [qutip.expect(qutip.sigmaz(), rho.ptrace(i)) for i in range(n)]
    np.testing.assert_allclose(found["spins"][0, :, 2], z, atol=1e-8)
    rows = 4**n - 1
    operations, reason = (2 / 3 * rows**3, f"elimination of {rows} rows")
    if keep is None:
        operations, reason = operations + 10 * rows**3, f"elimination and eigenvalues of {rows} rows"
    work = f"steady state, N = {n}, {what}, a point of {count}"
    table.add(work, "qutip.steadystate", theirs, mine / count, reason, operations / table.machine.flops)


def three_equations(N, g, G):
    """Corrected cumulants without coherence in plain Python: z, C, Z and the two energies."""

    def slope(t, y):
        z, C, Z, *_ = y
        return (
            -(g + G) * (1 + z) - 2 * G * (N - 1) * C,
            -(g + G) * C + 0.5 * G * (z + Z) + G * (N - 2) * z * C,
            -2 * (g + G) * (z + Z) + 4 * G * C - 4 * G * (N - 2) * z * C,
            0.5 * N * (1 + z),
            G * (0.5 * N * (1 + z) + N * (N - 1) * C),
        )

    return slope


def test_cumulant_cycle(table):
    """Cycle 21 at rtol 1e-9. Bound: as many evaluations as LSODA makes, of 30 operations each."""
    N, rtol, atol = 140, 1e-9, 1e-12
    phases = [np.array([N, 1.0, Gamma, 0.0, 0.0, 0.0]) for Gamma in (0.0, GAMMA)]
    moments = Moments(N, False, rtol, atol, 10**9)

    def cycle():
        moments.pulse(math.pi)
        for phase in phases:
            moments.evolve(phase, TAU)

    for _ in range(20):
        cycle()
    start = moments.y.copy()
    evaluations = []

    def ours():
        for _ in range(50):
            moments.y = start.copy()
            cycle()

    def peer():
        y = np.array([-start[0], start[3], start[4], 0.0, 0.0])
        evaluations.clear()
        for Gamma in (0.0, GAMMA):
            found = solve_ivp(three_equations(N, 1.0, Gamma), (0, TAU), y, method="LSODA", rtol=rtol, atol=atol)
            evaluations.append(found.nfev)
            y = found.y[:, -1]
        return y

    theirs, expected = fastest(peer, 5)
    mine, _ = fastest(ours, 7)
    assert moments.y[[0, 3, 4]] == pytest.approx(expected[:3], abs=1e-7)
    count = sum(evaluations)
    table.add(
        f"battery cumulants, one cycle, N = {N}, rtol 1e-9", "scipy LSODA, the same three equations", theirs, mine / 50,
        f"{count} evaluations of the slope, one after the other", 30 * count / table.machine.flops,
    )  # fmt: skip


def test_exact_discharge(table):
    """Twenty inverted emitters. Bound: the steps that were made, each with the poles of its approximant.

    Per pole and population there is a complex elimination, 24 operations.
    """
    from qutip.piqs import piqs

    N = 20
    rates = populations.rate_table(N, 1.0, GAMMA, 0.0, 0)
    inverted = np.zeros((N + 1, N // 2 + 1))
    inverted[N, 0] = 1.0
    P = inverted.copy()
    steps = []

    def ours():
        P[:] = inverted
        steps.append(populations.propagate(P, rates, 0, GAMMA, TAU, False, True)[2])

    L = piqs.Dicke(N, emission=1.0, collective_emission=GAMMA).liouvillian()
    start, Jz = piqs.dicke(N, N / 2, N / 2), piqs.jspin(N, "z")
    options = {"method": "bdf", "nsteps": 10**6}
    theirs, expected = fastest(lambda: qutip.mesolve(L, start, [0.0, TAU], e_ops=[Jz], options=options).expect, 1)
    mine, _ = fastest(ours, 20)
    assert populations.moments(P)[0] == pytest.approx(expected[0][-1], abs=1e-3)
    states = (N // 2 + 1) ** 2
    bound = 24 * steps[-1] * len(populations.POLES) * states / table.machine.flops
    reason = f"{steps[-1]} step{'s' * (steps[-1] > 1)} of {len(populations.POLES)} complex eliminations"
    table.add(f"exact discharge, N = {N}, one call", "qutip.piqs and mesolve", theirs, mine, reason, bound)


def synchronisation(N, eta, delta):
    """(26)-(28) as printed, in plain Python."""

    def slope(t, y):
        a, zeta, z = y
        c, sine = math.cos(zeta) ** 2, math.sin(2 * zeta)
        w = 1 + z + N * a * a * (1 - 2 / N) * c
        pair = c - (2 * c - 1) / N
        return (
            a * (-2 * eta * z * pair + z * (c - 1 / N) * w - 2 * a * a * c),
            delta + eta * z * (1 - 2 / N) * sine - 0.5 * z * w * sine,
            a * a * (8 * eta * pair - 4 * (c - 1 / N) * w - 4 * (1 + z) * c),
        )

    return slope


def test_synchronisation(table):
    """A point of a batch of 64. Bound: as many evaluations as LSODA makes, of 100 operations each (a sine and a cosine are 30)."""
    N, t_end, rtol, atol = 10_000, 2000.0, 1e-8, 1e-10
    eta, delta = (a.ravel() for a in np.meshgrid(np.linspace(60, 620, 8), np.linspace(0.002, 0.078, 8)))
    words = {"N": N, "t_end": t_end, "rtol": rtol, "atol": atol}
    sample = range(0, 64, 9)
    evaluations = []

    def ours():
        return solve_many("spin_cat.two_ensembles", points={"eta": eta, "delta": delta}, **words)

    def unlocks(t, y):
        return math.cos(y[1])

    unlocks.terminal = True

    def peer():
        evaluations.clear()
        locked = []
        for k in sample:
            g = 2 * eta[k] / N
            start = [math.sqrt(g) / (1 + g), 0.0, -(1 - g) / (1 + g)]
            slope = synchronisation(N, eta[k], delta[k])
            found = solve_ivp(slope, (0, t_end), start, method="LSODA", rtol=rtol, atol=atol, events=unlocks)
            evaluations.append(found.nfev)
            locked.append(found.status == 0)
        return locked

    theirs, expected = fastest(peer, 7)
    mine, found = fastest(ours, 20)
    assert (np.asarray(expected) == (found["locked"][list(sample)] == 1)).all()
    count = float(np.mean(evaluations))
    table.add(
        "synchronisation, a point of 64", "scipy LSODA", theirs / len(sample), mine / 64,
        f"{count:.0f} evaluations of the slope", 100 * count / table.machine.flops,
    )  # fmt: skip


TRIVIAL = (
    ("spin_cat.derivative", "paper", {"N": 100}),
    ("spin_cat.derivative", "exact", {}),
    ("spin_cat.boundary", "existence", {}),
    ("spin_cat.boundary", "closed_form", {}),
    ("battery.derivative", "cumulant", {}),
    ("battery.derivative", "printed", {"N": 3}),
    ("collective_spin.steady_state", "analytic", {"Gamma": 1.0}),
    ("collective_spin.steady_state", "mean_field", {"Gamma": 1.0}),
    ("collective_spin.dynamics", "mean_field", {}),
    ("spin_chain.dynamics", "mean_field", {}),
)


def test_a_trivial_point(table):
    """What a call of `solve` costs where there is next to nothing to compute. Bound: a call of compiled code."""
    calls = []
    for model, method, words in TRIVIAL:

        def ours(model=model, method=method, words=words):
            for _ in range(100):
                found = solve(model, method, **words)
            return found

        mine, found = fastest(ours, 15)
        assert found["status"] == 0
        calls.append(mine / 100)
    for what, mine in (("the median", np.median(calls)), ("the dearest", max(calls))):
        work = f"solve, validated, {what} of ten trivial points"
        table.add(work, "-", math.nan, float(mine), "a call", table.machine.call)
