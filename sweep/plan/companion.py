"""A companion: a process of our own that does calls one after another, may die of one, and is then started anew.

It has one BLAS thread, ignores Ctrl-C (its caller decides what that means) and never outlives its caller.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable
from concurrent.futures import Future, InvalidStateError
from pathlib import Path
from typing import IO, Any

_ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL", "NUMBA")}
_TURN = "from sweep.plan.companion import serve; serve()"


LARGEST_SHARE = 0.6
"""Share of the memory beyond which a companion is ended."""


class CompanionLost(RuntimeError):
    """The companion died during a call."""


class Call(Future[Any]):
    """A call under way: `key` is its caller's name for it, `heard` takes what it yields on the way."""

    def __init__(self, function: str, arguments: tuple[Any, ...], key: Hashable, heard: Callable[[Any], None]) -> None:
        super().__init__()
        self.function, self.arguments, self.key, self.heard = function, arguments, key, heard

    def release(self) -> None:
        """As Dask's futures have it; nothing is held elsewhere."""

    def succeed(self, value: Any) -> None:
        with contextlib.suppress(InvalidStateError):  # it was cancelled meanwhile
            self.set_result(value)

    def fail(self, error: BaseException) -> None:
        with contextlib.suppress(InvalidStateError):
            self.set_exception(error)

    def follow(self, other: Any) -> None:
        """End as another future has, which has done this call instead."""
        try:
            self.succeed(other.result())
        except BaseException as error:
            self.fail(error)

    def resolve(self) -> Callable[..., Any]:
        """The function itself."""
        return resolve(self.function)


class Companion:
    """The process, seen from its caller; use it as a context manager."""

    def __init__(self, ahead: str = "") -> None:
        """`ahead`: a module that the process imports at once, before it is asked for anything."""
        self._ahead = ahead
        self._lock = threading.RLock()
        self._waiting: deque[Call] = deque()
        self._current: Call | None = None
        self._since = 0.0
        self._closed = False
        self._process: subprocess.Popen[bytes] | None = self._start()

    def __enter__(self) -> Companion:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process; there is no other one."""
        with self._lock:
            self._closed = True
            process = self._process
        if process is not None:
            process.kill()
            process.wait()

    def call(
        self,
        function: str,
        *arguments: Any,
        key: Hashable = None,
        heard: Callable[[Any], None] = lambda item: None,
    ) -> Call:
        """Do a function, written `module:name`, when the calls before it are done.

        One that yields is run to its end and `heard` takes each item, in a thread of its own. A call during which the
        process dies ends in CompanionLost; those that wait are then done by a new process.
        """
        made = Call(function, arguments, key, heard)
        with self._lock:
            self._waiting.append(made)
            self._next()
        return made

    def busy(self) -> tuple[Call | None, float]:
        """The call that runs, and for how many seconds it has."""
        with self._lock:
            return self._current, time.monotonic() - self._since

    def take_back(self) -> list[Call]:
        """The calls that have not begun; they are not done here any more."""
        with self._lock:
            found = list(self._waiting)
            self._waiting.clear()
            return found

    @property
    def closed(self) -> bool:
        """Whether there is no process any more, nor another one to come."""
        return self._closed

    @property
    def pid(self) -> int | None:
        """The process, if there is one now."""
        process = self._process
        return None if process is None else process.pid

    def kill(self) -> None:
        """End the process, whatever it is at."""
        process = self._process
        if process is not None:
            process.kill()

    def fills_the_memory(self) -> bool:
        """Whether the process has taken so much memory that everything else is in danger."""
        import psutil

        from sweep.plan.machine import memory

        try:
            return bool(self.pid is not None and psutil.Process(self.pid).memory_info().rss > LARGEST_SHARE * memory())
        except psutil.Error:
            return False

    def _start(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", _TURN, self._ahead],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **_ONE_THREAD, "PYTHONPATH": _import_path()},
        )
        threading.Thread(target=self._listen, args=(process,), name="companion", daemon=True).start()
        return process

    def _next(self) -> None:
        """Send the next call, if the process is free."""
        while self._current is None and self._waiting and not self._closed:
            call = self._waiting.popleft()
            if not call.set_running_or_notify_cancel():
                continue
            self._current, self._since = call, time.monotonic()
            if self._process is None:
                self._process = self._start()
            assert self._process.stdin is not None
            with contextlib.suppress(OSError):  # it has died: the thread that listens finds out
                pickle.dump((call.function, call.arguments), self._process.stdin)
                self._process.stdin.flush()

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        with contextlib.suppress(EOFError, OSError, pickle.UnpicklingError):
            while True:
                word, content = pickle.load(process.stdout)
                call = self._current
                assert call is not None
                if word == "item":
                    call.heard(content)
                    continue
                with self._lock:
                    self._current = None
                    self._next()
                if word == "result":
                    call.succeed(content)
                else:
                    call.fail(_revived(content))
        process.wait()
        with self._lock:
            call, self._current, self._process = self._current, None, None
            self._next()
        if call is not None:
            call.fail(CompanionLost(f"the process that computed it has ended ({process.returncode})"))


def _revived(content: tuple[bytes, str]) -> BaseException:
    """An error as it was raised, or its words where it cannot be rebuilt."""
    dumped, text = content
    try:
        error = pickle.loads(dumped)
    except Exception:
        return RuntimeError(text)
    return error if isinstance(error, BaseException) else RuntimeError(text)


def _import_path() -> str:
    """PYTHONPATH with which a new process finds this very package, installed or not."""
    own = str(Path(__file__).resolve().parents[2])
    return os.pathsep.join([own, *filter(None, [os.environ.get("PYTHONPATH", "")])])


def resolve(function: str) -> Callable[..., Any]:
    """The function that is written `module:name`."""
    module, _, name = function.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return found


# In the process itself


def serve() -> None:
    """Do calls from standard input until it ends. What they print goes nowhere, until `speak` has been called."""
    calls = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    _SPEECH.append(os.dup(2))
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nowhere, number)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    arrived: queue.SimpleQueue[tuple[str, tuple[Any, ...]]] = queue.SimpleQueue()
    threading.Thread(target=_take, args=(calls, arrived), daemon=True).start()
    if ahead := "".join(sys.argv[1:]):
        with contextlib.suppress(Exception):  # a call that needs it will say why
            load(ahead)
    while True:
        function, arguments = arrived.get()
        try:
            found = resolve(function)(*arguments)
            if inspect.isgenerator(found):
                for item in found:
                    _tell(answers, "item", item)
                found = None
            _tell(answers, "result", found)
        except BaseException as error:
            _tell(answers, "error", (_dumped(error), f"{type(error).__name__}: {error}"))


_SPEECH: list[int] = []


def speak() -> None:
    """From now on what calls print is seen where the caller's errors are."""
    for number in (1, 2):
        os.dup2(_SPEECH[0], number)


def load(module: str) -> None:
    """Import a module ahead of the calls that need it."""
    importlib.import_module(module)


def _take(calls: IO[bytes], arrived: queue.SimpleQueue[tuple[str, tuple[Any, ...]]]) -> None:
    while True:
        try:
            arrived.put(pickle.load(calls))
        except BaseException:  # the caller is gone, and with it whoever wants the answer
            os._exit(1)


def _tell(answers: IO[bytes], word: str, content: Any) -> None:
    answers.write(pickle.dumps((word, content)))
    answers.flush()


def _dumped(error: BaseException) -> bytes:
    try:
        return pickle.dumps(error)
    except Exception:
        return b""
