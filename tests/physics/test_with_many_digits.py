"""Small lattices at any parameters against fifty digits: status 0 means that the numbers are right.

L is linear in couplings, fields and rates, with coefficients that are halves of whole numbers: each of them by itself is
exact in double precision, and their sum is taken in decimals. A point counts where one rounding of every parameter would
not move its result by more than is allowed. SPINSWEEP_FUZZ_POINTS sets how many points the slow test tries.
"""

import itertools
import os
import warnings
from decimal import Decimal, localcontext

import numpy as np
import pytest
from support.high_precision import exponential_action

from solvers import SolverWarning, solve
from solvers.engines.spin_system import SIGMA
from solvers.models.spin_lattice.lattice import build_system
from solvers.references.spin_systems import liouvillian_matrix
from solvers.registry import find

MODEL = find("spin_lattice.dynamics")
TERMS = ("J_x", "J_y", "J_z", "h_x", "h_y", "h_z", *(f"gamma_{k}" for k in ("minus", "plus", "z", "collective")))
ALLOWED = 1e-7


def strings(n):
    """All Pauli strings of n sites as row-stacked matrices (4^n, 4^n)."""
    letters = [np.eye(2), *SIGMA]
    return np.array([_kron(word).ravel() for word in itertools.product(letters, repeat=n)])


def _kron(word):
    found = np.ones((1, 1))
    for letter in word:
        found = np.kron(found, letter)
    return found


def unit_generators(n, lattice):
    """For every parameter at 1 and all others at 0, L in the Pauli basis (4^n, 4^n)."""
    P = strings(n)
    found = {}
    for name in TERMS:
        values = {p.name: p.default for p in MODEL.parameters} | {"N": n, "lattice": lattice, name: 1.0}
        matrix = (P.conj() @ liouvillian_matrix(build_system(values)) @ P.T).real / 2**n
        assert np.array_equal(4 * matrix, np.round(4 * matrix))
        found[name] = matrix
    return found


def draw(rng, lattice):
    """Parameters over twelve decades on either side of one, some zero and some equal, and times that suit the fastest or the slowest."""
    sizes = 10.0 ** rng.uniform(-6, 6, 3)
    point = dict.fromkeys(TERMS, 0.0)
    for name in rng.choice(TERMS, size=rng.integers(1, 5), replace=False).tolist():
        value = float(rng.choice(sizes)) * float(rng.choice([1.0, rng.uniform(0.1, 1.0)]))
        point[name] = -value if rng.random() < 0.3 and not name.startswith("gamma") else value
    largest = max(abs(v) for v in point.values())
    scale = rng.choice([1.0 / largest, 1.0 / float(rng.choice(sizes)), rng.uniform(1.0, 30.0) / largest])
    n = int(rng.integers(1, 3))
    angles = {"theta": float(rng.uniform(0.2, 3.0)), "phi": float(rng.uniform(-3, 3))}
    return point | angles | {"N": n, "lattice": lattice, "times": [float(scale * rng.uniform(0.2, 1.5))]}


def expected(point, generators, factor):
    """<s_0> and, of two spins, their mean correlation, with every parameter times `factor`; None where it takes too many squarings."""
    n, t = point["N"], point["times"][0]
    with localcontext() as context:
        context.prec = 60
        matrix = [[Decimal(0)] * 4**n for _ in range(4**n)]
        for k, name in enumerate(TERMS):
            value = Decimal(point[name]) * (Decimal(1) + (-1) ** k * Decimal(factor))
            for i, j in np.argwhere(generators[name]).tolist():
                matrix[i][j] += value * Decimal(float(generators[name][i, j]))
    s = [
        1.0,
        *np.array(
            [
                np.sin(point["theta"]) * np.cos(point["phi"]),
                np.sin(point["theta"]) * np.sin(point["phi"]),
                np.cos(point["theta"]),
            ]
        ),
    ]
    start = [np.prod([s[letter] for letter in word]) for word in itertools.product(range(4), repeat=n)]
    r = exponential_action(matrix, t, start)
    if n == 1:
        return np.array([r[1:4]]), None
    r = r.reshape(4, 4)
    pair = (r[1:, 1:] + r[1:, 1:].T) / 2
    return np.array([(r[1:, 0] + r[0, 1:]) / 2]), pair[None]


def compare(count, seed):
    """How many points counted, by method."""
    rng = np.random.default_rng(seed)
    known = {(n, lattice): unit_generators(n, lattice) for n in (1, 2) for lattice in ("chain", "all_to_all")}
    counted = dict.fromkeys(("exact", "cumulant", "mean_field"), 0)
    for index in range(count):
        lattice = ("chain", "all_to_all")[index % 2]
        point = draw(rng, lattice)
        generators = known[point["N"], lattice]
        spin, pair = expected(point, generators, 0)
        moved, pair_moved = expected(point, generators, 2e-16)
        if np.abs(moved - spin).max() > 0.1 * ALLOWED or (
            pair is not None and np.abs(pair_moved - pair).max() > 0.1 * ALLOWED
        ):
            continue
        for method in counted:
            if method == "mean_field" and point["N"] > 1:
                continue
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SolverWarning)
                found = solve("spin_lattice.dynamics", method, **point, max_steps=20_000)
            if found["status"] != 0:
                continue
            counted[method] += 1
            what = f"{method} at {point}"
            np.testing.assert_allclose(found["magnetisation"], spin, atol=ALLOWED, err_msg=what)
            if pair is not None:
                np.testing.assert_allclose(found["pair_correlation"], pair, atol=ALLOWED, err_msg=what)
    return counted


def test_a_few_points():
    counted = compare(30, 1)
    assert counted["exact"] > 15
    assert counted["cumulant"] > 8


@pytest.mark.slow
def test_many_points():
    count = int(os.environ.get("SPINSWEEP_FUZZ_POINTS", "300"))
    print(compare(count, int(os.environ.get("SPINSWEEP_FUZZ_SEED", "2"))))
