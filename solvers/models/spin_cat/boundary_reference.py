"""Slow ways to the boundary: a scan over u, a scan over X with root finding and Gauss-Hermite, bisection of printed runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from solvers.models.spin_cat.reference import printed, printed_run


def closed_form(p: Mapping[str, Any]) -> dict[str, float]:
    """The top of delta^2 = 4 h u^3 (1 - u) - 16 h^2 u^2."""
    h = p["eta"] / p["N"]
    return {"delta_critical": _top(lambda u: 4 * h * u**3 * (1 - u) - 16 * h * h * u * u)}


def existence(p: Mapping[str, Any]) -> dict[str, float]:
    """The top of delta^2 over the fixed points of (26)-(28), or sigma over the self-consistent X; 0 without drive.

    {} for a Gaussian at eta/N below .005, where the averages are narrower than the nodes are dense.
    """
    if p["eta"] == 0.0:
        return {"delta_critical": 0.0}
    if p["distribution"] == "gaussian" and p["eta"] / p["N"] < 0.005:
        return {}
    return _self_consistent(p) if p["distribution"] == "gaussian" else {"delta_critical": _top(_fixed_point(p))}


def dynamic(p: Mapping[str, Any]) -> dict[str, float]:
    """Bisection of (26)-(28) as printed; {} for Gaussian classes, which a check and integrated points stand for.

    At eta/N below .005 it would have to run longer than is bearable: {} too.
    """
    n, eta = float(p["N"]), p["eta"]
    if p["distribution"] == "gaussian" or not 0.005 <= eta / n <= 0.06:
        return {}
    end = min(20 * (n / eta) ** 2, 1500.0)
    low, high = 0.0, 0.08
    while high - low > 4e-6:
        middle = 0.5 * (low + high)
        locked = printed_run(n, eta, middle, end, method="LSODA", rtol=1e-9, atol=1e-11).status == 0
        low, high = (middle, high) if locked else (low, middle)
    return {"delta_critical": low}


def _top(square: Callable[[float], float]) -> float:
    """The root of the largest value of `square` over u in (0, 1)."""
    from scipy.optimize import minimize_scalar

    grid = np.linspace(1e-4, 1 - 1e-4, 4001)
    top = grid[np.argmax([square(u) for u in grid])]
    best = minimize_scalar(lambda u: -square(u), bounds=(top - 5e-4, top + 5e-4), method="bounded")
    return math.sqrt(max(0.0, -best.fun))


def _fixed_point(p: Mapping[str, Any]) -> Callable[[float], float]:
    """delta^2 of the fixed point of (26)-(28) with z = u - 1, by a root of A' = 0 in c = cos^2(zeta)."""
    from scipy.optimize import brentq

    n, eta = float(p["N"]), p["eta"]

    def square(u: float) -> float:
        z, a = u - 1, math.sqrt(u * (1 - u) / 2)

        def slope(c: float) -> tuple[float, float, float]:
            return printed(n, eta, 0.0, a, math.acos(math.sqrt(c)), z)

        if slope(1e-12)[0] * slope(1.0)[0] > 0:
            return -1.0
        c = float(brentq(lambda c: slope(c)[0], 1e-12, 1.0, xtol=1e-15))
        return slope(c)[1] ** 2

    return square


def _self_consistent(p: Mapping[str, Any]) -> dict[str, float]:
    """The largest sigma for which <u^2> = X, over X."""
    from scipy.optimize import brentq, minimize_scalar

    g = 2 * p["eta"] / p["N"]
    nodes, weights = np.polynomial.hermite_e.hermegauss(120)
    weights = weights / weights.sum()

    def minus_sigma(x: float) -> float:
        def excess(sigma: float) -> float:
            u = [
                brentq(lambda u, d=d: u * (4 * g * g * u * u + (sigma * d) ** 2) - 2 * g * x * x * (1 - u), 0, 1)
                for d in nodes
            ]
            return float(weights @ np.square(u)) - x

        return -float(brentq(excess, 0.0, 1.0)) if excess(0.0) > 0 else 1.0

    best = minimize_scalar(minus_sigma, bounds=(0.05, 0.8), method="bounded", options={"xatol": 1e-6})
    return {"delta_critical": max(0.0, -float(best.fun))}
