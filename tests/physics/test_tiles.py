"""L tile by tile: the same as term by term on any graph, and closed forms at nine spins."""

from itertools import combinations

import numpy as np
import pytest

from solvers.engines.master_equation.exact import all_pairs, evolve_exactly, watched_indices
from solvers.engines.master_equation.generator import build_generator
from solvers.engines.master_equation.propagation import evolve
from solvers.engines.master_equation.states import product_state
from solvers.engines.master_equation.tiled_series import apply_tiles
from solvers.engines.master_equation.tiles import build_tiles, choose_sweeps
from solvers.engines.spin_system import LOWERING, SpinSystem, correlated, local_dissipator
from solvers.models.spin_lattice.truncated_wigner import dephased_by_decaying_spins


def system_on(n, pairs, rng):
    """Random couplings and correlated rates on these pairs, fields and rates on every site; not positive."""
    coupling, Gamma = np.zeros((n, n, 3, 3)), np.zeros((n, 3, n, 3), dtype=complex)
    for i, j in pairs:
        coupling[i, j] = rng.normal(size=(3, 3))
        coupling[j, i] = coupling[i, j].T
        Gamma[i, :, j] = rng.normal(size=(3, 3)) + 1j * rng.normal(size=(3, 3))
        Gamma[j, :, i] = Gamma[i, :, j].conj().T
    for i in range(n):
        m = rng.normal(size=(3, 3)) + 1j * rng.normal(size=(3, 3))
        Gamma[i, :, i] = m @ m.conj().T
    return SpinSystem(rng.normal(size=(n, 3)), coupling, Gamma.reshape(3 * n, 3 * n))


@pytest.mark.parametrize(
    ("n", "pairs"),
    [
        (9, [(i, i + 1) for i in range(8)]),
        (9, [(0, 8), (1, 7), (2, 3)]),
        (9, []),
        (9, list(combinations(range(9), 2))),
        (10, [(0, 1), (0, 6), (5, 6), (3, 9), (7, 8)]),
    ],
)
def test_tiles_act_as_the_terms_do(n, pairs):
    """Both come from the same matrices of one and two sites; the order of additions differs."""
    rng = np.random.default_rng(n + len(pairs))
    generator = build_generator(system_on(n, pairs, rng))
    x, y = rng.normal(size=(2, 4**n))
    expected = 0.7 * (generator.apply(x) - 0.3 * x) - 0.4 * y
    apply_tiles(x, y, build_tiles(generator), 0.7, 0.3, -0.4)
    assert np.abs(y - expected).max() < 1e-13 * np.abs(expected).max()


@pytest.mark.parametrize("n", [9, 12, 14])
def test_sweeps_hold_every_pair_and_every_site(n):
    """Of all pairs of the first n - 3 sites; a chain of twelve needs two sweeps, by the number of its bonds."""
    pairs = list(combinations(range(n), 2))
    sweeps = choose_sweeps(n, pairs)
    held = {pair for sweep in sweeps for pair in combinations(sweep, 2)}
    assert held == set(combinations(range(n - 3), 2))
    assert len(choose_sweeps(12, [(i, i + 1) for i in range(11)])) == 2


def test_nine_decaying_ising_spins():
    """Foss-Feig et al., PRA 87, 042101 (2013): <s^x>; and exp(-gamma t) - 1, <s^z> of decay."""
    n, J, gamma, times = 9, 0.3, 0.4, np.array([0.0, 0.35, 0.9])
    coupling = np.zeros((n, n, 3, 3))
    coupling[~np.eye(n, dtype=bool)] = np.diag([0.0, 0.0, J])
    rates = np.full(n, gamma)
    system = SpinSystem(np.zeros((n, 3)), coupling, local_dissipator(rates, 0 * rates, 0 * rates))
    start = np.tile([1.0, 0.0, 0.0], (n, 1))
    found = evolve_exactly(system, start, times, rtol=1e-9, max_steps=10**6)
    expected = [dephased_by_decaying_spins(n, J, gamma, t) for t in times]
    assert np.abs(found.observed[:, : 3 * n : 3] - np.array(expected)[:, None]).max() < 1e-8
    assert np.abs(found.observed[:, 2 : 3 * n : 3] - np.expm1(-gamma * times)[:, None]).max() < 1e-8


def test_states_and_the_end_come_with_tiles():
    """One superradiant excitation among nine spins: exp(-9 gamma t) of it is left, and purity is p^2 + (1 - p)^2."""
    n, gamma, times = 9, 0.2, np.array([0.1, 0.6, 3.0])
    system = SpinSystem(np.zeros((n, 3)), np.zeros((n, n, 3, 3)), correlated(LOWERING, np.full((n, n), gamma)))
    down = product_state(np.tile([0.0, 0.0, -1.0], (n, 1)))
    r = _pauli_vector_of_w(n, down)
    found = evolve(build_generator(system), r, times, watched_indices(n, all_pairs(n)), rtol=1e-9, keep_purity=True)
    left = np.exp(-n * gamma * times)
    assert np.abs(found.observed[:, 2 : 3 * n : 3] - (2 * left / n - 1)[:, None]).max() < 1e-8
    assert found.purity == pytest.approx(left**2 + (1 - left) ** 2, abs=1e-8)
    assert found.final[[4**k for k in range(n)]] == pytest.approx(0.0, abs=1e-8)
    assert found.final[[3 * 4**k for k in range(n)]] == pytest.approx(2 * left[-1] / n - 1, abs=1e-8)


def _pauli_vector_of_w(n, down):
    """The state sum_k |k up>/sqrt(n): r_P = <P>, by products over sites of diagonal and of two off-diagonal blocks."""
    diagonal = {True: np.array([1.0, 0.0, 0.0, 1.0]), False: np.array([1.0, 0.0, 0.0, -1.0])}
    # |up><down| is (x + i y)/2 in Pauli operators, so that <P> over it is (0, 1, i, 0); both orders add to twice the real part
    raised = np.array([0.0, 1.0, 1j, 0.0])
    total = np.zeros_like(down)
    for k in range(n):
        for m in range(k, n):
            product = np.ones(1, dtype=complex)
            for site in range(n):
                if k == m:
                    factor = diagonal[site == k]
                else:
                    factor = raised if site == k else raised.conj() if site == m else diagonal[False]
                product = np.kron(product, factor)
            total += product.real * (1.0 if k == m else 2.0) / n
    return total
