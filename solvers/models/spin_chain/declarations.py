"""Parameters and outputs that the models of a chain share, each declared once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.declarations import Output, Parameter
from solvers.engines import sampling_price
from solvers.engines.phase_space.lattice import CLASSICAL, CONSERVING, MOST_SITES, POSITIVE, Lattice
from solvers.engines.phase_space.sample import too_long
from solvers.engines.phase_space.sampling import COHERENT_P, COHERENT_WIGNER, RING_WIGNER
from solvers.outcome import FAILED, InvalidInput, Kind, Remark
from solvers.shared_parameters import check_step, seed, trajectories

SOURCE = "J. Huber, P. Kirton and P. Rabl, SciPost Phys. 10, 045 (2021), section 4"
UNIT_OF_TIME = "1/rate"
MOST_STEPS = 2**31
SECONDS_PER_STEP, SECONDS_PER_SITE = 5e-7, 6e-8
"""Of a step of one trajectory, measured with 2 to 900 sites."""

N = Parameter(name="N", meaning="number of sites", default=100, kind="integer", bounds=(2, MOST_SITES))
S = Parameter(name="S", meaning="length of each spin, whole or half", default=5000.0, bounds=(0.5, 1e9))
COUPLINGS = tuple(
    Parameter(
        name=f"J_{a}",
        meaning=f"coupling (J_{a}/2S) S^{a} S^{a} of every bond, in the convention of `couplings`",
        default=0.0,
        unit="rate",
        symbol=f"J_{a}",
        bounds=(-1e9, 1e9),
    )
    for a in "xyz"
)
GAMMA = Parameter(
    name="Gamma",
    meaning="decay, (Gamma/2S) D[S^-] on every site with the doubled D",
    default=0.0,
    unit="rate",
    symbol=r"\Gamma",
    bounds=(0.0, 1e9),
)
CONVENTION = Parameter(
    name="couplings",
    meaning="physical: J of the Hamiltonian; paper: the axis of Fig. 7, J_physical = 4 J",
    default="physical",
    kind="choice",
    choices=("physical", "paper"),
)
LATTICE = Parameter(
    name="lattice",
    meaning="periodic lattice: a ring, or a square torus (N a square number)",
    default="ring",
    kind="choice",
    choices=("ring", "square"),
)
MAX_DISTANCE = Parameter(
    name="max_distance",
    meaning="largest distance of the correlation function, along a row",
    label="largest distance",
    default=10,
    kind="integer",
    bounds=(0, MOST_SITES),
    shape=True,
    physical=False,
)


def twoqs_parameters(default: int) -> tuple[Parameter, ...]:
    """What tunes TWOQS trajectories of a lattice (Wigner distribution)."""
    return (
        Parameter(
            name="variant",
            meaning="noise of decay: as in the paper, or the one that keeps |alpha|^2 + |beta|^2 of every site",
            default="positive_diffusion",
            kind="choice",
            choices=("positive_diffusion", "conserving"),
            physical=False,
        ),
        Parameter(
            name="sampling",
            meaning="start of every site: coherent modes, or the full mode on a ring, without spread of S",
            default="coherent",
            kind="choice",
            choices=("coherent", "ring"),
            physical=False,
        ),
        trajectories(default),
        Parameter(
            name="step",
            meaning="time step of the trajectories",
            default=0.05,
            unit=UNIT_OF_TIME,
            bounds=(1e-9, 1e3),
            physical=False,
        ),
        seed(),
        Parameter(
            name="target_error",
            meaning=(
                "trajectories are added until the largest standard error of the mean spin (dynamics) or of excitations "
                "(steady_state) is at most this, with `trajectories` as the most; 0: exactly `trajectories`"
            ),
            default=0.0,
            bounds=(0.0, float("inf")),
            physical=False,
        ),
        check_step(),
    )


def shape(p: Mapping[str, Any]) -> tuple[int, int]:
    """Width and height of the lattice."""
    if p.get("lattice", "ring") == "square":
        side = round(p["N"] ** 0.5)
        return side, side
    return p["N"], 1


def check_chain(p: Mapping[str, Any]) -> None:
    """InvalidInput for an S that is not half a whole number, and a square lattice of another number of sites."""
    if abs(2 * p["S"] - round(2 * p["S"])) > 1e-9:
        raise InvalidInput(
            f"parameter S (length of each spin): allowed is a whole or half number; given was {p['S']!r}; "
            f"take {round(2 * p['S']) / 2:g}"
        )
    width, height = shape(p)
    if width * height != p["N"] and p["lattice"] == "square":
        raise InvalidInput(
            f"parameter N (number of sites): a square lattice needs a square number; given was {p['N']}; "
            f"take {width**2} or {(width + 1) ** 2}"
        )


def factor(p: Mapping[str, Any]) -> float:
    """What the couplings are to be multiplied by to be physical."""
    return 4.0 if p["couplings"] == "paper" else 1.0


def physical(p: Mapping[str, Any]) -> NDArray[np.float64]:
    """Physical couplings (3,)."""
    return factor(p) * np.array([p["J_x"], p["J_y"], p["J_z"]], dtype=np.float64)


def lattice(p: Mapping[str, Any], theta: float, phi: float, *, classical: bool = False) -> Lattice:
    """The numbers of a point for the trajectories."""
    width, height = shape(p)
    Jx, Jy, Jz = (physical(p) / (2 * p["S"])).tolist()
    noise = CONSERVING if p["variant"] == "conserving" else POSITIVE
    kind = RING_WIGNER if p["sampling"] == "ring" else COHERENT_WIGNER
    return Lattice(
        width,
        height,
        float(p["S"]),
        Jx,
        Jy,
        Jz,
        p["Gamma"] / (2 * p["S"]),
        CLASSICAL if classical else noise,
        COHERENT_P if classical else kind,
        float(theta),
        float(phi),
        0.0 if classical else -0.125,
        float(p["step"]),
    )


def coarse(p: Mapping[str, Any]) -> str:
    """Why the step is too long for the rates of a point, "" where it is not."""
    _, height = shape(p)
    neighbours = 2 if height == 1 else 4
    turning = 0.5 * neighbours * float(np.abs(physical(p)).max())
    return too_long(p["step"], p["Gamma"], turning, p["variant"] != "conserving")


def failed(kind: Kind, message: str) -> dict[str, Any]:
    """`status` and `remark` of a failure."""
    return {"status": FAILED, "remark": Remark(kind=kind, message=message)}


def too_many_steps(duration: float, p: Mapping[str, Any]) -> dict[str, Any] | None:
    """A failure where `duration` takes more than max_steps steps, else None."""
    most = min(p["max_steps"], MOST_STEPS)
    if duration / p["step"] <= most:
        return None
    return failed(
        Kind.STEP_BUDGET_SPENT,
        f"t = {duration:.6g} takes {duration / p['step']:.3g} steps of {p['step']:g}, and max_steps is {most}; raise it or "
        "the step",
    )


def trajectories_to_draw(p: Mapping[str, Any], duration: float, error_of: Callable[[int], float]) -> int:
    """How many trajectories over `duration` may be drawn; `error_of(count)` is the standard error of the first ones.

    PointFailed, with the price, for hours of them.
    """
    steps = max(1.0, duration / p["step"]) * (3.0 if p["check_step"] == "yes" else 1.0)
    return sampling_price.trajectories_to_draw(
        p["trajectories"],
        steps * (SECONDS_PER_STEP + SECONDS_PER_SITE * p["N"]),
        paid=p["max_steps"] / 1e6,
        target_error=p["target_error"],
        first_look=4,
        error_of=error_of,
    )


def sem(name: str, dims: tuple[str, ...], nan: str = "a single trajectory has none") -> Output:
    """The standard error of an output of the trajectories."""
    return Output(name=f"{name}_sem", meaning=f"standard error of {name}", dims=dims, methods=("twoqs",), nan=nan)
