"""The open Heisenberg chain with on-site and nearest-neighbour dissipation, exactly and in mean field.

S_a = sigma_a / 2, hbar = gamma = 1; spins and correlations are given in sigma. Fields, couplings and rates share one unit,
the field's; times have its inverse.
"""
