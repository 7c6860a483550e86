"""LU factors with partial pivoting for the small dense matrices of an implicit step (n up to about 64)."""

from __future__ import annotations

from solvers.numerics.compile import FASTMATH, kernel


@kernel(fastmath=FASTMATH)
def factor(a, pivots):
    """Overwrite `a` (n, n) with its LU factors, row swaps in `pivots` (n,); False if it is singular or not finite."""
    n = a.shape[0]
    for k in range(n):
        best = k
        largest = abs(a[k, k])
        for i in range(k + 1, n):
            if abs(a[i, k]) > largest:
                largest = abs(a[i, k])
                best = i
        if not largest > 0.0:
            return False
        pivots[k] = best
        if best != k:
            for j in range(n):
                a[k, j], a[best, j] = a[best, j], a[k, j]
        inverse = 1.0 / a[k, k]
        for i in range(k + 1, n):
            a[i, k] *= inverse
            ratio = a[i, k]
            if ratio != 0.0:
                for j in range(k + 1, n):
                    a[i, j] -= ratio * a[k, j]
    return True


@kernel(fastmath=FASTMATH)
def solve(a, pivots, b):
    """Overwrite `b` (n,) with the solution, given the output of `factor`."""
    n = a.shape[0]
    for k in range(n):
        best = pivots[k]
        if best != k:
            b[k], b[best] = b[best], b[k]
    for i in range(1, n):
        total = b[i]
        for j in range(i):
            total -= a[i, j] * b[j]
        b[i] = total
    for i in range(n - 1, -1, -1):
        total = b[i]
        for j in range(i + 1, n):
            total -= a[i, j] * b[j]
        b[i] = total / a[i, i]
