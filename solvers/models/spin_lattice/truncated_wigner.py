"""Truncated Wigner trajectories of the lattice, by `solvers.engines.truncated_wigner`, and what they are worth.

Exact for uncoupled spins, and for means under Ising couplings with all local channels from theta = 0, pi/2 or pi.
Elsewhere biased. Six spins with random couplings of order 0.5 and fields, t = 0.5 to 8, 24 points of each kind, median
(and worst tenth) of the largest error of the means: with all local channels 0.02 (0.05), decay alone 0.06 (0.17), closed 0.17 (0.37),
where cumulants have 0.03 (0.11), 0.12 (0.49), 0.31 (0.83) and mean field 0.21 (0.45), 0.37 (0.62), 0.55 (1.0). It is no better than mean
field in a tenth of the points with gamma_neighbour near its limit, whose noise on site it treats to order 1/N only, and where
mean field is exact, as in a Heisenberg lattice of parallel spins. Squeezing divides by a mean spin that dephases: take
it while |m| is well above its error.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import toeplitz as toeplitz_matrix
from scipy.sparse import csr_array

from solvers.batch import Point
from solvers.engines.collective import VANISHES
from solvers.engines.sampling_price import trajectories_to_draw
from solvers.engines.spin_squeezing import least_variance
from solvers.engines.truncated_wigner.sample import (
    FIRST_LOOK,
    Averages,
    Lattice,
    average,
    judge_average,
    largest_error,
    prepare,
    price,
)
from solvers.models.spin_lattice.lattice import RATES, adjacency, alone, fall_of, fields, neighbours, sampled
from solvers.numerics.convolution import is_level

FEWEST_TRANSFORMED = 128
"""Spins from which Fourier transforms of a power law are faster than N^2 multiply-adds."""
SOURCE = "J. Huber, A. M. Rey and P. Rabl, Phys. Rev. A 105, 013716 (2022), with jumps for noise"
BIAS = 0.35
"""More than the errors of means and pair correlations of three spins with every kind of term (0.14 and 0.32 in 30 random points)."""


def squeezing_by_groups(n: int, drawn: Averages) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """xi^2 and its standard error (T,): each group's variance in the direction that is smallest in all the others.

    The smallest variance of all together would be low by up to sqrt(2/trajectories) where it is alike in all directions.
    """
    m, p = drawn.groups[..., :3], drawn.groups[..., 3:].reshape(*drawn.groups.shape[:-1], 3, 3)
    count = len(m)
    p = np.zeros_like(p) if n == 1 else p
    _, direction = least_variance((m.sum(axis=0) - m) / (count - 1), (p.sum(axis=0) - p) / (count - 1))
    variances = 1.0 + (n - 1) * np.einsum("gta,gtab,gtb->gt", direction, p, direction)
    length = np.linalg.norm(drawn.mean[:, :3], axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.where(length > VANISHES, variances.mean(axis=0) / length**2, np.nan)
        own = np.std(variances, axis=0, ddof=1) / np.sqrt(count) / length**2
        of_length = 2 * found * np.linalg.norm(drawn.sem[:, :3], axis=1) / length
    return found, np.where(np.isnan(found), np.nan, np.hypot(own, of_length))


def solve_twa(p: Point) -> Mapping[str, Any]:
    """Means over truncated Wigner trajectories with standard errors."""
    n, everywhere = p["N"], p["lattice"] == "all_to_all"
    one = alone(p)
    fall = fall_of(p) if p["lattice"] == "power_law" else None
    strength: NDArray[np.float64] | csr_array | None
    if fall is not None and n >= FEWEST_TRANSFORMED and is_level(fall):
        strength = None
    elif fall is not None:
        strength, fall = toeplitz_matrix(fall), None
    else:
        strength = None if everywhere else adjacency(p["lattice"], n)
    joined = None if everywhere or p["gamma_neighbour"] == 0.0 else neighbours(p["lattice"], n)
    J = np.array([p["J_x"], p["J_y"], p["J_z"]], dtype=np.float64)
    rates = (p[f"gamma_{name}"] for name in RATES)
    lattice = Lattice(J, strength, fields(one, n)[0], joined, *rates)._replace(fall=fall)
    point = prepare(lattice, p["theta"], p["phi"], p["step"], p["times"], p["max_steps"])
    kept = slice(
        0 if p.wants("magnetisation", "squeezing") else 3, 12 if p.wants("pair_correlation", "squeezing") else 3
    )
    many = trajectories_to_draw(
        p["trajectories"],
        price(point, p["times"]),
        paid=p["max_steps"] / 1e6,
        target_error=p["target_error"],
        first_look=FIRST_LOOK,
        error_of=lambda count: largest_error(average(point, p.key, p["times"], count, 0.0, kept), kept),
    )
    drawn = average(point, p.key, p["times"], many, p["target_error"], kept)
    found = sampled(n, drawn.mean, drawn.sem, drawn.groups, drawn.share) | {"samples": drawn.trajectories}
    if len(drawn.groups) > 1:
        found["squeezing"], found["squeezing_sem"] = squeezing_by_groups(n, drawn)
    return found | judge_average(drawn, p["times"], p["target_error"], kept)


def dephased_by_decaying_spins(N: int, J: float, gamma: float, t: float) -> float:
    """<s^x> of N spins along x with Ising couplings between all and decay (Foss-Feig et al., PRA 87, 042101 (2013)).

    exp(-gamma t/2) Re phi^(N-1): phi is the mean of exp(2 i J integral of s_z) over a spin that starts up or down and decays.
    """
    z = 4j * J - gamma
    up = np.exp((2j * J - gamma) * t) + gamma * np.exp(-2j * J * t) * np.expm1(z * t) / z
    return float(np.exp(-gamma * t / 2) * (((up + np.exp(-2j * J * t)) / 2) ** (N - 1)).real)
