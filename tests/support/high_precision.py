"""exp(t L) r with as many decimal digits as it takes, by scaling and squaring: the judge of double-precision methods."""

from decimal import Decimal, localcontext

import numpy as np


def exponential_action(matrix, time, state):
    """exp(time matrix) state, rounded to double precision at the end; elements (numbers or Decimals) and time are taken as exact."""
    size = range(len(matrix))
    with localcontext() as context:
        context.prec = 60
        A = [[_exact(x) * Decimal(float(time)) for x in row] for row in matrix]
        norm = max(sum((abs(x) for x in row), Decimal(0)) for row in A)
        squarings = max(0, int(norm.log10() / Decimal("0.30103")) + 4) if norm > 0 else 0
        context.prec = 50 + 2 * int(0.31 * squarings)
        A = [[_exact(x) * Decimal(float(time)) / 2**squarings for x in row] for row in matrix]
        one = [[Decimal(int(i == j)) for j in size] for i in size]
        value, term = one, one
        for k in range(1, 40):
            term = [[x / k for x in row] for row in _product(term, A)]
            value = [[a + b for a, b in zip(x, y, strict=True)] for x, y in zip(value, term, strict=True)]
        for _ in range(squarings):
            value = _product(value, value)
        start = [Decimal(float(x)) for x in state]
        return np.array([float(sum((a * b for a, b in zip(row, start, strict=True)), Decimal(0))) for row in value])


def _exact(x):
    return x if isinstance(x, Decimal) else Decimal(float(x))


def _product(left, right):
    columns = list(zip(*right, strict=True))
    return [
        [sum((a * b for a, b in zip(row, column, strict=True) if a and b), Decimal(0)) for column in columns]
        for row in left
    ]
