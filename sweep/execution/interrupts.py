"""Being asked to stop: by Ctrl-C or a polite kill, or by a wish left in the run folder from wherever."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from enum import IntEnum

from sweep.folder.cancelling import Wish, asked, forget
from sweep.folder.run_folder import RunFolder

_SHARE = 0.02
"""Greatest share of the driver's time for looking."""


class Stage(IntEnum):
    """How far the end of a run has come, as its user wants it."""

    RUNNING = 0
    STOP_ASKED = 1
    STOPPING = 2
    """The wish has been acted upon: what runs is being finished."""
    END_ASKED = 3
    """Now: what runs is dropped."""


class Interrupts:
    """Watches for wishes to stop."""

    def __init__(self, folder: RunFolder, token: str = "") -> None:
        self.stage = Stage.RUNNING
        self._folder = folder
        self._token = token
        self._answered = False
        self._next = 0.0

    def look(self) -> Stage:
        """Where things stand, a wish in the run folder counted in; a stop that was asked is answered once."""
        wish = self._wish() if self.stage is not Stage.END_ASKED else None
        if wish is not None:
            forget(self._folder)
            self.stage = Stage.END_ASKED if wish.now else max(self.stage, Stage.STOP_ASKED)
        if self.stage is Stage.STOP_ASKED:
            answered, self._answered = self._answered, True
            return Stage.STOPPING if answered else Stage.STOP_ASKED
        return self.stage

    def _wish(self) -> Wish | None:
        """The wish in the run folder; in a bucket, where looking takes time, it is done less often."""
        if not self._folder.in_bucket:
            return asked(self._folder, self._token)
        clock = self._folder.host.clock
        began = clock.monotonic()
        if began < self._next:
            return None
        wish = asked(self._folder, self._token)
        now = clock.monotonic()
        self._next = now + (now - began) / _SHARE
        return wish

    @contextlib.contextmanager
    def signals(self) -> Iterator[None]:
        """Ctrl-C and a polite kill stop the run instead of tearing it down; only a main thread may say so."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def interrupted(*_: object) -> None:
            self.stage = Stage.STOP_ASKED if self.stage is Stage.RUNNING else Stage.END_ASKED

        before = {s: signal.signal(s, interrupted) for s in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for which, handler in before.items():
                signal.signal(which, handler)
