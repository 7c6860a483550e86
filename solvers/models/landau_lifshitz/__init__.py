"""The Landau-Lifshitz equation as the mean-field limit of the open Heisenberg chain, and its relatives.

Units gamma = 1 and |M(0)| = 1: fields, anisotropies and rates share one unit, and times have its inverse. B_eff = B + V o M
(component by component): the anisotropy energy is -V_z M_z^2 / 2, and the coercive field along z is V_z.
"""

from solvers.papers import MAGNETS as PAPER

__all__ = ["PAPER"]
