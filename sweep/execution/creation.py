"""Making a run: the checks of its place, and the folder with everything in it."""

from __future__ import annotations

import dataclasses
import math
import os
import secrets
import tempfile
from pathlib import Path

from solvers.fingerprint import code_of
from solvers.registry import module_of
from sweep.errors import OTHER_FOLDER, RunError
from sweep.execution.progress import Progress
from sweep.folder import files, layout, placing, provenance
from sweep.folder.placing import occupied, place_of
from sweep.folder.run_folder import RunFolder
from sweep.folder.run_record import RunRecord
from sweep.plan.tiling import Plan, tile_shape
from sweep.plan.timings import Timings
from sweep.quantities import duration, number
from sweep.spec.array_files import adopted
from sweep.spec.sweep_spec import SweepSpec
from sweep.spec.toml_text import spec_text

_LONGEST_NAME = 200
"""Bytes of a folder's name that its name in .trash keeps."""


def check_place(folder: RunFolder) -> None:
    """RunError unless the folder is free, or holds a run or what an interrupted start has left of one."""
    try:
        taken = occupied(folder)
    except (OSError, ValueError) as error:  # a name that is too long, a circle of links, a zero byte
        words = getattr(error, "strerror", None) or str(error)
        raise RunError(f"{str(folder.path)!r} cannot be a run folder ({words})", OTHER_FOLDER) from error
    if taken:
        raise RunError(f"{folder.path} holds something that is no run of spinsweep", OTHER_FOLDER)


def move_to_trash(folder: RunFolder) -> Path:
    """Move a run away, into `.trash` beside it, and return where it is now. RunError in a bucket."""
    if folder.in_bucket:
        raise RunError(f"{folder.path} is in a bucket, where a run cannot be moved: remove it yourself", OTHER_FOLDER)
    own = place_of(folder).path
    if Path.cwd().is_relative_to(own):
        raise RunError(f"{folder.path} is, or holds, the current folder, and cannot be moved to .trash", OTHER_FOLDER)
    stamp = provenance.now().replace(":", "").partition("+")[0]
    name = os.fsdecode(os.fsencode(own.name)[:_LONGEST_NAME])
    place = own.parent / ".trash" / f"{name}-{stamp}-{secrets.token_hex(2)}"
    try:
        folder.disk.make_folder(place.parent)
        folder.disk.rename(own, place)
    except OSError as error:
        raise RunError(f"{folder.path} cannot be moved to {place} ({error.strerror})", OTHER_FOLDER) from error
    return place


def check_writable(folder: RunFolder) -> None:
    """RunError unless files can be made where the run is to be; finds out by making one."""
    if folder.in_bucket:
        _check_bucket(folder)
        return
    own = place_of(folder).path
    place = own if own.is_dir() else own.parent
    try:
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        raise RunError(f"{place} cannot be written to ({error.strerror})", OTHER_FOLDER) from error


def _check_bucket(folder: RunFolder) -> None:
    """RunError unless objects can be made, and made only where there is none: what keeps two drivers apart."""
    token = secrets.token_hex(4)
    beside, path = (folder.meta / f"try-{token}{ending}" for ending in (files.PARTIAL, ""))
    try:
        for content, taken in ((b"one", False), (b"other", True)):
            folder.disk.write(beside, content)
            try:
                folder.disk.link(beside, path)
                refused = False
            except FileExistsError:
                refused = True
            finally:
                folder.disk.remove(beside)
            if refused != taken:
                raise RunError(
                    f"the object store of {folder.path} does not keep to conditions of writing (If-None-Match), which keep "
                    "two drivers apart; use one that does",
                    OTHER_FOLDER,
                )
        folder.disk.remove(path)
    except OSError as error:
        raise RunError(f"{folder.path} cannot be written to: {error.strerror}", OTHER_FOLDER) from None


def create(folder: RunFolder, spec: SweepSpec, timings: Timings, workers: int, progress: Progress) -> None:
    """Cut the sweep into tiles and make its run folder, in one step."""
    plan = Plan(spec, tile_shape(spec, timings, workers))
    record = RunRecord(
        id=secrets.token_hex(8),
        name=spec.name,
        tile=plan.tile,
        hash=spec.hash(),
        code=code_of(module_of(plan.model)),
        spec=spec.raw,
        pilot=timings,
        created=provenance.now(),
        environment=provenance.environment(),
    )

    def fill(beside: RunFolder) -> None:
        own = adopted(spec.raw, beside.meta)
        text = spec_text(own)
        layout.create(beside.data, plan, record.code, text, beside.disk)
        files.write_text(beside.spec_file, text, beside.disk)
        files.write_record(beside.plan_file, dataclasses.replace(record, spec=own), beside.disk)

    placing.create(folder, fill)
    wall = timings.of_one_core(spec.points) / workers
    tiles, on = number(plan.tiles, "tile"), number(workers, "worker")
    progress.say(
        f"{number(spec.points, 'point')} in {tiles} of {math.prod(plan.tile):,}, about {duration(wall)} on {on}, start-up apart; "
        f"{folder.path}"
    )
