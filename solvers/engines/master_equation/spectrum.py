"""The Liouvillian spectrum of up to five spins, with a guard where L cannot be diagonalised."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eig, svdvals

from solvers.engines.master_equation.generator import Generator

MOST_SPINS = 5
DEFECTIVE_CONDITION = 1e7
# rounding splits a Jordan block of two by 1e-8, and its eigenvectors then have a condition number of about 1e8


@dataclass(frozen=True)
class Spectrum:
    """Eigenvalues (4^N,), largest real part first, and right eigenvectors (4^N, 4^N) in the Pauli basis as columns.

    `condition` is the condition number of the eigenvector matrix. Above 1e7 L is `defective` (or so close to it that
    expansions in eigenvectors lose all digits): `vectors` is then None, and only the eigenvalues, with errors of
    the order of rounding to the power 1/(size of the Jordan block), may be used.
    """

    values: NDArray[np.complex128]
    vectors: NDArray[np.float64 | np.complex128] | None
    condition: float

    @property
    def defective(self) -> bool:
        """Whether L has no usable eigenvector basis."""
        return self.vectors is None


def liouvillian_spectrum(generator: Generator) -> Spectrum:
    """All eigenvalues and, where they form a basis, eigenvectors of L; ValueError for more than five spins."""
    if generator.N > MOST_SPINS:
        raise ValueError(
            f"the full Liouvillian spectrum is for N <= {MOST_SPINS} spins; N = {generator.N} would need "
            f"{3 * 16 * 16**generator.N / 2**30:.1f} GiB; take the gap from steady_state"
        )
    values, vectors = eig(generator.dense())
    order = np.lexsort((values.imag, -values.real))
    values, vectors = values[order], vectors[:, order]
    singular = svdvals(vectors)
    condition = float(singular[0] / singular[-1]) if singular[-1] > 0 else float("inf")
    return Spectrum(values, None if condition > DEFECTIVE_CONDITION else vectors, condition)
