"""Spins that are all alike against every site by itself and against PIQS: processor times in the same process, equal numbers."""

import time

import numpy as np
import pytest
import qutip
from qutip.piqs.piqs import Dicke, jspin

from solvers.engines.moments.integration import CUMULANTS
from solvers.engines.moments.propagation import propagate
from solvers.engines.spin_system import LOWERING, local_dissipator
from solvers.engines.symmetric.elements import CollectiveSystem
from solvers.engines.symmetric.exact import evolve_symmetric
from solvers.engines.symmetric.path import follow
from solvers.engines.symmetric.system import SymmetricSystem


def seconds(function, rounds=3):
    """The least processor time of some rounds, and what the last one returned."""
    times = []
    for _ in range(rounds):
        start = time.process_time()
        found = function()
        times.append(time.process_time() - start)
    return min(times), found


@pytest.mark.parametrize("n", [30, 100])
def test_cumulants(benchmark, n):
    """One-axis twisting with decay, up to the optimum."""
    own = local_dissipator(np.full(1, 0.05), np.zeros(1), np.full(1, 0.01))
    shared = 0.02 / n * np.outer(LOWERING, LOWERING.conj())
    system = SymmetricSystem(n, np.array([0.0, 0.0, 0.1]), np.diag([0.0, 0.0, 1 / n]), own + shared, shared)
    every_site, s, times = system.site_by_site(), np.array([1.0, 0.0, 0.0]), np.linspace(0.0, 2.0, 5)
    tuning = {"rtol": 1e-8, "atol": 1e-10, "max_steps": 100_000}

    def general():
        found = np.empty((len(times), 3))
        propagate(
            every_site,
            CUMULANTS,
            np.tile(s, (n, 1)),
            None,
            times,
            lambda first, spins, _: found.__setitem__(slice(first, first + len(spins)), spins.mean(axis=1)),
            **tuning,
        )
        return found

    def alike():
        return follow(system, CUMULANTS, s, times, **tuning).spins

    alike(), general()  # compiled
    peer, expected = seconds(general, 1)
    own_time, found = seconds(alike)
    np.testing.assert_allclose(found, expected, atol=1e-7)
    benchmark.extra_info["times faster than every site by itself"] = peer / own_time
    print(f"\ncumulants of {n} equal spins: {peer / own_time:.0f} times faster than every site by itself")
    benchmark(alike)


@pytest.mark.parametrize("n", [10, 20])
def test_exact(benchmark, n):
    """A driven, twisted, decaying and dephasing ensemble against the Liouvillian of PIQS in `mesolve`."""
    J, h, times = np.array([0.3, 0.0, 1.0]) / n, np.array([0.5, 0.0, 0.2]), np.linspace(0.0, 3.0, 7)
    system = CollectiveSystem(n, J, h, minus=0.2, z=0.05, collective=0.1 / n)
    x, _, z = jspin(n)
    H = 2 * J[0] * x * x + 2 * J[2] * z * z + 2 * h[0] * x + 2 * h[2] * z
    ensemble = Dicke(n, hamiltonian=H, emission=0.2, dephasing=0.2, collective_emission=0.1 / n)
    L = ensemble.liouvillian()
    start = qutip.basis(x.shape[0], 0).proj()
    options = {"rtol": 1e-8, "atol": 1e-10, "nsteps": 1_000_000}

    def piqs():
        return np.transpose(qutip.mesolve(L, start, times, e_ops=[x, z], options=options).expect)

    def own():
        up = np.array([0.0, 0.0, 1.0])
        return evolve_symmetric(system, up, times, rtol=1e-8, max_steps=10**6, positive=True).observed[:, [0, 2]]

    own()
    peer, expected = seconds(piqs, 1)
    own_time, found = seconds(own)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    benchmark.extra_info["times faster than PIQS"] = peer / own_time
    print(
        f"\n{n} equal spins, exact: {peer / own_time:.0f} times faster than PIQS without its Liouvillian, ours included"
    )
    benchmark(own)
