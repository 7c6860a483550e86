"""Spin-cat ensembles: N spins 1/2 with collective two-spin drive and two-spin loss, and their own detunings.

    d rho/dt = -i[H, rho] + (Gamma2/N^2) D[S_-^2] rho                                                        Eq. (1)
    H = (1/2) sum_n delta_n sigma_n^z + (eta/N) (exp(i phi) S_-^2 + exp(-i phi) S_+^2)                        Eq. (2)

with S_-+ = sum_n sigma_n^-+, sigma^z Pauli matrices (eigenvalues +-1: a detuning delta turns a spin by the angle delta t)
and D[L] rho = L rho L^+ - {L^+L, rho}/2. The double sums contain m = n, where (sigma^-)^2 = 0. Unit of all rates: Gamma2 = 1.
The parity of the number of excitations is conserved. Bare equation numbers in these files are the paper's.
"""

from solvers.papers import SPIN_CATS as PAPER

__all__ = ["PAPER"]
