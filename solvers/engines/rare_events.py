"""Standard errors of means over trajectories that may not have seen a rare event.

The scatter of n trajectories says nothing of a jump that none of them made: were there one in n, the mean would move by its reach
over n. So the error is

    sem^2 = V/n + reach^2 min(1/n, p)/n

V the variance of the trajectories, p the probability that anything random has happened until then: where p < 1/n, which is where
V is mostly 0, p reach^2 is the largest variance there can be; else one event in n is allowed for, as in empirical Bernstein bounds (A. Maurer
and M. Pontil, COLT 2009). Beside a variance of order reach^2 that is a part 1/n.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def unseen(happened: NDArray[np.float64], trajectories: int) -> NDArray[np.float64]:
    """min(1/n, p)/n (T,) for the probability p = `happened` (T,) that a trajectory is not the one without any random event."""
    return np.minimum(1.0 / trajectories, np.maximum(happened, 0.0)) / trajectories


def allowing_for_unseen(sem: NDArray[np.float64], reach: ArrayLike, share: NDArray[np.float64]) -> NDArray[np.float64]:
    """Standard errors (T, ...) with what the trajectories may not have shown; NaN stays NaN.

    `reach` (T, ...) is how far an event can move what is averaged from its mean, `share` (T,) from `unseen`.
    """
    share = share.reshape(share.shape + (1,) * (np.ndim(sem) - share.ndim))
    return np.asarray(np.sqrt(np.square(sem) + np.square(reach) * share))
