"""Parameters and outputs that the battery's models share, each declared once."""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from solvers.declarations import Dimension, Limit, Output, Parameter
from solvers.model import Method

SOURCE = "F. Pirmoradian and K. Moelmer, PRA 100, 043833 (2019)"

LARGEST_EXACT, LARGEST_COHERENT, LARGEST_PUMPED = 2000, 100, 500


def perfect(pulse_angle: float) -> bool:
    """Whether a pulse maps populations to populations (a multiple of pi, to rounding)."""
    return abs(math.sin(pulse_angle)) < 1e-14


N = Parameter(name="N", meaning="number of emitters", default=140, kind="integer", bounds=(1, 1e9))
GAMMA_COLLECTIVE = Parameter(
    name="Gamma",
    meaning="collective decay rate into the cavity during discharge",
    label="collective decay rate",
    default=0.0,
    unit="gamma",
    symbol=r"\Gamma",
    bounds=(0.0, 1e12),
)
GAMMA_STORAGE = Parameter(
    name="Gamma_storage",
    meaning="collective leakage rate during storage",
    label="collective leakage rate",
    default=0.0,
    unit="gamma",
    symbol=r"\Gamma_s",
    bounds=(0.0, 1e12),
)
GAMMA = Parameter(
    name="gamma",
    meaning="individual decay rate of an emitter",
    label="individual decay rate",
    default=1.0,
    unit="gamma",
    symbol=r"\gamma",
    bounds=(0.0, 1e9),
)
DEPHASING = Parameter(
    name="dephasing",
    meaning="dephasing, rate of D[sigma_z] per emitter",
    default=0.0,
    unit="gamma",
    symbol=r"\phi",
    bounds=(0.0, 1e9),
)
PUMP = Parameter(
    name="pump",
    meaning="rate of D[sigma_+] of each emitter",
    label="pump rate",
    default=0.0,
    unit="gamma",
    symbol="w",
    bounds=(0.0, 1e9),
)


def duration(name: str, meaning: str, default: float, symbol: str) -> Parameter:
    """The length of a phase."""
    return Parameter(name=name, meaning=meaning, default=default, unit="1/gamma", symbol=symbol, bounds=(0.0, 1e9))


TAU_S = duration("tau_s", "storage time", 0.0187, r"\tau_s")
TAU_D = duration("tau_d", "discharge time", 0.0187, r"\tau_d")
PULSE_ANGLE = Parameter(
    name="pulse_angle",
    meaning="angle by which a charging pulse turns the spins about x",
    label="pulse angle",
    default=math.pi,
    unit="rad",
    symbol=r"\theta",
    bounds=(-1e3, 1e3),
)
CYCLES = Parameter(
    name="cycles",
    meaning="number of cycles of pulse, storage and discharge, from the ground state",
    default=150,
    kind="integer",
    bounds=(1, 1e7),
    shape=True,
    physical=False,
)
CYCLE = Dimension(name="cycle", size="cycles", meaning="cycle, counted from 0")

RATES = (N, GAMMA_COLLECTIVE, GAMMA, DEPHASING, PUMP)
PROTOCOL = (
    N,
    GAMMA_COLLECTIVE,
    GAMMA_STORAGE,
    GAMMA,
    DEPHASING,
    PUMP,
    TAU_S,
    TAU_D,
    PULSE_ANGLE,
    CYCLES,
)
"""All that says what happens in the cycles."""

EXACT_LIMIT = Limit(text=f"N <= {LARGEST_EXACT}", holds=lambda p: p["N"] <= LARGEST_EXACT)
PUMPED_LIMIT = Limit(
    text=f"N <= {LARGEST_EXACT}, and N <= {LARGEST_PUMPED} with pump (sparse factors of N^2/4 states: about 1.3 GB there)",
    holds=lambda p: np.where(np.asarray(p["pump"]) > 0.0, LARGEST_PUMPED, LARGEST_EXACT) >= p["N"],
)
COHERENT_LIMIT = Limit(
    text=f"{PUMPED_LIMIT.text}, and N <= {LARGEST_COHERENT} where pulse_angle is no multiple of pi",
    holds=lambda p: (
        PUMPED_LIMIT.holds(p)
        & (np.where(np.abs(np.sin(p["pulse_angle"])) < 1e-14, LARGEST_EXACT, LARGEST_COHERENT) >= p["N"])
    ),
)

# The methods that several models have; each model gives its own functions.
EXACT = partial(
    Method,
    name="exact",
    meaning="populations of the permutation-invariant states |S, M>, with coherences where a pulse is imperfect",
    source="Refs. 18, 26, 27 of the paper",
)
CUMULANT = partial(
    Method,
    name="cumulant",
    meaning="second-order cumulants (third cumulants zero), corrected",
    source="Eqs. (6), (7), Appendix",
)
PRINTED = partial(
    Method,
    name="printed",
    meaning="second-order cumulants with the Appendix as printed (two misprints), for comparison",
    source="Appendix, as printed",
)

NO_LENGTH = "<S^2> is negative in this closure"
NOTHING_CHARGED = "nothing is charged"


_LABELS = {
    "released": "released energy",
    "charged": "charged energy",
    "individual_loss_storage": "loss in storage",
    "individual_loss_discharge": "loss in discharge",
}


def energy(name: str, meaning: str, dims: tuple[str, ...] = (), symbol: str = "") -> Output:
    """An energy of all emitters together."""
    return Output(
        name=name,
        meaning=meaning,
        dims=dims,
        unit="hbar*omega_s",
        symbol=symbol,
        label=_LABELS.get(name, name.replace("_", " ")),
    )


def inversion(when: str, dims: tuple[str, ...] = ()) -> Output:
    return Output(
        name=f"M_{when}",
        meaning=f"M = <S_z> {when.replace('_', ' ')}",
        dims=dims,
        symbol="M",
        label=f"inversion {when.replace('_', ' ')}",
    )


def length(when: str, dims: tuple[str, ...] = ()) -> Output:
    text = f"S {when.replace('_', ' ')}, from <S^2>"
    return Output(
        name=f"S_{when}",
        meaning=text,
        dims=dims,
        symbol="S",
        nan=NO_LENGTH,
        label=f"effective spin {when.replace('_', ' ')}",
    )


def mean_length(when: str, methods: tuple[str, ...], dims: tuple[str, ...] = ()) -> Output:
    text = f"mean quantum number <S> {when.replace('_', ' ')}"
    return Output(name=f"meanS_{when}", meaning=text, dims=dims, symbol=r"\langle{S}\rangle", methods=methods)
