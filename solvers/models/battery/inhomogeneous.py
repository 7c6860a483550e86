"""battery.inhomogeneous: release from emitters of different frequencies and couplings (the extension of section V).

    H = sum_i Delta_i sigma_iz/2,   gamma D[sigma_i-] each,   Gamma D[sum_i g_i sigma_i-] during discharge

Start: all inverted, then Gamma off for `tau_s`. No coherence <sigma_i+> ever arises. Second-order cumulants with
z_i = <s_iz>, C_ij = <s_i+ s_j-> (Hermitian), Z_ij = <s_iz s_jz>, i != j, and A_j = sum_{k != j} g_k C_kj:

    dz_i  = -(gamma+Gamma g_i^2)(1+z_i) - 2 Gamma g_i Re A_i
    dC_ij = [i(Delta_i-Delta_j) - gamma - Gamma (g_i^2+g_j^2)/2] C_ij + Gamma g_i g_j [(z_i+z_j)/4 + Z_ij/2]
            + (Gamma/2) [g_i z_i (A_j - g_i C_ij) + g_j z_j (A_i^* - g_j C_ij)]
    dZ_ij = -(gamma+Gamma g_i^2)(z_j+Z_ij) - (gamma+Gamma g_j^2)(z_i+Z_ij) + 4 Gamma g_i g_j Re C_ij
            - 2 Gamma Re[g_i z_j (A_i - g_j C_ji) + g_j z_i (A_j - g_i C_ij)]

(physics document, section 7, with the closure <z_i s_k+ s_j-> = z_i C_kj summed over k through A: O(N^2) per step). The
rotation Delta_i - Delta_j is slow against Gamma N or limits the explicit steps; both are followed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import scipy.sparse as sparse
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from scipy.linalg import expm
from scipy.sparse.linalg import expm_multiply

from solvers.batch import Point
from solvers.declarations import SITE, TIME, Check, Limit, Output, Parameter, Starter
from solvers.model import Method, Model
from solvers.models.battery import declarations as declare
from solvers.models.battery.points import must_have_ended
from solvers.models.battery.reference import DenseBattery, liouvillian, site_operators
from solvers.numerics.compile import FASTMATH, entry, kernel
from solvers.numerics.runge_kutta import runge_kutta
from solvers.outcome import WARNED, Kind, Remark
from solvers.shared_parameters import times, tolerances

LARGEST_CUMULANT, LARGEST_DENSE = 1000, 8
LARGEST_DENSE_PROPAGATOR = 300
SLACK = 1e-6


@kernel(fastmath=FASTMATH)
def d_sites(t, y, p, dy):
    """y (N + 3 N^2,): z, then Re C, Im C and Z as full matrices whose diagonals stay zero."""
    gamma, Gamma, detunings, g = p
    N = g.size
    z, dz = y[:N], dy[:N]
    parts, d_parts = y[N:].reshape((3, N, N)), dy[N:].reshape((3, N, N))
    real, imag, Z = parts[0], parts[1], parts[2]
    A_re, A_im = np.zeros(N), np.zeros(N)
    for k in range(N):
        for j in range(N):
            A_re[j] += g[k] * real[k, j]
            A_im[j] += g[k] * imag[k, j]
    for i in range(N):
        dz[i] = -(gamma + Gamma * g[i] * g[i]) * (1.0 + z[i]) - 2.0 * Gamma * g[i] * A_re[i]
        own = gamma + Gamma * g[i] * g[i]
        for j in range(N):
            gg = g[i] * g[j]
            turn = detunings[i] - detunings[j]
            # the last two terms take out of A what k = i, j would contribute
            decay = gamma + 0.5 * Gamma * (g[i] * g[i] * (1.0 + z[i]) + g[j] * g[j] * (1.0 + z[j]))
            c_re, c_im = real[i, j], imag[i, j]
            source = Gamma * gg * (0.25 * (z[i] + z[j]) + 0.5 * Z[i, j])
            left, right = 0.5 * Gamma * g[i] * z[i], 0.5 * Gamma * g[j] * z[j]
            d_parts[0, i, j] = -turn * c_im - decay * c_re + source + left * A_re[j] + right * A_re[i]
            d_parts[1, i, j] = turn * c_re - decay * c_im + left * A_im[j] - right * A_im[i]
            other = gamma + Gamma * g[j] * g[j]
            bracket = g[i] * z[j] * A_re[i] + g[j] * z[i] * A_re[j] - gg * (z[i] + z[j]) * c_re
            d_parts[2, i, j] = (
                -own * (z[j] + Z[i, j]) - other * (z[i] + Z[i, j]) + 4.0 * Gamma * gg * c_re - 2.0 * Gamma * bracket
            )
        d_parts[0, i, i] = 0.0
        d_parts[1, i, i] = 0.0
        d_parts[2, i, i] = 0.0


integrate = runge_kutta(d_sites)


@entry
def discharge_sites(y, gamma, Gamma, detunings, couplings, times, rtol, atol, max_steps):
    """Carry y (see `d_sites`) through `times`; (code, z at `times` (T, N))."""
    rows = np.empty((times.size, y.size))
    code, _, _ = integrate((gamma, Gamma, detunings, couplings), y, times, rows, rtol, atol, max_steps)
    return code, rows[:, : couplings.size].copy()


def inversions_by_cumulants(p: Mapping[str, Any]) -> NDArray[np.float64]:
    """z (T, N) by site-resolved cumulants."""
    N = p["N"]
    start = 2.0 * math.exp(-p["gamma"] * p["tau_s"]) - 1.0
    y = np.zeros(N + 3 * N * N)
    y[:N] = start
    y[N + 2 * N * N :] = (start * start * (1.0 - np.eye(N))).ravel()
    sites = (np.ascontiguousarray(p["detunings"]), np.ascontiguousarray(p["couplings"]))
    control = (p["rtol"], p["atol"], p["max_steps"])
    code, z = discharge_sites(y, p["gamma"], p["Gamma"], *sites, np.ascontiguousarray(p["times"]), *control)
    must_have_ended(code)
    return np.asarray(z)


def inversions_by_density_matrix(p: Mapping[str, Any]) -> NDArray[np.float64]:
    """z (T, N) by the density matrix, of which only blocks of equal excitation number on both sides are ever filled."""
    N, decay = p["N"], p["gamma"] * p["tau_s"]
    lower, z = site_operators(N)
    radiating = sum(float(g) * s for g, s in zip(p["couplings"], lower, strict=True))
    hamiltonian = 0.5 * sum(float(d) * s for d, s in zip(p["detunings"], z, strict=True))
    excitations = np.array([N - bin(i).count("1") for i in range(2**N)])
    inside = np.flatnonzero((excitations[:, None] == excitations[None, :]).ravel())
    jumps = [(p["Gamma"], radiating), *((p["gamma"], s) for s in lower)]
    generator = sparse.csr_array(liouvillian(jumps, hamiltonian)[inside][:, inside])
    survival = math.exp(-decay)
    weights = survival**excitations * (-math.expm1(-decay)) ** (N - excitations)
    state = np.diag(weights.astype(complex)).ravel()[inside]
    readers = np.stack([s.toarray().ravel()[inside] for s in z]).real
    out = np.empty((len(p["times"]), N))
    now, step, propagator = 0.0, math.nan, np.empty((0, 0))
    for row, t in enumerate(p["times"]):
        if t > now and len(inside) <= LARGEST_DENSE_PROPAGATOR:
            if not math.isclose(t - now, step, rel_tol=1e-14):
                step = t - now
                propagator = expm(generator.toarray() * step)
            state = propagator @ state
        elif t > now:
            state = expm_multiply(generator * (t - now), state)
        now = t
        out[row] = (readers @ state).real
    return out


def first_unphysical(when: NDArray[np.float64], excited: NDArray[np.float64]) -> float:
    """The first time at which a probability leaves [0, 1] by more than an integration can miss it; NaN if none does."""
    bad = np.any((excited < -SLACK) | (excited > 1.0 + SLACK), axis=1)
    return float(when[np.argmax(bad)]) if bad.any() else math.nan


def solve(inversions: Callable[[Mapping[str, Any]], NDArray[np.float64]], p: Point) -> dict[str, Any]:
    """All outputs from the inversions z (T, N) that a method finds."""
    z = inversions(p)
    excited = 0.5 * (1.0 + z)
    first = first_unphysical(p["times"], excited)
    outputs: dict[str, Any] = {"M": 0.5 * z.sum(axis=1), "excited": excited, "first_bad_time": first}
    if math.isfinite(first):
        message = (
            f"an emitter's probability of being excited leaves [0, 1] at t = {first:g}: the closure has left physics"
        )
        outputs |= {"status": WARNED, "remark": Remark(kind=Kind.OUT_OF_PHYSICS, message=message)}
    return outputs


def d_pairs(moments: NDArray[Any], p: Mapping[str, Any]) -> NDArray[Any]:
    """The derivative by triple sums over sites, complex: z (N), C (N, N), Z (N, N) in one array."""
    N, gamma, Gamma, g, Delta = p["N"], p["gamma"], p["Gamma"], p["couplings"], p["detunings"]
    z, C, Z = moments[:N], moments[N : N + N * N].reshape(N, N), moments[N + N * N :].reshape(N, N)
    dz, dC, dZ = np.zeros(N, complex), np.zeros((N, N), complex), np.zeros((N, N), complex)
    sites = range(N)
    for i in sites:
        dz[i] = -(gamma + Gamma * g[i] ** 2) * (1 + z[i])
        for j in sites:
            if j == i:
                continue
            dz[i] -= 2 * Gamma * g[i] * g[j] * C[i, j].real
            rate = 1j * (Delta[i] - Delta[j]) - gamma - 0.5 * Gamma * (g[i] ** 2 + g[j] ** 2)
            dC[i, j] = rate * C[i, j] + Gamma * g[i] * g[j] * ((z[i] + z[j]) / 4 + Z[i, j] / 2)
            dZ[i, j] = -(gamma + Gamma * g[i] ** 2) * (z[j] + Z[i, j]) - (gamma + Gamma * g[j] ** 2) * (z[i] + Z[i, j])
            dZ[i, j] += 4 * Gamma * g[i] * g[j] * C[i, j].real
            for k in sites:
                if k not in (i, j):
                    dC[i, j] += 0.5 * Gamma * g[k] * (g[i] * z[i] * C[k, j] + g[j] * z[j] * C[i, k])
                    dZ[i, j] -= 2 * Gamma * g[k] * (g[i] * z[j] * C[k, i] + g[j] * z[i] * C[k, j]).real
    return np.concatenate([dz, dC.ravel(), dZ.ravel()])


def reference_exact(p: Mapping[str, Any]) -> dict[str, NDArray[np.float64]]:
    """By the full dense matrix."""
    sites = {name: np.asarray(p[name], dtype=float) for name in ("detunings", "couplings")}
    battery = DenseBattery(p["N"], True, **sites)
    battery.evolve(p["tau_s"], p["gamma"], 0.0)
    rows, now = [], 0.0
    for t in np.asarray(p["times"], dtype=float):
        battery.evolve(t - now, p["gamma"], p["Gamma"])
        now = t
        rows.append([battery.expect(s) for s in battery.z])
    z = np.array(rows)
    return {"M": 0.5 * z.sum(axis=1), "excited": 0.5 * (1.0 + z)}


def reference_cumulant(p: Mapping[str, Any]) -> dict[str, NDArray[np.float64]]:
    """By the triple sums through DOP853."""
    N = p["N"]
    first = 2.0 * math.exp(-p["gamma"] * p["tau_s"]) - 1.0
    start = np.concatenate([np.full(N, first), np.zeros(N * N), (first**2 * (1 - np.eye(N))).ravel()])
    grid, place = np.unique(np.concatenate([[0.0], np.asarray(p["times"], dtype=float)]), return_inverse=True)
    solution = solve_ivp(
        lambda _, y: d_pairs(y, p), (0.0, grid[-1]), start.astype(complex), "DOP853", grid, rtol=1e-11, atol=1e-12
    )
    z = solution.y[:N, place[1:]].T.real
    return {"M": 0.5 * z.sum(axis=1), "excited": 0.5 * (1.0 + z)}


def random_parameters(rng: np.random.Generator) -> dict[str, Any]:
    N = int(rng.integers(1, 6))
    return {
        "N": N,
        "Gamma": float(rng.uniform(0.0, 10.0)),
        "gamma": float(rng.uniform(0.0, 2.0)),
        "detunings": rng.normal(size=N) * 5.0,
        "couplings": rng.uniform(0.3, 1.5, size=N),
        "tau_s": float(rng.uniform(0.0, 0.5)),
        "times": [0.0, 0.03, 0.3],
    }


def per_site(name: str, meaning: str, unit: str, symbol: str) -> Parameter:
    return Parameter(name=name, meaning=meaning, default=0.0, unit=unit, symbol=symbol, dims=("N",))


MODELS = (
    Model(
        id="battery.inhomogeneous",
        title="Release of energy from emitters with different frequencies and couplings",
        source=f"{declare.SOURCE}, section V (outlook)",
        methods=(
            Method(
                name="cumulant",
                meaning="site-resolved second-order cumulants",
                source="physics document, section 7",
                solve=partial(solve, inversions_by_cumulants),
                reference=reference_cumulant,
                limit=Limit(text=f"N <= {LARGEST_CUMULANT}", holds=lambda p: np.asarray(p["N"]) <= LARGEST_CUMULANT),
            ),
            Method(
                name="exact",
                meaning="density matrix, in blocks of equal excitation number",
                solve=partial(solve, inversions_by_density_matrix),
                reference=reference_exact,
                limit=Limit(text=f"N <= {LARGEST_DENSE}", holds=lambda p: np.asarray(p["N"]) <= LARGEST_DENSE),
            ),
        ),
        parameters=(
            Parameter(
                name="N",
                meaning="number of emitters",
                default=4,
                kind="integer",
                bounds=(1, LARGEST_CUMULANT),
                shape=True,
            ),
            declare.GAMMA_COLLECTIVE,
            declare.GAMMA,
            per_site("detunings", "detuning Delta_i of each emitter from the cavity", "gamma", r"\Delta_i"),
            per_site("couplings", "relative coupling g_i of each emitter to the cavity", "1", "g_i"),
            declare.duration("tau_s", "storage time before the discharge", 0.0, r"\tau_s"),
            times(np.linspace(0.0, 1.0, 11).tolist(), "1/gamma"),
            *tolerances(),
        ),
        dimensions=(TIME, SITE),
        outputs=(
            Output(name="M", meaning="M = <S_z>", label="inversion", dims=("time",), symbol="M"),
            Output(
                name="excited",
                meaning="probability that an emitter is excited (a closure may leave [0, 1])",
                label="excitation probability",
                dims=("time", "site"),
            ),
            Output(
                name="first_bad_time",
                meaning="first output time at which a probability leaves [0, 1]",
                label="first bad time",
                unit="1/gamma",
                nan="the moments never left physics",
            ),
        ),
        example={
            "N": 20,
            "Gamma": 50.0,
            "detunings": np.linspace(-20.0, 20.0, 20).tolist(),
            "couplings": 1.0,
            "tau_s": 0.1,
            "times": np.linspace(0.0, 0.2, 21).tolist(),
        },
        starter=Starter(
            axes={"Gamma": {"values": [2.0, 10.0, 50.0]}}, parameters={"times": np.linspace(0.0, 0.2, 81).tolist()}
        ),
        checks=(
            Check(
                method="exact",
                parameters={"N": 3, "tau_s": 0.2, "times": [0.1, 0.4], "detunings": [1.0, 2.0, 3.0]},
                expect={"M": 3.0 * (np.exp([-0.3, -0.6]) - 0.5)},
                origin="without couplings every emitter decays by itself",
                atol=1e-10,
            ),
            Check(
                method="cumulant",
                parameters={"N": 2, "Gamma": 3.0, "gamma": 0.0, "couplings": 1.0, "times": [0.25]},
                expect={"M": [2.0 * np.exp(-1.5) + 1.5 * np.exp(-1.5) - 1.0]},
                origin="two equal emitters: |1,1> -> |1,0> -> |1,-1> at 2 Gamma each; second order is exact",
                atol=1e-7,
            ),
        ),
        reference_tolerance=(1e-6, 2e-8),
        random_parameters=random_parameters,
        unit_of_time="1/gamma",
    ),
)
