"""Mean field and cumulants of many small systems in one compiled call: coefficients, integration and moments of every point.

Explicit steps as in `integration`. A point that is stiff, spends its budget, leaves physics or has rates that are not
positive is left to `propagation`, which can tell why.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from solvers.engines.master_equation.side_by_side import are_positive
from solvers.engines.moments.equations import SPARSE, Coefficients
from solvers.engines.moments.integration import CUMULANTS, MEAN_FIELD, first_look, second_explicit
from solvers.engines.moments.second_order import position
from solvers.engines.pair_states import TOLERANCE
from solvers.numerics.compile import FASTMATH, entry, kernel
from solvers.numerics.dense_output import start_rows
from solvers.numerics.outcome import DONE
from solvers.numerics.runge_kutta import explicit_segment

__all__ = ["CUMULANTS", "MEAN_FIELD", "MOST_SPINS", "propagate_many"]

MOST_SPINS = 8
"""Beyond, what surrounds the integration no longer counts."""


@kernel(fastmath=FASTMATH)
def mean_field_of_few(t, y, p, dy):
    """The equations of `first_order`, coefficients in few arrays: what a call passes on, it counts references of.

    p: numbers (Omega, g (3N), R (9N), then K element by element), places (where rows of K begin, then its columns), and
    the first time at which a spin was longer than 1 (1,).
    """
    numbers, places, _ = p
    n = y.size // 3
    elements, columns = 15 * n, 3 * n + 1
    for r in range(3 * n):
        total = numbers[r]
        for e in range(places[r], places[r + 1]):
            total += numbers[elements + e] * y[places[columns + e]]
        dy[r] = total
    for i in range(n):
        bx, by, bz = dy[i], dy[n + i], dy[2 * n + i]
        x, y_, z = y[i], y[n + i], y[2 * n + i]
        g, R = 3 * n + i, 6 * n + i
        dy[i] = by * z - bz * y_ + numbers[g] - (numbers[R] * x + numbers[R + n] * y_ + numbers[R + 2 * n] * z)
        g, R = g + n, R + 3 * n
        dy[n + i] = bz * x - bx * z + numbers[g] - (numbers[R] * x + numbers[R + n] * y_ + numbers[R + 2 * n] * z)
        g, R = g + n, R + 3 * n
        dy[2 * n + i] = bx * y_ - by * x + numbers[g] - (numbers[R] * x + numbers[R + n] * y_ + numbers[R + 2 * n] * z)


@kernel
def watch_few(t, y, p):
    """Never stops; notes the first step's end at which a spin is longer than 1."""
    bad = p[2]
    n = y.size // 3
    if np.isnan(bad[0]):
        for i in range(n):
            if y[i] ** 2 + y[n + i] ** 2 + y[2 * n + i] ** 2 > (1.0 + TOLERANCE) ** 2:
                bad[0] = t
    return 1.0


_first = explicit_segment(mean_field_of_few, watch_few)


def propagate_many(
    order: int,
    field: NDArray[np.float64],
    coupling: NDArray[np.float64],
    Gamma: NDArray[np.complex128],
    starts: NDArray[np.float64],
    times: NDArray[np.float64],
    rtol: NDArray[np.float64],
    atol: NDArray[np.float64],
    max_steps: NDArray[np.int64],
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Moments (P, T, 3N + 9 N(N-1)/2) of mean field (`order` 1) or cumulants (2), and which points were solved (P,).

    field, coupling, Gamma : (P, N, 3), (P, N, N, 3, 3), (P, 3N, 3N), N <= MOST_SPINS; starts : Bloch vectors (P, N, 3) of
    product states; rtol, atol, max_steps : (P,). A moment is <s_i^a>, then <s_i^a s_j^b> of i < j, as in
    `moment_indices`.
    """
    count, n = field.shape[:2]
    found = np.full((count, len(times), 3 * n + 9 * n * (n - 1) // 2), np.nan)
    done = np.asarray(are_positive(np.ascontiguousarray(Gamma)))
    done &= np.isfinite(field).all(axis=(1, 2)) & np.isfinite(coupling).all(axis=(1, 2, 3, 4))
    solve = second_order_of_all if order == CUMULANTS else first_order_of_all
    arrays = (np.ascontiguousarray(array) for array in (field, coupling, Gamma, starts))
    if order == CUMULANTS:  # which may take hopelessly many: `propagation` looks, and gives up early
        max_steps = np.minimum(max_steps, first_look(max_steps)).astype(np.int64)
    solve(*arrays, times, np.ascontiguousarray(rtol), np.ascontiguousarray(atol), max_steps, found, done)
    return found, done


@entry
def first_order_of_all(field, coupling, Gamma, starts, times, rtol, atol, max_steps, found, done):
    """Mean field of the points (P,) that `done` names, which keeps those that were solved."""
    n = field.shape[1]
    coefficients = blank(n, 0)
    p = np.empty(15 * n + 9 * n * n), np.empty(3 * n + 1 + 9 * n * n, np.int64), np.empty(1)
    y, out = np.empty(3 * n), np.empty((times.size, 3 * n))
    for k in range(field.shape[0]):
        if done[k]:
            coefficients = coefficients_of(field[k], coupling[k], Gamma[k], coefficients)
            pack_few(coefficients, p)
            begin(starts[k], y)
            row = start_rows(y, times, out)
            if row < times.size:
                code, _, _, row, _ = _first(p, y, times, out, rtol[k], atol[k], max_steps[k], 0.0, 0.0, row, True)
                done[k] = code == DONE and np.isnan(p[2][0])
            moments_of(out, n, False, found[k])


@kernel
def pack_few(c, p):
    """What `mean_field_of_few` reads."""
    numbers, places, bad = p
    n = c.Omega.shape[1]
    bad[0] = np.nan
    for a in range(3):
        for i in range(n):
            numbers[a * n + i] = c.Omega[a, i]
            numbers[(3 + a) * n + i] = c.g[a, i]
            for b in range(3):
                numbers[(6 + 3 * a + b) * n + i] = c.R[a, b, i]
    for r in range(3 * n + 1):
        places[r] = c.starts[r]
    for e in range(c.starts[3 * n]):
        numbers[15 * n + e] = c.values[e]
        places[3 * n + 1 + e] = c.columns[e]


@entry
def second_order_of_all(field, coupling, Gamma, starts, times, rtol, atol, max_steps, found, done):
    """The same for cumulants."""
    n = field.shape[1]
    p = blank(n, 3 * n)
    size = 3 * n + 3 * n * (3 * n - 1) // 2
    y, out = np.empty(size), np.empty((times.size, size))
    for k in range(field.shape[0]):
        if done[k]:
            p = coefficients_of(field[k], coupling[k], Gamma[k], p)
            begin(starts[k], y)
            row = start_rows(y, times, out)
            if row < times.size:
                watch = row < times.size  # not the constant True, for which the kernels would be compiled once more
                tuning = rtol[k], atol[k], max_steps[k]
                code, _, _, row, _ = second_explicit(p, y, times, out, *tuning, 0.0, 0.0, row, watch)
                done[k] = code == DONE and np.isnan(p.first_bad[0])
            moments_of(out, n, True, found[k])


@kernel
def blank(n, width):
    """Coefficients of n spins to be filled; scratch of `width`."""
    return Coefficients(
        np.empty((3, n)),
        np.empty((3, 3, n)),
        np.empty((3, n)),
        np.zeros((3 * n, 3 * n)),
        np.empty((9, 2), np.int64),
        np.zeros((3 * n, 3 * n)),
        np.empty((9, 2), np.int64),
        SPARSE,
        np.empty(3 * n + 1, np.int64),
        np.empty(9 * n * n, np.int64),
        np.empty(9 * n * n),
        np.empty((3 * n, 0)),
        np.empty((0, 3 * n)),
        np.empty((3, 3, n)),
        np.zeros((width, width)),
        np.zeros((width, width)),
        np.zeros((width, width)),
        np.zeros((0, width)),
        np.zeros(0),
        np.empty(1),
    )


@kernel
def coefficients_of(field, coupling, Gamma, p):
    """The coefficients of one system, as `build_coefficients` makes them, in the arrays of `p`."""
    n = field.shape[0]
    p.first_bad[0] = np.nan
    for i in range(n):
        trace = Gamma[3 * i, 3 * i].real + Gamma[3 * i + 1, 3 * i + 1].real + Gamma[3 * i + 2, 3 * i + 2].real
        for a in range(3):
            p.Omega[a, i] = 2.0 * field[i, a]
            b, c = (a + 1) % 3, (a + 2) % 3
            p.g[a, i] = -2.0 * (Gamma[3 * i + b, 3 * i + c].imag - Gamma[3 * i + c, 3 * i + b].imag)
            for d in range(3):
                p.R[a, d, i] = 2.0 * ((trace if a == d else 0.0) - Gamma[3 * i + a, 3 * i + d].real)
    entries = 0
    for a in range(3):
        for i in range(n):
            row = a * n + i
            p.starts[row] = entries
            for b in range(3):
                for j in range(n):
                    column = b * n + j
                    if i == j:
                        continue
                    across = Gamma[3 * i + a, 3 * j + b]
                    p.S[row, column] = across.real
                    value = 2.0 * (coupling[i, j, a, b] - across.imag)
                    p.K[row, column] = value
                    if value != 0.0:
                        p.columns[entries] = column
                        p.values[entries] = value
                        entries += 1
    p.starts[3 * n] = entries
    K_planes, S_planes = planes(p.K, n), planes(p.S, n)
    return Coefficients(
        p.Omega,
        p.R,
        p.g,
        p.K,
        K_planes,
        p.S,
        S_planes,
        SPARSE,
        p.starts,
        p.columns,
        p.values,
        p.left,
        p.right,
        p.blocks,
        p.covariance,
        p.product,
        p.pair,
        p.thin,
        p.weights,
        p.first_bad,
    )


@kernel
def planes(matrix, n):
    """The (a, b) (n, 2) for which the block (3N, 3N) is not all zero."""
    found = np.empty((9, 2), np.int64)
    count = 0
    for a in range(3):
        for b in range(3):
            used = False
            for i in range(n):
                for j in range(n):
                    used = used or matrix[a * n + i, b * n + j] != 0.0
            if used:
                found[count, 0], found[count, 1] = a, b
                count += 1
    return found[:count]


@kernel
def begin(spins, y):
    """The state of a product of Bloch vectors (N, 3)."""
    n = spins.shape[0]
    y[:] = 0.0
    for i in range(n):
        for a in range(3):
            y[a * n + i] = spins[i, a]


@kernel
def moments_of(out, n, connected, found):
    """Moments (T, K) from states (T, n) of either order."""
    for t in range(out.shape[0]):
        y, row = out[t], found[t]
        place = 3 * n
        for i in range(n):
            for a in range(3):
                row[3 * i + a] = y[a * n + i]
        for i in range(n):
            for j in range(i + 1, n):
                for a in range(3):
                    for b in range(3):
                        value = y[a * n + i] * y[b * n + j]
                        if connected:
                            value += y[position(3 * n, a * n + i, b * n + j)]
                        row[place] = value
                        place += 1
