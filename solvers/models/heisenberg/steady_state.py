"""heisenberg.steady_state: where the chain comes to rest.

    exact               L rho = 0 with the residual |L rho| and the spectral gap, N <= 8
    mean_field          the state of rest that the site-resolved equations reach from the start of `heisenberg.dynamics`
    mean_field_uniform  the same for a bulk site
    printed             the same for Eqs. (12)-(14) letter by letter

Mean fields may have several states of rest, unstable ones among them (status 1), or none (status 2). The exact steady state
is unique when the gap is open; if not, it is the one reached from the start (status 1). Where the rates are not completely
positive, L may have eigenvalues with a positive real part: rho diverges (status 2).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.batch import Batch, Point
from solvers.declarations import AXIS, SITE, Check, Output, Starter
from solvers.engines import macrospin
from solvers.engines.limits import density_matrix_limit
from solvers.engines.master_equation.states import moment_indices, product_state, split_moments
from solvers.engines.master_equation.steady_state import MOST_SPINS, steady_state
from solvers.engines.moments.fixed_point import settle
from solvers.engines.validity import judge_steady, must_rest
from solvers.model import Method, Model
from solvers.models.heisenberg import chain
from solvers.models.heisenberg.chain import SOURCE, UNIT_OF_TIME
from solvers.numerics.outcome import DONE, EVENT
from solvers.outcome import OK, WARNED, Kind, Remark
from solvers.references.spin_systems import density_matrix_moments, moments_at_rest, steady_density_matrix
from solvers.shared_parameters import tolerances

AT_REST = 1e-12
"""Largest derivative at rest, in units of the largest rate."""


def solve_exact(p: Point) -> Mapping[str, Any]:
    """The null vector of L."""
    n = p["N"]
    # kept or not, the gap decides the status
    found = steady_state(chain.build_system(p), product_state(chain.start(p)), budget=5.0 * p["max_steps"])
    doubt = judge_steady(found)
    status, remark = chain.judged(p) if doubt is None else (WARNED, doubt)
    spins, _ = split_moments(found.r[moment_indices(n)], n)
    return {
        "M": spins.mean(axis=0),
        "spins": spins,
        "gap": found.gap,
        "residual": found.residual,
        "min_kossakowski": chain.min_kossakowski(p),
        "status": status,
        "remark": remark,
    }


def solve_sites(p: Point) -> Mapping[str, Any]:
    """Where product states come to rest, site by site."""
    tuning = {name: p[name] for name in ("rtol", "atol", "max_steps")}
    rest = settle(chain.build_system(p), 1, chain.start(p), None, **tuning)
    return _settled(p, rest.spins, rest.code, rest.time, rest.derivative, rest.at_rest, rest.stable)


def solve_uniform(row_of: Callable[[Mapping[str, Any]], chain.Row], p: Point) -> Mapping[str, Any]:
    """Where a bulk site comes to rest, with the row that a method makes of a point."""
    row = row_of(p)
    m = chain.start(p)[0].copy()
    rate = float(np.abs(row[: macrospin.COUPLING + 3]).sum() + np.abs(row[macrospin.TORQUE : macrospin.CENTRE]).sum())
    rate = max(rate, 1e-300)
    duration, now, steps, code, slow = 10.0 / rate, 0.0, 0, DONE, 1e-4
    while code in (DONE, EVENT) and steps < p["max_steps"] and slow > AT_REST:
        row[macrospin.REST] = slow * rate
        code, used = macrospin.come_to_rest(row, m, duration, p["rtol"], p["atol"], p["max_steps"] - steps)
        now, steps, duration = now + duration, steps + used, 1.5 * duration
        if code == EVENT:
            slow *= 0.01
            if (found := _newton(row, m, rate)) is not None:
                m = found
                break
    derivative = float(np.abs(macrospin.slope(row, m)).max())
    at_rest = derivative <= 1e-9 * rate
    stable = at_rest and bool(np.linalg.eigvals(macrospin.jacobian(row, m)).real.max() < 1e-7 * rate)
    return _settled(p, np.tile(m, (p["N"], 1)), DONE if code == EVENT else code, now, derivative, at_rest, stable)


def _newton(row: NDArray[np.float64], start: NDArray[np.float64], rate: float) -> NDArray[np.float64] | None:
    """A stable state of rest close to `start`, or None."""
    m = start.copy()
    for _ in range(12):
        residual = macrospin.slope(row, m)
        matrix = macrospin.jacobian(row, m)
        if np.abs(residual).max() <= 1e-14 * rate:
            stable = np.abs(m - start).max() < 0.05 and np.linalg.eigvals(matrix).real.max() < 1e-7 * rate
            return m if stable else None
        change = np.linalg.lstsq(matrix, -residual, rcond=1e-9)[0]
        if not np.all(np.isfinite(change)) or np.abs(change).max() > 0.05:
            return None
        m = m + change
        if np.abs(change).max() < 1e-15:
            return m if np.linalg.eigvals(matrix).real.max() < 1e-7 * rate else None
    return None


def _settled(p, spins, code: int, time: float, derivative: float, at_rest: bool, stable: bool) -> Mapping[str, Any]:
    """Outputs of a mean field with status and remark."""
    must_rest(code, at_rest, time, derivative)
    status, remark = chain.judged(p)
    if (longest := float(np.linalg.norm(spins, axis=1).max())) > 1 + 1e-6:
        message = f"the state of rest is no state: a spin has length {longest:.6g} > 1"
        status, remark = WARNED, Remark(kind=Kind.OUT_OF_PHYSICS, message=message)
    elif not stable and status == OK:
        message = "the state of rest is unstable; another start leads elsewhere"
        status, remark = WARNED, Remark(kind=Kind.UNSTABLE, message=message)
    return {"M": spins.mean(axis=0), "spins": spins, "status": status, "remark": remark}


def cost(one: Callable[[float], float], batch: Batch) -> NDArray[Any]:
    """Relative cost of each point, by size alone."""
    return np.full(batch.size, one(float(batch["N"])))


def reference_exact(p: Mapping[str, Any]) -> Mapping[str, Any]:
    """The null vector of the Liouvillian matrix."""
    rho, gap = steady_density_matrix(chain.build_system(p))
    spins, _ = density_matrix_moments(rho)
    return {"M": spins.mean(axis=0), "spins": spins, "gap": gap}


def reference_sites(p: Mapping[str, Any]) -> Mapping[str, Any]:
    """A run by Pauli algebra on strings, and the root of the derivative near its end."""
    spins, _ = moments_at_rest(chain.build_system(p), False, chain.start(p), None)
    return {"M": spins.mean(axis=0), "spins": spins}


def reference_uniform(p: Mapping[str, Any]) -> Mapping[str, Any]:
    """A long run of a bulk site."""
    return {"M": chain.uniform_reference(p, np.array([0.0, 800.0]))[1]}


def reference_printed(p: Mapping[str, Any]) -> Mapping[str, Any]:
    """A long run of the printed equations."""
    return {"M": chain.printed_reference(p, np.array([0.0, 800.0]))[1]}


def random_parameters(rng: np.random.Generator) -> dict[str, Any]:
    """Chains of two or three spins with rates along z or on all axes, all completely positive."""
    chosen = chain.random_chain(rng, int(rng.integers(2, 4)))
    return chosen | {"on_site": chosen["on_site"] + 0.1 * (chosen["on_site"] > 0)}


_FIG3 = {"B_x": 1.0, "B_y": 1.0, "B_z": -2.5, "V_x": 1.0, "V_y": 2.0, "V_z": 1.0, "Gamma": 0.1}

MODELS = (
    Model(
        id="heisenberg.steady_state",
        title="Steady state of the open Heisenberg chain, exactly and in mean field",
        source=SOURCE,
        methods=(
            Method(
                name="exact",
                meaning="L rho = 0 and the spectrum by invariant blocks of L",
                source="Eq. (9), appendix B corrected",
                solve=solve_exact,
                reference=reference_exact,
                cost=partial(cost, lambda n: 4.0**n),
                limit=density_matrix_limit(MOST_SPINS),
            ),
            chain.MEAN_FIELD(solve=solve_sites, reference=reference_sites, cost=partial(cost, lambda n: n)),
            chain.MEAN_FIELD_UNIFORM(
                solve=partial(solve_uniform, chain.uniform_row),
                reference=reference_uniform,
                cost=partial(cost, lambda n: 1.0),
            ),
            chain.PRINTED(
                solve=partial(solve_uniform, chain.printed_row),
                reference=reference_printed,
                cost=partial(cost, lambda n: 1.0),
            ),
        ),
        parameters=(
            chain.sites(shape=True),
            *chain.FIELDS,
            *chain.COUPLINGS,
            *chain.BATH,
            *chain.START,
            *tolerances(1e-10, 1e-12, max_steps=200_000),
        ),
        outputs=(
            Output(
                name="M",
                meaning="mean of <sigma> over the sites",
                label="magnetisation",
                dims=("axis",),
                symbol=r"\mathbf{M}_{SS}",
            ),
            Output(
                name="spins",
                meaning="<sigma_j>",
                label="spin of a site",
                dims=("site", "axis"),
                symbol=r"\langle\sigma_j\rangle",
            ),
            Output(
                name="gap",
                meaning="minus the largest real part of the other eigenvalues of L",
                label="dissipative gap",
                unit="field",
                symbol=r"\Delta",
                methods=("exact",),
                nan="the eigenvalues did not converge",
            ),
            Output(
                name="residual",
                meaning="Frobenius norm of L rho",
                unit="field",
                symbol=r"\|\mathcal{L}\rho\|",
                methods=("exact",),
            ),
            Output(
                name="min_kossakowski",
                meaning="smallest eigenvalue of the Kossakowski matrix in the basis S_a^j; negative: not completely positive",
                label="smallest Kossakowski eigenvalue",
                unit="field",
                symbol=r"\lambda_{\min}(K)",
                methods=("exact",),
            ),
        ),
        dimensions=(SITE, AXIS),
        validate=chain.validate,
        example=_FIG3 | {"N": 3},
        starter=Starter(axes={"B_z": {"linspace": [-5.0, 5.0, 41]}}),
        checks=(
            Check(
                parameters={"N": 1, "B_x": 0.05, "Gamma": 0.4, "n_b": 0.0},
                expect={"gap": 0.2, "M": [0.0, 8 / 33, -32 / 33]},
                origin="Bloch equations: eigenvalues -Gamma/2, -3 Gamma/4 +- sqrt(Gamma^2/16 - B_x^2); rest of M_y and M_z in closed form",
                method="exact",
                atol=1e-10,
            ),
            Check(
                parameters=_FIG3 | {"N": 3},
                expect={"M": [0.276070237891, 0.3551762022, -0.709344533412]},
                origin="dense Liouvillian, linear solve with the trace condition (Fig. 3c, d)",
                method="exact",
                atol=1e-9,
            ),
        ),
        reference_tolerance=(1e-7, 1e-8),
        random_parameters=random_parameters,
        unit_of_time=UNIT_OF_TIME,
    ),
)
