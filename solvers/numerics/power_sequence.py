"""When f(F^c v) first comes below a margin, c = 0, 1, 2, ...: powers of a contraction by Krylov projections.

After k applications F V = V H + h w e_k^T with orthonormal V = (v/b, ...), so that f(F^c v) = b f(V) H^c e_1, exactly for
c < k. Beyond, F does not enlarge sums of absolute values, and the error is at most b max|f| h |w| sum_{j<c} |(H^j e_1)_k|
(compare Y. Saad, SIAM J. Numer. Anal. 29, 209 (1992)): far beyond k cycles where few slow modes are left of v. Where it is
too large for an answer, v is carried on to where it is still small, and a new space begins.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Cycle = Callable[[Vector], tuple[Vector, float]]

SPACE, MEMORY, CHECKED = 80, 2**28, 6
"""Size of a Krylov space, in vectors and at most in bytes, and after how many new vectors the count is looked for."""
BLOCK, LARGEST_BLOCK = 64, 4096
NEGLIGIBLE = 1e-8
"""Error of what is carried on, in units of the margin."""


@dataclass(frozen=True)
class _Space:
    """b, H (k, k), f of the basis (k,), and max|f| h |w|."""

    size: float
    H: NDArray[np.float64]
    readings: Vector
    leak: float

    def scan(self, margin: float, error: float, most: int) -> tuple[int, int, int]:
        """(first c that may be inside the margin, first that surely is, last c before with a negligible error).

        c up to `most`; the first two are most + 1 where there is none. `error` is that of v itself.
        """
        k = len(self.H)
        rows = np.vstack([self.readings, np.eye(k)[-1]])[None]  # (1, 2, k): what reads f and the last component
        power = self.H
        state = np.zeros(k)
        state[0] = self.size
        done, leaked = 0, error
        first: int | None = None
        reach = 0
        while done <= most:
            while len(rows) < (BLOCK if done < 16 * BLOCK else LARGEST_BLOCK):
                rows, power = np.concatenate([rows, rows @ power]), power @ power
            both = rows @ state
            errors = leaked + self.leak * np.concatenate([[0.0], np.cumsum(np.abs(both[:, 1]))])
            values, leaked = np.abs(both[:, 0]), float(errors[-1])
            errors = errors[:-1]
            small = np.flatnonzero(errors <= NEGLIGIBLE * margin)
            if len(small) and first is None:
                reach = done + int(small[-1])
            maybe = np.flatnonzero(values - errors <= margin)
            if first is None and len(maybe):
                first = done + int(maybe[0])
                reach = min(reach, first)
            surely = np.flatnonzero(values + errors <= margin)
            if len(surely):
                second = done + int(surely[0])
                return min(first if first is not None else second, most + 1), min(second, most + 1), reach
            if not np.isfinite(leaked) or (first is not None and leaked > margin):
                return (done + len(rows) if first is None else first), most + 1, reach
            state = power @ state
            done += len(rows)
        return (most + 1 if first is None else min(first, most + 1)), most + 1, min(reach, most)

    def ahead(self, c: int) -> Vector:
        """Coefficients (k,) of F^c v."""
        state = np.zeros(len(self.H))
        state[0] = self.size
        power = self.H
        while c:
            if c & 1:
                state = power @ state
            power, c = power @ power, c >> 1
        return state


def first_within(cycle: Cycle, v: Vector, largest: float, margin: float, most: int, patience: int) -> tuple[int, int]:
    """(c, c') with |f(F^c v)| <= margin for the first time, somewhere from c to c', mostly c = c'.

    cycle: v -> (F v, f(v)), linear, sum |F v| <= sum |v| and |f(v)| <= `largest` sum |v|. Looked for up to `most`:
    beyond, both are most + 1. After `patience` applications of F what is known by then is returned.
    """
    passed, error, spent = 0, 0.0, 0
    space_size = int(np.clip(MEMORY // v.nbytes, 12, SPACE))
    while True:
        size = float(np.linalg.norm(v))
        if size == 0.0:
            return passed, passed
        basis = np.empty((space_size + 1, v.size))  # what is not reached takes no memory
        basis[0] = v / size
        H = np.zeros((space_size + 1, space_size))
        readings = np.zeros(space_size)
        found = passed, most + 1
        reach, k = 0, 0
        for k in range(1, space_size + 1):
            w, readings[k - 1] = cycle(basis[k - 1])
            spent += 1
            for _ in range(2):  # once more, so that rounding does not spoil the orthogonality
                overlaps = basis[:k] @ w
                H[:k, k - 1] += overlaps
                w = w - overlaps @ basis[:k]
            H[k, k - 1] = left = float(np.linalg.norm(w))
            ended = left < 1e-14 * float(np.abs(H[:k, :k]).max())
            w = w / left if left > 0.0 else w
            if ended or k % CHECKED == 0 or k == space_size or spent >= patience:
                leak = 0.0 if ended else largest * left * float(np.abs(w).sum())
                space = _Space(size, H[:k, :k], readings[:k], leak)
                maybe, surely, reach = space.scan(margin, error, most - passed)
                found = passed + maybe, passed + surely
                if maybe == surely or maybe < k or spent >= patience:  # within k only the error of v itself hides it
                    return found
            basis[k] = w
        # v goes on; k - 1 cycles are exact whatever the estimate says
        reach = max(reach, k - 1)
        if passed + reach > most:
            return most + 1, most + 1
        state = space.ahead(reach)
        error += NEGLIGIBLE * margin if reach > k - 1 else 0.0
        v = np.asarray(state @ basis[:k])
        passed += reach
