"""The lattice: fields, couplings and rates of equal spins, in general and where permutations change nothing.

The equations are stated in the docstring of this folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from solvers.engines.collective import collective_moments, squeezing
from solvers.engines.moments.lattice import EqualSpins, Rates
from solvers.engines.rare_events import allowing_for_unseen
from solvers.engines.spin_system import LOWERING, SpinSystem, local_blocks, local_dissipator
from solvers.engines.symmetric.system import SymmetricSystem
from solvers.numerics.random import standard_normals
from solvers.outcome import InvalidInput

LATTICES = ("chain", "ring", "square", "all_to_all", "power_law")
MOST_EXACT = 12
RATES = ("minus", "plus", "z", "collective", "neighbour")
UNIT_OF_TIME = "1/energy"


def bonds(lattice: str, n: int) -> NDArray[np.int64]:
    """Which sites i < j a bond of the lattice joins, (P, 2) in rising order; ValueError for a square lattice whose N is no square."""
    site = np.arange(n)
    along = np.stack([site[:-1], site[1:]], axis=1)
    if lattice in ("chain", "power_law"):
        found = along
    elif lattice == "ring":
        found = np.concatenate([along, [[0, n - 1]]]) if n > 2 else along
    elif lattice == "all_to_all":
        found = np.stack(np.triu_indices(n, 1), axis=1)
    else:
        side = check_size(lattice, n)
        found = np.concatenate([along[(site[:-1] + 1) % side > 0], np.stack([site[:-side], site[side:]], axis=1)])
    return found[np.lexsort((found[:, 1], found[:, 0]))].astype(np.int64)


def check_size(lattice: str, n: int) -> int:
    """The side of a square lattice, n else; ValueError for a square lattice whose N is no square."""
    if lattice != "square":
        return n
    side = round(n**0.5)
    if side * side != n:
        raise InvalidInput(
            f"parameter N: a square lattice needs a square number of spins; given was {n}; "
            f"take {side * side} or {(side + 1) ** 2}"
        )
    return side


def adjacency(lattice: str, n: int) -> csr_array:
    """Which sites a bond of the lattice joins (N, N), 0 or 1; ValueError for a square lattice whose N is no square."""
    i, j = bonds(lattice, n).T
    ones = np.ones(2 * len(i))
    return csr_array((ones, (np.concatenate([i, j]), np.concatenate([j, i]))), shape=(n, n))


def neighbours(lattice: str, n: int) -> NDArray[np.float64]:
    """The same, not sparse."""
    return np.asarray(adjacency(lattice, n).toarray())


def fall_of(p: Mapping[str, Any]) -> NDArray[np.float64]:
    """f_ij of a power law by |i - j|, (N,), 0 on site."""
    fall = np.zeros(p["N"])
    with np.errstate(over="ignore"):
        fall[1:] = np.arange(1.0, p["N"]) ** -p["exponent"]
    return fall


def build_lattice(p: Mapping[str, Any]) -> EqualSpins:
    """The same as `build_system`, without its N^2 couplings."""
    n, lattice = p["N"], p["lattice"]
    return EqualSpins(
        fields(alone(p), n)[0],
        np.array([p["J_x"], p["J_y"], p["J_z"]], dtype=np.float64),
        None if lattice == "all_to_all" else bonds(lattice, n),
        fall_of(p) if lattice == "power_law" else None,
        Rates(*(p[f"gamma_{name}"] for name in RATES)),
    )


def alone(p: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """The numbers of a point as arrays (1,), for the functions of many points."""
    names = ("J_x", "J_y", "J_z", "h_x", "h_y", "h_z", "exponent", "disorder", "seed", "realisation")
    return {name: np.array([p[name]]) for name in (*names, *(f"gamma_{rate}" for rate in RATES))}


def strengths(p: Mapping[str, Any], lattice: str, joined: NDArray[np.float64]) -> NDArray[np.float64]:
    """f_ij of points of one lattice, (P, N, N), or (1, N, N) where all have the same."""
    if lattice != "power_law":
        return joined[None]
    n = len(joined)
    distance = np.abs(np.arange(n)[:, None] - np.arange(n)) + np.eye(n)
    return np.asarray((1 - np.eye(n)) * distance ** -p["exponent"][:, None, None])


def fields(p: Mapping[str, Any], n: int) -> NDArray[np.float64]:
    """(P, N, 3) with the disorder."""
    uniform = np.stack([p["h_x"], p["h_y"], p["h_z"]], axis=-1)
    field = np.repeat(uniform[:, None], n, axis=1)
    for i in np.flatnonzero(p["disorder"]).tolist():
        field[i, :, 2] += p["disorder"][i] * standard_normals(p["seed"][i], p["realisation"][i], n)
    return field


def build_system(p: Mapping[str, Any]) -> SpinSystem:
    """Fields, couplings and Gamma of a point."""
    field, coupling, Gamma = build_systems(alone(p), p["N"], p["lattice"])
    return SpinSystem(field[0], coupling[0], Gamma[0])


def build_systems(
    p: Mapping[str, Any], n: int, lattice: str
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.complex128]]:
    """Fields (P, N, 3), couplings (P, N, N, 3, 3) and Gamma (P, 3N, 3N) of points of one size and lattice."""
    joined = neighbours(lattice, n)
    strength = strengths(p, lattice, joined)
    count = len(p["J_x"])
    coupling = np.zeros((count, n, n, 3, 3))
    for a, name in enumerate(("J_x", "J_y", "J_z")):
        coupling[:, :, :, a, a] = p[name][:, None, None] * strength
    Gamma = np.zeros((count, n, 3, n, 3), dtype=np.complex128)
    here = np.arange(n)
    Gamma[:, here, :, here, :] = local_blocks(*(p[name] for name in ("gamma_minus", "gamma_plus", "gamma_z")))
    shared = p["gamma_collective"][:, None, None] + p["gamma_neighbour"][:, None, None] * joined
    if shared.any():
        lowering = np.outer(LOWERING, LOWERING.conj())
        Gamma += shared[:, :, None, :, None] * lowering[:, None, :]
    return fields(p, n), coupling, Gamma.reshape(count, 3 * n, 3 * n)


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


def of_moments(n: int, moments: NDArray[np.float64]) -> dict[str, Any]:
    """The same from the moments (..., K) of all spins and pairs."""
    rows, lead = np.ascontiguousarray(moments).reshape(-1, moments.shape[-1]), moments.shape[:-1]
    magnetisation, pairs, squeezed = np.empty((len(rows), 3)), np.empty((len(rows), 3, 3)), np.empty(len(rows))
    collective_moments(n, rows, magnetisation, pairs, squeezed)
    return {
        "magnetisation": magnetisation.reshape(*lead, 3),
        "pair_correlation": pairs.reshape(*lead, 3, 3),
        "squeezing": squeezed.reshape(lead),
        "first_bad_time": np.nan,
    }


def sampled(
    n: int,
    mean: NDArray[np.float64],
    sem: NDArray[np.float64],
    groups: NDArray[np.float64],
    share: NDArray[np.float64],
) -> dict[str, Any]:
    """Means and standard errors (T, 12) over trajectories as outputs; the error of squeezing, no mean itself, by the jackknife over groups.

    `share` (T,) of events that may be unseen (`rare_events`): one jump moves the length and the variance of the spin by about 4/N.
    """

    def split(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return values[..., :3], values[..., 3:].reshape(*values.shape[:-1], 3, 3)

    magnetisation_sem, pairs_sem = split(sem)
    count = len(groups)
    if count > 1:
        squeezed = squeezing(n, *split((groups.sum(axis=0) - groups) / (count - 1)))
        squeezing_sem = np.sqrt((count - 1) * np.var(squeezed, axis=0))
    else:
        squeezing_sem = np.full(len(mean), np.nan)
    found = collective(n, *split(mean))
    with np.errstate(divide="ignore", invalid="ignore"):
        reach = 4.0 / n * (1.0 + found["squeezing"]) / np.sum(mean[:, :3] ** 2, axis=1)
        squeezing_sem = allowing_for_unseen(squeezing_sem, np.where(np.isfinite(reach), reach, 0.0), share)
    return found | {
        "magnetisation_sem": magnetisation_sem,
        "pair_correlation_sem": pairs_sem,
        "squeezing_sem": squeezing_sem,
    }
