"""Many systems of up to four spins at once: exp(t L) r by Taylor series, eight points side by side in SIMD lanes.

A point is cut into segments of |L| h <= REACH (in the norm of column sums), whose series

    r(t + x h) = sum_k x^k (h L)^k r / k!

serves all output times inside. The number of segments and of terms follows from the point alone, and lanes never see each
other, so that a point has the same bits alone and among others. Only points for which that is cheap and as good as
rounding are taken (`evolve_side_by_side` says which); all else is for `exact`.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from solvers.engines.master_equation.structure import coefficients, structure_of
from solvers.numerics.compile import entry, kernel
from solvers.numerics.lane_product import LANES, add_row

MOST_SPINS = 4
REACH = 4.0
"""Rounding grows by at most e^REACH = 55 in a segment."""
SEGMENTS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
"""How many there may be; few different numbers, because points side by side must have the same."""
SMALLEST, LARGEST = 1e-100, 1e100


def evolve_side_by_side(
    field: NDArray[np.float64],
    coupling: NDArray[np.float64],
    Gamma: NDArray[np.complex128],
    starts: NDArray[np.float64],
    times: NDArray[np.float64],
    rtol: NDArray[np.float64],
    max_steps: NDArray[np.int64],
    indices: NDArray[np.int64],
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Components `indices` (K,) of r at `times` (T,), (P, T, K), and which points were treated (P,).

    Parameters
    ----------
    field, coupling, Gamma : (P, N, 3), (P, N, N, 3, 3), (P, 3N, 3N) of P systems with N <= MOST_SPINS.
    starts : Bloch vectors (P, N, 3) of product states.
    rtol : tolerances (P,) of the moments; max_steps : budgets (P,), of 100 applications of L each.

    A point is treated if Gamma is positive, no number is extreme, and at most 64 segments are needed, with no more
    applications of L than its budget. Then the error is below a tenth of rtol, or 1e-12.
    """
    count, n = field.shape[:2]
    found = np.empty((count, len(times), len(indices)))
    x = np.ascontiguousarray(coefficients(field, coupling, Gamma))
    largest = np.abs(x).max(axis=1)
    treated = ((largest == 0.0) | ((largest > SMALLEST) & (largest < LARGEST))) & np.isfinite(starts).all(axis=(1, 2))
    treated &= np.asarray(are_positive(np.ascontiguousarray(Gamma)))
    structure = structure_of(n, (x != 0.0).any(axis=0).tobytes())
    segments, terms = _plan(norms(x, structure) * float(times[-1]), rtol)
    treated &= (segments > 0) & (segments * terms <= 100.0 * max_steps)
    which = np.flatnonzero(treated)
    if len(which):
        order = which[np.lexsort((terms[which], segments[which]))]
        propagate(x, structure, starts, times, order, segments, terms, indices, found)
    return found, treated


def _plan(reach: NDArray[np.float64], rtol: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Segments (P,), 0 where more than 64 are needed, and terms (P,) of points with |L| T = `reach`."""
    allowed = np.array((0, *SEGMENTS))
    needed = np.searchsorted(allowed[1:] * REACH, reach)
    segments = np.append(allowed[1:], 0)[np.minimum(needed, len(SEGMENTS))]
    segments[~np.isfinite(reach)] = 0
    error = np.clip(0.1 * rtol, 1e-13, 1e-2) / np.maximum(segments, 1)
    terms = np.searchsorted(-_TAIL, -error) + 1
    return segments, np.minimum(terms, len(_TAIL))


def _tails() -> NDArray[np.float64]:
    """What is left of the series of exp(REACH) after 1, 2, ... terms, over the size of the state."""
    k = np.arange(1, 48)
    term = np.array([REACH**m / math.factorial(m) for m in k.tolist()])
    return np.asarray(term / (1.0 - np.minimum(REACH / (k + 1), 0.9)))


_TAIL = _tails()


@entry
def are_positive(Gamma):
    """Whether each Gamma (P, n, n) is positive up to rounding (P,), as `SpinSystem.positive` says it."""
    count, size = Gamma.shape[:2]
    found = np.empty(count, np.bool_)
    lower = np.empty((size, size), np.complex128)
    for p in range(count):
        largest = 0.0
        for i in range(size):
            for j in range(size):
                largest = max(largest, abs(Gamma[p, i, j]))
        found[p] = math.isfinite(largest)
        shift = 1e-10 * largest + 1e-300
        for j in range(size):
            pivot = Gamma[p, j, j].real + shift
            for k in range(j):
                pivot -= lower[j, k].real ** 2 + lower[j, k].imag ** 2
            if not pivot > 0.0:
                found[p] = False
                break
            root = math.sqrt(pivot)
            for i in range(j + 1, size):
                total = Gamma[p, i, j]
                for k in range(j):
                    total -= lower[i, k] * lower[j, k].conjugate()
                lower[i, j] = total / root
    return found


@kernel
def take(x, points, chosen):
    """The rows of x (P, C) of eight points, side by side (C, LANES)."""
    for c in range(x.shape[1]):
        for lane in range(LANES):
            chosen[c, lane] = x[points[lane], c]


@kernel
def fill_values(s, chosen, values):
    """The elements of L (E, LANES) from the coefficients (C, LANES)."""
    for e in range(s.columns.size):
        add_row(s.weights, s.sources, chosen, s.first[e], s.first[e + 1], 1.0, values, e)


@entry
def norms(x, s):
    """The largest sum of |L| over a column, of every point (P,)."""
    count, size = x.shape[0], s.starts.size - 1
    found = np.empty(count)
    values, chosen = np.empty((s.columns.size, LANES)), np.empty((x.shape[1], LANES))
    sums = np.empty((size, LANES))
    points = np.empty(LANES, np.int64)
    for begin in range(0, count, LANES):
        for lane in range(LANES):
            points[lane] = min(begin + lane, count - 1)
        take(x, points, chosen)
        fill_values(s, chosen, values)
        sums[:, :] = 0.0
        for e in range(s.columns.size):
            c = s.columns[e]
            for lane in range(LANES):
                sums[c, lane] += abs(values[e, lane])
        for lane in range(min(LANES, count - begin)):
            largest = 0.0
            for c in range(size):
                largest = max(largest, sums[c, lane])
            found[begin + lane] = largest
    return found


@kernel
def fill_start(starts, points, r):
    """Product states r (4^N, LANES) of the points."""
    n = starts.shape[1]
    for lane in range(LANES):
        r[0, lane] = 1.0
        size = 1
        for i in range(n - 1, -1, -1):  # the last site has the smallest place
            for a in range(3):
                v = starts[points[lane], i, a]
                for k in range(size):
                    r[(a + 1) * size + k, lane] = v * r[k, lane]
            size *= 4


@kernel
def add(source, target):
    """target += source, both (1, n)."""
    for m in range(target.shape[1]):
        target[0, m] += source[0, m]


@kernel(fastmath={"contract"})
def add_multiple(factor, source, target, row):
    """target[row] += factor source, source (1, n)."""
    for m in range(target.shape[1]):
        target[row, m] += factor * source[0, m]


@entry
def propagate(x, s, starts, times, order, segments, terms, indices, found):
    """Evolve the points in `order`, those with equal segments and terms together, into `found` (P, T, K)."""
    count, size, watched = times.size, s.starts.size - 1, indices.size
    values, chosen = np.empty((s.columns.size, LANES)), np.empty((x.shape[1], LANES))
    state, seen = np.empty((size, LANES)), np.empty((watched, LANES))
    term, after = np.empty((size, LANES)), np.empty((size, LANES))
    # the same numbers as one long row, so that loops over them vectorise
    long_state, long_seen = state.reshape(1, -1), seen.reshape(1, -1)
    long_term, long_after = term.reshape(1, -1), after.reshape(1, -1)
    rows = np.empty((count, watched * LANES))
    powers, fractions = np.empty(count), np.empty(count)
    points = np.empty(LANES, np.int64)
    done = 0
    while done < order.size:
        first = order[done]
        pieces, most = segments[first], terms[first]
        width = 1
        while width < LANES and done + width < order.size:
            other = order[done + width]
            if segments[other] != pieces or terms[other] != most:
                break
            width += 1
        for lane in range(LANES):
            points[lane] = order[done + min(lane, width - 1)]
        done += width
        take(x, points, chosen)
        fill_values(s, chosen, values)
        fill_start(starts, points, state)
        rows[:, :] = 0.0
        h = times[count - 1] / pieces
        row = 0
        for piece in range(pieces):
            last = row
            while last < count and (piece == pieces - 1 or times[last] <= h * (piece + 1)):
                powers[last] = 1.0
                fractions[last] = (times[last] - h * piece) / h if h > 0.0 else 0.0
                last += 1
            for m in range(size * LANES):
                long_term[0, m] = long_state[0, m]
            for k in range(most + 1):
                if k > 0:
                    for r in range(size):
                        add_row(values, s.columns, term, s.starts[r], s.starts[r + 1], h / k, after, r)
                    term, after, long_term, long_after = after, term, long_after, long_term
                    add(long_term, long_state)
                if last > row:
                    for q in range(watched):
                        for lane in range(LANES):
                            seen[q, lane] = term[indices[q], lane]
                for o in range(row, last):
                    if k > 0:
                        powers[o] *= fractions[o]
                    if powers[o] > 1e-20:
                        add_multiple(powers[o], long_seen, rows, o)
            row = last
        for lane in range(width):
            p = points[lane]
            for o in range(count):
                for q in range(watched):
                    found[p, o, q] = rows[o, LANES * q + lane]
