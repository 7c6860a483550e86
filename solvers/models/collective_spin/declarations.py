"""Parameters and outputs that the models of a collective spin share, each declared once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from solvers.declarations import Limit, Output, Parameter
from solvers.engines.phase_space.estimates import Estimate
from solvers.outcome import InvalidInput
from solvers.shared_parameters import check_step, seed, step_error, trajectories

SOURCE = "J. Huber, P. Kirton and P. Rabl, SciPost Phys. 10, 045 (2021)"
UNIT_OF_TIME = "1/rate"
LARGEST_LADDER, LARGEST_DECOUPLED, LARGEST_ELIMINATED, LARGEST_CLOSED_FORM = 500, 1e5, 200, 5e6

S = Parameter(name="S", meaning="length of the spin, whole or half", default=10.0, bounds=(0.5, 1e9))


def rate(name: str, meaning: str, symbol: str) -> Parameter:
    """A rate >= 0."""
    return Parameter(name=name, meaning=meaning, default=0.0, unit="rate", symbol=symbol, bounds=(0.0, 1e9))


def energy(name: str, meaning: str, symbol: str) -> Parameter:
    """A frequency of either sign."""
    return Parameter(name=name, meaning=meaning, default=0.0, unit="rate", symbol=symbol, bounds=(-1e9, 1e9))


OMEGA = energy("Omega", "drive, H = Omega S_x", r"\Omega")
DELTA = energy("delta", "detuning, H = delta S_z", r"\delta")
G = energy("g", "squeezing, H = (g/2S) S_x^2", "g")
GAMMA = rate("Gamma", "decay, (Gamma/2S) D[S^-] with the doubled D", r"\Gamma")
GAMMA_UP = rate("Gamma_up", "gain, (Gamma_up/2S) D[S^+] with the doubled D", r"\Gamma_\uparrow")
GAMMA_PHI = rate("Gamma_phi", "dephasing, Gamma_phi D[S_z] with the doubled D", r"\Gamma_\phi")
THETA = Parameter(
    name="theta",
    meaning="polar angle of the start, 0 is up",
    default=0.0,
    unit="rad",
    symbol=r"\theta",
    bounds=(-1e3, 1e3),
)
PHI = Parameter(name="phi", meaning="azimuth of the start", default=0.0, unit="rad", symbol=r"\phi", bounds=(-1e3, 1e3))


def twoqs_parameters() -> tuple[Parameter, ...]:
    """What tunes TWOQS trajectories; none of it changes what is computed, only how well."""
    return (
        Parameter(
            name="distribution",
            meaning="which quasi-probability the trajectories sample (twoqs)",
            label="distribution",
            default="wigner",
            kind="choice",
            choices=("wigner", "P", "Q"),
            physical=False,
        ),
        Parameter(
            name="variant",
            meaning="noise of decay and gain: as in the paper, or the one that keeps |alpha|^2 + |beta|^2 (wigner only)",
            default="positive_diffusion",
            kind="choice",
            choices=("positive_diffusion", "conserving"),
            physical=False,
        ),
        Parameter(
            name="sampling",
            meaning="start: coherent modes, or the full mode on a ring, without spread of S (wigner only)",
            default="coherent",
            kind="choice",
            choices=("coherent", "ring"),
            physical=False,
        ),
        Parameter(
            name="ordering",
            meaning="second moments corrected to the symmetric order, or none: raw means of products of s_a",
            label="ordering",
            default="symmetric",
            kind="choice",
            choices=("symmetric", "none"),
            physical=False,
        ),
        trajectories(1000),
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
                "sampling goes on in blocks until the largest standard error of what is kept is at most this, with "
                "`trajectories` as the most; 0: exactly `trajectories`"
            ),
            default=0.0,
            bounds=(0.0, float("inf")),
            physical=False,
        ),
        check_step(),
    )


def averaging() -> tuple[Parameter, ...]:
    """How long stationary averages of trajectories take."""
    return (
        Parameter(
            name="t_relax",
            meaning="time before averaging begins (twoqs)",
            default=40.0,
            unit=UNIT_OF_TIME,
            bounds=(0.0, 1e9),
            physical=False,
        ),
        Parameter(
            name="t_average",
            meaning="time over which each trajectory is averaged (twoqs)",
            label="averaging time",
            default=10.0,
            unit=UNIT_OF_TIME,
            bounds=(0.0, 1e9),
            physical=False,
        ),
    )


LADDER_LIMIT = Limit(
    text=(
        f"S <= {LARGEST_LADDER} with drive or squeezing (64 (2S+1)^2 bytes), S <= {LARGEST_DECOUPLED:.0e} without either"
    ),
    holds=lambda p: (
        np.asarray(p["S"])
        <= np.where((np.asarray(p["Omega"]) == 0) & (np.asarray(p["g"]) == 0), LARGEST_DECOUPLED, LARGEST_LADDER)
    ),
)


def check_spin(p: Mapping[str, Any]) -> None:
    """InvalidInput for an S that is not half a whole number."""
    if abs(2 * p["S"] - round(2 * p["S"])) > 1e-9:
        raise InvalidInput(
            f"parameter S (length of the spin): allowed is a whole or half number; given was {p['S']!r}; "
            f"take {round(2 * p['S']) / 2:g}"
        )


def moments(dims: tuple[str, ...] = ("time",)) -> tuple[Output, ...]:
    """`mean` and `second`."""
    return (
        Output(name="mean", meaning="<S_a>", label="mean spin", dims=(*dims, "axis"), symbol=r"\langle{S_a}\rangle"),
        Output(
            name="second",
            meaning="symmetrised second moments <S_a S_b + S_b S_a>/2",
            label="second moments",
            dims=(*dims, "axis", "axis2"),
            symbol=r"\langle{S_aS_b}\rangle",
        ),
    )


def sem(name: str, dims: tuple[str, ...], nan: str = "a single trajectory has none") -> Output:
    """The standard error of an output of the trajectories."""
    return Output(name=f"{name}_sem", meaning=f"standard error of {name}", dims=dims, methods=("twoqs",), nan=nan)


def monitors(dims: tuple[str, ...] = ("time",)) -> tuple[Output, ...]:
    """What watches over the trajectories."""
    return (
        Output(
            name="length_mean",
            label="mean length",
            meaning="mean of N = |alpha|^2 + |beta|^2; exact: 2S (P), 2S+1 (Wigner), 2S+2 (Q)",
            dims=dims,
            methods=("twoqs",),
            symbol="N",
        ),
        Output(
            name="length_variance",
            meaning="variance of N = |alpha|^2 + |beta|^2 over trajectories; its growth is an error of the method",
            dims=dims,
            methods=("twoqs",),
        ),
        step_error("<S_a>/S"),
        Output(
            name="samples",
            meaning="number of trajectories that were averaged",
            label="trajectories averaged",
            methods=("twoqs",),
        ),
    )


FIRST_BAD_TIME = Output(
    name="first_bad_time",
    meaning="first output time at which a monitor failed: the spread of the spin length, the trace, a population",
    label="first bad time",
    unit=UNIT_OF_TIME,
    nan="none failed",
)


def largest_error(wanted: tuple[str, ...], e: Estimate) -> float:
    """The largest standard error among the outputs that are kept (all of mean, second and xi2 if none of them is)."""
    errors = {"mean": e.mean_sem, "second": e.second_sem, "xi2": e.xi2_sem}
    chosen = [error for name, error in errors.items() if name in wanted] or list(errors.values())
    values = np.concatenate([np.ravel(error) for error in chosen])
    values = values[~np.isnan(values)]
    return float(values.max()) if values.size else 0.0
