"""A bar in a notebook: tqdm's where it is installed with its widgets, else one of HTML, which a saved notebook keeps."""

from __future__ import annotations

import html
import sys
from typing import Any, Protocol, TextIO


class NotebookBar(Protocol):
    """A bar under a cell."""

    def show(self, done: int, total: int, text: str) -> None:
        """Bring it up to date."""

    def settle(self, done: int, total: int, text: str) -> None:
        """The same, at a moment that may be the last."""


def notebook_bar(stream: TextIO) -> NotebookBar | None:
    """A bar where a notebook shows what is written to `stream`; None elsewhere."""
    if "IPython" not in sys.modules or stream is not sys.stderr:
        return None
    from IPython import get_ipython

    if not hasattr(get_ipython(), "kernel"):  # IPython in a terminal
        return None
    try:
        import ipywidgets  # noqa: F401  # without it tqdm writes lines of text
        from tqdm.auto import tqdm
    except ImportError:
        return HtmlBar()
    return TqdmBar(tqdm)


class TqdmBar:
    """The bar of tqdm, with our words behind it: its own rate does not know that expensive points come first."""

    def __init__(self, kind: Any) -> None:
        self._kind = kind
        self._bar: Any = None

    def show(self, done: int, total: int, text: str) -> None:
        if self._bar is None or self._bar.total != total:
            self._bar = self._kind(total=total, bar_format="{l_bar}{bar}{postfix}")
        self._bar.n = done
        self._bar.set_postfix_str(text, refresh=True)

    def settle(self, done: int, total: int, text: str) -> None:
        if self._bar is not None:
            self.show(done, total, text)


class HtmlBar:
    """A bar that any notebook can show."""

    def __init__(self) -> None:
        self._handle: Any = None

    def show(self, done: int, total: int, text: str) -> None:
        from IPython.display import HTML, display

        page = HTML(
            f'<progress value="{done}" max="{max(total, 1)}" style="width: 20em"></progress> {html.escape(text)}'
        )
        if self._handle is None:
            self._handle = display(page, display_id=True)
        else:
            self._handle.update(page)

    def settle(self, done: int, total: int, text: str) -> None:
        if self._handle is not None:
            self.show(done, total, text)
