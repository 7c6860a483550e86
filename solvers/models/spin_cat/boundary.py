"""The largest detuning at which the ensemble stays synchronised (the edge of Fig. 4), for given N and eta.

With h = eta/N, Gamma2 = 1 and u = 1 + z:

* `closed_form`, two sub-ensembles, N to infinity: the locked states are delta^2 = 4 h u^3 (1 - u) - 16 h^2 u^2; their
  largest delta is the fold at u = (3 + sqrt(9 - 128 h))/8. It peaks with 2/27 at h = 1/36 and ends at h = 1/16. It is
  not an ellipse. (Derived for this model; not in the paper.)
* `existence`, two: the same fold of (26)-(28) at finite N. At rest A^2 = -z (1 + z)/2 exactly, cos^2(zeta) is the
  positive root of a quadratic, and delta follows from zeta' = 0; the maximum over u is found by golden section.
* `existence`, gaussian (delta is the standard deviation), N to infinity: every spin obeys
  u (4 g^2 u^2 + delta_m^2) = 2 g X^2 (1 - u), g = 2 h, with the common X fixed by -X = <u^2> (section 5.4). The average is
  taken over the normal distribution itself. N does not enter.
* `dynamic`, gaussian: the same for (22)-(23) with `classes` equal classes at the quantiles, whose finite number lowers
  the edge a little (60 classes: by 1 %); unlocked is what lets |c_1| fall below half its start or the mean z rise to 0.
  For eta >= 1e4, and for eta >= 100 at eta/N < 1e-4, by the equations for N to infinity, from which
  the others differ by relative order 1/eta.
* `dynamic`, two: the edge of the basin of the spin coherent state with zeta = 0 under (26)-(28), by bisection to 1e-6 of
  the existence boundary; every trial runs until it is at rest or unlocked (collapsed, or z up to 0), however long that takes.

`dynamic` is below `existence` where the locked state loses its stability by a Hopf bifurcation before the fold (two
sub-ensembles: up to h of .04 to .05), and where the start lies outside the basin of what is left.

Beyond the end of the tongue (eta/N above about 1/16) there is no locked state at any detuning: `delta_critical` is 0 and
`z_critical` is NaN. The same holds at eta = 0.

Validity: as for `spin_cat.two_ensembles`. At eta below about 1 (whatever N) the fixed points of (26)-(28) owe their
existence to the 1/N terms of a factorised closure; nothing synchronises to them, and `existence` says more than is so.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.batch import Batch
from solvers.declarations import Check, Limit, Output, Parameter, Starter
from solvers.model import Method, Model
from solvers.models.spin_cat import boundary_dynamic, boundary_existence, boundary_reference
from solvers.models.spin_cat.boundary_pinned import dynamic_pinned
from solvers.numerics.outcome import DONE, MAX_STEPS, OUTCOME_TEXT
from solvers.outcome import FAILED, KIND_OF_CODE, WARNED, InvalidInput, Kind, Remark, Results

MANY, SOME, SLOW = 1e4, 100.0, 1e-4
"""eta from which 1/eta is neglected: at any eta/N, and where eta/N is below the third number."""

Arrays = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]


def closed_form(batch: Batch) -> Results:
    """The fold of two sub-ensembles for N to infinity."""
    delta, z = boundary_existence.closed_form(batch["eta"], batch["N"].astype(np.float64))
    return results(batch, delta, z, np.full(batch.size, DONE))


def existence_two(n: NDArray[Any], eta: NDArray[Any], classes: NDArray[Any]) -> Arrays:
    """delta, z and outcome code (P,) of the fold of (26)-(28)."""
    delta, z = np.zeros(len(n)), np.full(len(n), np.nan)
    boundary_existence.existence_two(n, eta, delta, z)
    return delta, z, np.full(len(n), DONE)


def existence_gaussian(n: NDArray[Any], eta: NDArray[Any], classes: NDArray[Any]) -> Arrays:
    """The same for normally distributed detunings and N to infinity."""
    delta, z = np.zeros(len(n)), np.full(len(n), np.nan)
    boundary_existence.existence_gaussian(n, eta, delta, z)
    return delta, z, np.full(len(n), DONE)


def dynamic_two(n: NDArray[Any], eta: NDArray[Any], classes: NDArray[Any]) -> Arrays:
    """delta, z and outcome code (P,) of the edge of the basin, searched for below the fold."""
    delta, z, code = existence_two(n, eta, classes)
    boundary_dynamic.dynamic_two(n, eta, delta, z, code)
    return delta, z, code


def dynamic_gaussian(n: NDArray[Any], eta: NDArray[Any], classes: NDArray[Any]) -> Arrays:
    """The same with equal classes of detunings, point by point."""
    delta, z, code = existence_gaussian(n, eta, classes)
    if np.any(classes < 2):
        raise InvalidInput("parameter classes: a single class has no width; take 2 or more; 60 come within 1 %")
    for i in range(len(n)):
        point = float(n[i]), float(eta[i]), float(delta[i]), int(classes[i])
        h = point[1] / point[0]
        if point[1] >= MANY or (point[1] >= SOME and h < SLOW):
            delta[i], z[i], code[i] = dynamic_pinned(h, *point[2:])
        else:
            delta[i], z[i], code[i] = boundary_dynamic.dynamic_gaussian(*point)
    return delta, z, code


def by_distribution(two: Callable[..., Arrays], gaussian: Callable[..., Arrays], batch: Batch) -> Results:
    """The points of either distribution by its own function of (N, eta, classes)."""
    n, eta, is_two = batch["N"].astype(np.float64), batch["eta"], batch["distribution"] == "two"
    if is_two.all():
        return results(batch, *two(n, eta, batch["classes"]))
    delta, z, code = np.zeros(batch.size), np.full(batch.size, np.nan), np.full(batch.size, DONE)
    for edge, chosen in ((two, is_two), (gaussian, ~is_two)):
        index = np.flatnonzero(chosen)
        if len(index):
            delta[index], z[index], code[index] = edge(n[index], eta[index], batch["classes"][index])
    return results(batch, delta, z, code)


_RESTLESS = Remark(
    kind=Kind.NOT_AT_REST,
    message="a trial neither came to rest nor unlocked within its budget of steps and was counted as locked",
)


_UNRESOLVED = Remark(
    kind=Kind.NOT_AT_REST,
    message=f"a trial at more than {boundary_dynamic.BEYOND:g} times the existence edge, where nothing is locked, neither came to "
    "rest nor unlocked within its budget of steps: at so small eta/N the motion takes (N/eta)^2/Gamma2 and cannot be followed; "
    "take method existence, or a larger eta/N",
)


def results(batch: Batch, delta: NDArray[Any], z: NDArray[Any], code: NDArray[Any]) -> Results:
    """Outputs, with status and remark of the outcome codes (P,)."""
    status, remarks = np.zeros(batch.size, dtype=np.int64), {}  # OK is 0, and so is DONE
    said = {MAX_STEPS: _RESTLESS, boundary_dynamic.UNRESOLVED: _UNRESOLVED}
    if np.count_nonzero(code):
        for i, c in zip(np.flatnonzero(code != DONE).tolist(), code[code != DONE].tolist(), strict=True):
            status[i] = WARNED if c == MAX_STEPS else FAILED
            if c in said:
                remarks[i] = said[c]
            else:
                remarks[i] = Remark(kind=KIND_OF_CODE[c], message=OUTCOME_TEXT[c])
    found = {"delta_critical": delta, "z_critical": z}
    return Results({o.name: found[o.name] for o in batch.wanted}, status, remarks)


def random_parameters(rng: np.random.Generator) -> dict[str, Any]:
    """Points well inside the tongue."""
    n = int(10 ** rng.uniform(2.5, 5))
    distribution = "two" if rng.random() < 0.7 else "gaussian"
    return {"N": n, "eta": rng.uniform(0.01, 0.045) * n, "distribution": distribution}


_TWO = Limit(text="distribution = two", holds=lambda p: np.asarray(p["distribution"]) == "two")

MODELS = (
    Model(
        id="spin_cat.boundary",
        title="Largest detuning at which the ensemble stays synchronised",
        source="Mok, Kwek and Touzard, Eqs. (26)-(28), Fig. 4",
        methods=(
            Method(
                name="existence",
                meaning="the largest detuning with a locked state",
                source="Eqs. (26)-(28)",
                batch=partial(by_distribution, existence_two, existence_gaussian),
                reference=boundary_reference.existence,
            ),
            Method(
                name="dynamic",
                meaning="the largest detuning that the spin coherent state with zeta = 0 stands",
                source="Eqs. (26)-(28), Fig. 4",
                batch=partial(by_distribution, dynamic_two, dynamic_gaussian),
                reference=boundary_reference.dynamic,
            ),
            Method(
                name="closed_form",
                meaning="existence for N to infinity",
                source="derived",
                batch=closed_form,
                reference=boundary_reference.closed_form,
                limit=_TWO,
            ),
        ),
        parameters=(
            Parameter(
                name="N", meaning="number of spins", default=10_000, kind="integer", bounds=(2, 1e10), symbol="N"
            ),
            Parameter(
                name="eta",
                meaning="squeezing",
                default=312.5,
                unit="Gamma2",
                symbol=r"\eta",
                bounds=(0.0, math.inf),
            ),
            Parameter(
                name="distribution",
                meaning="of the detunings: two halves with +-delta, or normal with standard deviation delta",
                default="two",
                kind="choice",
                choices=("two", "gaussian"),
            ),
            Parameter(
                name="classes",
                meaning="number of equal classes that stand for a normal distribution (dynamic)",
                label="classes of detunings",
                default=60,
                kind="integer",
                bounds=(1, 1e6),
            ),
        ),
        outputs=(
            Output(
                name="delta_critical",
                meaning="largest detuning that is still locked, 0 if none is",
                label="critical detuning",
                unit="Gamma2",
                symbol=r"\delta_c",
                bounds=(0.0, math.inf),
            ),
            Output(
                name="z_critical",
                meaning="mean inversion of the locked state there",
                label="critical inversion",
                nan="no locked state",
                symbol="z_c",
                bounds=(-1.0, 0.0),
            ),
        ),
        example={"N": 10_000, "eta": 312.5, "distribution": "two"},
        starter=Starter(axes={"eta": {"linspace": [10.0, 620.0, 62]}}),
        checks=(
            Check(
                method="closed_form",
                parameters={"N": 3600, "eta": 100.0},
                expect={"delta_critical": 2 / 27, "z_critical": -1 / 3},
                rtol=1e-12,
                origin="the maximum of the closed form, by hand",
            ),
            Check(
                method="closed_form",
                parameters={"N": 1600, "eta": 100.1},
                expect={"delta_critical": 0.0, "z_critical": math.nan},
                origin="beyond eta = N/16 the square root of section 5.3 is imaginary",
            ),
            Check(
                method="existence",
                parameters={"N": 1_000_000_000, "eta": 1e9 / 36},
                expect={"delta_critical": 2 / 27, "z_critical": -1 / 3},
                atol=1e-6,
                origin="N to infinity: the closed form",
            ),
            Check(
                method="existence",
                parameters={"N": 10_000, "eta": 5.0},
                expect={"delta_critical": 0.01296},
                atol=1e-5,
                origin="fold of (26)-(28) at eta = 5; physics notes, table of scaling with N",
            ),
            Check(
                method="dynamic",
                parameters={"N": 100, "eta": 3.125},
                expect={"delta_critical": 0.0641},
                atol=1e-4,
                origin="bisection of (26)-(28) by SciPy; physics notes, scaling with N",
            ),
            Check(
                method="dynamic",
                parameters={"eta": 312.5, "distribution": "gaussian"},
                expect={"delta_critical": 0.0826},
                atol=2e-4,
                origin="large-N equations with 60 classes, bisection; physics notes, figures",
            ),
            Check(
                method="existence",
                parameters={"eta": 200.0, "distribution": "gaussian"},
                expect={"delta_critical": 0.0886},
                atol=5e-4,
                origin="self-consistency over 400 quantile classes; physics notes, last table",
            ),
        ),
        reference_tolerance=(1e-4, 1e-5),
        random_parameters=random_parameters,
    ),
)
