"""spin_cat.steady_state: what the dissipation stabilises when no spin is detuned.

Without detunings S^2 is conserved and a symmetric start stays in the N + 1 symmetric states. Every
parity has one steady state there. For finite N it is not quite a cat: no state is dark, since S_-^2 is nilpotent, and at
N = 8, eta = 0.2 the purity is 0.999997 (even) and the fidelity with the cat tan(theta/2) = sqrt(2 eta/N) is 0.9979 (even)
and 0.9948 (odd), the values that Fig. 2 quotes. No output depends on phi.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from solvers.batch import Batch, Point
from solvers.declarations import Check, Limit, Output, Starter
from solvers.engines.pair_loss.ladder import excitations, steady_state
from solvers.engines.pair_loss.parity_basis import PARITIES
from solvers.model import Method, Model
from solvers.models.spin_cat.quantum_parameters import SOURCE, parity, spins, squeezing
from solvers.models.spin_cat.reference import liouvillian, symmetric_operators
from solvers.outcome import WARNED, Kind, Remark

MOST = 400
LIMIT = Limit(
    text=f"N <= {MOST} (sparse factorisations of (N/2)^2 unknowns: 0.1 GiB at N = 400)",
    holds=lambda p: np.asarray(p["N"]) <= MOST,
)
_RESIDUAL = 1e-9


def cat_amplitudes(n: int, eta: float, k: NDArray[np.float64]) -> NDArray[np.float64]:
    """Amplitudes of the cat over symmetric states of k excitations: sqrt(binomial(N, k)) tan(theta/2)^k, normalised."""
    if eta == 0.0:
        return (k == k.min()).astype(np.float64)
    weights = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
    exponents = 0.5 * (weights + k * math.log(2.0 * eta / n))
    amplitudes = np.exp(exponents - exponents.max())
    return np.asarray(amplitudes / np.linalg.norm(amplitudes))


def exact(point: Point) -> Mapping[str, Any]:
    """The null vector of the block's generator."""
    n, eta, which = point["N"], point["eta"], PARITIES.index(point["parity"])
    found = steady_state(n, eta, which)
    k = excitations(n, which)
    cat = cat_amplitudes(n, eta, k)
    outputs = {
        "fidelity": cat @ found.rho @ cat,
        "purity": np.sum(found.rho**2),
        "excitations": k @ np.diag(found.rho),
        "gap": found.gap if len(k) > 1 else np.nan,
        "residual": found.residual,
    }
    if found.residual > _RESIDUAL * max(found.gap, 1e-300) and len(k) > 1:
        message = f"the residual {found.residual:.1g} is not small beside the gap {found.gap:.1g}"
        return outputs | {"status": WARNED, "remark": Remark(kind=Kind.NOT_CONVERGED, message=message)}
    return outputs


def reference(parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """The null vector, by singular values, of the dense generator of all N + 1 symmetric states with phi as it is."""
    n, eta, phi = parameters["N"], parameters["eta"], parameters["phi"]
    C, H = symmetric_operators(n, eta, phi)
    keep = np.arange(PARITIES.index(parameters["parity"]), n + 1, 2)
    L = liouvillian(C[np.ix_(keep, keep)], H[np.ix_(keep, keep)])
    rho = np.linalg.svd(L)[2][-1].conj().reshape(len(keep), len(keep))
    rho = rho / np.trace(rho)
    cat = np.array([math.sqrt(math.comb(n, i) * (2 * eta / n) ** i) for i in keep])
    cat = cat * np.exp(-1j * (phi / 2 + np.pi / 4) * keep) / np.linalg.norm(cat)
    return {
        "fidelity": np.vdot(cat, rho @ cat).real,
        "purity": np.vdot(rho, rho).real,
        "excitations": float(keep @ np.diag(rho).real),
    }


def random_parameters(rng: np.random.Generator) -> dict[str, Any]:
    """Up to twenty spins."""
    n = int(rng.integers(2, 21))
    return {
        "N": n,
        "eta": rng.uniform(0.01, 0.5) * n,
        "phi": rng.uniform(-3, 3),
        "parity": str(rng.choice(PARITIES)),
    }


def cost(batch: Batch) -> NDArray[np.float64]:
    """Factorisation of (N/2)^2 unknowns on a plane."""
    return batch["N"].astype(np.float64) ** 3 + 1e4


_NULL_VECTOR = "singular values of the dense Liouvillian block; physics notes, section 2"

MODELS = (
    Model(
        id="spin_cat.steady_state",
        title="Steady states of both parities under pair loss and squeezing, no detunings",
        source=SOURCE,
        methods=(
            Method(
                name="exact",
                meaning="null vector of the parity block of symmetric states",
                source=SOURCE,
                solve=exact,
                reference=reference,
                cost=cost,
                limit=LIMIT,
            ),
        ),
        parameters=(spins(8, 1e6), *squeezing(0.2, 1e6), parity()),
        outputs=(
            Output(
                name="fidelity",
                meaning="overlap with the cat of the same parity, tan(theta/2) = sqrt(2 eta/N)",
                label="fidelity with the cat",
                symbol="F",
                bounds=(0.0, 1.0),
            ),
            Output(name="purity", meaning="Tr rho^2", label="purity", symbol=r"\mathrm{Tr}\,\rho^2", bounds=(0.0, 1.0)),
            Output(
                name="excitations",
                meaning="mean number of excited spins",
                symbol=r"\langle{n}\rangle",
                bounds=(0.0, float(MOST)),
            ),
            Output(
                name="gap",
                meaning="decay rate of the next of the modes nearest to zero",
                label="gap",
                unit="Gamma2",
                symbol=r"\Delta",
                nan="there is only one state",
            ),
            Output(name="residual", meaning="|d rho/dt| of the state found", label="residual", unit="Gamma2"),
        ),
        example={"N": 8, "eta": 0.2, "parity": "odd"},
        starter=Starter(axes={"eta": {"linspace": [0.1, 2.0, 20]}}),
        checks=(
            Check(
                parameters={"N": 8, "eta": 0.2},
                expect={"fidelity": 0.997900465455, "excitations": 0.177084817989, "purity": 0.999997405897},
                atol=1e-8,
                origin=_NULL_VECTOR,
            ),
            Check(
                parameters={"N": 8, "eta": 0.2, "parity": "odd"},
                expect={"fidelity": 0.994804563627, "excitations": 1.08223637463, "purity": 0.999991773642},
                atol=1e-8,
                origin=_NULL_VECTOR,
            ),
            Check(
                parameters={"N": 2, "eta": 0.75},
                expect={"excitations": 2 * 4 * 0.75**2 / (8 * 0.75**2 + 1)},
                rtol=1e-10,
                origin="closed form: the two even states of two spins are a driven two-level system with Rabi frequency "
                "2 eta and decay rate 1, excited with probability 4 eta^2/(8 eta^2 + 1)",
            ),
        ),
        random_parameters=random_parameters,
        reference_tolerance=(1e-8, 1e-9),
    ),
)
