"""spin_lattice.dynamics: lattices of equal spins 1/2 with diagonal couplings, one field, and local and collective decay.

    H = sum_<ij> sum_a J_a f_ij s_i^a s_j^a + sum_i (h_x s_i^x + h_y s_i^y + (h_z + disorder z_i) s_i^z)

with every bond once, f_ij = 1 (power_law: |i-j|^-exponent) and standard normals z_i that depend on (seed, realisation,
site) alone. Dissipation in textbook rates: gamma_minus, gamma_plus, gamma_z of D[sigma_-], D[sigma_+], D[sigma_z] on
every site; gamma_collective of D[sum_i sigma_-]; and for bonds of the lattice, both orders,

    gamma_neighbour (sigma_-^(i) rho sigma_+^(j) - {sigma_+^(j) sigma_-^(i), rho}/2)

which is positive in an open chain only up to gamma_minus / (2 cos(pi/(N+1))). Pauli matrices throughout, no normalisation
of couplings or rates by N. Lattices: chain (open), ring, square (open, N a square number), all_to_all, power_law (an
open chain; its neighbours are |i-j| = 1). The start is a product state, all spins at (theta, phi), theta = 0 up.

`twa` is exact for uncoupled spins, and for means under Ising couplings with all local channels from theta = 0, pi/2 or pi.
Elsewhere it is biased. Six spins with random couplings of order 0.5 and fields, t = 0.5 to 8, 24 points of each kind, median
(and worst tenth) of the largest error of the means: with all local channels 0.02 (0.05), decay alone 0.06 (0.17), closed 0.17 (0.37),
where cumulants have 0.03 (0.11), 0.12 (0.49), 0.31 (0.83) and mean field 0.21 (0.45), 0.37 (0.62), 0.55 (1.0). It is no better than mean
field in a tenth of the points with gamma_neighbour near its limit, whose noise on site it treats to order 1/N only, and where
mean field is exact, as in a Heisenberg lattice of parallel spins. Squeezing divides by a mean spin that dephases: take
it while |m| is well above its error.

Rey and Chaparro, Eqs. (1), (7)-(14), (30), with the corrections stated in `spin_network`; the same engines.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.batch import Batch, Point
from solvers.declarations import AXIS, AXIS2, TIME, Check, Output, Parameter
from solvers.engines.collective import pair_means, product_pair_means, squeezing
from solvers.engines.limits import WAVE_FUNCTION_LIMIT, exact_limit
from solvers.engines.master_equation.exact import evolve_exactly, judged
from solvers.engines.master_equation.states import split_moments
from solvers.engines.moments.integration import CUMULANTS, MEAN_FIELD
from solvers.engines.moments.propagation import propagate, refuse_beyond_memory
from solvers.engines.pair_states import first_unphysical, smallest_pair_eigenvalue
from solvers.engines.spin_system import LOWERING, SpinSystem, correlated, local_dissipator
from solvers.engines.trajectories import sample
from solvers.engines.truncated_wigner.parameters import sampling
from solvers.engines.truncated_wigner.sample import Lattice, average, judge_average, prepare
from solvers.engines.validity import AFTER_BUDGET, earliest, judge
from solvers.model import Method, Model
from solvers.numerics.random import standard_normals
from solvers.outcome import InvalidInput
from solvers.references.spin_systems import exact_moments, moment_path, product_density_matrix
from solvers.shared_parameters import seed, times, tolerances, trajectories

TWA_SOURCE = "J. Huber, A. M. Rey and P. Rabl, Phys. Rev. A 105, 013716 (2022), with jumps for noise"
TWA_BIAS = 0.35
"""More than the errors of means and pair correlations of three spins with every kind of term (0.14 and 0.32 in 30 random points)."""
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


def solve_exact(p: Point) -> Mapping[str, Any]:
    """By the density matrix, or the wave function of a closed system."""
    n, system = p["N"], build_system(p)
    found = evolve_exactly(system, start_spins(p), p["times"], rtol=p["rtol"], max_steps=p["max_steps"])
    spins, correlations = split_moments(found.observed, n)
    first_bad, reason = np.nan, ""
    if not system.positive:
        first_bad, reason = first_unphysical(p["times"], spins, smallest_pair_eigenvalue(spins, correlations))
    status, remark = judged(found, p["rtol"], *judge(system, first_bad=first_bad, reason=reason))
    outputs = collective(n, spins.mean(axis=1), pair_means(correlations))
    return outputs | {"first_bad_time": first_bad, "status": status, "remark": remark}


def closed_and_pure(p: Mapping[str, Any]) -> NDArray[np.bool_]:
    """Whether there is no dissipation; every start is pure."""
    return np.asarray(sum(np.asarray(p[f"gamma_{name}"]) for name in RATES) == 0.0)


def solve_moments(order: int, p: Point) -> Mapping[str, Any]:
    """By moments of first or second order."""
    n, when = p["N"], p["times"]
    refuse_beyond_memory(n, order)
    system = build_system(p)
    magnetisation = np.full((len(when), 3), np.nan)
    pairs = np.full((len(when), 3, 3), np.nan)

    def receive(first: int, s: NDArray[np.float64], c: NDArray[np.float64] | None) -> None:
        magnetisation[first : first + len(s)] = s.mean(axis=1)
        pairs[first : first + len(s)] = product_pair_means(s) if c is None else pair_means(c)

    tuning = {name: p[name] for name in ("rtol", "atol", "max_steps")}
    path = propagate(system, order, start_spins(p), None, when, receive, **tuning)
    status, remark = judge(
        system, first_bad=path.first_bad, code=path.code, reached=path.reached, first_left=path.first_left
    )
    found = collective(n, magnetisation, pairs)
    return found | {
        "first_bad_time": earliest(path.first_bad, path.first_left),
        "status": status,
        "remark": remark,
    }


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


def solve_jumps(parameters: Point) -> Mapping[str, Any]:
    """Means over quantum trajectories with standard errors."""
    drawn = sample(
        build_system(parameters),
        start_spins(parameters),
        parameters["times"],
        key=parameters.key,
        trajectories=parameters["trajectories"],
        collective=True,
        max_steps=parameters["max_steps"],
    )
    return sampled(parameters["N"], drawn.mean, drawn.sem, drawn.groups)


def solve_twa(p: Point) -> Mapping[str, Any]:
    """Means over truncated Wigner trajectories with standard errors."""
    n, everywhere = p["N"], p["lattice"] == "all_to_all"
    joined = None if everywhere else neighbours(p["lattice"], n)
    strength = None if joined is None else strengths(p, joined)
    J = np.array([p["J_x"], p["J_y"], p["J_z"]], dtype=np.float64)
    rates = (p[f"gamma_{name}"] for name in RATES)
    lattice = Lattice(J, strength, fields(p), joined, *rates)
    point = prepare(lattice, p["theta"], p["phi"], p["step"], p["times"], p["max_steps"])
    kept = slice(
        0 if p.wants("magnetisation", "squeezing") else 3, 12 if p.wants("pair_correlation", "squeezing") else 3
    )
    drawn = average(point, p.key, p["times"], p["trajectories"], p["target_error"], kept)
    found = sampled(n, drawn.mean, drawn.sem, drawn.groups) | {"samples": drawn.trajectories}
    return found | judge_average(drawn, p["times"], p["target_error"], kept)


def validate(parameters: Mapping[str, Any]) -> None:
    """ValueError for a number of sites that the lattice cannot have."""
    neighbours(parameters["lattice"], parameters["N"])


def size_cost(cost: Callable[[NDArray[np.float64]], NDArray[Any]]) -> Callable[[Batch], NDArray[Any]]:
    """Relative cost of each point from its number of spins."""
    return lambda batch: cost(batch["N"].astype(np.float64))


def reference_exact(p: Mapping[str, Any]) -> Mapping[str, Any]:
    """Exponentials of the Liouvillian matrix."""
    rho0 = product_density_matrix(start_spins(p))
    spins, correlations, _ = exact_moments(build_system(p), rho0, np.asarray(p["times"]))
    return collective(p["N"], spins.mean(axis=1), pair_means(correlations))


def reference_twa(p: Mapping[str, Any]) -> Mapping[str, Any]:
    """The exact means; their quotient, squeezing, has no bound on its bias."""
    found = reference_exact(p)
    return {name: found[name] for name in ("magnetisation", "pair_correlation")}


def dephased_by_decaying_spins(N: int, J: float, gamma: float, t: float) -> float:
    """<s^x> of N spins along x with Ising couplings between all and decay (Foss-Feig et al., PRA 87, 042101 (2013)).

    exp(-gamma t/2) Re phi^(N-1): phi is the mean of exp(2 i J integral of s_z) over a spin that starts up or down and decays.
    """
    z = 4j * J - gamma
    up = np.exp((2j * J - gamma) * t) + gamma * np.exp(-2j * J * t) * np.expm1(z * t) / z
    return float(np.exp(-gamma * t / 2) * (((up + np.exp(-2j * J * t)) / 2) ** (N - 1)).real)


def reference_moments(pairs: bool, p: Mapping[str, Any]) -> Mapping[str, Any]:
    """Pauli algebra on strings with DOP853."""
    spins, correlations = moment_path(build_system(p), pairs, start_spins(p), None, np.asarray(p["times"]))
    found = collective(p["N"], spins.mean(axis=1), pair_means(correlations))
    return {name: value for name, value in found.items() if name != "first_bad_time"}


def random_parameters(rng: np.random.Generator) -> dict[str, Any]:
    """A lattice of three spins with every kind of term."""
    return {
        "N": 3,
        "lattice": str(rng.choice([name for name in LATTICES if name != "square"])),
        "exponent": float(rng.uniform(0, 4)),
        **{name: float(rng.normal()) * 0.6 for name in ("J_x", "J_y", "J_z", "h_x", "h_y", "h_z")},
        "disorder": float(rng.uniform(0, 0.5)),
        "realisation": int(rng.integers(0, 100)),
        "gamma_minus": float(rng.uniform(0.4, 0.8)),
        **{name: float(rng.uniform(0, 0.3)) for name in ("gamma_plus", "gamma_z", "gamma_collective")},
        "gamma_neighbour": float(rng.uniform(0, 0.1)),
        "theta": float(rng.uniform(0.3, 2.5)),
        "phi": float(rng.uniform(0, 6.0)),
        "times": np.sort(rng.uniform(0.0, 1.0, 3)),
    }


def _couplings_and_fields() -> list[Parameter]:
    found = [
        Parameter(
            name=f"J_{a}",
            meaning=f"coupling of s^{a} s^{a}, each bond once",
            default=0.0,
            unit="energy",
            symbol=f"J_{a}",
        )
        for a in "xyz"
    ]
    return found + [
        Parameter(name=f"h_{a}", meaning=f"field along {a}", default=0.0, unit="energy", symbol=f"h_{a}") for a in "xyz"
    ]


def _rate(name: str, meaning: str) -> Parameter:
    return Parameter(
        name=f"gamma_{name}",
        meaning=meaning,
        default=0.0,
        unit="energy",
        symbol=rf"\gamma_\mathrm{{{name}}}",
        bounds=(0.0, float("inf")),
    )


MODELS = (
    Model(
        id="spin_lattice.dynamics",
        title="Magnetisation, pair correlation and squeezing of a dissipative spin lattice in time",
        source="Rey and Chaparro, Mean-Field Approximation and Cumulant Expansion for a Generic Spin Hamiltonian (2021)",
        methods=(
            Method(
                name="cumulant",
                meaning="second-order cumulants",
                source="Eq. (30)",
                solve=partial(solve_moments, CUMULANTS),
                reference=partial(reference_moments, True),
                cost=size_cost(lambda n: n**3),
            ),
            Method(
                name="mean_field",
                meaning="every pair factorised",
                source="Eqs. (108)-(111), (173)-(177) corrected",
                solve=partial(solve_moments, MEAN_FIELD),
                reference=partial(reference_moments, False),
                cost=size_cost(lambda n: n**2),
            ),
            Method(
                name="exact",
                meaning="density matrix in the real Pauli basis",
                source="Eqs. (1), (28)",
                solve=solve_exact,
                reference=reference_exact,
                cost=size_cost(lambda n: 4.0**n),
                limit=exact_limit(MOST_EXACT, closed_and_pure),
            ),
            Method(
                name="quantum_jumps",
                meaning="wave functions with random jumps, for Gamma >= 0; means with standard errors",
                solve=solve_jumps,
                reference=reference_exact,
                draws_numbers=True,
                cost=size_cost(lambda n: 2.0**n * n),
                limit=WAVE_FUNCTION_LIMIT,
            ),
            Method(
                name="twa",
                meaning="discrete truncated Wigner: classical spins from random starts with random jumps; means with standard errors",
                source=TWA_SOURCE,
                solve=solve_twa,
                reference=reference_twa,
                reference_tolerance=(0.0, TWA_BIAS),
                draws_numbers=True,
                cost=size_cost(lambda n: n),
            ),
        ),
        parameters=(
            Parameter(name="N", meaning="number of spins", default=6, kind="integer", bounds=(1, 4096)),
            Parameter(
                name="lattice", meaning="which pairs are joined", default="chain", kind="choice", choices=LATTICES
            ),
            Parameter(
                name="exponent",
                meaning="of power_law: couplings fall as distance^-exponent",
                default=3.0,
                symbol=r"\alpha",
            ),
            *_couplings_and_fields(),
            Parameter(
                name="disorder",
                meaning="standard deviation of h_z over sites",
                default=0.0,
                unit="energy",
                symbol=r"\sigma_h",
                bounds=(0.0, float("inf")),
            ),
            Parameter(
                name="realisation",
                meaning="number of the disorder sample",
                default=0,
                kind="integer",
                bounds=(0, 2.0**53),
            ),
            seed(),
            _rate("minus", "rate of D[sigma_-] per site"),
            _rate("plus", "rate of D[sigma_+] per site"),
            _rate("z", "rate of D[sigma_z] per site"),
            _rate("collective", "rate of D[sum of all sigma_-]"),
            _rate("neighbour", "rate of correlated decay along every bond"),
            Parameter(
                name="theta", meaning="polar angle of the start from up", default=0.0, unit="rad", symbol=r"\theta"
            ),
            Parameter(name="phi", meaning="azimuth of the start", default=0.0, unit="rad", symbol=r"\phi"),
            times([0.0, 0.5, 1.0], UNIT_OF_TIME),
            trajectories(),
            *sampling(UNIT_OF_TIME),
            *tolerances(rtol=1e-10, atol=1e-12),
        ),
        outputs=(
            Output(
                name="magnetisation",
                meaning="sum_i <s_i^a> / N",
                dims=("time", "axis"),
                symbol=r"m_a",
                nan_if_warned=AFTER_BUDGET,
            ),
            Output(
                name="pair_correlation",
                meaning="mean over pairs of <s_i^a s_j^b>, symmetrised",
                nan="N = 1 has no pair",
                nan_if_warned=AFTER_BUDGET,
                dims=("time", "axis", "axis2"),
                symbol=r"\overline{C}^{ab}",
            ),
            Output(
                name="squeezing",
                meaning="N min Var(S_perp) / |<S>|^2",
                nan="<S> vanishes and has no direction",
                nan_if_warned=AFTER_BUDGET,
                dims=("time",),
                symbol=r"\xi^2",
            ),
            Output(
                name="first_bad_time",
                meaning="first time with |s_i| > 1 or a negative pair eigenvalue, or not reached within the step budget",
                nan="the moments never left physics",
                unit=UNIT_OF_TIME,
            ),
            *(
                Output(
                    name=f"{name}_sem",
                    meaning=f"standard error of {name}",
                    dims=dims,
                    methods=("quantum_jumps", "twa"),
                    nan="a single trajectory has none",
                )
                for name, dims in (
                    ("magnetisation", ("time", "axis")),
                    ("pair_correlation", ("time", "axis", "axis2")),
                    ("squeezing", ("time",)),
                )
            ),
            Output(name="samples", meaning="number of trajectories that were averaged", methods=("twa",)),
        ),
        dimensions=(TIME, AXIS, AXIS2),
        validate=validate,
        example={"N": 4, "J_z": 1.0, "h_x": 0.8, "gamma_minus": 0.8, "times": [0.5, 1.0, 2.0, 4.0]},
        checks=(
            Check(
                parameters={"N": 5, "lattice": "all_to_all", "J_z": 0.3, "theta": np.pi / 2, "times": [0.7]},
                expect={"magnetisation": [[np.cos(2 * 0.3 * 0.7) ** 4, 0.0, 0.0]]},
                origin="closed form of Ising dephasing: every other spin turns spin i by +-2 J t, <s^x> = cos(2 J t)^(N-1)",
                method="exact",
                atol=1e-9,
            ),
            *(
                Check(
                    parameters={
                        "N": 5,
                        "lattice": "all_to_all",
                        "J_z": 0.3,
                        "gamma_minus": 0.8,
                        "theta": np.pi / 2,
                        "times": [0.9],
                        "trajectories": 20_000,
                    },
                    expect={"magnetisation": ((0, 0), dephased_by_decaying_spins(5, 0.3, 0.8, 0.9))},
                    origin="closed form of Ising dephasing by decaying spins, exact in the truncated Wigner approximation too",
                    method=method,
                    atol=atol,
                )
                for method, atol in (("exact", 1e-9), ("twa", 0.02))
            ),
        ),
        reference_tolerance=(1e-6, 1e-8),
        random_parameters=random_parameters,
        unit_of_time=UNIT_OF_TIME,
    ),
)
