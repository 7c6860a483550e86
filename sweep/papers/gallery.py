"""The gallery: small pictures of all figures and one page with the verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sweep.papers.figures import FULL, Paper
from sweep.papers.reproducing import Reproduced
from sweep.papers.tables import gallery

WIDEST = 1300
"""Pixels of a small picture, from left to right."""
COLOURS = 256
"""Different colours in a small picture, all that a palette holds; curves need far fewer."""
ROUNDS = 2
"""Rounds of k-means over the palette: without them the ends of a colour bar are steps of a wrong colour."""


def write(papers: Sequence[Paper], done: Sequence[Reproduced], place: Path, preset: str) -> Path:
    """Write pictures and page into a folder and return the page."""
    from PIL import Image

    place.mkdir(parents=True, exist_ok=True)
    for one in done:
        if one.picture is None:
            continue
        with Image.open(one.picture) as picture:
            small = picture.convert("RGB")
            if small.width > WIDEST:
                small = small.resize((WIDEST, round(small.height * WIDEST / small.width)), Image.Resampling.LANCZOS)
            small.quantize(COLOURS, kmeans=ROUNDS).save(place / one.picture.name, optimize=True)
    page = place / "README.md"
    words = f"spinsweep reproduce --all{'' if preset == FULL else f' --preset {preset}'} --gallery {place}"
    page.write_text(gallery(papers, [(one.figure, one.rows) for one in done], words))
    return page
