"""Writes the pages that are made from the code, before Sphinx reads its sources.

They go into the folder `generated` beside the written pages, which git ignores; a page that says the same is left alone, so
that a second build is quick.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

FOLDER = "generated"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of texts that are Markdown already; columns that are empty all the way are left out."""
    used = [k for k in range(len(head)) if any(row[k] for row in rows)]
    lines = [[head[k] for k in used], ["---"] * len(used), *([row[k] for k in used] for row in rows)]
    return "\n".join("| " + " | ".join(cell.replace("\n", " ") for cell in line) + " |" for line in lines)


def write(app: Any) -> None:
    """Write what is new or changed, and remove what is no page any more."""
    from atlas_table import atlas_table
    from model_pages import limits, model_pages
    from spec_page import spec_page

    from solvers.testing import template

    top = Path(app.srcdir).parents[1]
    target = Path(app.srcdir) / FOLDER
    costs = target / "costs.json"
    pages = {**model_pages(costs), "spec": spec_page()}
    wanted = {target / f"{name}.md": text for name, text in pages.items()}
    wanted[target / "limits.txt"] = limits()
    wanted[target / "atlas.txt"] = atlas_table(top / "examples" / "atlas.csv")
    wanted[target / "template.py"] = template("rabi")
    for path, text in wanted.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
    copied = [*_copy(top / "examples", target / "notebooks", "*.ipynb")]
    copied += _copy(top / "examples" / "gallery", target / "gallery", "*")
    gallery = target / "gallery" / "README.md"
    if gallery not in copied:
        wanted[gallery] = "# Gallery\n\nThe pictures are made by the scripts in `examples/`.\n"
        gallery.write_text(wanted[gallery])
    for path in target.rglob("*"):
        if path.is_file() and path not in (costs, *wanted, *copied):
            path.unlink()


def _copy(source: Path, target: Path, pattern: str) -> list[Path]:
    target.mkdir(parents=True, exist_ok=True)
    found = [path for path in sorted(source.glob(pattern)) if path.is_file()]
    for path in found:
        other = target / path.name
        if not other.exists() or other.read_bytes() != path.read_bytes():
            shutil.copyfile(path, other)
    return [target / path.name for path in found]


def setup(app: Any) -> dict[str, Any]:
    app.connect("builder-inited", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
