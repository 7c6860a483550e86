"""Why the exact master equation is not solved at a point; the class name is the kind of the point's remark."""


class StepBudgetSpent(RuntimeError):
    """More applications of the generator are needed than `max_steps` allows; known before the first."""


class TooLong(RuntimeError):
    """The arithmetic of the point is beyond any use of a sweep; known before it begins."""


class Diverged(RuntimeError):
    """rho overflows: L has an eigenvalue with a positive real part, which the message names."""
