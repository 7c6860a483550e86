"""Any network of spins 1/2 with pair couplings and a dissipator linear in the spins.

Source: A. M. Rey and D. Chaparro, "Mean-Field Approximation and Cumulant Expansion for a Generic Spin Hamiltonian" (notes,
2021), Eq. (1) for the Hamiltonian, (7)-(14) for the dissipation, (30) for the closure; the pair equations, absent there,
are derived. `network` holds the parameters that the three models share and what is converted.
"""
