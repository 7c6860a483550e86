"""Tables of claims and verdicts: the list of all panels, the page beside a picture, the page of the gallery."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sweep.papers.figures import FULL, Figure, Paper
from sweep.papers.verdicts import Row, counts

_HEAD = ("panel", "claim", "stated by", "stated", "ours", "tolerance", "verdict")


def listing(papers: Iterable[Paper]) -> str:
    """Every panel of the papers with its claims."""
    lines = []
    for paper in papers:
        lines += [f"{paper.name}: {paper.citation}", ""]
        for figure in paper.figures:
            lines.append(f"  {figure.name:24}{figure.title}")
            for panel, meaning in figure.panels.items():
                lines.append(f"    {f'({panel})' if panel else '':6}{meaning}")
                for claim in figure.claims:
                    if claim.panel == panel:
                        lines.append(f"          - {claim.text}{'' if claim.ours else ' (not computable)'}")
            lines.append("")
    return "\n".join(lines).rstrip()


def _cell(text: str) -> str:
    return text.replace("|", r"\|").replace("\n", " ")


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(_cell(cell) for cell in cells) + " |"


def _rows(rows: Iterable[Row]) -> list[str]:
    lines = [_line(_HEAD), "|" + " --- |" * len(_HEAD)]
    for row in rows:
        verdict = f"**{row.verdict}**" + (f": {row.why}" if row.why else "")
        lines.append(_line((row.panel, row.text, row.by, row.stated, row.ours, row.tolerance, verdict)))
    return lines


def _picture(figure: Figure) -> list[str]:
    return [f"![{figure.title}]({figure.name}.png)", ""] if figure.draw else []


def table(figure: Figure, rows: Sequence[Row], preset: str) -> str:
    """The page beside a picture, as Markdown."""
    trial = "" if preset == FULL else f"\nPreset `{preset}`: thinned axes and fewer draws.\n"
    panels = [f"* {f'({panel}) ' if panel else ''}{meaning}" for panel, meaning in figure.panels.items()]
    lines = [f"# {figure.name}: {figure.title}", trial, *_picture(figure), *panels, ""]
    return "\n".join([*lines, *_rows(rows), "", f"{counts(rows)}.", ""])


def gallery(papers: Iterable[Paper], drawn: Sequence[tuple[Figure, Sequence[Row]]], command: str) -> str:
    """The page of a gallery: every figure with its panels, picture and verdicts."""
    rows_of = {figure.name: rows for figure, rows in drawn}
    everything = [row for rows in rows_of.values() for row in rows]
    lines = [
        "# Gallery: the figures of the five papers",
        "",
        f"Written by `{command}`. Every verdict was computed from the stores of the sweeps behind the picture: what is",
        "stated (by the paper, or by an independent reference calculation), our number, the tolerance, and why where they",
        "differ. The papers' own images were not compared, only their texts and captions.",
        "",
        f"{len(everything)} claims: {counts(everything)}.",
    ]
    for paper in papers:
        figures = [figure for figure in paper.figures if figure.name in rows_of]
        if figures:
            lines += ["", f"## {paper.name}", "", f"{paper.citation}."]
        for figure in figures:
            panels = "; ".join(f"{f'({p}) ' if p else ''}{meaning}" for p, meaning in figure.panels.items())
            lines += [
                "",
                f"### {figure.name}: {figure.title}",
                "",
                *_picture(figure),
                f"{panels}.",
            ]
            lines += ["", *_rows(rows_of[figure.name])]
    return "\n".join(lines) + "\n"
