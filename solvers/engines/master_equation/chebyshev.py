"""exp(t L) r by Chebyshev (Faber) series on an ellipse: segments that serve every output time inside.

L is shifted and scaled so that its field of values lies in an ellipse with foci +-1 or +-i; then

    exp(t L) r = sum_k a_k(t) phi_k,   phi_{k+1} = 2 B phi_k +- phi_{k-1},   phi_0 = r,  phi_1 = B r,  B = (L - centre)/focus

with Bessel functions J_k (foci on the imaginary axis: coherent evolution) or I_k (real axis: relaxation) as a_k. The
phi_k do not depend on time, so that one segment of the series serves every output time in it; and as each moment is one
component of r, moments at these times need no full state. |a_k phi_k| is bounded by the ellipse (Crouzeix), which fixes
the number of terms for the tolerance and the longest segment whose cancellation stays below it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from solvers.engines.master_equation.terms import act
from solvers.numerics.block_product import aligned_in_kernel
from solvers.numerics.compile import FASTMATH, entry, kernel
from solvers.numerics.dense_output import copy

_MOST_TERMS = 800


@dataclass(frozen=True)
class Series:
    """One segment: its length, number of terms, and the ellipse (centre, focal distance, foci on the imaginary axis?).

    From term `falling` on, the bound of the terms falls with k and, at given k, rises with time up to the segment's end.
    """

    length: float
    terms: int
    falling: int
    centre: float
    focus: float
    coherent: bool
    width: float
    height: float
    """Half sides of the rectangle around the field of values."""
    growth: float
    """rho: k steps of the recurrence grow by at most about rho^k."""

    def coefficients(self, times: NDArray[np.float64]) -> NDArray[np.float64]:
        """a_k(t) for every time since the start of the segment, (times, terms)."""
        a = np.empty((len(times), self.terms))
        bessel_coefficients(np.ascontiguousarray(times), self.centre, self.focus, self.coherent, a)
        return a

    def remainders(self, last: NDArray[np.float64]) -> NDArray[np.float64]:
        """What may follow each term at the end of the segment, over |phi_k| + |phi_(k-1)|, from its coefficients `last`.

        phi_(k+m) = U_m(B) phi_k +- U_(m-1)(B) phi_(k-1), with |U_m(B)| <= (1 + sqrt 2) (m + 1) rho^m (Crouzeix, Palencia).
        Before term `falling`, when earlier times may need more terms than the end, it is infinite.
        """
        found = np.empty(len(last))
        sum_remainders(last, self.growth, found)
        found[: self.falling] = np.inf
        return found

    def bolder(self, length: float) -> Series | None:
        """A series over another length that trusts |phi_k| as it is measured; None where L is mainly relaxation.

        The foci are those of the segment of the imaginary axis that the field of values reaches: on it phi_k does not grow.
        """
        if not self.coherent or self.height <= 0.0:
            return None
        # p = w s and q = h / sqrt(1 - 1/s^2) around a rectangle; q^2 - p^2 = h^2 where s^4 - s^2 = (h/w)^2
        s = np.sqrt(0.5 + np.sqrt(0.25 + (self.height / self.width) ** 2))
        p, q = self.width * s, self.height / np.sqrt(1 - s**-2.0)
        reached = length * float(np.hypot(self.centre, self.height))
        terms = int(1.5 * reached) + 100
        if terms > 2 * _MOST_TERMS:
            return None
        return replace(
            self,
            length=length,
            terms=terms,
            falling=int(reached) + 2,
            focus=self.height,
            growth=float((p + q) / self.height),
        )


@entry
def sum_remainders(last, growth, out):
    """out[k] = (1 + sqrt 2) sum_(m >= 1) (m + 1) growth^m |last[k + m]|."""
    total, weighted = 0.0, 0.0
    for k in range(last.shape[0] - 1, -1, -1):
        out[k] = (1.0 + np.sqrt(2.0)) * (total + weighted)
        total = growth * (abs(last[k]) + total)
        weighted = total + growth * weighted


@entry
def bessel_coefficients(times, centre, focus, coherent, out):
    """out[t, k] = (2 - delta_k0) exp(t centre) J_k(t focus), or I_k for an incoherent series, by Miller's recurrence.

    The backward recurrence from an order well above the argument gives all orders up to a factor, which follows from
    J_0 + 2 sum J_2k = 1, or from I_0 + 2 sum I_k = e^x (whose exponential is taken into the prefactor).
    """
    terms = out.shape[1]
    for t in range(times.shape[0]):
        x = times[t] * focus
        if x < 1e-250:
            out[t, :] = 0.0
            out[t, 0] = np.exp(times[t] * centre)
            continue
        top = max(terms, int(x)) + 30 + int(np.sqrt(60.0 * max(terms, int(x))))
        above, now, total = 0.0, 1e-280, 0.0
        for k in range(top, -1, -1):
            if k < terms:
                out[t, k] = now
            if k == 0:
                total += now
            elif not coherent or k % 2 == 0:
                total += 2.0 * now
            below = 2.0 * k / x * now - above if coherent else 2.0 * k / x * now + above
            above, now = now, below
            if abs(now) > 1e200:
                scale = 1e-200
                above *= scale
                now *= scale
                total *= scale
                for m in range(k, terms):
                    out[t, m] *= scale
        factor = np.exp(times[t] * centre) if coherent else np.exp(times[t] * (centre + focus))
        for k in range(terms):
            out[t, k] *= (1.0 if k == 0 else 2.0) * factor / total


def _log_bound(k: NDArray[np.float64], x: float, coherent: bool) -> NDArray[np.float64]:
    """log of an upper bound of |J_k(x)|, or of I_k(x) e^-x (leading Debye terms)."""
    if coherent:
        ratio = np.maximum(k / x, 1.0)
        return k * (np.sqrt(np.maximum(1 - ratio**-2.0, 0.0)) - np.arccosh(ratio))
    return np.sqrt(k * k + x * x) - x - k * np.arcsinh(k / x)


def plan_series(real_range: tuple[float, float], imaginary_bound: float, duration: float, tolerance: float) -> Series:
    """The segment with the fewest applications of L per unit time for a relative error `tolerance`."""
    # in units of the largest number (a power of two), so that squares neither overflow nor vanish
    exponent = int(np.frexp(max(real_range[1] - real_range[0], imaginary_bound, 1e-12 / max(duration, 1e-300)))[1])
    unit = 2.0 ** min(max(exponent, -1000), 1000)
    low, high, imaginary_bound, duration = (
        real_range[0] / unit,
        real_range[1] / unit,
        imaginary_bound / unit,
        duration * unit,
    )
    scale = max(high - low, imaginary_bound, 1e-12 / duration)
    width, height = max((high - low) / 2, 1e-4 * scale), max(imaginary_bound, 1e-4 * scale)
    centre = (low + high) / 2
    largest = np.log(max(30.0, 0.03 * tolerance / np.finfo(float).eps))
    best: tuple[float, Series] | None = None
    for stretch in (1.02, 1.06, 1.15, 1.4, 2.0, 3.0, 6.0, 12.0, 30.0, 100.0, 1000.0):
        p = width * stretch
        q = height / np.sqrt(1 - stretch**-2.0)
        coherent = bool(q > p)
        focus = float(np.sqrt(abs(q * q - p * p)))
        if focus < 0.1 * (p + q):  # nearly a circle: keep rho, and so the growth of phi_k, moderate
            focus = 0.1 * (p + q)
        rho = (p + q) / focus
        growth = centre + p
        length = duration if growth * duration <= largest else largest / growth
        turning = np.sqrt(max(centre**2 + focus**2 if coherent else centre**2 - focus**2, 0.0))
        while True:
            k = np.arange(1.0, _MOST_TERMS + 1)
            log_terms = np.log(2) + k * np.log(rho) + _log_bound(k, length * focus, coherent)
            log_terms += length * (centre if coherent else centre + focus)
            tail = np.cumsum(np.exp(np.minimum(log_terms[::-1], 300.0)))[::-1]
            falling = max(int(log_terms.argmax()), int(length * turning)) + 2
            enough = np.flatnonzero(tail < tolerance / 2.5)
            if len(enough) and log_terms.max() < largest + 2.5 and falling < _MOST_TERMS:
                break
            length /= 1.4
        terms = max(int(enough[0]) + 2, falling, 4)
        segments = np.ceil(duration / length)
        price = terms * segments
        if best is None or price < best[0]:
            length = float(duration / segments) / unit
            sides = width * unit, height * unit
            best = (price, Series(length, terms, falling, centre * unit, focus * unit, coherent, *sides, float(rho)))
    assert best is not None
    return best[1]


def _sum_segment(act: Callable[..., Any]) -> Any:
    """Make the kernel that sums one segment with `act(x, y, p, scale, shift, keep)`."""

    @kernel(fastmath=FASTMATH)
    def chebyshev_segment(
        r,
        p,
        centre,
        focus,
        coherent,
        coefficients,
        remainders,
        negligible,
        indices,
        observed,
        states,
    ):
        """Sum one segment: the state at its end (the last row of `coefficients`), the others into `observed` and `states`.

        The sum ends where what may follow is `negligible` (see `Series.remainders`). Returns (state at the end, size of the
        last two terms there, largest term, terms used).
        """
        size = r.shape[0]
        outputs, terms = coefficients.shape[0] - 1, coefficients.shape[1]
        full = states.shape[0] > 0
        before, now, end = aligned_in_kernel(size), aligned_in_kernel(size), aligned_in_kernel(size)
        copy(r, now)
        observed[:outputs] = 0.0
        tail, largest, last, before_norm, used = 0.0, 0.0, 0.0, 0.0, 0
        for k in range(terms):
            used += 1
            a = coefficients[outputs, k]
            norm = 0.0
            for m in range(size):
                end[m] += a * now[m]
                norm += now[m] * now[m]
            norm = np.sqrt(norm)
            magnitude = abs(a) * norm
            largest = max(largest, magnitude)
            tail = magnitude + last
            last = magnitude
            for o in range(outputs):
                a = coefficients[o, k]
                if k > 0 and abs(a) * norm < 1e-3 * negligible:
                    continue
                for m in range(indices.shape[0]):
                    observed[o, m] += a * now[indices[m]]
                if full:
                    row = states[o]
                    if k == 0:
                        for m in range(size):
                            row[m] = a * now[m]
                    else:
                        for m in range(size):
                            row[m] += a * now[m]
            if remainders[k] * (norm + before_norm) < negligible:
                break
            before_norm = norm
            if k + 1 < terms:
                factor = 1.0 if k == 0 else 2.0
                act(now, before, p, factor / focus, centre, 1.0 if coherent else -1.0)
                before, now = now, before
        return end, tail, largest, used

    return chebyshev_segment


class Rows(NamedTuple):
    """A sparse matrix for `act_rows`: its diagonal (n,), and the other elements row by row."""

    diagonal: NDArray[np.float64]
    starts: NDArray[np.int64]
    columns: NDArray[np.int64]
    values: NDArray[np.float64]


@kernel(fastmath=FASTMATH)
def act_rows(x, y, p, scale, shift, keep):
    """y <- scale (L - shift) x + keep y."""
    for k in range(x.shape[0]):
        total = (p.diagonal[k] - shift) * x[k]
        for e in range(p.starts[k], p.starts[k + 1]):
            total += p.values[e] * x[p.columns[e]]
        y[k] = keep * y[k] + scale * total


_on_terms, _on_rows = _sum_segment(act), _sum_segment(act_rows)


@entry(fastmath=FASTMATH)
def apply_rows(x, y, p, scale, shift, keep):
    """y <- scale (L - shift) x + keep y (see `act_rows`)."""
    act_rows(x, y, p, scale, shift, keep)


@entry(fastmath=FASTMATH)
def sum_segment(r, p, centre, focus, coherent, coefficients, remainders, negligible, indices, observed, states):
    """`chebyshev_segment` with the terms of the generator (`Terms`)."""
    return _on_terms(r, p, centre, focus, coherent, coefficients, remainders, negligible, indices, observed, states)


@entry(fastmath=FASTMATH)
def sum_segment_of_rows(r, p, centre, focus, coherent, coefficients, remainders, negligible, indices, observed, states):
    """`chebyshev_segment` with a sparse matrix (`Rows`)."""
    return _on_rows(r, p, centre, focus, coherent, coefficients, remainders, negligible, indices, observed, states)
