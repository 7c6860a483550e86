"""spin_lattice.dynamics: lattices of equal spins 1/2 with diagonal couplings, one field, and local and collective decay.

    H = sum_<ij> sum_a J_a f_ij s_i^a s_j^a + sum_i (h_x s_i^x + h_y s_i^y + (h_z + disorder z_i) s_i^z)

with every bond once, f_ij = 1 (power_law: |i-j|^-exponent) and standard normals z_i that depend on (seed, realisation,
site) alone. Dissipation in textbook rates: gamma_minus, gamma_plus, gamma_z of D[sigma_-], D[sigma_+], D[sigma_z] on
every site; gamma_collective of D[sum_i sigma_-]; and for bonds of the lattice, both orders,

    gamma_neighbour (sigma_-^(i) rho sigma_+^(j) - {sigma_+^(j) sigma_-^(i), rho}/2)

which is positive in an open chain only up to gamma_minus / (2 cos(pi/(N+1))). Pauli matrices throughout, no normalisation
of couplings or rates by N. Lattices: chain (open), ring, square (open, N a square number), all_to_all, power_law (an
open chain; its neighbours are |i-j| = 1). The start is a product state, all spins at (theta, phi), theta = 0 up.

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
from solvers.engines.collective import collective_moments, pair_means, product_pair_means, squeezing
from solvers.engines.limits import WAVE_FUNCTION_LIMIT, exact_limit
from solvers.engines.macrospin import polar
from solvers.engines.master_equation.exact import evolve_exactly, judged
from solvers.engines.master_equation.side_by_side import MOST_SPINS, evolve_side_by_side
from solvers.engines.master_equation.states import moment_indices, split_moments
from solvers.engines.moments.integration import CUMULANTS, MEAN_FIELD
from solvers.engines.moments.propagation import propagate, refuse_beyond_memory
from solvers.engines.pair_states import first_unphysical, smallest_pair_eigenvalue
from solvers.engines.spin_system import LOWERING, SpinSystem, local_blocks
from solvers.engines.trajectories import sample
from solvers.engines.validity import AFTER_BUDGET, earliest, judge
from solvers.model import Method, Model
from solvers.numerics.random import standard_normals
from solvers.outcome import InvalidInput
from solvers.references.spin_systems import exact_moments, moment_path, product_density_matrix
from solvers.shared_parameters import seed, times, tolerances, trajectories

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


def build_system(p: Mapping[str, Any]) -> SpinSystem:
    """Fields, couplings and Gamma of a point."""
    names = ("J_x", "J_y", "J_z", "h_x", "h_y", "h_z", "exponent", "disorder", "seed", "realisation")
    one = {name: np.array([p[name]]) for name in (*names, *(f"gamma_{rate}" for rate in RATES))}
    field, coupling, Gamma = build_systems(one, p["N"], p["lattice"])
    return SpinSystem(field[0], coupling[0], Gamma[0])


def start_spins(p: Mapping[str, Any]) -> NDArray[np.float64]:
    """The Bloch vectors at the start, (P, 3) of points or (3,) of one, the same on all sites."""
    return polar(p["theta"], p["phi"])


def at_all_sites(p: Mapping[str, Any]) -> NDArray[np.float64]:
    """Bloch vectors (N, 3) of the start."""
    return np.tile(start_spins(p), (p["N"], 1))


def solve_exact(p: Point) -> Mapping[str, Any]:
    """By the density matrix, or the wave function of a closed system."""
    n, system = p["N"], build_system(p)
    found = evolve_exactly(system, at_all_sites(p), p["times"], rtol=p["rtol"], max_steps=p["max_steps"])
    first_bad, reason = np.nan, ""
    if not system.positive:
        spins, correlations = split_moments(found.observed, n)
        first_bad, reason = first_unphysical(p["times"], spins, smallest_pair_eigenvalue(spins, correlations))
    status, remark = judged(found, p["rtol"], *judge(system, first_bad=first_bad, reason=reason))
    return of_moments(n, found.observed) | {"first_bad_time": first_bad, "status": status, "remark": remark}


def exact_in_bulk(batch: Batch) -> tuple[Mapping[str, NDArray[Any]], NDArray[np.bool_]]:
    """Points of up to four spins side by side."""
    outputs, done = batch.empty(), np.zeros(batch.size, dtype=bool)
    sizes, lattices = batch["N"], batch["lattice"]
    for n in range(1, MOST_SPINS + 1):
        for lattice in np.unique(lattices[sizes == n]).tolist():
            which = np.flatnonzero((sizes == n) & (lattices == lattice))
            part = batch if len(which) == batch.size else batch.select(which)
            moments, taken = evolve_side_by_side(
                *build_systems(part, n, lattice),
                np.repeat(start_spins(part)[:, None], n, axis=1),
                batch["times"],
                part["rtol"],
                part["max_steps"],
                moment_indices(n),
            )
            found = of_moments(n, moments)
            for name, array in outputs.items():
                array[which] = found[name]
            done[which] = taken
    return outputs, done


def build_systems(
    p: Mapping[str, Any], n: int, lattice: str
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.complex128]]:
    """Fields (P, N, 3), couplings (P, N, N, 3, 3) and Gamma (P, 3N, 3N) of points of one size and lattice."""
    joined = neighbours(lattice, n)
    strength: NDArray[np.float64] = joined[None]
    if lattice == "power_law":
        distance = np.abs(np.arange(n)[:, None] - np.arange(n)) + np.eye(n)
        strength = (1 - np.eye(n)) * distance ** -p["exponent"][:, None, None]
    count = len(p["J_x"])
    coupling = np.zeros((count, n, n, 3, 3))
    field = np.empty((count, n, 3))
    for a, axis in enumerate("xyz"):
        coupling[:, :, :, a, a] = p[f"J_{axis}"][:, None, None] * strength
        field[:, :, a] = p[f"h_{axis}"][:, None]
    for i in np.flatnonzero(p["disorder"]).tolist():
        field[i, :, 2] += p["disorder"][i] * standard_normals(p["seed"][i], p["realisation"][i], n)
    Gamma = np.zeros((count, n, 3, n, 3), dtype=np.complex128)
    local = local_blocks(*(p[name] for name in ("gamma_minus", "gamma_plus", "gamma_z")))
    for i in range(n):
        Gamma[:, i, :, i, :] = local
    shared = p["gamma_collective"][:, None, None] + p["gamma_neighbour"][:, None, None] * joined
    if shared.any():
        lowering = np.outer(LOWERING, LOWERING.conj())
        Gamma += shared[:, :, None, :, None] * lowering[:, None, :]
    return field, coupling, Gamma.reshape(count, 3 * n, 3 * n)


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
    path = propagate(system, order, at_all_sites(p), None, when, receive, **tuning)
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


def solve_jumps(parameters: Point) -> Mapping[str, Any]:
    """Means over trajectories with standard errors; that of squeezing, no mean itself, by the jackknife over groups."""
    n = parameters["N"]
    drawn = sample(
        build_system(parameters),
        at_all_sites(parameters),
        parameters["times"],
        key=parameters.key,
        trajectories=parameters["trajectories"],
        collective=True,
        max_steps=parameters["max_steps"],
    )

    def split(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return values[..., :3], values[..., 3:].reshape(*values.shape[:-1], 3, 3)

    magnetisation, pairs = split(drawn.mean)
    magnetisation_sem, pairs_sem = split(drawn.sem)
    groups = len(drawn.groups)
    if groups > 1:
        left_out = (drawn.groups.sum(axis=0) - drawn.groups) / (groups - 1)
        squeezed = squeezing(n, *split(left_out))
        squeezing_sem = np.sqrt((groups - 1) * np.var(squeezed, axis=0))
    else:
        squeezing_sem = np.full(len(drawn.mean), np.nan)
    return collective(n, magnetisation, pairs) | {
        "magnetisation_sem": magnetisation_sem,
        "pair_correlation_sem": pairs_sem,
        "squeezing_sem": squeezing_sem,
    }


def validate(parameters: Mapping[str, Any]) -> None:
    """ValueError for a number of sites that the lattice cannot have."""
    neighbours(parameters["lattice"], parameters["N"])


def size_cost(cost: Callable[[NDArray[np.float64]], NDArray[Any]]) -> Callable[[Batch], NDArray[Any]]:
    """Relative cost of each point from its number of spins."""
    return lambda batch: cost(batch["N"].astype(np.float64))


def reference_exact(p: Mapping[str, Any]) -> Mapping[str, Any]:
    """Exponentials of the Liouvillian matrix."""
    rho0 = product_density_matrix(at_all_sites(p))
    spins, correlations, _ = exact_moments(build_system(p), rho0, np.asarray(p["times"]))
    return collective(p["N"], spins.mean(axis=1), pair_means(correlations))


def reference_moments(pairs: bool, p: Mapping[str, Any]) -> Mapping[str, Any]:
    """Pauli algebra on strings with DOP853."""
    spins, correlations = moment_path(build_system(p), pairs, at_all_sites(p), None, np.asarray(p["times"]))
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
                bulk=exact_in_bulk,
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
        ),
        parameters=(
            Parameter(name="N", meaning="number of spins", default=6, kind="integer", bounds=(1, 4096)),
            Parameter(
                name="lattice", meaning="which pairs are joined", default="chain", kind="choice", choices=LATTICES
            ),
            Parameter(
                name="exponent",
                meaning="of power_law: couplings fall as distance^-exponent",
                label="exponent of the power law",
                default=3.0,
                symbol=r"\alpha",
            ),
            *_couplings_and_fields(),
            Parameter(
                name="disorder",
                meaning="standard deviation of h_z over sites",
                label="disorder of the field",
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
            _rate("neighbour", "rate of correlated decay, along every bond"),
            Parameter(
                name="theta",
                meaning="polar angle of the start from up",
                label="polar angle of the start",
                default=0.0,
                unit="rad",
                symbol=r"\theta",
            ),
            Parameter(name="phi", meaning="azimuth of the start", default=0.0, unit="rad", symbol=r"\phi"),
            times([0.0, 0.5, 1.0], UNIT_OF_TIME),
            trajectories(),
            *tolerances(rtol=1e-10, atol=1e-12),
        ),
        outputs=(
            Output(
                name="magnetisation",
                meaning="sum_i <s_i^a> / N",
                label="magnetisation",
                dims=("time", "axis"),
                symbol=r"m_a",
                nan_if_warned=AFTER_BUDGET,
            ),
            Output(
                name="pair_correlation",
                meaning="mean over pairs of <s_i^a s_j^b>, symmetrised",
                label="mean pair correlation",
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
                label="first bad time",
                nan="the moments never left physics",
                unit=UNIT_OF_TIME,
            ),
            *(
                Output(
                    name=f"{name}_sem",
                    meaning=f"standard error of {name}",
                    dims=dims,
                    methods=("quantum_jumps",),
                    nan="a single trajectory has none",
                )
                for name, dims in (
                    ("magnetisation", ("time", "axis")),
                    ("pair_correlation", ("time", "axis", "axis2")),
                    ("squeezing", ("time",)),
                )
            ),
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
        ),
        reference_tolerance=(1e-6, 1e-8),
        random_parameters=random_parameters,
        unit_of_time=UNIT_OF_TIME,
    ),
)
