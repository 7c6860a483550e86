"""Sampling of one spin until enough: blocks of trajectories, a target for the standard error, the step-halving check."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from solvers.engines.phase_space.estimates import Estimate, estimate
from solvers.engines.phase_space.sampling import COHERENT_P, COHERENT_Q, COHERENT_WIGNER, RING_WIGNER
from solvers.engines.phase_space.single import DOWN, GROUPS, QUANTITIES, Spin, average, follow
from solvers.numerics.normal_lanes import LANES
from solvers.outcome import InvalidInput

LONGEST_HEUN, LONGEST_TURN = 0.5, 2.0
"""What a step may do of decay by a Heun step, and of turns, before a point is warned about."""
K_OF = {"P": 1.0, "wigner": 0.0, "Q": -1.0}
FIRST_LOOK = 2 * LANES
"""Trajectories before and between looks at the standard error."""
GROWN = 0.05
"""By how much the variance of N = |alpha|^2 + |beta|^2 may grow, in units of its squared mean, before a point is warned about."""


def spin(
    *,
    S: float,
    Omega: float = 0.0,
    delta: float = 0.0,
    g: float = 0.0,
    Gamma: float = 0.0,
    Gamma_up: float = 0.0,
    Gamma_phi: float = 0.0,
    theta: float = math.pi,
    phi: float = 0.0,
    start: int = DOWN,
    distribution: str,
    variant: str,
    sampling: str,
    ordering: str,
    step: float,
) -> Spin:
    """The numbers of a point; InvalidInput for combinations that do not exist.

    Second moments are (1/2)<S_a S_b + S_b S_a> = E[s_a s_b] + delta_ab c_k, c_k = (k/4) E[N] - (1-k^2)/8.
    """
    if distribution != "wigner":
        if variant == "conserving":
            raise InvalidInput(
                f"parameter variant: conserving exists for the Wigner distribution alone; given was distribution "
                f"{distribution}; take distribution wigner, or variant positive_diffusion"
            )
        if sampling == "ring":
            raise InvalidInput(
                f"parameter sampling: ring exists for the Wigner distribution alone; given was distribution "
                f"{distribution}; take distribution wigner, or sampling coherent"
            )
    k = K_OF[distribution]
    kind = {"P": COHERENT_P, "Q": COHERENT_Q, "wigner": RING_WIGNER if sampling == "ring" else COHERENT_WIGNER}
    corrected = 1.0 if ordering == "symmetric" else 0.0
    return Spin(
        float(S),
        float(Omega),
        float(delta),
        g / (2 * S),
        Gamma / (2 * S),
        Gamma_up / (2 * S),
        float(Gamma_phi),
        k,
        variant == "conserving",
        kind[distribution],
        float(theta),
        float(phi),
        start,
        corrected * k / 4,
        -corrected * (1 - k * k) / 8,
        float(step),
        0,
    )


class Sampled:
    """Estimates and how they were come by."""

    def __init__(self, values: Estimate, trajectories: int, reached: bool) -> None:
        self.values = values
        self.trajectories = trajectories
        self.reached = reached  # False if `target_error` was not


def _sample(
    S: float,
    rows: int,
    block: Callable[[int, int, NDArray[np.float64]], None],
    trajectories: int,
    target_error: float,
    error_of: Callable[[Estimate], float],
) -> Sampled:
    """Add blocks until there are `trajectories`, or until `error_of` the estimate is at most `target_error` (0: never)."""
    sums = np.zeros((rows, QUANTITIES, GROUPS))
    done = 0
    while done < trajectories:
        active = min(LANES, trajectories - done)
        block(done, active, sums)
        done += active
        if target_error > 0.0 and done % FIRST_LOOK == 0 and error_of(estimate(S, sums, done)) <= target_error:
            break
    values = estimate(S, sums, done)
    return Sampled(values, done, target_error == 0.0 or bool(error_of(values) <= target_error))


def sample_path(
    p: Spin,
    key: int,
    times: NDArray[np.float64],
    trajectories: int,
    target_error: float = 0.0,
    error_of: Callable[[Estimate], float] = lambda e: float(np.max(e.mean_sem)),
) -> Sampled:
    """Estimates at `times` (T,)."""

    def block(first: int, active: int, sums: NDArray[np.float64]) -> None:
        follow(p, np.uint64(key), np.uint64(first), active, times, sums)

    return _sample(p.S, len(times), block, trajectories, target_error, error_of)


def sample_average(
    p: Spin,
    key: int,
    relax: int,
    steps: int,
    trajectories: int,
    target_error: float = 0.0,
    error_of: Callable[[Estimate], float] = lambda e: float(np.max(e.mean_sem)),
) -> Sampled:
    """Estimates (one row) of averages over `steps` steps after `relax` steps."""

    def block(first: int, active: int, sums: NDArray[np.float64]) -> None:
        average(p, np.uint64(key), np.uint64(first), active, relax, steps, sums)

    return _sample(p.S, 1, block, trajectories, target_error, error_of)


def first_growth(e: Estimate, at_start: float) -> int | None:
    """The first row at which the variance of the length has grown by more than GROWN; None if it has not."""
    with np.errstate(invalid="ignore"):
        grown = e.length_variance - at_start > GROWN * e.length_mean**2
    return int(np.argmax(grown)) if grown.any() else None


def start_variance(p: Spin) -> float:
    """Var N of the start: 2S + 1/2 (Wigner), 2S + 2 (Q), 0 (P), 1/4 (ring)."""
    return {COHERENT_WIGNER: 2 * p.S + 0.5, COHERENT_Q: 2 * p.S + 2, COHERENT_P: 0.0, RING_WIGNER: 0.25}[p.kind]


def too_long(step: float, damping: float, turning: float, heun: bool) -> str:
    """Why a step is too long for these rates; "" where it is not.

    `damping` is what decay and gain do, `turning` the fastest turn that does not commute with all else (0: none). A Heun step of
    decay (`heun`) is off by 1 % of S at damping 0.5 and unstable at 1; the splitting is off by 1 % where a step turns by 2.
    """
    if heun and damping * step > LONGEST_HEUN:
        return f"a step of {step:g} is too long for decay at {damping:g}: take {LONGEST_HEUN / damping:.2g} or less"
    if turning * step > LONGEST_TURN:
        return f"a step of {step:g} is too long for turns at {turning:g}: take {LONGEST_TURN / turning:.2g} or less"
    return ""
