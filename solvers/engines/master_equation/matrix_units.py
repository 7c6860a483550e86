"""The Lindblad generator on matrix units |a><b|, sparse, and its invariant blocks.

rho_ab is kept row by row, index a 2^N + b, site 0 the most significant bit, a set bit is spin down. Selection rules
(conserved magnetisation, parities, strong symmetries) show as connected blocks of the pattern of L: no symmetry has to be
named, and what a conservation law forbids is exactly zero, not zero to rounding.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.csgraph import connected_components

from solvers.engines.master_equation.generator import pair_matrices, site_matrices
from solvers.engines.spin_system import SpinSystem, bonded_pairs

_TO_UNITS = np.array([[0.5, 0, 0, 0.5], [0, 0.5, -0.5j, 0], [0, 0.5, 0.5j, 0], [0.5, 0, 0, -0.5]])
"""uu, ud, du, dd of rho from Tr(rho P), P = 1, x, y, z; products with it are exact."""
_FROM_UNITS = np.array([[1, 0, 0, 1], [0, 1, 1, 0], [0, 1j, -1j, 0], [1, 0, 0, -1]])


@dataclass(frozen=True)
class Block:
    """An invariant set of matrix units.

    `units` (n,) are indices into rho, those of populations first; `populations` says how many these are.
    `mirrored`: the block holds |b><a| with every |a><b|, so that real unknowns (see `real_form`) exist.
    """

    units: NDArray[np.int64]
    populations: int
    mirrored: bool


def _in_units(matrix: NDArray[np.float64], sites: int) -> NDArray[np.complex128]:
    """A term from the Pauli basis to matrix units, with nothing where only rounding is left."""
    to, back = _TO_UNITS, _FROM_UNITS
    if sites == 2:
        to, back = np.kron(to, to), np.kron(back, back)
    found = to @ matrix @ back
    found[np.abs(found) < 1e-15 * (np.abs(to) @ np.abs(matrix) @ np.abs(back))] = 0.0
    return np.asarray(found)


def generator_on_units(system: SpinSystem) -> csr_matrix:
    """L (4^N, 4^N) on matrix units."""
    n = system.N
    size = 2**n
    rows: list[NDArray[np.int64]] = []
    columns: list[NDArray[np.int64]] = []
    values: list[NDArray[np.complex128]] = []

    def offset(site: int, digit: NDArray[np.int64]) -> NDArray[np.int64]:
        return ((digit >> 1) << (n - 1 - site)) * size + ((digit & 1) << (n - 1 - site))

    def add(sites: tuple[int, ...], matrix: NDArray[np.complex128]) -> None:
        spectators = np.zeros(1, dtype=np.int64)
        for site in range(n):
            if site not in sites:
                spectators = (spectators[:, None] + offset(site, np.arange(4))).ravel()
        row, column = np.nonzero(matrix)
        if len(sites) == 2:
            to, of = (offset(sites[0], k >> 2) + offset(sites[1], k & 3) for k in (row, column))
        else:
            to, of = (offset(sites[0], k) for k in (row, column))
        rows.append((to[:, None] + spectators).ravel())
        columns.append((of[:, None] + spectators).ravel())
        values.append(np.repeat(matrix[row, column], len(spectators)))

    for i, parts in enumerate(zip(*site_matrices(system), strict=True)):
        for matrix in parts:
            add((i,), _in_units(matrix, 1))
    pairs = bonded_pairs(system)
    for pair, *kinds in zip(pairs, *pair_matrices(system, pairs), strict=True):
        for matrix in kinds:
            add(pair, _in_units(matrix, 2))
    where = (np.concatenate(rows), np.concatenate(columns))
    matrix = coo_matrix((np.concatenate(values), where), shape=(size * size, size * size)).tocsr()
    matrix.eliminate_zeros()
    return matrix


def mirror(units: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Indices of |b><a| for those of |a><b|, with `size` = 2^N."""
    a, b = np.divmod(units, size)
    return b * size + a


def invariant_blocks(matrix: csr_matrix) -> Iterator[Block]:
    """The connected blocks of L; of two that are conjugates of each other, the first only."""
    total = matrix.shape[0]
    size = round(total**0.5)
    pattern = csr_matrix((np.ones(matrix.nnz, dtype=np.int8), matrix.indices, matrix.indptr), shape=matrix.shape)
    count, label = connected_components(pattern, directed=False)
    units = np.argsort(label, kind="stable")
    ends = np.cumsum(np.bincount(label, minlength=count))
    first = 0
    for k, end in enumerate(ends.tolist()):
        mine = units[first:end]
        first = end
        conjugate = int(label[mirror(mine[:1], size)[0]])
        if conjugate < k:
            continue
        a, b = np.divmod(mine, size)
        order = np.argsort(a != b, kind="stable")
        yield Block(mine[order].astype(np.int64), int((a == b).sum()), conjugate == k)


def real_form(matrix: NDArray[Any], block: Block, size: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """L on a mirrored block in real unknowns: the populations, then Re and Im of rho_ab for a < b in turn.

    matrix (n, n) is L on block.units. Returns the real matrix (n, n) and the positions in block.units of the rho_ab.
    """
    p = block.populations
    a, b = np.divmod(block.units, size)
    upper = np.flatnonzero(a < b)
    place = {unit: k for k, unit in enumerate(block.units.tolist())}
    lower = np.array([place[u] for u in mirror(block.units[upper], size).tolist()], dtype=np.int64)
    keep = np.concatenate([np.arange(p), upper])
    n = len(block.units)
    found = np.empty((n, n))
    part = matrix[keep]
    columns = np.empty((len(keep), n), dtype=np.complex128)
    columns[:, :p] = part[:, :p]
    columns[:, p::2] = part[:, upper] + part[:, lower]
    columns[:, p + 1 :: 2] = 1j * (part[:, upper] - part[:, lower])
    found[:p] = columns[:p].real
    found[p::2] = columns[p:].real
    found[p + 1 :: 2] = columns[p:].imag
    return found, upper


def to_real_part(part: NDArray[np.complex128], populations: int, upper: NDArray[np.int64]) -> NDArray[np.float64]:
    """Real unknowns (n,) from the elements (n,) of a Hermitian matrix on a block's units."""
    found = np.empty(len(part))
    found[:populations] = part[:populations].real
    found[populations::2], found[populations + 1 :: 2] = part[upper].real, part[upper].imag
    return found


def from_real(values: NDArray[np.float64], block: Block, upper: NDArray[np.int64], rho: NDArray[np.complex128]) -> None:
    """Write real unknowns into rho (4^N,)."""
    p = block.populations
    size = round(len(rho) ** 0.5)
    rho[block.units[:p]] = values[:p]
    coherence = values[p::2] + 1j * values[p + 1 :: 2]
    rho[block.units[upper]] = coherence
    rho[mirror(block.units[upper], size)] = coherence.conj()
