"""Linear systems that are known only by their action: SciPy's GMRES with a preconditioner on the right.

Y. Saad and M. H. Schultz, SIAM J. Sci. Stat. Comput. 7, 856 (1986). SciPy's own preconditioner stands on the left, so that
it makes small what the preconditioner makes of the residual; here the residual itself becomes small.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import linalg

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
    shares: list[float] = []
    operator = linalg.LinearOperator((b.size, b.size), matvec=lambda v: apply(precondition(v)), dtype=np.float64)
    with np.errstate(all="ignore"):  # it divides by a residual that may be zero
        y, _ = linalg.gmres(
            operator,
            b,
            rtol=0.0,
            atol=tolerance,
            restart=largest,
            maxiter=1,
            callback=shares.append,
            callback_type="pr_norm",
        )
    return precondition(y), size * float(shares[-1]), len(shares)
