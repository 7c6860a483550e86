"""Mean field of a regular lattice of equal spins without its N^2 couplings: bonds one by one, power laws by convolution.

The equations are those of `first_order` with Gamma = G (x) L L^+ + gamma_+ R R^+ + gamma_z Z Z^+ (L = sigma_-, R = sigma_+),
G = gamma_- 1 + collective (all ones) + neighbour A, A_ij = 1 on bonds of the lattice. As T_xy = Im Gamma_xy = G_ij/4,

    F_i^a = 2 J_a sum_j f_ij s_j^a + (-u_i^y, u_i^x, 0)_a / 2,   u_i = sum_{j != i} G_ij s_j,

and an evaluation costs N multiply-adds for every bond of a spin, or N log N for couplings that fall with distance.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from solvers.engines.moments.first_order import mean_field, watch_lengths
from solvers.engines.moments.implicit import iterative
from solvers.engines.moments.integration import MEAN_FIELD, price_of_iterations, take_segments
from solvers.engines.moments.propagation import MomentPath, follow
from solvers.numerics.compile import FASTMATH, entry, kernel
from solvers.numerics.convolution import Toeplitz, by_diagonals, circulate, is_level, toeplitz
from solvers.numerics.rosenbrock import autonomous, implicit_segment
from solvers.numerics.runge_kutta import explicit_segment

FEWEST_TRANSFORMED = 256
"""Spins from which two Fourier transforms are faster than N^2 multiply-adds."""


class Rates(NamedTuple):
    """Rates of D[sigma_-], D[sigma_+], D[sigma_z] on every site, of the sum of all sigma_-, and along bonds."""

    minus: float
    plus: float
    z: float
    collective: float
    neighbour: float


class EqualSpins:
    """A lattice: fields (N, 3), J (3,), which pairs i < j (P, 2) are `bonded` (None: all), and how couplings fall.

    `fall` (N,): f_ij = fall[|i - j|] with fall[0] = 0; None: f_ij = 1 on bonds.
    """

    def __init__(
        self,
        field: NDArray[np.float64],
        J: NDArray[np.float64],
        bonded: NDArray[np.int64] | None,
        fall: NDArray[np.float64] | None,
        rates: Rates,
    ) -> None:
        self.field, self.J, self.bonded, self.fall, self.rates = field, J, bonded, fall, rates

    @property
    def N(self) -> int:
        """Number of spins."""
        return len(self.field)

    @cached_property
    def positive(self) -> bool:
        """Whether Gamma is positive up to rounding."""
        r = self.rates
        margin = 1e-10 * max(r.minus, r.plus, r.z, r.collective, r.neighbour)
        if self.bonded is None:
            return self.N == 1 or r.minus - r.neighbour >= -margin
        partners = np.bincount(self.bonded.ravel(), minlength=self.N)
        if r.minus >= r.neighbour * int(partners.max()):  # Gershgorin; collective decay adds nothing negative
            return True
        try:
            np.linalg.cholesky(self._decay() + margin * np.eye(self.N))
        except np.linalg.LinAlgError:
            return False
        return True

    def smallest_rate(self) -> float:
        """The smallest eigenvalue of Gamma; L, R and Z are orthogonal, of squares 1/2, 1/2 and 1."""
        r = self.rates
        if self.bonded is None:
            lowest = r.minus - r.neighbour if self.N > 1 else r.minus + r.collective
        else:
            lowest = float(np.linalg.eigvalsh(self._decay())[0])
        return min(lowest / 2, r.plus / 2, r.z)

    def _decay(self) -> NDArray[np.float64]:
        """G (N, N)."""
        assert self.bonded is not None
        G = np.full((self.N, self.N), self.rates.collective)
        i, j = self.bonded.T
        G[i, j] += self.rates.neighbour
        G[j, i] += self.rates.neighbour
        G[np.diag_indices(self.N)] += self.rates.minus
        return G


class LatticeCoefficients(NamedTuple):
    """What the right-hand side reads; `uniform` and `common` are f_ij and G_ij between all pairs."""

    Omega: NDArray[np.float64]  # (3, N)
    R: NDArray[np.float64]  # (3, 3, N)
    g: NDArray[np.float64]  # (3, N)
    J: NDArray[np.float64]  # (3,)
    first: NDArray[np.int64]  # (N + 1,), bonds of spin i are first[i] ... first[i + 1] - 1
    partner: NDArray[np.int64]
    strength: float  # f_ij on bonds
    near: float  # G_ij on bonds
    uniform: float
    common: float
    falling: bool
    transformed: bool
    fall: Toeplitz
    re: NDArray[np.float64]  # scratch (M,)
    im: NDArray[np.float64]
    first_bad: NDArray[np.float64]  # (1,) first time at which a step's end was unphysical; NaN if none


def lattice_coefficients(p: EqualSpins) -> LatticeCoefficients:
    """The coefficients of a lattice."""
    n, r = p.N, p.rates
    minus = r.minus + r.collective
    across, along = (minus + r.plus) / 2 + 2 * r.z, minus + r.plus
    no_bonds = p.bonded is None or (p.fall is not None and r.neighbour == 0.0)
    pairs = np.zeros((0, 2), dtype=np.int64) if p.bonded is None or no_bonds else p.bonded
    both = np.concatenate([pairs, pairs[:, ::-1]])
    both = both[np.lexsort((both[:, 1], both[:, 0]))]
    everywhere = p.bonded is None
    fall = np.zeros(1) if p.fall is None else p.fall
    transformed = bool(p.fall is not None and n >= FEWEST_TRANSFORMED and is_level(fall))
    tables = toeplitz(fall) if transformed else Toeplitz(fall, *(np.zeros(0) for _ in range(3)))
    return LatticeCoefficients(
        Omega=np.ascontiguousarray(2 * p.field.T),
        R=np.repeat(np.diag([across, across, along])[..., None], n, axis=2),
        g=np.repeat(np.array([[0.0], [0.0], [r.plus - minus]]), n, axis=1),
        J=p.J,
        first=np.searchsorted(both[:, 0], np.arange(n + 1)).astype(np.int64),
        partner=np.ascontiguousarray(both[:, 1]),
        strength=1.0 if p.fall is None else 0.0,
        near=0.0 if everywhere else r.neighbour,
        uniform=1.0 if everywhere and p.fall is None else 0.0,
        common=r.collective + (r.neighbour if everywhere else 0.0),
        falling=p.fall is not None,
        transformed=transformed,
        fall=tables,
        re=np.zeros(len(tables.spectrum)),
        im=np.zeros(len(tables.spectrum)),
        first_bad=np.full(1, np.nan),
    )


@kernel(fastmath=FASTMATH)
def add_falling(p, s, force):
    """force += 2 J_a sum_j f_ij s_j^a for couplings that depend on distance; s, force (3, N)."""
    n = s.shape[1]
    if not p.transformed:
        field = np.empty(n)
        for a in range(3):
            if p.J[a] != 0.0:
                by_diagonals(p.fall.c, s[a], field)
                for i in range(n):
                    force[a, i] += 2.0 * p.J[a] * field[i]
        return
    a = 0
    while a < 3:
        while a < 3 and p.J[a] == 0.0:
            a += 1
        b = a + 1
        while b < 3 and p.J[b] == 0.0:
            b += 1
        if a == 3:
            return
        p.re[:] = 0.0
        p.im[:] = 0.0
        p.re[:n] = s[a]
        if b < 3:
            p.im[:n] = s[b]
        circulate(p.fall, p.re, p.im)
        for i in range(n):
            force[a, i] += 2.0 * p.J[a] * p.re[i]
        if b < 3:
            for i in range(n):
                force[b, i] += 2.0 * p.J[b] * p.im[i]
        a = b + 1


@kernel(fastmath=FASTMATH)
def force_of_lattice(p, y, out):
    """out (3N,) = F at y (3N,)."""
    n = p.Omega.shape[1]
    s, force = y.reshape(3, n), out.reshape(3, n)
    force[:] = 0.0
    if p.falling:
        add_falling(p, s, force)
    if p.first[n] > 0:
        x, y_, z = 2.0 * p.J[0] * p.strength, 2.0 * p.J[1] * p.strength, 2.0 * p.J[2] * p.strength
        half = 0.5 * p.near
        for i in range(n):
            for k in range(p.first[i], p.first[i + 1]):
                j = p.partner[k]
                force[0, i] += x * s[0, j] - half * s[1, j]
                force[1, i] += y_ * s[1, j] + half * s[0, j]
                force[2, i] += z * s[2, j]
    if p.uniform != 0.0 or p.common != 0.0:
        total = np.zeros(3)
        for a in range(3):
            for i in range(n):
                total[a] += s[a, i]
        x, y_, z = 2.0 * p.J[0] * p.uniform, 2.0 * p.J[1] * p.uniform, 2.0 * p.J[2] * p.uniform
        half = 0.5 * p.common
        for i in range(n):
            rest_x, rest_y = total[0] - s[0, i], total[1] - s[1, i]
            force[0, i] += x * rest_x - half * rest_y
            force[1, i] += y_ * rest_y + half * rest_x
            force[2, i] += z * (total[2] - s[2, i])


_rhs = mean_field(force_of_lattice)
_explicit = explicit_segment(_rhs, watch_lengths)
_iterative = implicit_segment(_rhs, iterative(_rhs, False, force_of_lattice), watch_lengths, autonomous)


@entry
def lattice_explicit(p, y, times, out, rtol, atol, max_steps, t, h, row, watch):
    """A segment of explicit steps; see `solvers.numerics.runge_kutta.explicit_segment`."""
    return _explicit(p, y, times, out, rtol, atol, max_steps, t, h, row, watch)


@entry
def lattice_iterative(p, y, times, out, rtol, atol, max_steps, t, h, row, watch):
    """A segment of implicit steps with GMRES."""
    return _iterative(p, y, times, out, rtol, atol, max_steps, t, h, row, watch)


@entry
def lattice_derivative(p, y, dy):
    """dy (3N,) at y (3N,)."""
    _rhs(0.0, y, p, dy)


def propagate_lattice(
    lattice: EqualSpins,
    spins0: NDArray[np.float64],
    times: NDArray[np.float64],
    receive: Callable[[int, NDArray[np.float64], NDArray[np.float64] | None], None],
    *,
    rtol: float,
    atol: float,
    max_steps: int,
) -> MomentPath:
    """`propagation.propagate` in mean field, for a lattice."""
    p = lattice_coefficients(lattice)
    integrate = partial(take_segments, lattice_explicit, lattice_iterative, price_of_iterations(), p)
    y = np.ascontiguousarray(spins0.T).ravel()
    return follow(p, MEAN_FIELD, integrate, y, times, receive, rtol=rtol, atol=atol, max_steps=max_steps)
