"""heisenberg.steady_state: where the chain comes to rest.

    exact               L rho = 0 with the residual |L rho| and the spectral gap, N <= 6
    mean_field          the state of rest that the site-resolved equations reach from the start of `heisenberg.dynamics`
    mean_field_uniform  the same for a bulk site
    printed             the same for Eqs. (12)-(14) letter by letter

Mean fields may have several states of rest, unstable ones among them (status 1), or none (status 2). The exact steady state
is unique when the gap is open; if not, it is the one reached from the start (status 1). With a negative gap, possible when
the rates are not completely positive, rho diverges (status 2).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.batch import Batch, pointwise
from solvers.declarations import AXIS, SITE, Check, Output
from solvers.engines import macrospin
from solvers.engines.literal import density_matrix_moments, liouvillian_matrix
from solvers.engines.master_equation.generator import build_generator
from solvers.engines.master_equation.spectrum import dense_gap
from solvers.engines.master_equation.states import moment_indices, product_state, split_moments
from solvers.engines.master_equation.steady_state import steady_state
from solvers.engines.moments.fixed_point import settle
from solvers.model import Method, Model
from solvers.models.heisenberg import chain
from solvers.models.heisenberg.chain import SOURCE, UNIT_OF_TIME
from solvers.numerics.outcome import DONE, EVENT, OUTCOME_TEXT
from solvers.outcome import FAILED, OK, WARNED, Remark
from solvers.shared_parameters import tolerances

MOST_EXACT, DENSE = 6, 4
NAMES = ("M", "spins", "gap", "residual", "min_kossakowski")
AT_REST = 1e-12
"""Largest derivative at rest, in units of the largest rate."""


def solve_one(method: str, p: dict[str, Any], wants: Callable[..., bool]) -> Mapping[str, Any]:
    """The steady state at one point."""
    if (remark := chain.outside(method, p)) is not None:
        return chain.failed(remark, NAMES)
    if method == "exact":
        return _exact(p)
    return _uniform(method, p) if method in chain.UNIFORM else _sites(p)


def _exact(p: dict[str, Any]) -> Mapping[str, Any]:
    n = p["N"]
    generator = build_generator(chain.build_system(p))
    # kept or not, the gap decides the status
    found = steady_state(generator, product_state(chain.start(p)), max_applications=5.0 * p["max_steps"])
    scale = max(-generator.real_range[0], generator.imaginary_bound, 1e-300)
    gap = found.gap
    if n <= DENSE and not chain.completely_positive(p):  # where the gap is closed, the solver says 0
        gap = min(gap, dense_gap(generator.dense()))
    if gap < -1e-9 * scale:
        message = (
            f"rho diverges: L has an eigenvalue with the real part {-gap:.3g}; the rates are not completely positive, "
            f"their smallest Kossakowski eigenvalue is {chain.min_kossakowski(p):.6g}"
        )
        return chain.failed(Remark(kind="Diverged", message=message), NAMES)
    spins, _ = split_moments(found.r[moment_indices(n)], n)
    status, remark = chain.judged(p)
    if not found.converged:
        message = f"residual {found.residual:.3g}, gap {found.gap:.3g}: not converged to the usual accuracy"
        status, remark = WARNED, Remark(kind="NotConverged", message=message)
    elif not found.unique:
        message = f"the gap is closed ({found.gap:.3g}): the steady state is not unique; given is the one reached from the start"
        status, remark = WARNED, Remark(kind="NotUnique", message=message)
    return {
        "M": spins.mean(axis=0),
        "spins": spins,
        "gap": found.gap,
        "residual": found.residual,
        "min_kossakowski": chain.min_kossakowski(p),
        "status": status,
        "remark": remark,
    }


def _sites(p: dict[str, Any]) -> Mapping[str, Any]:
    tuning = {name: p[name] for name in ("rtol", "atol", "max_steps")}
    rest = settle(chain.build_system(p), 1, chain.start(p), None, **tuning)
    return _settled(p, rest.spins, rest.code, rest.time, rest.derivative, rest.at_rest, rest.stable)


def _uniform(method: str, p: dict[str, Any]) -> Mapping[str, Any]:
    row = chain.bulk(method, p)
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
    outputs = {"M": spins.mean(axis=0), "spins": spins}
    if code != DONE or not at_rest:
        text = "it does not come to rest" if code == DONE else OUTCOME_TEXT[code]
        message = f"no state of rest by t = {time:.6g}: {text}; largest derivative {derivative:.3g}"
        return outputs | {"status": FAILED, "remark": Remark(kind="NotAtRest", message=message)}
    status, remark = chain.judged(p)
    if (longest := float(np.linalg.norm(spins, axis=1).max())) > 1 + 1e-6:
        message = f"the state of rest is no state: a spin has length {longest:.6g} > 1"
        status, remark = WARNED, Remark(kind="OutOfPhysics", message=message)
    elif not stable and status == OK:
        message = "the state of rest is unstable; another start leads elsewhere"
        status, remark = WARNED, Remark(kind="Unstable", message=message)
    return outputs | {"status": status, "remark": remark}


def cost(batch: Batch) -> NDArray[Any]:
    """Relative cost of each point, by size alone."""
    n = float(batch["N"])
    return np.full(batch.size, {"exact": 4.0**n, "mean_field": n}.get(batch.method, 1.0))


def reference(method: str, p: Mapping[str, Any]) -> Mapping[str, Any]:
    """exact: null vector of the Liouvillian matrix of Kronecker products, one row replaced by the trace; mean fields: a long run."""
    if chain.outside(method, p):
        return {}
    if method in chain.UNIFORM:
        return {"M": chain.uniform_reference(method, p, np.array([0.0, 800.0]))[1]}
    if method != "exact":
        return {}
    size = 2 ** p["N"]
    matrix = liouvillian_matrix(chain.build_system(p))
    values = np.sort(np.linalg.eigvals(matrix).real)
    matrix[0] = np.eye(size).ravel()
    right = np.zeros(size * size, dtype=np.complex128)
    right[0] = 1.0
    rho = np.linalg.solve(matrix, right).reshape(size, size).astype(np.complex128)
    spins, _ = density_matrix_moments(rho)
    return {"M": spins.mean(axis=0), "spins": spins, "gap": -values[-2]}


def random_parameters(rng: np.random.Generator) -> dict[str, Any]:
    """Chains of two or three spins with rates on all axes, all completely positive."""
    chosen = chain.random_chain(rng, int(rng.integers(2, 4)))
    return chosen | {"on_site": chosen["on_site"] + 0.1}


_FIG3 = {"B_x": 1.0, "B_y": 1.0, "B_z": -2.5, "V_x": 1.0, "V_y": 2.0, "V_z": 1.0, "Gamma": 0.1}

MODELS = (
    Model(
        id="heisenberg.steady_state",
        title="Steady state of the open Heisenberg chain, exactly and in mean field",
        source=SOURCE,
        methods=(
            Method(
                name="exact",
                meaning="linear system L rho = 0",
                source="Eq. (9), appendix B corrected",
                limit=chain.exact_limit(MOST_EXACT),
            ),
            chain.MEAN_FIELD,
            chain.MEAN_FIELD_UNIFORM,
            chain.PRINTED,
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
            Output(name="M", meaning="mean of <sigma> over the sites", dims=("axis",), symbol=r"\mathbf{M}_{SS}"),
            Output(name="spins", meaning="<sigma_j>", dims=("site", "axis"), symbol=r"\langle\sigma_j\rangle"),
            Output(
                name="gap",
                meaning="minus the largest real part of the other eigenvalues of L",
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
                unit="field",
                symbol=r"\lambda_{\min}(K)",
                methods=("exact",),
            ),
        ),
        dimensions=(SITE, AXIS),
        run=pointwise(solve_one),
        validate=chain.validate,
        cost=cost,
        example=_FIG3 | {"N": 3},
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
        reference=reference,
        reference_tolerance=(1e-7, 1e-8),
        random_parameters=random_parameters,
        unit_of_time=UNIT_OF_TIME,
    ),
)
