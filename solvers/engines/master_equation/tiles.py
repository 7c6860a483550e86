"""L on the whole state of nine and more spins, tile by tile in the cache.

4^N numbers do not fit the cache, and a pass over them for every term costs as much as all memory traffic of a series many
times over. So terms are sorted into *sweeps*, passes over memory for the last three sites and five others at a time: the
4^8 numbers of such a tile lie in the level-2 cache (512 KiB), where all terms on its sites act. A chain of twelve needs
two sweeps, couplings between all of its spins five.

In a tile the digits of the five sites count *rows* of 64 numbers, those of the last three. Terms on the five are a sparse
matrix (1024, 1024) of rows. Terms on the last three, alone or with one of the five, are a sparse matrix (256, 256) after
an exchange of rows and columns: 64 numbers side by side in either case.
"""

from __future__ import annotations

from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags_array

from solvers.engines.master_equation.generator import Generator, sum_of_diagonals
from solvers.engines.master_equation.terms import fill_rows
from solvers.numerics.block_product import TILE, aligned_in_kernel, block_product, turn_tile
from solvers.numerics.compile import FASTMATH, kernel

FEWEST_SPINS = 9
LAST = 3
"""Sites whose digits count the numbers of a row."""
OTHERS = 5
WIDTH = 4**LAST
ROWS = 4**OTHERS
TURNED = 4 * WIDTH
_add_rows = block_product(WIDTH)


class Tiles(NamedTuple):
    """The sweeps, as the kernels read them.

    Sweep s visits tiles that begin at `outer[s]`, with rows at `rows[s]` from there. `starts` (S, ROWS + 1), `columns` (first
    number of a row), `values`: the matrix of its five sites. Turned matrices first_turned[s] ... first_turned[s + 1] - 1 act
    on the last three sites and one site whose digits are `stride` rows apart; `lanes` are the rows where it is 0, in an
    order in which TILE of them in a row are equally far apart.
    """

    outer: NDArray[np.int64]  # (S, 4^(N - 8))
    rows: NDArray[np.int64]  # (S, ROWS)
    starts: NDArray[np.int64]
    columns: NDArray[np.int64]
    values: NDArray[np.float64]
    first_turned: NDArray[np.int64]  # (S + 1,)
    strides: NDArray[np.int64]  # (K,)
    lanes: NDArray[np.int64]  # (K, ROWS / 4)
    turned_starts: NDArray[np.int64]  # (K, TURNED + 1)
    turned_columns: NDArray[np.int64]
    turned_values: NDArray[np.float64]


def choose_sweeps(n: int, pairs: list[tuple[int, int]]) -> list[tuple[int, ...]]:
    """Five sites for every sweep: each pair, and each site, of the first n - 3 is in one of them. Greedily, most new pairs first."""
    high = range(n - LAST)
    missing = {(i, j) for i, j in pairs if j < n - LAST}
    alone = set(high)
    chosen: list[tuple[int, ...]] = []
    while missing or alone:
        best = max(
            combinations(high, OTHERS),
            key=lambda c: (len(missing.intersection(combinations(c, 2))), len(alone.intersection(c))),
        )
        chosen.append(best)
        missing -= set(combinations(best, 2))
        alone -= set(best)
    return chosen


def build_tiles(generator: Generator) -> Tiles:
    """The sweeps of a generator of at least FEWEST_SPINS spins."""
    n = generator.N
    if n < FEWEST_SPINS:
        raise ValueError(f"tiles are for at least {FEWEST_SPINS} spins; given were {n}; use the terms of the generator")
    pairs: list[tuple[int, int]] = [(i, j) for i, j in generator.pairs.tolist()]
    sweeps = choose_sweeps(n, pairs)
    place = 4 ** np.arange(n - 1, -1, -1, dtype=np.int64)
    home = {i: next(s for s, sites in enumerate(sweeps) if i in sites) for i in range(n - LAST)}
    straight: list[list[int]] = [[] for _ in sweeps]
    turned: dict[int, list[int]] = {}
    within: list[int] = []
    for k, (i, j) in enumerate(pairs):
        if j < n - LAST:
            straight[next(s for s, sites in enumerate(sweeps) if i in sites and j in sites)].append(k)
        elif i < n - LAST:
            turned.setdefault(i, []).append(k)
        else:
            within.append(k)
    anchor = max(turned, default=n - LAST - 1)  # the site beside which the last three are served by themselves
    turned.setdefault(anchor, []).extend(within)

    def part(sites: list[int], served: list[int], bonds: list[int]) -> csr_matrix:
        matrices = np.stack([generator.sites[i] if i in served else np.zeros((4, 4)) for i in sites])
        at = {site: k for k, site in enumerate(sites)}
        joined = np.array([[at[i], at[j]] for i, j in (pairs[k] for k in bonds)], dtype=np.int64).reshape(-1, 2)
        return _matrix(matrices, joined, generator.bonds[bonds])

    last = list(range(n - LAST, n))
    blocks = [part(list(sites), [i for i in sites if home[i] == s], straight[s]) for s, sites in enumerate(sweeps)]
    order = sorted(turned, key=lambda i: (home[i], i))
    extra = [part([i, *last], last if i == anchor else [], turned[i]) for i in order]
    strides = [4 ** (OTHERS - 1 - sweeps[home[i]].index(i)) for i in order]
    row = np.arange(ROWS)
    # rows 4 k + low of a site with the stride 4 are no TILE neighbours: those with the same `low` one after the other
    lanes = [row[np.argsort(row % stride if stride < TILE else 0 * row, kind="stable")] for stride in strides]
    lanes = [order_[order_ // stride % 4 == 0] for order_, stride in zip(lanes, strides, strict=True)]
    counts = np.bincount([home[i] for i in order], minlength=len(sweeps))
    return Tiles(
        np.stack([_offsets(place[[i for i in range(n - LAST) if i not in sites]]) for sites in sweeps]),
        np.stack([_offsets(place[list(sites)]) for sites in sweeps]),
        *_joined(blocks),
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        np.array(strides, dtype=np.int64),
        np.stack(lanes).astype(np.int64),
        *_joined(extra),
    )


def _offsets(places: NDArray[np.int64]) -> NDArray[np.int64]:
    """Sums of digits times places, the first digit leading."""
    found = np.zeros(1, dtype=np.int64)
    for p in places:
        found = (found[:, None] + np.arange(4) * p).ravel()
    return found


def _matrix(sites: NDArray[np.float64], pairs: NDArray[np.int64], bonds: NDArray[np.float64]) -> csr_matrix:
    """The terms on a few sites as a sparse matrix (4^m, 4^m)."""
    size = 4 ** len(sites)
    strings = np.arange(size)
    starts = np.zeros(size + 1, dtype=np.int64)
    fill_rows(strings, strings, sites, pairs, bonds, starts, np.empty(0, np.int64), np.empty(0), False)
    starts = np.cumsum(starts)
    columns, values = np.empty(starts[-1], dtype=np.int64), np.empty(starts[-1])
    fill_rows(strings, strings, sites, pairs, bonds, starts, columns, values, True)
    found = csr_matrix((values, columns, starts), shape=(size, size))
    found = csr_matrix(found + diags_array(sum_of_diagonals(len(sites), sites, pairs, bonds)))
    found.eliminate_zeros()
    found.sort_indices()
    return found


def _joined(blocks: list[csr_matrix]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Matrices one after the other: where their rows start, columns as first numbers of rows, and values."""
    first = np.concatenate([[0], np.cumsum([matrix.nnz for matrix in blocks])])
    starts = np.stack([matrix.indptr + at for matrix, at in zip(blocks, first[:-1], strict=True)])
    columns = np.concatenate([matrix.indices for matrix in blocks]).astype(np.int64)
    return starts.astype(np.int64), columns * WIDTH, np.concatenate([matrix.data for matrix in blocks])


@kernel(fastmath=FASTMATH)
def add_turned(starts, columns, values, stride, lanes, x, y, source, result, scale):
    """y += scale (matrix of the last three sites and one more) x for a tile; `source`, `result` (TURNED WIDTH,) are scratch."""
    apart = (lanes[1] - lanes[0]) * WIDTH
    for first in range(0, lanes.shape[0], WIDTH):
        for d in range(4):
            for m in range(0, WIDTH, TILE):
                at = (lanes[first + m] + d * stride) * WIDTH
                for k in range(0, WIDTH, TILE):
                    turn_tile(x, at + k, apart, source, (d * WIDTH + k) * WIDTH + m, WIDTH, 0.0)
        result[:] = 0.0
        _add_rows(starts, columns, values, 0, TURNED, source, result, scale)
        for d in range(4):
            for m in range(0, WIDTH, TILE):
                at = (lanes[first + m] + d * stride) * WIDTH
                for k in range(0, WIDTH, TILE):
                    turn_tile(result, (d * WIDTH + k) * WIDTH + m, WIDTH, y, at + k, apart, 1.0)


@kernel(fastmath=FASTMATH)
def act_on_tiles(x, y, p, scale, shift, keep, end, weight):
    """y <- scale (L - shift) x + keep y, and end += weight y if there is an `end`; returns |y|^2."""
    tile_x, tile_y = aligned_in_kernel(ROWS * WIDTH), aligned_in_kernel(ROWS * WIDTH)
    source, result = aligned_in_kernel(TURNED * WIDTH), aligned_in_kernel(TURNED * WIDTH)
    sweeps = p.rows.shape[0]
    total = 0.0
    for s in range(sweeps):
        own, old = (-scale * shift, keep) if s == 0 else (0.0, 1.0)
        for o in range(p.outer.shape[1]):
            for r in range(ROWS):
                at = p.outer[s, o] + p.rows[s, r]
                from_x, from_y = x[at:], y[at:]
                to_x, to_y = tile_x[r * WIDTH :], tile_y[r * WIDTH :]
                for k in range(WIDTH):
                    to_x[k] = from_x[k]
                    to_y[k] = old * from_y[k] + own * from_x[k]
            _add_rows(p.starts[s], p.columns, p.values, 0, ROWS, tile_x, tile_y, scale)
            for t in range(p.first_turned[s], p.first_turned[s + 1]):
                add_turned(
                    p.turned_starts[t],
                    p.turned_columns,
                    p.turned_values,
                    p.strides[t],
                    p.lanes[t],
                    tile_x,
                    tile_y,
                    source,
                    result,
                    scale,
                )
            for r in range(ROWS):
                at = p.outer[s, o] + p.rows[s, r]
                to, found = y[at:], tile_y[r * WIDTH :]
                for k in range(WIDTH):
                    to[k] = found[k]
                if s == sweeps - 1:
                    for k in range(WIDTH):
                        total += found[k] * found[k]
                    if end.shape[0] > 0:
                        into = end[at:]
                        for k in range(WIDTH):
                            into[k] += weight * found[k]
    return total
