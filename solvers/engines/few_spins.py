"""Batches of systems of few spins, in portions whose states fit the memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.batch import Batch, in_portions
from solvers.engines.master_equation.side_by_side import MOST_SPINS

Found = tuple[Mapping[str, NDArray[Any]], NDArray[np.bool_]]
"""Outputs (P, ...), and which points were solved (P,): the others are left to the solver of single points."""
_NUMBERS = 2**22
"""Numbers of states that are held at once."""


def solve_few_spins(solve: Callable[[Batch], Found], most: int, batch: Batch) -> Found:
    """What `solve` finds for all points of a batch of one `N`; nothing when they have more than `most` spins."""
    n = batch["N"]
    if n > most:
        return {}, np.zeros(batch.size, dtype=bool)
    return in_portions(solve, max(1, _NUMBERS // (4 ** min(n, MOST_SPINS) * len(batch["times"]))), batch)
