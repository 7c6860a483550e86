"""The runs that a page shows, and its answers to a browser: what they need of files is read in one thread of their own."""

from __future__ import annotations

import contextlib
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from sweep.errors import SpecError
from sweep.records import Json

if TYPE_CHECKING:
    from sweep.folder.layout import Coordinate
    from sweep.pictures.page.followed import Followed
    from sweep.pictures.page.slices import Cut, Picture

MOST_RUNS = 50
"""Runs that are remembered; the oldest go first."""
MOST_PICTURES = 4
"""Pictures of a run that are kept, to be filled further."""
READ_SECONDS = 0.5
"""So long one answer may read files; what is left comes with the next."""


class _Known:
    """A run that the page shows, with the pictures of it that somebody looks at."""

    def __init__(self, path: Path) -> None:
        from sweep.pictures.page.followed import Followed

        self.followed: Followed = Followed(path)
        self.complete = False
        self._pictures: OrderedDict[Cut, Picture] = OrderedDict()
        self._axes: Mapping[str, Coordinate] = {}
        self._plan: object = None
        self._causes: tuple[object, Json] | None = None

    def update(self) -> None:
        self.complete = self.followed.update(READ_SECONDS)
        if self.followed.plan is not self._plan:
            from sweep.pictures.page.answers import axes_of

            self._plan, self._axes = self.followed.plan, axes_of(self.followed)
            self._pictures.clear()

    @property
    def axes(self) -> Mapping[str, Coordinate]:
        return self._axes

    def picture(self, cut: Cut) -> tuple[Picture, bool]:
        """A picture, and whether all that is committed is in it."""
        from sweep.pictures.page.slices import Picture

        found = self._pictures.get(cut)
        if found is None:
            found = Picture(self.followed, cut)
            self._pictures[cut] = found
        self._pictures.move_to_end(cut)
        while len(self._pictures) > MOST_PICTURES:
            self._pictures.popitem(last=False)
        before = found.unreadable
        complete = found.update(READ_SECONDS)
        if found.unreadable > before:
            with contextlib.suppress(Exception):
                self.followed.reopen()
        return found, complete and self.complete

    def causes(self) -> Json:
        """Failures by cause, read again when something has changed."""
        from sweep.pictures.page.answers import causes, size_of_errors

        seen = (size_of_errors(self.followed), self.followed.version)
        if self._causes is None or self._causes[0] != seen:
            self._causes = (seen, causes(self.followed))
        return self._causes[1]


class Site:
    """Runs by a short name of their folder. `ask` answers in a thread of its own; nothing here writes anything."""

    def __init__(self) -> None:
        self._paths: OrderedDict[str, Path] = OrderedDict()
        self._known: dict[str, _Known] = {}
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spinsweep-page")

    def add(self, path: Path) -> str:
        """Show a run; returns its name on the page."""
        run = hashlib.blake2b(str(path).encode(), digest_size=6).hexdigest()
        self._paths[run] = path
        self._paths.move_to_end(run, last=False)  # the newest first
        while len(self._paths) > MOST_RUNS:
            self._known.pop(self._paths.popitem()[0], None)
        return run

    async def ask(self, question: str, words: Mapping[str, str]) -> tuple[str, Callable[[], Json]]:
        """The state that an answer is of, and the answer itself; SpecError for what cannot be asked, LookupError for a run
        that is not shown."""
        import asyncio

        return await asyncio.get_running_loop().run_in_executor(self._thread, self._answer, question, dict(words))

    def _answer(self, question: str, words: Mapping[str, str]) -> tuple[str, Callable[[], Json]]:
        from sweep.pictures.page import answers

        if question == "runs":
            rows = [self._brief(run) for run in list(self._paths)]
            return repr(rows), lambda: {"runs": rows}
        run = words.get("run", "")
        if run not in self._paths:
            raise LookupError(run)
        known = self._updated(run)
        if question == "run":
            found = answers.summary(run, known.followed, known.axes, known.complete)
            return repr(found), lambda: found
        if question == "failures":
            found = known.causes()
            return repr(found), lambda: found
        picture, complete = known.picture(cut_of(words))
        answer = answers.picture(picture, known.axes, complete)
        return f"{known.followed.version} {complete} {picture.drawn}", lambda: answer

    def _updated(self, run: str) -> _Known:
        if run not in self._known:
            self._known[run] = _Known(self._paths[run])
        self._known[run].update()
        return self._known[run]

    def _brief(self, run: str) -> Json:
        from sweep.pictures.page import answers

        try:
            known = self._updated(run)
            return answers.brief(run, known.followed, known.complete)
        except Exception as error:  # one run that cannot be read must not hide the others
            self._known.pop(run, None)
            return answers.unreadable(run, str(self._paths[run]), error)


def cut_of(words: Mapping[str, str]) -> Cut:
    """The picture that the words of an address ask for: output, x, y, part, columns, rows, and at.NAME for each place."""
    from sweep.pictures.page.slices import Cut

    numbers: dict[str, int] = {}
    for name, text in words.items():
        if name in ("columns", "rows") or name.startswith("at."):
            try:
                numbers[name] = int(text)
            except ValueError:
                raise SpecError(f"{name} must be a whole number; given was {text!r:.40}") from None
    if "output" not in words or "x" not in words:
        raise SpecError("a picture needs output=NAME and x=DIMENSION")
    return Cut(
        words["output"],
        words["x"],
        words.get("y", ""),
        tuple(sorted((name.removeprefix("at."), n) for name, n in numbers.items() if name.startswith("at."))),
        words.get("part", "abs"),
        numbers.get("columns", Cut.columns),
        numbers.get("rows", Cut.rows),
    )
