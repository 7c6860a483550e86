"""One collective spin S with drive, squeezing, decay, gain and dephasing: exactly, in mean field, and by TWOQS trajectories.

J. Huber, P. Kirton and P. Rabl, "Phase-space methods for simulating the dissipative many-body dynamics of collective spin
systems", SciPost Phys. 10, 045 (2021).

    H = Omega S_x + delta S_z + (g/2S) S_x^2,   (Gamma/2S) D[S^-] + (Gamma_up/2S) D[S^+] + Gamma_phi D[S_z]

with the paper's dissipator, TWICE the usual one: D[c] rho = 2 c rho c^+ - c^+c rho - rho c^+c. So d<S_z>/dt = -(Gamma/S)
<S^+S^->, and <S^-> decays at Gamma_phi. hbar = 1; unit: Gamma, Gamma_phi or g = 1. theta counts from the north pole (up).

Errata of the paper that matter here (all checked): k = +1 is P, -1 is Q; Eqs. (31)-(32) need g/8S in place of g/4S and "dt"
in place of "alpha dt"; Eqs. (25)-(26) are wrong, (27)-(28) right; Eqs. (19)-(20) turn the wrong way; second moments need
the corrections of the ordering, which the paper's curves of squeezing from Q leave out (`ordering` = none).

Files: `declarations` (parameters and outputs), `outcomes` (status from the monitors), then one file per model.
"""

from solvers.papers import PHASE_SPACE as PAPER

__all__ = ["PAPER"]
