"""All spins alike: a handful of moments, and the exact evolution by populations and coherences of the total spin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.batch import Point
from solvers.engines.master_equation.exact import judged
from solvers.engines.pair_states import first_unphysical, smallest_pair_eigenvalue
from solvers.engines.symmetric.elements import CollectiveSystem
from solvers.engines.symmetric.exact import evolve_symmetric, is_in_reach
from solvers.engines.symmetric.path import follow
from solvers.engines.validity import earliest, judge
from solvers.models.spin_lattice.lattice import build_symmetric, closed_and_pure, collective, is_symmetric, start_spins


def build_collective(p: Mapping[str, Any]) -> CollectiveSystem:
    """The same as a total spin with local and collective rates."""
    joint = p["gamma_collective"] + p["gamma_neighbour"] if p["N"] > 1 else 0.0
    return CollectiveSystem(
        p["N"],
        np.array([p["J_x"], p["J_y"], p["J_z"]], dtype=np.float64),
        np.array([p["h_x"], p["h_y"], p["h_z"]], dtype=np.float64),
        p["gamma_minus"] + p["gamma_collective"] - joint,
        p["gamma_plus"],
        p["gamma_z"],
        joint,
    )


def symmetric_in_reach(p: Mapping[str, Any]) -> NDArray[np.bool_]:
    """Whether all spins are alike and few enough to be solved as such, for one point or with the points (P,) in front."""
    local = (np.asarray(p["gamma_plus"]) != 0.0) | (np.asarray(p["gamma_z"]) != 0.0)
    local = local | (np.asarray(p["gamma_minus"]) != np.asarray(p["gamma_neighbour"]))
    about_z = (np.asarray(p["J_x"]) == np.asarray(p["J_y"])) & (np.asarray(p["h_x"]) == 0.0)
    about_z = about_z & (np.asarray(p["h_y"]) == 0.0)
    return np.asarray(is_symmetric(p) & is_in_reach(p["N"], closed_and_pure(p), local, about_z))


def solve_symmetric_exact(p: Point) -> Mapping[str, Any]:
    """By the populations and coherences of the total spin."""
    n, when, system = p["N"], p["times"], build_symmetric(p)
    found = evolve_symmetric(
        build_collective(p),
        start_spins(p)[0],
        when,
        rtol=p["rtol"],
        max_steps=p["max_steps"],
        positive=system.positive,
    )
    magnetisation = 2 * found.observed[:, :3] / n
    pairs = np.full((len(when), 3, 3), np.nan)
    if n > 1:
        second = found.observed[:, [[3, 4, 5], [4, 6, 7], [5, 7, 8]]]
        pairs = (4 * second - n * np.eye(3)) / (n * (n - 1))
    first_bad, reason = np.nan, ""
    if not system.positive:
        sample_of = min(n, 2)
        spins = np.repeat(magnetisation[:, None], sample_of, axis=1)
        joint = np.broadcast_to(pairs[:, None, None], (len(when), sample_of, sample_of, 3, 3))
        first_bad, reason = first_unphysical(when, spins, smallest_pair_eigenvalue(spins, joint))
    status, remark = judged(found, p["rtol"], *judge(system, first_bad=first_bad, reason=reason))
    return collective(n, magnetisation, pairs) | {"first_bad_time": first_bad, "status": status, "remark": remark}


def solve_symmetric_moments(order: int, p: Point) -> Mapping[str, Any]:
    """By the moments of one spin and one pair, and for cumulants the third order as a monitor."""
    system = build_symmetric(p)
    tuning = {name: p[name] for name in ("rtol", "atol", "max_steps")}
    path = follow(system, order, start_spins(p)[0], p["times"], **tuning)
    status, remark = judge(
        system,
        first_bad=path.first_bad,
        code=path.code,
        reached=path.reached,
        first_left=path.first_left,
        untrusted=path.untrusted,
    )
    pairs = path.pairs if p["N"] > 1 else np.full_like(path.pairs, np.nan)
    return collective(p["N"], path.spins, pairs) | {
        "first_bad_time": earliest(path.first_bad, path.first_apart, path.first_left),
        "status": status,
        "remark": remark,
    }
