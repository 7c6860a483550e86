"""Mathematics that knows no physics. Everything that Numba compiles goes through `solvers.numerics.compile`."""
