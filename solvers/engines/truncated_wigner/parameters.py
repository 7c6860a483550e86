"""What tunes truncated Wigner trajectories, besides `trajectories` and `seed`."""

from __future__ import annotations

from solvers.declarations import Parameter


def sampling(unit_of_time: str) -> tuple[Parameter, ...]:
    """`step` and `target_error`."""
    return (
        Parameter(
            name="step",
            meaning="time step of twa; 0: a tenth of the inverse of the largest rate",
            default=0.0,
            unit=unit_of_time,
            bounds=(0.0, float("inf")),
            physical=False,
        ),
        Parameter(
            name="target_error",
            meaning=(
                "twa goes on until the largest standard error of the means that are kept is at most this, with `trajectories` "
                "as the most; 0: exactly `trajectories`"
            ),
            default=0.0,
            bounds=(0.0, float("inf")),
            physical=False,
        ),
    )
