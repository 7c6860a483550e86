"""The errors a user can meet, each with the exit status of the command line."""

from __future__ import annotations


class SweepError(Exception):
    """Anything a user is told in one sentence, with its cure."""

    exit_status = 5


class SpecError(SweepError, ValueError):
    """A spec, an option or an argument is wrong; nothing was created."""

    exit_status = 2


class RunError(SweepError, RuntimeError):
    """A run folder cannot be used as asked: it is another sweep's, in use, or its code has changed."""

    exit_status = 2


class AbortedError(SweepError, RuntimeError):
    """A run ended before its points did; what is committed is kept."""

    exit_status = 5
