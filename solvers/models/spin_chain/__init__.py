"""Chains of collective spins with XYZ couplings and collective decay of each: TWOQS, Holstein-Primakoff, mean field, exact.

J. Huber, P. Kirton and P. Rabl, SciPost Phys. 10, 045 (2021), section 4.

    H = sum_bonds sum_a (J_a/2S) S_n^a S_m^a,   (Gamma/2S) D[S_n^-] on every site

with the paper's dissipator, TWICE the usual one: D[c] rho = 2 c rho c^+ - c^+c rho - rho c^+c. Periodic: a ring, every bond
once (a ring of two counts its bond twice, once each way round), or a square torus. hbar = 1; unit: Gamma = 1.

Errata that matter here: Eqs. (36)-(37) need -i/4 in place of -i/2, and beta_n in the last term of (37). By the equations
the polarised state is stable for J_x J_y > -Gamma^2 (J_z = 0); the paper's -Gamma^2/16 and all its numbers of Fig. 7 follow
with couplings four times as large: `couplings` = paper means J_physical = 4 J.

Files: `declarations`, `holstein_primakoff` (linear theory about the polarised state), `small` (exact, tiny chains), then one
file per model.
"""

from solvers.papers import PHASE_SPACE as PAPER

__all__ = ["PAPER"]
