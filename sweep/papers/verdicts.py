"""Verdicts: whether what is stated about a figure is what was computed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from sweep.papers.figures import Claim, Data, Figure, Found
from sweep.records import Record

REPRODUCED, PRINTED_ONLY, DIFFERENT, NOTHING = (
    "reproduced",
    "only with the printed equation",
    "not reproduced",
    "not computable",
)
VERDICTS = (REPRODUCED, PRINTED_ONLY, DIFFERENT, NOTHING)
STANDARD_ERRORS = 4.0
"""How many of them a mean over draws may be away."""
UNEXPLAINED = "unexplained"


@dataclass(frozen=True)
class Row(Record):
    """A claim beside our value; `why` belongs to everything that is not reproduced."""

    figure: str
    panel: str
    text: str
    by: str
    stated: str
    ours: str
    tolerance: str
    verdict: str
    why: str

    @property
    def unexplained(self) -> bool:
        """Whether it differs for a reason that nobody has found."""
        return self.why == UNEXPLAINED


def rows_of(figure: Figure, data: Data) -> tuple[Row, ...]:
    """All claims of a figure, judged by the data."""
    return tuple(_row(figure.name, claim, data) for claim in figure.claims)


def counts(rows: Iterable[Row]) -> str:
    """The verdicts and how many there are of each, in words."""
    found = Counter(row.verdict for row in rows)
    return ", ".join(f"{found[verdict]} {verdict}" for verdict in VERDICTS if found[verdict])


def _row(figure: str, claim: Claim, data: Data) -> Row:
    head = (figure, claim.panel, claim.text, claim.by)
    if claim.ours is None:
        return Row(*head, said(claim.stated), "", "", NOTHING, claim.cannot or UNEXPLAINED)
    found = _found(claim.ours(data))
    ours = _words(found)
    why = ""
    if _agree(claim, found):
        verdict = REPRODUCED
    elif claim.printed is not None and _agree(claim, printed := _found(claim.printed(data))):
        verdict, why = PRINTED_ONLY, claim.why or UNEXPLAINED
        ours = f"{ours}; printed equation {_words(printed)}"
    else:
        verdict, why = DIFFERENT, claim.why or UNEXPLAINED
    room = [f"{claim.tolerance:.2g}"] if claim.tolerance or not claim.share else []
    room += [f"{100 * claim.share:.2g} %"] if claim.share else []
    tolerance = "" if isinstance(claim.stated, bool) else " + ".join(room)
    return Row(*head, said(claim.stated), ours, tolerance, verdict, why)


def _found(value: Any) -> Found:
    return value if isinstance(value, Found) else Found(value)


def _words(found: Found) -> str:
    return said(found.value, found.error) + (f": {found.text}" if found.text else "")


def _agree(claim: Claim, found: Found) -> bool:
    if isinstance(claim.stated, bool):
        return bool(found.value) is claim.stated
    stated, ours = (np.asarray(value, float).ravel() for value in (claim.stated, found.value))
    if stated.shape != ours.shape:
        raise ValueError(f"{claim.text}: {stated.shape} numbers are stated and {ours.shape} found")
    room = claim.tolerance + claim.share * np.abs(stated) + STANDARD_ERRORS * np.asarray(found.error, float)
    return bool(np.all(np.abs(ours - stated) <= room))


def said(value: Any, error: Any = 0.0) -> str:
    """A value of a claim as it stands in a table."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | np.bool_):
        return "holds" if value else "does not hold"
    numbers = np.atleast_1d(np.asarray(value, float))
    errors = np.broadcast_to(np.asarray(error, float), numbers.shape)
    return ", ".join(
        _number(one) + (f" ± {own:.1g}" if own else "")
        for one, own in zip(numbers.tolist(), errors.tolist(), strict=True)
    )


def _number(value: float) -> str:
    return f"{value:.4e}".replace("e-0", "e-").replace("e+0", "e") if 0 < abs(value) < 1e-3 else f"{value:.5g}"
