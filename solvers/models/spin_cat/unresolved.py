"""What is said of a point whose coherence decays more slowly than rounding lets one see."""

from __future__ import annotations

from typing import Any

from solvers.engines.pair_loss.ladder import Ladder
from solvers.outcome import WARNED, Kind, Remark

_LOST = 1e-6


def unresolved(ladder: Ladder, time: float, what: str) -> dict[str, Any]:
    """Status 1 and the reason where, by `time`, a decay too slow to be resolved could have changed `what`; else nothing."""
    if ladder.rate != 0 or time * ladder.coherence.rounding <= _LOST:
        return {}
    if not (ladder.start[::2].any() and ladder.start[1::2].any()):  # there is no coherence
        return {}
    message = (
        f"the coherence decays slower than {ladder.coherence.rounding:.1g}, which is rounding; "
        f"what is left of {what} at t = {time:.3g} is not known"
    )
    return {"status": WARNED, "remark": Remark(kind=Kind.LOST_IN_ROUNDING, message=message)}
