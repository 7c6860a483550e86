"""The master equation of equal spins in populations and coherences p = sum over multiplets of |S, M><S, M'|, as a real matrix.

With D[L] rho = L rho L^+ - {L^+L, rho}/2 and sums over all spins (a, b, c of `solvers.engines.populations.branching`,
u = S + M, v = S - M, and every product x standing for sqrt(x x') with the same at M'),

    gamma D[sigma_-]:  M-1 and  S: a u (v+1)   S-1: b u (u-1)   S+1: c (v+1)(v+2)      leaving: u + k and the same at M', halved
    pump  D[sigma_+]:  M+1 and  S: a v (u+1)   S-1: b v (v-1)   S+1: c (u+1)(u+2)      v + k
    phi   D[sigma_z]:  M   and  S: 4 a M M'    S-1: 4 b u v     S+1: 4 c (u+1)(v+1)    N
    Gamma D[S_-]:      M-1 and  S: u (v+1)                                             u (v+1)

B. A. Chase and J. M. Geremia, PRA 78, 052101 (2008); N. Shammah et al., PRA 98, 063815 (2018). The multiplets of one S
evolve alike, so that the sums p are of the size of probabilities whatever N is. Of a pair of conjugate elements one slot
holds the real part (M >= M'), the other one the imaginary part. Where a turn about z changes nothing
only |M - M'| <= 2 matters for first and second moments; without local processes only S = N/2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array, vstack

from solvers.engines.ladder import coherent_amplitudes
from solvers.engines.populations import branching

Ints = NDArray[np.int64]

MOMENT_BAND = 2
"""|M - M'| of the elements that first and second moments are made of."""


@dataclass(frozen=True)
class CollectiveSystem:
    """H = sum_a (2 J_a S_a^2 + 2 h_a S_a) and the four rates of the table, for N spins."""

    N: int
    J: NDArray[np.float64]
    h: NDArray[np.float64]
    minus: float = 0.0
    plus: float = 0.0
    z: float = 0.0
    collective: float = 0.0

    @property
    def about_z(self) -> bool:
        """Whether a turn about z changes nothing, so that M - M' is kept."""
        return bool(self.J[0] == self.J[1] and self.h[0] == 0.0 and self.h[1] == 0.0)

    @property
    def local(self) -> bool:
        """Whether anything acts on single spins, and changes S."""
        return any((self.minus, self.plus, self.z))


class Elements:
    """The elements (k, i, j) = (N/2 - S, S + M, S + M') that are followed, in rising order."""

    def __init__(self, system: CollectiveSystem) -> None:
        self.N = N = system.N
        band = MOMENT_BAND if system.about_z else N
        parts = []
        for k in range(N // 2 + 1 if system.local else 1):
            size = N - 2 * k + 1
            width = min(band, size - 1)
            i = np.repeat(np.arange(size), 2 * width + 1)
            j = i + np.tile(np.arange(-width, width + 1), size)
            there = (j >= 0) & (j < size)
            parts.append(np.stack([np.full(there.sum(), k), i[there], j[there]]))
        self.k, self.i, self.j = np.concatenate(parts, axis=1)
        self._keys = self._key(self.k, self.i, self.j)

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.k)

    def _key(self, k: Ints, i: Ints, j: Ints) -> Ints:
        return np.asarray((k * (self.N + 1) + i) * (self.N + 1) + j)

    def find(self, k: Ints, i: Ints, j: Ints) -> tuple[Ints, NDArray[np.bool_]]:
        """Where elements are, and which of them are followed at all."""
        size = self.N - 2 * k + 1
        keys = self._key(k, i, j)
        at = np.minimum(np.searchsorted(self._keys, keys), self.count - 1)
        exists = (k >= 0) & (np.minimum(i, j) >= 0) & (np.maximum(i, j) < size)
        return at, exists & (self._keys[at] == keys)


def number_of_elements(N: Any, local: Any, about_z: Any) -> NDArray[np.int64]:
    """How many elements are followed: C(N+3, 3), or (N+1)^2 without `local` processes, or the band of |M - M'| <= 2 of these.

    All three may be arrays.
    """
    n = np.asarray(N, dtype=np.int64)
    shells = n // 2 + 1
    levels = np.where(n % 2 == 0, shells**2, shells * (shells + 1))  # of all shells
    everything = (n + 1) * (n + 2) * (n + 3) // 6
    band = 5 * levels - 6 * shells + 2 * (n % 2 == 0)
    return np.where(local, np.where(about_z, band, everything), np.where(about_z, 5 * n - 1, (n + 1) ** 2))


def build_matrix(system: CollectiveSystem, elements: Elements) -> csr_array:
    """The real matrix (count, count) of the master equation among the elements."""
    N, k, i, j = system.N, elements.k, elements.i, elements.j
    S = 0.5 * N - k
    M, M2 = i - S, j - S
    u, v, u2, v2 = i, 2 * S - i, j, 2 * S - j
    a, b, c = np.array([branching(N, shell) for shell in range(N // 2 + 1)]).T[:, k]
    matrix = coo_array((elements.count, elements.count), dtype=np.complex128).tocsr()
    sources = np.arange(elements.count)

    def gain(dk: int, di: int, amplitude: NDArray[np.float64]) -> None:
        """What goes from every element to the one `dk` shells and `di` places further."""
        nonlocal matrix
        at, there = elements.find(k + dk, i + di, j + di)
        there &= amplitude != 0.0
        matrix = matrix + _placed(elements.count, at[there], sources[there], amplitude[there])

    # i counts from the lowest M of its own shell: M + 1 in the next shell is the same i
    leaving = np.zeros(elements.count)
    if system.minus or system.collective:
        emission = np.sqrt(u * (v + 1) * u2 * (v2 + 1))
        gain(0, -1, (system.minus * a + system.collective) * emission)
        leaving += system.minus * (u + u2 + 2 * k) / 2 + system.collective * (u * (v + 1) + u2 * (v2 + 1)) / 2
    if system.minus:
        gain(1, -2, system.minus * b * np.sqrt(np.maximum(u * (u - 1) * u2 * (u2 - 1), 0.0)))
        gain(-1, 0, system.minus * c * np.sqrt((v + 1) * (v + 2) * (v2 + 1) * (v2 + 2)))
    if system.plus:
        gain(0, 1, system.plus * a * np.sqrt(v * (u + 1) * v2 * (u2 + 1)))
        gain(1, 0, system.plus * b * np.sqrt(np.maximum(v * (v - 1) * v2 * (v2 - 1), 0.0)))
        gain(-1, 2, system.plus * c * np.sqrt((u + 1) * (u + 2) * (u2 + 1) * (u2 + 2)))
        leaving += system.plus * (v + v2 + 2 * k) / 2
    if system.z:
        leaving += system.z * (N - 4 * a * M * M2)
        gain(1, -1, 4 * system.z * b * np.sqrt(u * v * u2 * v2))
        gain(-1, 1, 4 * system.z * c * np.sqrt((u + 1) * (v + 1) * (u2 + 1) * (v2 + 1)))
    return _real(elements, matrix + _coherent(system, elements) - _placed(elements.count, sources, sources, leaving))


def _placed(count: int, rows: Ints, columns: Ints, values: NDArray[Any]) -> csr_array:
    return coo_array((values.astype(np.complex128), (rows, columns)), shape=(count, count)).tocsr()


def _coherent(system: CollectiveSystem, elements: Elements) -> csr_array:
    """-i [H, .] with H_M,M+d, d = 0, 1, 2, in every shell."""
    k, i, j = elements.k, elements.i, elements.j
    columns = np.arange(elements.count)
    total = csr_array((elements.count, elements.count), dtype=np.complex128)
    for d in (-2, -1, 0, 1, 2):
        at, there = elements.find(k, i + d, j)  # H acts on the first index
        values = -1j * hamiltonian_element(system, k, i, d)
        there &= values != 0.0
        total = total + _placed(elements.count, at[there], columns[there], values[there])
        at, there = elements.find(k, i, j + d)  # and on the second
        values = 1j * hamiltonian_element(system, k, j, d).conj()
        there &= values != 0.0
        total = total + _placed(elements.count, at[there], columns[there], values[there])
    return total


def hamiltonian_element(system: CollectiveSystem, k: Ints, i: Ints, d: int) -> NDArray[np.complex128]:
    """<M + d| H |M> with M = i - S, zero where there is no such M + d; constants of a shell are left out."""
    (Jx, Jy, Jz), (hx, hy, hz) = system.J, system.h
    S = 0.5 * system.N - k
    M = i - S

    def raised(m: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.sqrt(np.maximum((S - m) * (S + m + 1), 0.0))

    if d == 0:
        return (2 * Jz - Jx - Jy) * M * M + 2 * hz * M + 0j
    # S_x^2 - S_y^2 = (S_+^2 + S_-^2)/2, S_x = (S_+ + S_-)/2, S_y = (S_+ - S_-)/2i
    up = raised(M) if d > 0 else raised(M - 1)
    if abs(d) == 1:
        return (hx - 1j * hy if d > 0 else hx + 1j * hy) * up
    return (Jx - Jy) / 2 * up * (raised(M + 1) if d > 0 else raised(M - 2)) + 0j


def _real(elements: Elements, matrix: csr_array) -> csr_array:
    """The same for real and imaginary parts, of which the second stands at the conjugate element."""
    count, i, j = elements.count, elements.i, elements.j
    own = np.arange(count)
    other, _ = elements.find(elements.k, j, i)
    below, above, middle = i > j, i < j, i == j
    # r = T p: Re p_ij = (p_ij + p_ji)/2 at i > j, Im p_ij = (p_ij - p_ji)/2i at j, i
    to_real = _placed(count, own[middle], own[middle], np.ones(middle.sum()))
    to_real = to_real + _placed(count, own[below], own[below], np.full(below.sum(), 0.5))
    to_real = to_real + _placed(count, own[below], other[below], np.full(below.sum(), 0.5))
    to_real = to_real + _placed(count, own[above], other[above], np.full(above.sum(), -0.5j))
    to_real = to_real + _placed(count, own[above], own[above], np.full(above.sum(), 0.5j))
    back = _placed(count, own[middle], own[middle], np.ones(middle.sum()))
    back = back + _placed(count, own[below], own[below], np.ones(below.sum()))
    back = back + _placed(count, own[below], other[below], np.full(below.sum(), 1j))
    back = back + _placed(count, own[above], other[above], np.ones(above.sum()))
    back = back + _placed(count, own[above], own[above], np.full(above.sum(), -1j))
    found = (to_real @ matrix @ back).tocsr()
    real = csr_array((found.data.real, found.indices, found.indptr), shape=found.shape)
    real.eliminate_zeros()
    return real


def coherent_state(N: int, spin: NDArray[np.float64]) -> NDArray[np.complex128]:
    """Amplitudes (N+1,), S + M rising, of all spins along the unit vector `spin` (3,)."""
    theta = float(np.arctan2(np.hypot(spin[0], spin[1]), spin[2]))
    phi = float(np.arctan2(spin[1], spin[0]))
    M = np.arange(N + 1) - 0.5 * N
    phases: NDArray[np.complex128] = np.exp(-1j * phi * M)
    return coherent_amplitudes(0.5 * N, theta) * phases


def start_elements(elements: Elements, psi: NDArray[np.complex128]) -> NDArray[np.float64]:
    """The pure state psi (N+1,) of the largest S as real elements (count,)."""
    i, j = elements.i, elements.j
    first, second = np.maximum(i, j), np.minimum(i, j)
    outermost = elements.k == 0
    values = psi[np.where(outermost, first, 0)] * psi[np.where(outermost, second, 0)].conj()
    return np.where(outermost, np.where(i >= j, values.real, values.imag), 0.0)


def moment_rows(elements: Elements) -> csr_array:
    """Rows (9, count) that give <S_x>, <S_y>, <S_z>, and the symmetrised xx, xy, xz, yy, yz, zz of the elements."""
    k, i, j = elements.k, elements.i, elements.j
    S = 0.5 * elements.N - k
    columns = np.arange(elements.count)

    def row(picked: NDArray[np.bool_], values: NDArray[np.float64]) -> csr_array:
        data = values[picked]
        return csr_array((data, (np.zeros(len(data), dtype=int), columns[picked])), shape=(1, elements.count))

    def lowered(m: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.sqrt(np.maximum((S + m) * (S - m + 1), 0.0))

    # <S_-> = sum p_{M,M'} <M'|S_-|M>, M = M' + 1: real parts at i = j + 1, imaginary parts at j = i + 1
    real, imaginary = i == j + 1, j == i + 1
    M = np.maximum(i, j) - S
    one, mean = lowered(M), lowered(M) * (M - 0.5)
    # <S_-^2> likewise from two places apart
    real2, imaginary2 = i == j + 2, j == i + 2
    two = lowered(M) * lowered(M - 1)
    same = i == j
    Z = i - S
    round_ = (S * (S + 1) - Z * Z) / 2
    xx_minus_yy, xy = row(real2, two / 2), row(imaginary2, -two / 2)
    rows = [
        row(real, one),
        row(imaginary, -one),
        row(same, Z),
        row(same, round_) + xx_minus_yy,
        xy,
        row(real, mean),
        row(same, round_) - xx_minus_yy,
        row(imaginary, -mean),
        row(same, Z * Z),
    ]
    return vstack(rows, format="csr")
