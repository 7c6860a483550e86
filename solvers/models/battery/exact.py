"""The battery's protocol on exact permutation-invariant states: pulses, storage, discharge and what they yield."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.engines.coherence_blocks import rotate, rotations
from solvers.engines.individual_loss import jump_table, lose
from solvers.engines.populations import moments, propagate, rate_table
from solvers.engines.pumped_populations import MOST_KEPT, PumpedPropagator
from solvers.models.battery.declarations import perfect
from solvers.outcome import Kind, PointFailed

State = list[NDArray[np.float64]]
"""R_q[n, k] for q = 0 (populations) or for q = 0..N."""


@dataclass(frozen=True)
class Readings:
    """M, S from S(S+1) = <S^2> (Eq. 7), and the mean quantum number <S>."""

    M: float
    S: float
    mean_S: float


def read(state: State) -> Readings:
    """Readings of a state."""
    M, square, mean_S = moments(state[0])
    return Readings(M, math.sqrt(square + 0.25) - 0.5, mean_S)


def polarised(N: int, up: bool, coherent: bool = False) -> State:
    """All emitters up or all down."""
    state = [np.zeros((N + 1, N // 2 + 1)) for _ in range(N + 1 if coherent else 1)]
    state[0][N if up else 0, 0] = 1.0
    return state


class Pulse:
    """A turn of all spins by `angle` about x."""

    def __init__(self, N: int, angle: float) -> None:
        self.coherent = not perfect(angle)
        self._inverts = math.cos(angle) < 0.0
        self._turns = rotations(N, angle) if self.coherent else []

    def apply(self, state: State) -> State:
        if self.coherent:
            return rotate(state, self._turns)
        return [np.ascontiguousarray(state[0][::-1])] if self._inverts else state


class Phase:
    """Free evolution over a time tau, in place, with tables that serve any number of cycles.

    N emitters, rates gamma, Gamma, phi, w in one unit, tau in its inverse; `coherent`: for states with all q = 0..N.
    """

    def __init__(
        self,
        N: int,
        gamma: float,
        collective: float,
        dephasing: float,
        pump: float,
        tau: float,
        coherent: bool = False,
    ) -> None:
        self.gamma, self.collective, self.tau, self.decay = gamma, collective, tau, gamma * tau
        self._dephased = dephasing > 0.0
        self._pumped: list[PumpedPropagator] = []
        self._tables: list[Any] = []
        self._jumps: NDArray[np.float64] | None = None
        blocks = range(N + 1 if coherent else 1)
        if pump > 0.0:
            self._pumped = [
                PumpedPropagator(N, gamma, collective, dephasing, pump, q, tau, MOST_KEPT / len(blocks)) for q in blocks
            ]
        elif collective == 0.0 and dephasing == 0.0 and not coherent:
            self._jumps = jump_table(N)
        else:
            self._tables = [rate_table(N, gamma, collective, dephasing, q) for q in blocks]

    def advance(self, state: State, positive: bool = True) -> tuple[float, float]:
        """Evolve `state` in place; returns the energies (released collectively, lost individually).

        With `positive` False the populations may be any numbers, such as the difference of two states.
        """
        if self._jumps is not None:
            before = moments(state[0])[0]
            state[0][:] = lose(state[0], self._jumps, self.decay)
            return 0.0, before - moments(state[0])[0]
        released = lost = 0.0
        for q, block in enumerate(state):
            if self._pumped:
                excited, emission, steps = self._pumped[q].advance(block)
            else:
                excited, emission, steps = propagate(
                    block, self._tables[q], q, self.collective, self.tau, self._dephased, positive and q == 0
                )
            if steps < 0:
                raise PointFailed(
                    Kind.LOST_IN_ROUNDING,
                    f"the populations lose their accuracy in a phase of {self.tau:g} at Gamma = {self.collective:g}, "
                    "however short the steps; bring the rates closer together",
                )
            if q == 0:
                released, lost = self.collective * emission, self.gamma * excited
        return released, lost
