"""Exact sweeps against dynamiqs, where it is installed (`pip install dynamiqs`): vectorised over points by JAX, on one core.

A chain with fields and decay, 21 times, rtol 1e-8 on both sides; its compilation is not counted, its answers are compared.
"""

import functools
import operator
from importlib.metadata import version

import numpy as np
import pytest
from comparison import fastest
from test_bench_table import SWEEP, SWEEP_TIMES, least_work_of_sweep

from solvers import solve_many

dq = pytest.importorskip("dynamiqs", reason="NOT COMPARED WITH DYNAMIQS: it is not installed (pip install dynamiqs)")
import jax.numpy as jnp  # noqa: E402  (comes with dynamiqs)


def spins(n):
    """s_i^a (n, 3) as dynamiqs builds them: by diagonals, with which it takes from 0.4 (two spins) to 0.07 (eight) of what it takes with dense ones."""
    paulis, one = (dq.sigmax(), dq.sigmay(), dq.sigmaz()), dq.eye(2)
    return [[dq.tensor(*(p if k == i else one for k in range(n))) for p in paulis] for i in range(n)]


def total(operators):
    """Their sum, without the dense zero that `sum` begins with."""
    return functools.reduce(operator.add, operators)


@pytest.mark.parametrize(("n", "count"), [(2, 512), (4, 64), (6, 16), (8, 2)])
def test_exact_sweep_against_dynamiqs(table, n, count):
    """A point of a batch; the bound is that of the same sweep in `test_bench_table`."""
    dq.set_precision("double")
    rng = np.random.default_rng(n)
    points = {"J_z": rng.normal(size=count), "h_x": rng.normal(size=count)}
    s = spins(n)
    zz = total([s[i][2] @ s[i + 1][2] for i in range(n - 1)])
    x = total([row[0] for row in s])
    rest = total([SWEEP[f"h_{a}"] * row[k] for row in s for k, a in ((1, "y"), (2, "z"))])
    rest += total([SWEEP[f"J_{a}"] * s[i][k] @ s[i + 1][k] for i in range(n - 1) for k, a in ((0, "x"), (1, "y"))])
    H = rest + jnp.asarray(points["J_z"])[:, None, None] * zz + jnp.asarray(points["h_x"])[:, None, None] * x
    jumps = [np.sqrt(SWEEP["gamma_minus"]) * (row[0] - 1j * row[1]) / 2 for row in s]
    means = [total([row[a] for row in s]) / n for a in range(3)]
    up = dq.tensor(*[dq.basis(2, 0)] * n)
    how = {"method": dq.method.Tsit5(rtol=1e-8, atol=1e-10), "progress_meter": False, "save_states": False}

    def peer():
        found = dq.mesolve(H, jumps, up, SWEEP_TIMES, exp_ops=means, **how)
        return np.asarray(found.expects).real

    def ours():
        return solve_many("spin_lattice.dynamics", "exact", points=points, N=n, times=SWEEP_TIMES, rtol=1e-8, **SWEEP)

    theirs, expected = fastest(peer, 2 if n < 8 else 1)
    mine, found = fastest(ours, 7)
    np.testing.assert_allclose(found["magnetisation"], expected.transpose(0, 2, 1), atol=1e-7)
    operations, reason = least_work_of_sweep(n, points["J_z"][0], points["h_x"][0])
    work = f"exact sweep, N = {n}, all outputs, a point of {count}"
    table.add(
        work,
        f"dynamiqs {version('dynamiqs')}, by diagonals",
        theirs / count,
        mine / count,
        reason,
        operations / table.machine.flops,
    )
