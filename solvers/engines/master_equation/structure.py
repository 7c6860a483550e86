"""Where the elements of the generator of a few spins stand, and how they follow from fields, couplings and rates.

L in the Pauli basis is linear in the numbers that make a system, its *coefficients*:

    L_e = sum_c W_ec x_c,   x = (field_i^a, Re and Im Gamma_{ia,ib}, and for i < j coupling_ij^ab, Re and Im Gamma_{ia,jb})

The places e and the sparse W depend on N and on which coefficients occur at all, and are the same for all points of a
sweep. A coefficient that is zero at a point adds exact zeros there, so that no bit depends on what other points need.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from solvers.engines.master_equation.generator import pair_terms, site_terms
from solvers.numerics.lane_product import LANES


class Structure(NamedTuple):
    """L row by row: element e of row r, starts[r] <= e < starts[r + 1], is in columns[e]; its value is the sum over
    first[e] <= s < first[e + 1] of weights[s] times coefficient sources[s]."""

    starts: NDArray[np.int64]  # (4^N + 1,)
    columns: NDArray[np.int64]
    first: NDArray[np.int64]
    sources: NDArray[np.int64]
    weights: NDArray[np.float64]  # (S, LANES), the same in all lanes


def coefficients(
    field: NDArray[np.float64], coupling: NDArray[np.float64], Gamma: NDArray[np.complex128]
) -> NDArray[np.float64]:
    """The coefficients (P, C) of P systems: fields (P, N, 3), couplings (P, N, N, 3, 3), Gamma (P, 3N, 3N)."""
    count, n = field.shape[:2]
    blocks = Gamma.reshape(count, n, 3, n, 3)
    here = np.arange(n)
    i, j = np.triu_indices(n, 1)
    own = blocks[:, here, :, here, :].transpose(1, 0, 2, 3)
    across = blocks[:, i, :, j, :].transpose(1, 0, 2, 3)
    parts = (field, own.real, own.imag, coupling[:, i, j], across.real, across.imag)
    return np.concatenate([part.reshape(count, -1) for part in parts], axis=1)


@functools.lru_cache(maxsize=64)
def structure_of(n: int, occurs: bytes) -> Structure:
    """The structure for `n` spins and the coefficients that `occurs`, as the bytes of a boolean array (C,), names."""
    used = np.frombuffer(occurs, dtype=np.bool_)
    rows, columns, sources, weights = (np.concatenate(part) for part in zip(*_elements(n, used), strict=True))
    size = 4**n
    key = rows * size + columns
    order = np.lexsort((sources, key))
    key, sources, weights = key[order], sources[order], weights[order]
    places, first = np.unique(key, return_index=True)
    return Structure(
        np.searchsorted(places, np.arange(size + 1) * size).astype(np.int64),
        (places % size).astype(np.int64),
        np.append(first, len(key)).astype(np.int64),
        sources.astype(np.int64),
        np.repeat(weights, LANES).reshape(-1, LANES),
    )


def _elements(n: int, used: NDArray[np.bool_]):
    """Rows, columns, coefficient and weight of everything that the used coefficients add; in batches."""
    yield np.zeros(1, np.int64), np.zeros(1, np.int64), np.zeros(1, np.int64), np.zeros(1)  # none would have no type
    place = 4 ** np.arange(n - 1, -1, -1, dtype=np.int64)
    strings = np.arange(4**n, dtype=np.int64)
    i, j = np.triu_indices(n, 1)
    one, two = site_terms(), pair_terms()
    # (matrices of a kind of term, the places of its digits, how many such terms there are)
    kinds = [(matrices.reshape(-1, 4, 4), place[:, None], n) for matrices in one]
    kinds += [(matrices.reshape(-1, 16, 16), np.stack([place[i], place[j]], axis=1), len(i)) for matrices in two]
    c = 0
    for matrices, places, count in kinds:
        for k in range(count):
            offsets = np.zeros(1, dtype=np.int64)
            digits = np.zeros(len(strings), dtype=np.int64)
            for p in places[k]:
                offsets = (offsets[:, None] + np.arange(4) * p).ravel()
                digits = 4 * digits + strings // p % 4
            for matrix in matrices:
                if used[c]:
                    row, column = np.nonzero(matrix)
                    for r, m in zip(row.tolist(), column.tolist(), strict=True):
                        at = strings[digits == r]
                        yield at, at + (offsets[m] - offsets[r]), np.full(len(at), c), np.full(len(at), matrix[r, m])
                c += 1
