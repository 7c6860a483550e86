"""Between moments by site, as a reader wants them, and the state vectors of the equations, axis by axis."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from solvers.engines.spin_system import product_correlations


@functools.lru_cache(maxsize=8)
def _upper(n: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    return np.triu_indices(3 * n, 1)


def pack(spins: NDArray[np.float64], correlations: NDArray[np.float64] | None) -> NDArray[np.float64]:
    """State of the second-order equations from spins (N, 3) and raw correlations (N, N, 3, 3), None for a product state."""
    n = len(spins)
    y = np.zeros(3 * n + 3 * n * (3 * n - 1) // 2)
    y[: 3 * n] = spins.T.ravel()
    if correlations is not None:
        connected = correlations - product_correlations(spins)
        connected[np.arange(n), np.arange(n)] = 0.0
        y[3 * n :] = connected.transpose(2, 0, 3, 1).reshape(3 * n, 3 * n)[_upper(n)]
    return y


def unpack_spins(y: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """Spins (..., N, 3) of state vectors of either order."""
    return np.ascontiguousarray(np.swapaxes(y[..., : 3 * n].reshape(*y.shape[:-1], 3, n), -1, -2))


def unpack_connected(y: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """Connected correlations (..., N, N, 3, 3) of second-order state vectors; zero for i = j."""
    lead = y.shape[:-1]
    matrix = np.zeros((*lead, 3 * n, 3 * n))
    rows, columns = _upper(n)
    matrix[..., rows, columns] = y[..., 3 * n :]
    matrix += np.swapaxes(matrix, -1, -2)
    k = len(lead)
    blocks = matrix.reshape(*lead, 3, n, 3, n)
    return np.ascontiguousarray(blocks.transpose(*range(k), k + 1, k + 3, k, k + 2))


def raw_correlations(connected: NDArray[np.float64], spins: NDArray[np.float64]) -> NDArray[np.float64]:
    """<s_i^a s_j^b> from connected correlations; zero for i = j."""
    return connected + product_correlations(spins)
