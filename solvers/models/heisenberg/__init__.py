"""The open Heisenberg chain of spins 1/2 with on-site and nearest-neighbour dissipation, exactly and in mean field.

    H = sum_j B.S_j + sum_a V_a sum_j S_a^j S_a^{j+1}                                                          Eq. (3)
    L = -i[H, rho] + sum_{j,a,eta} gamma_{a eta} D[S_{a eta}^j]
        + sum_{|j-j'|=1} sum_{a,eta} g_{a eta} (S'_{a eta} rho S_{a eta}^+ - {S_{a eta}^+ S'_{a eta}, rho}/2)    Eq. (9)

with each bond once in H and both orders of every pair in L, S_{x+-} = -S_z +- i S_y, S_{y+-} = S_z +- i S_x,
S_{z+-} = S_x +- i S_y (Eqs. 5-7). In mean field, with g_a = g_a- - g_a+ and s_j the sum over the neighbours of m,

    dm_j/dt = [B + V o s_j/2 + g x s_j/2] x m_j - sum_a R_a m_j - sum_a (gamma_a- - gamma_a+) e_a              corrected

R_a = Gamma_a on axis a and Gamma_a/2 on the two others. A bulk site of a uniform chain has s = 2 m: `mean_field_uniform`,
Eqs. (12)-(14) corrected. `printed` is Eqs. (12)-(14) letter by letter with |M| = 1: its term in g has the opposite sign
and half the size, and its noise is that of n_b = 0.

The evolution is completely positive if the Kossakowski matrix (3N, 3N) of Eq. (9) in the basis S_a^j has no negative
eigenvalue; for one axis, |g| <= gamma / (2 cos(pi/(N+1))).

D[L] rho = L rho L^+ - {L^+L, rho}/2. S_a = sigma_a / 2 are spin operators (B_x = 1 turns a spin by the angle t), but spins
and correlations are given in sigma. hbar = gamma = 1: fields, couplings and rates share one unit, the field's; times have
its inverse.

Files: `chain` (parameters, and the way from the source's operators to those of the engines), then one file per model.
"""

from solvers.papers import MAGNETS as PAPER

__all__ = ["PAPER"]
