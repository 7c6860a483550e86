"""Worker processes of this machine, seen from outside: whether one stands still, and its end."""

from __future__ import annotations

import contextlib

import psutil


def is_stopped(pid: int) -> bool:
    """Whether a process stands still (SIGSTOP); one that is merely busy does not."""
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_STOPPED)
    except psutil.Error:
        return False


def kill(pid: int) -> None:
    """End a process, if it is still there."""
    with contextlib.suppress(psutil.Error):
        psutil.Process(pid).kill()
