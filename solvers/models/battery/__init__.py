"""The quantum battery of F. Pirmoradian and K. Moelmer, "Aging of a quantum battery", PRA 100, 043833 (2019).

N two-level emitters. A pulse charges them, they wait (`tau_s`, individual decay only), then a cavity mode tuned into
resonance takes the energy out (`tau_d`, collective decay `Gamma` on top). After Eq. (5), with D[L] rho = L rho L^+ -
{L^+L, rho}/2,

    d rho/dt = sum_i (gamma D[sigma_i-] + phi D[sigma_iz] + w D[sigma_i+]) rho + Gamma D[S_-] rho,  S_- = sum_i sigma_i-

Unit: gamma = 1. Energies in hbar omega_s, counted for all emitters together; M = <S_z>, and S is what S(S+1) = <S^2>
says (Eq. 7), not the mean quantum number <S> (`meanS_after_storage`). A pulse is instantaneous, a turn by `pulse_angle` about x.

Files: `declarations` (parameters and outputs), `exact` (populations |S, M>), `cumulants` (the paper's second order),
then one file per model.

Errata of the paper that matter (proofs in the physics document): its D has the wrong sign; S_- = sum sigma_-/2 below
Eq. (5) contradicts Eq. (6), which needs S_- = sum sigma_-; the Appendix misprints d<s+ s->/dt (source z instead of
(z + <sz sz>)/2) and d<s+ sz>/dt (last bracket without N-2), method `printed` has them as printed; Eq. (8) has 4/N for
(2/N) tau_d/(tau_s+tau_d) and for 2/N.
"""

from solvers.papers import BATTERY as PAPER

__all__ = ["PAPER"]
