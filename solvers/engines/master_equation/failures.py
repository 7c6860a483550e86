"""Why the exact master equation is not solved at a point."""

from __future__ import annotations

from solvers.outcome import Kind, PointFailed


class StepBudgetSpent(PointFailed):
    """More applications of the generator are needed than `max_steps` allows; known before the first."""

    def __init__(self, message: str) -> None:
        super().__init__(Kind.STEP_BUDGET_SPENT, message)


class TooLong(PointFailed):
    """The arithmetic of the point is beyond any use of a sweep; known before it begins."""

    def __init__(self, message: str) -> None:
        super().__init__(Kind.TOO_MUCH_WORK, message)


class Diverged(PointFailed):
    """rho overflows by `time`: L has an eigenvalue with the real part `rate` > 0."""

    def __init__(self, time: float, rate: float) -> None:
        super().__init__(
            Kind.DIVERGED,
            f"rho diverges: it is beyond double precision at t = {time:.6g}; L has an eigenvalue with the real part "
            f"{rate:.6g} > 0, because the rates are not completely positive (Gamma has a negative eigenvalue); shorten "
            "times or correct the rates",
        )
        self.time, self.rate = time, rate

    def in_units(self, unit: float) -> Diverged:
        """The same where times are `unit` times as long, and rates less by as much."""
        return Diverged(self.time * unit, self.rate / unit)


class LostInRounding(PointFailed):
    """The state at `time` is not known to any digit."""

    def __init__(self, time: float) -> None:
        super().__init__(
            Kind.LOST_IN_ROUNDING,
            f"the state at t = {time:.6g} is lost in rounding: the fastest motion counts more than 1e16 radians until "
            "then; shorten times, or leave out what is faster than the times of interest",
        )
        self.time = time

    def in_units(self, unit: float) -> LostInRounding:
        """The same where times are `unit` times as long."""
        return LostInRounding(self.time * unit)
