"""Systems that do not fit the cache, against what they were computed by before, or by the same library without structure."""

import numpy as np
from comparison import fastest

from solvers.engines.master_equation.generator import build_generator
from solvers.engines.master_equation.terms import apply_terms
from solvers.engines.master_equation.tiled_series import apply_tiles
from solvers.engines.master_equation.tiles import build_tiles
from solvers.engines.moments.equations import build_coefficients
from solvers.engines.moments.first_order import mean_field_derivative
from solvers.engines.moments.lattice import lattice_coefficients, lattice_derivative
from solvers.evaluate import parse_parameters
from solvers.models.spin_lattice.lattice import build_lattice, build_system
from solvers.registry import find

WORDS = {"J_x": 0.3, "J_z": 1.0, "h_x": 0.8, "h_z": 0.2, "gamma_minus": 0.4, "gamma_z": 0.1}


def parameters(**given):
    return parse_parameters(find("spin_lattice.dynamics"), WORDS | given)


def test_product_with_a_large_generator(table):
    """A chain of twelve, 16.7 million numbers. Bound: each of its two sweeps reads two vectors and writes one."""
    generator = build_generator(build_system(parameters(N=12, lattice="chain")))
    rng = np.random.default_rng(0)
    x, y, z = rng.normal(size=(3, generator.dimension))
    terms, tiles = generator.terms, build_tiles(generator)
    theirs, _ = fastest(lambda: apply_terms(x, y, terms, 1.0, 0.3, 0.0), 2)
    mine, _ = fastest(lambda: apply_tiles(x, z, tiles, 1.0, 0.3, 0.0), 5)
    np.testing.assert_allclose(z, y, atol=1e-12 * np.abs(y).max())
    three, _ = fastest(lambda: np.add(x, y, out=z), 5)
    table.add(
        "generator of a chain of 12 spins, once", "term by term", theirs, mine, "six passes over memory", 2 * three
    )


def test_mean_field_of_a_large_lattice(table):
    """1024 spins with power-law couplings along x and z, once. Bound: two real vectors transformed there and back."""
    n = 1024
    p = parameters(N=n, lattice="power_law", exponent=1.5)
    dense, lean = build_coefficients(build_system(p), 1, "dense"), lattice_coefficients(build_lattice(p))
    y = np.random.default_rng(0).normal(size=3 * n)
    expected, found = np.empty(3 * n), np.empty(3 * n)
    theirs, _ = fastest(lambda: mean_field_derivative(dense, y, expected), 5)
    mine, _ = fastest(lambda: lattice_derivative(lean, y, found), 20)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    size = 2 * n
    work = 2 * 5 * size * np.log2(size)
    table.add(
        f"mean field of {n} spins, power law, once",
        "dense matrix",
        theirs,
        mine,
        "two transforms",
        work / table.machine.flops,
    )
