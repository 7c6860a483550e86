"""Mathematics as pictures inside the page: mathtext by Matplotlib, as SVG in the colour of the text.

It needs no network and no script, follows the reader's light or dark theme, and what mathtext cannot read ends the build.
"""

from __future__ import annotations

import html
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.font_manager import FontProperties
from matplotlib.path import Path
from matplotlib.textpath import TextToPath

SIZE = 100.0
_COMMANDS = {Path.MOVETO: "M", Path.LINETO: "L", Path.CURVE3: "Q", Path.CURVE4: "C"}


def svg(tex: str) -> str:
    """The picture of one formula; ValueError where mathtext cannot read it."""
    with rc_context({"mathtext.fontset": "stix", "text.usetex": False}):
        text = TextToPath()
        font = FontProperties(size=SIZE)
        try:
            width, height, depth = text.get_text_width_height_descent(f"${tex}$", font, ismath=True)
            points, codes = text.get_text_path(font, f"${tex}$", ismath=True)
        except ValueError as error:
            raise ValueError(f"mathtext cannot read {tex!r}: {error}") from error
    scale = SIZE / text.FONT_SCALE
    drawn = _path(np.asarray(points).reshape(-1, 2) * scale, codes, height - depth)
    return (
        f'<svg class="formula" role="img" aria-label="{html.escape(tex)}" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'style="width:{width / SIZE:.3f}em;height:{height / SIZE:.3f}em;vertical-align:{-depth / SIZE:.3f}em">'
        f'<path fill="currentColor" d="{drawn}"/></svg>'
    )


def _path(points: Any, codes: Any, baseline: float) -> str:
    """A path of Matplotlib as one of SVG, whose y axis points down."""
    parts = []
    for (x, y), code in zip(points, codes, strict=True):
        if code == Path.CLOSEPOLY:
            parts.append("Z")
            continue
        parts.append(f"{_COMMANDS[code] if code != before(parts, code) else ''}{x:.1f} {baseline - y:.1f}")
    return " ".join(parts)


def before(parts: list[str], code: int) -> int | None:
    """The code of the curve that is being drawn, which needs no second letter; lines get a letter each."""
    if code in (Path.CURVE3, Path.CURVE4):
        letter = _COMMANDS[code]
        count = 2 if code == Path.CURVE3 else 3
        for back in range(1, count):
            if len(parts) >= back and parts[-back].startswith(letter):
                return code
    return None


def visit_math(self: Any, node: Any) -> None:
    from docutils import nodes

    self.body.append(svg(" ".join(node.astext().split())))
    raise nodes.SkipNode


def visit_math_block(self: Any, node: Any) -> None:
    from docutils import nodes

    lines = "".join(f"<div>{svg(line)}</div>" for line in node.astext().splitlines() if line.strip())
    self.body.append(f'<div class="equation">{lines}</div>')
    raise nodes.SkipNode


def setup(app: Any) -> dict[str, Any]:
    app.add_html_math_renderer("mathtext", (visit_math, None), (visit_math_block, None))
    app.config.html_math_renderer = "mathtext"
    return {"parallel_read_safe": True, "parallel_write_safe": True}
