"""spin_cat.lindblad: how long the driven-dissipative ensemble keeps a cat when its spins are detuned (Fig. 2).

    d rho/dt = -i [H, rho] + (Gamma2/N^2) D[S_-^2] rho,                                                (1)
    H = (1/2) sum_n delta_n sigma_z^(n) + (eta/N) (e^{i phi} S_-^2 + h.c.)                             (2)

with D[A] rho = A rho A^+ - {A^+ A, rho}/2 and Gamma2 = 1. The parity of the number of excitations is conserved for any
detunings, so that an even or odd cat needs only the 2^(N-1) states of its parity. No output depends on phi, which a turn
about z removes; it is a parameter so that one spec fits all models.

Starts: with tan(theta/2) = sqrt(2 eta/N) and the azimuth -(phi/2 + pi/4) that the dynamics favours,

* cat: |theta> +- |theta, opposite>, the part of the coherent state with an even or odd number of excitations;
* coherent: the spin coherent state itself, of both parities, in all 2^N states;
* four_component: the sum of four coherent states a quarter turn apart, the part with a number of excitations divisible by
  four. It is even, and it is the sum of the basis states of the paper's alternative encoding (section V).

`fidelity` is <start|rho|start>, not its root. `exact` integrates the density matrix; `quantum_jumps` averages wave
functions. Detunings are `detunings` (N,), or delta times standard normals that depend on (seed, realisation, spin) alone:
the same `realisation` is the same sample at every delta, eta and parity, and shares its first spins with every N.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.batch import Batch, Point
from solvers.declarations import TIME, Check, Limit, Output, Parameter, Starter
from solvers.engines.pair_loss.density_matrix import EXCITATIONS, FIDELITY, PURITY, TRACE, evolve
from solvers.engines.pair_loss.parity_basis import ParityBasis, coherent_amplitudes, parity_basis
from solvers.engines.pair_loss.wave_functions import Unravelling, unravel
from solvers.engines.rare_events import allowing_for_unseen, unseen
from solvers.engines.sampling_price import trajectories_to_draw
from solvers.model import Method, Model
from solvers.models.spin_cat.quantum_parameters import (
    SOURCE,
    UNIT_OF_TIME,
    given_detunings,
    parity,
    spins,
    squeezing,
    width,
)
from solvers.numerics.outcome import DONE, MAX_STEPS, OUTCOME_TEXT
from solvers.numerics.random import standard_normals
from solvers.outcome import KIND_OF_CODE, WARNED, Kind, PointFailed, Remark
from solvers.shared_parameters import seed, times, tolerances, trajectories

STEPS = 50_000
"""The default of max_steps."""
STARTS = ("cat", "coherent", "four_component")
MOST_EXACT, MOST_JUMPS = 10, 16
_TRACE_ERROR = 1e-6
_AT_LEAST = 32
FEW = 10.0
"""Trajectories with jumps, below which their scatter does not tell of all that a jump may do."""
QUANTA = 2.0
"""A jump takes two excitations."""


def detunings_of(point: Mapping[str, Any]) -> NDArray[np.float64]:
    """Detunings (N,) of a point, given or drawn."""
    if point["detunings"] is not None:
        return np.asarray(point["detunings"])
    with np.errstate(over="ignore"):
        return np.asarray(point["delta"] * standard_normals(point["seed"], point["realisation"], point["N"]))


def start_state(point: Mapping[str, Any]) -> tuple[ParityBasis, NDArray[np.float64]]:
    """The basis that a point needs and its start in it (d,), real in the frame of `pair_loss`."""
    kind = point["start"]
    block = {"cat": point["parity"], "coherent": "both", "four_component": "even"}[kind]
    basis = parity_basis(point["N"], block)
    tangent = math.sqrt(2.0 * point["eta"] / point["N"])
    if kind != "four_component":
        return basis, coherent_amplitudes(basis.excitations, tangent)
    quarter = basis.excitations % 4 == 0
    amplitudes = np.zeros(len(basis.states))
    amplitudes[quarter] = coherent_amplitudes(basis.excitations[quarter], tangent)
    return basis, amplitudes


def exact(point: Point) -> Mapping[str, Any]:
    """The density matrix in time."""
    basis, start = start_state(point)
    evolution = evolve(
        basis,
        point["eta"],
        detunings_of(point),
        start,
        point["times"],
        rtol=point["rtol"],
        max_steps=point["max_steps"],
    )
    if evolution.code != DONE:
        text = OUTCOME_TEXT[evolution.code]
        if evolution.code == MAX_STEPS:
            text = f"{evolution.steps:.3g} steps are needed and max_steps = {point['max_steps']} allowed"
        raise PointFailed(KIND_OF_CODE[evolution.code], text)
    observed = evolution.observed
    found: dict[str, Any] = {
        "fidelity": np.clip(observed[:, FIDELITY], 0.0, 1.0),  # a loose rtol may leave them by as much
        "purity": np.clip(observed[:, PURITY], 0.0, 1.0),
        "excitations": observed[:, EXCITATIONS],
        "first_bad_time": np.nan,
    }
    bad = np.abs(observed[:, TRACE] - 1.0) > _TRACE_ERROR
    if bad.any():
        first = float(point["times"][np.argmax(bad)])
        message = f"the trace is off by more than {_TRACE_ERROR:g} from t = {first:g} on; lower rtol"
        found |= {"first_bad_time": first, "status": WARNED, "remark": Remark(kind=Kind.INACCURATE, message=message)}
    elif evolution.doubt > point["rtol"]:
        message = (
            f"at rest to rounding; what rates below it do until the last time is known to {evolution.doubt:.1g} only"
        )
        found |= {"status": WARNED, "remark": Remark(kind=Kind.LOST_IN_ROUNDING, message=message)}
    return found


def quantum_jumps(point: Point) -> Mapping[str, Any]:
    """Means over wave functions with jumps, with standard errors.

    The purity is the mean of |<psi|psi'>|^2 over disjoint pairs of trajectories, which is that of the mean density matrix
    without bias.
    """
    basis, start = start_state(point)
    unravelling = unravel(basis, point["eta"], detunings_of(point), start)
    states = unravelling.trajectories(
        np.ascontiguousarray(point["times"]), point.key, point["rtol"], point["max_steps"]
    )
    last = float(point["times"][-1]) if len(point["times"]) else 0.0

    @functools.cache
    def jumped() -> NDArray[np.float64]:
        when = np.ascontiguousarray(point["times"])
        return unravelling.random_by(when, point["trajectories"], point["rtol"], point["max_steps"])

    def error_of(count: int) -> float:
        few = unravelling.trajectories(
            np.ascontiguousarray(point["times"]), point.key, point["rtol"], point["max_steps"]
        )
        return largest_error(averages(unravelling, few, jumped(), count, 0.0))

    most = trajectories_to_draw(
        point["trajectories"],
        unravelling.seconds(last),
        paid=point["max_steps"] / STEPS,
        target_error=point["target_error"],
        first_look=_AT_LEAST,
        error_of=error_of,
    )
    sums = averages(unravelling, states, jumped(), most, point["target_error"])
    found: dict[str, Any] = {name: each.mean for name, each in sums.items()}
    return found | {f"{name}_sem": each.error() for name, each in sums.items()} | {"first_bad_time": np.nan}


def averages(
    unravelling: Unravelling,
    states: Iterator[NDArray[np.complex128]],
    jumped: NDArray[np.float64],
    most: int,
    target_error: float,
) -> dict[str, RunningMean]:
    """Means over at most so many `states` (T, rows, d); fewer where the errors are at most `target_error` before.

    `jumped` (T,) is the probability that a trajectory is not the one without jumps.
    """
    one, pair = jumped, jumped * (2.0 - jumped)
    sums = {
        "fidelity": RunningMean(one, lambda mean: np.maximum(mean, 1.0 - mean)),
        "purity": RunningMean(pair, lambda mean: np.maximum(mean, 1.0 - mean)),
        "excitations": RunningMean(one, lambda mean: np.maximum(mean, QUANTA)),
    }
    before: Any = None
    for number in range(most):
        psi = next(states)
        sums["fidelity"].add(np.abs(np.tensordot(psi, unravelling.start, axes=2)) ** 2)
        sums["excitations"].add(np.tensordot(np.abs(psi) ** 2, unravelling.excitations, axes=2))
        if number % 2:
            sums["purity"].add(np.abs(np.einsum("trk,trk->t", before.conj(), psi)) ** 2)
            if target_error > 0.0 and number + 1 >= _AT_LEAST and largest_error(sums) <= target_error:
                break
        before = psi
    return sums


def largest_error(sums: Mapping[str, RunningMean]) -> float:
    """The largest standard error of all means."""
    return float(max(each.error().max(initial=0.0) for each in sums.values()))


class RunningMean:
    """Mean and standard error (T,) of values that come one after the other, with an allowance for events that none of them had.

    `happened` (T,) is the probability of any; `reach` says how far from a mean (T,) they may take a value.
    """

    def __init__(
        self, happened: NDArray[np.float64], reach: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    ) -> None:
        self._count = 0
        self._mean, self._squares = np.zeros(len(happened)), np.zeros(len(happened))
        self._happened, self._reach = happened, reach

    def add(self, value: NDArray[np.float64]) -> None:
        """Take one more value (T,)."""
        self._count += 1
        change = value - self._mean
        self._mean += change / self._count
        self._squares += change * (value - self._mean)

    @property
    def mean(self) -> NDArray[np.float64]:
        """NaN of no value."""
        return self._mean if self._count else np.full_like(self._mean, np.nan)

    def error(self) -> NDArray[np.float64]:
        """NaN of fewer than two values."""
        if self._count < 2:
            return np.full_like(self._mean, np.nan)
        sem = np.sqrt(self._squares / (self._count * (self._count - 1.0)))
        jumped = self._count * self._happened
        allowing = allowing_for_unseen(sem, self._reach(self._mean), unseen(self._happened, self._count))
        # there is one kind of jump, and many of them have shown what it does
        return np.where(jumped < FEW, allowing, sem)


def cost(batch: Batch) -> NDArray[np.float64]:
    """Products with C: about N^2/16 non-zeros in a row, for every element of the density matrix."""
    n = batch["N"].astype(np.float64)
    return n * n * 4.0**n * np.where(batch["start"] == "coherent", 4.0, 1.0)


def cost_of_jumps(batch: Batch) -> NDArray[np.float64]:
    """Flips of every spin, for every element of a wave function."""
    n = batch["N"].astype(np.float64)
    return n**3 * 2.0**n * batch["trajectories"] * np.where(batch["start"] == "coherent", 2.0, 1.0)


def reference(parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """The full 2^N states, Kronecker products and exponentials of the Liouvillian matrix, phi as it is."""
    from scipy.linalg import expm

    n, eta, phi = parameters["N"], parameters["eta"], parameters["phi"]
    size, one = 2**n, np.eye(2)

    def on_site(matrix: NDArray[Any], site: int) -> NDArray[Any]:
        return np.kron(np.kron(np.eye(2**site), matrix), np.eye(2 ** (n - 1 - site)))

    lower, z = np.array([[0.0, 1.0], [0.0, 0.0]]), np.diag([-1.0, 1.0])  # basis (g, e)
    total = np.sum([on_site(lower, i) for i in range(n)], axis=0)
    detuned = np.sum([d * on_site(z, i) / 2 for i, d in enumerate(detunings_of(parameters))], axis=0)
    pairs = np.exp(1j * phi) * total @ total
    H = detuned + eta / n * (pairs + pairs.conj().T)
    C = total @ total / n
    decay = C.conj().T @ C / 2
    whole = np.eye(size)
    L = np.kron(-1j * H - decay, whole) + np.kron(whole, (1j * H - decay).T) + np.kron(C, C.conj())

    def coherent(azimuth: float) -> NDArray[Any]:
        spin = one[0] + math.sqrt(2 * eta / n) * np.exp(1j * azimuth) * one[1]
        return functools.reduce(np.kron, [spin / np.linalg.norm(spin)] * n)

    azimuth = -(phi / 2 + np.pi / 4)
    kind, odd = parameters["start"], parameters["parity"] == "odd"
    weights = {"coherent": [1], "cat": [1, 0, -1 if odd else 1], "four_component": [1, 1, 1, 1]}[kind]
    start = np.sum([w * coherent(azimuth + m * np.pi / 2) for m, w in enumerate(weights)], axis=0)
    start /= np.linalg.norm(start)
    excited = np.array([np.bitwise_count(i) for i in range(size)], dtype=float)
    rho0 = np.outer(start, start.conj())
    paths = [(expm(t * L) @ rho0.ravel()).reshape(size, size) for t in parameters["times"]]
    return {
        "fidelity": [np.vdot(start, rho @ start).real for rho in paths],
        "purity": [np.vdot(rho, rho).real for rho in paths],
        "excitations": [float(excited @ np.diag(rho).real) for rho in paths],
    }


def random_parameters(rng: np.random.Generator) -> dict[str, Any]:
    """Two to four spins."""
    return {
        "N": int(rng.integers(2, 5)),
        "eta": rng.uniform(0.02, 2.0),
        "phi": rng.uniform(-3, 3),
        "delta": rng.uniform(0, 1.5),
        "realisation": int(rng.integers(0, 1000)),
        "parity": str(rng.choice(["even", "odd"])),
        "start": str(rng.choice(STARTS)),
        "times": [0.0, 0.7, 5.0],
    }


_ATTAINED = "steady state of the symmetric block by singular values of the dense Liouvillian; physics notes, section 2"

MODELS = (
    Model(
        id="spin_cat.lindblad",
        title="A spin cat under pair loss, squeezing and detunings",
        source=SOURCE,
        methods=(
            Method(
                name="exact",
                meaning="density matrix of the parity block",
                source=SOURCE,
                solve=exact,
                reference=reference,
                cost=cost,
                limit=Limit(
                    text=f"N <= {MOST_EXACT} (density matrices of 16 x 4^(N-1) bytes: 14 of them, 0.1 GiB, at N = 10)",
                    holds=lambda p: np.asarray(p["N"]) <= MOST_EXACT,
                ),
            ),
            Method(
                name="quantum_jumps",
                meaning="wave functions of the parity block with random pair losses; means with standard errors",
                source=SOURCE,
                solve=quantum_jumps,
                cost=cost_of_jumps,
                draws_numbers=True,
                limit=Limit(
                    text=f"N <= {MOST_JUMPS} (about 60 wave functions of 16 x 2^(N-1) bytes, and two for each time)",
                    holds=lambda p: np.asarray(p["N"]) <= MOST_JUMPS,
                ),
            ),
        ),
        dimensions=(TIME,),
        parameters=(
            spins(8, 64),
            *squeezing(0.2),
            given_detunings("delta"),
            width(),
            Parameter(
                name="realisation",
                meaning="which sample of drawn detunings",
                label="realisation",
                default=0,
                kind="integer",
                bounds=(0, 2.0**53),
            ),
            seed(),
            parity(),
            Parameter(
                name="start",
                meaning="start, and what the fidelity is with: cat of `parity`, or a state that has no choice of it",
                default="cat",
                kind="choice",
                choices=STARTS,
            ),
            times([0.0, 50.0, 100.0, 150.0, 200.0], UNIT_OF_TIME),
            trajectories(),
            Parameter(
                name="target_error",
                meaning="standard error of all outputs at which sampling stops, `trajectories` being the most; 0: off",
                default=0.0,
                bounds=(0.0, math.inf),
                physical=False,
            ),
            *tolerances(max_steps=STEPS),
        ),
        outputs=(
            Output(
                name="fidelity",
                meaning="fidelity with the start",
                dims=("time",),
                symbol=r"F",
                bounds=(0.0, 1.0),
            ),
            Output(
                name="purity",
                meaning="Tr rho^2",
                label="purity",
                dims=("time",),
                symbol=r"\mathrm{Tr}\,\rho^2",
                bounds=(0.0, 1.0),
                nan="a single trajectory has none",
            ),
            Output(
                name="excitations",
                meaning="mean number of excited spins",
                dims=("time",),
                symbol=r"\langle{n}\rangle",
                bounds=(0.0, 64.0),
            ),
            *(
                Output(
                    name=f"{name}_sem",
                    meaning=f"standard error of {name}",
                    dims=("time",),
                    methods=("quantum_jumps",),
                    nan=f"there are fewer than two {what}",
                )
                for name, what in (
                    ("fidelity", "trajectories"),
                    ("purity", "pairs of trajectories"),
                    ("excitations", "trajectories"),
                )
            ),
            Output(
                name="first_bad_time",
                meaning="first time at which the trace is no longer 1",
                label="first bad time",
                nan="it always is",
                unit=UNIT_OF_TIME,
            ),
        ),
        example={"N": 6, "eta": 0.2, "delta": 0.01, "parity": "odd", "times": [0.0, 20.0, 50.0, 100.0]},
        starter=Starter(
            axes={"delta": {"values": [0.003, 0.01, 0.03]}}, parameters={"times": np.linspace(0.0, 200.0, 41).tolist()}
        ),
        checks=(
            Check(
                parameters={"N": 8, "eta": 0.2, "times": [200.0]},
                expect={"fidelity": 0.997900465455, "excitations": 0.177084817989, "purity": 0.999997405897},
                atol=1e-6,
                origin=_ATTAINED + " (Fig. 2: .998)",
            ),
            Check(
                parameters={"N": 8, "eta": 0.2, "parity": "odd", "times": [200.0]},
                expect={"fidelity": 0.994804563627, "excitations": 1.08223637463, "purity": 0.999991773642},
                atol=1e-6,
                origin=_ATTAINED + " (Fig. 2: .995)",
            ),
            Check(
                parameters={"N": 4, "eta": 0.0, "parity": "odd", "detunings": [0.3, -0.1, 0.2, -0.4], "times": [2.0]},
                expect={
                    "fidelity": abs(np.exp(-2j * np.array([0.3, -0.1, 0.2, -0.4])).mean()) ** 2,
                    "purity": 1.0,
                    "excitations": 1.0,
                },
                atol=1e-9,
                origin="closed form: one shared excitation has no partner to be lost with, and dephases freely",
            ),
            Check(
                method="quantum_jumps",
                parameters={"N": 4, "eta": 0.0, "parity": "odd", "detunings": [0.3, -0.1, 0.2, -0.4], "times": [2.0]},
                expect={
                    "fidelity": abs(np.exp(-2j * np.array([0.3, -0.1, 0.2, -0.4])).mean()) ** 2,
                    "purity": 1.0,
                    "excitations": 1.0,
                },
                atol=1e-8,
                origin="closed form, as for exact: there is no jump",
            ),
            Check(
                method="quantum_jumps",
                parameters={"N": 2, "eta": 0.75, "trajectories": 2000, "times": [30.0]},
                expect={"excitations": 2 * 4 * 0.75**2 / (8 * 0.75**2 + 1)},
                atol=0.1,
                origin="closed form of two spins, see spin_cat.steady_state; five standard errors of 2000 trajectories",
            ),
        ),
        reference_tolerance=(1e-6, 1e-7),
        random_parameters=random_parameters,
        unit_of_time=UNIT_OF_TIME,
    ),
)
