"""What `retry --set` may change: parameters that only say how to compute, which a run's hash would otherwise forbid."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from solvers.suggest import did_you_mean
from sweep.errors import SpecError
from sweep.folder import files, provenance
from sweep.folder.run_folder import RunFolder
from sweep.folder.store import append_history
from sweep.plan.tiling import Plan
from sweep.records import Json
from sweep.spec.sweep_spec import plain

_DECIDES = ("seed",)
"""Not physical, and decides the numbers all the same."""


def checked_changes(plan: Plan, changes: Json) -> Json:
    """The changed parameters as the model takes them; SpecError for one that decides what the numbers mean."""
    varying = {name for dimension in plan.spec.dimensions for name in dimension.columns}
    allowed = [
        p.name
        for p in plan.model.parameters
        if not (p.physical or p.shape or p.dims or p.name in _DECIDES or p.name in varying)
    ]
    found: dict[str, Any] = {}
    for name, value in changes.items():
        if name not in allowed:
            raise SpecError(
                f"--set {name}: a run may be retried with other values of parameters that only say how to compute; for "
                f"{plan.model.id} these are {', '.join(allowed) or 'none'}{did_you_mean(name, allowed)}; for another sweep "
                "choose another --out"
            )
        try:
            found[name] = plain(plan.model.parameter(name).parse(value))
        except (ValueError, TypeError) as error:
            raise SpecError(f"--set {name}: {error}") from error
    return found


def record_changes(folder: RunFolder, changes: Mapping[str, Any]) -> None:
    """Write into plan.json and the store's history what points are computed with from now on."""
    record = folder.record()
    words = ", ".join(f"{name} = {value}" for name, value in changes.items())
    files.write_record(folder.plan_file, dataclasses.replace(record, changes=(*record.changes, changes)), folder.disk)
    append_history(
        folder.data, f"{provenance.now()} retried with {words} (spinsweep {provenance.version()})", folder.disk
    )
