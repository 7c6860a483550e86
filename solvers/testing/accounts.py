"""What was checked: one account per check and method, and the report that adds them up."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from solvers.model import Model

EVERY = "(all)"
"""Stands in the column of methods for what concerns the model as a whole."""


@dataclass(frozen=True, kw_only=True)
class Account:
    """What one check did for one method.

    `against` says what the method was compared with, `points` at how many points, `worst` is the largest error over its
    tolerance (None: nothing to measure; bits are the same or not), `outputs` are the ones that were compared with a
    number of other origin. `left_out` says what was not checked, and why.
    """

    against: str
    method: str = EVERY
    points: int = 0
    worst: float | None = None
    outputs: frozenset[str] = frozenset()
    left_out: str = ""


@dataclass(frozen=True)
class Report:
    """All accounts of a model, and the checks that failed with what they said. `str()` is a table."""

    model: Model
    accounts: list[Account] = field(default_factory=list)
    failures: list[tuple[str, str]] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether no check failed."""
        return not self.failures

    def compared(self, method: str) -> frozenset[str]:
        """The outputs of a method that were compared with numbers of other origin: a reference, checks or cases."""
        return frozenset().union(*(a.outputs for a in self.accounts if a.method == method))

    def not_compared(self, method: str) -> list[str]:
        """The outputs of a method that no number of other origin stands against."""
        return [o.name for o in self.model.outputs_of(method) if o.name not in self.compared(method)]

    def __str__(self) -> str:
        lines = [f"{self.model.id}: {self.model.title}", ""]
        rows: list[tuple[str, ...]] = [("method", "compared with", "points", "worst error / tolerance")]
        rows += [
            (a.method, a.against, str(a.points), "" if a.worst is None else f"{a.worst:.2g}")
            for a in self.accounts
            if a.points or a.worst is not None
        ]
        lines += _table(rows)
        left_out = [f"  {a.method}: {a.against}: {a.left_out}" for a in self.accounts if a.left_out]
        left_out += [
            f"  {method.name}: compared with no number of other origin: {', '.join(names)}"
            for method in self.model.methods
            if (names := self.not_compared(method.name))
        ]
        if left_out:
            lines += ["", "Not checked", *left_out]
        for name, message in self.failures:
            lines += ["", f"FAILED {name}: {message}"]
        count = len(self.failures)
        lines += ["", "passed" if self.passed else f"{count} check{'s' if count > 1 else ''} FAILED"]
        return "\n".join(lines)


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return [text[0], "-" * max(map(len, text)), *text[1:]]


def worst_error(got: Any, expected: Any, rtol: float, atol: Any, what: str) -> float:
    """Largest |got - expected| / (atol + rtol |expected|); AssertionError where it is above one or NaN stand elsewhere.

    `atol` is a number or an array of the outputs' shape.
    """
    got, expected = np.asarray(got), np.asarray(expected)
    if np.ndim(atol):  # in units of what is allowed
        unit = np.asarray(atol) + rtol * np.abs(expected)
        np.testing.assert_allclose(got / unit, expected / unit, rtol=0.0, atol=1.0, err_msg=what)
    else:
        np.testing.assert_allclose(got, expected, rtol=rtol, atol=atol, err_msg=what)
    if not got.size:
        return 0.0
    allowed = atol + rtol * np.abs(expected)
    error = np.abs(got - expected)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(error == 0.0, 0.0, error / allowed)
    return float(np.nanmax(np.where(np.isnan(ratio), 0.0, ratio)))


def total(accounts: Iterable[Account]) -> list[Account]:
    """Accounts of the same method and comparison added up."""
    found: dict[tuple[str, str], Account] = {}
    for a in accounts:
        key = (a.method, a.against)
        if (b := found.get(key)) is None:
            found[key] = a
            continue
        worst = [w for w in (a.worst, b.worst) if w is not None]
        found[key] = Account(
            against=a.against,
            method=a.method,
            points=a.points + b.points,
            worst=max(worst) if worst else None,
            outputs=a.outputs | b.outputs,
            left_out=b.left_out or a.left_out,
        )
    return list(found.values())
