"""Another content for a run folder, put in place in one step that a crash can only delay.

The new `data.zarr` and files of `meta` are made in `<run>/.next`, synced, and then declared complete by a marker. From the
marker on whoever holds the lease finishes the exchange; without it, what is there is thrown away.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sweep.errors import OTHER_FOLDER, RunError
from sweep.folder import files
from sweep.folder.disk import Disk
from sweep.folder.run_folder import RunFolder
from sweep.folder.zarr_files import sync_tree

NEXT = ".next"
_COMPLETE, _OLD = "complete", "old.zarr"


def exchange(folder: RunFolder, fill: Callable[[RunFolder], None]) -> None:
    """Replace the content of a run whose lease is held: `fill` makes the new one beside it.

    `fill` may read the old one. Files of `meta` that it does not make stay as they are. RunError in a bucket.
    """
    if folder.in_bucket:
        raise RunError(f"{folder.path} is in a bucket, where a run cannot be replaced in one step", OTHER_FOLDER)
    beside = RunFolder(folder.path / NEXT, folder.host)
    disk = folder.disk
    disk.remove_tree(beside.path)
    try:
        disk.make_folder(beside.meta)
        fill(beside)
        sync_tree(beside.path, disk)
    except BaseException:
        disk.remove_tree(beside.path)
        raise
    files.write_text(beside.path / _COMPLETE, "", disk)
    disk.sync(folder.path)
    finish(folder)


def unfinished(folder: RunFolder) -> bool:
    """Whether an exchange was declared complete and not finished."""
    return not folder.in_bucket and folder.disk.is_file(folder.path / NEXT / _COMPLETE)


def finish(folder: RunFolder) -> bool:
    """Finish an exchange that was declared complete, or throw away one that was not; whether there was one to finish."""
    if folder.in_bucket:  # where nothing can be renamed there is none
        return False
    beside = RunFolder(folder.path / NEXT, folder.host)
    disk = folder.disk
    if not disk.is_file(beside.path / _COMPLETE):
        disk.remove_tree(beside.path)
        return False
    if _is_store(beside.data, disk):
        if _is_store(folder.data, disk):
            disk.rename(folder.data, beside.path / _OLD)
        disk.rename(beside.data, folder.data)
    # plan.json last: it is what makes the folder the other run.
    found = sorted(disk.walk(beside.meta), key=lambda path: (path.name == folder.plan_file.name, path))
    for path in found:
        place = folder.meta / path.relative_to(beside.meta)
        disk.make_folder(place.parent)
        disk.rename(path, place)
    for place in {folder.path, folder.meta, *(folder.meta / p.relative_to(beside.meta).parent for p in found)}:
        disk.sync(place)
    disk.remove(beside.path / _COMPLETE)
    disk.sync(beside.path)
    disk.remove_tree(beside.path)
    return True


def _is_store(path: Path, disk: Disk) -> bool:
    return disk.is_file(path / "zarr.json")
