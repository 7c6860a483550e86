"""The lattice: fields, couplings and rates of equal spins, in general and where permutations change nothing.

The equations are stated in the docstring of this folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.engines.collective import squeezing
from solvers.engines.spin_system import LOWERING, SpinSystem, correlated, local_dissipator
from solvers.engines.symmetric.system import SymmetricSystem
from solvers.numerics.random import standard_normals
from solvers.outcome import InvalidInput

LATTICES = ("chain", "ring", "square", "all_to_all", "power_law")
MOST_EXACT = 12
RATES = ("minus", "plus", "z", "collective", "neighbour")
UNIT_OF_TIME = "1/energy"


def neighbours(lattice: str, n: int) -> NDArray[np.float64]:
    """Which sites a bond of the lattice joins (N, N), 0 or 1; ValueError for a square lattice whose N is no square."""
    distance = np.abs(np.arange(n)[:, None] - np.arange(n))
    if lattice in ("chain", "power_law"):
        joined = distance == 1
    elif lattice == "ring":
        joined = (distance == 1) | ((distance == n - 1) & (distance > 0))
    elif lattice == "all_to_all":
        joined = distance > 0
    else:
        side = round(n**0.5)
        if side * side != n:
            raise InvalidInput(
                f"parameter N: a square lattice needs a square number of spins; given was {n}; "
                f"take {side * side} or {(side + 1) ** 2}"
            )
        row, column = np.divmod(np.arange(n), side)
        joined = np.abs(row[:, None] - row) + np.abs(column[:, None] - column) == 1
    return joined.astype(np.float64)


def strengths(p: Mapping[str, Any], joined: NDArray[np.float64]) -> NDArray[np.float64]:
    """f_ij (N, N)."""
    if p["lattice"] != "power_law":
        return joined
    n = p["N"]
    distance = np.abs(np.arange(n)[:, None] - np.arange(n)) + np.eye(n)
    return (1 - np.eye(n)) * distance ** -float(p["exponent"])


def fields(p: Mapping[str, Any]) -> NDArray[np.float64]:
    """(N, 3) with the disorder."""
    field = np.tile([p["h_x"], p["h_y"], p["h_z"]], (p["N"], 1)).astype(np.float64)
    if p["disorder"]:
        field[:, 2] += p["disorder"] * standard_normals(p["seed"], p["realisation"], p["N"])
    return field


def build_system(p: Mapping[str, Any]) -> SpinSystem:
    """Fields, couplings and Gamma of a point."""
    n = p["N"]
    joined = neighbours(p["lattice"], n)
    strength = strengths(p, joined)
    coupling = np.zeros((n, n, 3, 3))
    for a, name in enumerate(("J_x", "J_y", "J_z")):
        coupling[:, :, a, a] = p[name] * strength
    Gamma = local_dissipator(*(np.full(n, p[name]) for name in ("gamma_minus", "gamma_plus", "gamma_z")))
    if p["gamma_collective"] or p["gamma_neighbour"]:
        Gamma = Gamma + correlated(LOWERING, p["gamma_collective"] * np.ones((n, n)) + p["gamma_neighbour"] * joined)
    return SpinSystem(fields(p), coupling, Gamma)


def start_spins(p: Mapping[str, Any]) -> NDArray[np.float64]:
    """Bloch vectors (N, 3) of the start."""
    theta, phi = p["theta"], p["phi"]
    return np.tile([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)], (p["N"], 1))


def closed_and_pure(p: Mapping[str, Any]) -> NDArray[np.bool_]:
    """Whether there is no dissipation; every start is pure."""
    return np.asarray(sum(np.asarray(p[f"gamma_{name}"]) for name in RATES) == 0.0)


def is_symmetric(p: Mapping[str, Any]) -> NDArray[np.bool_]:
    """Whether permutations of the sites change nothing, for one point or with the points (P,) in front."""
    alike = np.asarray(p["lattice"]) == "all_to_all"
    level = (np.asarray(p["lattice"]) == "power_law") & (np.asarray(p["exponent"]) == 0.0)
    alike = alike | level & (np.asarray(p["gamma_neighbour"]) == 0.0)
    return np.asarray(alike & (np.asarray(p["disorder"]) == 0.0))


def build_symmetric(p: Mapping[str, Any]) -> SymmetricSystem:
    """Fields, couplings and Gamma of one site and one pair, where `is_symmetric`."""
    shared = np.outer(LOWERING, LOWERING.conj()) * (p["gamma_collective"] + p["gamma_neighbour"])
    rates = (np.full(1, p[name]) for name in ("gamma_minus", "gamma_plus", "gamma_z"))
    own = local_dissipator(*rates) + p["gamma_collective"] * np.outer(LOWERING, LOWERING.conj())
    return SymmetricSystem(
        p["N"],
        np.array([p["h_x"], p["h_y"], p["h_z"]], dtype=np.float64),
        np.diag([p["J_x"], p["J_y"], p["J_z"]]).astype(np.float64),
        own,
        shared,
    )


def collective(n: int, magnetisation: NDArray[np.float64], pairs: NDArray[np.float64]) -> dict[str, Any]:
    """What the means over spins and pairs say."""
    return {
        "magnetisation": magnetisation,
        "pair_correlation": pairs,
        "squeezing": squeezing(n, magnetisation, pairs),
        "first_bad_time": np.nan,
    }


def sampled(n: int, mean: NDArray[np.float64], sem: NDArray[np.float64], groups: NDArray[np.float64]) -> dict[str, Any]:
    """Means and standard errors (T, 12) over trajectories as outputs; the error of squeezing, no mean itself, by the jackknife over groups."""

    def split(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return values[..., :3], values[..., 3:].reshape(*values.shape[:-1], 3, 3)

    magnetisation_sem, pairs_sem = split(sem)
    count = len(groups)
    if count > 1:
        squeezed = squeezing(n, *split((groups.sum(axis=0) - groups) / (count - 1)))
        squeezing_sem = np.sqrt((count - 1) * np.var(squeezed, axis=0))
    else:
        squeezing_sem = np.full(len(mean), np.nan)
    return collective(n, *split(mean)) | {
        "magnetisation_sem": magnetisation_sem,
        "pair_correlation_sem": pairs_sem,
        "squeezing_sem": squeezing_sem,
    }
