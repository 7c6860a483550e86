"""A few components of r on a long uniform grid of times, for up to four spins, by matrix products alone.

With P = exp(step L), time number q m + j is C P^j applied to (P^m)^q r, so that about sqrt(T) products of each kind give
all T times; the propagator is dense, (4^N, 4^N).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import expm

from solvers.engines.master_equation.generator import Generator

MOST_SPINS = 4


def components_on_grid(
    generator: Generator, r0: NDArray[np.float64], step: float, count: int, indices: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Components (count, K) of exp(k step L) r0 at `indices` (K,), k = 0 .. count-1; ValueError for more than four spins."""
    if generator.N > MOST_SPINS:
        raise ValueError(f"dense propagators are for N <= {MOST_SPINS} spins; given was N = {generator.N}")
    propagator = expm(step * generator.dense())
    block = max(1, math.isqrt(count))
    blocks = -(-count // block)
    observers = np.empty((block, len(indices), generator.dimension))
    observers[0] = np.eye(generator.dimension)[indices]
    for j in range(1, block):
        observers[j] = observers[j - 1] @ propagator
    leap = np.linalg.matrix_power(propagator, block)
    states = np.empty((blocks, generator.dimension))
    states[0] = r0
    for q in range(1, blocks):
        states[q] = leap @ states[q - 1]
    found = states @ observers.reshape(-1, generator.dimension).T
    return np.ascontiguousarray(found.reshape(blocks * block, len(indices))[:count])
