"""Scripts without `if __name__ == "__main__":`, whose sweep starts workers, which run the script anew as they start.

The worker that comes to the sweep then leaves a mark for whoever started it, and ends without a word.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from sweep.errors import RunError

_MARK = "SPINSWEEP_STARTING_WORKERS"
GUARD = (
    "the processes that a sweep starts run the script anew, and come to the sweep again: put what the script does below a line "
    '`if __name__ == "__main__":`'
)


def leave_if_one() -> None:
    """To be called before a sweep does anything: ends a worker that is about to run it. RunError in another's process."""
    processes = sys.modules.get("multiprocessing.process")
    if processes is None or not getattr(processes.current_process(), "_inheriting", False):
        return
    mark = os.environ.get(_MARK)
    if mark is None:
        raise RunError(GUARD)
    with contextlib.suppress(OSError):
        Path(mark).touch()
    os._exit(1)


@contextlib.contextmanager
def watched() -> Iterator[Callable[[], bool]]:
    """For the time in which workers start: gives whether one of them has come to the sweep of its script."""
    with tempfile.TemporaryDirectory(prefix="spinsweep-") as folder:
        mark = Path(folder) / "came-by"
        before = os.environ.get(_MARK)
        os.environ[_MARK] = str(mark)
        try:
            yield mark.exists
        finally:
            os.environ.pop(_MARK)
            if before is not None:
                os.environ[_MARK] = before
