"""Any network of spins 1/2 with pair couplings and a dissipator linear in the spins.

A. M. Rey and E. C. Chaparro's notes: Eq. (1) for the Hamiltonian, (7)-(14) for the dissipation, (30) for the closure; the
pair equations, absent there, are derived. s^a are Pauli matrices with eigenvalues +-1 (h_x = 1 turns a spin by the angle
2t), sigma_- = (s^x - i s^y)/2, and D[L] rho = L rho L^+ - {L^+L, rho}/2.

The source's Hamiltonian, Eq. (1), sums over all ordered pairs, those with j = k included:

    H = sum_i h_i . s_i + sum_jk sum_ab A_jk^ab s_j^a s_k^b

so that a bond in both A_jk and A_kj counts twice. Only coupling_ij = A_ij + A_ji^T for i != j and, on site, the
antisymmetric part of A_ii matters; as s^a s^b = i eps_abc s^c it is a field. hbar divides h and A and not the rates.

The source's gamma_-, gamma_+, gamma_z of Eqs. (7)-(14), with matrix elements of 2 and no factor 1/2, are one eighth, one
eighth and one half of the textbook rates used here.

Errata that matter here: Eqs. (62), (63) swap beta and epsilon; (68)-(106) and (175) misprint the commutator of s^+ with
s^x + s^y + s^z; (173) lacks a factor 2 of the field and -2 of the coupling; (174) has 4 for 8 in the pump.

Files: `network` (parameters that the three models share, and what is converted), then one file per model.
"""

from solvers.papers import SPIN_NETWORKS as PAPER

__all__ = ["PAPER"]
