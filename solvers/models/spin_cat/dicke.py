"""spin_cat.dicke: amplitude of N symmetric spins in time, the plateau it stays on, and how fast it leaves it (Fig. 3).

Without detunings the symmetric states are enough. The start is the coherent state of the oscillator
with alpha = sqrt(2 eta) e^{-i (phi/2 + pi/4)}, cut at N quanta and normalised. <a> joins even with odd numbers, and the
even-odd block has no steady state: |<a>| rests on a plateau and leaves it as e^{-|lambda| T}, with a rate that grows from
nothing to order one around eta = N/10. The steady |<a>| is 0 at every eta > 0, and where Fig. 3 drops depends on the
time T that its caption leaves out: at N = 100 half the height is left at eta = 12.6, 11.2, 10.5, 9.9, 9.5 for
T = 10, 10^2, 10^3, 10^4, 10^5. The plateau is near sqrt(N n), n = (1 - sqrt(1 - 8 eta/N))/2, the classical collective
spin's of conserved length. Slow modes come from sparse factorisations, and what else there is
from a series and a few Krylov spaces.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.batch import Batch, Point
from solvers.declarations import TIME, Check, Output, Starter
from solvers.engines.pair_loss.ladder import EVEN, ODD, Ladder, amplitude, excitations
from solvers.model import Method, Model
from solvers.models.spin_cat.quantum_parameters import SOURCE, UNIT_OF_TIME, spins, squeezing
from solvers.models.spin_cat.reference import coherent_start, liouvillian, symmetric_operators
from solvers.models.spin_cat.steady_state import LIMIT, MOST
from solvers.models.spin_cat.unresolved import unresolved
from solvers.shared_parameters import times, tolerances


def exact(point: Point) -> Mapping[str, Any]:
    """Slow mode and transients of the three blocks."""
    n, when = point["N"], point["times"]
    ladder = Ladder(n, point["eta"], 0.01 * point["rtol"], point["max_steps"])
    found: dict[str, Any] = {"first_bad_time": np.nan}
    if point.wants("amplitude"):
        found["amplitude"] = np.abs(amplitude(ladder.coherences(when)))
    if point.wants("coherence_rate"):
        found["coherence_rate"] = ladder.rate.real
    if point.wants("plateau"):
        found["plateau"] = abs(amplitude(ladder.slow_coherence(np.zeros(1)))[0]) if ladder.coherence.alone else np.nan
    if point.wants("excitations"):
        found["excitations"] = np.sum(
            [
                np.diagonal(ladder.populations(parity, when), axis1=1, axis2=2) @ excitations(n, parity)
                for parity in (EVEN, ODD)
            ],
            axis=0,
        )
    if point.wants("amplitude") and when.size:
        found |= unresolved(ladder, when[-1], "the amplitude")
    return found


def reference(parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """Exponentials of the dense generator of all N + 1 states, with phi as it is."""
    from scipy.linalg import expm

    n, eta, phi = parameters["N"], parameters["eta"], parameters["phi"]
    a = np.diag(np.sqrt(np.arange(1, n + 1)), 1)
    L, start = liouvillian(*symmetric_operators(n, eta, phi)), coherent_start(n, eta, phi)
    rho0 = np.outer(start, start.conj())
    paths = [(expm(t * L) @ rho0.ravel()).reshape(rho0.shape) for t in parameters["times"]]
    return {
        "amplitude": [abs(np.trace(a @ rho)) for rho in paths],
        "excitations": [np.trace(a.T @ a @ rho).real for rho in paths],
    }


def random_parameters(rng: np.random.Generator) -> dict[str, Any]:
    """Up to twelve spins."""
    n = int(rng.integers(2, 13))
    return {
        "N": n,
        "eta": rng.uniform(0.01, 0.5) * n,
        "phi": rng.uniform(-3, 3),
        "times": [0.0, 0.05, 1.0, 30.0],
    }


def cost(batch: Batch) -> NDArray[np.float64]:
    """Factorisations of (N/2)^2 unknowns on a plane."""
    return batch["N"].astype(np.float64) ** 3 + 1e4


_EIGENVECTORS = (
    "left and right slowest eigenvectors of the even-odd Liouvillian block; physics notes, section 2 and Fig. 3"
)

MODELS = (
    Model(
        id="spin_cat.dicke",
        title="Amplitude of symmetric spins under pair loss and squeezing: plateau and decay",
        source=SOURCE + ", Fig. 3",
        methods=(
            Method(
                name="exact",
                meaning="slow modes and Krylov spaces of the blocks of symmetric states",
                source=SOURCE,
                solve=exact,
                reference=reference,
                cost=cost,
                limit=LIMIT,
            ),
        ),
        dimensions=(TIME,),
        parameters=(
            spins(100, 1e6),
            *squeezing(5.0, 1e6),
            times([10.0, 100.0, 1e3, 1e4, 1e5], UNIT_OF_TIME),
            *tolerances(max_steps=200),
        ),
        outputs=(
            Output(
                name="amplitude",
                meaning="|<a>|",
                label="amplitude",
                dims=("time",),
                symbol=r"|\langle{a}\rangle|",
                bounds=(0.0, math.inf),
            ),
            Output(
                name="excitations",
                meaning="mean number of excited spins",
                dims=("time",),
                symbol=r"\langle{n}\rangle",
                bounds=(0.0, float(MOST)),
            ),
            Output(
                name="coherence_rate",
                meaning="real part of the even-odd eigenvalue nearest to zero, 0 where it is below rounding",
                label="coherence rate",
                unit="Gamma2",
                symbol=r"\lambda",
                bounds=(-math.inf, 0.0),
            ),
            Output(
                name="plateau",
                label="amplitude of the slow mode",
                meaning="amplitude of that mode at t = 0",
                symbol=r"A_0",
                bounds=(0.0, math.inf),
                nan="two modes coincide, and no amplitude is that of one of them",
            ),
            Output(
                name="first_bad_time",
                meaning="first time at which a monitor fails; there is none to fail",
                label="first bad time",
                nan="always: the method is exact",
                unit=UNIT_OF_TIME,
            ),
        ),
        example={"N": 60, "eta": 6.5, "times": [0.1, 10.0, 100.0, 1e3, 1e4, 1e5]},
        starter=Starter(axes={"eta": {"linspace": [3.0, 7.0, 33]}}),
        checks=(
            Check(
                parameters={"eta": 5.0, "times": [100.0]},
                expect={"amplitude": 3.35962868416, "plateau": 3.35962868416, "excitations": 11.2919001481},
                atol=1e-7,
                origin=_EIGENVECTORS,
            ),
            Check(
                parameters={"eta": 10.0, "times": [1e3, 1e4]},
                expect={"amplitude": [4.83445104428, 2.13355379505], "plateau": 5.29442346259},
                atol=1e-4,
                origin=_EIGENVECTORS,
            ),
            Check(
                parameters={"eta": 10.0},
                expect={"coherence_rate": -9.08865051973e-05},
                rtol=1e-6,
                origin=_EIGENVECTORS,
            ),
            Check(
                parameters={"eta": 12.0, "times": [100.0]},
                expect={"amplitude": 0.150359996741, "coherence_rate": -0.0374051950038},
                rtol=1e-7,
                origin=_EIGENVECTORS,
            ),
        ),
        random_parameters=random_parameters,
        reference_tolerance=(1e-7, 1e-8),
        unit_of_time=UNIT_OF_TIME,
    ),
)
