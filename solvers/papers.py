"""The papers that the models are from, so that a user can read and cite them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Paper:
    """A source: `where` is the journal or archive with the year; `doi` without the resolver's address, empty where none is."""

    authors: str
    title: str
    where: str
    doi: str = ""

    def text(self) -> str:
        """One line to read."""
        return f'{self.authors}, "{self.title}", {self.where}' + (f", doi:{self.doi}" if self.doi else "")


SPIN_NETWORKS = Paper(
    authors="A. M. Rey and E. C. Chaparro",
    title="Mean-Field Approximation and Cumulant Expansion for a Generic Spin Hamiltonian",
    where="notes, University of Colorado, Boulder (2021)",
)
MAGNETS = Paper(
    authors="A. Norambuena, A. Franco and R. Coto",
    title="From the open generalized Heisenberg model to the Landau-Lifshitz equation",
    where="New J. Phys. 22, 103029 (2020); arXiv:2006.15658",
    doi="10.48550/arXiv.2006.15658",
)
SPIN_CATS = Paper(
    authors="W.-K. Mok, L.-C. Kwek and S. Touzard",
    title="Stability of macroscopic spin ensembles against inhomogeneous dephasing",
    where="arXiv:2403.16491 (2024)",
    doi="10.48550/arXiv.2403.16491",
)
BATTERY = Paper(
    authors="F. Pirmoradian and K. Moelmer",
    title="Aging of a quantum battery",
    where="Phys. Rev. A 100, 043833 (2019)",
    doi="10.1103/PhysRevA.100.043833",
)
PHASE_SPACE = Paper(
    authors="J. Huber, P. Kirton and P. Rabl",
    title="Phase-space methods for simulating the dissipative many-body dynamics of collective spin systems",
    where="SciPost Phys. 10, 045 (2021)",
    doi="10.21468/SciPostPhys.10.2.045",
)
PAPERS = {
    "spin_network": SPIN_NETWORKS,
    "magnets": MAGNETS,
    "spin_cat": SPIN_CATS,
    "battery": BATTERY,
    "phase_space": PHASE_SPACE,
}
