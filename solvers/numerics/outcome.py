"""How an integration of one point ended, as a number that kernels can return."""

from __future__ import annotations

from collections.abc import Mapping

DONE, EVENT, MAX_STEPS, NOT_FINITE, STEP_TOO_SMALL = 0, 1, 2, 3, 4
STIFF, NOT_STIFF = 5, 6  # only between the two halves of `automatic`

OUTCOME_TEXT: Mapping[int, str] = {
    DONE: "reached the last time",
    EVENT: "stopped at an event",
    MAX_STEPS: "the step budget was spent; raise max_steps or loosen rtol and atol",
    NOT_FINITE: "the right-hand side is not finite",
    STEP_TOO_SMALL: "the step fell below the rounding of t; the solution is singular or rtol is too tight",
}
