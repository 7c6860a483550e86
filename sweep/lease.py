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
from pathlib import Path
from typing import Any

import psutil

from sweep import files
from sweep.errors import RunError

HEARTBEAT_SECONDS = 10.0
STALE_SECONDS = 60.0


def _process_start(pid: int) -> float | None:
    """When a process of this host started, or None when there is none; tells a reused process id."""
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.Error:
        return None


def holder(path: Path) -> dict[str, Any] | None:
    """The lease on a run, or None when there is none."""
    try:
        found = json.loads(path.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    return found if isinstance(found, dict) else None


def is_live(found: dict[str, Any]) -> bool:
    """Whether the driver that holds a lease may still be at work."""
    if found.get("host") == socket.gethostname():
        start = _process_start(int(found.get("pid", -1)))
        return start is not None and abs(start - float(found.get("started", 0.0))) < 1.0
    return time.time() - float(found.get("heartbeat", 0.0)) < STALE_SECONDS


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
            if found is not None and is_live(found) and not self._break:
                raise RunError(
                    f"another driver is working on {self.path.parent.parent}: process {found.get('pid')} on {found.get('host')}; "
                    "wait for it, stop it, or use --break-lease if you know that it is gone"
                )
            if found is not None:
                self.taken_over = f"process {found.get('pid')} on {found.get('host')}"
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
        if found is not None and found.get("token") == self._token:
            with contextlib.suppress(FileNotFoundError):
                self.path.unlink()

    def _content(self) -> dict[str, Any]:
        return {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "started": _process_start(os.getpid()),
            "heartbeat": time.time(),
            "token": self._token,
        }

    def _create(self) -> bool:
        """Put the lease in place unless there is one; a link, unlike a rename, does not replace what is there."""
        beside = self.path.with_name(f".lease.{self._token}")
        beside.write_text(json.dumps(self._content()))
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
            if found is None or found.get("token") != self._token:
                self.lost.set()
                return
            with contextlib.suppress(OSError):  # a full disk must not end the run; the next beat may succeed
                files.write_json(self.path, self._content())
