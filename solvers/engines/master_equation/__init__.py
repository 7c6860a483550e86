"""The exact master equation of up to about twelve spins in the real Pauli basis.

A state is the vector r of 4^N real numbers r_P = Tr(P rho) over all Pauli strings P: the Hermitian half of the density
matrix and nothing else. The index of P has one base-4 digit per site, site 0 the most significant, with digits
0, 1, 2, 3 for 1, s^x, s^y, s^z. The generator is never stored: on-site and pair terms act on one or two digits.
"""
