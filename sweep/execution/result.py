"""How a run ended, in numbers, as an exit status and in a sentence."""

from __future__ import annotations

from dataclasses import dataclass

from sweep.errors import Cure, program, resume
from sweep.execution.scheduling import End, Outcome
from sweep.folder.codes import PENDING
from sweep.folder.committed import Committed
from sweep.folder.run_folder import RunFolder
from sweep.quantities import number


@dataclass(frozen=True)
class RunResult:
    """How a run ended. `done` points are computed or `interpolated`; a refinement that is complete may have `left` some."""

    folder: RunFolder
    outcome: Outcome
    reason: str
    points: int
    done: int
    failed: int
    warned: int
    interpolated: int = 0
    left: int = 0

    @classmethod
    def of(cls, folder: RunFolder, committed: Committed, end: End) -> RunResult:
        """The result of a run that has ended with this committed."""
        return cls(
            folder,
            end.outcome,
            end.reason,
            committed.plan.spec.points,
            done=committed.done,
            failed=committed.failed,
            warned=committed.warned,
            interpolated=committed.interpolated,
            left=committed.count(PENDING) if end.outcome is Outcome.COMPLETE else 0,
        )

    @property
    def exit_status(self) -> int:
        """0 complete, 3 complete with failed points, 4 stopped, 5 aborted."""
        if self.outcome is Outcome.COMPLETE:
            return 3 if self.failed else 0
        return 4 if self.outcome is Outcome.STOPPED else 5

    @property
    def cure(self) -> Cure:
        """How to go on."""
        return resume(self.folder.path)

    def sentence(self) -> str:
        """About the end."""
        counts = f"{self.done:,} of {number(self.points, 'point')} done"
        if self.interpolated or self.left:
            computed = self.done - self.interpolated
            counts = f"{computed:,} of {self.points:,} points computed ({100 * computed / self.points:.1f} %)"
            counts += f", {self.interpolated:,} interpolated" if self.interpolated else ""
            counts += f", {self.left:,} left pending" if self.left else ""
        counts += f", {self.failed:,} failed" if self.failed else ""
        counts += f", {self.warned:,} with a warning" if self.warned else ""
        if self.outcome is Outcome.COMPLETE:
            return f"complete: {counts}; {self.folder.path}"
        return f"{self.outcome.value}: {self.reason}; {counts}"

    def text(self, python: bool = False) -> str:
        """About the end, and what to do next: typed into a terminal, or in Python."""
        if self.outcome is Outcome.COMPLETE:
            return self.sentence() if python else "\n".join([self.sentence(), *self._next()])
        if not self.folder.exists():  # it was moved away
            return self.sentence()
        return f"{self.sentence()}; {self.cure.python if python else self.cure.command}"

    def _next(self) -> list[str]:
        """What one does with a complete run."""
        lines = [f"draw it: {program()} plot {self.folder.path}"]
        if self.failed or self.warned:
            which = [*(["failed"] if self.failed else []), *(["have a warning"] if self.warned else [])]
            lines.append(f"why points {' or '.join(which)}: {program()} errors {self.folder.path}")
        return lines
