"""Moments of equal spins in time, and from when on the second order is not to be trusted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solvers.engines.moments.integration import CUMULANTS
from solvers.engines.symmetric.hierarchy import KNOWN, SECOND, product_moments, with_third_order
from solvers.engines.symmetric.integration import integrate
from solvers.engines.symmetric.moments import build_coefficients
from solvers.engines.symmetric.system import SymmetricSystem
from solvers.engines.validity import first_not_reached
from solvers.numerics.outcome import DONE

UNTRUSTED = 1e-2
"""Largest difference between second and third order, in a spin or a correlation, at which the second is said to hold."""
LOOKS = 32
"""Times, evenly spread, at which the two orders are compared besides the output times."""


@dataclass(frozen=True)
class SymmetricPath:
    """Spins (T, 3) and correlations of pairs (T, 3, 3), raw, NaN where not reached; how the integration ended.

    `first_bad` is the first time at which the moments were unphysical, `first_apart` the first one looked at by which the
    third order had changed a moment by more than UNTRUSTED (`apart` is the largest change up to the end), `first_left`
    the first output time after the step budget was spent where others were reached before; NaN if there is none.
    """

    spins: NDArray[np.float64]
    pairs: NDArray[np.float64]
    code: int
    reached: float
    first_bad: float
    first_apart: float
    apart: float
    first_left: float

    @property
    def untrusted(self) -> str:
        """What is said where the second order does not hold, else nothing."""
        if np.isnan(self.first_apart):
            return ""
        return (
            f"from t = {self.first_apart:.6g} on third-order cumulants, which are left out, change a spin or a correlation "
            f"by more than {UNTRUSTED:g} (by up to {self.apart:.2g})"
        )


def follow(
    system: SymmetricSystem,
    order: int,
    spin0: NDArray[np.float64],
    times: NDArray[np.float64],
    *,
    rtol: float,
    atol: float,
    max_steps: int,
) -> SymmetricPath:
    """Mean field (`order` 1) or cumulants (2) from a product state with all spins at `spin0` (3,), at `times` (T,)."""
    p = build_coefficients(system)
    if order != CUMULANTS:
        out = np.empty((len(times), 3))
        code, reached, _ = integrate(p, spin0.copy(), times, out, rtol, atol, max_steps)
        pairs = out[:, :, None] * out[:, None, :]
        return _path(times, out, pairs, int(code), float(reached), float(p.first_bad[0]), np.nan, 0.0)
    looks = np.union1d(times, np.linspace(0.0, times[-1], LOOKS + 1)) if system.N > 2 else np.unique(times)
    out = np.empty((len(looks), 9))
    y = np.concatenate([spin0, np.zeros(6)])
    code, reached, _ = integrate(p, y, looks, out, rtol, atol, max_steps)
    spins = out[:, :3]
    upper = np.array([[3, 4, 5], [4, 6, 7], [5, 7, 8]])
    pairs = out[:, upper] + spins[:, :, None] * spins[:, None, :]
    first_apart, apart = np.nan, 0.0
    if system.N > 2:  # of two spins the second order is exact
        third = np.empty((len(looks), KNOWN - 1))
        integrate(with_third_order(p), product_moments(spin0), looks, third, max(rtol, 1e-8), atol, max_steps)
        known = np.isfinite(spins[:, 0])
        with np.errstate(all="ignore"):
            change = np.abs(third[:, SECOND - 1] - pairs).max(axis=(1, 2))
            change = np.maximum(change, np.abs(third[:, :3] - spins).max(axis=1))[known]
        far = ~(change <= UNTRUSTED)  # a third order that has left the range of numbers included
        if far.any():
            first_apart, apart = float(looks[far.argmax()]), float(np.nanmax(change, initial=0.0))
    rows = np.searchsorted(looks, times)
    return _path(times, spins[rows], pairs[rows], int(code), float(reached), float(p.first_bad[0]), first_apart, apart)


def _path(times, spins, pairs, code: int, reached: float, first_bad: float, first_apart: float, apart: float):
    done = len(times) if code == DONE else int(np.isfinite(spins[:, 0]).sum())
    left = first_not_reached(code, times, done)
    return SymmetricPath(spins, pairs, code, reached, first_bad, first_apart, apart, left)
