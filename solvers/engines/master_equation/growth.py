"""The fastest growth of an unstable generator: the largest real part of all eigenvalues of L."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigs

from solvers.engines.master_equation.generator import Generator
from solvers.engines.master_equation.tiled_series import apply_tiles
from solvers.engines.master_equation.tiles import FEWEST_SPINS, build_tiles

_DENSE_SPINS = 4


def _product(generator: Generator) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """L r, tile by tile where the matrices of `terms` would not fit the memory."""
    if generator.N < FEWEST_SPINS:
        return generator.apply
    tiles = build_tiles(generator)

    def apply(r: NDArray[np.float64]) -> NDArray[np.float64]:
        out = np.zeros(generator.dimension)
        apply_tiles(np.ascontiguousarray(r), out, tiles, 1.0, 0.0, 0.0)
        return out

    return apply


def growth_rate(generator: Generator) -> float:
    """The largest real part of the eigenvalues of L, dense up to four spins, by Arnoldi's iteration above; NaN if that fails."""
    if generator.N <= _DENSE_SPINS:
        return float(np.linalg.eigvals(generator.dense()).real.max())
    operator = LinearOperator((generator.dimension,) * 2, matvec=_product(generator), dtype=np.float64)
    start = np.cos(np.arange(generator.dimension) ** 1.5)
    try:
        values = eigs(operator, k=1, which="LR", v0=start, tol=1e-6, maxiter=300, return_eigenvectors=False)
    except ArpackNoConvergence:
        return float("nan")
    return float(np.asarray(values).real.max())
