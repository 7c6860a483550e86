"""spin_cat.wigner: the Wigner function of N symmetric spins as an oscillator (bottom of Fig. 3).

State and start are those of `spin_cat.dicke`, S_- = sqrt(N - a^+ a) a. At N = 100, eta = 5 it stays one blob at
|alpha| = 3.25, on the ray -(phi/2 + pi/4); at eta = 12 it tunnels, and there are two of |alpha| = 6.25, a half turn
apart: .185 and .065 high at t = 20, both .125 at t = 1000.

    W(x, p) = (1/pi) integral <x + y| rho |x - y> e^{-2 i p y} dy,   x = (a + a^+)/sqrt 2,   integral of W = 1
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.batch import Batch, Point
from solvers.declarations import Check, Dimension, Output, Parameter, Starter
from solvers.engines.pair_loss.ladder import EVEN, ODD, Ladder
from solvers.engines.wigner import wigner
from solvers.model import Method, Model
from solvers.models.spin_cat.quantum_parameters import SOURCE, UNIT_OF_TIME, spins, squeezing
from solvers.models.spin_cat.reference import coherent_start, liouvillian, symmetric_operators
from solvers.models.spin_cat.steady_state import LIMIT
from solvers.models.spin_cat.unresolved import unresolved
from solvers.shared_parameters import tolerances


def exact(point: Point) -> Mapping[str, Any]:
    """The three blocks at one time, and their Wigner function."""
    n, grid = point["N"], point["n_x"]
    ladder = Ladder(n, point["eta"], 0.01 * point["rtol"], point["max_steps"])
    when = np.array([point["t"]])
    found: dict[str, Any] = {"position": np.linspace(-point["x_max"], point["x_max"], grid)}
    if not point.wants("wigner"):
        return found
    rho = np.zeros((n + 1, n + 1))
    rho[::2, ::2] = ladder.populations(EVEN, when)[0]
    rho[1::2, 1::2] = ladder.populations(ODD, when)[0]
    rho[::2, 1::2] = ladder.coherences(when)[0]
    rho[1::2, ::2] = rho[::2, 1::2].T
    found["wigner"] = wigner(rho, -(point["phi"] / 2 + np.pi / 4), point["x_max"], grid)
    return found | unresolved(ladder, point["t"], "it")


def reference(parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """Wave functions of the oscillator and the integral over y by the rectangle rule, rho by a dense exponential."""
    from scipy.linalg import expm

    n, eta, phi = parameters["N"], parameters["eta"], parameters["phi"]
    L, start = liouvillian(*symmetric_operators(n, eta, phi)), coherent_start(n, eta, phi)
    rho = (expm(parameters["t"] * L) @ np.outer(start, start.conj()).ravel()).reshape(n + 1, n + 1)

    def waves(q: NDArray[Any]) -> NDArray[Any]:
        found = [np.pi**-0.25 * np.exp(-q * q / 2), math.sqrt(2) * np.pi**-0.25 * q * np.exp(-q * q / 2)]
        for m in range(2, n + 1):
            found.append(math.sqrt(2 / m) * q * found[-1] - math.sqrt((m - 1) / m) * found[-2])
        return np.array(found[: n + 1])

    grid = np.linspace(-parameters["x_max"], parameters["x_max"], parameters["n_x"])
    y, step = np.linspace(-14.0, 14.0, 1401, retstep=True)
    rows = []
    for x in grid:
        product = np.einsum("kl,ky,ly->y", rho, waves(x + y), waves(x - y))
        rows.append((np.exp(-2j * np.outer(grid, y)) @ product).real * step / np.pi)
    return {"wigner": rows, "position": grid}


def random_parameters(rng: np.random.Generator) -> dict[str, Any]:
    """Up to eight spins on a coarse grid."""
    n = int(rng.integers(2, 9))
    return {
        "N": n,
        "eta": rng.uniform(0.01, 0.5) * n,
        "phi": rng.uniform(-3, 3),
        "t": rng.choice([0.0, 0.3, 20.0]),
        "x_max": rng.uniform(1.0, 5.0),
        "n_x": 6,
    }


def cost(batch: Batch) -> NDArray[np.float64]:
    """Factorisations of (N/2)^2 unknowns, and N^2/2 terms for an eighth of the points."""
    n = batch["N"].astype(np.float64)
    return n**3 + 1e4 + 0.001 * n**2 * float(batch["n_x"]) ** 2


_PROPAGATED = "sparse propagation of the parity blocks and QuTiP's wigner; physics notes, Fig. 3"

MODELS = (
    Model(
        id="spin_cat.wigner",
        title="Wigner function of symmetric spins under pair loss and squeezing",
        source=SOURCE + ", Fig. 3",
        methods=(
            Method(
                name="exact",
                meaning="density matrix of the symmetric states at one time",
                source=SOURCE,
                solve=exact,
                reference=reference,
                cost=cost,
                limit=LIMIT,
            ),
        ),
        dimensions=(
            Dimension(
                name="x",
                size="n_x",
                meaning="number of the position, from -x_max to x_max",
                symbol="x",
                along="position",
                label="position",
            ),
            Dimension(
                name="p",
                size="n_x",
                meaning="number of the momentum, from -x_max to x_max",
                symbol="p",
                along="position",
                label="momentum",
            ),
        ),
        parameters=(
            spins(100, 1e6),
            *squeezing(5.0, 1e6),
            Parameter(
                name="t",
                meaning="time",
                default=1000.0,
                unit=UNIT_OF_TIME,
                symbol="t",
                bounds=(0.0, math.inf),
                physical=False,
            ),
            Parameter(
                name="x_max",
                meaning="half the side of the square of positions and momenta",
                label="half side of phase space",
                default=7.5,
                symbol=r"x_\mathrm{max}",
                bounds=(0.0, 1e3),
                open_below=True,
                physical=False,
            ),
            Parameter(
                name="n_x",
                meaning="number of points along a side",
                default=201,
                kind="integer",
                bounds=(2, 4001),
                shape=True,
                physical=False,
            ),
            *tolerances(max_steps=200),
        ),
        outputs=(
            Output(
                name="wigner",
                meaning="W(x, p)",
                dims=("x", "p"),
                symbol="W",
                bounds=(-1 / math.pi, 1 / math.pi),
            ),
            Output(name="position", meaning="the values of x, and of p", label="position", dims=("x",), symbol="x"),
        ),
        example={"N": 100, "eta": 12.0, "t": 20.0, "n_x": 61},
        starter=Starter(
            axes={"eta": {"values": [5.0, 10.0, 12.0]}}, parameters={"t": 1000.0, "x_max": 10.0, "n_x": 81}
        ),
        checks=(
            Check(
                parameters={"t": 1000.0, "x_max": 6.5, "n_x": 53},
                expect={"wigner": ((39, 13), 0.311702367219)},
                atol=2e-8,
                origin=_PROPAGATED,
            ),
            Check(
                parameters={"eta": 12.0, "t": 20.0, "n_x": 61},
                expect={"wigner": ((55, 5), 0.18519955925)},
                atol=2e-6,
                origin=_PROPAGATED,
            ),
            Check(
                parameters={"eta": 12.0, "t": 1000.0, "n_x": 61},
                expect={"wigner": (([55, 5], [5, 55]), 0.124912056549)},
                atol=2e-6,
                origin=_PROPAGATED,
            ),
        ),
        random_parameters=random_parameters,
        reference_tolerance=(1e-7, 1e-8),
        unit_of_time=UNIT_OF_TIME,
    ),
)
