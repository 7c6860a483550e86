"""The errors a user can meet, each with the exit status of the command line and a cure in the words of the asker."""

from __future__ import annotations

import os
from dataclasses import dataclass


def program() -> str:
    """How the person at the terminal calls this program: by its name, or through deploy/local.sh."""
    return os.environ.get("SPINSWEEP_PROGRAM", "spinsweep")


@dataclass(frozen=True)
class Cure:
    """What to do about an error, as the command line says it and as Python says it."""

    command: str
    python: str


class SweepError(Exception):
    """Anything a user is told in one sentence, with its cure. As a text it speaks Python."""

    exit_status = 5

    def __init__(self, text: str, cure: Cure | None = None) -> None:
        super().__init__(text, cure)
        self.text = text
        self.cure = cure

    def __str__(self) -> str:
        return self.text if self.cure is None else f"{self.text}; {self.cure.python}"

    def on_command_line(self) -> str:
        """The sentence as the command line says it."""
        return self.text if self.cure is None else f"{self.text}; {self.cure.command}"


class SpecError(SweepError, ValueError):
    """A spec, an option or an argument is wrong; nothing was created."""

    exit_status = 2


class RunError(SweepError, RuntimeError):
    """A run folder cannot be used as asked: it is another sweep's, in use, or its code has changed."""

    exit_status = 2


class InUseError(RunError):
    """Another driver is at work on the run."""


class AbortedError(SweepError, RuntimeError):
    """A run ended before its points did; what is committed is kept."""

    exit_status = 5


class StoppedError(AbortedError):
    """A run was stopped on request; what is committed is kept."""

    exit_status = 4


OTHER_FOLDER = Cure("choose another folder with --out", "choose another folder, run(store=...)")
"""For a folder that cannot take the run."""
GIVE_A_RUN = Cure("give the folder that `spinsweep run` made", "give the folder that Sweep.run or `spinsweep run` made")
"""For a folder that is no run."""
AGAIN = Cure("start it again with the command that made it", "start it again with the same run()")
"""For a run whose creation was interrupted."""
REPAIR = Cure(
    "`spinsweep verify RUN` names what is damaged, with --repair it is made again",
    "`spinsweep verify RUN` names what is damaged, with --repair it is made again",
)
"""For a store that is damaged."""


def resume(folder: object) -> Cure:
    """For a run that is there and not complete."""
    return Cure(
        f"go on with: {program()} resume {folder}",
        f"go on by running the same Sweep with run(store={str(folder)!r})",
    )
