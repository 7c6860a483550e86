"""A file that grows by lines, read as it grows: only what is new, and never much at once."""

from __future__ import annotations

import os
from pathlib import Path

STEP_BYTES = 1 << 20
"""So much is read in one step."""


class Tail:
    """Follows a file of lines. A line that has no end yet is left for the next time.

    Where another file has come in its place, or less is in it than there was, `next` returns None once and then begins anew.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset = 0
        self._size = 0
        self._file: tuple[int, int] | None = None

    @property
    def share(self) -> float:
        """How much of the file has been read, 0 to 1."""
        return self._offset / self._size if self._size else 1.0

    def next(self) -> list[bytes] | None:
        """The next complete lines; empty at the end, None where all that was read before is void."""
        try:
            with self.path.open("rb") as file:
                found = os.fstat(file.fileno())
                before, self._file, self._size = self._file, (found.st_dev, found.st_ino), found.st_size
                if (before not in (None, self._file)) or found.st_size < self._offset:
                    self._offset = 0
                    return None
                return self._lines(file.fileno())
        except FileNotFoundError:
            if self._offset == 0:
                return []
            self._offset, self._file, self._size = 0, None, 0
            return None

    def _lines(self, descriptor: int) -> list[bytes]:
        step = STEP_BYTES
        while True:
            data = os.pread(descriptor, step, self._offset)
            end = data.rfind(b"\n") + 1
            if end or len(data) < step:
                break
            step *= 2  # a line longer than a step
        self._offset += end
        return data[:end].split(b"\n")[:-1]
