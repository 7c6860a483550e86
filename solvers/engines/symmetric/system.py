"""N equal spins with equal couplings and rates: the numbers of `solvers.engines.spin_system` for one site and one pair."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solvers.engines.spin_system import SpinSystem


@dataclass(frozen=True)
class SymmetricSystem:
    """Field (3,), coupling (3, 3) of every pair, and the blocks (3, 3) of Gamma on site (`own`) and between sites (`shared`).

    The coupling is a symmetric matrix and both blocks are Hermitian, so that no order of the sites is preferred.
    """

    N: int
    field: NDArray[np.float64]
    coupling: NDArray[np.float64]
    own: NDArray[np.complex128]
    shared: NDArray[np.complex128]

    def smallest_rate(self) -> float:
        """The smallest eigenvalue of Gamma: of own + (N-1) shared, or of own - shared, N-1 times."""
        return float(min(np.linalg.eigvalsh(block)[0] for block in self._blocks()))

    @property
    def positive(self) -> bool:
        """Whether Gamma is positive up to rounding."""
        largest = max(float(np.abs(self.own).max()), float(np.abs(self.shared).max()))
        return self.smallest_rate() >= -(1e-10 * largest + 1e-300)

    def _blocks(self) -> list[NDArray[np.complex128]]:
        if self.N == 1:
            return [self.own]
        return [self.own + (self.N - 1) * self.shared, self.own - self.shared]

    def site_by_site(self) -> SpinSystem:
        """The same with every site written down."""
        n = self.N
        apart = ~np.eye(n, dtype=bool)
        coupling = apart[:, :, None, None] * self.coupling
        Gamma = np.kron(np.eye(n), self.own) + np.kron(apart, self.shared)
        return SpinSystem(np.tile(self.field, (n, 1)), coupling, Gamma)


def all_alike(system: SpinSystem, spins: NDArray[np.float64]) -> SymmetricSystem | None:
    """The system of one site and one pair, where no order of the sites is preferred and all `spins` (N, 3) are equal."""
    n = system.N
    apart = ~np.eye(n, dtype=bool)
    blocks = system.Gamma.reshape(n, 3, n, 3).transpose(0, 2, 1, 3)
    own, field = blocks[0, 0], system.field[0]
    coupling = system.coupling[0, 1] if n > 1 else np.zeros((3, 3))
    shared = blocks[0, 1] if n > 1 else np.zeros((3, 3), dtype=np.complex128)
    equal = (
        np.array_equal(spins, np.broadcast_to(spins[0], spins.shape))
        and np.array_equal(system.field, np.broadcast_to(field, (n, 3)))
        and np.array_equal(system.coupling, apart[:, :, None, None] * coupling)
        and np.array_equal(blocks, np.where(apart[:, :, None, None], shared, own))
    )
    preferred = not (np.array_equal(coupling, coupling.T) and np.array_equal(shared, shared.conj().T))
    return None if not equal or preferred else SymmetricSystem(n, field, coupling, own, shared)
