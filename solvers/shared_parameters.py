"""Parameters that many models have in common, with one meaning everywhere."""

from __future__ import annotations

from collections.abc import Sequence

from solvers.declarations import Output, Parameter


def tolerances(rtol: float = 1e-8, atol: float = 1e-10, max_steps: int = 1_000_000) -> tuple[Parameter, ...]:
    """`rtol`, `atol` and `max_steps` of a method that integrates in time."""
    return (
        Parameter(
            name="rtol", meaning="relative tolerance of a step", default=rtol, bounds=(1e-14, 0.1), physical=False
        ),
        Parameter(
            name="atol", meaning="absolute tolerance of a step", default=atol, bounds=(1e-300, 0.1), physical=False
        ),
        Parameter(
            name="max_steps",
            meaning="step budget of a point; when it is spent the point fails",
            default=max_steps,
            kind="integer",
            bounds=(1, 2.0**53),
            physical=False,
        ),
    )


def times(default: Sequence[float], unit: str) -> Parameter:
    """Output times, counted from the start state at t = 0."""
    return Parameter(
        name="times",
        meaning="output times, counted from the start state at t = 0",
        default=list(default),
        unit=unit,
        symbol="t",
        bounds=(0.0, float("inf")),
        dims=("*",),
        never_decreases=True,
        shape=True,
        physical=False,
    )


def check_step() -> Parameter:
    """Whether the error of a fixed step is measured."""
    return Parameter(
        name="check_step",
        meaning="whether to repeat the run with half the step along the same paths and say the change in step_error",
        label="step check",
        default="no",
        kind="choice",
        choices=("no", "yes"),
        physical=False,
    )


def step_error(of: str) -> Output:
    """The output beside `check_step`: the largest change of the quantity named `of`."""
    return Output(
        name="step_error",
        meaning=f"largest change of {of} when the step is halved along the same paths",
        label="change with half the step",
        methods=("twoqs",),
        nan="check_step is no",
    )


def seed() -> Parameter:
    """The seed of every random number of a point."""
    return Parameter(
        name="seed",
        meaning="seed of all random numbers",
        default=0,
        kind="integer",
        bounds=(0, 2.0**53),
        physical=False,
    )


def trajectories(default: int = 100) -> Parameter:
    """How many samples a stochastic method averages over."""
    return Parameter(
        name="trajectories",
        meaning="number of trajectories of a stochastic method",
        label="trajectories",
        default=default,
        kind="integer",
        bounds=(1, 2.0**40),
        physical=False,
    )
