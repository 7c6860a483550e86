"""The mean-field equations with spins far off resonance that follow their field instead of precessing about it.

In given fields a spin obeys sigma' = (i delta - 2 D) sigma + z F. For |delta| beyond all rates that act on it, sigma is a
precession, which dies out with 2 D, about the value z F/(2 D - i delta), which changes slowly. N drawn Lorentzian detunings
reach some N times their width, and to follow that precession costs a step per radian of the fastest spin. Here the
derivative of sigma of a far spin is multiplied by +-i, the sign of delta:

    sigma' = (-|delta| -+ 2 i D) sigma +- i z F

It has the same value at rest, so that steady states are exact, but relaxes to it at the rate |delta| instead of turning
about it, and an implicit step may be as long as the near spins allow. z' of a far spin is unchanged.

What is lost is what the precession of n far spins out of N does to the others before it has died out: |c_1| is off by some
0.2 A sqrt(n)/N during the first 1/D, of random sign (`mean_field` states what was measured). The phases of far spins
are random during that time, and not those of the value they follow; `precession` gives it back to outputs that look at
single spins.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from solvers.models.spin_cat.mean_field_equations import (
    above_half,
    derivatives,
    differentiate,
    rank,
)
from solvers.numerics.compile import FASTMATH, entry, kernel
from solvers.numerics.coupled_blocks import coupled_blocks
from solvers.numerics.rosenbrock import structured_rosenbrock


@kernel(fastmath=FASTMATH)
def turn(first, second, turns):
    """Multiply first + i second by i turns where turns is not 0."""
    for k in range(turns.size):
        s = turns[k]
        c = 1.0 - abs(s)
        x, y = first[k], second[k]
        first[k] = c * x - s * y
        second[k] = s * x + c * y


@kernel
def derivatives_of_followers(t, y, parameters, dy):
    """`derivatives` with far spins as followers; `turns` (K,) is the sign of a far spin's detuning, else 0."""
    equations, turns = parameters
    size = turns.size
    derivatives(t, y, equations, dy)
    turn(dy[:size], dy[size : 2 * size], turns)


@kernel
def differentiate_followers(t, y, parameters, local, left, right):
    """`differentiate`, rows of sigma turned alike."""
    equations, turns = parameters
    differentiate(t, y, equations, local, left, right)
    for j in range(3):
        turn(local[j], local[3 + j], turns)
    for m in range(left.shape[0] // 3):
        turn(left[3 * m], left[3 * m + 1], turns)


@kernel
def rank_of_equations(parameters):
    return rank(parameters[0])


@kernel
def above_half_of_start(t, y, parameters):
    return above_half(t, y, parameters[0])


integrate_followers = structured_rosenbrock(
    derivatives_of_followers, coupled_blocks(rank_of_equations, differentiate_followers), above_half_of_start
)


@entry
def integrate_following(detunings, weights, n, eta, exact, turns, times, rtol, atol, max_steps, y, out):
    """Like `integrate_from_start`, with the spins of turns (K,) +-1 as followers."""
    size = detunings.size
    g = 2.0 * eta / n
    amplitude = math.sqrt(g) / (1.0 + g)
    for k in range(size):
        y[k], y[size + k], y[2 * size + k] = amplitude, 0.0, -(1.0 - g) / (1.0 + g)
    p = ((detunings, weights, n, eta, exact, 0.5 * amplitude), turns)
    code, _, _ = integrate_followers(p, y, times, out, rtol, atol, max_steps)
    return code


def precession(
    detunings: NDArray[np.float64],
    turns: NDArray[np.float64],
    start: float,
    raised: float,
    times: NDArray[np.float64],
    z: NDArray[np.float64],
) -> NDArray[np.complex128]:
    """What is left of the precession that far spins start with, (T, K): `start` e^{i delta t} e^{-2 int D dt}.

    The decay is read off the farthest spin, whose z (T, K), with 1 + z = `raised` at first, obeys (1 + z)' = -4 D (1 + z)
    and hardly anything else.
    """
    farthest = int(np.argmax(np.abs(detunings)))
    left = np.sqrt(np.maximum(1.0 + z[:, farthest], 0.0) / raised)
    return np.asarray(start * left[:, None] * np.exp(1j * np.outer(times, detunings)) * np.abs(turns))
