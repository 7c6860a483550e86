"""L on the whole state of up to eight spins: sparse matrices over blocks of neighbouring strings, in two orders of the sites.

A term leaves the digits after its last site alone. So it is a sparse matrix over the strings of the sites up to there,
whose elements multiply blocks of as many numbers as the other sites have strings; blocks of 64, 16, 4 numbers and 1 are
told apart. In the second order of the sites their last half comes first: a term is in that order in which its blocks are
larger, and the second takes two transpositions of the state.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from solvers.numerics.block_product import TILE, aligned, block_product, turn
from solvers.numerics.compile import FASTMATH, entry, kernel

WIDTHS = (64, 16, 4, 1)
_LEAST_SAVED = 2.0
"""Elements per row of L, in blocks of less than 16 numbers otherwise, from which the transpositions pay."""
_add_64, _add_16, _add_4, _add_1 = (block_product(width) for width in WIDTHS)


class Terms(NamedTuple):
    """L as `act` reads it.

    A row of `levels` is (turned, width, rows, first row): a matrix over blocks of `width` numbers, whose rows are those of
    `starts` from the first on, with `columns` (the first number of a block) and `values`. A turned one is for the state
    (front, back) transposed.
    """

    diagonal: NDArray[np.float64]  # (4^N,)
    levels: NDArray[np.int64]  # (L, 4)
    starts: NDArray[np.int64]
    columns: NDArray[np.int64]
    values: NDArray[np.float64]
    front: int
    back: int
    source: NDArray[np.float64]  # scratch (4^N,) if any level is turned
    result: NDArray[np.float64]


def assemble_terms(
    sites: NDArray[np.float64], pairs: NDArray[np.int64], bonds: NDArray[np.float64], diagonal: NDArray[np.float64]
) -> Terms:
    """Terms (N, 4, 4) on sites and (P, 16, 16) on `pairs` (P, 2), whose diagonal elements are summed in `diagonal` (4^N,)."""
    n = len(sites)
    back = (n + 1) // 2
    position = np.stack([np.arange(n), (np.arange(n) + back) % n])  # of each site in the two orders
    last = np.concatenate([position, position[:, pairs].max(axis=2)], axis=1)  # (2, N + P)
    free = np.minimum(n - 1 - last, 3)
    used = np.array([np.count_nonzero(m) - np.count_nonzero(m.diagonal()) for m in (*sites, *bonds)])
    per_row = used / np.where(np.arange(len(used)) < n, 4, 16)
    turned = (free[1] > free[0]) & (free[0] < 2)
    if 4 ** (n - back) < TILE or per_row[turned].sum() <= _LEAST_SAVED:
        turned[:] = False
    levels: list[tuple[int, int, int, int]] = []
    matrices: list[Matrix] = []
    row = element = 0
    for turn_it in (False, True):
        for width in WIDTHS:
            chosen = (turned == turn_it) & (4 ** free[int(turn_it)] == width) & (used > 0)
            if not chosen.any():
                continue
            kept = n - (width.bit_length() - 1) // 2
            at = position[int(turn_it)]
            local = np.zeros((kept, 4, 4))
            own, joined = np.flatnonzero(chosen[:n]), np.flatnonzero(chosen[n:])
            local[at[own]] = sites[own]
            starts, columns, values = rows_of_terms(local, at[pairs[joined]], bonds[joined])
            levels.append((int(turn_it), width, 4**kept, row))
            matrices.append((starts + element, width * columns, values))
            row, element = row + len(starts), element + len(values)
    scratch = 4**n if turned.any() else 0
    none = (np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64), np.empty(0))
    starts, columns, values = (np.concatenate(part) for part in zip(none, *matrices, strict=True))
    order = np.array(levels, dtype=np.int64).reshape(-1, 4)
    return Terms(diagonal, order, starts, columns, values, 4 ** (n - back), 4**back, aligned(scratch), aligned(scratch))


Matrix = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]
"""Where the rows start, columns and values."""


def rows_of_terms(sites: NDArray[np.float64], pairs: NDArray[np.int64], bonds: NDArray[np.float64]) -> Matrix:
    """The off-diagonal elements of terms on sites (m, 4, 4) and on `pairs` (P, 2) of them, bonds (P, 16, 16), among all strings."""
    strings = np.arange(4 ** len(sites), dtype=np.int64)
    starts = np.zeros(len(strings) + 1, dtype=np.int64)
    fill_rows(strings, strings, sites, pairs, bonds, starts, np.empty(0, dtype=np.int64), np.empty(0), False)
    starts = np.cumsum(starts)
    columns, values = np.empty(starts[-1], dtype=np.int64), np.empty(starts[-1])
    fill_rows(strings, strings, sites, pairs, bonds, starts, columns, values, True)
    return starts, columns, values


@entry
def fill_rows(strings, place, sites, pairs, bonds, starts, columns, values, write):
    """Off-diagonal elements of L among `strings`; without `write` only their number in each row r, into starts[r + 1]."""
    n = sites.shape[0]
    for r in range(strings.shape[0]):
        s = strings[r]
        at = starts[r] if write else 0
        for i in range(n):
            unit = 1 << (2 * (n - 1 - i))
            d = (s // unit) % 4
            for e in range(4):
                if e != d and sites[i, d, e] != 0.0:
                    column = place[s + (e - d) * unit]
                    if column >= 0:
                        if write:
                            columns[at] = column
                            values[at] = sites[i, d, e]
                        at += 1
        for p in range(pairs.shape[0]):
            first = 1 << (2 * (n - 1 - pairs[p, 0]))
            second = 1 << (2 * (n - 1 - pairs[p, 1]))
            d, f = (s // first) % 4, (s // second) % 4
            row = 4 * d + f
            for e in range(16):
                if e != row and bonds[p, row, e] != 0.0:
                    column = place[s + (e // 4 - d) * first + (e % 4 - f) * second]
                    if column >= 0:
                        if write:
                            columns[at] = column
                            values[at] = bonds[p, row, e]
                        at += 1
        if not write:
            starts[r + 1] = at


@kernel(fastmath=FASTMATH)
def act(x, y, p, scale, shift, keep):
    """y <- scale (L - shift) x + keep y."""
    for k in range(x.shape[0]):
        y[k] = keep * y[k] + scale * (p.diagonal[k] - shift) * x[k]
    _add_levels(x, y, p, False, scale)
    if p.source.shape[0] == 0:
        return
    turn(x, p.front, p.back, p.source, 0.0)
    p.result[:] = 0.0
    _add_levels(p.source, p.result, p, True, scale)
    turn(p.result, p.back, p.front, y, 1.0)


@kernel
def _add_levels(x, y, p, turned, scale):
    """y += scale (the levels that are turned, or those that are not) x."""
    for level in range(p.levels.shape[0]):
        width, rows, first = p.levels[level, 1], p.levels[level, 2], p.levels[level, 3]
        if (p.levels[level, 0] == 1) != turned:
            continue
        if width == 64:
            _add_64(p.starts, p.columns, p.values, first, rows, x, y, scale)
        elif width == 16:
            _add_16(p.starts, p.columns, p.values, first, rows, x, y, scale)
        elif width == 4:
            _add_4(p.starts, p.columns, p.values, first, rows, x, y, scale)
        else:
            _add_1(p.starts, p.columns, p.values, first, rows, x, y, scale)


@entry(fastmath=FASTMATH)
def apply_terms(x, y, p, scale, shift, keep):
    """y <- scale (L - shift) x + keep y (see `act`)."""
    act(x, y, p, scale, shift, keep)
