"""The lease keeps two drivers off one run: who holds it, since when, and a heartbeat.

A lease whose process is gone (same host), or whose heartbeat has stopped for a minute, is taken over with a word said.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import psutil

from sweep.errors import Cure, RunError
from sweep.folder import files
from sweep.records import Record

HEARTBEAT_SECONDS = 10.0
STALE_SECONDS = 60.0
_BREAK = Cure(
    "wait for it, stop it, or use --break-lease if you know that it is gone",
    "wait for it, stop it, or run(break_lease=True) if you know that it is gone",
)


def _process_start(pid: int) -> float | None:
    """When a process of this host started, or None when there is none; tells a reused process id."""
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.Error:
        return None


@dataclass(frozen=True)
class Holder(Record):
    """The driver that holds a lease: its host and process, when that started, and its last sign of life."""

    FIX: ClassVar[str] = "remove the file if you know that no driver is at work"

    host: str
    pid: int
    started: float | None = None
    heartbeat: float = 0.0
    token: str = ""

    @property
    def live(self) -> bool:
        """Whether the driver may still be at work."""
        if self.host == socket.gethostname():
            start = _process_start(self.pid)
            return start is not None and abs(start - (self.started or 0.0)) < 1.0
        return time.time() - self.heartbeat < STALE_SECONDS

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


def holder(path: Path) -> Holder | None:
    """Who holds the lease on a run; None when there is none, or one that a power cut has emptied."""
    try:
        found = files.read_json(path)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return Holder.from_json(found, path)


class Lease:
    """Hold a run's lease for the time of a `with` block; a thread renews its heartbeat.

    `taken_over` says whose lease it replaced, for the user's eyes; `lost` is set when another driver broke it.
    """

    def __init__(self, path: Path, break_it: bool = False) -> None:
        self.path = path
        self.taken_over = ""
        self.lost = threading.Event()
        self._break = break_it
        self._token = secrets.token_hex(8)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Lease:
        while True:
            if self._create():
                break
            found = holder(self.path)
            if found is not None and found.live and not self._break:
                raise RunError(f"another driver is working on {self.path.parent.parent}: {found}", _BREAK)
            if found is not None:
                self.taken_over = str(found)
            # Two drivers may see the same dead lease: the one whose rename succeeds has removed it, the other tries anew.
            grave = self.path.with_name(f".lease.{self._token}")
            with contextlib.suppress(FileNotFoundError):
                os.rename(self.path, grave)
                os.unlink(grave)
        self._thread = threading.Thread(target=self._renew, name="lease", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        found = holder(self.path)
        if found is not None and found.token == self._token:
            with contextlib.suppress(FileNotFoundError):
                self.path.unlink()

    def _content(self) -> Holder:
        pid = os.getpid()
        return Holder(socket.gethostname(), pid, _process_start(pid), time.time(), self._token)

    def _create(self) -> bool:
        """Put the lease in place unless there is one; a link, unlike a rename, does not replace what is there."""
        beside = self.path.with_name(f".lease.{self._token}")
        beside.write_text(json.dumps(self._content().to_json()))
        try:
            os.link(beside, self.path)
        except FileExistsError:
            return False
        finally:
            beside.unlink()
        return True

    def _renew(self) -> None:
        while not self._stop.wait(HEARTBEAT_SECONDS):
            found = holder(self.path)
            if found is None or found.token != self._token:
                self.lost.set()
                return
            with contextlib.suppress(OSError):  # a full disk must not end the run; the next beat may succeed
                files.write_record(self.path, self._content())
