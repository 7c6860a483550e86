"""The different intervals between output times: of a regular grid there is one, though its times are rounded."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_EPS = float(np.finfo(float).eps)
_ALIKE = 1e-8


def different_intervals(times: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The different intervals (D,) from t = 0 through `times` (T,), and which of them leads to each time (T,).

    Intervals that differ by less than 1e-8 of themselves are one, their mean, if the times that follow are still the
    given ones to a few roundings; else every distinct number is an interval of its own.
    """
    steps = np.diff(times, prepend=0.0)
    order = np.argsort(steps, kind="stable")
    ranked = steps[order]
    apart = np.diff(ranked) > _ALIKE * ranked[:-1]
    # a new group begins where a step exceeds the one before it, or the first of the group, by too much
    group = np.concatenate([[0], np.cumsum(apart)])
    count = np.bincount(group)
    first = np.concatenate([[0], np.cumsum(count)[:-1]])
    means = np.add.reduceat(ranked, first) / count
    means = np.where(ranked[first] == ranked[first + count - 1], ranked[first], means)
    which = np.empty(len(times), dtype=np.int64)
    which[order] = group
    again = np.cumsum(means[which].astype(np.longdouble))
    if np.all(np.abs(again - times) <= 4 * _EPS * times):
        return means, which
    exact, which = np.unique(steps, return_inverse=True)
    return exact, which.astype(np.int64)
