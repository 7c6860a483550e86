"""collective_spin.optimal_squeezing: the deepest spin squeezing that twisting from down passes through (Figs. 5(b), 6(b)).

    H = (g/2S) S_x^2,  decay Gamma, dephasing Gamma_phi

xi^2 = 2S min Var(S_perp)/|<S>|^2 is followed up to t_end, coarsely and then around its minimum; the paper plots xi. Its
uncorrected sampling of Q (`ordering` none) shows a squeezing that is not there; corrected, the approximation of positive
diffusion makes Q's xi^2 negative, and P's is 1 for ever. So: Wigner.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.batch import Batch, Point
from solvers.declarations import Check, Limit, Output, Parameter, Starter
from solvers.engines import ladder, ladder_jumps
from solvers.engines.phase_space.estimates import Estimate
from solvers.engines.phase_space.sample import Sampled, sample_path, spin
from solvers.engines.spin_squeezing import squeezing
from solvers.model import Method, Model
from solvers.models.collective_spin import declarations as declare
from solvers.models.collective_spin.outcomes import of_ladder, of_samples, sampled_with_check, too_many_steps
from solvers.shared_parameters import tolerances

COARSE, FINE = 400, 61
"""Times of the first look, and around its smallest value."""


def vertex(t: NDArray[np.float64], values: NDArray[np.float64], at: int) -> tuple[float, float]:
    """Time and value of the parabola through three neighbouring points with the smallest in the middle; at an end, that end."""
    if at in (0, len(t) - 1):
        return float(t[at]), float(values[at])
    left, middle, right = values[at - 1 : at + 2]
    curvature = left - 2 * middle + right
    if not curvature > 0.0:
        return float(t[at]), float(middle)
    shift = 0.5 * (left - right) / curvature
    return float(t[at] + shift * (t[at + 1] - t[at])), float(middle - 0.25 * (left - right) * shift)


def exact(p: Point) -> dict[str, Any]:
    """The density matrix on the ladder."""
    r = ladder.Rates(p["S"], g=p["g"], Gamma=p["Gamma"], Gamma_phi=p["Gamma_phi"])

    def path(when: NDArray[np.float64]) -> ladder.Path:
        if r.g == 0.0:
            return ladder_jumps.evolve(r, math.pi, 0.0, when, rtol=p["rtol"], max_steps=p["max_steps"])
        return ladder.evolve(r, math.pi, 0.0, when, rtol=p["rtol"], atol=p["atol"], max_steps=p["max_steps"])

    when = np.linspace(0.0, p["t_end"], COARSE + 1)
    first = path(when)
    nothing = {"xi2_min": math.nan, "t_min": math.nan}
    if (found := of_ladder(first, when))["status"] == 2:
        return nothing | found
    values = squeezing(p["S"], first.mean, first.second)
    if not np.isfinite(values).any():
        return nothing | found
    at = int(np.nanargmin(values))
    if at not in (0, COARSE):
        when = np.linspace(when[at - 1], when[at + 1], FINE)
        second = path(when)
        if (found := of_ladder(second, when))["status"] == 2:
            return nothing | found
        values = squeezing(p["S"], second.mean, second.second)
        at = int(np.nanargmin(values))
    t_min, xi2_min = vertex(when, values, at)
    return {"xi2_min": xi2_min, "t_min": t_min} | found


def twoqs(p: Point) -> dict[str, Any]:
    """Trajectories; the minimum of the estimates on a grid of about 100 times."""
    names = ("distribution", "variant", "sampling", "ordering", "step", "S", "g", "Gamma", "Gamma_phi")
    one = spin(theta=math.pi, **{name: p[name] for name in names})
    given = (
        "xi2_min",
        "t_min",
        "xi2_min_sem",
        "length_mean",
        "length_variance",
        "step_error",
        "samples",
        "first_bad_time",
    )
    if stop := too_many_steps(p["t_end"], p):
        return dict.fromkeys(given, math.nan) | stop
    every = max(1, round(p["t_end"] / p["step"] / 100))
    when = np.arange(0.0, p["t_end"] + 0.5 * p["step"], every * p["step"])
    when = np.append(when[when < p["t_end"]], p["t_end"])

    def error_at_minimum(e: Estimate) -> float:
        return float(e.xi2_sem[np.nanargmin(e.xi2)]) if np.isfinite(e.xi2).any() else math.inf

    def draw(which: Any, count: int, target: float, error_of: Any) -> Sampled:
        return sample_path(which, p.key, when, count, target, error_of)

    sampled, step_error = sampled_with_check(p, one, p["t_end"], ("xi2_min",), draw, error_at_minimum)
    e = sampled.values
    found: dict[str, Any] = dict.fromkeys(given, math.nan) | of_samples(sampled, one, when, step_error)
    if np.isfinite(e.xi2).any():
        at = int(np.nanargmin(e.xi2))
        found["t_min"], found["xi2_min"] = vertex(when, e.xi2, at)
        found["xi2_min_sem"] = float(e.xi2_sem[at])
        found["length_mean"], found["length_variance"] = float(e.length_mean[-1]), float(e.length_variance[-1])
    return found


def reference(p: Mapping[str, Any]) -> dict[str, Any]:
    """The smallest value on a fine grid by exponentials of the Liouvillian matrix."""
    from scipy.linalg import expm

    S = p["S"]
    n = round(2 * S) + 1
    m = S - np.arange(n)
    up = np.diag(np.sqrt(S * (S + 1) - m[1:] * (m[1:] + 1)), 1)
    x, y, z = (up + up.T) / 2, (up - up.T) / 2j, np.diag(m)
    one = np.eye(n)
    H = p["g"] / (2 * S) * x @ x
    L = -1j * (np.kron(H, one) - np.kron(one, H.T))
    for rate, c in ((p["Gamma"] / (2 * S), up.T), (p["Gamma_phi"], z)):
        product = c.T @ c
        L = L + rate * (2 * np.kron(c, c) - np.kron(product, one) - np.kron(one, product.T))
    count = 2000
    step = expm(L * p["t_end"] / count)
    state = np.zeros((n, n), dtype=complex)
    state[-1, -1] = 1.0
    state = state.ravel()
    smallest = 1.0
    for _ in range(count):
        state = step @ state
        rho = state.reshape(n, n)
        xx, yy, xy = (np.trace(a @ rho).real for a in (x @ x, y @ y, (x @ y + y @ x) / 2))
        least = (xx + yy) / 2 - np.hypot((xx - yy) / 2, xy)
        smallest = min(smallest, 2 * S * least / np.trace(z @ rho).real ** 2)
    return {"xi2_min": smallest}


def random_parameters(rng: np.random.Generator) -> dict[str, Any]:
    return {
        "S": float(rng.choice([1.0, 2.0, 3.0])),
        "g": float(rng.uniform(0.5, 1.5)),
        "Gamma": float(rng.choice([0.0, rng.uniform(0.05, 0.5)])),
        "Gamma_phi": float(rng.choice([0.0, rng.uniform(0.05, 0.5)])),
        "t_end": 1.0,
        "trajectories": 200,
    }


def cost(batch: Batch) -> NDArray[Any]:
    """Relative cost: elements of the density matrix times steps."""
    return batch["S"] ** 3 * batch["t_end"]


MODELS = (
    Model(
        id="collective_spin.optimal_squeezing",
        title="Deepest squeezing of a twisted collective spin",
        source=f"{declare.SOURCE}, section 3, Figs. 5(b) and 6(b)",
        methods=(
            Method(
                name="twoqs",
                meaning="trajectories of Schwinger modes",
                source="Eqs. (31)-(33) corrected",
                solve=twoqs,
                draws_numbers=True,
            ),
            Method(
                name="exact",
                meaning="density matrix on the ladder of 2S+1 levels",
                solve=exact,
                reference=reference,
                cost=cost,
                limit=Limit(
                    text=f"S <= {declare.LARGEST_LADDER} (64 (2S+1)^2 bytes)",
                    holds=lambda p: np.asarray(p["S"]) <= declare.LARGEST_LADDER,
                ),
            ),
        ),
        parameters=(
            declare.S,
            declare.G,
            declare.GAMMA,
            declare.GAMMA_PHI,
            Parameter(
                name="t_end",
                meaning="time up to which the minimum is looked for",
                label="latest time",
                default=6.0,
                unit=declare.UNIT_OF_TIME,
                bounds=(0.0, 1e9),
                physical=False,
            ),
            *declare.twoqs_parameters(),
            *tolerances(rtol=1e-9, atol=1e-12),
        ),
        outputs=(
            Output(
                name="xi2_min",
                meaning="smallest xi^2 = 2S min Var(S_perp)/|<S>|^2 up to t_end",
                label="smallest squeezing parameter",
                symbol=r"\xi^2_\mathrm{min}",
                nan="the mean spin vanishes throughout",
            ),
            Output(
                name="t_min",
                label="time of the best squeezing",
                meaning="when that is",
                unit=declare.UNIT_OF_TIME,
                symbol=r"t_\mathrm{min}",
                sensitivity=1e3,
                nan="the mean spin vanishes throughout",
            ),
            declare.FIRST_BAD_TIME,
            declare.sem("xi2_min", ()),
            *declare.monitors(()),
        ),
        validate=declare.check_spin,
        example={"S": 10.0, "g": 1.0, "Gamma": 0.125, "t_end": 4.0, "trajectories": 500},
        starter=Starter(
            axes={"Gamma": {"linspace": [0.0, 1.0, 11]}}, parameters={"trajectories": 4000}, methods=("twoqs", "exact")
        ),
        checks=(
            Check(
                method="exact",
                parameters={"S": 100.0, "g": 1.0, "t_end": 8.0},
                expect={"xi2_min": 0.0380014094619},
                origin="density matrix by Runge-Kutta on a time grid of 0.01, independent code",
                rtol=1e-4,
            ),
            Check(
                method="exact",
                parameters={"S": 1.0, "g": 1.0, "t_end": 2.0},
                expect={"xi2_min": 1 / (1 + np.sin(1.0)), "t_min": 2.0},
                origin=(
                    "one-axis twisting of two spins 1/2 (Kitagawa and Ueda), u = g t/2S: least variance (1 - sin u)/2, "
                    "<S_z> = -cos u, so xi^2 = 1/(1 + sin u), falling until u = pi/2"
                ),
                atol=1e-8,
            ),
        ),
        random_parameters=random_parameters,
        reference_tolerance=(1e-4, 1e-6),
        unit_of_time=declare.UNIT_OF_TIME,
    ),
)
