"""The table of the error atlas, from the numbers that examples/error_atlas.py has written."""

from __future__ import annotations

import csv
import statistics
from pathlib import Path

from docstrings import escaped
from pages import table


def atlas_table(path: Path) -> str:
    """Per sweep and method the median error, the largest, and the points with the smallest and the largest."""
    found: dict[tuple[str, str], list[tuple[float, str]]] = {}
    with path.open() as file:
        for row in csv.DictReader(file):
            if row["error"]:
                found.setdefault((row["sweep"], row["method"]), []).append((float(row["error"]), row["point"]))
    lines = []
    for (sweep, method), points in found.items():
        (_, best), (most, worst) = min(points), max(points)
        median = statistics.median(error for error, _ in points)
        lines.append((escaped(sweep), f"`{method}`", f"{median:.1e}", f"{most:.1e}", escaped(worst), escaped(best)))
    return table(("sweep", "method", "median", "largest", "worst at", "best at"), lines) + "\n"
