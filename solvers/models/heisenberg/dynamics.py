"""heisenberg.dynamics: magnetisation, spins, correlations and concurrence of the chain in time.

    exact               density matrix in the real Pauli basis, N <= 10; a wave function if closed and pure, N <= 16; status 1
                        where rounding is amplified beyond rtol
    mean_field          product states, site by site, any N; conserves |m_j| without dissipation
    mean_field_uniform  a bulk site, N = infinity
    cumulant            second-order cumulants; may leave physics: status 1 from first_bad_time on
    printed             Eqs. (12)-(14) letter by letter
    spectral            exact, by eigenvectors of the Liouvillian (Appendix B corrected), N <= 5; where their condition number
                        exceeds 1e6, near an exceptional point, the propagation of `exact` takes over: status 1

Rates that are not completely positive are solved all the same (status 1), until rho diverges (status 2). Concurrence means
nothing where the pair state is not positive.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.batch import Batch, Point
from solvers.declarations import AXIS, AXIS2, SITE, SITE2, TIME, Check, Limit, Output, Starter
from solvers.engines.concurrence import concurrences_of_pairs
from solvers.engines.limits import exact_limit
from solvers.engines.master_equation.exact import evolve_exactly, judged
from solvers.engines.master_equation.generator import build_generator
from solvers.engines.master_equation.spectrum import MOST_SPINS, liouvillian_spectrum
from solvers.engines.master_equation.states import (
    moment_indices,
    product_state,
    purity,
    smallest_dense_eigenvalue,
    split_moments,
)
from solvers.engines.moments.integration import CUMULANTS
from solvers.engines.moments.propagation import propagate
from solvers.engines.pair_states import first_unphysical, smallest_pair_eigenvalue
from solvers.engines.spin_system import product_correlations
from solvers.engines.validity import AFTER_BUDGET, earliest, first_not_reached
from solvers.model import Method, Model
from solvers.models.heisenberg import chain
from solvers.models.heisenberg.bulk import cumulants_in_bulk, exact_in_bulk, mean_field_in_bulk, uniform_in_bulk
from solvers.models.heisenberg.chain import MOST_EXACT, SOURCE, UNIT_OF_TIME
from solvers.outcome import OK, WARNED, Kind, PointFailed, Remark
from solvers.references.spin_systems import exact_moments, moment_path, product_density_matrix
from solvers.shared_parameters import times, tolerances

EXACT = ("exact", "spectral")
ILL_CONDITIONED = 1e6
DIVERGED = 1e3
"""Expectation values of Pauli strings are at most 1; beyond this rho is called diverged."""


def solve_exact(p: Point) -> Mapping[str, Any]:
    """By propagation of the density matrix, or of the wave function of a closed chain."""
    found = evolve_exactly(
        chain.build_system(p),
        chain.start(p),
        p["times"],
        rtol=p["rtol"],
        max_steps=p["max_steps"],
        purity=p.wants("purity"),
        smallest=p.wants("min_eigenvalue"),
    )
    outputs = _exact(p, (found.observed, found.purity, found.smallest))
    outputs["status"], outputs["remark"] = judged(found, p["rtol"], outputs["status"], outputs["remark"])
    return outputs


def solve_spectral(p: Point) -> Mapping[str, Any]:
    """By the eigenvectors of L; by propagation near an exceptional point."""
    found = _spectral(p, build_generator(chain.build_system(p)), product_state(chain.start(p)))
    if found is not None:
        return _exact(p, found)
    outputs = dict(solve_exact(p))
    if outputs["status"] == OK:
        outputs |= {"status": WARNED, "remark": Remark(kind=Kind.EXCEPTIONAL_POINT, message=_NEAR_EXCEPTIONAL)}
    return outputs


def _exact(p: Point, found: tuple[Any, Any, Any]) -> dict[str, Any]:
    """All outputs from moments (T, K), purity (T,) and smallest eigenvalue (T,)."""
    n, when = p["N"], p["times"]
    observed, purities, smallest = found
    largest = float(np.abs(observed).max())
    if not largest < DIVERGED:
        k = int((~(np.abs(observed).max(axis=1) < DIVERGED)).argmax())
        raise PointFailed(Kind.DIVERGED, chain.divergence(p, largest, float(when[k])))
    spins, raw = split_moments(observed, n)
    first_bad, reason = np.nan, ""
    if not chain.completely_positive(p):
        first_bad, reason = first_unphysical(when, spins, smallest_pair_eigenvalue(spins, raw))
    status, remark = chain.judged(p, first_bad=first_bad, reason=reason)
    outputs: dict[str, Any] = {
        "M": spins.mean(axis=1),
        "spins": spins,
        "correlations": raw - product_correlations(spins),
        "purity": purities,
        "min_eigenvalue": smallest,
        "first_bad_time": first_bad,
        "status": status,
        "remark": remark,
    }
    if p.wants("min_kossakowski"):
        outputs["min_kossakowski"] = chain.min_kossakowski(p)
    if p.wants("concurrence", "max_concurrence"):
        outputs["concurrence"] = concurrences_of_pairs(spins, raw)
        outputs["max_concurrence"] = outputs["concurrence"].max()
    return outputs


_NEAR_EXCEPTIONAL = (
    f"the eigenvectors of L have a condition number above {ILL_CONDITIONED:g} (an exceptional point is near): the result is "
    "that of method exact"
)


def _spectral(p: Point, generator, r0):
    """The same three by r(t) = sum_k c_k exp(lambda_k t) R_k, c = R^-1 r(0); None near an exceptional point."""
    spectrum = liouvillian_spectrum(generator)
    if spectrum.vectors is None or spectrum.condition > ILL_CONDITIONED:
        return None
    weights = np.linalg.solve(spectrum.vectors, r0.astype(np.complex128))
    when, indices = p["times"], moment_indices(generator.N)
    observed = np.empty((len(when), len(indices)))
    purities, smallest = np.full((2, len(when)), np.nan)
    for k, t in enumerate(when.tolist()):
        r = (spectrum.vectors @ (weights * np.exp(spectrum.values * t))).real
        observed[k] = r[indices]
        if p.wants("purity"):
            purities[k] = purity(r)
        if p.wants("min_eigenvalue"):
            smallest[k] = smallest_dense_eigenvalue(r)
    return observed, purities, smallest


def solve_uniform(row: Callable[[Mapping[str, Any]], chain.Row], p: Point) -> Mapping[str, Any]:
    """A bulk site, with the row that a method makes of a point."""
    when = p["times"]
    M, code, reached = chain.uniform_path(row(p), p, when)
    left = first_not_reached(code, when, int(np.isfinite(M[:, 0]).sum()))
    spins = np.repeat(M[:, None], p["N"], axis=1)
    return {"M": M} | _judged(p, when, spins, code, reached, np.nan, first_left=left)


def solve_sites(p: Point) -> Mapping[str, Any]:
    """Product states, site by site."""
    when = p["times"]
    spins, code, reached = chain.mean_field_path(p, when)
    left = first_not_reached(code, when, int(np.isfinite(spins[:, 0, 0]).sum()))
    return {"M": spins.mean(axis=1)} | _judged(p, when, spins, code, reached, np.nan, first_left=left)


def solve_cumulants(p: Point) -> Mapping[str, Any]:
    """Second-order cumulants."""
    n, when = p["N"], p["times"]
    spins, raw = np.full((len(when), n, 3), np.nan), np.full((len(when), n, n, 3, 3), np.nan)

    def receive(first: int, s: NDArray[np.float64], c: NDArray[np.float64] | None) -> None:
        spins[first : first + len(s)] = s
        raw[first : first + len(s)] = c

    tuning = {name: p[name] for name in ("rtol", "atol", "max_steps")}
    path = propagate(chain.build_system(p), CUMULANTS, chain.start(p), None, when, receive, **tuning)
    found = _judged(p, when, spins, path.code, path.reached, path.first_bad, raw, path.first_left)
    return {"M": spins.mean(axis=1), "correlations": raw - product_correlations(spins)} | found


def _judged(p: Mapping[str, Any], when, spins, code, reached, first_bad, raw=None, first_left=np.nan) -> dict[str, Any]:
    """Spins with status, remark and the first time at which they belong to no state."""
    at_output, reason = np.nan, ""
    if code == 0 or not np.isnan(first_left):
        # mean-field pairs are positive as long as the spins are
        smallest = np.zeros(len(when)) if raw is None else smallest_pair_eigenvalue(spins, raw)
        at_output, reason = first_unphysical(when, spins, smallest)
    if not np.isnan(first_bad):  # the end of an integrator's step: rounded up to an output time, it means more
        first_bad = float(when[min(int(np.searchsorted(when, first_bad)), len(when) - 1)])
    first = earliest(first_bad, at_output)
    ended = {"code": int(code), "reached": float(reached), "first_left": first_left}
    status, remark = chain.judged(p, first_bad=first, reason=reason, **ended)
    return {"spins": spins, "first_bad_time": earliest(first, first_left), "status": status, "remark": remark}


def cost(one: Callable[[float], float], batch: Batch) -> NDArray[Any]:
    """Relative cost of each point, by that of `one` application at a size, and the time to propagate."""
    span = float(np.asarray(batch["times"])[-1])
    speed = sum(np.abs(batch[f"{v}_{a}"]) for v in "BV" for a in "xyz") + batch["Gamma"]
    return np.asarray(one(float(batch["N"])) * (1.0 + span * speed), dtype=np.float64)


def reference_exact(p: Mapping[str, Any]) -> Mapping[str, Any]:
    """Exponentials of the Liouvillian matrix."""
    system, when = chain.build_system(p), np.asarray(p["times"])
    spins, raw, rho = exact_moments(system, product_density_matrix(chain.start(p)), when)
    return {
        "M": spins.mean(axis=1),
        "spins": spins,
        "correlations": raw - product_correlations(spins),
        "purity": np.einsum("txy,tyx->t", rho, rho).real,
        "min_eigenvalue": np.linalg.eigvalsh(rho)[:, 0],
    }


def reference_moments(pairs: bool, p: Mapping[str, Any]) -> Mapping[str, Any]:
    """Pauli algebra on strings."""
    spins, _ = moment_path(chain.build_system(p), pairs, chain.start(p), None, np.asarray(p["times"]))
    return {"M": spins.mean(axis=1), "spins": spins}


def reference_uniform(p: Mapping[str, Any]) -> Mapping[str, Any]:
    """Vector products for a bulk site."""
    return {"M": chain.uniform_reference(p, np.asarray(p["times"]))}


def reference_printed(p: Mapping[str, Any]) -> Mapping[str, Any]:
    """The printed equations, letter by letter."""
    return {"M": chain.printed_reference(p, np.asarray(p["times"]))}


def random_parameters(rng: np.random.Generator) -> dict[str, Any]:
    """Chains of two or three spins with rates on all axes."""
    return chain.random_chain(rng, int(rng.integers(2, 4))) | {"times": [0.0, 0.4, 1.5, 3.0]}


OUTPUTS = (
    Output(
        name="M",
        meaning="mean of <sigma> over the sites",
        label="magnetisation",
        dims=("time", "axis"),
        symbol=r"\mathbf{M}",
        nan_if_warned=AFTER_BUDGET,
    ),
    Output(
        name="spins",
        meaning="<sigma_j>",
        label="spin of a site",
        dims=("time", "site", "axis"),
        symbol=r"\langle\sigma_j\rangle",
        nan_if_warned=AFTER_BUDGET,
    ),
    Output(
        name="correlations",
        meaning="<s_i^a s_j^b> - <s_i^a><s_j^b> in sigma, zero for i = j",
        label="connected correlation",
        dims=("time", "site", "site2", "axis", "axis2"),
        symbol="C_{ij}^{ab}",
        nan_if_warned=AFTER_BUDGET,
        methods=(*EXACT, "cumulant"),
    ),
    Output(
        name="concurrence",
        meaning="Wootters' concurrence of two sites",
        label="concurrence",
        dims=("time", "site", "site2"),
        symbol="C_{ij}",
        methods=EXACT,
    ),
    Output(
        name="max_concurrence",
        meaning="largest concurrence over pairs and output times",
        label="largest concurrence",
        symbol=r"\max{C}_{ij}",
        methods=EXACT,
    ),
    Output(
        name="purity", meaning="Tr rho^2", label="purity", dims=("time",), symbol=r"\mathrm{Tr}\rho^2", methods=EXACT
    ),
    Output(
        name="min_eigenvalue",
        meaning="smallest eigenvalue of rho",
        dims=("time",),
        symbol=r"\lambda_{\min}(\rho)",
        methods=EXACT,
    ),
    Output(
        name="min_kossakowski",
        meaning="smallest eigenvalue of the Kossakowski matrix in the basis S_a^j; negative: not completely positive",
        label="smallest Kossakowski eigenvalue",
        unit="field",
        symbol=r"\lambda_{\min}(K)",
        methods=EXACT,
    ),
    Output(
        name="first_bad_time",
        meaning="first output time by which a spin was longer than 1 or a pair state not positive, or not reached within the "
        "step budget",
        label="first bad time",
        unit=UNIT_OF_TIME,
        nan="the moments never left physics",
    ),
)

_FIG6 = {"B_x": 0.25, "B_y": 0.25, "B_z": -0.5, "V_x": 1.0, "V_y": 0.1, "V_z": 0.1, "Gamma": 0.1}

MODELS = (
    Model(
        id="heisenberg.dynamics",
        title="Open Heisenberg chain in time, exactly and in mean field",
        source=SOURCE,
        methods=(
            Method(
                name="exact",
                meaning="density matrix in the real Pauli basis",
                source="Eq. (9)",
                solve=solve_exact,
                bulk=exact_in_bulk,
                reference=reference_exact,
                cost=partial(cost, lambda n: 4.0**n),
                limit=exact_limit(MOST_EXACT, chain.closed_and_pure),
            ),
            chain.MEAN_FIELD(
                solve=solve_sites,
                bulk=mean_field_in_bulk,
                reference=partial(reference_moments, False),
                cost=partial(cost, lambda n: n),
            ),
            chain.MEAN_FIELD_UNIFORM(
                solve=partial(solve_uniform, chain.uniform_row),
                bulk=partial(uniform_in_bulk, False),
                reference=reference_uniform,
                cost=partial(cost, lambda n: 1.0),
            ),
            Method(
                name="cumulant",
                meaning="second-order cumulants of all pairs",
                solve=solve_cumulants,
                bulk=cumulants_in_bulk,
                reference=partial(reference_moments, True),
                cost=partial(cost, lambda n: n**3),
            ),
            chain.PRINTED(
                solve=partial(solve_uniform, chain.printed_row),
                bulk=partial(uniform_in_bulk, True),
                reference=reference_printed,
                cost=partial(cost, lambda n: 1.0),
            ),
            Method(
                name="spectral",
                meaning="exact, by eigenvectors of the Liouvillian",
                source="Eqs. (B1)-(B4) corrected",
                solve=solve_spectral,
                reference=reference_exact,
                cost=partial(cost, lambda n: 64.0**n / 50),
                limit=Limit(
                    text=f"N <= {MOST_SPINS} (dense 4^N x 4^N eigenvectors)",
                    holds=lambda p: np.asarray(p["N"]) <= MOST_SPINS,
                ),
            ),
        ),
        parameters=(
            chain.sites(shape=True),
            *chain.FIELDS,
            *chain.COUPLINGS,
            *chain.BATH,
            *chain.START,
            times([0.0, 5.0, 10.0, 15.0, 20.0], UNIT_OF_TIME),
            *tolerances(1e-10, 1e-12),
        ),
        outputs=OUTPUTS,
        dimensions=(TIME, SITE, SITE2, AXIS, AXIS2),
        validate=chain.validate,
        example=_FIG6 | {"N": 3, "times": np.linspace(0.0, 10.0, 41).tolist()},
        starter=Starter(
            axes={"V_x": {"values": [0.1, 0.5, 1.0]}}, parameters={"times": np.linspace(0.0, 20.0, 101).tolist()}
        ),
        checks=(
            Check(
                parameters={
                    "N": 2,
                    "V_x": 0.7,
                    "V_y": 0.7,
                    "V_z": 0.7,
                    "spins0": [[0, 0, 1], [0, 0, -1]],
                    "times": [1.3],
                },
                expect={"concurrence": ((0, 0, 1), np.sin(0.91)), "max_concurrence": np.sin(0.91)},
                origin="closed form: |up, down> under isotropic exchange has concurrence |sin V t|",
                atol=1e-7,
            ),
            Check(
                parameters=_FIG6 | {"times": [0.0, 3.07]},
                expect={"max_concurrence": 0.263585831993},
                origin="dense Liouvillian, matrix exponential; 'about 0.26' in Fig. 6",
                atol=1e-6,
            ),
            Check(
                parameters=_FIG6 | {"V_x": 0.5, "times": [150.0]},
                expect={"M": [[0.571, 0.371, -0.634]]},
                origin="independent integration of Eqs. (12)-(14) with |M| = 1",
                method="printed",
                atol=5e-4,
            ),
        ),
        reference_tolerance=(1e-7, 1e-7),
        random_parameters=random_parameters,
        unit_of_time=UNIT_OF_TIME,
    ),
)
