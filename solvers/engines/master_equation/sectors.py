"""The Pauli strings that matter: those reached from the start, and from which something watched is reached.

L couples a string to few others. What the start never reaches stays zero, and what reaches nothing watched may be left
out; L among the rest is a sparse matrix, often of many separate blocks (pure dephasing: 2^N blocks of at most 2^N
strings; uncoupled spins: blocks of one spin; hopping and dephasing: N^2 strings decide the magnetisation of a chain).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from solvers.engines.master_equation.generator import Generator
from solvers.engines.master_equation.terms import fill_rows
from solvers.numerics.compile import entry


@dataclass(frozen=True)
class Sector:
    """Some strings (n,), in rising order, and L among them: diagonal (n,) and the other elements row by row."""

    strings: NDArray[np.int64]
    diagonal: NDArray[np.float64]
    starts: NDArray[np.int64]
    columns: NDArray[np.int64]
    values: NDArray[np.float64]

    @property
    def size(self) -> int:
        """Number of strings."""
        return len(self.strings)

    def positions(self, strings: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where the given strings are in the sector; -1 for those that are not (and whose values are zero)."""
        at = np.minimum(np.searchsorted(self.strings, strings), self.size - 1)
        return np.where(self.strings[at] == strings, at, -1)

    def blocks(self) -> list[NDArray[np.int64]]:
        """Positions of the strings of every block: L couples no string of one to one of another."""
        labels = connected(self.starts, self.columns)
        order = np.argsort(labels, kind="stable")
        return np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)

    def dense(self, block: NDArray[np.int64]) -> NDArray[np.float64]:
        """L among the strings at the positions `block`, which must be one of `blocks`."""
        place = np.zeros(self.size, dtype=np.int64)
        place[block] = np.arange(len(block))
        matrix = np.diag(self.diagonal[block])
        add_elements(matrix, block, place, self.starts, self.columns, self.values)
        return matrix

    @functools.cached_property
    def field_of_values(self) -> tuple[tuple[float, float], float]:
        """Bounds of the real part, and of the size of the imaginary part, by the rows of (L + L^T)/2 and (L - L^T)/2."""
        matrix = csr_matrix((self.values, self.columns, self.starts), shape=(self.size, self.size))
        transposed = csr_matrix(matrix.T)
        symmetric = np.asarray(abs(matrix + transposed).sum(axis=1)).ravel() / 2
        skew = np.asarray(abs(matrix - transposed).sum(axis=1)).ravel() / 2
        return (float((self.diagonal - symmetric).min()), float((self.diagonal + symmetric).max())), float(skew.max())


def largest_coset(generator: Generator) -> int:
    """A bound of the number of strings in a block: two digits, 0 to 3, differ by an element of Z_2 x Z_2, and so do strings.

    The differences between the strings that the terms of L join span a group; no block is larger than that.
    """
    n = generator.N
    found: set[int] = set()
    for i in range(n):
        rows, columns = np.nonzero(generator.sites[i])
        found.update(((rows ^ columns) << (2 * (n - 1 - i))).tolist())
    for (i, j), matrix in zip(generator.pairs.tolist(), generator.bonds, strict=True):
        rows, columns = np.nonzero(matrix)
        difference = rows ^ columns
        found.update((((difference >> 2) << (2 * (n - 1 - i))) | ((difference & 3) << (2 * (n - 1 - j)))).tolist())
    basis: list[int] = []
    for element in found:
        for b in basis:
            element = min(element, element ^ b)
        if element:
            basis.append(element)
    return int(2 ** len(basis))


def find_sector(
    generator: Generator, r0: NDArray[np.float64], watched: NDArray[np.int64] | None, largest: float = 0.5
) -> Sector | None:
    """The strings that matter from the start `r0` (4^N,) for the `watched` ones (None: for all that the start reaches).

    None if they are more than the fraction `largest` of all strings, when a sparse matrix no longer pays.
    """
    most = int(largest * generator.dimension)
    terms = (generator.sites, generator.pairs, generator.bonds)
    forward = _closure(generator.dimension, np.flatnonzero(r0), True, most, terms)
    backward = None if watched is None else _closure(generator.dimension, watched, False, most, terms)
    if forward is None and backward is None:
        return None
    reached = [mark for mark in (forward, backward) if mark is not None]
    strings = np.flatnonzero(np.logical_and.reduce(reached))
    place = np.full(generator.dimension, -1, dtype=np.int64)
    place[strings] = np.arange(len(strings))
    starts = np.zeros(len(strings) + 1, dtype=np.int64)
    empty = np.empty(0, dtype=np.int64), np.empty(0)
    fill_rows(strings, place, *terms, starts, *empty, False)
    starts = np.concatenate([[0], np.cumsum(starts[1:])])
    columns, values = np.empty(starts[-1], dtype=np.int64), np.empty(starts[-1])
    fill_rows(strings, place, *terms, starts, columns, values, True)
    return Sector(strings, generator.diagonal[strings], starts, columns, values)


def _closure(dimension: int, seeds, forward: bool, most: int, terms) -> NDArray[np.bool_] | None:
    mark = np.zeros(dimension, dtype=np.bool_)
    todo = np.empty(max(most, len(seeds)) + 1, dtype=np.int64)
    if len(seeds) > most or close(seeds.astype(np.int64), mark, todo, forward, most, *terms) > most:
        return None
    return mark


@entry
def close(seeds, mark, todo, forward, most, sites, pairs, bonds):
    """Mark all strings that the seeds reach (or that reach the seeds); how many, or more than `most` when given up."""
    n = sites.shape[0]
    count, done = 0, 0
    for s in seeds:
        if not mark[s]:
            mark[s] = True
            todo[count] = s
            count += 1
    while done < count:
        s = todo[done]
        done += 1
        for i in range(n):
            place = 1 << (2 * (n - 1 - i))
            d = (s // place) % 4
            for e in range(4):
                element = sites[i, e, d] if forward else sites[i, d, e]
                if e != d and element != 0.0:
                    other = s + (e - d) * place
                    if not mark[other]:
                        if count > most:
                            return most + 1
                        mark[other] = True
                        todo[count] = other
                        count += 1
        for p in range(pairs.shape[0]):
            first = 1 << (2 * (n - 1 - pairs[p, 0]))
            second = 1 << (2 * (n - 1 - pairs[p, 1]))
            d, f = (s // first) % 4, (s // second) % 4
            at = 4 * d + f
            for e in range(16):
                element = bonds[p, e, at] if forward else bonds[p, at, e]
                if e != at and element != 0.0:
                    other = s + (e // 4 - d) * first + (e % 4 - f) * second
                    if not mark[other]:
                        if count > most:
                            return most + 1
                        mark[other] = True
                        todo[count] = other
                        count += 1
    return count


@entry
def connected(starts, columns):
    """The smallest position in the block of each row (n,): rows are joined with the columns of their elements."""
    size = starts.shape[0] - 1
    parent = np.arange(size)
    for r in range(size):
        for e in range(starts[r], starts[r + 1]):
            a, b = r, columns[e]
            while parent[a] != a:
                parent[a] = parent[parent[a]]
                a = parent[a]
            while parent[b] != b:
                parent[b] = parent[parent[b]]
                b = parent[b]
            if a < b:
                parent[b] = a
            else:
                parent[a] = b
    for r in range(size):
        parent[r] = parent[parent[r]]
    return parent


@entry
def add_elements(matrix, block, place, starts, columns, values):
    """Add the elements of the rows `block` to a dense `matrix`."""
    for k in range(block.shape[0]):
        for e in range(starts[block[k]], starts[block[k] + 1]):
            matrix[k, place[columns[e]]] += values[e]
