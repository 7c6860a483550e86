"""All orders of the moments of equal spins by one integrator, stiff or not: compiling one takes as long as solving thousands of points."""

from __future__ import annotations

from solvers.engines.symmetric.hierarchy import third_order_rhs
from solvers.engines.symmetric.moments import cumulant_rhs, mean_field_rhs, watch_length, watch_pair
from solvers.numerics.automatic import automatic
from solvers.numerics.compile import entry, kernel
from solvers.numerics.polynomial_jacobian import polynomial_jacobian

FIRST, SECOND = 3, 9
"""Numbers of unknowns of mean field and cumulants; of the third order it is more."""


@kernel
def moment_rhs(t, y, p, dy):
    """dy at y (n,), of the order that n says."""
    if y.size == FIRST:
        mean_field_rhs(t, y, p, dy)
    elif y.size == SECOND:
        cumulant_rhs(t, y, p, dy)
    else:
        third_order_rhs(t, y, p, dy)


@kernel
def watch(t, y, p):
    """Never stops; notes when the moments are unphysical, but of the third order, which itself only watches."""
    if y.size == FIRST:
        return watch_length(t, y, p)
    if y.size == SECOND:
        return watch_pair(t, y, p)
    return 1.0


_integrate = automatic(moment_rhs, polynomial_jacobian(moment_rhs), watch)


@entry
def integrate(p, y, times, out, rtol, atol, max_steps):
    """y (n,) over `times` into `out` (T, n): (code, time reached, steps)."""
    return _integrate(p, y, times, out, rtol, atol, max_steps)
