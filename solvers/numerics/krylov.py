"""Linear systems that are known only by their action: GMRES with a preconditioner on the right.

Y. Saad and M. H. Schultz, SIAM J. Sci. Stat. Comput. 7, 856 (1986).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]


def gmres(
    apply: Callable[[Vector], Vector],
    precondition: Callable[[Vector], Vector],
    b: Vector,
    tolerance: float,
    largest: int = 60,
) -> tuple[Vector, float, int]:
    """Minimise abs(b - A x) over x = M y, y in the Krylov space of A M and b, without restart.

    apply: v -> A v; precondition: v -> M v with M near the inverse of A; `tolerance` is absolute, in the Euclidean norm
    of the residual; `largest` bounds the number of iterations. Returns (x, the residual's norm as the recurrence gives
    it, iterations).
    """
    size = float(np.linalg.norm(b))
    if size <= tolerance:
        return np.zeros_like(b), size, 0
    basis: list[Vector] = [np.asarray(b / size)]
    directions: list[Vector] = []
    H = np.zeros((largest + 1, largest))
    target = np.zeros(largest + 1)
    target[0] = size
    coefficients: NDArray[Any] = np.zeros(0)
    residual, done = size, 0
    for j in range(largest):
        directions.append(precondition(basis[j]))
        w = apply(directions[j])
        for _ in range(2):  # once more, so that rounding does not spoil the orthogonality
            for i, v in enumerate(basis):
                overlap = float(v @ w)
                H[i, j] += overlap
                w = w - overlap * v
        H[j + 1, j] = np.linalg.norm(w)
        done = j + 1
        coefficients = np.linalg.lstsq(H[: done + 1, :done], target[: done + 1], rcond=None)[0]
        residual = float(np.linalg.norm(H[: done + 1, :done] @ coefficients - target[: done + 1]))
        if residual <= tolerance or H[j + 1, j] <= 1e-15 * size:
            break
        basis.append(w / H[j + 1, j])
    x = np.zeros_like(b)
    for coefficient, direction in zip(coefficients, directions, strict=True):
        x += coefficient * direction
    return x, residual, done
