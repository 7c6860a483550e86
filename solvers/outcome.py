"""How a point ended: status codes, the words for why, and what a batch entry returns."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

OK, WARNED, FAILED = 0, 1, 2
"""Status codes of a point: done; done but a stated tolerance was missed; failed, its outputs are NaN."""

STATUS_TEXT: Mapping[int, str] = {
    OK: "ok",
    WARNED: "finished, but a stated tolerance or convergence test was missed",
    FAILED: "failed: not finite, outside the method's validity, or its step budget was spent",
}


class InvalidInput(ValueError):
    """A parameter is not allowed: its text says which, what is allowed, what was given, and the cure.

    Only this class counts as bad input; any other exception inside a solver fails its own point.
    """


class PointFailed(Exception):
    """A point has no result, for a known reason: `kind` groups equal causes, the text is the sentence for the user."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class SolverWarning(UserWarning):
    """A point finished with status 1 or 2; the text says why."""


@dataclass(frozen=True, kw_only=True)
class Remark:
    """Why a point has status 1 or 2: `kind` is an exception's type or a short name that groups equal causes."""

    kind: str
    message: str
    traceback: str = ""


@dataclass(frozen=True)
class Results:
    """What a batch entry returns: outputs with the points in front, status (P,), remarks by point index."""

    outputs: Mapping[str, NDArray[Any]]
    status: NDArray[Any]
    remarks: Mapping[int, Remark] = field(default_factory=dict)


def remark_of(error: BaseException) -> Remark:
    """The record of an exception: a known reason as it stands, any other one with its traceback."""
    if isinstance(error, PointFailed):
        return Remark(kind=error.kind, message=str(error))
    return Remark(
        kind=type(error).__name__,
        message=str(error) or type(error).__name__,
        traceback="".join(traceback.format_exception(error)),
    )
