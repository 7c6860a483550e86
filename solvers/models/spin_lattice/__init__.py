"""Lattices of equal spins 1/2: `lattice` is the system, `dynamics` the model, `symmetric` how it is solved where all spins are alike."""
