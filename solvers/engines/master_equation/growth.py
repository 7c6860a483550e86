"""The fastest growth of an unstable generator: the largest real part of all eigenvalues of L."""

from __future__ import annotations

import numpy as np
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigs

from solvers.engines.master_equation.generator import Generator

_DENSE_SPINS = 4


def growth_rate(generator: Generator) -> float:
    """The largest real part of the eigenvalues of L, dense up to four spins, by Arnoldi's iteration above; NaN if that fails."""
    if generator.N <= _DENSE_SPINS:
        return float(np.linalg.eigvals(generator.dense()).real.max())
    operator = LinearOperator((generator.dimension,) * 2, matvec=generator.apply, dtype=np.float64)
    start = np.cos(np.arange(generator.dimension) ** 1.5)
    try:
        values = eigs(operator, k=1, which="LR", v0=start, tol=1e-6, maxiter=300, return_eigenvectors=False)
    except ArpackNoConvergence:
        return float("nan")
    return float(np.asarray(values).real.max())
