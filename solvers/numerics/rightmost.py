"""The eigenvalues with the largest real parts of a large operator: block Davidson.

E. R. Davidson, J. Comput. Phys. 17, 87 (1975), for a general matrix: a subspace grows by preconditioned residuals of its
rightmost Ritz pairs, and is cut down to these when it is full.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.complex128]

WATCHED = 4
"""Ritz pairs that are improved, and must have settled to a percent, so that none passes another unseen."""
MEMORY = 2**28


@dataclass(frozen=True)
class Rightmost:
    """The first WATCHED eigenvalues, largest real part first, the norms of their residuals, and whether all settled."""

    values: NDArray[np.complex128]
    residuals: NDArray[np.float64]
    converged: bool


class _Subspace:
    """An orthonormal basis, its images under A, and the projection of A on it."""

    def __init__(self, size: int, room: int, apply: Callable[[Vector], Vector]) -> None:
        self.basis, self.images = np.empty((room, size), np.complex128), np.empty((room, size), np.complex128)
        self.projection = np.empty((room, room), np.complex128)
        self.used = self.spent = 0
        self._apply = apply

    def add(self, v: Vector) -> None:
        """Take in what is new in v."""
        used = self.used
        if used == len(self.basis):
            return
        size = np.linalg.norm(v)
        if not np.isfinite(size) or size == 0.0:
            return
        v = v / size
        for _ in range(2):  # once more, so that rounding does not spoil the orthogonality
            v = v - (self.basis[:used] @ v.conj()).conj() @ self.basis[:used]
        norm = np.linalg.norm(v)
        if norm < 1e-8:  # rounding, which need not lie in the invariant subspace
            return
        self.basis[used] = v / norm
        self.images[used] = self._apply(self.basis[used])
        self.projection[: used + 1, used] = (self.basis[: used + 1] @ self.images[used].conj()).conj()
        self.projection[used, :used] = self.images[:used] @ self.basis[used].conj()
        self.used += 1
        self.spent += 1

    def cut(self, kept: NDArray[np.complex128]) -> None:
        """Keep the combinations `kept` (used, k) with orthonormal columns only."""
        old, self.used = self.used, kept.shape[1]
        self.basis[: self.used], self.images[: self.used] = kept.T @ self.basis[:old], kept.T @ self.images[:old]
        self.projection[: self.used, : self.used] = kept.conj().T @ self.projection[:old, :old] @ kept


def rightmost(
    apply: Callable[[Vector], Vector],
    precondition: Callable[[Vector, complex], Vector],
    project: Callable[[Vector], Vector],
    starts: Iterable[Vector],
    *,
    tolerance: float,
    floor: float,
    budget: int,
    above: float = -np.inf,
) -> Rightmost:
    """The rightmost eigenvalues of A on the invariant subspace that `project` leaves alone.

    apply: v -> A v; precondition: (v, z) -> nearly (A - z)^-1 v. The first eigenvalue is converged when its residual is
    below `tolerance` times its real part, or below `floor`, the level of rounding. `budget` bounds the applications of A.
    Only eigenvalues with a real part beyond `above` matter: when the Ritz values have settled well to its left, the search
    ends, as converged.
    """
    begin = [np.asarray(v, dtype=np.complex128) for v in starts]
    size = len(begin[0])
    room = int(min(size, np.clip(MEMORY // (32 * size), 60, 160)))
    space = _Subspace(size, room, apply)
    for v in begin[: room // 2]:
        space.add(project(v))
    if not space.used:
        return Rightmost(np.empty(0, np.complex128), np.empty(0), True)
    while True:
        used = space.used
        values, vectors = np.linalg.eig(space.projection[:used, :used])
        order = np.argsort(-values.real)
        watched = order[:WATCHED]
        errors, directions = np.empty(len(watched)), []
        for k, j in enumerate(watched):
            z = complex(values[j])
            residual = vectors[:, j] @ space.images[:used] - z * (vectors[:, j] @ space.basis[:used])
            errors[k] = np.linalg.norm(residual)
            if errors[k] > max(floor, (0.1 * tolerance if k == 0 else 1e-3) * abs(z.real)):
                directions.append(precondition(residual, z))
        allowed = np.maximum(floor, 1e-2 * np.abs(values[watched].real))
        allowed[0] = max(floor, tolerance * abs(values[watched[0]].real))
        done = bool(np.all(errors <= allowed)) or used == size
        done = done or (space.spent > 2 * room and float(values.real.max()) < 1.5 * above)
        if done or space.spent >= budget or not directions:
            return Rightmost(values[watched], errors, done)
        if used + len(directions) > room:
            space.cut(np.linalg.qr(vectors[:, order[: room // 3]])[0])
        before = space.used
        for v in directions:
            space.add(project(v))
        if space.used == before:  # rounding: nothing new can be found
            return Rightmost(values[watched], errors, done)
