"""Finding out what a run still needs: after drivers and workers that were killed, and after changes of the code."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from solvers.fingerprint import code_of, sources_of
from solvers.registry import module_of
from sweep.errors import Cure, RunError
from sweep.execution.driver import TileToDo
from sweep.execution.progress import Progress
from sweep.folder import files, journal, provenance, store
from sweep.folder.run_folder import RunFolder
from sweep.folder.run_record import RunRecord
from sweep.folder.store import PENDING, Store
from sweep.plan.costs import tile_costs
from sweep.plan.tiling import Plan
from sweep.plan.timings import Timings


def recover(folder: RunFolder, opened: Store, progress: Progress) -> NDArray[np.uint8]:
    """Clean up after drivers and workers that were killed; returns the status of every point.

    Temporary files are removed, and a tile whose committed chunks are not all there with their size is taken back.
    """
    opened.remove_orphans()
    status = opened.status()
    entries = journal.latest(folder.journal)
    for index in range(opened.plan.tiles):
        region = opened.plan.region(index)
        if not status[region].any():
            continue
        expected = entries[index].sizes if index in entries else {}
        missing = [path for path, size in expected.items() if _size(opened.path / path) != size]
        if missing or not expected:
            what = f"{len(missing)} of its files are missing or damaged" if expected else "it is not in the journal"
            progress.say(f"tile {index} is computed again: {what}")
            opened.clear(index)
            status[region] = PENDING
    return status


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1


def tiles_to_do(plan: Plan, done: NDArray[np.bool_], timings: Timings) -> list[TileToDo]:
    """The tiles with points that are not done, each with its predicted cost."""
    costs = tile_costs(plan, timings)
    found = []
    for index in range(plan.tiles):
        part = done[plan.region(index)]
        good = int(np.count_nonzero(part))
        if good < part.size:
            found.append(TileToDo(index, part.size, good, float(costs[index])))
    return found


def check_code(folder: RunFolder, record: RunRecord, plan: Plan, accept: bool, progress: Progress) -> str:
    """The hash of the model's code now; refused when it is not the run's, unless the change is accepted.

    Runs of earlier versions hold the hash of the sources' text instead.
    """
    module = module_of(plan.model)
    code = code_of(module)
    if record.code == code or record.code == sources_of(module):
        return code
    if not accept:
        made_by = record.environment.get("spinsweep", "unknown")
        raise RunError(
            f"the code of {plan.model.id} has changed since {folder.path} was started; finish it with the version that "
            f"started it ({made_by})",
            Cure(
                "start anew with another --out, or accept that its points come from two versions: --accept-code-change",
                "start anew with another run(store=...), or accept that its points come from two versions: "
                "run(accept_code_change=True)",
            ),
        )
    entry = f"{provenance.now()} solver code changed, accepted by the user (spinsweep {provenance.version()})"
    store.append_history(folder.data, entry)
    before = (*record.code_before, record.code)
    files.write_record(folder.plan_file, dataclasses.replace(record, code=code, code_before=before))
    progress.say("the solver code has changed since this run was started; accepted and recorded")
    return code
