"""Parameters that the exact spin-cat models have in common."""

from __future__ import annotations

import math

from solvers.declarations import Parameter
from solvers.engines.pair_loss.parity_basis import PARITIES

SOURCE = "Mok, Kwek and Touzard, Eqs. (1)-(2)"
UNIT_OF_TIME = "1/Gamma2"


def spins(default: int, most: float, fewest: int = 2) -> Parameter:
    """How many spins there are."""
    return Parameter(
        name="N", meaning="number of spins", default=default, kind="integer", bounds=(fewest, most), symbol="N"
    )


def squeezing(default: float, most: float = math.inf) -> tuple[Parameter, Parameter]:
    """Strength and phase of the drive that creates pairs."""
    return (
        Parameter(name="eta", meaning="squeezing", default=default, unit="Gamma2", symbol=r"\eta", bounds=(0.0, most)),
        Parameter(name="phi", meaning="squeezing phase", default=0.0, unit="rad", symbol=r"\varphi"),
    )


def parity() -> Parameter:
    """Which of the two cats."""
    return Parameter(
        name="parity",
        meaning="parity of the number of excitations",
        label="parity",
        default="even",
        kind="choice",
        choices=PARITIES,
    )


def width() -> Parameter:
    """How far the detunings spread."""
    return Parameter(
        name="delta",
        meaning="standard deviation of the normally distributed detunings",
        label="spread of detunings",
        default=0.0,
        unit="Gamma2",
        symbol=r"\delta",
        bounds=(0.0, math.inf),
    )


def given_detunings(instead_of: str) -> Parameter:
    """The detuning of every spin."""
    return Parameter(
        name="detunings",
        meaning=f"detuning of every spin, instead of {instead_of}",
        default=None,
        unit="Gamma2",
        symbol=r"\delta_n",
        dims=("N",),
    )
