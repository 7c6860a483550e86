"""The sizes that a method can treat, with the memory that more would take."""

from __future__ import annotations

import numpy as np

from solvers.declarations import Limit


def density_matrix_limit(most: int) -> Limit:
    """Of methods that hold a density matrix as 4^N real numbers."""
    gib = 7 * 8 * 4 ** (most + 1) / 2**30
    return Limit(
        text=f"N <= {most} (4^N real numbers and six work copies: {gib:.2g} GiB at N = {most + 1})",
        holds=lambda p: np.asarray(p["N"]) <= most,
    )


WAVE_FUNCTION_LIMIT = Limit(
    text="N <= 16 (about 30 wave functions of 16 x 2^N bytes and N 2^N coefficients: 0.1 GiB at N = 17)",
    holds=lambda p: np.asarray(p["N"]) <= 16,
)
"""Of methods that hold wave functions."""
