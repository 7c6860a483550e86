"""Pictures as files."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from solvers.suggest import did_you_mean
from sweep.errors import RunError, SpecError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_AWKWARD = re.compile(r"[^\w.+=-]+")
LONGEST = 120


def check_ending(path: Path) -> None:
    """SpecError for a file name whose ending is no format of pictures."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    known = sorted(FigureCanvasAgg.get_supported_filetypes())
    ending = path.suffix.removeprefix(".").lower()
    if ending not in known:
        raise SpecError(
            f"-o {path}: pictures end in {', '.join('.' + k for k in known)}; given was "
            f"{path.suffix or 'no ending'}{did_you_mean(ending, known)}"
        )


def file_name(words: Iterable[str]) -> str:
    """The name of a picture after what it shows: the variable, the cut, how it is drawn."""
    return _AWKWARD.sub("", "_".join(words).replace(" ", ""))[:LONGEST] + ".png"


def save(figure: Figure, path: Path) -> Path:
    """Write a picture; a folder that cannot be written to is said, with the way out."""
    check_ending(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=150)
    except OSError as error:
        raise RunError(f"{path} cannot be written ({error.strerror or error}); name another file with -o") from error
    return path
