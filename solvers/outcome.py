"""How a point ended: status codes, the words for why, and what a batch entry returns."""

from __future__ import annotations

import enum
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.numerics.outcome import MAX_STEPS, NOT_FINITE, STEP_TOO_SMALL

OK, WARNED, FAILED = 0, 1, 2
"""Status codes of a point: done; done but a stated tolerance was missed; failed, its outputs are NaN."""

STATUS_TEXT: Mapping[int, str] = {
    OK: "ok",
    WARNED: "finished, but a stated tolerance or convergence test was missed",
    FAILED: "failed: not finite, outside the method's validity, or its step budget was spent",
}


class Kind(enum.StrEnum):
    """Why a point has status 1 or 2: one word for one cause, whichever model or engine says it; `meaning` explains it.

    An exception that no solver foresaw has its type's name instead (`ZeroDivisionError`).
    """

    meaning: str

    def __new__(cls, word: str, meaning: str) -> Kind:
        """A text that carries its meaning."""
        kind = str.__new__(cls, word)
        kind._value_, kind.meaning = word, meaning
        return kind

    STEP_BUDGET_SPENT = "StepBudgetSpent", "max_steps does not suffice for the times asked for"
    TOO_MUCH_WORK = "TooMuchWork", "the arithmetic is beyond any use of a sweep"
    STEP_TOO_SMALL = "StepTooSmall", "a step fell below the rounding of time: a singularity, or a tolerance too tight"
    NOT_FINITE = "NotFinite", "a result or what leads to it is beyond the range of numbers"
    DIVERGED = "Diverged", "the state or its moments grow without bound"
    OUT_OF_PHYSICS = "OutOfPhysics", "moments or spins belong to no state: a closure or a mean field has left physics"
    NOT_COMPLETELY_POSITIVE = (
        "NotCompletelyPositive",
        "the rates are no dissipator: solved, but not completely positive",
    )
    LENGTH_SPREAD = "LengthSpread", "the positive diffusion in phase space no longer holds the length of the spin"
    INACCURATE = "Inaccurate", "an error, as estimated, is above what was asked for"
    NOT_CONVERGED = "NotConverged", "a search ended before it was as close as asked for"
    LOST_IN_ROUNDING = "LostInRounding", "rounding hides the result or a part of it"
    NOT_AT_REST = "NotAtRest", "what should be at rest still moves, or never rests"
    NOT_UNIQUE = "NotUnique", "there are several states of rest; the start, if anything, decides"
    UNSTABLE = "Unstable", "the state of rest is unstable"
    EXCEPTIONAL_POINT = "ExceptionalPoint", "eigenvectors are nearly parallel; another way was taken"
    OUTSIDE_LIMIT = "OutsideLimit", "the method does not treat such a point"
    WRONG_OUTPUT = "WrongOutput", "the method does not return what its model declares"
    UNSAID = "Unsaid", "the model gives no reason"


KIND_OF_CODE: Mapping[int, Kind] = {
    MAX_STEPS: Kind.STEP_BUDGET_SPENT,
    NOT_FINITE: Kind.NOT_FINITE,
    STEP_TOO_SMALL: Kind.STEP_TOO_SMALL,
}
"""The kind of an integration that ended with such a code of `solvers.numerics.outcome`."""


class InvalidInput(ValueError):
    """A parameter is not allowed: its text says which, what is allowed, what was given, and the cure.

    Only this class counts as bad input; any other exception inside a solver fails its own point.
    """


class PointFailed(Exception):
    """A point has no result, for a known reason: a `Kind`, and the sentence for the user."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class SolverWarning(UserWarning):
    """A point finished with status 1 or 2; the text says why."""


@dataclass(frozen=True, kw_only=True)
class Remark:
    """Why a point has status 1 or 2: a `Kind` (or an exception's type), and the sentence for the user."""

    kind: str
    message: str
    traceback: str = ""


@dataclass(frozen=True)
class Results:
    """What a batch entry returns: outputs with the points in front, status (P,), remarks by point index.

    `declared` says that the outputs are exactly those wanted, each an array of its own in the declared form.
    """

    outputs: Mapping[str, NDArray[Any]]
    status: NDArray[Any]
    remarks: Mapping[int, Remark] = field(default_factory=dict)
    declared: bool = False


def remark_of(error: BaseException) -> Remark:
    """The record of an exception: a known reason as it stands, any other one with its traceback.

    What NumPy and SciPy find singular, or cannot diagonalise, is so at extreme parameters only: rounding, or the range of
    numbers, has eaten the matrix.
    """
    if isinstance(error, PointFailed):
        return Remark(kind=error.kind, message=str(error))
    kind, message = type(error).__name__, str(error) or type(error).__name__
    if isinstance(error, np.linalg.LinAlgError):
        kind = Kind.LOST_IN_ROUNDING
        message = f"a matrix that follows from the parameters is lost in rounding: {message}; take less extreme ones"
    return Remark(kind=kind, message=message, traceback="".join(traceback.format_exception(error)))
