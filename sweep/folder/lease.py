"""The lease keeps two drivers off one run: who holds it, and a heartbeat that counts.

On the holder's own machine its process tells whether it lives. From elsewhere only the heartbeat does: whoever wants the
run watches the counter for a while on a clock of its own; the clocks of two hosts are never compared. Taking over makes
sure that nobody else does so at the same time, and a holder makes sure before every commit that it still is one.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from sweep.errors import Cure, InUseError, RunError
from sweep.folder import files
from sweep.folder.disk import Disk, LocalDisk
from sweep.folder.host import HERE, Host
from sweep.records import Record

HEARTBEAT_SECONDS = 10.0
WATCH_SECONDS = 90.0
"""A heartbeat that does not change for so long has stopped. (Network file systems show files as they were a minute ago.)"""
TRUST_SECONDS = 45.0
"""A holder that could not renew its lease for so long commits nothing more: somebody may count it for gone soon."""
CLAIM_SECONDS = 30.0
"""Who takes over needs less; a claim that is older was left behind by a crash."""
SETTLE_SECONDS = 0.2
_LOOK_SECONDS = 1.0
TAKEN_OVER = "another driver has taken over this run"
GONE = "{} is not there any more: it was moved or removed; a run that was moved goes on where it is now"
_BREAK = Cure(
    "wait for it, stop it, or use --break-lease if you know that it is gone",
    "wait for it, stop it, or run(break_lease=True) if you know that it is gone",
)
_ANOTHER = "another folder"
_LET_GO: set[str] = set()
"""Tokens of leases that this very process does not hold any more; the file of one may still be in a folder that was moved."""
_THIS = LocalDisk()


@dataclass(frozen=True)
class Holder(Record):
    """The driver that holds a lease: its host, process, when that started, the machine that host and process are on, and
    how often it has renewed the lease. `heartbeat` is its own clock's time of that, for the record alone. `folder` is what
    the disk knows the folder of the lease by: a copy of it is another."""

    FIX: ClassVar[str] = "remove the file if you know that no driver is at work"

    host: str
    pid: int
    started: float | None = None
    heartbeat: float = 0.0
    token: str = ""
    machine: str = ""
    beats: int = 0
    folder: str = ""

    def alive(self, host: Host = HERE) -> bool | None:
        """Whether the driver is there; None where that cannot be seen from this host."""
        same = self.machine == host.machine() if self.machine else self.host == host.name
        if not same:
            return None
        if self.copied:
            return False
        if self.token in _LET_GO:
            return False
        start = host.process_start(self.pid)
        return start is not None and abs(start - (self.started or 0.0)) < 1.0

    @property
    def copied(self) -> bool:
        """Whether the lease came with a copy of the run's folder: its driver is at work on the other one."""
        return self.folder == _ANOTHER

    @property
    def live(self) -> bool:
        """Whether the driver may still be at work."""
        return self.alive() is not False

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


def holder(path: Path, disk: Disk = _THIS) -> Holder | None:
    """Who holds the lease on a run; None when there is none, or one that a power cut has emptied."""
    try:
        found = files.read_json(path, disk)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    read = Holder.from_json(found, path)
    own = disk.identity(path.parent) if read.folder else ""
    return dataclasses.replace(read, folder=_ANOTHER) if own and own != read.folder else read


class Lease:
    """Hold a run's lease for the time of a `with` block, renewing its heartbeat.

    `taken_over` says whose lease it replaced, for the user's eyes, and `copied` that it came with a copy of the folder. `lost` is set, and `why` says the reason, when another
    driver has the run or the heartbeat cannot be kept up. `say` is told what is waited for.
    """

    def __init__(
        self,
        path: Path,
        break_it: bool = False,
        host: Host = HERE,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.path = path
        self.taken_over = ""
        self.copied = False
        self.lost = threading.Event()
        self.why = ""
        self.token = host.token()
        self._break = break_it
        self._host = host
        self._disk = host.disk
        self._clock = host.clock
        self._say = say
        self._beats = 0
        self._renewed = 0.0
        self._claim_seen: float | None = None
        self._beating = contextlib.ExitStack()
        self._one = threading.RLock()

    def __enter__(self) -> Lease:
        while not self._create() and not self._take_over():
            pass
        self._renewed = self._clock.monotonic()
        self._beating.enter_context(self._clock.every(HEARTBEAT_SECONDS, self._beat))
        return self

    def __exit__(self, *_: object) -> None:
        _LET_GO.add(self.token)
        self._beating.close()
        with contextlib.suppress(OSError, RunError):
            if self._is_ours(holder(self.path, self._disk)):
                self._disk.remove(self.path)

    def held(self) -> bool:
        """Whether a commit may be made now: the lease is ours, was renewed of late, and nobody is about to take it."""
        if self.lost.is_set():
            return False
        if self._clock.monotonic() - self._renewed > TRUST_SECONDS:
            self._beat()
        if not self._is_ours(holder(self.path, self._disk)):
            self.lose_it()
            return False
        return not self.lost.is_set() and not self._claimed()

    def free(self) -> bool:
        """Whether nobody holds the lease, or a holder that is gone; one on another host is watched for a while."""
        found = holder(self.path, self._disk)
        return found is None or self._is_gone(found)

    def lose(self, why: str) -> None:
        """Count the lease for lost."""
        self.why = self.why or why
        self.lost.set()

    def lose_it(self) -> None:
        """Count the lease for lost because it is not there any more, or is another's."""
        if self._disk.safe_when_written:  # in a bucket nothing is moved
            self.lose(TAKEN_OVER)
            return
        try:
            self._disk.names(self.path.parent)
        except (FileNotFoundError, NotADirectoryError):
            self.lose(GONE.format(self.path.parent.parent))
        except OSError:
            self.lose(TAKEN_OVER)
        else:
            self.lose(TAKEN_OVER)

    def _is_ours(self, found: Holder | None) -> bool:
        return found is not None and found.token == self.token

    # Getting it

    def _content(self) -> Holder:
        host, pid = self._host, self._host.pid()
        started = host.process_start(pid)
        folder = self._disk.identity(self.path.parent)
        return Holder(host.name, pid, started, self._clock.time(), self.token, host.machine(), self._beats, folder)

    def _create(self) -> bool:
        """Put the lease in place unless there is one."""
        return self._put(self.path)

    def _put(self, path: Path) -> bool:
        """Make a file with our name in it unless there is one; a link, unlike a rename, does not replace what is there."""
        beside = path.with_name(f".lease.{self.token}{files.PARTIAL}")
        self._disk.write(beside, json.dumps(self._content().to_json()).encode())
        try:
            self._disk.link(beside, path)
        except FileExistsError:
            return False
        finally:
            self._disk.remove(beside)
        return True

    def _take_over(self) -> bool:
        """Replace a lease whose holder is gone; InUseError when it is not, False when things have changed meanwhile."""
        found = holder(self.path, self._disk)
        if found is None and not self._disk.is_file(self.path):
            return False
        if found is not None and not self._break and not self._is_gone(found):
            raise InUseError(f"another driver is working on {self.path.parent.parent}: {found}", _BREAK)
        claim = self._claim_on(found.token if found is not None else "")
        if not self._put(claim):
            self._outlast(claim)
            return False
        try:
            version = self._disk.version(self.path)
            if holder(self.path, self._disk) != found or not self._is_ours(holder(claim, self._disk)):
                return False
            files.write_record(self.path, self._content(), self._disk, over=version)
        except FileExistsError:
            return False
        finally:
            if self._is_ours(holder(claim, self._disk)):
                self._disk.remove(claim)
        self._clock.sleep(SETTLE_SECONDS)
        if not self._is_ours(holder(self.path, self._disk)):
            return False
        self.taken_over = str(found) if found is not None else "a driver that left no name"
        self.copied = found is not None and found.copied
        return True

    def _is_gone(self, found: Holder) -> bool:
        """Whether a holder's process has ended or, seen from elsewhere, its heartbeat."""
        alive = found.alive(self._host)
        if alive is not None:
            return not alive
        self._say(f"{found} holds this run; watching for up to {WATCH_SECONDS:.0f} s whether it is at work")
        until = self._clock.monotonic() + WATCH_SECONDS
        while self._clock.monotonic() < until:
            self._clock.sleep(_LOOK_SECONDS)
            now = holder(self.path, self._disk)
            if now is None or (now.token, now.beats, now.heartbeat) != (found.token, found.beats, found.heartbeat):
                return False if now is not None else not self._disk.is_file(self.path)
        return True

    def _claim_on(self, token: str) -> Path:
        """The file that whoever takes over from the holder of this token makes first; only one can."""
        return self.path.with_name(f".lease.{token}.claim")

    def _outlast(self, claim: Path) -> None:
        """Wait for another driver that takes over; what a crash has left of one is removed."""
        first = self._disk.is_file(claim) and holder(claim, self._disk)
        until = self._clock.monotonic() + CLAIM_SECONDS
        while self._clock.monotonic() < until:
            self._clock.sleep(_LOOK_SECONDS)
            if not self._disk.is_file(claim):
                return
        if holder(claim, self._disk) == first:
            with contextlib.suppress(FileNotFoundError):
                self._disk.remove(claim)

    # Keeping it

    def _beat(self) -> None:
        """Renew the lease, or find that it is another's."""
        try:
            with self._one:
                self._renew()
        except RunError as error:
            self.lose(str(error))
        except OSError as error:  # it may pass: a full disk, a file server that restarts
            if self._clock.monotonic() - self._renewed > TRUST_SECONDS:
                self.lose(f"the lease cannot be renewed ({error.strerror or error}), so another driver may take over")

    def _renew(self) -> None:
        version = self._disk.version(self.path)
        if not self._is_ours(holder(self.path, self._disk)):
            self.lose_it()
            return
        self._beats += 1
        try:
            files.write_record(self.path, self._content(), self._disk, over=version)
        except FileExistsError:  # replaced since we looked
            self.lose(TAKEN_OVER)
            return
        self._renewed = self._clock.monotonic()

    def _claimed(self) -> bool:
        """Whether somebody is about to take this lease; a claim that is never fulfilled was left behind by a crash."""
        claim = self._claim_on(self.token)
        if not self._disk.is_file(claim):
            self._claim_seen = None
            return False
        now = self._clock.monotonic()
        if self._claim_seen is None:
            self._claim_seen = now
        if now - self._claim_seen > CLAIM_SECONDS:
            with contextlib.suppress(FileNotFoundError):
                self._disk.remove(claim)
            return False
        return True
