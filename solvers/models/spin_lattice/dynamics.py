"""spin_lattice.dynamics: magnetisation, pair correlations and squeezing of such lattices in time.

Second-order cumulants leave out the third ones. Where all spins are alike these are computed as well, and status is 1 from
when on they change a spin or a correlation by more than 0.01; that bound tells the true error to some 20 % in one-axis
twisting. On other lattices no such monitor exists: only states that no pair of spins can have are noticed, and the pairs of
one-axis twisting stay positive and keep every uncertainty relation exactly, however wrong they become. Squeezing, a
difference of N such numbers, is first to be wrong: next to the exact optimum of N spins it is too small by half already.

`twa` is exact for uncoupled spins, and for means under Ising couplings with all local channels from theta = 0, pi/2 or pi;
elsewhere it is biased. For six spins with random couplings of order 0.5 and fields, up to t = 8, the largest error of a mean
was (median, and worst tenth) 0.02 (0.05) with all local channels, 0.06 (0.17) with decay alone and 0.17 (0.37) in a closed
lattice, where cumulants have 0.03 (0.11), 0.12 (0.49) and 0.31 (0.83). Squeezing divides by a mean spin that dephases: take
it while |m| is well above its error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.batch import Batch, Point
from solvers.declarations import AXIS, AXIS2, TIME, Check, Limit, Output, Parameter, Starter
from solvers.engines.collective import pair_means, product_pair_means
from solvers.engines.limits import MOST_WAVE_SPINS, WAVE_FUNCTION_LIMIT, exact_limit
from solvers.engines.master_equation.exact import evolve_exactly, judged
from solvers.engines.master_equation.states import split_moments
from solvers.engines.moments.integration import CUMULANTS, MEAN_FIELD
from solvers.engines.moments.lattice import propagate_lattice
from solvers.engines.moments.propagation import propagate, refuse_beyond_memory
from solvers.engines.pair_states import first_unphysical, smallest_pair_eigenvalue
from solvers.engines.symmetric.exact import MOST_AMPLITUDES, MOST_ELEMENTS
from solvers.engines.trajectories import sample
from solvers.engines.truncated_wigner.parameters import sampling
from solvers.engines.validity import AFTER_BUDGET, HasRates, earliest, judge
from solvers.model import Method, Model
from solvers.models.spin_lattice.bulk import exact_in_bulk, moments_in_bulk
from solvers.models.spin_lattice.lattice import (
    LATTICES,
    MOST_EXACT,
    UNIT_OF_TIME,
    build_lattice,
    build_system,
    check_size,
    closed_and_pure,
    collective,
    is_symmetric,
    of_moments,
    sampled,
    start_spins,
)
from solvers.models.spin_lattice.symmetric import solve_symmetric_exact, solve_symmetric_moments, symmetric_in_reach
from solvers.models.spin_lattice.truncated_wigner import BIAS, SOURCE, dephased_by_decaying_spins, solve_twa
from solvers.references.spin_systems import exact_moments, moment_path, product_density_matrix
from solvers.shared_parameters import seed, times, tolerances, trajectories


def solve_exact(p: Point) -> Mapping[str, Any]:
    """By the density matrix, or the wave function of a closed system; by populations where all spins are alike."""
    if symmetric_in_reach(p):
        return solve_symmetric_exact(p)
    n, system = p["N"], build_system(p)
    found = evolve_exactly(system, start_spins(p), p["times"], rtol=p["rtol"], max_steps=p["max_steps"])
    first_bad, reason = np.nan, ""
    if not system.positive:
        spins, correlations = split_moments(found.observed, n)
        first_bad, reason = first_unphysical(p["times"], spins, smallest_pair_eigenvalue(spins, correlations))
    status, remark = judged(found, p["rtol"], *judge(system, first_bad=first_bad, reason=reason))
    return of_moments(n, found.observed) | {"first_bad_time": first_bad, "status": status, "remark": remark}


MOST_DENSE = 40
"""Spins up to which the mean field has all couplings in a matrix, and a full Jacobian where it is stiff."""


def solve_moments(order: int, p: Point) -> Mapping[str, Any]:
    """By moments of first or second order."""
    if is_symmetric(p):
        return solve_symmetric_moments(order, p)
    n, when = p["N"], p["times"]
    magnetisation = np.full((len(when), 3), np.nan)
    pairs = np.full((len(when), 3, 3), np.nan)

    def receive(first: int, s: NDArray[np.float64], c: NDArray[np.float64] | None) -> None:
        magnetisation[first : first + len(s)] = s.mean(axis=1)
        pairs[first : first + len(s)] = product_pair_means(s) if c is None else pair_means(c)

    tuning = {name: p[name] for name in ("rtol", "atol", "max_steps")}
    system: HasRates
    if order == MEAN_FIELD and n > MOST_DENSE:
        system = lattice = build_lattice(p)
        path = propagate_lattice(lattice, start_spins(p), when, receive, **tuning)
    else:
        refuse_beyond_memory(n, order)
        system = dense = build_system(p)
        path = propagate(dense, order, start_spins(p), None, when, receive, **tuning)
    status, remark = judge(
        system, first_bad=path.first_bad, code=path.code, reached=path.reached, first_left=path.first_left
    )
    found = collective(n, magnetisation, pairs)
    return found | {
        "first_bad_time": earliest(path.first_bad, path.first_left),
        "status": status,
        "remark": remark,
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
    return sampled(parameters["N"], drawn.mean, drawn.sem, drawn.groups, drawn.share)


def validate(parameters: Mapping[str, Any]) -> None:
    """ValueError for a number of sites that the lattice cannot have."""
    check_size(parameters["lattice"], parameters["N"])


def size_cost(
    cost: Callable[[NDArray[np.float64]], NDArray[Any]], alike: Callable[[NDArray[np.float64]], NDArray[Any]]
) -> Callable[[Batch], NDArray[Any]]:
    """Relative cost of each point from its number of spins, in general and where all spins are `alike`."""

    def estimate(batch: Batch) -> NDArray[Any]:
        n = batch["N"].astype(np.float64)
        return np.where(is_symmetric(batch), alike(n), cost(n))

    return estimate


_ONE_BY_ONE = exact_limit(MOST_EXACT, closed_and_pure)
LIMIT = Limit(
    text=f"{_ONE_BY_ONE.text}; all_to_all without disorder: {MOST_ELEMENTS:,} elements |S,M><S,M'|, which are C(N+3,3) (N <= "
    "104), where J_x = J_y and h_x = h_y = 0 about 5 N^2/4 (N <= 399), without local rates (N+1)^2 (N <= 446) or 5 N, and "
    f"N < {MOST_AMPLITUDES} for a closed system (any N where J_x = J_y and h_x = h_y = 0)",
    holds=lambda p: _ONE_BY_ONE.holds(p) | symmetric_in_reach(p),
)


def reference_exact(p: Mapping[str, Any]) -> Mapping[str, Any]:
    """Exponentials of the Liouvillian matrix."""
    rho0 = product_density_matrix(start_spins(p))
    spins, correlations, _ = exact_moments(build_system(p), rho0, np.asarray(p["times"]))
    return collective(p["N"], spins.mean(axis=1), pair_means(correlations))


def reference_twa(p: Mapping[str, Any]) -> Mapping[str, Any]:
    """The exact means; their quotient, squeezing, has no bound on its bias."""
    found = reference_exact(p)
    return {name: found[name] for name in ("magnetisation", "pair_correlation")}


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
                bulk=partial(moments_in_bulk, CUMULANTS),
                reference=partial(reference_moments, True),
                cost=size_cost(lambda n: n**3, np.ones_like),
            ),
            Method(
                name="mean_field",
                meaning="every pair factorised",
                source="Eqs. (108)-(111), (173)-(177) corrected",
                solve=partial(solve_moments, MEAN_FIELD),
                bulk=partial(moments_in_bulk, MEAN_FIELD),
                reference=partial(reference_moments, False),
                cost=size_cost(lambda n: n**2, np.ones_like),
            ),
            Method(
                name="exact",
                meaning="density matrix in the real Pauli basis",
                source="Eqs. (1), (28)",
                solve=solve_exact,
                bulk=exact_in_bulk,
                reference=reference_exact,
                cost=size_cost(lambda n: 4.0 ** np.minimum(n, MOST_WAVE_SPINS), lambda n: n**3),
                limit=LIMIT,
            ),
            Method(
                name="quantum_jumps",
                meaning="wave functions with random jumps, for Gamma >= 0; means with standard errors",
                solve=solve_jumps,
                reference=reference_exact,
                draws_numbers=True,
                cost=size_cost(*2 * (lambda n: 2.0 ** np.minimum(n, MOST_WAVE_SPINS) * n,)),
                limit=WAVE_FUNCTION_LIMIT,
            ),
            Method(
                name="twa",
                meaning="discrete truncated Wigner: classical spins from random starts with random jumps; means with standard errors",
                source=SOURCE,
                solve=solve_twa,
                reference=reference_twa,
                reference_tolerance=(0.0, BIAS),
                draws_numbers=True,
                cost=size_cost(*2 * (lambda n: n,)),
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
            *sampling(UNIT_OF_TIME),
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
                label="squeezing parameter",
                meaning="N min Var(S_perp) / |<S>|^2",
                nan="<S> vanishes and has no direction",
                nan_if_warned=AFTER_BUDGET,
                dims=("time",),
                symbol=r"\xi^2",
            ),
            Output(
                name="first_bad_time",
                meaning="first time with |s_i| > 1 or a negative pair eigenvalue, from which cumulants are not to be trusted "
                "where all spins are alike, or not reached within the step budget",
                label="first bad time",
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
        starter=Starter(
            axes={"h_x": {"values": [0.2, 0.8, 2.0]}},
            parameters={"times": np.linspace(0.0, 6.0, 61).tolist()},
            methods=("mean_field", "cumulant", "exact"),
        ),
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
