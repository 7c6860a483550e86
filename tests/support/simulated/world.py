"""Time, and processes on machines: everything happens in one thread, in an order that a seed decides."""

from __future__ import annotations

import contextlib
import errno
import heapq
import itertools
import os
import queue
import threading
from collections import Counter

from support.simulated.disk import Killed, SimulatedDisk, View
from sweep.folder.host import Host


class Hang(AssertionError):
    """Nothing happens any more, or the same for ever."""


MOST_STEPS = 200_000
MOST_SECONDS = 1e6


class World:
    """Events by their time, a disk that all machines share, and how often which fault was put in."""

    def __init__(self, rng, local_disk=True):
        self.rng = rng
        self.now = 0.0
        self.disk = SimulatedDisk(local_disk)
        self.faults = Counter()
        self._events = []
        self._numbers = itertools.count()
        self._steps = 0

    def at(self, seconds, do):
        heapq.heappush(self._events, (self.now + seconds, next(self._numbers), do))

    def step(self, until):
        """Let the next event before `until` happen; False when there is none and it is `until`."""
        self._steps += 1
        if self._steps > MOST_STEPS or self.now > MOST_SECONDS:
            raise Hang(f"after {self._steps} steps, at {self.now:.0f} s")
        if not self._events or self._events[0][0] > until:
            self.now = max(self.now, until)
            return False
        when, _, do = heapq.heappop(self._events)
        self.now = max(self.now, when)
        do()
        return True


class Clock:
    """A process' clock: the world's time; what its machine believes the time to be may jump."""

    def __init__(self, world, process):
        self._world, self._process = world, process
        self.wall = 1.7e9

    def time(self):
        return self.wall + self._world.now

    def monotonic(self):
        return self._world.now

    def sleep(self, seconds):
        until = self._world.now + seconds
        while self._world.step(until):
            self._process.check()
        self._process.check()

    def take(self, news, seconds):
        until = self._world.now + seconds
        while True:
            self._process.check()
            with contextlib.suppress(queue.Empty):
                return news.get_nowait()
            if not self._world.step(until):
                return None

    @contextlib.contextmanager
    def every(self, seconds, do):
        alive = [True]

        def beat():
            if alive[0] and not self._process.dead:
                if not self._process.frozen:
                    with contextlib.suppress(Killed):
                        do()
                self._world.at(seconds, beat)

        self._world.at(seconds, beat)
        try:
            yield
        finally:
            alive[0] = False


class Process:
    """A process on a machine. `plan` maps the number of a change of the disk to what goes wrong there:
    kill, EIO, ENOSPC, or a function that is called just before."""

    pids = itertools.count(1000)

    def __init__(self, world, machine="one", plan=None):
        self.world = world
        self.machine = machine
        self.pid = next(self.pids)
        self.dead = False
        self.frozen = False
        self.plan = dict(plan or {})
        self.changes = 0
        self.full_until = 0
        self.clock = Clock(world, self)
        self.view = View(world.disk, self._before)
        machines = world.__dict__.setdefault("processes", {})
        machines[machine, self.pid] = self
        numbers = itertools.count()
        self.host = Host(
            disk=self.view,
            clock=self.clock,
            name=machine,
            pid=lambda: self.pid,
            machine=lambda: machine,
            process_start=self._start_of,
            token=lambda: f"token-{self.pid}-{next(numbers)}",
        )

    def _start_of(self, pid):
        other = self.world.processes.get((self.machine, pid))
        return float(pid) if other is not None and not other.dead else None

    def check(self):
        if self.dead:
            raise Killed

    def kill(self):
        self.dead = True

    def _before(self, view, what, path):
        """Every operation on the disk comes by; a part of a write is left over where it is broken off."""
        self.check()
        if what == "read":
            return None
        if what == "broken off":
            code = self._broken
            if code is None:
                self.dead = True
                raise Killed
            raise OSError(code, os.strerror(code))
        self.changes += 1
        fault = self.plan.pop(self.changes, None)
        if callable(fault) and threading.current_thread() is not threading.main_thread():
            self.plan[self.changes + 1] = fault  # Zarr writes `status` in a thread of its own
            fault = None
        elif callable(fault):
            fault()
            self.check()
            fault = None
        if self.changes <= self.full_until and what in ("write", "append", "make", "link"):
            fault = fault or "ENOSPC"
        if fault is None:
            return None
        self.world.faults[fault] += 1
        if fault == "full disk":
            self.full_until = self.changes + self.world.rng.randint(1, 40)
            fault = "ENOSPC"
        self._broken = {"kill": None, "EIO": errno.EIO, "ENOSPC": errno.ENOSPC}[fault]
        if what in ("write", "append") and self.world.rng.random() < 0.7:
            return self.world.rng.random()
        if self._broken is None:
            self.dead = True
            raise Killed
        raise OSError(self._broken, os.strerror(self._broken), str(path))
