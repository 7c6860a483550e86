"""How many tiles of each method there are and how many are done, for Dask's own progress bar."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence

import numpy as np

from sweep.clusters.cluster import Cluster
from sweep.plan.tiling import Plan


class Bar:
    """Counts the tiles of a plan of which `tiles` are left; `names` are what the keys of a method's tasks begin with.

    Of a refined sweep, whose tiles are computed in again, it counts those of one round.
    """

    def __init__(self, plan: Plan, names: Mapping[str, str], tiles: Sequence[int]) -> None:
        self._grid = plan.grid
        self._names = list(names.values())
        self._axis = next((k for k, dimension in enumerate(plan.spec.dimensions) if dimension.labels), None)
        self._left = np.bincount(self._kinds(tiles), minlength=len(self._names))
        self._all = self._left.copy() if plan.spec.refine else np.full(len(names), plan.tiles // len(names))
        self._shown: dict[str, tuple[int, int]] = {}

    def _kinds(self, tiles: Sequence[int]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """The number of each tile's method: no tile has points of two."""
        if self._axis is None or not tiles:
            return np.zeros(len(tiles), dtype=np.int64)
        return np.asarray(np.unravel_index(np.asarray(tiles), self._grid)[self._axis], dtype=np.int64)

    def done(self, tile: int) -> None:
        """A tile is done."""
        self._left[self._kinds([tile])] -= 1

    def show(self, cluster: Cluster) -> None:
        """Have a cluster show it, where it is not what it shows already."""
        counts = {
            name: (int(total), int(total - left))
            for name, total, left in zip(self._names, self._all, self._left, strict=True)
        }
        if counts != self._shown:
            self._shown = counts
            cluster.show(counts)

    def end(self, cluster: Cluster) -> None:
        """Have a cluster show it no more."""
        if self._shown:
            with contextlib.suppress(Exception):  # the cluster may be gone
                cluster.show(dict.fromkeys(self._shown, (0, 0)))
