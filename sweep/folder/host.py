"""What a driver and its workers stand on: a disk, a clock, and who they are. A simulation brings its own."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import queue
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

import psutil

from sweep.folder.disk import Disk, LocalDisk
from sweep.folder.places import BucketPath

T = TypeVar("T")
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Clock(Protocol):
    """Time, and waiting for it."""

    def time(self) -> float:
        """Seconds since 1970, as this host believes; for the record alone."""

    def monotonic(self) -> float:
        """Seconds since some moment, never less than before."""

    def sleep(self, seconds: float) -> None:
        """Wait."""

    def take(self, news: queue.SimpleQueue[T], seconds: float) -> T | None:
        """The next of a queue, waited for so long; None when there was none."""

    def every(self, seconds: float, do: Callable[[], None]) -> AbstractContextManager[None]:
        """Call `do` again and again for the time of a `with` block, beside what the block does."""


class RealClock:
    """The clock of this host; `every` runs in a thread of its own."""

    def time(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        # Linux' own monotonic clock stands still while a laptop sleeps, and another driver may take over meanwhile.
        return time.clock_gettime(_CLOCK)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def take(self, news: queue.SimpleQueue[T], seconds: float) -> T | None:
        with contextlib.suppress(queue.Empty):
            return news.get(timeout=seconds) if seconds > 0 else news.get_nowait()
        return None

    @contextlib.contextmanager
    def every(self, seconds: float, do: Callable[[], None]) -> Iterator[None]:
        stop = threading.Event()

        def go() -> None:
            while not stop.wait(seconds):
                do()

        thread = threading.Thread(target=go, name="every", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


def process_start(pid: int) -> float | None:
    """When a process of this host started, or None when there is none; tells a reused process id.

    One that is dead and that nobody has asked how it ended (a zombie, as they gather in containers) is none.
    """
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else float(process.create_time())
    except psutil.Error:
        return None


@functools.cache
def machine() -> str:
    """A name of what process numbers belong to: this boot of this machine, and the container we are in."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}:{os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:
        return ""


@dataclass(frozen=True)
class Host:
    """A disk, a clock, a host's name and a process on it; `machine` names what the process number belongs to, and `token`
    makes a name that nobody else has."""

    disk: Disk = field(default_factory=LocalDisk)
    clock: Clock = field(default_factory=RealClock)
    name: str = field(default_factory=socket.gethostname)
    pid: Callable[[], int] = os.getpid
    machine: Callable[[], str] = machine
    process_start: Callable[[int], float | None] = process_start
    token: Callable[[], str] = lambda: secrets.token_hex(8)

    def at(self, path: Path) -> Host:
        """This host with the disk that a path is on, where that is a bucket."""
        if not isinstance(path, BucketPath):
            return self
        from sweep.folder.bucket import disk_of

        return dataclasses.replace(self, disk=disk_of(path.bucket))


HERE = Host()
"""This machine and process."""
