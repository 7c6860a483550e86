"""Putting a new run in its place, so that a kill at any moment leaves nothing that the next start cannot deal with.

Where nothing is yet, the run is made beside its place and renamed in: whoever sees the folder sees all of it. A folder that is
there already and empty (made by hand, what a link leads to, a mount point, the current folder) stays what it is, and is filled
by an exchange of its content under the lease.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from sweep.errors import RunError
from sweep.folder import exchange
from sweep.folder.disk import Disk
from sweep.folder.files import PARTIAL
from sweep.folder.host import Host
from sweep.folder.lease import Lease
from sweep.folder.run_folder import RunFolder
from sweep.folder.zarr_files import sync_tree

_BESIDE = ".spinsweep-new-"
_OF_THE_SYSTEM = {"lost+found"}
"""In a file system that is empty."""
_OF_A_LEASE = ("lease.json", ".lease.", "cancel.json")
Say = Callable[[str], None]


def place_of(folder: RunFolder) -> RunFolder:
    """The folder itself, where a link leads to it."""
    if folder.in_bucket:
        return folder
    return RunFolder(Path(os.path.realpath(folder.path)), folder.host)


def _names(folder: RunFolder) -> set[str] | None:
    """What is in a folder; None when it is not there."""
    try:
        return set(folder.disk.names(folder.path)) - _OF_THE_SYSTEM
    except FileNotFoundError:
        return None


def occupied(folder: RunFolder) -> bool:
    """Whether something is here that is no run, and nothing that an interrupted start has left. OSError where nobody can tell.

    Nobody lists a bucket for it: what has no plan there was not finished being created.
    """
    if folder.in_bucket:
        return False
    try:
        names = _names(folder)
    except NotADirectoryError:  # it is a file, or lies below one, where nothing can be
        return os.path.lexists(folder.path)
    return bool(names) and not folder.exists() and not _begun(folder)


def _begun(folder: RunFolder) -> bool:
    """Whether a run was being put here, and is not yet."""
    names = _names(folder)
    if not names or folder.exists():
        return False
    if exchange.unfinished(folder):
        return True
    return names <= {exchange.NEXT, folder.meta.name} and all(
        path.name.startswith(_OF_A_LEASE) or path.name.endswith(PARTIAL) for path in folder.disk.walk(folder.meta)
    )


def clear_up(folder: RunFolder, say: Say, break_lease: bool = False) -> None:
    """Finish, or throw away, what a start that was killed has left here; of those beside it what is nobody's any more.

    RunError where another driver is at work here. In a bucket there is nothing of the kind.
    """
    if folder.in_bucket:
        return
    place = place_of(folder)
    _remove_abandoned(place.path.parent, place.host, say)
    if _begun(place):
        place.disk.make_folder(place.runs)
        with Lease(place.lease, break_lease, place.host, say):
            finished = exchange.finish(place)
        what = "is finished now" if finished else "left nothing behind that counts; it begins anew"
        say(f"an earlier start of this run was interrupted while {folder.path} was made: it {what}")


def _remove_abandoned(above: Path, host: Host, say: Say) -> None:
    try:
        names = host.disk.names(above)
    except OSError:  # not there yet, or not for us to look into
        return
    for name in names:
        if name.startswith(_BESIDE) and _is_abandoned(name, host):
            host.disk.remove_tree(above / name)
            say(f"removed {above / name}, which a start that was killed had left behind")


def _machine(host: Host) -> str:
    return hashlib.blake2b((host.machine() or host.name).encode(), digest_size=4).hexdigest()


def _name_beside(host: Host) -> str:
    """A name that tells whose it is."""
    started = host.process_start(host.pid()) or 0.0
    return f"{_BESIDE}{_machine(host)}-{host.pid()}-{int(started)}-{host.token()}"


def _is_abandoned(name: str, host: Host) -> bool:
    """Whether the process that made a folder beside its place has ended; of one on another machine nobody knows."""
    machine, pid, started, *_ = [*name.removeprefix(_BESIDE).split("-", 3), "", "", ""]
    if machine != _machine(host) or not (pid.isdigit() and started.isdigit()):
        return False
    start = host.process_start(int(pid))
    return start is None or abs(int(start) - int(started)) > 1


def create(folder: RunFolder, fill: Callable[[RunFolder], None]) -> None:
    """Make the folder of a run: `fill` writes its content elsewhere, and it is put in place in one step."""
    if folder.in_bucket:
        _create_in_bucket(folder, fill)
        return
    place = place_of(folder)
    if _names(place) is None:
        _create_beside(place, fill)
    else:
        _create_within(place, fill)
    place.keep_name()


def _appeared(folder: RunFolder) -> RunError:
    return RunError(f"{folder.path} appeared while this run was being created; start it again to continue that one")


def _create_beside(folder: RunFolder, fill: Callable[[RunFolder], None]) -> None:
    disk: Disk = folder.disk
    disk.make_folder(folder.path.parent)
    beside = RunFolder(folder.path.with_name(_name_beside(folder.host)), folder.host)
    try:
        disk.make_folder(beside.runs)
        fill(beside)
        sync_tree(beside.path, disk)
        try:
            disk.rename(beside.path, folder.path)
        except OSError as error:
            if not folder.exists():  # a full disk, a folder that may not be written to
                raise
            raise _appeared(folder) from error
    except BaseException:
        disk.remove_tree(beside.path)
        raise


def _create_within(folder: RunFolder, fill: Callable[[RunFolder], None]) -> None:
    disk: Disk = folder.disk
    disk.make_folder(folder.runs)
    try:
        with Lease(folder.lease, host=folder.host):
            if folder.exists():
                raise _appeared(folder)
            exchange.exchange(folder, fill)
    except BaseException:
        if not folder.exists() and not exchange.unfinished(folder):
            disk.remove_tree(folder.meta)
        raise


def _create_in_bucket(folder: RunFolder, fill: Callable[[RunFolder], None]) -> None:
    """Written here, and sent under the lease; the plan comes last, and makes it a run."""
    with tempfile.TemporaryDirectory() as place, Lease(folder.lease, host=folder.host):
        if folder.exists():
            raise _appeared(folder)
        here = RunFolder(Path(place))
        here.disk.make_folder(here.runs)
        fill(here)
        found = {path: folder.path.joinpath(*path.relative_to(here.path).parts) for path in here.disk.walk(here.path)}
        plan = found.pop(here.plan_file)
        folder.disk.map(lambda path: folder.disk.write(found[path], here.disk.read(path)), list(found))
        folder.disk.write(plan, here.disk.read(here.plan_file))
