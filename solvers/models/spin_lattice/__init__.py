"""Lattices of equal spins 1/2 with couplings, fields, disorder and five kinds of dissipation.

    H = sum_<ij> sum_a J_a f_ij s_i^a s_j^a + sum_i (h_x s_i^x + h_y s_i^y + (h_z + disorder z_i) s_i^z)

with every bond once, f_ij = 1 (power_law: |i-j|^-exponent) and standard normals z_i that depend on (seed, realisation,
site) alone. Dissipation in textbook rates: gamma_minus, gamma_plus, gamma_z of D[sigma_-], D[sigma_+], D[sigma_z] on
every site; gamma_collective of D[sum_i sigma_-]; and for bonds of the lattice, both orders,

    gamma_neighbour (sigma_-^(i) rho sigma_+^(j) - {sigma_+^(j) sigma_-^(i), rho}/2)

which is positive in an open chain only up to gamma_minus / (2 cos(pi/(N+1))). Pauli matrices with eigenvalues +-1 throughout (h_x = 1 turns a spin by the angle 2t), no normalisation
of couplings or rates by N. Lattices: chain (open), ring, square (open, N a square number), all_to_all, power_law (an
open chain; its neighbours are |i-j| = 1). The start is a product state, all spins at (theta, phi), theta = 0 up.

Rey and Chaparro, Eqs. (1), (7)-(14), (30), with the corrections that the models of spin networks state; the same engines.

Files: `lattice` (the system), `dynamics` (the model), `bulk` (many small ones at once), `symmetric` (how it is solved
where all spins are alike), `truncated_wigner` (the method `twa`).
"""

from solvers.papers import SPIN_NETWORKS as PAPER

__all__ = ["PAPER"]
