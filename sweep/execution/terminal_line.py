"""One live line on a terminal: a bar and words, redrawn in place, never wider than the terminal."""

from __future__ import annotations

import os
import re
import shutil
from typing import TextIO

_WIDEST_BAR, _SMALLEST_BAR = 30, 8
_GREEN, _RED, _YELLOW, _DIM, _PLAIN = "\x1b[32m", "\x1b[31m", "\x1b[33m", "\x1b[2m", "\x1b[0m"
_FAILED = re.compile(r"[1-9][\d,]* failed")
_WARNED = re.compile(r"[\d,]+ with a warning")


def has_colour() -> bool:
    """Whether colours are wanted and understood (see no-color.org)."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM", "dumb") != "dumb"


class TerminalLine:
    """The line, on a stream that is a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._width = 0
        self._colour = has_colour()
        encoding = (getattr(stream, "encoding", None) or "ascii").lower().replace("-", "")
        self._full, self._empty = ("━", "─") if encoding.startswith("utf") else ("#", ".")

    def show(self, share: float, text: str) -> None:
        """Draw the line anew."""
        columns = shutil.get_terminal_size().columns - 1  # in the last one some terminals go on to the next line
        text = text if len(text) <= columns else text[: max(columns - 3, 0)] + "..."
        bar = min(_WIDEST_BAR, columns - len(text) - 2)
        if bar < _SMALLEST_BAR:
            bar = 0
        width = len(text) + (bar + 2 if bar else 0)
        self._stream.write("\r" + self._bar(share, bar) + self._coloured(text) + " " * max(self._width - width, 0))
        self._stream.flush()
        self._width = width

    def clear(self) -> None:
        """Wipe the line."""
        if self._width:
            self._stream.write("\r" + " " * self._width + "\r")
            self._stream.flush()
            self._width = 0

    def _bar(self, share: float, width: int) -> str:
        if not width:
            return ""
        full = min(width, int(share * width))
        done, rest = self._full * full, self._empty * (width - full)
        return (f"{_GREEN}{done}{_DIM}{rest}{_PLAIN}" if self._colour else done + rest) + "  "

    def _coloured(self, text: str) -> str:
        if not self._colour:
            return text
        text = _FAILED.sub(lambda found: f"{_RED}{found[0]}{_PLAIN}", text)
        return _WARNED.sub(lambda found: f"{_YELLOW}{found[0]}{_PLAIN}", text)
