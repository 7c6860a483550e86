"""Solvers for open quantum spin ensembles: NumPy, SciPy and Numba only.

    from solvers import solve, solve_many, models

Conventions, the same in every model unless its file converts a paper's own in one visible place:

* hbar = 1. Each model's rates are in its own reference rate, times in its inverse.
* D[L] rho = L rho L^+ - (1/2) {L^+ L, rho}.
* sigma_- = |down><up| (element 1 of the matrix). Spin up comes first; site 0 is the leftmost Kronecker factor.
* `axis` is (x, y, z). Arrays are float64 unless an output says complex.
"""

from solvers.evaluate import evaluate, solve, solve_many
from solvers.outcome import FAILED, OK, WARNED, SolverWarning
from solvers.registry import find, models

__all__ = ["FAILED", "OK", "WARNED", "SolverWarning", "evaluate", "find", "models", "solve", "solve_many"]
