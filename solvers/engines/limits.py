"""The sizes that a method can treat, with the memory that more would take."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from solvers.declarations import Limit

MOST_WAVE_SPINS = 16


def density_matrix_limit(most: int) -> Limit:
    """Of methods that hold a density matrix as 4^N real numbers."""
    gib = 7 * 8 * 4 ** (most + 1) / 2**30
    return Limit(
        text=f"N <= {most} (4^N real numbers and six work copies: {gib:.2g} GiB at N = {most + 1})",
        holds=lambda p: np.asarray(p["N"]) <= most,
    )


def exact_limit(most: int, closed_and_pure: Callable[[Mapping[str, Any]], Any]) -> Limit:
    """Of methods that hold a density matrix, or a wave function where a point is `closed_and_pure`."""
    density_matrix = density_matrix_limit(most)
    return Limit(
        text=f"{density_matrix.text}; N <= {MOST_WAVE_SPINS} for a closed system from a pure start",
        holds=lambda p: (
            density_matrix.holds(p)
            | (np.asarray(p["N"]) <= MOST_WAVE_SPINS) & np.asarray(closed_and_pure(p), dtype=bool)
        ),
    )


WAVE_FUNCTION_LIMIT = Limit(
    text="N <= 16 (about 30 wave functions of 16 x 2^N bytes and N 2^N coefficients: 0.1 GiB at N = 17)",
    holds=lambda p: np.asarray(p["N"]) <= MOST_WAVE_SPINS,
)
"""Of methods that hold wave functions."""
