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
